"""The book in docs/, tested: what it says of the sources is there, and its code runs."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT / "bindings" / "python" / "tests", ROOT / "tools", ROOT / "docs" / "pictures", Path(__file__).parent):
    sys.path.insert(0, str(folder))

pytest_plugins = ["servers"]

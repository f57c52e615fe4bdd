"""The console script ``flagstone``: becomes the command-line program that lies in this package, where the wheel has it.

A package of its own, so that nothing of ``flagstone`` and its library is loaded for it. Depends on nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

__all__ = ["PROGRAM", "main"]

#: Where the program is, if it is there.
PROGRAM = Path(__file__).with_name("bin") / "flagstone"

_MISSING = """\
flagstone: this installation has no command-line program: its wheel was built without it.
From the sources `make install` installs it; a wheel has it that is built with FLAGSTONE_CLI=build, which needs cargo, or
with FLAGSTONE_CLI=PATH, the path of the program.
"""
#: As a shell says that there is no such command, and that it cannot run it.
_NOT_FOUND, _NOT_RUN = 127, 126
#: What Python ignores from its start on, which the program would inherit.
_IGNORED = ("SIGPIPE", "SIGXFSZ")


def main() -> NoReturn:
    """This process is the program from here on: arguments, files, signals and the exit status are its own."""
    if not PROGRAM.is_file():
        sys.stderr.write(_MISSING)
        sys.exit(_NOT_FOUND)
    for name in _IGNORED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execv(PROGRAM, ["flagstone", *sys.argv[1:]])
    except OSError as error:
        sys.stderr.write(f"flagstone: {PROGRAM} cannot be run: {error.strerror}\n")
        sys.exit(_NOT_RUN)

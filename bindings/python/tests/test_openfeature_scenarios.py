"""Scenarios of OpenFeature's specification, with the numbers of its requirements, on the provider."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import PATIENCE

SCENARIOS = Path(__file__).parent / "scenarios"


def test_the_scenarios_of_the_specification_pass(tmp_path: Path) -> None:
    for module in ("openfeature", "behave"):
        pytest.importorskip(module, reason="what the scenarios need is not installed in this Python's test environment")
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "behave", "--no-color", "--format", "json", "--outfile", str(results)]
    command += ["--format", "progress", str(SCENARIOS)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
    assert ended.returncode == 0, ended.stdout
    elements = [element for feature in json.loads(results.read_text()) for element in feature["elements"]]
    outcomes = [element["status"] for element in elements if element["type"] == "scenario"]
    assert set(outcomes) == {"passed"} and len(outcomes) > 80, outcomes
    numbers = {tag for element in elements for tag in element.get("tags", [])}
    for part in "123456":
        assert any(tag.startswith(f"{part}.") for tag in numbers), f"nothing of section {part}"

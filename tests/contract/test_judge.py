"""The judge of the contract tests: whatever is not as expected fails the run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import judge

EXPECTED: dict[str, Any] = {
    "package": "Alpha",
    "harness": "2.41.0",
    "groups": {"alpha": 4, "beta": 1},
    "total": 6,
    "skipped": 3,
    "failed": 0,
    "left_out": {"gamma": "not yet", "alpha/one (x)": "not yet"},
    "not_offered": {"alpha/two": "never"},
}

GOOD = """sdk-test-harness v2.41.0
[alpha]
[alpha/one (x)]
  SKIPPED: alpha/one (x) (excluded by filter parameters)
[alpha/two]
  SKIPPED: alpha/two (test service does not have capability "c")
[alpha/three]
[beta]
[gamma]
  SKIPPED: gamma (excluded by filter parameters)

Test Summary: 6 total, 3 skipped, 3 ran
"""


def problems(log: str) -> list[str]:
    return list(judge.differences(EXPECTED, judge.Run(log)))


def test_a_run_as_expected_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "expected.json").write_text(json.dumps(EXPECTED))
    (tmp_path / "log").write_text(GOOD)
    files = [str(tmp_path / name) for name in ("expected.json", "log", "report.md")]
    assert judge.main(["judge", *files]) == 0
    report = (tmp_path / "report.md").read_text()
    assert capsys.readouterr().out == report
    assert "| alpha | 4 | 2 | 2 | 0 |" in report and "| all | 6 | 3 | 3 | 0 |" in report
    assert "| alpha/two | never |" in report
    (tmp_path / "log").write_text(GOOD.replace("[beta]", "[beta]\n  FAILED: beta"))
    assert judge.main(["judge", *files]) == 1
    assert "- failed: beta" in (tmp_path / "report.md").read_text()
    (tmp_path / "log").write_text("")
    assert judge.main(["judge", *files]) == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("v2.41.0", "v2.41.1", "of version 2.41.1"),
        ("Test Summary", "Panic", "did not come to its end"),
        ("[beta]", "[beta]\n  FAILED: beta", "failed: 1, expected 0"),
        ("[beta]", "[beta]\n  FAILED (non-critical): beta", "failed: beta"),
        ("6 total", "7 total", "total: 7, expected 6"),
        ("3 skipped", "4 skipped", "skipped: 4, expected 3"),
        ("[beta]\n", "", "names 5 tests"),
        ("[beta]\n", "[alpha/four]\n", "alpha: 5 tests, expected 4"),
        ("[beta]\n", "[delta]\n", "delta: 1 tests, expected 0"),
        ("SKIPPED: alpha/two", "SKIPPED: alpha/three", "left out unexpectedly: alpha/three"),
        ("SKIPPED: alpha/two", "SKIPPED: alpha/three", "not left out: alpha/two"),
    ],
)
def test_each_difference_is_told(old: str, new: str, problem: str) -> None:
    assert problems(GOOD) == []
    assert any(problem in found for found in problems(GOOD.replace(old, new)))


def test_names_are_left_out_literally() -> None:
    assert list(judge.options(EXPECTED)) == ["-skip", "^gamma$", "-skip", r"^alpha$/^one\ \(x\)$"]


@pytest.mark.parametrize("package", ["python", "dotnet"])
def test_what_is_expected_adds_up_and_nothing_may_fail(package: str) -> None:
    expected = json.loads((Path(judge.__file__).parent / f"expected-{package}.json").read_text())
    whole = {name for name in expected["left_out"] if "/" not in name}
    assert expected["total"] == sum(expected["groups"].values()) + len(whole)
    assert expected["skipped"] == len(expected["left_out"]) + len(expected["not_offered"])
    assert expected["failed"] == 0 and not whole & expected["groups"].keys()
    assert all(expected["left_out"].values()) and all(expected["not_offered"].values())


def test_what_the_documentation_calls_undeclared_is_declared_by_no_service() -> None:
    folder = Path(judge.__file__).parent
    page = (folder.parent.parent / "docs" / "conformance.md").read_text()
    undeclared, declared = page.split("## Capabilities that are not declared")[1].split("## Declared")
    services = "".join(path.read_text() for path in sorted(folder.glob("*/*")) if path.suffix in (".py", ".cs"))
    names = re.findall(r"^\| `([^`]+)` \|", undeclared, re.MULTILINE)
    names += re.findall(r"`([a-z0-9-]+)`", undeclared.split("These are for other kinds")[1])
    assert len(names) == 20
    assert not [name for name in names if f'"{name}"' in services]
    assert all(f'"{name}"' in services for name in re.findall(r"`(retry-conformance[^`]+)`", declared))

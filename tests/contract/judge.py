"""Judges a run of LaunchDarkly's contract tests: what was run must be what is expected, and nothing may have failed.

A capability that disappears takes its tests with it and leaves the rest green; so the numbers of tests and the name of each
one left out are written down in a file for each package, with the reason, and compared.

    python judge.py options EXPECTED            options for the harness, one a line
    python judge.py judge EXPECTED LOG REPORT   compares the harness's output with it and writes a report

The harness's output is read, and not its JUnit file, which has one entry for tests of the same name.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Run:
    """What the harness's output tells."""

    def __init__(self, log: str) -> None:
        self.started: list[str] = re.findall(r"^\[(.+)\]$", log, re.MULTILINE)
        self.skipped: list[str] = re.findall(r"^  SKIPPED: (.+?)(?: \([^()]*\))?$", log, re.MULTILINE)
        self.failed: list[str] = re.findall(r"^  FAILED(?: \(non-critical\))?: (.+)$", log, re.MULTILINE)
        self.versions: list[str] = re.findall(r"^sdk-test-harness v(\S+)$", log, re.MULTILINE)
        self.summary = re.search(r"^Test Summary: (\d+) total, (\d+) skipped, (\d+) ran$", log, re.MULTILINE)

    def table(self) -> dict[str, tuple[int, int, int]]:
        """Total, skipped and failed of each group."""
        total, skipped, failed = (Counter(map(_group, names)) for names in (self.started, self.skipped, self.failed))
        return {name: (total[name], skipped[name], failed[name]) for name in total}


def _group(name: str) -> str:
    return name.split("/")[0]


def options(expected: dict[str, Any]) -> Iterator[str]:
    """What makes the harness leave out what is left out by name."""
    for name in expected["left_out"]:
        yield from ("-skip", _pattern(name))


def _pattern(name: str) -> str:
    """The harness matches each part of a name with an expression of its own."""
    return "/".join(f"^{re.escape(part)}$" for part in name.split("/"))


def differences(expected: dict[str, Any], run: Run) -> Iterator[str]:
    """What is not as expected, in words; nothing at all when the run is good."""
    if run.versions != [expected["harness"]]:
        yield f"the harness is of version {', '.join(run.versions) or 'unknown'}, not {expected['harness']}"
    if not run.summary:
        yield "the harness did not come to its end"
        return
    found = {"total": int(run.summary[1]), "skipped": int(run.summary[2]), "failed": len(run.failed)}
    for name, number in found.items():
        if number != expected[name]:
            yield f"{name}: {number}, expected {expected[name]}"
    if (len(run.started), len(run.skipped)) != (found["total"], found["skipped"]):
        yield f"the output names {len(run.started)} tests and {len(run.skipped)} skipped ones, not as many as it counts"
    groups = {name: total for name, (total, _, _) in run.table().items() if name not in expected["left_out"]}
    for name in sorted(groups.keys() | expected["groups"].keys()):
        if groups.get(name) != expected["groups"].get(name):
            yield f"{name}: {groups.get(name, 0)} tests, expected {expected['groups'].get(name, 0)}"
    allowed = {*expected["left_out"], *expected["not_offered"]}
    for name in run.skipped:
        if name not in allowed:
            yield f"left out unexpectedly: {name}"
    for name in sorted(allowed - set(run.skipped)):
        yield f"not left out: {name}"
    for name in run.failed:
        yield f"failed: {name}"


def report(expected: dict[str, Any], run: Run, problems: list[str]) -> Iterator[str]:
    """The lines of the report."""
    yield f"# Contract tests: {'failed' if problems else 'passed'}"
    yield ""
    yield f"LaunchDarkly's SDK test harness v{expected['harness']} through the {expected['package']} package."
    yield ""
    for problem in problems:
        yield f"- {problem}"
    if problems:
        yield ""
    yield "| Group | Total | Skipped | Run | Failed |"
    yield "|---|---:|---:|---:|---:|"
    for name, numbers in run.table().items():
        yield _row(name, *numbers)
    yield _row("all", len(run.started), len(run.skipped), len(run.failed))
    yield ""
    yield "| Left out | Why |"
    yield "|---|---|"
    for name, reason in {**expected["left_out"], **expected["not_offered"]}.items():
        yield f"| {name} | {reason} |"


def _row(name: str, total: int, skipped: int, failed: int) -> str:
    return f"| {name} | {total} | {skipped} | {total - skipped} | {failed} |"


def main(arguments: list[str]) -> int:
    command, expected_file, *files = arguments
    expected = json.loads(Path(expected_file).read_text(encoding="utf-8"))
    if command == "options":
        print("\n".join(options(expected)))
        return 0
    log, written = files
    run = Run(Path(log).read_text(encoding="utf-8", errors="replace"))
    problems = list(differences(expected, run))
    text = "\n".join(report(expected, run, problems)) + "\n"
    Path(written).write_text(text, encoding="utf-8")
    print(text, end="")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Each line of the log is in the tables of the book, with its level, and each line of the tables is in the sources."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, ROOT, rows

LEVELS = {"INFO", "WARN", "ERROR", "DEBUG"}


def _words(cell: str) -> set[str]:
    return set(cell.replace(",", " ").replace("later", " ").split())


#: Line and levels, of both pages.
TABLES = [
    *((cells[0], _words(cells[1])) for cells in rows(DOCS / "troubleshooting.md", 4)),
    *((cells[0], _words(cells[1])) for cells in rows(DOCS / "credentials.md", 3) if _words(cells[1]) & LEVELS),
]


def _source(*folders: str) -> str:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.rs")))
    texts = (path.read_text().partition("#[cfg(test)]")[0] for path in paths if "tests" not in (*path.parts, path.stem))
    # A literal that goes on in the next line is one.
    return re.sub(r"\\\n\s*", "", "\n".join(texts))


SOURCE = _source("src")


def _parts(text: str) -> list[str]:
    """What stands between two things that differ."""
    return [part for part in (part.strip(" ;:,()`") for part in text.split("…")) if part]


def _logged() -> list[tuple[str, str]]:
    """Level and text of what is logged as it stands in the sources; of remarks about options the level is elsewhere."""
    literal = r'("(?:[^"\\]|\\.)*")'
    leveled = r"\b(?:Severity|Level)::(Info|Warn|Error),\s*(?:part\.name\(\),\s*)?(?:(?:format_args|&?format)!\(\s*)?"
    found = re.findall(leveled + literal, SOURCE)
    found += [("", text) for text in re.findall(r"\bremark =\s*(?:format!\(\s*)?" + literal, SOURCE)]
    return [(level.upper(), re.sub(r"\{[^}]*\}", "…", text.strip('"').replace('\\"', '"'))) for level, text in found]


def test_reasons_for_which_the_store_is_interrupted_are_in_the_sources() -> None:
    reasons = [cells[0] for cells in rows(DOCS / "troubleshooting.md", 3) if re.match(r"`[a-z]", cells[0])]
    assert len(reasons) > 5
    assert [part for reason in reasons for part in _parts(reason) if part not in SOURCE] == []
    unproven = re.findall(r'unproven = Some\("([^"]+)"', SOURCE) + re.findall(
        r'contested = Some\(Arc::from\("([^"]+)"', SOURCE
    )
    listed = " ".join(reasons)
    # What is over with the next connection needs no row.
    assert {reason for reason in unproven if reason not in listed} == {"the connection for reading was lost"}


@pytest.mark.parametrize(("line", "levels"), TABLES, ids=[line for line, _ in TABLES])
def test_a_line_of_the_tables_is_in_the_sources(line: str, levels: set[str]) -> None:
    assert line.startswith("`") and levels and levels <= LEVELS
    for part in _parts(line):
        assert part in SOURCE.replace('\\"', '"') or part in ("ms", "now", "s", "of", "is at"), f"{part!r} of {line}"


def test_what_is_logged_is_in_the_tables_with_its_level() -> None:
    logged = [(level, text) for level, text in _logged() if len(max(_parts(text), key=len, default="")) > 7]
    assert len(logged) > 60
    for level, text in logged:
        longest = max(_parts(text), key=len)
        told = [
            levels
            for line, levels in TABLES
            if longest in line or any(len(part) > 15 and part in longest for part in _parts(line))
        ]
        assert told, f"{level} {text}"
        # What differs decides where little else is said.
        assert not level or text.startswith("…; ") or level in set().union(*told), f"{level} {text}"

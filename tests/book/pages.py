"""The pages of the book, and what is in them: links, headings, tables, blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: Read on the forge, and not in the book.
BINDINGS = [ROOT / "bindings" / name / "README.md" for name in ("dotnet", "python")]
OTHERS = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *BINDINGS]
PAGES = sorted(DOCS.rglob("*.md"))

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.M | re.S)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, the line where it begins."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def is_run(self) -> bool:
        """Who is not run says so, and why, in the first line."""
        return not re.match(r"(#|//) not run: \S", self.text)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def prose(page: Path) -> str:
    """The text without its blocks of code."""
    return _FENCE.sub("", page.read_text())


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text()
    found = [Block(page, text[: match.start()].count("\n") + 1, match[2], match[3]) for match in _FENCE.finditer(text)]
    return [block for block in found if block.language in languages]


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in [*PAGES, *OTHERS] for block in blocks(page, *languages)]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Files and places that a page links to; other sites are left out."""
    for match in _LINK.finditer(prose(page)):
        if "://" not in match[1] and not match[1].startswith("mailto:"):
            target, _, place = match[1].partition("#")
            yield (page.parent / target).resolve() if target else page, place


def places(page: Path) -> set[str]:
    """The places of a page that can be linked to, as mdBook and forges name them."""
    text = prose(page)
    found = set(re.findall(r'<a (?:name|id)="([^"]+)"', text))
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


def rows(page: Path, columns: int) -> list[list[str]]:
    """The cells of all tables of so many columns, without headings."""
    found, lines = [], prose(page).splitlines()
    for number, line in enumerate(lines):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        is_heading = number + 1 < len(lines) and re.match(r"\|[-|]+\|$", lines[number + 1])
        if len(cells) == columns and not is_heading and not re.match(r"\|[-|]+\|$", line):
            found.append(cells)
    return found

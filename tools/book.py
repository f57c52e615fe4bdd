"""What the book in docs/ needs beside mdBook. Depends on the standard library of Python 3.9 alone.

tools/book.py options          prints docs/options.md, made of the tables in cbindgen.toml
tools/book.py preprocess       a preprocessor of mdBook: links to files outside docs/ become their text
tools/book.py check FOLDER     every link in the HTML of the folder leads somewhere
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

# Options

_OPTION = re.compile(r"^ \*   ([a-z0-9]+(?:[._][a-z0-9]+)*(?:\.[a-z0-9_]+)*) {2,}(\S.*)$")
_MORE = re.compile(r"^ \* {20,}(\S.*)$")

HEADING = """\
# Options

Every option of the library, by the name that C, C++ and Rust use. In Python it is a keyword of `Config` with `_` for `.`
(`redis_url`), in .NET a property of `FlagstoneOptions` in Pascal case (`RedisUrl`; times have a twin that is a `TimeSpan`).
This page is made of the header's text by `tools/book.py options`; a test keeps it true.

Times are milliseconds, from 1 to 86400000 (a day). An option that does not exist, a number out of range and a word that is
not listed are refused when they are set (`INVALID_ARGUMENT`), with a message that names the option; options that do not go
together when the client is made. Environment variables set no option; `http.proxy` and `redis.credentials=aws-iam` look at
some ([AWS](credentials.md#aws)).

| Option | Default | Is |
|---|---|---|
"""


def options() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every option, as the header lists them."""
    text = (ROOT / "cbindgen.toml").read_text()
    table = text[text.index(" * OPTIONS") : text.index(" * REDIS URL")]
    found: list[tuple[str, list[str]]] = []
    for line in table.splitlines():
        option, more = _OPTION.match(line), _MORE.match(line)
        if option and option[1] != "name":
            found.append((option[1], [option[2]]))
        elif more and found:
            found[-1][1].append(more[1])
    return [(name, *_default(lines)) for name, lines in found]


def _default(lines: list[str]) -> tuple[str, str]:
    default, _, first = re.sub(r"(?<=\S) {2,}", "\0", lines[0], count=1).partition("\0")
    return default, " ".join([first.strip(), *lines[1:]]).strip()


def options_page() -> str:
    def cell(text: str) -> str:
        text = text.replace("|", "\\|").replace("<", "&lt;")
        return re.sub(r"docs/([a-z0-9-]+\.md)", r"[\1](\1)", text)

    rows = [f"| `{name}` | {cell(default)} | {cell(meaning)} |\n" for name, default, meaning in options()]
    return HEADING + "".join(rows)


# mdBook

_FENCE = re.compile(r"^(```.*?^```)", re.M | re.S)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")


def outside_to_text(page: Path, text: str) -> str:
    """Links that leave the book become their text: what they lead to is in the sources and not in the book."""

    def link(match: re.Match[str]) -> str:
        target = match[2].partition("#")[0]
        if not target or "://" in target or target.startswith("mailto:"):
            return match[0]
        path = (page.parent / target).resolve()
        inside = DOCS in path.parents and (path.suffix in (".md", ".svg", ".yml") or "api" in path.relative_to(DOCS).parts)
        return match[0] if inside else match[1]

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def preprocess() -> None:
    if sys.argv[2:3] == ["supports"]:
        return
    _, book = json.load(sys.stdin)

    def walk(items: list[object]) -> None:
        for item in items:
            chapter = item.get("Chapter") if isinstance(item, dict) else None
            if chapter:
                if chapter["path"]:
                    chapter["content"] = outside_to_text(DOCS / chapter["path"], chapter["content"])
                walk(chapter["sub_items"])

    walk(book.get("items", book.get("sections")))
    json.dump(book, sys.stdout)


# Links


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("id", "name"):
                self.names.add(value)
            elif value and ((name == "href" and tag == "a") or (name == "src" and tag == "img")):
                self.links.append(value)


def broken(folder: Path) -> Iterator[str]:
    """Links of the book's own pages that lead nowhere; the pages of the API references are targets only."""
    pages: dict[Path, _Page] = {}

    def page(path: Path) -> _Page:
        if path not in pages:
            pages[path] = _Page(path.read_text(errors="replace"))
        return pages[path]

    own = [path for path in sorted(folder.rglob("*.html")) if "api" not in path.relative_to(folder).parts[:-1]]
    for path in own:
        if path.name in ("print.html", "404.html", "toc.html"):
            continue
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                yield f"{path.relative_to(folder)}: {link} leads nowhere"
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in page(target).names:
                yield f"{path.relative_to(folder)}: {link} names no place"


def main() -> int:
    if sys.argv[1:] == ["options"]:
        sys.stdout.write(options_page())
    elif sys.argv[1:2] == ["preprocess"]:
        preprocess()
    elif sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
        problems = list(broken(Path(sys.argv[2]).resolve()))
        print(*problems, sep="\n", end="\n" if problems else "")
        return 1 if problems else 0
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

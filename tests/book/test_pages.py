"""Links lead somewhere, everything that is named is there, and every page is in the book."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import book
import draw
from pages import DOCS, OTHERS, PAGES, ROOT, links, places, prose

EVERYTHING = [*PAGES, *OTHERS]


@pytest.mark.parametrize("page", EVERYTHING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        f"{target.relative_to(ROOT)}#{place}"
        for target, place in links(page)
        if not target.exists() or (place and target.suffix == ".md" and place not in places(target))
    ]
    assert not missing


def test_every_page_is_in_the_summary_once() -> None:
    listed = [target for target, _ in links(DOCS / "SUMMARY.md")]
    assert sorted(listed) == [page for page in PAGES if page.name != "SUMMARY.md"]


def test_targets_of_make_and_tests_that_are_named_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in EVERYTHING:
        text = page.read_text()
        for target in re.findall(r"(?:`|^    |sudo )make ([a-z][a-z-]+)", text, re.M):
            assert target in targets, f"{page}: make {target}"
        for name in re.findall(r"`((?:tests|src|tools|examples|docs|bindings)/[\w./-]+\.\w+)`", prose(page)):
            assert (ROOT / name).exists() or "/artifacts/" in name, f"{page}: {name}"


def test_pictures_are_what_their_source_draws() -> None:
    folder = DOCS / "pictures"
    assert {path.stem for path in folder.glob("*.svg")} == set(draw.PICTURES)
    for name, picture in draw.PICTURES.items():
        assert (folder / f"{name}.svg").read_text() == picture().svg(), "python3 docs/pictures/draw.py"


def test_links_out_of_the_book_become_text_and_others_stay() -> None:
    page = DOCS / "start" / "c.md"
    links = "[a](../../include/flagstone.h) [b](cpp.md#x) [c](https://example.org) [d](../nothing.md)"
    text = f"{links}\n```c\n[e](../../x)\n```\n"
    assert book.outside_to_text(page, text) == text.replace("[a](../../include/flagstone.h)", "a")


def test_a_link_that_leads_nowhere_in_the_made_book_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1><img src="no.svg">')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">1</a><a href="b.html#no">2</a><a href="c.html">3</a><a href="https://x">4</a>'
    )
    found = list(book.broken(tmp_path))
    assert found == ["a.html: b.html#no names no place", "a.html: c.html leads nowhere", "b.html: no.svg leads nowhere"]

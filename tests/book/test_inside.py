"""What the book says of the inside, of calls and of LaunchDarkly's contract tests is what the sources have."""

from __future__ import annotations

import json
import re

import pytest

from pages import DOCS, ROOT, rows

ARCHITECTURE = DOCS / "inside" / "architecture.md"


def test_each_folder_of_the_sources_and_each_part_of_the_store_has_its_row() -> None:
    listed = {folder for cells in rows(ARCHITECTURE, 3) for folder in re.findall(r"\[`src/(\w+)`\]", cells[0])}
    assert listed == {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    rooms = (ROOT / "tests" / "sources.rs").read_text().partition("const ROOMS")[2]
    parts = re.findall(r'^    \("(\w+)", &\[', rooms, re.M)
    table = [name for cells in rows(ARCHITECTURE, 2) for name in re.findall(r"^\[`(\w+)`\]", cells[0])]
    assert len(parts) > 4 and sorted(table) == sorted(parts)


def test_modules_that_never_see_each_other_are_those_of_the_test_of_the_sources() -> None:
    arrows = dict(re.findall(r'^    \("(\w+)", &\[(.*)\]\),$', (ROOT / "tests" / "sources.rs").read_text(), re.M))
    siblings = ["source", "store", "eval", "events", "big_segments"]
    assert all(f'"{other}"' not in arrows[name] for name in siblings for other in siblings)
    assert ", ".join(f"`{name}`" for name in siblings[:-1]) + " and `big_segments`" in ARCHITECTURE.read_text()


def test_keys_in_redis_are_those_of_the_sources() -> None:
    redis = ROOT / "src" / "store" / "redis"
    sources = (redis / "layout.rs").read_text() + (redis / "members.rs").read_text().partition("#[cfg(test)]")[0]
    made = {name.rstrip(":") for name in re.findall(r'format!\("\{prefix\}:([$\w]+:?)"\)', sources)}
    cells = " ".join(cells[0] for cells in rows(DOCS / "concepts" / "data-flow.md", 3))
    assert len(made) > 6 and set(re.findall(r"`<prefix>:([$\w]+)", cells)) == made


def test_each_call_for_coroutines_is_in_the_table() -> None:
    source = ROOT / "bindings" / "python" / "src" / "flagstone"
    text = (source / "_asyncio.py").read_text() + (source / "_segmenting.py").read_text()
    calls = set(re.findall(r"^    async def (?!_)(\w+)\(", text, re.M))
    table = " ".join(" ".join(cells) for cells in rows(DOCS / "howto" / "asyncio.md", 2))
    assert len(calls) > 12
    for call in calls:
        # Of the typed ones one stands for all.
        plain = re.sub(r"^(int|float|string|json)_variation$", "bool_variation", call.removesuffix("_async"))
        assert f"`{plain}`" in table, call


def test_what_the_contract_tests_judge_is_what_the_page_says() -> None:
    contract = ROOT / "tests" / "contract"
    page = DOCS / "conformance.md"
    text = re.sub(r"\s+", " ", page.read_text())
    for package in ("python", "dotnet"):
        expected = json.loads((contract / f"expected-{package}.json").read_text())
        assert sum(expected["groups"].values()) == expected["total"]
        assert expected["failed"] == 0 and not expected["left_out"]
        assert (
            f"Of {expected['total']} tests for each package none fails, and {expected['skipped']} tests or groups" in text
        )
        assert set(re.findall(r"v(2\.[0-9]+\.[0-9]+)", text)) == {expected["harness"]}
    python = set(re.findall(r'^    "([a-z0-9:-]+)",$', (contract / "python" / "service.py").read_text(), re.M))
    csharp = (contract / "dotnet" / "Service.cs").read_text().partition("s_capabilities =")[2].partition("];")[0]
    assert python == set(re.findall(r'"([a-z0-9:-]+)"', csharp)) and len(python) > 30
    undeclared = {cells[0].strip("`") for cells in rows(page, 3)}
    assert undeclared and not undeclared & python
    declared = set(re.findall(r"`(retry-conformance-[a-z0-9-]+)`", text))
    assert len(declared) == 2 and declared <= python


@pytest.mark.parametrize("page", ["add-an-operator", "add-an-option", "add-a-rung"])
def test_the_walk_throughs_lead_through_files(page: str) -> None:
    text = (DOCS / "inside" / f"{page}.md").read_text()
    # That they exist is what is tested of all links.
    assert len(set(re.findall(r"\]\((\.\./\.\./[^)]+)\)", text))) >= 10

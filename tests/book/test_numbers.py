"""Numbers and short tables in the text of the book are those of the sources. Limits and options have tests of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import book
from flagstone import Client, Config, Context
from pages import DOCS, ROOT, rows
from support import until

#: What a page says with a number, and the constant that it comes from. Bytes, and seconds, are as the constant has them.
NUMBERS = [
    ("how-it-stays-true.md", "only the first 512 kB are parsed at once", "AT_ONCE", "src/store/memory/judge.rs", 512 << 10),
    ("how-it-stays-true.md", "share 100 MB/s", "FLEET_BYTES_PER_SECOND", "src/store/worker/spread.rs", 100e6),
    ("how-it-stays-true.md", "15 s at most", "WIDEST", "src/store/worker/spread.rs", 15),
    ("how-it-stays-true.md", "four to five windows", "PATIENCE", "src/store/worker/spread.rs", (4.0, 5.0)),
    ("how-it-stays-true.md", "a sixteenth of the items", "LOOK_PART", "src/store/worker/looking.rs", 16),
    ("how-it-stays-true.md", "(at least 100)", "BATCH", "src/store/redis/reader.rs", 100),
    ("how-it-stays-true.md", "More than 1,000 items", "SCAN_ABOVE", "src/store/redis/reader.rs", 1000),
    ("how-it-stays-true.md", "one reply took more than a second", "LONG_REPLY", "src/store/redis/reader.rs", 1),
    ("how-it-stays-true.md", "a quarter of a second at most", "LONG_STEP", "src/store/redis/scan.rs", 0.25),
    ("how-it-stays-true.md", "within two seconds, the latest", "TORN_PATIENCE", "src/store/worker/following_all.rs", 2),
    ("how-it-stays-true.md", "more than three items", "FEW", "src/store/truth/loss.rs", 3),
    ("how-it-stays-true.md", "more than a tenth", "PART", "src/store/truth/loss.rs", 10),
    ("how-it-stays-true.md", "at least two seconds apart", "CALM", "src/store/truth/loss.rs", 2),
    ("how-it-stays-true.md", "the last eight items", "LATEST", "src/store/worker/leading.rs", 8),
    ("how-it-stays-true.md", "a data set below 1 MB", "SMALL_SET", "src/store/worker/leading.rs", 1 << 20),
    ("how-it-stays-true.md", "still missing after ten seconds", "MISSING_FOR", "src/store/worker/leading.rs", 10),
    ("how-it-stays-true.md", "pauses that grow to 15 seconds", "WRITE_PAUSES", "src/store/worker/agenda.rs", (0.5, 15)),
    ("how-it-stays-true.md", "has answered for a second", "PATIENCE", "src/client/keeper.rs", 1),
    ("events.md", "up to five payloads at a time", "MOST_SENDERS", "src/events/delivery.rs", 5),
    ("events.md", "sent once more after a second", "PAUSE", "src/events/courier.rs", 1),
    ("events.md", "events of 64 MB together", "MOST_BYTES", "src/events/inbox/room.rs", 64 << 20),
    ("fdv2.md", "an hour if it says nothing", "FORMER_FOR", "src/source/fdv2/mod.rs", 3600),
    ("files.md", "up to 32 MB", "LARGEST_TEXT", "src/source/file/yaml.rs", 32 << 20),
    ("files.md", "nested at most 127 levels", "DEEPEST", "src/source/file/yaml.rs", 127),
    ("files.md", "128 MB of JSON", "LARGEST_JSON", "src/source/file/yaml.rs", 128 << 20),
    ("files.md", "JSON files are read up to 1 GB", "LARGEST", "src/source/file.rs", 1 << 30),
    ("how-it-stays-true.md", "growing pauses, up to a minute", "PAUSES", "src/store/worker/healing.rs", (1, 60)),
]


@pytest.mark.parametrize(("page", "says", "name", "file", "value"), NUMBERS, ids=[fact[1] for fact in NUMBERS])
def test_numbers_in_the_text_are_those_of_the_constants(page: str, says: str, name: str, file: str, value: object) -> None:
    assert says in re.sub(r"\s+", " ", (DOCS / page).read_text())
    found = re.search(rf"const {name}: [^=]+ = ([^;]+);", (ROOT / file).read_text())
    assert found, f"{name} is not in {file}"
    plain = re.sub(r"Duration::from_secs\((\d+)\)", r"\1", found[1]).replace("_", "")
    plain = re.sub(r"Duration::frommillis\((\d+)\)", r"\1/1000", plain)
    assert re.fullmatch(r"[0-9a-fx<+*/.,() ]+", plain), plain
    assert eval(plain) == value


def test_defaults_of_fdv2_are_those_of_the_options() -> None:
    defaults = {name: default for name, default, _ in book.options() if name.startswith("fdv2.")}
    table = rows(DOCS / "fdv2.md", 3)
    assert {name.strip("`"): default.strip("`") for name, default, _ in table} == defaults


def test_cases_in_which_sdks_differ_are_as_many_as_the_page_says_and_each_has_its_rule() -> None:
    cases, rules = (
        [json.loads(line) for line in (ROOT / "tests" / "data" / f"evaluation-{name}.jsonl").read_text().splitlines()]
        for name in ("vectors", "expectations")
    )
    differ = {case["id"] for case in cases if not case["allAgree"]}
    assert {rule["id"] for rule in rules if rule["rule"]} == differ
    assert {sdk for case in cases for sdk in case["results"]} == {"all", "go", "rust", "python", "dotnet"}
    text = re.sub(r"\s+", " ", (DOCS / "evaluation.md").read_text())
    assert f"holds {len(cases)} cases" in text and f"In {len(differ)} of them" in text


def test_stages_of_a_migration_are_those_of_the_header() -> None:
    header = (ROOT / "src" / "ffi" / "migration.rs").read_text()
    stages = re.findall(r"^    /// `(\w+)`: read ([a-z ]+); write ([a-z ]+)\.$", header, re.M)
    assert len(stages) == 6
    assert [tuple(cell.strip("`") for cell in cells) for cells in rows(DOCS / "migrations.md", 3)] == stages


def test_each_status_of_big_segments_is_explained() -> None:
    header = (ROOT / "include" / "flagstone.h").read_text()
    statuses = set(re.findall(r"^  FLAGSTONE_BIG_SEGMENTS_([A-Z_]+) = ", header, re.M)) - {"NONE"}
    assert {cells[0].strip("`") for cells in rows(DOCS / "big-segments.md", 2)} == statuses


def _value_in_yaml(text: str, folder: Path) -> Any:
    """What a flag is worth that is written so in a file; the error where there is one."""
    path = folder / "flags.yaml"
    path.write_text(f"flagValues:\n  flag: {text}\n")
    client = Client(Config(source_kind="file", file_paths=[str(path)]))
    client.start(0)

    def error() -> str:
        source = client.status().source
        return f"error: {source.last_error.message}" if source and source.last_error else ""

    assert until(lambda: client.status().ready or bool(error()))
    value = error() or client.variation("flag", Context("u"), "no value", check_type=False)
    client.close()
    return value


#: What the samples of the table mean; text where there is none here.
IN_YAML: dict[str, Any] = {"true": True, "True": True, "TRUE": True, "false": False, "1": 1, "-2.50": -2.5, "1e3": 1000}
IN_YAML |= {
    "+1": 1,
    ".5": 0.5,
    "5.": 5,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "!!str 1": "1",
    ".inf": "error",
    ".nan": "error",
}


def test_scalars_in_yaml_mean_what_the_table_says(tmp_path: Path) -> None:
    wanted = ("booleans", "text", "numbers", "10, 15 and 31", "an error: JSON")
    told = [cells for cells in rows(DOCS / "files.md", 2) if cells[1].startswith(wanted) and cells[0].startswith("`")]
    samples = [sample for cells in told if "as a key" not in cells[0] for sample in re.findall(r"`([^`]+)`", cells[0])]
    assert len(samples) > 20 and set(IN_YAML) - {"!!str 1"} <= set(samples)
    for sample in [*samples, "!!str 1"]:
        value, expected = _value_in_yaml(sample, tmp_path), IN_YAML.get(sample, sample)
        if expected == "error":
            assert str(value).startswith("error: "), (sample, value)
        else:
            assert value == expected and isinstance(value, bool) == isinstance(expected, bool), (sample, value)

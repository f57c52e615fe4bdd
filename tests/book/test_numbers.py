"""Numbers in the text of the book are those of the constants that they come from. Limits have a table of their own."""

from __future__ import annotations

import re

import pytest

from pages import DOCS, ROOT

#: What a page says with a number, and the constant that it comes from. Bytes, and seconds, are as the constant has them.
NUMBERS = [
    ("how-it-stays-true.md", "only the first 512 kB are parsed at once", "AT_ONCE", "src/store/memory/judge.rs", 512 << 10),
    ("how-it-stays-true.md", "share 100 MB/s", "FLEET_BYTES_PER_SECOND", "src/store/worker/spread.rs", 100e6),
    ("how-it-stays-true.md", "15 s at most", "WIDEST", "src/store/worker/spread.rs", 15),
    ("how-it-stays-true.md", "four to five windows", "PATIENCE", "src/store/worker/spread.rs", (4.0, 5.0)),
    ("how-it-stays-true.md", "a sixteenth of the items", "LOOK_PART", "src/store/worker/looking.rs", 16),
    ("how-it-stays-true.md", "(at least 100)", "BATCH", "src/store/redis/reader.rs", 100),
    ("how-it-stays-true.md", "within two seconds, the latest", "TORN_PATIENCE", "src/store/worker/following_all.rs", 2),
    ("how-it-stays-true.md", "more than three items", "FEW", "src/store/truth/loss.rs", 3),
    ("how-it-stays-true.md", "more than a tenth", "PART", "src/store/truth/loss.rs", 10),
    ("how-it-stays-true.md", "at least two seconds apart", "CALM", "src/store/truth/loss.rs", 2),
    ("how-it-stays-true.md", "the last eight items", "LATEST", "src/store/worker/leading.rs", 8),
    ("how-it-stays-true.md", "a data set below 1 MB", "SMALL_SET", "src/store/worker/leading.rs", 1 << 20),
    ("how-it-stays-true.md", "still missing after ten seconds", "MISSING_FOR", "src/store/worker/leading.rs", 10),
    ("how-it-stays-true.md", "growing pauses, up to a minute", "PAUSES", "src/store/worker/healing.rs", (1, 60)),
]


@pytest.mark.parametrize(("page", "says", "name", "file", "value"), NUMBERS, ids=[fact[1] for fact in NUMBERS])
def test_numbers_in_the_text_are_those_of_the_constants(page: str, says: str, name: str, file: str, value: object) -> None:
    assert says in re.sub(r"\s+", " ", (DOCS / page).read_text())
    found = re.search(rf"const {name}: [^=]+ = ([^;]+);", (ROOT / file).read_text())
    assert found, f"{name} is not in {file}"
    plain = re.sub(r"Duration::from_secs\((\d+)\)", r"\1", found[1]).replace("_", "")
    assert re.fullmatch(r"[0-9a-fx<+*.,() ]+", plain), plain
    assert eval(plain) == value

"""One browser for all tests; each has a Redis and a viewer of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stage import Browser, Store, Viewer, missing


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if (name := missing()) is not None:
        assert os.environ.get("CI") != "true", f"missing: {name}"
        pytest.skip(f"missing: {name}")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    chromium.look(dark=False)
    chromium.driver.get("about:blank")
    chromium.complaints()
    return chromium


@pytest.fixture
def store(chromium: Browser, tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.stop()


@pytest.fixture
def viewer(store: Store) -> Iterator[Viewer]:
    viewer = Viewer("--url", store.url)
    yield viewer
    if viewer.process.poll() is None:
        viewer.end()

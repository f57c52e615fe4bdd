"""One browser for all tests; each has a Redis and a viewer of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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
def start_viewer(store: Store) -> Iterator[Callable[..., Viewer]]:
    """Starts one on the store, with more arguments and variables; none outlives its test, whatever became of that."""
    viewers: list[Viewer] = []

    def start(*arguments: str, **environment: str) -> Viewer:
        viewers.append(Viewer("--url", store.url, *arguments, **environment))
        return viewers[-1]

    yield start
    for viewer in viewers:
        viewer.kill()


@pytest.fixture
def viewer(start_viewer: Callable[..., Viewer]) -> Viewer:
    return start_viewer()

"""A Redis of the run's own, environments in it, small LaunchDarklys; also for the tests with other people's programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sink import Sink
from support import Environment, LaunchDarkly, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def environment(server: Server) -> Iterator[Environment]:
    environment = Environment(server)
    yield environment
    environment.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Environment]:
    """An environment in a Redis that the test may kill."""
    server = Server(tmp_path)
    environment = Environment(server)
    yield environment
    environment.close()
    server.stop()


@pytest.fixture
def launchdarkly(tmp_path: Path) -> Iterator[Callable[..., LaunchDarkly]]:
    """Starts a LaunchDarkly that has these flags, or these items; it ends with the test."""
    started: list[LaunchDarkly] = []

    def start(*flags: str, items: dict[str, dict[str, Any]] | None = None) -> LaunchDarkly:
        folder = tmp_path / f"launchdarkly-{len(started)}"
        folder.mkdir()
        started.append(LaunchDarkly(folder, *flags, items=items))
        return started[-1]

    yield start
    for fake in started:
        fake.kill()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Where events go."""
    sink = Sink()
    yield sink
    sink.close()

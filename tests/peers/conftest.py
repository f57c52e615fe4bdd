"""The demo data set, and LaunchDarkly's programs, each ended with the test that started it. The rest is what the tests of
the Python package have."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peers import Items, Relay, contexts_for, demo_items, relay_program
from support import Environment, LaunchDarkly

pytest_plugins = ["servers"]


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """LaunchDarkly's SDK warns of every evaluation that gives a default, and the demo data set has many."""
    logging.getLogger("ldclient").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def demo() -> Items:
    return demo_items()


@pytest.fixture(scope="session")
def contexts(demo: Items) -> list[dict[str, Any]]:
    return contexts_for(demo)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    """Starts a Relay Proxy and waits until it is connected; skips the test when there is no program."""
    program = relay_program()
    if program is None:
        pytest.skip("there is no Relay Proxy: ld-relay is not in PATH, and LD_RELAY is not set")
    started: list[Relay] = []

    def start(fake: LaunchDarkly, environment: Environment, events: str | None = None) -> Relay:
        started.append(Relay(program, tmp_path, fake, environment.server, environment.prefix, events))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.end()

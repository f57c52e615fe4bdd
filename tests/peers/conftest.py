"""The demo data set, and LaunchDarkly's programs, each ended with the test that started it. The rest is what the tests of
the Python package have."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peers import Items, contexts_for, demo_items
from relays import Relay, Sections, relay_program, streaming_relay
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
def configured_relay(tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    """Makes a Relay Proxy with this configuration, not yet started; skips the test when there is no program."""
    program = relay_program()
    if program is None:
        pytest.skip("there is no Relay Proxy: ld-relay is not in PATH, and LD_RELAY is not set")
    made: list[Relay] = []

    def make(sections: Sections, variables: dict[str, str] | None = None) -> Relay:
        made.append(Relay(program, tmp_path, sections, variables))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def relay(configured_relay: Callable[..., Relay]) -> Callable[..., Relay]:
    """Starts a Relay Proxy and waits until it is connected."""

    def start(fake: LaunchDarkly, environment: Environment, events: str | None = None) -> Relay:
        proxy = configured_relay(streaming_relay(fake, environment, events))
        proxy.start()
        return proxy

    return start

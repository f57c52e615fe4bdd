"""Several writers on one hash: two Flagstone clients, LaunchDarkly's streaming SDK or its Relay Proxy, and its Redis store;
each has its own view of how far the flags have come. No write may move a version backwards.

Redis itself tells the order of all writes (``MONITOR``), so not even a short step backwards goes unseen.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from ldclient.versioned_data_kind import FEATURES

from flagstone import Context
from peers import Items, peer_store, peer_streaming
from support import PATIENCE, Environment, LaunchDarkly, Server, until, value_flag

Start = Callable[..., LaunchDarkly]
Other = Callable[[LaunchDarkly], object]
KEYS = ("a", "b", "c")
VERSIONS = 150
#: For so many versions the same writer is ahead of the others.
STAGE = 10
#: Every so many versions a flag is deleted.
DELETED = 7
ADA = Context("ada")


class Watcher:
    """Every version of every flag that was written under a prefix, in the order of the writes."""

    def __init__(self, server: Server, prefix: str) -> None:
        self.written: list[tuple[str, int]] = []
        #: How many of these were made by a script, as Flagstone's are.
        self.by_script = 0
        self.resets = 0
        self._server, self._hash = server, f"{prefix}:features"

    @contextmanager
    def watching(self) -> Iterator[None]:
        redis: Any = self._server.redis
        ready = threading.Event()
        end = f"the end of {self._hash}"

        def body() -> None:
            with redis.monitor() as monitor:
                ready.set()
                for command in monitor.listen():
                    text = str(command["command"])
                    if end in text:
                        return
                    self._take(text, command["client_type"] == "lua")

        thread = threading.Thread(target=body)
        thread.start()
        assert ready.wait(PATIENCE)
        yield
        redis.echo(end)
        thread.join()

    def _take(self, command: str, by_script: bool) -> None:
        name, _, rest = command.partition(" ")
        hash_, _, rest = rest.partition(" ")
        if hash_ != self._hash:
            return
        if name.upper() in ("DEL", "UNLINK"):
            self.resets += 1
        if name.upper() == "HSET":
            key, _, item = rest.partition(" ")
            version = re.search(r'"version\W+(\d+)', item)
            assert version, command
            self.written.append((key, int(version[1])))
            self.by_script += by_script

    def steps_backwards(self) -> list[tuple[str, int, int]]:
        """Writes of a version that was not higher than the one before."""
        highest: dict[str, int] = {}
        found = []
        for key, version in self.written:
            if version <= highest.get(key, 0):
                found.append((key, highest[key], version))
            highest[key] = max(version, highest.get(key, 0))
        return found


def item(key: str, version: int) -> str:
    return value_flag(key, version, version)


def is_deleted(version: int) -> bool:
    return version % DELETED == 0


def feed(fake: LaunchDarkly) -> Callable[[str, int], None]:
    """A writer that is told by a LaunchDarkly."""

    def write(key: str, version: int) -> None:
        if is_deleted(version):
            fake.delete(key, version)
        else:
            fake.patch(item(key, version))

    return write


@pytest.fixture(params=["sdk", "relay"])
def other(request: pytest.FixtureRequest, environment: Environment) -> Iterator[Other]:
    """Starts a program of LaunchDarkly's that keeps in Redis what it is sent."""
    with ExitStack() as stack:
        if request.param == "relay":
            relay = request.getfixturevalue("relay")
            yield lambda fake: relay(fake, environment)
        else:
            yield lambda fake: stack.enter_context(peer_streaming(fake, environment.server, environment.prefix))


def test_writers_of_every_kind_at_once_never_move_a_version_backwards(
    environment: Environment, launchdarkly: Start, other: Other
) -> None:
    start: Items = {"flags": {key: json.loads(item(key, 1)) for key in KEYS}, "segments": {}}
    fakes = [launchdarkly(items=start) for _ in range(3)]
    watcher = Watcher(environment.server, environment.prefix)
    other(fakes[2])
    scripts = environment.server.calls("eval")
    ours = [environment.client(**environment.streaming(fake, refresh_interval_ms=200)) for fake in fakes[:2]]
    assert until(lambda: [environment.version(key) for key in KEYS] == [1, 1, 1])
    # Each compares everything under a lock, which it gives back by a script. From here on nobody has reason to write
    # everything, which would replace newer items by older ones.
    assert until(lambda: environment.server.calls("eval") >= scripts + len(ours))
    assert until(lambda: all(client.store_status.available for client in ours))
    store: Any = peer_store(environment.server, environment.prefix)

    def upsert(key: str, version: int) -> None:
        gone = {"key": key, "version": version, "deleted": True}
        store.upsert(FEATURES, gone if is_deleted(version) else json.loads(item(key, version)))

    writers = [*(feed(fake) for fake in fakes), upsert, upsert]
    together = threading.Barrier(len(writers))

    def work(write: Callable[[str, int], None], number: int) -> None:
        # Not everybody hears of every version; the last one reaches all. Each leads for a while.
        chance = random.Random(number)
        for version in range(2, VERSIONS + 1):
            if version % STAGE == 0:
                together.wait(4 * PATIENCE)
            for key in KEYS:
                if version == VERSIONS or chance.random() < 0.7:
                    write(key, version)
            leads = version // STAGE % len(writers) == number
            time.sleep(chance.random() * (0.005 if leads else 0.04))

    with watcher.watching():
        threads = [threading.Thread(target=work, args=(write, number)) for number, write in enumerate(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert until(lambda: [environment.version(key) for key in KEYS] == [VERSIONS] * len(KEYS))
        assert until(lambda: [client.variation("a", ADA, 0) for client in ours] == [VERSIONS] * len(ours))
    assert watcher.steps_backwards() == []
    assert watcher.resets == 0, "nobody wrote everything anew"
    assert len(watcher.written) > VERSIONS
    assert 20 < watcher.by_script < len(watcher.written) - 20, "both kinds of writer had their turns"


def test_the_watcher_sees_a_step_backwards_of_every_way_to_write(environment: Environment) -> None:
    watcher, redis = Watcher(environment.server, environment.prefix), environment.server.redis
    name = f"{environment.prefix}:features"
    store: Any = peer_store(environment.server, environment.prefix)
    with watcher.watching():
        store.upsert(FEATURES, json.loads(item("a", 5)))
        store.upsert(FEATURES, json.loads(item("a", 4)))
        assert watcher.steps_backwards() == []
        redis.hset(name, "a", item("a", 4))
        redis.eval("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])", 1, name, "a", json.dumps({"deleted": 1, "version": 3}))
        environment.write(a=item("a", 2))
        redis.delete(name)
    assert watcher.steps_backwards() == [("a", 5, 4), ("a", 5, 3), ("a", 5, 2)]
    assert watcher.resets == 1

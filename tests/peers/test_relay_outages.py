"""Random outages of LaunchDarkly, its Relay Proxy and Redis: in the end all clients serve what LaunchDarkly has. None ever
served what never was."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from flagstone import Client, Context, State
from relays import Relay
from support import FULL, PATIENCE, Environment, LaunchDarkly, until, value_flag

#: The pauses between connects of a stream grow with each of them.
ROUNDS = 12 if FULL else 6
KEYS = tuple(f"flag-{number}" for number in range(8))
ADA = Context("ada")
GONE = "gone"


class Stage:
    """LaunchDarkly, the Relay Proxy and Redis, each of which may be down; and what was ever said of each flag."""

    def __init__(self, seed: int, fake: LaunchDarkly, proxy: Relay, environment: Environment) -> None:
        self.chance = random.Random(seed)
        self.fake, self.proxy, self.environment = fake, proxy, environment
        self.version = 1
        self.current = dict.fromkeys(KEYS, "1")
        self.ever = {key: {"1"} for key in KEYS}
        self.relay_is_up = self.launchdarkly_is_up = True

    def edit(self) -> None:
        """A flag gets another version, is deleted, or comes back; a LaunchDarkly that is down says so later."""
        key = self.chance.choice(KEYS)
        self.version += 1
        self.current[key] = GONE if self.chance.random() < 0.3 else str(self.version)
        self.ever[key].add(self.current[key])
        if not self.launchdarkly_is_up:
            self.keep(key)
        elif self.current[key] == GONE:
            self.fake.delete(key, self.version)
        else:
            self.fake.patch(value_flag(key, self.version, self.current[key]))

    def keep(self, key: str) -> None:
        self.fake.items["flags"].pop(key, None)
        if self.current[key] != GONE:
            self.fake.items["flags"][key] = json.loads(value_flag(key, self.version, self.current[key]))

    def disturb(self) -> None:
        chosen = self.chance.choice(["relay", "redis", "empty", "freeze", "launchdarkly", "put"])
        server = self.environment.server
        if chosen == "relay" and self.relay_is_up:
            self.proxy.end()
            self.relay_is_up = False
        elif chosen == "redis":
            server.stop()
            self.edit()
            server.start()
        elif chosen == "empty":
            server.redis.flushall()
        elif chosen == "freeze":
            server.freeze()
            self.edit()
            server.thaw()
        elif chosen == "launchdarkly" and self.launchdarkly_is_up:
            self.fake.kill()
            self.launchdarkly_is_up = False
        elif chosen == "put" and self.launchdarkly_is_up:
            self.fake.put(self.fake.items)

    def settle(self) -> None:
        """Everything is there again; the Relay Proxy starts anew, for it need not have seen that Redis lost anything."""
        if not self.launchdarkly_is_up:
            self.fake.start()
            self.launchdarkly_is_up = True
        self.proxy.end()
        self.proxy.start()
        self.relay_is_up = True


def served(client: Client) -> dict[str, Any]:
    return {key: client.variation(key, ADA, GONE) for key in KEYS}


def serves_all(client: Client, values: dict[str, str]) -> bool:
    return served(client) == values


@pytest.mark.parametrize("seed", range(3))
def test_after_random_outages_around_the_relay_proxy_all_serve_what_launchdarkly_has(
    own: Environment, launchdarkly: Callable[..., LaunchDarkly], relay: Callable[..., Relay], seed: int
) -> None:
    start = {key: json.loads(value_flag(key, 1, "1")) for key in KEYS}
    fake = launchdarkly(items={"flags": start, "segments": {}})
    stage = Stage(seed, fake, relay(fake, own), own)
    quick: dict[str, Any] = {"redis_connect_timeout_ms": 1000, "redis_command_timeout_ms": 1000}
    clients = [
        own.client(**quick),
        own.client(cache_freshness="ttl", cache_ttl_ms=50, **quick),
        own.client(**own.streaming(fake, endpoints_relay=stage.proxy.url, store_write=bool(seed % 2))),
    ]
    for _ in range(ROUNDS):
        for _ in range(stage.chance.randint(1, 3)):
            stage.disturb()
            stage.edit()
            for client in clients:
                assert all(value in stage.ever[key] for key, value in served(client).items())
        stage.settle()
        for client in clients:
            assert until(partial(serves_all, client, stage.current)), (served(client), stage.current)
            assert client.wait(State.VALID, PATIENCE)
    for client in clients:
        assert (client.status().malformed, client.status().panics, client.status().wiped) == (0, 0, False)

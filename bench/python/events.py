"""What events cost from Python: time per call with events off and on, beside LaunchDarkly's Python SDK doing the same.

    events.py REDIS_URL PREFIX SINK_URL

Prints a table in Markdown. Both read the same flags, and send to the server at SINK_URL. Rounds of all rows are
interleaved; a cell is the median of the rounds. LaunchDarkly's SDK takes events in on a thread that is Python too and needs
the same lock: its rows last until that is done. Flagstone's are complete when the call returns; native threads write and
send what there is. Run by ``make bench``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import ldclient
import redis
from ldclient.config import Config as PeerConfig
from ldclient.feature_store import CacheConfig
from ldclient.integrations import Redis as PeerRedis
from timing import ROUNDS, measure

import flagstone

CALLS = 1_000
MOST = 10_000_000
ATTRIBUTES = {"email": "ada@example.org", "country": "se", "plan": "team", "age": 37, "beta": True}
PLAIN, TRACKED = "plain", "tracked"
ROWS = ("evaluation", "with reason", "a context seen for the first time", "a tracked flag", "`track`", "`identify`")


def fill(url: str, prefix: str) -> None:
    """A flag that is only counted, and one whose every evaluation is told."""
    flag = {"version": 1, "on": True, "variations": [True, False], "fallthrough": {"variation": 0}, "salt": "s"}
    store: Any = redis.Redis.from_url(url)
    for key, more in ((PLAIN, {}), (TRACKED, {"trackEvents": True})):
        store.hset(f"{prefix}:features", key, json.dumps({"key": key, **flag, **more}))
    store.set(f"{prefix}:$inited", "")


def rows(client: Any, context: Any, make: Callable[[str], Any], settle: Callable[[], Any]) -> dict[str, Callable[[], None]]:
    """The calls that both have by the same names."""
    variation, detail = client.variation, client.variation_detail
    # A context is new to its client once: there is one for each call of each round.
    fresh = [make(f"user-{number}") for number in range(ROUNDS * CALLS)]

    def evaluation() -> None:
        for _ in range(CALLS):
            variation(PLAIN, context, False)
        settle()

    def with_reason() -> None:
        for _ in range(CALLS):
            detail(PLAIN, context, False)
        settle()

    def first() -> None:
        for _ in range(CALLS):
            variation(PLAIN, fresh.pop(), False)
        settle()

    def tracked() -> None:
        for _ in range(CALLS):
            variation(TRACKED, context, False)
        settle()

    def track() -> None:
        for _ in range(CALLS):
            client.track("bought", context, None, 1.5)
        settle()

    def identify() -> None:
        for _ in range(CALLS):
            client.identify(context)
        settle()

    return dict(zip(ROWS, (evaluation, with_reason, first, tracked, track, identify)))


def our_client(url: str, prefix: str, sink: str, on: bool) -> flagstone.Client:
    config = flagstone.Config(
        redis_url=url,
        redis_prefix=prefix,
        sdk_key="sdk-key",
        endpoints_events=sink,
        events_enabled=on,
        events_capacity=MOST,
    )
    client = flagstone.Client(config)
    assert client.start(10)
    return client


def peer_client(url: str, prefix: str, sink: str, on: bool) -> Any:
    store = PeerRedis.new_feature_store(url=url, prefix=prefix, caching=CacheConfig(expiration=3600, capacity=10_000))
    config = PeerConfig(
        "sdk-key", feature_store=store, use_ldd=True, send_events=on, events_uri=sink, events_max_pending=MOST
    )
    return ldclient.LDClient(config, start_wait=5)


def settled(peer: Any) -> Callable[[], None]:
    """Waits until the SDK's thread has taken in what there is."""
    wait = getattr(peer._event_processor, "_wait_until_inactive", None)
    return lambda: wait() if wait else None


def peer_context(key: str) -> Any:
    builder = ldclient.Context.builder(key)
    for name, value in ATTRIBUTES.items():
        builder.set(name, value)
    return builder.build()


def our_context(key: str) -> flagstone.Context:
    return flagstone.Context(key, **ATTRIBUTES)


def main() -> None:
    logging.disable(logging.CRITICAL)
    url, prefix, sink = sys.argv[1:4]
    fill(url, prefix)
    measured: dict[str, Callable[[], None]] = {}
    clients: list[Any] = []
    for on in (False, True):
        client, peer = our_client(url, prefix, sink, on), peer_client(url, prefix, sink, on)
        clients += (client, peer)
        for name, run in rows(client, our_context("ada"), our_context, lambda: None).items():
            measured[f"ours {on} {name}"] = run
        for name, run in rows(peer, peer_context("ada"), peer_context, settled(peer)).items():
            measured[f"theirs {on} {name}"] = run
    times = measure(measured, CALLS)
    print("\n## Events from Python\n")
    print("A context of five attributes. Medians of interleaved rounds, nanoseconds per call.\n")
    print("| Call | Flagstone, events off | on | LaunchDarkly's Python SDK, events off | on | Ratio, events on |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ROWS:
        off, on = (times[f"ours {state} {name}"] for state in (False, True))
        peer_off, peer_on = (times[f"theirs {state} {name}"] for state in (False, True))
        print(f"| {name} | {off:.0f} | {on:.0f} | {peer_off:.0f} | {peer_on:.0f} | {peer_on / on:.1f}x |")
    for open_client in clients:
        with closing(open_client):
            pass


main()

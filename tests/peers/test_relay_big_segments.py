"""Big segments: the Relay Proxy keeps their members in Redis; Flagstone sees there what LaunchDarkly's SDK does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from ldclient import Context as PeerContext
from ldclient import LDClient
from ldclient.config import BigSegmentsConfig
from ldclient.config import Config as PeerConfig
from ldclient.integrations import Redis as PeerRedis

from bigsegments import BigSegments
from flagstone import Client, Context
from peers import peer_store
from relays import Relay, Sections, of_environment, of_launchdarkly, of_redis
from support import PATIENCE, SDK_KEY, Environment, until

SEGMENT = {"key": "vip", "version": 1, "unbounded": True, "generation": 7, "salt": "s"}
#: Its rule takes in whoever has the plan, unless a member is named.
RULED = {
    **SEGMENT,
    "key": "ruled",
    "rules": [{"id": "r", "clauses": [{"attribute": "plan", "op": "in", "values": ["team"]}]}],
}


def flag(key: str, segment: str) -> dict[str, object]:
    clause = {"attribute": "", "op": "segmentMatch", "values": [segment]}
    made = {"key": key, "version": 1, "on": True, "variations": ["in", "out"], "fallthrough": {"variation": 1}}
    return {**made, "rules": [{"id": "r", "variation": 0, "clauses": [clause]}], "offVariation": 1, "salt": "s"}


ITEMS = {
    "flags": {"is-vip": flag("is-vip", "vip"), "is-ruled": flag("is-ruled", "ruled")},
    "segments": {"vip": SEGMENT, "ruled": RULED},
}
USERS = ("ada", "bob", "eve")
Found = dict[str, tuple[Any, Any, "str | None"]]


@pytest.fixture
def source() -> Iterator[BigSegments]:
    source = BigSegments(ITEMS)
    yield source
    source.close()


def found(client: Client) -> Found:
    """For each user whether in the first segment, in the second, and how the store stands."""
    made: Found = {}
    for key in USERS:
        context = Context.from_dict({"kind": "user", "key": key, "plan": "team"})
        details = [client.variation_detail(name, context, "default") for name in ("is-vip", "is-ruled")]
        made[key] = (details[0].value, details[1].value, details[0].reason.big_segments_status)
    return made


def found_by_peer(environment: Environment) -> Found:
    """The same of LaunchDarkly's SDK, which looks for the first time."""
    server, prefix = environment.server, environment.prefix
    made: Found = {}
    segments = BigSegmentsConfig(store=PeerRedis.new_big_segment_store(url=server.url, prefix=prefix))
    store = peer_store(server, prefix)
    config = PeerConfig(SDK_KEY, feature_store=store, use_ldd=True, send_events=False, big_segments=segments)
    with closing(LDClient(config, start_wait=PATIENCE)) as peer:
        for key in USERS:
            context = PeerContext.from_dict({"kind": "user", "key": key, "plan": "team"})
            details = [peer.variation_detail(name, context, "default") for name in ("is-vip", "is-ruled")]
            made[key] = (details[0].value, details[1].value, details[0].reason.get("bigSegmentsStatus"))
    return made


def test_members_come_through_the_relay_proxy_and_a_change_of_them_is_told(
    environment: Environment, source: BigSegments, configured_relay: Callable[[Sections], Relay]
) -> None:
    source.patch("vip.g7", included_add=["ada", "bob"])
    source.patch("ruled.g7", excluded_add=["bob"])
    sections = {**of_launchdarkly(source.url), **of_redis(environment.server), **of_environment(environment)}
    proxy = configured_relay(sections)
    proxy.start()
    # What is remembered of a user lasts beyond the test: only the word of Redis can change it.
    client = environment.client(big_segments_cache_ms=3_600_000, big_segments_poll_interval_ms=100)

    def settles(**expected: tuple[str, str]) -> None:
        wanted = {key: (*values, "HEALTHY") for key, values in expected.items()}
        assert until(lambda: found(client) == wanted), found(client)
        assert found_by_peer(environment) == wanted

    settles(ada=("in", "in"), bob=("in", "out"), eve=("out", "in"))
    source.patch("vip.g7", included_remove=["ada"], included_add=["eve"])
    settles(ada=("out", "in"), bob=("in", "out"), eve=("in", "in"))
    source.patch("ruled.g7", excluded_remove=["bob"], included_add=["bob"])
    source.patch("vip.g6", included_remove=["bob"], included_add=["ada"])
    source.patch("vip.g7", excluded_add=["bob"])
    settles(ada=("out", "in"), bob=("in", "in"), eve=("in", "in"))
    # While it is away nothing changes; what it missed comes when it is back.
    proxy.end()
    source.patch("vip.g7", included_remove=["bob", "eve"])
    proxy.start()
    settles(ada=("out", "in"), bob=("out", "in"), eve=("out", "in"))
    status = client.status().big_segments
    assert status and status.available and not status.stale

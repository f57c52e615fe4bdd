"""LaunchDarkly's Relay Proxy: Flagstone reads the Redis that it fills, and streams from it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from flagstone import Client, Config, Context, State
from peers import Items, Results, of_flagstone, of_peer, peer_in_daemon_mode, without_quirks
from relays import Relay, Sections, of_environment, of_launchdarkly
from sink import Sink
from support import PATIENCE, SDK_KEY, Environment, LaunchDarkly, until, value_flag

Start = Callable[..., LaunchDarkly]
StartRelay = Callable[..., Relay]
Contexts = list[dict[str, Any]]
ADA = Context("ada")
FLAG = "checkout.new-payment-form"


def expected(environment: Environment, demo: Items, keys: list[str], contexts: Contexts) -> Results:
    """What LaunchDarkly's SDK makes of the data set as it is, without a Relay Proxy in between."""
    apart = Environment(environment.server)
    pipeline = apart.server.redis.pipeline(transaction=True)
    for part, name in (("flags", "features"), ("segments", "segments")):
        pipeline.hset(f"{apart.prefix}:{name}", mapping={key: json.dumps(item) for key, item in demo[part].items()})
    pipeline.set(f"{apart.prefix}:$inited", "")
    pipeline.execute()
    with peer_in_daemon_mode(apart.server, apart.prefix) as peer:
        return of_peer(peer, keys, contexts)


@pytest.mark.parametrize("mode", ["daemon", "connected"])
def test_values_and_reasons_of_the_demo_data_set_come_through_the_relay_proxy(
    environment: Environment, launchdarkly: Start, relay: StartRelay, demo: Items, contexts: Contexts, mode: str
) -> None:
    proxy = relay(launchdarkly(items=demo), environment)
    if mode == "daemon":
        client = environment.client()
    else:
        client = Client(Config(source_kind="stream", sdk_key=SDK_KEY, endpoints_relay=proxy.url, events_enabled=False))
        assert client.start(PATIENCE)
    keys = [*demo["flags"], "missing"]
    ours = of_flagstone(client, keys, contexts)
    assert without_quirks(expected(environment, demo, keys, contexts), ours) == ours
    status = client.status()
    assert (status.state, status.flags, status.malformed) == (State.VALID, len(demo["flags"]), 0)
    assert client.close(PATIENCE)


def serves(client: Client, key: str, value: Any) -> bool:
    return bool(client.variation(key, ADA, "gone") == value)


def change_everything(fake: LaunchDarkly, demo: Items, clients: list[Client]) -> None:
    """Patch, delete, a return from the dead, and a new data set, each seen by every client."""

    def everywhere(key: str, value: str) -> None:
        for client in clients:
            assert until(partial(serves, client, key, value)), (key, value)

    fake.patch(value_flag(FLAG, 1000, "patched"))
    everywhere(FLAG, "patched")
    fake.patch(value_flag("new", 1, "fresh"))
    everywhere("new", "fresh")
    fake.delete(FLAG, 1001)
    everywhere(FLAG, "gone")
    fake.patch(value_flag(FLAG, 1001, "too late"))
    fake.patch(value_flag("new", 2, "fresher"))
    everywhere("new", "fresher")
    everywhere(FLAG, "gone")
    fake.patch(value_flag(FLAG, 1002, "back"))
    everywhere(FLAG, "back")
    fake.put({"flags": {"only": json.loads(value_flag("only", 1, "here"))}, "segments": {}})
    everywhere("only", "here")
    everywhere(FLAG, "gone")
    fake.put(demo)
    everywhere("only", "gone")
    # What a client uses is read again first, everything else after it.
    assert until(lambda: [client.status().flags for client in clients] == [len(demo["flags"])] * len(clients))


def test_every_change_comes_through_the_relay_proxy(
    environment: Environment, launchdarkly: Start, relay: StartRelay, demo: Items, contexts: Contexts
) -> None:
    fake = launchdarkly(items=demo)
    proxy = relay(fake, environment)
    own = Environment(environment.server)
    connected = own.client(**own.streaming(fake, endpoints_relay=proxy.url))
    daemon, second = environment.client(), own.client()
    change_everything(fake, demo, [connected, daemon, second])
    keys = list(demo["flags"])
    ours = of_flagstone(daemon, keys, contexts)
    assert of_flagstone(connected, keys, contexts) == ours
    assert of_flagstone(second, keys, contexts) == ours
    assert until(lambda: own.server.redis.hlen(f"{own.prefix}:features") == len(demo["flags"]))
    assert all(client.wait(State.VALID, PATIENCE) for client in (connected, daemon, second))
    own.close()


def test_flagstone_and_the_relay_proxy_may_keep_the_same_hashes(
    environment: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    fake = launchdarkly(items={"flags": {"a": json.loads(value_flag("a", 1, "1"))}, "segments": {}})
    proxy = relay(fake, environment)
    writer = environment.client(**environment.streaming(fake, endpoints_relay=proxy.url))
    reader = environment.client()
    highest = 1
    for version in range(2, 60):
        fake.patch(value_flag("a", version, str(version)))
        stored = environment.version("a")
        assert stored and stored >= highest
        highest = stored
    for client in (writer, reader):
        assert until(partial(serves, client, "a", "59"))
    assert until(lambda: environment.version("a") == 59)


def test_the_relay_proxy_takes_events_and_sends_them_on(
    environment: Environment, launchdarkly: Start, relay: StartRelay, sink: Sink
) -> None:
    fake = launchdarkly(value_flag("a", 1, "one"))
    proxy = relay(fake, environment, sink.url)
    with Client(
        Config(source_kind="stream", **sink.options(endpoints_relay=proxy.url, endpoints_events=proxy.url))
    ) as client:
        assert client.variation("a", ADA, "") == "one"
        client.identify(ADA)
        client.track("bought", ADA, {"n": 1}, 2.5)
        assert client.flush(PATIENCE), "the Relay Proxy has it"
    sink.wait_for(lambda: len(sink.events()) == 4)
    assert sink.features() == {"a": ("", {'"one"': 1})}
    assert [(event["key"], event["data"], event["metricValue"]) for event in sink.events("custom")] == [
        ("bought", {"n": 1}, 2.5)
    ]


def test_while_the_relay_proxy_is_away_its_last_flags_stay_in_force(
    environment: Environment, launchdarkly: Start, relay: StartRelay, demo: Items
) -> None:
    fake = launchdarkly(items=demo)
    proxy = relay(fake, environment)
    daemon = environment.client()
    silent: dict[str, Any] = {"sdk_key": SDK_KEY, "events_enabled": False}
    connected = Client(Config(source_kind="stream", endpoints_relay=proxy.url, stream_initial_delay_ms=20, **silent))
    assert connected.start(PATIENCE)
    value = daemon.variation(FLAG, ADA, None)
    proxy.end()
    assert connected.wait(State.INTERRUPTED, PATIENCE)
    assert connected.variation(FLAG, ADA, None) == daemon.variation(FLAG, ADA, None) == value
    assert daemon.state is State.VALID, "Redis is there"
    late = Client(Config(source_kind="stream", endpoints_relay=proxy.url, **silent, **of(environment)))
    assert late.start(0.2) is False
    assert until(lambda: late.variation(FLAG, ADA, None) == value), "from what the Relay Proxy left in Redis"
    for client in (connected, late):
        client.close()


def test_polls_come_through_a_relay_proxy_that_takes_them_and_one_that_does_not_is_told(
    environment: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    fake = launchdarkly(value_flag("a", 1, "one"))
    proxy = relay(fake, environment)
    options: dict[str, Any] = {"poll_interval_ms": 20, "poll_allow_short": True, "store_write": False, **of(environment)}
    polling = Client(
        Config(source_kind="poll", sdk_key=SDK_KEY, endpoints_relay=proxy.url, events_enabled=False, **options)
    )
    try:
        if takes_polls(proxy):
            assert polling.start(PATIENCE)
            fake.patch(value_flag("a", 2, "two"))
            assert until(partial(serves, polling, "a", "two"))
        else:
            assert polling.start(0.2) is False
            assert until(lambda: polling.source_status is not None and polling.source_status.last_error is not None)
            status = polling.source_status
            assert status and status.last_error and status.last_error.http_status == 404
            assert until(partial(serves, polling, "a", "one")), "what the Relay Proxy left in Redis"
    finally:
        polling.close(PATIENCE)


def takes_polls(proxy: Relay) -> bool:
    """Whether it serves a whole data set at once: not all versions do."""
    request = urllib.request.Request(f"{proxy.url}/sdk/latest-all", headers={"Authorization": SDK_KEY})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return True
    except urllib.error.HTTPError as error:
        return error.code != 404


def test_a_payload_filter_is_passed_on_by_the_relay_proxy(
    environment: Environment, launchdarkly: Start, configured_relay: Callable[[Sections], Relay]
) -> None:
    fake = launchdarkly(value_flag("a", 1, "one"))
    sections = {**of_launchdarkly(fake.url), **of_environment(environment, projKey="project")}
    proxy = configured_relay({**sections, 'Filters "project"': {"keys": "backend"}})
    proxy.start()
    silent: dict[str, Any] = {"sdk_key": SDK_KEY, "events_enabled": False, "endpoints_relay": proxy.url}
    with (
        Client(Config(source_kind="stream", source_filter="backend", **silent)) as known,
        Client(Config(source_kind="stream", source_filter="other", **silent)) as unknown,
    ):
        assert known.start(PATIENCE) and serves(known, "a", "one")
        assert {request["query"] for request in fake.requests() if request["path"] == "/all"} == {"", "filter=backend"}
        assert unknown.start(0.2) is False
        assert until(lambda: unknown.source_status is not None and unknown.source_status.last_error is not None)
        status = unknown.source_status
        assert status and status.last_error and status.last_error.http_status == 404


def diagnostics(sink: Sink) -> list[Any]:
    received = [payload.content for payload in list(sink.received) if payload.path == "/diagnostic"]
    return [told for told in received if told["kind"] == "diagnostic-init"]


def test_the_relay_proxy_takes_the_events_and_diagnostics_of_a_client_in_daemon_mode(
    environment: Environment, launchdarkly: Start, relay: StartRelay, sink: Sink
) -> None:
    fake = launchdarkly(value_flag("a", 1, "one"))
    proxy = relay(fake, environment, sink.url)
    client = environment.client(**sink.options(endpoints_events=proxy.url, events_diagnostics=True))
    for _ in range(3):
        assert client.variation("a", ADA, "") == "one"
    assert client.flush(PATIENCE)
    sink.wait_for(lambda: len(sink.events("summary")) == 1)
    assert sink.features() == {"a": ("", {'"one"': 3})}
    # It tells of itself, too.
    sink.wait_for(lambda: any(told["configuration"].get("usingRelayDaemon") for told in diagnostics(sink)))
    assert client.status().events and client.status().last_error is None


def of(environment: Environment) -> dict[str, Any]:
    return {"redis_url": environment.server.url, "redis_prefix": environment.prefix}

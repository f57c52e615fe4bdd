"""LaunchDarkly's Relay Proxy and a Redis: each reads what the other wrote; restarts, and a Redis that was emptied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flagstone import Client, Config, Context, FlagChange, State, StatusChange
from peers import Items, of_flagstone, of_peer, peer_in_daemon_mode, without_quirks
from relays import Archive, Relay, of_environment, of_launchdarkly, of_redis
from support import PATIENCE, PROJECT, SDK_KEY, Environment, LaunchDarkly, until, value_flag

Start = Callable[..., LaunchDarkly]
StartRelay = Callable[..., Relay]
MakeRelay = Callable[..., Relay]
ADA = Context("ada")
FLAG = "checkout.new-payment-form"
HOUR = 3_600_000
#: Nothing but the word of Redis brings a change before the test is over.
TOLD: dict[str, Any] = {"refresh_interval_ms": HOUR}


def flags(**versions: int) -> Items:
    """Flags that serve their versions, as texts."""
    return {"flags": {key: json.loads(value_flag(key, version, str(version))) for key, version in versions.items()}}


def serves(client: Client, key: str, value: Any) -> bool:
    return bool(client.variation(key, ADA, "gone") == value)


def all_serve(clients: list[Client], **values: Any) -> None:
    for client in clients:
        for key, value in values.items():
            assert until(partial(serves, client, key, value)), (key, value)


def from_relay(proxy: Relay, sdk_key: str = SDK_KEY, **options: Any) -> Client:
    """A client that streams from the Relay Proxy, and has no Redis; not started."""
    return Client(Config(source_kind="stream", sdk_key=sdk_key, endpoints_relay=proxy.url, events_enabled=False, **options))


class Heard:
    """What a client told its listeners."""

    def __init__(self, client: Client) -> None:
        self.changes: list[FlagChange] = []
        self.states: list[StatusChange] = []
        client.add_flag_change_listener(self.changes.append)
        client.add_status_listener(self.states.append)


def test_redis_tells_of_what_the_relay_proxy_writes(
    environment: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    fake = launchdarkly(items=flags(a=1, b=1))
    relay(fake, environment)
    client = environment.client(**TOLD)
    for version in range(2, 30):
        fake.patch(value_flag("a", version, str(version)))
        all_serve([client], a=str(version), b="1")
    fake.delete("b", 2)
    all_serve([client], b="gone")
    fake.put(flags(c=1))
    all_serve([client], a="gone", c="1")
    status = client.status()
    assert (status.freshness, status.flags, status.malformed, status.wiped) == ("push", 1, 0, False)


def test_a_restart_of_the_relay_proxy_is_no_change_and_what_it_missed_is_told_once(
    environment: Environment, launchdarkly: Start, relay: StartRelay, demo: Items
) -> None:
    fake = launchdarkly(items=demo)
    proxy = relay(fake, environment)
    client = environment.client(**TOLD)
    heard = Heard(client)
    proxy.end()
    proxy.start()
    fake.patch(value_flag("marker", 1, "one"))
    all_serve([client], marker="one")
    proxy.end()
    fake.patch(value_flag("marker", 2, "two"))
    gone = next(key for key in demo["flags"] if key != FLAG)
    fake.delete(gone, 1000)
    proxy.start()
    all_serve([client], marker="two", **{gone: "gone"})
    assert until(lambda: client.status().flags == len(demo["flags"]))
    assert until(lambda: len(heard.changes) >= 3)
    told = [(change.key, change.new_version) for change in heard.changes if change.old_version != change.new_version]
    assert sorted(told) == sorted([("marker", 1), ("marker", 2), (gone, None)])
    assert {change.state for change in heard.states} <= {State.VALID}, "nobody was cut off, and nothing was wiped"


def test_a_relay_proxy_that_finds_redis_emptied_fills_it_again(
    own: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    fake = launchdarkly(items=flags(a=7, b=3))
    proxy = relay(fake, own)
    client = own.client(**TOLD)
    all_serve([client], a="7", b="3")
    proxy.end()
    own.server.redis.flushall()
    assert client.wait(State.INTERRUPTED, PATIENCE) and until(lambda: client.status().wiped)
    all_serve([client], a="7", b="3")
    # LaunchDarkly has the same flag in an older version by now, as after a backup was restored, and has lost the other.
    fake.put(flags(a=5, c=1))
    proxy.start()
    assert client.wait(State.VALID, PATIENCE)
    all_serve([client], a="5", b="gone", c="1")
    assert not client.status().wiped


def test_a_redis_that_is_restarted_empty_under_a_running_relay_proxy(
    own: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    fake = launchdarkly(items=flags(a=7))
    proxy = relay(fake, own)
    daemon = own.client(**TOLD)
    own.server.stop()
    assert daemon.wait(State.INTERRUPTED, PATIENCE)
    own.server.start()

    def is_filled() -> bool:
        # It need not have seen the outage: then the next data set fills Redis.
        fake.put(flags(a=7))
        return daemon.wait(State.VALID, 1) and not daemon.status().wiped

    assert until(is_filled)
    all_serve([daemon], a="7")
    fake.patch(value_flag("a", 8, "8"))
    all_serve([daemon], a="8")
    assert proxy.has_status("connected")


def test_a_client_that_streams_from_the_relay_proxy_fills_the_redis_that_lost_everything(
    own: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    fake = launchdarkly(items=flags(a=7, b=3))
    proxy = relay(fake, own)
    writer = own.client(**own.streaming(fake, endpoints_relay=proxy.url))
    daemon = own.client(**TOLD)
    own.server.redis.flushall()
    assert until(lambda: own.version("a") == 7 and own.version("b") == 3)
    assert until(lambda: daemon.state is State.VALID and not daemon.status().wiped)
    all_serve([writer, daemon], a="7", b="3")
    fake.patch(value_flag("a", 8, "8"))
    all_serve([writer, daemon], a="8")


def test_the_relay_proxy_serves_what_flagstone_wrote_while_launchdarkly_is_away(
    environment: Environment, launchdarkly: Start, configured_relay: MakeRelay, demo: Items, contexts: list[dict[str, Any]]
) -> None:
    fake = launchdarkly(items=demo)
    writer = environment.client(**environment.streaming(fake))
    fake.patch(value_flag("new", 1, "new"))
    fake.delete(FLAG, 1000)
    fake.patch(value_flag("last", 1, "one"))
    assert until(lambda: environment.version("last") == 1)
    fake.kill()
    away = {**of_launchdarkly(fake.url), **of_redis(environment.server), **of_environment(environment)}
    away["Main"] |= {"ignoreConnectionErrors": "true", "initTimeout": "1s"}
    proxy = configured_relay(away)
    proxy.start("disconnected")
    keys = [*demo["flags"], "new", "last", "missing"]
    with from_relay(proxy, stream_initial_delay_ms=20) as client:
        assert client.start(PATIENCE)
        ours = of_flagstone(client, keys, contexts)
        with peer_in_daemon_mode(environment.server, environment.prefix) as peer:
            assert without_quirks(of_peer(peer, keys, contexts), ours) == ours
        assert client.status().flags == writer.status().flags == len(demo["flags"]) + 1
        all_serve([writer, client], new="new", last="one", **{FLAG: "gone"})
        fake.start()
        assert until(lambda: proxy.has_status("connected"))
        fake.patch(value_flag("last", 2, "two"))
        all_serve([writer, client], last="two", new="new", **{FLAG: "gone"})


def test_neither_the_relay_proxy_nor_flagstone_takes_a_version_of_the_other_back(
    environment: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    """Both have a LaunchDarkly of their own, so that either can be behind."""
    first, second = (launchdarkly(items=flags(a=1, of_flagstone=1, of_relay=1)) for _ in range(2))
    relay(second, environment)
    writer = environment.client(**environment.streaming(first))
    reader = environment.client(**TOLD)
    # A client that has just started compares everything once.
    assert until(lambda: writer.store_status.available and writer.state is State.VALID)
    marks = {"of_flagstone": 1, "of_relay": 1}

    def say(who: LaunchDarkly, name: str, version: int, deleted: bool = False) -> None:
        """One of them hears of a version of ``a``; it has dealt with that when it has written what comes after it."""
        if deleted:
            who.delete("a", version)
        else:
            who.patch(value_flag("a", version, str(version)))
        marks[name] += 1
        who.patch(value_flag(name, marks[name], str(marks[name])))
        assert until(lambda: environment.version(name) == marks[name])

    say(first, "of_flagstone", 10)
    say(second, "of_relay", 5)
    assert environment.version("a") == 10
    say(second, "of_relay", 20)
    say(first, "of_flagstone", 15)
    assert environment.version("a") == 20
    all_serve([reader], a="20")
    say(first, "of_flagstone", 30, deleted=True)
    say(second, "of_relay", 25)
    assert environment.version("a") == 30
    all_serve([reader, writer], a="gone")
    say(second, "of_relay", 40)
    say(second, "of_relay", 50, deleted=True)
    say(first, "of_flagstone", 45)
    assert environment.version("a") == 50
    all_serve([reader], a="gone", of_relay=str(marks["of_relay"]))
    assert (reader.status().malformed, writer.status().malformed) == (0, 0)


def test_a_relay_proxy_that_starts_with_older_flags_is_made_up_for(
    environment: Environment, launchdarkly: Start, relay: StartRelay
) -> None:
    first, second = launchdarkly(items=flags(a=10, b=1)), launchdarkly(items=flags(a=5, more=1))
    writer = environment.client(**environment.streaming(first))
    reader = environment.client(**TOLD)
    all_serve([writer, reader], a="10", b="1", more="gone")
    heard = Heard(reader)
    # It puts its data set in the place of what is there, whatever the versions.
    relay(second, environment)
    assert until(lambda: any(change.key == "more" for change in heard.changes))
    all_serve([writer, reader], a="10", b="1", more="gone")
    assert (environment.version("a"), environment.version("b"), environment.version("more")) == (10, 1, None)


def test_the_relay_proxy_and_flagstone_mean_the_same_prefix_where_none_is_named(
    own: Environment, launchdarkly: Start, configured_relay: MakeRelay
) -> None:
    fake = launchdarkly(items=flags(a=1))
    proxy = configured_relay(
        {**of_launchdarkly(fake.url), **of_redis(own.server), 'Environment "test"': {"sdkKey": SDK_KEY}}
    )
    proxy.start()
    with Client(Config(redis_url=own.server.url)) as client:
        assert client.start(PATIENCE)
        all_serve([client], a="1")


def test_the_relay_proxy_of_the_example_fills_the_prefix_that_its_services_read(
    own: Environment, launchdarkly: Start, configured_relay: MakeRelay
) -> None:
    text = (PROJECT / "examples" / "compose" / "compose.yaml").read_text()
    services = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", text, re.MULTILINE))
    variables = dict(re.findall(r'^      (\w+): "?([^"\n]+)"?$', services["relay"], re.MULTILINE))
    assert variables["LD_ENV_shop"].startswith("${LD_SDK_KEY:?")
    variables |= {"LD_ENV_shop": SDK_KEY, "REDIS_URL": variables["REDIS_URL"].replace("redis://redis:6379", own.server.url)}
    fake = launchdarkly(items=flags(a=1))
    configured_relay(of_launchdarkly(fake.url), variables).start()
    for name, variable in (("python", "REDIS_PREFIX"), ("dotnet", "Flagstone__Redis__Prefix")):
        prefix = re.search(rf"^      {variable}: (.*)$", services[name], re.MULTILINE)
        assert prefix, name
        all_serve([own.client(redis_prefix=prefix[1])], a="1")
    assert f"{own.server.url}, shop," in services["cpp"].replace("redis://redis:6379", own.server.url).replace('"', "")


def test_environments_of_a_relay_proxy_in_offline_mode_have_a_prefix_each(
    environment: Environment, configured_relay: MakeRelay, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "archive.tar.gz")
    archive.write({"blue": flags(a=1, only=1), "green": flags(a=2)})
    prefix = f"{environment.prefix}-$CID"
    offline = {
        "fileDataSource": archive.path,
        "fileDataSourceMonitoringInterval": "100ms",
        "envDatastorePrefix": prefix,
    }
    proxy = configured_relay({**of_redis(environment.server), "OfflineMode": offline})
    proxy.start()
    names = ("blue", "green")
    readers = [environment.client(redis_prefix=prefix.replace("$CID", name), **TOLD) for name in names]
    streaming = [from_relay(proxy, f"key-{name}") for name in names]
    try:
        assert all(client.start(PATIENCE) for client in streaming)
        for blue, green in (readers, streaming):
            all_serve([blue], a="1", only="1")
            all_serve([green], a="2", only="gone")
        archive.write({"blue": flags(a=3), "green": flags(a=2, only=4)})
        for blue, green in (readers, streaming):
            all_serve([blue], a="3", only="gone")
            all_serve([green], a="2", only="4")
        # Not all versions name the environment.
        assert all(client.status().environment_id in (None, name) for name, client in zip(names, streaming))
    finally:
        for client in streaming:
            client.close(PATIENCE)

"""Connected mode end to end: a small LaunchDarkly and a real Redis, killed, refusing and started again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest

from flagstone import (
    Client,
    ClosedError,
    Config,
    Context,
    ErrorKind,
    SourceError,
    SourceErrorKind,
    SourceStatus,
    State,
    StatusChange,
    StoreStatus,
)
from support import PATIENCE, SDK_KEY, Environment, LaunchDarkly, bool_flag, free_port, until, value_flag

ADA = Context("ada")
Start = Callable[..., LaunchDarkly]


def serves(client: Client, key: str, value: str) -> bool:
    return until(lambda: client.variation(key, ADA, "") == value)


def last_error(client: Client) -> SourceError | None:
    """What went wrong last with the source; the failure may come a moment after what it leads to."""
    source = client.source_status
    return source.last_error if source else None


def two() -> tuple[str, str]:
    return value_flag("a", 1, "one"), value_flag("b", 1, "one")


def test_a_stream_feeds_memory_and_redis_and_every_reader_of_it(environment: Environment, launchdarkly: Start) -> None:
    fake = launchdarkly(*two())
    client = environment.client(**environment.streaming(fake))
    assert client.variation("a", ADA, "") == "one"
    assert until(lambda: environment.version("a") == 1)
    reader = environment.client()
    assert reader.variation("a", ADA, "") == "one"
    fake.patch(value_flag("a", 2, "two"))
    assert serves(client, "a", "two")
    assert serves(reader, "a", "two")
    fake.delete("b", 5)
    assert serves(client, "b", "")
    assert serves(reader, "b", "")
    assert environment.version("b") == 5
    fake.put({"flags": {"c": json.loads(value_flag("c", 1, "new"))}})
    assert serves(client, "c", "new")
    assert serves(reader, "c", "new")
    assert client.variation("a", ADA, "gone") == "gone"


@pytest.mark.parametrize("residency", ["all", "lazy", "off"])
def test_while_launchdarkly_is_away_at_the_start_the_last_known_flags_come_from_redis(
    environment: Environment, launchdarkly: Start, residency: str
) -> None:
    fake = launchdarkly(*two())
    options = environment.streaming(fake, cache_residency=residency)
    first = environment.client(**options)
    assert until(lambda: environment.version("a") == 1)
    first.close()
    fake.kill()
    client = Client(environment.config(**options))
    assert client.start(0.3) is False
    assert not client.is_ready
    assert serves(client, "a", "one")
    assert client.variation_detail("a", ADA, "").is_stale, "nobody vouches for it"
    assert until(lambda: last_error(client) is not None)
    source = client.source_status
    assert source and source.last_error
    assert (source.state, source.last_error.kind) == (State.INIT, SourceErrorKind.NETWORK_ERROR)
    assert until(lambda: client.store_status.available)
    fake.items["flags"]["a"] = json.loads(value_flag("a", 2, "two"))
    fake.start()
    assert client.start(PATIENCE) is True
    assert serves(client, "a", "two")
    assert until(lambda: environment.version("a") == 2)
    assert until(lambda: not client.variation_detail("a", ADA, "").is_stale)
    client.close()


def test_a_patch_made_while_redis_is_away_is_served_at_once_and_written_afterwards(
    own: Environment, launchdarkly: Start
) -> None:
    fake = launchdarkly(*two())
    client = own.client(**own.streaming(fake))
    assert until(lambda: own.version("a") == 1)
    heard: list[StatusChange] = []
    client.add_status_listener(heard.append)
    own.server.redis.save()
    own.server.stop()
    fake.patch(value_flag("a", 2, "two"))
    fake.patch(value_flag("c", 1, "new"))
    assert serves(client, "a", "two")
    assert serves(client, "c", "new")
    assert until(lambda: not client.store_status.available)
    assert client.state is State.VALID, "the data source is up to date"
    assert not client.variation_detail("a", ADA, "").is_stale
    own.server.start()
    assert until(lambda: (own.version("a"), own.version("c")) == (2, 1))
    assert until(lambda: client.store_status.available)
    assert until(lambda: [change.store.available for change in heard][-1:] == [True])
    assert False in [change.store.available for change in heard]
    # What was queued before the source had delivered may come late.
    later = list(dropwhile(lambda change: change.state is State.INIT, heard))
    assert all(change.source and change.source.state is State.VALID for change in later)


def test_what_was_patched_just_before_the_end_is_written(own: Environment, launchdarkly: Start) -> None:
    fake = launchdarkly(*two())
    times: list[float] = []
    for round_ in range(2, 12):
        client = Client(own.config(**own.streaming(fake)))
        assert client.start(PATIENCE)
        fake.patch(value_flag("b", round_, "x"))
        assert until(lambda: own.version("b") == round_), "it has found Redis"  # noqa: B023
        fake.patch(value_flag("a", round_, str(round_)))
        assert serves(client, "a", str(round_))
        began = time.monotonic()
        assert client.close(PATIENCE)
        times.append(time.monotonic() - began)
        assert own.version("a") == round_
    # Most of them: a busy machine makes single ones late.
    assert sorted(times)[7] < 2, times


def test_closing_takes_no_longer_than_it_may_while_redis_hangs_and_a_listener_is_busy(
    own: Environment, launchdarkly: Start
) -> None:
    fake = launchdarkly(*two())
    patient = {"redis_command_timeout_ms": 120_000, "redis_connect_timeout_ms": 120_000, "redis_ping_ms": 120_000}
    client = own.client(**own.streaming(fake, **patient))
    assert until(lambda: own.version("a") == 1)
    heard, release = threading.Event(), threading.Event()

    def blocks(_: object) -> None:
        heard.set()
        release.wait(4 * PATIENCE)

    client.add_flag_change_listener(blocks)
    own.server.freeze()
    try:
        fake.patch(value_flag("a", 2, "two"))
        assert heard.wait(PATIENCE)
        began = time.monotonic()
        assert client.close(12) is False, "a thread waits for Redis"
        # Each of the two waits could take it all: far from once, and from twice, the time.
        assert time.monotonic() - began < 19
        began = time.monotonic()
        assert client.close(0) is False
        assert time.monotonic() - began < 10
    finally:
        release.set()
        own.server.thaw()
    assert client.variation("a", ADA, "") == "two"


def test_a_wait_ends_also_while_a_listener_keeps_the_thread_of_the_client(
    environment: Environment, launchdarkly: Start
) -> None:
    fake = launchdarkly(*two())
    client = Client(environment.config(**environment.streaming(fake)))
    heard, release = threading.Event(), threading.Event()

    def blocks(_: object) -> None:
        heard.set()
        release.wait(4 * PATIENCE)

    client.add_status_listener(blocks)
    try:
        assert client.start(PATIENCE) and heard.wait(PATIENCE)
        fake.kill()
        assert client.wait(State.INTERRUPTED, PATIENCE)
        began = time.monotonic()
        client.close(1)
        client.close(1)
        assert time.monotonic() - began < PATIENCE
    finally:
        release.set()


def test_a_refused_sdk_key_is_told_at_once_and_the_last_known_flags_answer(
    environment: Environment, launchdarkly: Start
) -> None:
    environment.write(a=value_flag("a", 1, "known"))
    fake = launchdarkly(*two())
    client = Client(environment.config(**environment.streaming(fake, sdk_key="wrong", retry_mode="legacy")))
    heard: list[StatusChange] = []
    client.add_status_listener(heard.append)
    began = time.monotonic()
    assert client.start(2 * PATIENCE) is False
    assert client.state is State.OFF
    assert client.start(2 * PATIENCE) is False, "and again"
    assert time.monotonic() - began < PATIENCE
    source = client.source_status
    assert source and source.state is State.OFF and source.last_error
    error = source.last_error
    assert (error.kind, error.http_status) == (SourceErrorKind.ERROR_RESPONSE, 401)
    assert abs(error.unix_ms - time.time() * 1000) < 60_000 > abs(source.since_ms - time.time() * 1000)
    assert serves(client, "a", "known")
    assert until(lambda: any(change.state is State.OFF and change.source == source for change in heard))
    began = time.monotonic()
    assert not client.wait(State.VALID, 2 * PATIENCE), "not waited for: off is for good"
    assert time.monotonic() - began < PATIENCE
    assert client.status().source == source
    client.close()


def test_a_listener_hears_the_condition_of_source_and_store(own: Environment, launchdarkly: Start) -> None:
    fake = launchdarkly(*two())
    client = Client(own.config(**own.streaming(fake)))
    heard: list[StatusChange] = []
    client.add_status_listener(heard.append)
    assert client.start(PATIENCE)
    assert until(lambda: any(change.state is State.VALID for change in heard))
    fake.kill()
    assert client.wait(State.INTERRUPTED, PATIENCE)
    assert until(lambda: heard[-1].state is State.INTERRUPTED)
    source = heard[-1].source
    assert source and source.last_error and source.state is State.INTERRUPTED
    assert source.last_error.kind is SourceErrorKind.NETWORK_ERROR
    assert source.last_error.message and source.last_error.http_status is None
    fake.start()
    assert client.wait(State.VALID, PATIENCE)
    assert until(lambda: heard[-1].state is State.VALID)
    after = heard[-1].source
    assert after and after.last_error, "the latest failure is remembered"
    assert after.since_ms >= source.since_ms
    assert client.source_status == after
    client.close()
    for call in (lambda: client.source_status, lambda: client.store_status):
        with pytest.raises(ClosedError):
            call()


def test_in_daemon_mode_there_is_no_source(own: Environment) -> None:
    own.write(a=bool_flag("a", 1, True))
    heard: list[StatusChange] = []
    client = Client(own.config())
    client.add_status_listener(heard.append)
    assert client.start(PATIENCE)
    assert client.source_status is None
    assert until(lambda: client.store_status == StoreStatus(available=True, stale_since_ms=None))
    assert client.status().source is None
    own.server.stop()
    assert client.wait(State.INTERRUPTED, PATIENCE)
    assert until(lambda: not client.store_status.available)
    since = client.store_status.stale_since_ms
    assert since and abs(since - time.time() * 1000) < 60_000
    assert until(
        lambda: [(change.state, change.store) for change in heard][-1:] == [(State.INTERRUPTED, client.store_status)]
    )
    assert heard[-1].source is None
    own.server.start()
    client.close()


def test_polling_sees_changes_and_asks_with_everything_that_was_configured(launchdarkly: Start) -> None:
    fake = launchdarkly(*two())
    config = Config(
        source_kind="poll",
        sdk_key=SDK_KEY,
        endpoints_poll=fake.url,
        endpoints_stream="http://127.0.0.1:1",
        poll_interval_ms=50,
        poll_allow_short=True,
        source_filter="mobile",
        http_headers={"X-Team": "red", "X-Other": "1"},
        application_id="shop",
        application_version="7.1",
        wrapper_name="Wrap",
        wrapper_version="2",
        events_enabled=False,
    )
    with Client(config) as client:
        assert client.variation("a", ADA, "") == "one"
        fake.patch(value_flag("a", 2, "two"))
        assert serves(client, "a", "two")
        assert client.store_status == StoreStatus(available=True, stale_since_ms=None), "memory is all there is"
    request = fake.requests()[0]
    assert (request["path"], request["query"]) == ("/sdk/latest-all", "filter=mobile")
    headers = request["headers"]
    assert (headers["authorization"], headers["x-team"], headers["x-other"]) == (SDK_KEY, "red", "1")
    assert headers["x-launchdarkly-tags"] == "application-id/shop application-version/7.1"
    assert headers["x-launchdarkly-wrapper"] == "Wrap/2"


def test_flags_come_from_files_and_again_when_these_change(tmp_path: Path) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_text(json.dumps({"flagValues": {"a": "one", "n": 3}}))
    other.write_text(json.dumps({"flags": {"b": json.loads(bool_flag("b", 1, True))}, "flagValues": {"a": "second"}}))
    refused = Client(Config(source_kind="file", file_paths=[one, other]))
    assert refused.start(0.5) is False, "a is in both"
    assert until(lambda: last_error(refused) is not None)
    error = last_error(refused)
    assert error and error.kind is SourceErrorKind.INVALID_DATA
    refused.close()
    config = Config(source_kind="file", file_paths=[one, str(other)], file_duplicates="first", file_auto_reload=True)
    with Client(config) as client:
        values = [client.variation(key, ADA, None) for key in ("a", "b", "n")]
        assert values == ["one", True, 3]
        fresh = tmp_path / "fresh"
        fresh.write_text(json.dumps({"flagValues": {"a": "changed"}}))
        fresh.replace(one)
        assert serves(client, "a", "changed")
        assert client.variation("n", ADA, 0) == 0
        one.write_text("{oops")
        assert client.wait(State.INTERRUPTED, PATIENCE)
        assert client.variation("a", ADA, "") == "changed"


def test_when_nothing_answers_at_the_start_the_snapshot_file_does(launchdarkly: Start, tmp_path: Path) -> None:
    fake, path = launchdarkly(*two()), tmp_path / "snapshot"
    options: dict[str, Any] = {"source_kind": "stream", "sdk_key": SDK_KEY, "endpoints_relay": fake.url}
    options["events_enabled"] = False
    with Client(Config(**options, snapshot_file=path)):
        assert until(path.exists)
    fake.kill()
    client = Client(Config(**options, snapshot_file=path, redis_url=f"redis://127.0.0.1:{free_port()}"))
    assert client.start(0.2) is False
    assert serves(client, "a", "one")
    assert client.status().from_file
    client.close()


def test_offline_nothing_is_asked_and_every_evaluation_gives_its_default(launchdarkly: Start) -> None:
    fake = launchdarkly(*two())
    config = Config(offline=True, source_kind="stream", sdk_key=SDK_KEY, endpoints_relay=fake.url)
    with Client(config) as client:
        detail = client.variation_detail("a", ADA, "default")
        assert (detail.value, detail.reason.error_kind) == ("default", ErrorKind.CLIENT_NOT_READY)
        assert client.start(0) and client.is_ready and client.status().ready
        assert not fake.requests()


def test_threads_evaluate_while_flags_stream_in(environment: Environment, launchdarkly: Start) -> None:
    fake = launchdarkly(value_flag("a", 1, 1))
    client = environment.client(**environment.streaming(fake))
    flag, stop, problems = client.flag("a", 0), threading.Event(), []

    def body() -> None:
        last = 0
        while not stop.is_set():
            seen = flag.value(ADA)
            if seen < last:
                problems.append((last, seen))
            last = seen

    threads = [threading.Thread(target=body) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(2, 200):
        fake.patch(value_flag("a", version, version))
    assert until(lambda: flag.value(ADA) == 199, 2 * PATIENCE)
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == [], "no value came back"
    assert until(lambda: environment.version("a") == 199)


def test_a_source_status_is_equal_to_another_one_of_the_same_condition() -> None:
    assert SourceStatus(State.VALID, 1, None) == SourceStatus(State.VALID, 1, None)

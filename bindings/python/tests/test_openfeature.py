"""The OpenFeature provider as a program uses it: through OpenFeature's client, on flags of a test and of a real Redis."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

pytest.importorskip("openfeature", reason="the extra openfeature is not installed")

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from flagstone import Client, Config, Context, SourceErrorKind, State, TestData, _lib
from flagstone.openfeature import FlagstoneProvider, context_of
from flagstone.openfeature._initial import FirstWord
from sink import Sink
from support import PATIENCE, Environment, bool_flag, until, value_flag

ADA = EvaluationContext("ada")
FLAGS: dict[str, list[Any]] = {
    "yes": [True, False],
    "whole": [7],
    "half": [2.5],
    "large": [9007199254740993],
    "text": ["t"],
    "object": [{"a": [1, 2]}],
    "list": [[1, 2]],
    "null": [None],
}


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    yield
    api.clear_providers()


def flags_of_a_test() -> TestData:
    data = TestData()
    for key, values in FLAGS.items():
        data.set_flag(value_flag(key, 4, *values))
    return data


def hears_states() -> list[ProviderEvent]:
    """Each READY and STALE of our providers from here on, as they come."""
    heard: list[ProviderEvent] = []

    def note(event: ProviderEvent, details: EventDetails) -> None:
        # A handler of READY hears at once of the provider that is there before.
        if details.provider_name == "flagstone":
            heard.append(event)

    for event in (ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_STALE):
        api.add_handler(event, partial(note, event))
    return heard


def provided(data: TestData, **options: Any) -> OpenFeatureClient:
    api.set_provider_and_wait(FlagstoneProvider(Config(test_data=data, **options)))
    return api.get_client()


def test_each_type_is_resolved_with_variant_reason_and_metadata() -> None:
    client = provided(flags_of_a_test())
    assert client.get_boolean_value("yes", False, ADA) is True
    assert client.get_integer_value("whole", 0, ADA) == 7
    assert client.get_integer_value("half", 0, ADA) == 2
    assert client.get_integer_value("large", 0, ADA) == 9007199254740993
    assert client.get_float_value("whole", 0.0, ADA) == 7.0
    assert client.get_float_value("half", 0.0, ADA) == 2.5
    assert client.get_string_value("text", "", ADA) == "t"
    assert client.get_object_value("object", {}, ADA) == {"a": [1, 2]}
    assert client.get_object_value("list", {}, ADA) == [1, 2]
    detail = client.get_boolean_details("yes", False, ADA)
    assert (detail.variant, detail.reason, detail.error_code) == ("0", "FALLTHROUGH", None)
    assert detail.flag_metadata == {"contextId": "ada", "version": "4", "variationIndex": 0}


def test_another_type_an_unknown_flag_and_no_key_give_the_default_and_say_why() -> None:
    client = provided(flags_of_a_test())
    mismatch = client.get_boolean_details("text", True, ADA)
    assert (mismatch.value, mismatch.error_code, mismatch.variant) == (True, ErrorCode.TYPE_MISMATCH, None)
    for details in (client.get_object_details("text", {"d": 1}, ADA), client.get_object_details("yes", {"d": 1}, ADA)):
        assert (details.value, details.error_code, details.reason) == ({"d": 1}, ErrorCode.TYPE_MISMATCH, "ERROR")
    assert client.get_integer_details("yes", 3, ADA).error_code is ErrorCode.TYPE_MISMATCH
    unknown = client.get_string_details("unknown", "d", ADA)
    assert (unknown.value, unknown.error_code, unknown.flag_metadata) == (
        "d",
        ErrorCode.FLAG_NOT_FOUND,
        {"contextId": "ada"},
    )
    for nobody in (None, EvaluationContext(), EvaluationContext(attributes={"key": 5}), EvaluationContext("")):
        refused = client.get_boolean_details("yes", False, nobody)
        assert (refused.value, refused.error_code) == (False, ErrorCode.TARGETING_KEY_MISSING)


def test_a_library_that_cannot_tell_versions_answers_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lib.lib, "flagstone_client_flag_version", _lib._lacking("the library is too old"))
    detail = provided(flags_of_a_test()).get_boolean_details("yes", False, ADA)
    assert (detail.value, detail.error_code) == (True, None)
    assert detail.flag_metadata == {"contextId": "ada", "variationIndex": 0}


async def _asked(client: OpenFeatureClient) -> list[Any]:
    return [
        await client.get_boolean_value_async("yes", False, ADA),
        await client.get_string_value_async("text", "", ADA),
        await client.get_integer_value_async("whole", 0, ADA),
        await client.get_float_value_async("half", 0.0, ADA),
        await client.get_object_value_async("object", {}, ADA),
    ]


def test_coroutines_are_answered_like_threads() -> None:
    assert asyncio.run(_asked(provided(flags_of_a_test()))) == [True, "t", 7, 2.5, {"a": [1, 2]}]


def test_a_client_that_is_stale_already_makes_a_provider_that_is() -> None:
    data = flags_of_a_test()
    heard = hears_states()
    with Client(Config(test_data=data)) as client:
        data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
        assert until(lambda: client.state is State.INTERRUPTED)
        provider = FlagstoneProvider(client)
        api.set_provider_and_wait(provider)
        api.set_provider_and_wait(provider, "second")
        first, second = api.get_client(), api.get_client("second")
        assert until(lambda: first.get_provider_status() is ProviderStatus.STALE)
        assert second.get_provider_status() is ProviderStatus.STALE
        assert second.get_boolean_value("yes", False, ADA) is True
        assert until(lambda: heard == [ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_STALE]), heard
        data.set_status(State.VALID)
        assert until(lambda: first.get_provider_status() is ProviderStatus.READY)


def test_what_refers_to_itself_is_no_context_and_escapes_nowhere() -> None:
    client = provided(flags_of_a_test())
    loop: dict[str, Any] = {}
    loop["again"] = loop
    nobody = EvaluationContext("ada", {"loop": loop})
    assert client.get_boolean_details("yes", False, nobody).error_code is ErrorCode.TARGETING_KEY_MISSING
    client.track("bought", nobody, TrackingEventDetails(1.5))


def test_ready_is_told_once_and_changes_are_told_by_key() -> None:
    heard: list[tuple[ProviderEvent, list[str] | None]] = []

    def note(event: ProviderEvent, details: EventDetails) -> None:
        # A handler of READY hears at once of the provider that is there before.
        if details.provider_name == "flagstone":
            heard.append((event, details.flags_changed))

    for event in ProviderEvent:
        api.add_handler(event, partial(note, event))
    data = flags_of_a_test()
    client = provided(data)
    assert client.get_provider_status() is ProviderStatus.READY
    data.set_flag(bool_flag("yes", 5, False))
    assert until(lambda: (ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, ["yes"]) in heard)
    assert [event for event, _ in heard].count(ProviderEvent.PROVIDER_READY) == 1
    assert client.get_boolean_value("yes", True, ADA) is False


def test_what_happens_before_the_sdk_has_told_the_first_state_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hear, let = FirstWord._heard, threading.Event()

    def late(word: FirstWord, details: EventDetails) -> None:
        assert let.wait(PATIENCE)
        hear(word, details)

    monkeypatch.setattr(FirstWord, "_heard", late)
    heard = hears_states()
    data = flags_of_a_test()
    client = provided(data)
    provider = client.provider
    assert isinstance(provider, FlagstoneProvider)
    told = threading.Event()
    provider.client.add_status_listener(lambda _: told.set())
    data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
    # After the provider, which listens for longer.
    assert told.wait(PATIENCE)
    let.set()
    assert until(lambda: client.get_provider_status() is ProviderStatus.STALE and ProviderEvent.PROVIDER_STALE in heard)
    assert until(lambda: provider._first_word.is_said)
    data.set_status(State.VALID)
    assert until(lambda: heard.count(ProviderEvent.PROVIDER_READY) == 2), heard
    assert heard.count(ProviderEvent.PROVIDER_STALE) == 1, heard


def test_states_that_are_over_when_they_are_heard_are_not_told() -> None:
    let, later = threading.Event(), []
    heard = hears_states()
    data = flags_of_a_test()
    with Client(Config(test_data=data)) as client:
        client.add_status_listener(lambda _: let.wait(PATIENCE))
        for state in (State.INTERRUPTED, State.VALID, State.INTERRUPTED):
            data.set_status(state, SourceErrorKind.NETWORK_ERROR, 0, "away")
            assert until(lambda: client.state is state)  # noqa: B023
        api.set_provider_and_wait(FlagstoneProvider(client))
        assert until(lambda: heard == [ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_STALE]), heard
        client.add_status_listener(lambda change: later.append(change.state))
        let.set()
        assert until(lambda: later[-1:] == [State.INTERRUPTED] and State.VALID in later), later
        data.set_status(State.VALID)
        assert until(lambda: heard[2:] == [ProviderEvent.PROVIDER_READY]), heard


def test_another_providers_first_state_is_not_taken_for_that_of_one_that_still_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear, heard = FirstWord._heard, []

    def note(word: FirstWord, details: EventDetails) -> None:
        hear(word, details)
        heard.append(word)

    monkeypatch.setattr(FirstWord, "_heard", note)
    provided(flags_of_a_test())
    data, held, let = flags_of_a_test(), threading.Event(), threading.Event()

    class Held(FlagstoneProvider):
        def initialize(self, evaluation_context: EvaluationContext) -> None:
            super().initialize(evaluation_context)
            held.set()
            assert let.wait(PATIENCE)

    second = Held(Config(test_data=data))
    api.set_provider(second, "second")
    # Who begins to listen hears of the first provider at once.
    assert held.wait(PATIENCE) and until(lambda: second._first_word in heard)
    assert not second._first_word.is_said
    data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
    told = threading.Event()
    second.client.add_status_listener(lambda _: told.set())
    data.set_status(State.VALID)
    data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
    assert told.wait(PATIENCE)
    let.set()
    assert until(lambda: api.get_client("second").get_provider_status() is ProviderStatus.STALE)
    assert until(lambda: second._first_word.is_said)


def test_states_are_told_in_their_order_whoever_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, let, told = threading.Event(), threading.Event(), []
    stale, ready = FlagstoneProvider.emit_provider_stale, FlagstoneProvider.emit_provider_ready

    def slowly(provider: FlagstoneProvider, details: ProviderEventDetails) -> None:
        begun.set()
        assert let.wait(PATIENCE)
        stale(provider, details)
        told.append("STALE")

    def at_once(provider: FlagstoneProvider, details: ProviderEventDetails) -> None:
        ready(provider, details)
        told.append("READY")

    monkeypatch.setattr(FlagstoneProvider, "emit_provider_stale", slowly)
    monkeypatch.setattr(FlagstoneProvider, "emit_provider_ready", at_once)
    data = flags_of_a_test()
    with Client(Config(test_data=data)) as client:
        data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
        assert until(lambda: client.state is State.INTERRUPTED)
        api.set_provider_and_wait(FlagstoneProvider(client))
        assert begun.wait(PATIENCE)
        valid = threading.Event()
        # After the provider, which listens for longer.
        client.add_status_listener(lambda change: valid.set() if change.state is State.VALID else None)
        data.set_status(State.VALID)
        assert valid.wait(PATIENCE)
        let.set()
        assert until(lambda: len(told) == 2)
        assert told == ["STALE", "READY"]
        assert api.get_client().get_provider_status() is ProviderStatus.READY


def test_a_provider_that_is_replaced_while_it_begins_listens_no_more() -> None:
    begun, let, ended = threading.Event(), threading.Event(), threading.Event()

    class Held(FlagstoneProvider):
        def initialize(self, evaluation_context: EvaluationContext) -> None:
            begun.set()
            assert let.wait(PATIENCE)
            try:
                super().initialize(evaluation_context)
            finally:
                ended.set()

        def shutdown(self) -> None:
            super().shutdown()
            let.set()

    with Client(Config(test_data=flags_of_a_test())) as client:
        replaced = Held(client)
        api.set_provider(replaced)
        assert begun.wait(PATIENCE)
        provided(flags_of_a_test())
        assert ended.wait(PATIENCE)
        assert replaced._first_word.is_said
        assert client._status_listeners == () and client._flag_listeners == ()


def test_a_change_that_is_on_its_way_when_a_provider_is_shut_down_is_not_told() -> None:
    data, told = flags_of_a_test(), []

    class Noting(FlagstoneProvider):
        def emit_provider_configuration_changed(self, details: ProviderEventDetails) -> None:
            told.append(details.flags_changed)

    with Client(Config(test_data=data)) as client:
        begun, let, over = threading.Event(), threading.Event(), threading.Event()

        def hold(_: object) -> None:
            begun.set()
            assert let.wait(PATIENCE)

        client.add_flag_change_listener(hold)
        provider = Noting(client)
        api.set_provider_and_wait(provider)
        client.add_flag_change_listener(lambda _: over.set())
        data.set_flag(bool_flag("yes", 5, False))
        assert begun.wait(PATIENCE)
        provider.shutdown()
        let.set()
        assert over.wait(PATIENCE) and told == []


def test_a_provider_of_a_lent_client_can_be_set_again() -> None:
    data = flags_of_a_test()
    changed: list[list[str] | None] = []
    with Client(Config(test_data=data)) as client:
        provider = FlagstoneProvider(client)
        api.set_provider_and_wait(provider)
        api.clear_providers()
        api.set_provider_and_wait(provider)
        api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda details: changed.append(details.flags_changed))
        assert until(lambda: provider._first_word.is_said)
        data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
        assert until(lambda: api.get_client().get_provider_status() is ProviderStatus.STALE)
        data.set_flag(bool_flag("yes", 5, False))
        assert until(lambda: changed == [["yes"]]), changed
        api.clear_providers()


def test_the_status_follows_the_data_source_and_evaluation_goes_on() -> None:
    data = flags_of_a_test()
    heard: list[EventDetails] = []
    api.add_handler(ProviderEvent.PROVIDER_STALE, heard.append)
    api.add_handler(ProviderEvent.PROVIDER_ERROR, heard.append)
    client = provided(data)
    data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "no route")
    assert until(lambda: client.get_provider_status() is ProviderStatus.STALE)
    details = client.get_boolean_details("yes", False, ADA)
    assert (details.value, details.reason) == (True, "STALE")
    assert details.flag_metadata["stale"] is True and details.flag_metadata["reason"] == "FALLTHROUGH"
    data.set_status(State.VALID)
    assert until(lambda: client.get_provider_status() is ProviderStatus.READY)
    assert client.get_boolean_details("yes", False, ADA).reason == "FALLTHROUGH"
    data.set_status(State.OFF, SourceErrorKind.ERROR_RESPONSE, 401, "refused")
    assert until(lambda: client.get_provider_status() is ProviderStatus.ERROR)
    assert until(lambda: heard[-1].error_code is ErrorCode.GENERAL)
    assert client.get_boolean_value("yes", False, ADA) is True, "it is no fatal error"


def test_in_daemon_mode_an_outage_is_stale_and_a_change_in_redis_is_told(own: Environment) -> None:
    server = own.server
    server.redis.hset("launchdarkly:features", "yes", bool_flag("yes", 1, True))
    server.redis.set("launchdarkly:$inited", "")
    changed: list[list[str] | None] = []
    api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda details: changed.append(details.flags_changed))
    api.set_provider_and_wait(FlagstoneProvider(Config(redis_url=server.url)))
    client = api.get_client()
    server.redis.hset("launchdarkly:features", "yes", bool_flag("yes", 2, False))
    assert until(lambda: ["yes"] in changed)
    assert client.get_boolean_value("yes", True, ADA) is False
    server.stop()
    assert until(lambda: client.get_provider_status() is ProviderStatus.STALE)
    assert client.get_boolean_value("yes", True, ADA) is False
    server.start()
    server.redis.hset("launchdarkly:features", "yes", bool_flag("yes", 3, True))
    server.redis.set("launchdarkly:$inited", "")
    assert until(lambda: client.get_provider_status() is ProviderStatus.READY)


def test_a_start_without_redis_is_an_error_that_heals(own: Environment) -> None:
    server = own.server
    server.stop()
    provider = FlagstoneProvider(Config(redis_url=server.url), start_timeout=0.2)
    with pytest.raises(ProviderNotReadyError, match=r"no flags within 0\.2 s"):
        api.set_provider_and_wait(provider)
    client = api.get_client()
    assert client.get_provider_status() is ProviderStatus.ERROR
    assert client.get_boolean_details("yes", False, ADA).error_code is ErrorCode.PROVIDER_NOT_READY
    server.start()
    server.redis.hset("launchdarkly:features", "yes", bool_flag("yes", 1, True))
    server.redis.set("launchdarkly:$inited", "")
    assert until(lambda: client.get_provider_status() is ProviderStatus.READY)
    # An empty Redis may have been read first.
    assert until(lambda: client.get_boolean_value("yes", False, ADA))


def test_shutdown_may_come_twice_and_ends_only_a_client_of_its_own() -> None:
    own = FlagstoneProvider(Config(test_data=flags_of_a_test()))
    api.set_provider_and_wait(own)
    own.shutdown()
    own.shutdown()
    assert own.client.state is State.OFF
    with Client(Config(test_data=flags_of_a_test())) as client:
        lent = FlagstoneProvider(client)
        api.set_provider_and_wait(lent)
        lent.shutdown()
        assert client.state is State.VALID
        assert client.bool_variation("yes", Context("ada"), False) is True


def test_what_is_tracked_reaches_the_events(sink: Sink) -> None:
    data = flags_of_a_test()
    client = provided(data, **sink.options())
    client.track("bought", ADA, TrackingEventDetails(12.5, {"colour": "red"}))
    client.track("looked", ADA)
    client.track("nobody")
    provider = api.get_client().provider
    assert isinstance(provider, FlagstoneProvider)
    assert provider.client.flush(5.0)
    custom = sink.events("custom")
    assert [(event["key"], event.get("metricValue"), event.get("data")) for event in custom] == [
        ("bought", 12.5, {"colour": "red"}),
        ("looked", None, None),
    ]


def test_contexts_are_mapped_as_launchdarklys_provider_maps_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    attributes: dict[str, Any] = {
        "kind": "device",
        "name": "Ada",
        "anonymous": True,
        "privateAttributes": ["email", 5],
        "email": "a@b",
        "at": moment,
        "naive": datetime(2026, 1, 2),
        "deep": {"list": [1, {"x": None}]},
        "nothing": None,
        "targetingKey": "ignored",
    }
    made = context_of(EvaluationContext("ada", attributes))
    assert made is not None and made.to_dict() == {
        "kind": "device",
        "key": "ada",
        "name": "Ada",
        "anonymous": True,
        "email": "a@b",
        "at": "2026-01-02T01:04:05Z",
        "naive": "2026-01-02T00:00:00Z",
        "deep": {"list": [1, {"x": None}]},
        "_meta": {"privateAttributes": ["email"]},
    }
    multi = context_of(
        EvaluationContext(
            attributes={"kind": "multi", "user": {"targetingKey": "ada"}, "org": {"key": "acme", "tier": 1}, "odd": 5}
        )
    )
    assert multi is not None and multi.kinds == ["org", "user"]
    for none in (
        EvaluationContext(),
        EvaluationContext(attributes={"kind": "multi"}),
        EvaluationContext("a", {"kind": "not a kind"}),
        None,
    ):
        assert context_of(none) is None
    fallback = context_of(EvaluationContext("a", {"kind": 5, "name": 7, "anonymous": "yes", "privateAttributes": "email"}))
    assert fallback is not None and fallback.to_dict() == {"kind": "user", "key": "a"}
    assert "'name' must be a string" in caplog.text and "no string" in caplog.text

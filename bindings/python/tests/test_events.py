"""Events: what was evaluated, and what a program tells, arrives as it was, once, and costs no exception."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from flagstone import Client, Config, Context, Flag, InvalidArgumentError, TestData
from sink import Sink
from support import PATIENCE, Environment, bool_flag, value_flag

ADA = Context("ada", plan="team")


def tracked(key: str, *values: Any, **more: Any) -> dict[str, Any]:
    """A flag whose every evaluation is told."""
    return {**json.loads(value_flag(key, 7, *values)), "trackEvents": True, **more}


@contextmanager
def telling(sink: Sink, *flags: Any, **options: Any) -> Iterator[Client]:
    """A client that has these flags and sends its events to ``sink``."""
    data = TestData()
    for flag in flags:
        data.set_flag(flag)
    with Client(Config(test_data=data, **sink.options(**options))) as client:
        yield client


class Text(str):
    """A string that is none exactly."""


class Color(str, Enum):
    RED = "red"


#: A default, and how events tell it.
DEFAULTS: list[tuple[Any, Any]] = [
    (True, True),
    (False, False),
    (0, 0),
    (-7, -7),
    (2**53 + 1, 2**53 + 1),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (2**70, 2**70),
    (1.5, 1.5),
    (-1e300, -1e300),
    ("", ""),
    ("text", "text"),
    ("ü\0🏁", "ü\0🏁"),
    ("half \ud800", "half \ufffd"),
    ({"a": "\ud800"}, {"a": "\ufffd"}),
    (Text("t"), "t"),
    (Color.RED, "red"),
    ([], []),
    ({}, {}),
    ([1, {"a": None}], [1, {"a": None}]),
    ({"a": [1.5, "ü"]}, {"a": [1.5, "ü"]}),
    ((1, 2), [1, 2]),
    (None, None),
    # What has no JSON form is null.
    (float("nan"), None),
    (float("inf"), None),
    ({1, 2}, None),
    (object(), None),
    (MagicMock(), None),
    ({"a": float("nan")}, None),
    (b"bytes", None),
]


def exact(value: Any) -> str:
    """A value as text that tells True from 1."""
    return json.dumps(value)


def test_a_default_of_any_type_is_told_by_every_call(sink: Sink) -> None:
    expected: dict[str, Any] = {}
    with telling(sink) as client:
        for number, (default, told) in enumerate(DEFAULTS):
            # Nothing is remembered from one call to the next.
            for name in ("variation", "variation_detail", "json_variation", "json_variation_detail"):
                getattr(client, name)(f"{number} {name}", ADA, default)
                expected[f"{number} {name}"] = told
            client.variation_many({f"{number} many": default, f"{number} none": None}, ADA)
            expected[f"{number} many"], expected[f"{number} none"] = told, None
            client.variation_many([f"{number} list"], ADA)
            expected[f"{number} list"] = None
        for name, default in [("bool", True), ("int", 2**70), ("int", -3), ("float", 0.25), ("string", "ü")]:
            for end in ("", "_detail"):
                key = f"{name}{end} {default}"
                getattr(client, f"{name}_variation{end}")(key, ADA, default)
                expected[key] = default
        assert client.flush(PATIENCE)
    features = {key: exact(default) for key, (default, _) in sink.features().items()}
    assert features == {key: exact(default) for key, default in expected.items()}


def test_a_default_reaches_each_event_of_a_tracked_flag(sink: Sink) -> None:
    values = {"bool": False, "number": 2, "text": "x", "json": {"n": 1}}
    with telling(sink, *(tracked(key, value) for key, value in values.items())) as client:
        told: list[Any] = []
        asked: dict[str, list[Any]] = {
            "bool": [True, False],
            "number": [7, 2.5, 2**60],
            "text": ["d", "ü", ""],
            "json": [None, {"a": 1}, [1], {"a": 2}],
        }
        for key, defaults in asked.items():
            for default in defaults:
                for _ in range(2):
                    assert client.variation(key, ADA, default) == values[key]
                    assert client.flag(key, default).value(ADA) == values[key]
                    assert client.variation_many({key: default}, ADA)[key].value == values[key]
                    told += [(key, default)] * 3
        assert client.flush(PATIENCE)
    events = sink.events("feature")
    # Null is left out of them.
    assert [(event["key"], event.get("default")) for event in events] == told
    for event in events:
        assert event["value"] == values[event["key"]]
        assert (event["version"], event["variation"], event["context"]["key"]) == (7, 0, "ada")


def some_json(chance: random.Random, depth: int) -> Any:
    """A value that JSON can say, small or large."""
    texts = ["", "a", 'q"\\/', "\b\t\n\x1f\x7f", "ü🏁", "\0", "x" * chance.choice([10, 1_200])]
    numbers: list[Any] = [0, -1, 2**63 - 1, -(2**63), 10**25, 0.1, -0.0, 1e300, 5e-324, 1e16, 123456789.125]
    kind = chance.choice(["text", "number", "word", "list", "dict"] if depth else ["list", "dict"])
    if depth > chance.choice([2, 3, 20]):
        kind = "word"
    if kind == "list":
        return [some_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == "dict":
        return {chance.choice(texts) + str(number): some_json(chance, depth + 1) for number in range(chance.randrange(4))}
    choices: dict[str, list[Any]] = {"text": texts, "number": numbers, "word": [None, True, False]}
    return chance.choice(choices[kind])


def test_what_json_can_say_is_told_exactly(sink: Sink) -> None:
    chance, told = random.Random(3), []
    with telling(sink, events_capacity=100_000) as client:
        for number in range(600):
            told.append(some_json(chance, 0))
            client.json_variation(f"{number}", ADA, told[-1])
            client.track(f"{number}", ADA, told[-1])
        assert client.flush(PATIENCE)
    assert max(len(exact(value)) for value in told) > 1_000
    features = sink.features()
    assert [exact(features[f"{number}"][0]) for number in range(600)] == [exact(value) for value in told]
    assert [exact(event["data"]) for event in sink.events("custom")] == [exact(value) for value in told]


def test_a_changed_default_is_told_as_it_is_at_the_time_of_the_call(sink: Sink) -> None:
    default: dict[str, int] = {}
    with telling(sink, tracked("a", {"x": 1})) as client:
        for number in range(5):
            default["n"] = number
            client.json_variation("a", ADA, default)
        assert client.flush(PATIENCE)
    assert [event["default"] for event in sink.events("feature")] == [{"n": number} for number in range(5)]


def test_the_reason_is_told_only_where_the_caller_gets_it(sink: Sink) -> None:
    with telling(sink, tracked("yes", True), tracked("text", "t"), tracked("json", [1]), tracked("n", 1.5)) as client:
        flags: list[Flag[Any]] = [
            client.flag("yes", False),
            client.flag("text", ""),
            client.flag("json", None),
            client.flag("n", 1.0),
        ]
        for key, default in (("yes", False), ("text", ""), ("json", None), ("n", 1.0)):
            for _ in range(3):
                client.variation(key, ADA, default)
        client.bool_variation("yes", ADA, False)
        client.string_variation("text", ADA, "")
        client.json_variation("json", ADA, None)
        client.float_variation("n", ADA, 0.0)
        client.int_variation("n", ADA, 0)
        for flag in flags:
            flag.value(ADA)
        assert client.flush(PATIENCE)
        silent = sink.events("feature")
        assert len(silent) == 12 + 5 + 4
        assert all("reason" not in event for event in silent)
        for key, default in (("yes", False), ("text", ""), ("json", None), ("n", 1.0)):
            client.variation_detail(key, ADA, default)
            client.variation_detail(key, ADA, default)
        client.bool_variation_detail("yes", ADA, False)
        client.string_variation_detail("text", ADA, "")
        client.json_variation_detail("json", ADA, {})
        client.float_variation_detail("n", ADA, 0.0)
        client.int_variation_detail("n", ADA, 0)
        for flag in flags:
            flag.detail(ADA)
        client.variation_many(["yes", "text"], ADA)
        assert client.flush(PATIENCE)
    told = sink.events("feature")[len(silent) :]
    assert len(told) == 8 + 5 + 4 + 2
    assert [event.get("reason") for event in told] == [{"kind": "FALLTHROUGH"}] * len(told)


def test_an_experiment_and_a_prerequisite_are_told_without_being_asked_for(sink: Sink) -> None:
    rollout = {"kind": "experiment", "seed": 1, "variations": [{"variation": 0, "weight": 100_000}]}
    experiment = {**json.loads(value_flag("experiment", 3, "a", "b")), "fallthrough": {"rollout": rollout}}
    needs = tracked("needs", True, prerequisites=[{"key": "needed", "variation": 0}])
    with telling(sink, experiment, tracked("needed", 1), needs) as client:
        assert client.variation("experiment", ADA, "") == "a"
        assert client.variation("needs", ADA, False) is True
        assert client.flag("needs", False).value(ADA) is True
        assert client.flush(PATIENCE)
    first, *others = sink.events("feature")
    assert (first["key"], first["reason"]) == ("experiment", {"kind": "FALLTHROUGH", "inExperiment": True})
    assert [(event["key"], event.get("prereqOf"), event.get("default")) for event in others] == [
        ("needed", "needs", None),
        ("needs", None, False),
    ] * 2
    assert sink.features()["needed"] == (None, {"1": 2})


def test_every_evaluation_is_counted_once_whatever_the_call(sink: Sink) -> None:
    flags = [bool_flag("yes", 1, True), value_flag("text", 1, "t"), value_flag("json", 1, {"a": 1}), value_flag("n", 1, 3)]
    with telling(sink, *flags) as client:
        prepared: list[Flag[Any]] = [
            client.flag("yes", False),
            client.flag("text", ""),
            client.flag("json", None),
            client.flag("n", 0),
        ]
        for _ in range(10):
            for key, default in (("yes", False), ("text", ""), ("json", None), ("n", 0), ("missing", 1)):
                client.variation(key, ADA, default)
                client.variation_detail(key, ADA, default)
            for flag in prepared:
                flag.value(ADA)
                flag.detail(ADA)
            client.variation_many(["yes", "text", "json", "n", "missing"], ADA)
            client.variation("text", ADA, 3)
        assert client.flush(PATIENCE)
    assert sink.features() == {
        "yes": (False, {"true": 50}),
        "text": ("", {'"t"': 50, "3": 10}),
        "json": (None, {'{"a": 1}': 50}),
        "n": (0, {"3": 50}),
        "missing": (1, {"1": 30}),
    }
    (index,) = sink.events("index")
    assert index["context"] == {"kind": "user", "key": "ada", "plan": "team"}


def test_what_is_no_evaluation_leaves_no_event(sink: Sink) -> None:
    with telling(sink, bool_flag("yes", 1, True)) as client:
        client.variation("yes", None, False)
        client.variation("yes", "ada", False)  # type: ignore[call-overload]
        client.variation(3, ADA, False)  # type: ignore[call-overload]
        client.all_flags_state(ADA)
        assert client.flush(PATIENCE)
    assert sink.received == []


def test_identify_and_track_tell_what_they_were_given(sink: Sink) -> None:
    with telling(sink) as client:
        client.identify(ADA)
        client.track("bought", ADA)
        client.track("paid", ADA, {"items": [1, "ü"]}, 12.5)
        client.track("counted", ADA, metric_value=3)
        client.track("zero", ADA, data=0, metric_value=0)
        client.track("", ADA, data=None)
        assert client.flush(PATIENCE)
        assert client.flush(PATIENCE), "there is nothing left"
    identify, *customs = sink.events()
    assert (identify["kind"], identify["context"]["key"]) == ("identify", "ada")
    known = ("key", "data", "metricValue")
    assert [{name: event[name] for name in known if name in event} for event in customs] == [
        {"key": "bought"},
        {"key": "paid", "data": {"items": [1, "ü"]}, "metricValue": 12.5},
        {"key": "counted", "metricValue": 3},
        {"key": "zero", "data": 0, "metricValue": 0},
        {"key": ""},
    ]


class Odd:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise SystemError(name)


class Worse(Exception):
    """Cannot even be told."""

    def __str__(self) -> str:
        raise Worse


class OddItems(dict[str, int]):
    """Raises that when it is written."""

    def items(self) -> Any:
        raise Worse


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def circular() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


NO_DATA = [
    float("nan"),
    {"a": float("inf")},
    {1, 2},
    b"bytes",
    object(),
    MagicMock(),
    Odd(),
    OddItems(a=1),
    "\ud800",
    {"\ud800": 1},
    {(1,): 2},
    circular(),
    nested(200),
    nested(100_000),
]
NO_METRICS: list[Any] = [float("nan"), float("inf"), 10**400, True, "1", MagicMock(), [], Odd()]
NO_CONTEXTS: list[Any] = [None, "ada", 3, {}, MagicMock(), Mock(spec=Context), Context, Context.__new__(Context), Odd()]
NO_NAMES: list[Any] = [None, 3, b"name", MagicMock(), "\ud800", Odd()]


def test_what_cannot_be_told_is_logged_once_of_each_kind_and_raises_nothing(
    sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    with telling(sink) as client, caplog.at_level(logging.WARNING, "flagstone"):
        for _ in range(3):
            for data in NO_DATA:
                client.track("odd", ADA, data)
            for metric in NO_METRICS:
                client.track("odd", ADA, metric_value=metric)
            for context in NO_CONTEXTS:
                client.identify(context)
                client.track("odd", context)
            for name in NO_NAMES:
                client.track(name, ADA)
        client.track("good", ADA)
        assert client.flush(PATIENCE)
    assert [event.get("key") for event in sink.events("custom")] == ["good"]
    lines = [record.getMessage() for record in caplog.records if "told nothing" in record.getMessage()]
    assert len(set(lines)) == len(lines)
    assert 8 < len(lines) < 30
    for part in ("NoneType, not Context", "MagicMock, not Context", "surrogates", "has no JSON form", "metric"):
        assert any(part in line for line in lines), (part, lines)


def test_options_of_events_reach_the_library(sink: Sink) -> None:
    options: dict[str, Any] = {
        "events_gzip": False,
        "events_private_attributes": ["plan", "/address/street"],
        "events_omit_anonymous_contexts": True,
        "events_flush_interval_ms": 50,
        "application_id": "shop",
        "wrapper_name": "wrap",
    }
    with telling(sink, **options) as client:
        client.identify(Context("ada", plan="team", address={"street": "s", "city": "c"}))
        client.track("bought", Context("nobody", anonymous=True))
        sink.wait_for(lambda: len(sink.events()) == 2)
    identify, custom = sink.events()
    redacted = {"redactedAttributes": ["/address/street", "plan"]}
    identify["context"]["_meta"]["redactedAttributes"].sort()
    assert identify["context"] == {"kind": "user", "key": "ada", "address": {"city": "c"}, "_meta": redacted}
    assert (custom["kind"], custom["key"]) == ("custom", "bought"), "there is no index event before it"
    headers = sink.received[0].headers
    assert "content-encoding" not in headers
    assert headers["x-launchdarkly-tags"] == "application-id/shop"
    assert headers["x-launchdarkly-wrapper"] == "wrap"
    with telling(sink, events_all_attributes_private=True, events_capacity=2) as client:
        for number in range(5):
            client.identify(Context(f"u{number}", plan="team"))
        status = client.status().events
        assert status and (status.waiting, status.dropped) == (2, 3)
    assert [event["context"]["_meta"]["redactedAttributes"] for event in sink.events("identify")[1:]] == [["plan"]] * 2


def test_diagnostics_are_sent_unless_they_are_switched_off(sink: Sink) -> None:
    with telling(sink, events_diagnostics=True, wrapper_name="wrap"):
        sink.wait_for(lambda: any(payload.path == "/diagnostic" for payload in sink.received))
    (first,) = (payload.content for payload in sink.received if payload.path == "/diagnostic")
    assert (first["kind"], first["sdk"]["wrapperName"]) == ("diagnostic-init", "wrap")


def test_without_events_the_calls_do_nothing(sink: Sink) -> None:
    for options in ({"events_enabled": False}, {"offline": True}):
        with telling(sink, bool_flag("yes", 1, True), **options) as client:
            client.identify(ADA)
            client.track("bought", ADA, {"a": 1}, 1.5)
            client.variation("yes", ADA, False)
            assert client.flush(PATIENCE)
            assert client.status().events is None
    with Client(Config(test_data=TestData())) as client:
        client.track("bought", ADA)
        assert client.flush(PATIENCE) and client.status().events is None
    assert sink.received == []


def test_daemon_mode_tells_with_an_sdk_key(environment: Environment, sink: Sink) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    client = environment.client(**sink.options())
    assert client.variation("yes", ADA, False) is True
    assert client.flush(PATIENCE)
    assert sink.features() == {"yes": (False, {"true": 1})}


@pytest.mark.parametrize("residency", ["lazy", "off"])
def test_defaults_and_reasons_are_told_where_evaluation_may_wait(
    environment: Environment, sink: Sink, residency: str
) -> None:
    environment.write(a=json.dumps(tracked("a", "x")), j=json.dumps(tracked("j", [1])))
    client = environment.client(cache_residency=residency, **sink.options())
    for _ in range(2):
        client.variation("a", ADA, "d")
        client.variation_detail("a", ADA, "ü")
        client.variation("j", ADA, {"a": 1})
        client.flag("j", [2]).value(ADA)
    assert client.flush(PATIENCE)
    told = [(event["key"], event["default"], "reason" in event) for event in sink.events("feature")]
    assert told == [("a", "d", False), ("a", "ü", True), ("j", {"a": 1}, False), ("j", [2], False)] * 2


def test_an_old_name_is_refused_with_the_new_one() -> None:
    with pytest.raises(InvalidArgumentError, match="is named notifications"):
        Config(events_queue_capacity=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="is named notifications"):
        Config(options={"events.queue_capacity": 5})

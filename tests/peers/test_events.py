"""Events: the same ten thousand calls through LaunchDarkly's SDK and through Flagstone, and what each of them tells.

The calls are chosen at random, but always the same. Dates and payload ids are each SDK's own; every other difference that
is accepted has a name in :data:`ACCEPTED`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from ldclient import Context as PeerContext
from ldclient import LDClient
from ldclient.config import Config as PeerConfig
from ldclient.feature_store import CacheConfig
from ldclient.integrations import Redis as PeerRedis

from flagstone import Client, Context
from sink import Event, Sink
from support import PATIENCE, SDK_KEY, Environment, until

#: In the first mode; in the others fewer, as what differs there are the contexts.
CALLS, FEWER = 10_000, 2_500
#: After so many calls everything is sent.
WINDOW = 500
FAR, PAST = 9_999_999_999_999, 1_000

#: What LaunchDarkly's Python SDK tells otherwise, by name.
ACCEPTED = {
    "a default of null": "it is written into feature and debug events, where the schema and the other SDKs leave it out",
    "order": "of kinds and counters in a summary, and of redacted attributes: none is promised",
}


def flag(key: str, values: list[Any], **more: Any) -> dict[str, Any]:
    made = {"key": key, "version": len(key), "on": True, "variations": values, "fallthrough": {"variation": 0}}
    return {**made, "offVariation": len(values) - 1, "salt": "s", "rules": [], "targets": [], "prerequisites": [], **more}


def rollout(kind: str, variations: int, *, untracked: bool = False) -> dict[str, Any]:
    weights = [{"variation": index, "weight": 100_000 // variations} for index in range(variations)]
    if untracked:
        weights[-1]["untracked"] = True
    return {"rollout": {"kind": kind, "seed": 61, "variations": weights}}


def rule(attribute: str, value: Any, variation: int, **more: Any) -> dict[str, Any]:
    clause = {"contextKind": "user", "attribute": attribute, "op": "in", "values": [value]}
    return {"id": f"{attribute}-{variation}", "clauses": [clause], "variation": variation, **more}


#: Values of flags, by the type that is asked for.
VALUES: dict[str, list[Any]] = {
    "bool": [True, False],
    "int": [1, -3],
    "number": [0.5, 7],
    "text": ["a", "ü"],
    "json": [{"a": [1, None]}, [2]],
}


def flags() -> dict[str, dict[str, Any]]:
    """Flags of every type, of which some are told in full, for one reason or another."""
    made = [flag(kind, values) for kind, values in VALUES.items()]
    for kind, values in VALUES.items():
        made += [
            flag(f"{kind}.tracked", values, trackEvents=True, rules=[rule("plan", "team", 1)]),
            flag(f"{kind}.off", values, on=False, trackEvents=True),
            flag(f"{kind}.debugged", values, debugEventsUntilDate=FAR),
            flag(f"{kind}.debugged-before", values, debugEventsUntilDate=PAST),
            flag(f"{kind}.both", values, debugEventsUntilDate=FAR, trackEvents=True),
            flag(f"{kind}.experiment", values, fallthrough=rollout("experiment", 2)),
            flag(f"{kind}.part", values, fallthrough=rollout("experiment", 2, untracked=True)),
            flag(f"{kind}.rollout", values, fallthrough=rollout("rollout", 2)),
            flag(f"{kind}.fallthrough", values, trackEventsFallthrough=True, rules=[rule("plan", "team", 1)]),
            flag(f"{kind}.rule", values, rules=[rule("plan", "team", 1, trackEvents=True), rule("beta", True, 0)]),
            flag(f"{kind}.uncounted", values, excludeFromSummaries=True, trackEvents=True),
            flag(f"{kind}.unsampled", values, samplingRatio=0, trackEvents=True, debugEventsUntilDate=FAR),
            flag(f"{kind}.targets", values, targets=[{"values": ["u1", "u2"], "variation": 1}], trackEvents=True),
            flag(f"{kind}.needs", values, prerequisites=[{"key": "bool.tracked", "variation": 0}]),
            flag(
                f"{kind}.needs-two", values, prerequisites=[{"key": name, "variation": 0} for name in ("text", "int.off")]
            ),
            flag(f"{kind}.deep", values, prerequisites=[{"key": f"{kind}.needs", "variation": 0}], trackEvents=True),
            flag(f"{kind}.lost", values, prerequisites=[{"key": "missing", "variation": 0}], trackEvents=True),
            flag(f"{kind}.nothing", values, on=False, offVariation=None, trackEvents=True),
            flag(f"{kind}.broken", values, fallthrough={"variation": 9}, trackEvents=True),
        ]
    return {item["key"]: item for item in made}


def contexts(chance: random.Random) -> list[dict[str, Any]]:
    """Contexts of one kind and of several, some anonymous, some with private attributes."""
    references = ["plan", "/plan", "name", "/address/street", "/address", "a/b", "/a~1b", "missing", "/tags/0", "beta"]

    def single(kind: str, number: int) -> dict[str, Any]:
        made: dict[str, Any] = {"key": f"{kind[0]}{number}"}
        optional: dict[str, Any] = {
            "name": "Ada",
            "plan": chance.choice(["team", "free"]),
            "beta": chance.random() < 0.5,
            "age": chance.choice([37, 0.5, 2**40]),
            "tags": ["x", 1, None],
            "address": {"street": "s", "city": {"name": "c"}},
            "a/b": "ü",
            "empty": {},
            "anonymous": chance.random() < 0.4,
        }
        made.update({name: value for name, value in optional.items() if chance.random() < 0.6})
        if chance.random() < 0.4:
            made["_meta"] = {"privateAttributes": chance.sample(references, chance.randint(1, 4))}
        return made

    made: list[dict[str, Any]] = []
    for number in range(300):
        kinds = chance.sample(["user", "org", "device"], chance.choice([1, 1, 1, 2, 3]))
        if len(kinds) == 1:
            made.append({"kind": kinds[0], **single(kinds[0], number)})
        else:
            made.append({"kind": "multi", **{kind: single(kind, number) for kind in kinds}})
    return made


#: One call: its name, the number of the context, and what else it needs.
Call = tuple[str, int, Any]


def calls(chance: random.Random, count: int, keys: list[str], contexts: int) -> Iterator[Call]:
    """The calls of a run."""
    defaults: dict[str, list[Any]] = {
        "bool": [True, False],
        "int": [0, 5, -(2**40)],
        "number": [1.5, 2, -0.25],
        "text": ["", "d", "ü\0"],
        "json": [None, {}, {"d": [1, "x"]}, [1]],
    }
    everything = [default for some in defaults.values() for default in some]
    data: list[Any] = [None, 0, False, "", "text", 1.5, [], {}, {"a": [1, {"b": None}], "ü": True}]
    names = ["variation"] * 8 + ["detail"] * 4 + ["any", "any", "many", "prepared", "prepared detail", "identify", "track"]

    def asked() -> tuple[str, Any]:
        key = chance.choice(keys)
        kind = key.partition(".")[0]
        return key, chance.choice(defaults.get(kind, everything))

    for _ in range(count):
        name, context = chance.choice(names), chance.randrange(contexts)
        if name == "track":
            yield name, context, (f"event {chance.randrange(5)}", chance.choice(data), chance.choice([None, 0, 3, -1.5]))
        elif name == "identify":
            yield name, context, None
        elif name == "many":
            yield name, context, dict(asked() for _ in range(chance.randint(1, 5)))
        elif name == "any":
            # Where no type is asked for, any default goes with any flag.
            yield name, context, (chance.choice(keys), chance.choice(everything))
        else:
            yield name, context, asked()


def ours(client: Client, contexts: list[Context]) -> Callable[[Call], None]:
    def call(of: Call) -> None:
        name, number, rest = of
        context = contexts[number]
        if name == "track":
            client.track(rest[0], context, rest[1], rest[2])
        elif name == "identify":
            client.identify(context)
        elif name == "many":
            client.variation_many(rest, context)
        elif name == "any":
            client.json_variation(rest[0], context, rest[1])
        elif name == "prepared":
            client.flag(*rest).value(context)
        elif name == "prepared detail":
            client.flag(*rest).detail(context)
        elif name == "detail":
            client.variation_detail(rest[0], context, rest[1])
        else:
            client.variation(rest[0], context, rest[1])

    return call


def theirs(client: LDClient, contexts: list[PeerContext]) -> Callable[[Call], None]:
    def call(of: Call) -> None:
        name, number, rest = of
        context = contexts[number]
        if name == "track":
            client.track(rest[0], context, rest[1], rest[2])
        elif name == "identify":
            client.identify(context)
        elif name == "many":
            for key, default in rest.items():
                client.variation_detail(key, context, default)
        elif name in ("detail", "prepared detail"):
            client.variation_detail(rest[0], context, rest[1])
        else:
            client.variation(rest[0], context, rest[1])

    return call


@contextmanager
def peer(environment: Environment, sink: Sink, **options: Any) -> Iterator[LDClient]:
    """LaunchDarkly's SDK in daemon mode, which sends its events to ``sink`` when it is told to."""
    store = PeerRedis.new_feature_store(
        url=environment.server.url, prefix=environment.prefix, caching=CacheConfig(expiration=3600, capacity=1000)
    )
    config = PeerConfig(
        SDK_KEY,
        feature_store=store,
        use_ldd=True,
        events_uri=sink.url,
        events_max_pending=10 * CALLS,
        flush_interval=3600,
        diagnostic_opt_out=True,
        **options,
    )
    with closing(LDClient(config, start_wait=PATIENCE)) as client:
        yield client


def normal(event: Event) -> Event:
    """An event without what is each SDK's own, and without what is accepted."""
    event = {name: value for name, value in event.items() if not name.endswith("Date")}
    if event["kind"] in ("feature", "debug") and event.get("default") is None:
        event.pop("default", None)
    for feature in event.get("features", {}).values():
        feature["contextKinds"] = sorted(feature["contextKinds"])
        feature["counters"] = sorted(feature["counters"], key=lambda counter: json.dumps(counter, sort_keys=True))
    context = event.get("context", {})
    for part in (context, *(value for value in context.values() if isinstance(value, dict))):
        meta = part.get("_meta") if isinstance(part, dict) else None
        if isinstance(meta, dict) and "redactedAttributes" in meta:
            meta["redactedAttributes"] = sorted(meta["redactedAttributes"])
    return event


def exact(value: Any) -> Any:
    """A value as text that tells True from 1, but not 1.0, which JSON does not tell either."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return int(value) if type(value) is float and value.is_integer() else value

    return json.dumps(plain(value), sort_keys=True)


#: By name: options of ours, and of theirs.
MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}),
    "private": (
        {"events_private_attributes": ["plan", "/address/city/name", "/a~1b"]},
        {"private_attributes": {"plan", "/address/city/name", "/a~1b"}},
    ),
    "all private": ({"events_all_attributes_private": True}, {"all_attributes_private": True}),
    "without anonymous": ({"events_omit_anonymous_contexts": True}, {"omit_anonymous_contexts": True}),
    "gzip": ({"events_gzip": True}, {"enable_event_compression": True}),
}


@pytest.mark.parametrize("mode", MODES)
def test_ten_thousand_calls_are_told_as_launchdarklys_sdk_tells_them(environment: Environment, mode: str) -> None:
    chance = random.Random(15)
    items, forms = flags(), contexts(chance)
    environment.write(**{key: json.dumps(item) for key, item in items.items()})
    keys, count = [*items, "missing", "unknown"], CALLS if mode == next(iter(MODES)) else FEWER
    our_options, their_options = MODES[mode]
    with (
        closing(Sink()) as our_sink,
        closing(Sink()) as their_sink,
        peer(environment, their_sink, **their_options) as other,
    ):
        client = environment.client(**our_sink.options(events_capacity=10 * CALLS, **our_options))
        one = ours(client, [Context.from_dict(form) for form in forms])
        two = theirs(other, [PeerContext.from_dict(form) for form in forms])
        for number, call in enumerate(calls(chance, count, keys, len(forms)), 1):
            one(call)
            two(call)
            if number % WINDOW == 0:
                sent = number // WINDOW
                assert client.flush(PATIENCE)
                other.flush()  # type: ignore[no-untyped-call]
                assert until(lambda sent=sent: len(their_sink.received) == sent)  # type: ignore[misc]
        assert client.close(PATIENCE)
        compare(our_sink, their_sink, count)


def compare(our_sink: Sink, their_sink: Sink, count: int) -> None:
    assert len(our_sink.received) == len(their_sink.received) == count // WINDOW
    kinds: dict[str, int] = {}
    for our_payload, their_payload in zip(our_sink.received, their_sink.received):
        assert our_payload.path == their_payload.path == "/bulk"
        for name in ("authorization", "content-type", "x-launchdarkly-event-schema"):
            assert our_payload.headers[name] == their_payload.headers[name], name
        for our_event, their_event in zip(our_payload.content, their_payload.content):
            assert exact(normal(our_event)) == exact(normal(their_event))
            kinds[our_event["kind"]] = kinds.get(our_event["kind"], 0) + 1
        assert len(our_payload.content) == len(their_payload.content)
    assert kinds.keys() == {"index", "identify", "custom", "feature", "debug", "summary"}
    assert kinds["feature"] > count // 10 and kinds["debug"] > count // 50 and kinds["index"] > 100, kinds

"""The OpenFeature provider beside LaunchDarkly's, on the same flags and contexts: values, variants, reasons and errors are
equal, and so is everything in the metadata that both have."""

from __future__ import annotations

import json
import random
from datetime import datetime
from typing import Any

import pytest

pytest.importorskip("ld_openfeature", reason="LaunchDarkly's OpenFeature provider is not installed")

from ld_openfeature import LaunchDarklyProvider
from ldclient.config import Config as PeerConfig
from ldclient.integrations.test_data import TestData as PeerData
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails

from flagstone import Config, TestData
from flagstone.openfeature import FlagstoneProvider

ROUNDS = 200
#: What ours has besides.
MORE = {"contextId", "version", "flagSetId", "stale", "reason"}


def flag(key: str, variations: list[Any], **more: Any) -> dict[str, Any]:
    plain = {"key": key, "version": 1, "on": True, "salt": "s", "variations": variations, "offVariation": 0}
    return {
        **plain,
        "fallthrough": {"variation": len(variations) - 1},
        "targets": [],
        "rules": [],
        "prerequisites": [],
        **more,
    }


def rule(attribute: str, operator: str, values: list[Any], kind: str = "user", **more: Any) -> dict[str, Any]:
    clause = {"contextKind": kind, "attribute": attribute, "op": operator, "values": values, "negate": False}
    return {"id": f"by-{attribute}", "clauses": [clause], "variation": 0, **more}


SPLIT = {"variations": [{"variation": 0, "weight": 50_000}, {"variation": 1, "weight": 50_000}], "bucketBy": "key"}
FLAGS = [
    flag("bool", [False, True]),
    flag("off", [False, True], on=False),
    flag("off-none", [False, True], on=False, offVariation=None),
    flag("target", ["t", "f"], targets=[{"values": ["ada", "bob"], "variation": 0}]),
    flag("rule", [1, 2], rules=[rule("email", "endsWith", ["@example.org"])]),
    flag("name", ["n", "x"], rules=[rule("name", "in", ["Ada"])]),
    flag("anonymous", ["n", "x"], rules=[rule("anonymous", "in", [True])]),
    flag("date", ["before", "after"], rules=[rule("at", "before", ["2026-06-01T00:00:00Z"])]),
    flag("deep", ["deep", "flat"], rules=[rule("/address/street", "in", ["Main"])]),
    flag("org", ["org", "none"], rules=[rule("key", "in", ["acme"], "org")]),
    flag("list", [[1], [2, {"a": None}]]),
    flag("object", [{"a": 1}, {"b": [1.5, "x"]}]),
    flag("half", [0.5, 2.5]),
    flag("split", ["a", "b"], fallthrough={"rollout": SPLIT}),
    flag("experiment", ["a", "b"], fallthrough={"rollout": {**SPLIT, "kind": "experiment", "seed": 7}}),
    flag("needs", [False, True], prerequisites=[{"key": "off", "variation": 1}]),
    flag("broken", ["a"], fallthrough={"variation": 7}),
    flag("null", [None, None]),
]
DEFAULTS: dict[str, Any] = {"boolean": True, "string": "default", "integer": 42, "float": 4.25, "object": {"default": True}}


def draw_value(random: random.Random) -> Any:
    return random.choice(
        [
            "a@example.org",
            "Ada",
            "Main",
            1,
            1.5,
            True,
            False,
            datetime(2026, random.randrange(1, 12), 2),
            ["x"],
            {"street": "Main"},
        ]
    )


def draw_members(random: random.Random) -> dict[str, Any]:
    names = ["email", "name", "anonymous", "at", "address", "privateAttributes", "key", "targetingKey", "other"]
    members = {name: draw_value(random) for name in random.sample(names, random.randrange(5))}
    if random.random() < 0.3:
        members["privateAttributes"] = random.choice([["email"], [], ["email", 5], ["/address/street"]])
    if random.random() < 0.3:
        members["key"] = random.choice(["ada", "acme", "", 5])
    return members


def draw_context(random: random.Random) -> EvaluationContext | None:
    shape = random.random()
    if shape < 0.03:
        return None
    if shape < 0.3:
        kinds = random.sample(["user", "org", "device", "bad kind"], random.randrange(1, 4))
        several: dict[str, Any] = {kind: draw_members(random) for kind in kinds}
        for members in several.values():
            if random.random() < 0.8:
                members["targetingKey"] = random.choice(["ada", "acme", "eve"])
        if random.random() < 0.2:
            several["odd"] = "no dictionary"
        return EvaluationContext(random.choice([None, "ada"]), {"kind": "multi", **several})
    members = draw_members(random)
    if random.random() < 0.3:
        members["kind"] = random.choice(["user", "org", "", 5, "bad kind"])
    return EvaluationContext(random.choice(["ada", "bob", "acme", "eve", "x" * 300, "", None]), members)


def form(details: FlagResolutionDetails[Any]) -> dict[str, Any]:
    return {
        "value": json.dumps(details.value),
        "type": type(details.value).__name__,
        "variant": details.variant,
        "reason": str(details.reason) if details.reason else None,
        "error": details.error_code,
        "metadata": {name: value for name, value in details.flag_metadata.items() if name not in MORE},
    }


def test_whatever_is_asked_of_both_providers_is_answered_alike() -> None:
    ours, theirs = TestData(), PeerData.data_source()
    for each in FLAGS:
        ours.set_flag(each)
        theirs._current_flags[each["key"]] = each
    provider = FlagstoneProvider(Config(test_data=ours))
    peer = LaunchDarklyProvider(PeerConfig("sdk", update_processor_class=theirs, send_events=False), 10)
    provider.initialize(EvaluationContext())
    peer.initialize(EvaluationContext())
    try:
        source, seen = random.Random(20261129), set()
        for _ in range(ROUNDS):
            context = draw_context(source)
            for each in FLAGS:
                kind = source.choice(list(DEFAULTS))
                ask = f"resolve_{kind}_details"
                found = form(getattr(provider, ask)(each["key"], DEFAULTS[kind], context))
                expected = form(getattr(peer, ask)(each["key"], DEFAULTS[kind], context))
                assert found == expected, (each["key"], kind, context)
                seen.add(found["error"] or found["reason"])
        # Off, fallthrough, rule, target, prerequisite; no such type, no such person, no such variation.
        assert len(seen) == 8, seen
    finally:
        provider.shutdown()
        peer.shutdown()  # type: ignore[no-untyped-call]

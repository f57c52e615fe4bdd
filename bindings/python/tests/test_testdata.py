"""Test data: what a test sets is served at once, and the builder composes the flags that its calls describe."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flagstone import (
    Client,
    Config,
    Context,
    FlagBuilder,
    FlagChange,
    InvalidArgumentError,
    SourceErrorKind,
    State,
    TestData,
)
from support import PATIENCE, bool_flag, until, value_flag

ADA, BOB = Context("ada", country="se"), Context("bob", country="no")
#: A new flag as the builder composes it.
NEW: dict[str, Any] = {
    "key": "f",
    "on": True,
    "variations": [True, False],
    "fallthrough": {"variation": 0},
    "offVariation": 1,
    "targets": [],
    "contextTargets": [],
    "rules": [],
    "prerequisites": [],
    "salt": "",
}


def clause(kind: str, attribute: str, *values: Any, negate: bool = False) -> dict[str, Any]:
    return {"contextKind": kind, "attribute": attribute, "op": "in", "values": list(values), "negate": negate}


def target(kind: str, variation: int, *keys: str) -> dict[str, Any]:
    return {"contextKind": kind, "variation": variation, "values": list(keys)}


Build = Callable[[FlagBuilder], FlagBuilder]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda flag: flag, {}),
        (lambda flag: flag.on(False), {"on": False}),
        (lambda flag: flag.variations("a", {"b": [1]}, None), {"variations": ["a", {"b": [1]}, None]}),
        (lambda flag: flag.fallthrough_variation(False), {"fallthrough": {"variation": 1}}),
        (lambda flag: flag.off_variation(True), {"offVariation": 0}),
        (
            lambda flag: flag.variations("a", "b", "c").fallthrough_variation(2).off_variation(1),
            {"variations": ["a", "b", "c"], "fallthrough": {"variation": 2}, "offVariation": 1},
        ),
        # A boolean flag is left as it is, another one becomes a new boolean one, also one of equal numbers.
        (lambda flag: flag.fallthrough_variation(False).boolean_flag(), {"fallthrough": {"variation": 1}}),
        (lambda flag: flag.variations("a", "b").fallthrough_variation(1).off_variation(0).boolean_flag(), {}),
        (lambda flag: flag.variations(1, 0).fallthrough_variation(1).boolean_flag(), {}),
        (lambda flag: flag.variations("a", "b", "c").fallthrough_variation(False), {"fallthrough": {"variation": 1}}),
        (lambda flag: flag.on(False).variation_for_all(False), {"fallthrough": {"variation": 1}}),
        (
            lambda flag: flag.variation_for_user("ada", True).if_match("a", 1).then_return(True).variation_for_all(True),
            {},
        ),
        (lambda flag: flag.value_for_all({"x": 1}), {"variations": [{"x": 1}]}),
        (
            lambda flag: flag.variation_for_user("ada", True).variation_for_user("bob", False),
            {
                "targets": [target("user", 0, "ada"), target("user", 1, "bob")],
                "contextTargets": [target("user", 0), target("user", 1)],
            },
        ),
        (
            lambda flag: flag.variation_for_user("ada", True).variation_for_user("ada", False),
            {"targets": [target("user", 1, "ada")], "contextTargets": [target("user", 1)]},
        ),
        (
            lambda flag: flag.variation_for_key("org", "o", False).variation_for_key("user", "o", True),
            {
                "targets": [target("user", 0, "o")],
                "contextTargets": [target("org", 1, "o"), target("user", 0)],
            },
        ),
        (lambda flag: flag.variation_for_key("org", "o", 0).clear_targets(), {}),
        (
            lambda flag: flag.if_match("country", "se", "no").then_return(False),
            {"rules": [{"id": "rule0", "variation": 1, "clauses": [clause("user", "country", "se", "no")]}]},
        ),
        (
            lambda flag: flag.if_not_match("country", "se").then_return(1),
            {"rules": [{"id": "rule0", "variation": 1, "clauses": [clause("user", "country", "se", negate=True)]}]},
        ),
        (
            lambda flag: (
                flag.if_match_context("org", "tier", 1)
                .and_match("beta", True)
                .and_not_match("age", 3, 4)
                .and_match_context("device", "os", "linux")
                .and_not_match_context("device", "os", "plan9")
                .then_return(True)
                .if_not_match_context("org", "tier", 2)
                .then_return(False)
            ),
            {
                "rules": [
                    {
                        "id": "rule0",
                        "variation": 0,
                        "clauses": [
                            clause("org", "tier", 1),
                            clause("user", "beta", True),
                            clause("user", "age", 3, 4, negate=True),
                            clause("device", "os", "linux"),
                            clause("device", "os", "plan9", negate=True),
                        ],
                    },
                    {"id": "rule1", "variation": 1, "clauses": [clause("org", "tier", 2, negate=True)]},
                ]
            },
        ),
        (lambda flag: flag.if_match("a", 1).then_return(True).clear_rules(), {}),
        (
            lambda flag: flag.variations("a", "b", "c").if_match("x", 1).then_return(False),
            {"rules": [{"id": "rule0", "variation": 1, "clauses": [clause("user", "x", 1)]}]},
        ),
        (lambda flag: flag.sampling_ratio(10), {"samplingRatio": 10}),
        (lambda flag: flag.exclude_from_summaries(True), {"excludeFromSummaries": True}),
        (lambda flag: flag.migration_check_ratio(3), {"migration": {"checkRatio": 3}}),
    ],
)
def test_the_builder_composes_what_its_calls_describe(build: Build, expected: dict[str, Any]) -> None:
    data = TestData()
    built = build(data.flag("f"))
    assert built.to_dict() == {**NEW, **expected}
    # For true and 1 are equal: the text tells them apart.
    assert json.dumps(built.to_dict()["variations"]) == json.dumps({**NEW, **expected}["variations"])
    data.update(built)


def test_a_built_flag_is_served_as_it_was_built() -> None:
    data = TestData()
    data.update(
        data.flag("f")
        .variations("none", "targeted", "matched", "off")
        .off_variation(3)
        .fallthrough_variation(0)
        .variation_for_user("ada", 1)
        .if_match("country", "no")
        .then_return(2)
    )
    with Client(Config(test_data=data)) as client:
        served = {context: client.variation_detail("f", context, "") for context in (ADA, BOB, Context("eve"))}
        assert [detail.value for detail in served.values()] == ["targeted", "matched", "none"]
        assert served[BOB].reason.to_dict() == {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "rule0"}
        data.update(data.flag("f").on(False))
        assert client.variation("f", ADA, "") == "off"


def test_a_flag_is_a_copy_of_what_was_committed_last() -> None:
    data = TestData()
    mine = data.flag("f").variation_for_user("ada", False).if_match("a", 1).then_return(True)
    assert data.flag("f").to_dict() == NEW, "nothing is committed yet"
    data.update(mine)
    committed = mine.to_dict()
    mine.variation_for_user("bob", False).on(False).if_match("b", 2).then_return(True).sampling_ratio(2)
    assert data.flag("f").to_dict() == committed
    copy = data.flag("f").variation_for_user("ada", True).clear_rules()
    assert data.flag("f").to_dict() == committed
    data.update(copy)
    assert data.flag("f").to_dict() == copy.to_dict()
    data.set_flag(bool_flag("f", 1, True))
    assert data.flag("f").to_dict() == NEW, "another flag than the committed one"
    data.update(mine).delete_flag("f")
    assert data.flag("f").to_dict() == NEW


def test_every_client_has_a_change_when_the_call_returns() -> None:
    data = TestData()
    clients = [Client(Config(test_data=data)) for _ in range(3)]
    assert all(client.start(PATIENCE) for client in clients)
    for round_ in range(50):
        data.update(data.flag("f").value_for_all(round_))
        assert [client.variation("f", ADA, -1) for client in clients] == [round_] * 3
    data.set_flag(json.loads(value_flag("g", 1, "x"))).set_flag(value_flag("h", 1, "y"))
    assert [client.variation("g", ADA, "") + client.variation("h", ADA, "") for client in clients] == ["xy"] * 3
    data.delete_flag("g").delete_flag("never.there")
    assert [client.variation("g", ADA, "gone") for client in clients] == ["gone"] * 3
    assert all(client.close(PATIENCE) for client in clients)
    data.update(data.flag("f").value_for_all("after"))
    assert [client.variation("f", ADA, -1) for client in clients] == [49] * 3


def test_versions_are_raised_and_listeners_hear_of_them() -> None:
    data = TestData()
    heard: list[FlagChange] = []
    with Client(Config(test_data=data)) as client:
        client.add_flag_change_listener(heard.append)
        data.update(data.flag("f")).set_flag(bool_flag("f", 9, False)).update(data.flag("f"))
        assert until(lambda: len(heard) == 3)
    assert heard == [FlagChange("f", None, 1), FlagChange("f", 1, 9), FlagChange("f", 9, 10)]


def test_a_segment_decides_a_rule() -> None:
    data = TestData()
    segment = {"key": "swedes", "included": ["ada"], "version": 1, "salt": "s", "excluded": [], "rules": []}
    rule = {"id": "r", "variation": 1, "clauses": [{"attribute": "", "op": "segmentMatch", "values": ["swedes"]}]}
    data.set_segment(segment).set_flag({**json.loads(value_flag("f", 1, "no", "yes")), "rules": [rule]})
    with Client(Config(test_data=data)) as client:
        assert [client.variation("f", context, "") for context in (ADA, BOB)] == ["yes", "no"]
        data.set_segment(json.dumps({**segment, "included": ["bob"]}))
        assert [client.variation("f", context, "") for context in (ADA, BOB)] == ["no", "yes"]
        data.delete_segment("swedes")
        assert [client.variation("f", context, "") for context in (ADA, BOB)] == ["no", "no"]


def test_a_status_that_is_set_is_the_status_of_every_client() -> None:
    data = TestData()
    with Client(Config(test_data=data)) as client:
        data.set_status(State.INTERRUPTED, SourceErrorKind.ERROR_RESPONSE, 503, "not now, åäö")
        source = client.source_status
        assert source and source.last_error and client.state is State.INTERRUPTED is source.state
        error = source.last_error
        assert (error.kind, error.http_status, error.message) == (SourceErrorKind.ERROR_RESPONSE, 503, "not now, åäö")
        data.update(data.flag("f"))
        assert client.variation("f", ADA, False) is True, "changes go on"
        data.set_status(State.VALID)
        assert client.wait(State.VALID, PATIENCE)
        data.set_status(State.OFF, message="the end")
        assert client.wait(State.OFF, PATIENCE)


@pytest.mark.parametrize(
    "refused",
    [
        lambda data: data.set_flag("{oops"),
        lambda data: data.set_flag("[]"),
        lambda data: data.set_flag({"version": 1}),
        lambda data: data.set_flag({"key": "", "version": 1}),
        lambda data: data.set_flag({"key": "f", "variations": 3}),
        lambda data: data.set_flag({"key": "f", "variations": [float("nan")]}),
        lambda data: data.set_flag({"key": "f", "variations": [object()]}),
        lambda data: data.set_flag('{"key":"\ud800"}'),
        lambda data: data.set_flag({"key": "\ud800"}),
        lambda data: data.set_flag(None),
        lambda data: data.set_segment({"key": 3}),
        lambda data: data.delete_flag(3),
        lambda data: data.delete_segment("\ud800"),
        lambda data: data.set_status(State.INIT),
        lambda data: data.set_status(State.OFF, 99),
        lambda data: data.set_status("OFF"),
        lambda data: data.set_status(State.OFF, message=None),
        lambda data: data.update(data.flag("")),
        lambda data: data.update(data.flag("f").variations({1, 2})),
        lambda data: data.update({"key": "f"}),
    ],
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(refused: Callable[[Any], object]) -> None:
    data = TestData()
    data.update(data.flag("f").value_for_all("kept"))
    with Client(Config(test_data=data)) as client:
        with pytest.raises(InvalidArgumentError):
            refused(data)
        assert client.variation("f", ADA, "") == "kept"
        assert client.state is State.VALID
        assert data.flag("f").to_dict()["variations"] == ["kept"]


def test_threads_may_set_at_once() -> None:
    data = TestData()
    with Client(Config(test_data=data)) as client:
        threads = [
            threading.Thread(target=lambda n=n: [data.update(data.flag(f"f{n}").value_for_all(i)) for i in range(50)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [client.variation(f"f{n}", ADA, -1) for n in range(4)] == [49] * 4


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_sets_data_of_its_own() -> None:
    data = TestData()
    data.update(data.flag("f").value_for_all("parent's"))
    fork = multiprocessing.get_context("fork")
    with Client(Config(test_data=data)) as client:
        assert client.variation("f", ADA, "") == "parent's"

        def body() -> None:
            assert client.variation("f", ADA, "") == "parent's"
            assert client.wait(State.VALID, PATIENCE), "the child has a source of its own"
            data.update(data.flag("f").value_for_all("child's"))
            assert client.variation("f", ADA, "") == "child's"

        child = fork.Process(target=body)
        child.start()
        child.join(PATIENCE)
        assert child.exitcode == 0
        assert client.variation("f", ADA, "") == "parent's"

"""Evaluation: types, defaults, reasons; it never raises."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from flagstone import (
    Client,
    Config,
    Context,
    ErrorKind,
    EvaluationDetail,
    EvaluationReason,
    InvalidArgumentError,
    ReasonKind,
)
from support import Environment, Server, bool_flag, value_flag

ADA = Context("ada")
RULE = {"variation": 1, "id": "r1", "clauses": [{"attribute": "key", "op": "in", "values": ["ada"]}]}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    environment = Environment(server)
    numbers = {"int": "3", "fraction": "3.7", "exponent": "3e2", "negative": "-3.7", "huge": "1e300", "long": "9" * 30}
    flags = {name: value_flag(name, 1, 111).replace("[111]", f"[{text}]", 1) for name, text in numbers.items()}
    ruled = json.loads(value_flag("rule", 1, "no", "yes"))
    ruled["rules"] = [RULE]
    blocked = json.loads(value_flag("blocked", 1, True))
    blocked["prerequisites"] = [{"key": "no", "variation": 0}]
    environment.write(
        yes=bool_flag("yes", 1, True),
        no=json.dumps({**json.loads(bool_flag("no", 1, False)), "on": False}),
        text=value_flag("text", 1, "grüße\0!"),
        json=value_flag("json", 1, {"a": [1, 2.5, None, True], "b": {"c": "d"}}),
        null=value_flag("null", 1, None),
        rule=json.dumps(ruled),
        blocked=json.dumps(blocked),
        broken="{oops",
        **flags,
    )
    yield environment.client()
    environment.close()


def test_the_default_chooses_the_type(client: Client) -> None:
    assert client.variation("yes", ADA, False) is True
    assert client.variation("int", ADA, 0) == 3
    assert client.variation("int", ADA, 0.5) == 3
    assert client.variation("text", ADA, "x") == "grüße\0!"
    assert client.variation("json", ADA, {}) == {"a": [1, 2.5, None, True], "b": {"c": "d"}}
    assert client.variation("text", ADA, 5) == 5
    assert client.variation("int", ADA, True) is True
    assert client.variation("yes", ADA, "x") == "x"


def test_who_does_not_check_the_type_gets_a_value_of_any(client: Client) -> None:
    assert client.variation("text", ADA, 5, check_type=False) == "grüße\0!"
    assert client.variation("int", ADA, True, check_type=False) == 3
    assert client.variation(key="yes", context=ADA, default="x", check_type=False) is True
    assert client.variation("missing", ADA, 5, check_type=False) == 5
    assert client.variation("text", ADA, 5, check_type=True) == 5
    detail = client.variation_detail("rule", ADA, 0, check_type=False)
    assert (detail.value, detail.variation_index, detail.reason.kind) == ("yes", 1, ReasonKind.RULE_MATCH)
    assert client.variation_detail("rule", ADA, 0).reason.error_kind is ErrorKind.WRONG_TYPE
    assert asyncio.run(client.variation_async("text", ADA, 5, check_type=False)) == "grüße\0!"
    assert asyncio.run(client.variation_async("text", ADA, 5)) == 5
    assert asyncio.run(client.variation_detail_async("rule", ADA, 0, check_type=False)).value == "yes"


def test_a_value_of_another_type_than_the_default_is_logged_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment(server)
    environment.write(text=value_flag("text", 1, "x"))
    with caplog.at_level(logging.WARNING, "flagstone"):
        client = environment.client()
        assert [client.variation("text", ADA, 5) for _ in range(3)] == [5, 5, 5]
        environment.close()
    # A client of another test may tell of its own a little late.
    told = [record.getMessage() for record in caplog.records if 'flag "text"' in record.getMessage()]
    assert told == [
        'flag "text" (version 1): it was asked for a number, but its value is of another type; the default is returned'
    ]


def test_without_a_default_any_type_comes_back(client: Client) -> None:
    assert client.variation("yes", ADA, None) is True
    assert client.variation("text", ADA, None) == "grüße\0!"
    assert client.variation("json", ADA, None) == {"a": [1, 2.5, None, True], "b": {"c": "d"}}
    assert client.variation("null", ADA, None) is None
    assert client.variation("missing", ADA, None) is None


def test_numbers_are_ints_where_they_are_written_as_ints(client: Client) -> None:
    def typed(key: str) -> tuple[type, Any]:
        value = client.variation(key, ADA, None)
        return type(value), value

    assert typed("int") == (int, 3)
    assert typed("fraction") == (float, 3.7)
    assert typed("exponent") == (float, 300.0)
    assert typed("long") == (int, 10**30 - 1)
    assert client.json_variation("int", ADA, 0) == 3


def test_int_variation_rounds_and_saturates(client: Client) -> None:
    assert client.int_variation("fraction", ADA, 0) == 4
    assert client.int_variation("negative", ADA, 0) == -4
    assert client.int_variation("huge", ADA, 0) == 2**63 - 1
    assert client.int_variation("missing", ADA, 2**70) == 2**70
    assert client.int_variation("fraction", ADA, 2**70) == 4
    for key in ("fraction", "negative", "huge", "int", "long"):
        detail = client.int_variation_detail(key, ADA, 0)
        assert detail.value == client.int_variation(key, ADA, 0)
        assert type(detail.value) is int
        assert client.flag(key, 0).value(ADA) == detail.value
        assert client.flag(key, 0).detail(ADA) == detail


def test_float_variation_gives_floats(client: Client) -> None:
    for key, value in (("int", 3.0), ("fraction", 3.7), ("exponent", 300.0)):
        assert client.float_variation(key, ADA, 0.0) == value
        assert client.float_variation_detail(key, ADA, 0.0).value == value
        assert type(client.float_variation(key, ADA, 0.0)) is float
        assert client.flag(key, 0.0).value(ADA) == value
        assert type(client.float_variation(key, ADA, 7)) is float
    assert client.float_variation("missing", ADA, 0.5) == 0.5


def test_details_tell_variation_and_reason(client: Client) -> None:
    assert client.variation_detail("rule", ADA, "x") == EvaluationDetail(
        "yes", 1, EvaluationReason(ReasonKind.RULE_MATCH, rule_index=0, rule_id="r1")
    )
    reasons = {
        "rule": {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "r1"},
        "yes": {"kind": "FALLTHROUGH"},
        "no": {"kind": "OFF"},
        "blocked": {"kind": "PREREQUISITE_FAILED", "prerequisiteKey": "no"},
        "missing": {"kind": "ERROR", "errorKind": "FLAG_NOT_FOUND"},
        "broken": {"kind": "ERROR", "errorKind": "EXCEPTION"},
    }
    for key, reason in reasons.items():
        detail = client.json_variation_detail(key, ADA, "default")
        assert detail.reason.to_dict() == reason
        assert json.loads(json.dumps(detail.reason.to_dict())) == reason
        assert detail.is_default is (detail.variation_index is None)
        assert client.flag(key).detail(ADA).reason == detail.reason
    assert client.string_variation_detail("yes", ADA, "x") == EvaluationDetail(
        "x", None, EvaluationReason(ReasonKind.ERROR, ErrorKind.WRONG_TYPE)
    )
    assert client.bool_variation_detail("yes", ADA, False).value is True


def test_typed_calls_give_their_default_for_another_type(client: Client) -> None:
    assert client.bool_variation("text", ADA, True) is True
    assert client.bool_variation("text", ADA, None) is None  # type: ignore[arg-type]
    assert client.int_variation("text", ADA, 7) == 7
    assert client.float_variation("text", ADA, 7.5) == 7.5
    assert client.string_variation("int", ADA, "x") == "x"


def test_prepared_flags_answer_as_calls_by_key(client: Client) -> None:
    for key in ("yes", "no", "text", "int", "json", "missing", "broken"):
        for default in (False, True, 3, 2.5, "x", None):
            flag = client.flag(key, default)
            expected: Any = client.variation_detail(key, ADA, default)
            assert flag.detail(ADA) == expected
            assert flag.value(ADA) == expected.value
    assert repr(client.flag("yes", False)) == "Flag('yes', default=False)"


def test_a_prepared_flag_refuses_what_it_cannot_ever_answer(client: Client) -> None:
    refused: list[tuple[Any, Any]] = [("\ud800", False), (3, False), ("k", object()), ("k", float("nan"))]
    for key, default in refused:
        with pytest.raises(InvalidArgumentError):
            client.flag(key, default)


def test_many_flags_come_in_one_call(client: Client) -> None:
    found = client.variation_many(["yes", "text", "missing", "json"], ADA)
    assert list(found) == ["yes", "text", "missing", "json"]
    assert [detail.value for detail in found.values()] == [
        True,
        "grüße\0!",
        None,
        {"a": [1, 2.5, None, True], "b": {"c": "d"}},
    ]
    assert found["missing"].reason.error_kind is ErrorKind.FLAG_NOT_FOUND
    assert client.variation_many({"missing": 7, "yes": False}, ADA)["missing"].value == 7
    assert client.variation_many([], ADA) == {}
    assert client.variation_many(["yes", "\ud800"], ADA)["yes"].value is True
    nobody = client.variation_many(["yes"], None)["yes"]
    assert nobody.reason.error_kind is ErrorKind.USER_NOT_SPECIFIED


@pytest.mark.parametrize("context", [None, {}, {"kind": "user", "key": "u"}, "ada", 3, object(), Config()])
def test_no_context_gives_the_default_and_says_so(client: Client, context: Any) -> None:
    assert client.bool_variation("yes", context, False) is False
    assert client.int_variation("int", context, 7) == 7
    assert client.float_variation("int", context, 7.5) == 7.5
    assert client.string_variation("text", context, "x") == "x"
    assert client.variation("json", context, None) is None
    assert client.flag("yes", False).value(context) is False
    assert client.flag("int", 7).value(context) == 7
    assert client.flag("text", "x").value(context) == "x"
    for detail in (client.variation_detail("yes", context, 7), client.flag("yes", 7).detail(context)):
        assert (detail.value, detail.variation_index) == (7, None)
        assert detail.reason == EvaluationReason(ReasonKind.ERROR, ErrorKind.USER_NOT_SPECIFIED)


@pytest.mark.parametrize("key", ["\ud800", "", "x" * 300, "x" * 1_000_000, "a\0b", None, 3, b"yes", object()])
def test_a_key_that_is_none_gives_the_default(client: Client, key: Any) -> None:
    assert client.bool_variation(key, ADA, False) is False
    assert client.bool_variation(key, ADA, True) is True
    assert client.int_variation(key, ADA, 7) == 7
    assert client.float_variation(key, ADA, 7.5) == 7.5
    assert client.variation(key, ADA, "x") == "x"
    detail = client.variation_detail(key, ADA, "x")
    assert detail.reason == EvaluationReason(ReasonKind.ERROR, ErrorKind.FLAG_NOT_FOUND)


@pytest.mark.parametrize("default", [float("nan"), 10**5000, object(), {1}, [], b"x"], ids=lambda it: type(it).__name__)
def test_any_object_may_be_a_default(client: Client, default: Any) -> None:
    assert client.variation("missing", ADA, default) is default
    assert client.variation_detail("missing", ADA, default).value is default


def test_an_integer_of_any_length_comes_through_and_takes_no_other_flag_with_it(environment: Environment) -> None:
    digits = "7" * 4_301 + "0" * 4_301
    long = value_flag("long", 1, {"n": 0, "m": 0}).replace('"n": 0', f'"n": {digits}').replace('"m": 0', f'"m": -{digits}')
    environment.write(long=long, yes=bool_flag("yes", 1, True))
    client = environment.client()
    expected = int("7" * 4_000) * 10**4_602 + int("7" * 301) * 10**4_301
    many = client.variation_many(["long", "yes"], ADA)
    values = client.all_flags_state(ADA).values()
    for value in (many["long"].value, client.variation("long", ADA, None), client.flag("long").value(ADA), values["long"]):
        # Not compared whole: a failure would be shown.
        assert value
        assert (value["n"] == expected, value["m"] == -expected) == (True, True)
    assert many["yes"].value is True and values["yes"] is True


def test_a_value_that_python_cannot_hold_gives_the_default_and_says_why(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    environment.write(deep=value_flag("deep", 1, json.loads("[" * 60 + "]" * 60)))
    client = environment.client()

    def deeper(left: int) -> Any:
        return deeper(left - 1) if left else client.json_variation_detail("deep", ADA, "default")

    found = []
    for depth in range(400, 1_000):
        try:
            found.append(deeper(depth))
        except RecursionError:
            break
    failures = [detail for detail in found if detail.value == "default"]
    assert all(detail.reason.error_kind is ErrorKind.EXCEPTION for detail in failures)
    assert not [record for record in caplog.records if "UTF-8" in record.getMessage()]


def test_misuse_is_logged_once(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    client = environment.client()
    with caplog.at_level(logging.WARNING, "flagstone"):
        for _ in range(5):
            client.bool_variation("yes", None, False)
            client.bool_variation("\ud800", ADA, False)
    messages = [record.getMessage() for record in caplog.records]
    assert len([text for text in messages if "NoneType" in text]) == 1
    assert len([text for text in messages if "UTF-8" in text]) == 1


@pytest.mark.parametrize("residency", ["all", "lazy", "off"])
def test_every_residency_gives_the_same_answers(environment: Environment, residency: str) -> None:
    environment.write(yes=bool_flag("yes", 1, True), text=value_flag("text", 1, "t"), int=value_flag("int", 1, 3))
    client = environment.client(cache_residency=residency)
    for _ in range(3):
        assert client.bool_variation("yes", ADA, False) is True
        assert client.int_variation("int", ADA, 0) == 3
        assert client.flag("yes", False).value(ADA) is True
        assert client.variation_many(["text", "none"], ADA)["text"].value == "t"
        assert client.variation_detail("none", ADA, 1).reason.error_kind is ErrorKind.FLAG_NOT_FOUND

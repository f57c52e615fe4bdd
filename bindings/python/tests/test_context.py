"""Contexts: every way to make one, and everything that is none."""

from __future__ import annotations

import copy
import json
import pickle
from collections import ChainMap
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from flagstone import Client, Config, Context, InvalidArgumentError, TestData

RECURSIVE: dict[str, Any] = {"kind": "user", "key": "u"}
RECURSIVE["self"] = RECURSIVE
DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]


def test_a_context_reads_back_as_it_was_made() -> None:
    context = Context("ada", email="ada@example.org", name="Ada", anonymous=True, tags=["x", 1, None])
    assert context.to_dict() == {
        "kind": "user",
        "key": "ada",
        "name": "Ada",
        "anonymous": True,
        "email": "ada@example.org",
        "tags": ["x", 1, None],
    }
    assert Context.from_dict(context.to_dict()) == context
    assert Context.from_json(context.to_json_string()) == context
    assert eval(repr(context)) == context


def test_a_builder_makes_what_the_json_form_says() -> None:
    built = Context.builder("k").kind("org").name("N").set("address", {"street": "s"}).private("/address/street").build()
    form = {"kind": "org", "key": "k", "name": "N", "address": {"street": "s"}}
    assert built == Context.from_dict({**form, "_meta": {"privateAttributes": ["/address/street"]}})
    assert built.fully_qualified_key == "org:k"


def test_several_kinds_join_into_one_context() -> None:
    user, org = Context("u"), Context.create("o", "org")
    joined = Context.create_multi(user, org)
    assert joined == Context.multi_builder().add(org).add(user).build()
    assert joined.fully_qualified_key == "org:o:user:u"
    assert joined.to_dict() == {"kind": "multi", "org": {"key": "o"}, "user": {"key": "u"}}
    assert Context.create_multi(user) == user


def test_a_user_without_kind_is_read() -> None:
    assert Context.from_dict({"key": "u", "custom": {"plan": "p"}}).to_dict() == {
        "kind": "user",
        "key": "u",
        "plan": "p",
    }


def test_contexts_are_values() -> None:
    context = Context("ada", email="ada@example.org")
    assert len({context, Context("ada", email="ada@example.org"), Context("bob")}) == 2
    assert pickle.loads(pickle.dumps(context)) == context
    assert copy.deepcopy(context) == context
    assert context != "ada"


def test_private_attributes_are_equal_in_any_order() -> None:
    one, other = Context.builder("k").private("a", "/b/c").build(), Context.builder("k").private("/b/c", "a", "a").build()
    assert one == other and hash(one) == hash(other)
    org = Context("o", "org")
    assert Context.create_multi(one, org) == Context.create_multi(org, other)
    assert one != Context.builder("k").private("a").build()
    assert one != Context("k")


def test_a_list_named_as_the_private_attributes_keeps_its_order() -> None:
    def nested(*names: str) -> Context:
        return Context("k", data={"_meta": {"privateAttributes": list(names)}})

    assert nested("a", "b") == nested("a", "b") != nested("b", "a")


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (False, 0), ([True], [1]), ({"a": False}, {"a": 0}), ("1", 1), ([1], [1, 1])]
)
def test_contexts_with_attributes_of_different_types_differ(one: object, other: object) -> None:
    assert Context("k", attribute=one) != Context("k", attribute=other)
    assert Context("k", attribute=one) == Context("k", attribute=one)


def test_numbers_are_equal_however_they_are_written() -> None:
    assert Context("k", number=1) == Context("k", number=1.0)


@pytest.mark.parametrize(("name", "reference"), [("a", "a"), ("a/b~", "a/b~"), ("/a/b~c", "/~1a~1b~0c"), ("/", "/~1")])
def test_private_by_name_takes_every_character_as_it_is(name: str, reference: str) -> None:
    assert Context.builder("k").private_names(name).build() == Context.builder("k").private(reference).build()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "user"},
        {"kind": "user", "key": ""},
        {"kind": "user", "key": 3},
        {"kind": "user", "key": None},
        {"kind": "kind", "key": "k"},
        {"kind": "ü", "key": "k"},
        {"kind": "", "key": "k"},
        {"kind": 3, "key": "k"},
        {"kind": "multi"},
        {"kind": "multi", "user": "u"},
        {"kind": "user", "key": "k", "name": 3},
        {"kind": "user", "key": "k", "anonymous": "yes"},
        {"kind": "user", "key": "k", "a": float("nan")},
        {"kind": "user", "key": "k", "a": float("inf")},
        {"kind": "user", "key": "k", "a": 10**400},
        {"kind": "user", "key": "k", "a": 10**5000},
        {"kind": "user", "key": "k", "a": datetime(2020, 1, 1)},
        {"kind": "user", "key": "k", "a": Decimal("NaN")},
        {"kind": "user", "key": "k", "a": Decimal("1E999999999")},
        {"kind": "user", "key": "k", "a": object()},
        {"kind": "user", "key": "k", "a": b"bytes"},
        {"kind": "user", "key": "k", "a": {("t",): 1}},
        {"kind": "user", "key": "k", "a": "\ud800"},
        {"kind": "user", "key": "\udfff"},
        {"kind": "user", "key": "k", "a": DEEP},
        RECURSIVE,
        None,
        "ada",
        b'{"key":"k"}',
        ["key", "k"],
        3,
    ],
    ids=lambda data: type(data).__name__,
)
def test_what_is_no_context_is_a_value_error(data: Any) -> None:
    with pytest.raises(ValueError) as caught:
        Context.from_dict(data)
    assert isinstance(caught.value, InvalidArgumentError)
    assert str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", b"\xff", "\ud800", None, 3, '{"kind":"user"}'])
def test_text_that_is_no_context_is_a_value_error(text: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        Context.from_json(text)


def test_a_builder_refuses_what_is_no_context() -> None:
    with pytest.raises(InvalidArgumentError, match="key"):
        Context.builder("").build()
    with pytest.raises(InvalidArgumentError):
        Context.builder("k").kind("multi").build()
    with pytest.raises(InvalidArgumentError):
        Context.builder("k").kind("").build()
    with pytest.raises(InvalidArgumentError):
        Context.builder("k").set("_meta", {})
    with pytest.raises(InvalidArgumentError):
        Context.builder("k").set(3, {})  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        Context.create_multi()
    with pytest.raises(InvalidArgumentError):
        Context.create_multi(Context("a"), Context("b"))
    with pytest.raises(InvalidArgumentError):
        Context.create_multi(Context("a"), None)  # type: ignore[arg-type]


class Plan(Enum):
    TEAM = "team"


class Level(IntEnum):
    HIGH = 3


class Words(str, Enum):
    ADA = "ada"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (123, "123"),
        (-(2**70), str(-(2**70))),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Plan.TEAM, "team"),
        (Level.HIGH, "3"),
        (Words.ADA, "ada"),
    ],
    ids=repr,
)
def test_what_keys_are_made_of_is_taken_as_its_text(key: Any, text: str) -> None:
    for context in (Context(key), Context.create(key), Context.builder(key).build(), Context.builder("x").key(key).build()):
        assert context.key == text and context == Context(text)


@pytest.mark.parametrize(
    "key", [None, "", True, 1.5, Decimal(1), b"k", date(2020, 1, 1), ["k"], object()], ids=lambda key: type(key).__name__
)
def test_what_is_no_key_is_a_value_error(key: Any) -> None:
    for make in (Context, Context.create, lambda key: Context.builder(key).build()):
        with pytest.raises(InvalidArgumentError, match="key"):
            make(key)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "2020-01-02T03:04:05+00:00"),
        (datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-2))), "2020-01-02T03:04:05.000006-02:00"),
        (date(2020, 1, 2), "2020-01-02"),
        (Decimal("1.5"), 1.5),
        (Decimal("10"), 10),
        (Decimal("1E2"), 100),
        (Plan.TEAM, "team"),
        (Level.HIGH, 3),
        (Words.ADA, "ada"),
        ((1, "b"), [1, "b"]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({"a", 1}, [1, "a"]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        ({1: "one"}, {"1": "one"}),
        ([{"deep": (Plan.TEAM, {Level.HIGH})}], [{"deep": ["team", [3]]}]),
    ],
    ids=lambda it: type(it).__name__,
)
def test_values_that_json_does_not_know_are_converted_as_documented(value: Any, form: Any) -> None:
    made = [Context("k", a=value), Context.builder("k").set("a", value).build()]
    made.append(Context.from_dict({"kind": "user", "key": "k", "a": value}))
    for context in made:
        assert context.get("a") == form and type(context.get("a")) is type(form)
        assert context == Context("k", a=form)


def test_a_moment_as_an_attribute_is_one_for_a_rule() -> None:
    rule = {"clauses": [{"attribute": "at", "op": "after", "values": ["2020-01-01T00:00:00Z"]}], "variation": 1, "id": "r"}
    flag = {"key": "f", "version": 1, "on": True, "variations": [False, True], "fallthrough": {"variation": 0}, "salt": ""}
    data = TestData().set_flag({**flag, "rules": [rule]})
    with Client(Config(test_data=data)) as client:
        assert client.variation("f", Context("k", at=datetime(2020, 1, 2, tzinfo=timezone.utc)), False) is True
        assert client.variation("f", Context("k", at=datetime(2019, 1, 2, tzinfo=timezone.utc)), True) is False


def test_a_context_tells_what_it_holds() -> None:
    builder = Context.builder("ada").name("Ada").set("address", {"street": "s", "nr": 3}).set("a/b", 1)
    ada = builder.private("/address/street", "email").anonymous(True).build()
    assert (ada.key, ada.kind, ada.kinds, ada.name, ada.anonymous) == ("ada", "user", ["user"], "Ada", True)
    assert (ada.get("key"), ada.get("address"), ada.get("/address/nr"), ada.get("a/b")) == (
        "ada",
        {"street": "s", "nr": 3},
        3,
        1,
    )
    assert ada.get("missing") is ada.get("/address/missing") is None
    assert ada.private_attributes == ["/address/street", "email"]
    assert ada.individual("user") == ada
    assert ada.individual("org") is ada.individual("") is None
    odd: list[Any] = ["", "/", "//", "/a~2", 3, None]
    for reference in odd:
        with pytest.raises(InvalidArgumentError):
            ada.get(reference)


def test_a_multi_kind_context_tells_what_its_members_hold() -> None:
    both = Context.create_multi(Context("ada", plan="team"), Context("acme", "org", name="Acme"))
    assert (both.key, both.kind, both.kinds, both.name, both.anonymous) == ("", "multi", ["org", "user"], None, False)
    assert both.get("plan") is both.get("key") is None and both.private_attributes == []
    org, user = both.individual("org"), both.individual("user")
    assert org and user and (org.name, user.get("plan")) == ("Acme", "team")
    assert both.individual("device") is both.individual("") is None


def test_a_context_cannot_be_changed() -> None:
    context = Context("ada")
    for name in ("key", "_h", "other"):
        with pytest.raises(AttributeError):
            setattr(context, name, "x")
    assert copy.copy(context) is context and context.key == "ada"


def test_a_class_made_from_context_makes_contexts() -> None:
    class User(Context):
        def __init__(self, number: int) -> None:
            super().__init__(number, plan="team")

    data = TestData().update(TestData().flag("f"))
    with Client(Config(test_data=data)) as client:
        for default in (False, None):
            assert client.variation("f", User(3), default) is client.flag("f", default).value(User(3)) is True
        assert client.bool_variation_detail("f", User(3), False).value is True
    assert User(3) == Context("3", plan="team")
    assert type(pickle.loads(pickle.dumps(User(3)))) is Context


def test_large_and_unusual_values_pass_unharmed() -> None:
    values = {"long": "x" * 1_000_000, "nul": "a\0b", "emoji": "😀", "big": 2**60, "small": 5e-324, "": "empty name"}
    context = Context.from_dict({"kind": "user", "key": "k\0", **values})
    assert json.loads(context.to_json_string())["long"] == values["long"]
    assert context.to_dict()["nul"] == "a\0b"
    assert context.to_dict()["emoji"] == "😀"

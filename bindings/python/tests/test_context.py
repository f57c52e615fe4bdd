"""Contexts: every way to make one, and everything that is none."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from flagstone import Context, InvalidArgumentError

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
        {"kind": "user", "key": "k", "a": {1, 2}},
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


def test_large_and_unusual_values_pass_unharmed() -> None:
    values = {"long": "x" * 1_000_000, "nul": "a\0b", "emoji": "😀", "big": 2**60, "small": 5e-324, "": "empty name"}
    context = Context.from_dict({"kind": "user", "key": "k\0", **values})
    assert json.loads(context.to_json_string())["long"] == values["long"]
    assert context.to_dict()["nul"] == "a\0b"
    assert context.to_dict()["emoji"] == "😀"

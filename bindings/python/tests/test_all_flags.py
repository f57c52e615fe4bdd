"""The state of all flags and the secure mode hash."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from flagstone import AllFlagsState, Client, ClosedError, Config, Context, InvalidArgumentError
from support import Environment, Server, bool_flag, value_flag

ADA = Context("ada")
INVALID = '{"$valid":false,"$flagsState":{}}'
SDK_KEY = "sdk-01234567-89ab-cdef-0123-456789abcdef"


def with_members(text: str, **members: Any) -> str:
    return json.dumps({**json.loads(text), **members})


@pytest.fixture(scope="module")
def environment(server: Server) -> Iterator[Environment]:
    environment = Environment(server)
    environment.write(
        text=with_members(value_flag("text", 3, "grün"), clientSide=True),
        json=value_flag("json", 2, {"a": [1, 2.5, None]}),
        tracked=with_members(bool_flag("tracked", 1, True), trackEvents=True, clientSide=True),
        none=with_members(bool_flag("none", 4, True), on=False, offVariation=None),
    )
    yield environment
    environment.close()


@pytest.fixture(scope="module")
def client(environment: Environment) -> Client:
    return environment.client()


def test_the_text_is_that_of_the_library(client: Client) -> None:
    state = client.all_flags_state(ADA)
    assert state.valid
    assert state.to_json() == (
        '{"json":{"a":[1,2.5,null]},"none":null,"text":"gr\\u00fcn","tracked":true,"$flagsState":{'
        '"json":{"variation":0,"version":2},"none":{"version":4},"text":{"variation":0,"version":3},'
        '"tracked":{"variation":0,"version":1,"trackEvents":true}},"$valid":true}'
    )


def test_values_are_those_of_the_text(client: Client) -> None:
    state = client.all_flags_state(ADA)
    assert state.to_dict() == json.loads(state.to_json())
    assert state.values() == {"json": {"a": [1, 2.5, None]}, "none": None, "text": "grün", "tracked": True}
    assert state.value("text") == "grün"
    assert state.value("no-such-flag") is None
    assert state.value("$valid") is None
    assert state == client.all_flags_state(ADA)
    assert hash(state) == hash(client.all_flags_state(ADA))
    assert state != client.all_flags_state(ADA, with_reasons=True)


def test_each_option_changes_what_it_says(client: Client) -> None:
    assert client.all_flags_state(ADA, client_side_only=True).values() == {"text": "grün", "tracked": True}
    assert client.all_flags_state(ADA, with_reasons=True).to_dict()["$flagsState"]["none"] == {
        "version": 4,
        "reason": {"kind": "OFF"},
    }
    tracked = client.all_flags_state(ADA, details_only_for_tracked_flags=True).to_dict()["$flagsState"]
    assert tracked["text"] == {"variation": 0}
    assert tracked["tracked"] == {"variation": 0, "version": 1, "trackEvents": True}


@pytest.mark.parametrize("residency", ["all", "lazy", "off"])
def test_every_residency_gives_the_same_state(environment: Environment, client: Client, residency: str) -> None:
    assert environment.client(cache_residency=residency).all_flags_state(ADA) == client.all_flags_state(ADA)


def test_without_a_context_the_state_is_not_valid(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.all_flags_state(None).to_json() == INVALID
    state = client.all_flags_state(None)
    assert not state.valid
    assert state.values() == {}
    assert "invalid" in repr(state)
    with caplog.at_level(logging.WARNING, "flagstone"):
        assert not client.all_flags_state("ada").valid  # type: ignore[arg-type]
    assert "not Context" in caplog.text


def test_before_the_first_read_the_state_is_not_valid(environment: Environment) -> None:
    assert not Client(environment.config()).all_flags_state(ADA).valid


def test_after_close_it_is_refused(environment: Environment) -> None:
    client = environment.client(sdk_key=SDK_KEY, events_enabled=False)
    client.close()
    with pytest.raises(ClosedError):
        client.all_flags_state(ADA)
    with pytest.raises(ClosedError):
        client.secure_mode_hash(ADA)


def test_a_state_is_parsed_when_values_are_asked_for_and_not_before() -> None:
    state = AllFlagsState('not JSON but "$valid":true}')
    assert state.valid
    assert state.to_json().startswith("not JSON")
    with pytest.raises(ValueError):
        state.values()


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (Context("user-key-123"), "73df666a13f2c474e50aa34ca5a761e89abb737fb139ff65fdde7fa85c9dcacd"),
        (Context("user-key-123", "other"), "98a933ca26d2951547fc021981ebcdeda95fbca2ac3f767ae67f7042d5458f72"),
        (
            Context.create_multi(Context("u", name="Ada"), Context("o", "org")),
            "14239639406305ac30148d6f261e8f3554685def7c7e1598cddffc9f21d98368",
        ),
    ],
)
def test_the_hash_is_that_of_launchdarklys_sdks(context: Context, expected: str) -> None:
    assert Client(Config(sdk_key=SDK_KEY, events_enabled=False)).secure_mode_hash(context) == expected


def test_the_hash_needs_a_key_and_a_context() -> None:
    with pytest.raises(InvalidArgumentError, match=r"sdk\.key"):
        Client(Config()).secure_mode_hash(ADA)
    with pytest.raises(InvalidArgumentError, match="context"):
        Client(Config(sdk_key=SDK_KEY, events_enabled=False)).secure_mode_hash(None)  # type: ignore[arg-type]

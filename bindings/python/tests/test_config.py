"""Options: one keyword each, as in the header."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT, Environment, bool_flag
from flagstone import Client, Config, Context, FlagstoneError, InvalidArgumentError
from flagstone.config import OPTIONS


def listed() -> dict[str, str]:
    """The options in the header, with their defaults."""
    header = (PROJECT / "include" / "flagstone.h").read_text()
    part = header[header.index("OPTIONS (flagstone_config_set)") : header.index("#ifndef FLAGSTONE_H")]
    return dict(re.findall(r"^ \*   ([a-z_]+\.[a-z_.]+)\s+(\S+)", part, flags=re.MULTILINE))


def test_every_option_of_the_header_has_a_keyword_named_like_it() -> None:
    assert set(OPTIONS.values()) == listed().keys()
    for keyword, name in OPTIONS.items():
        assert keyword == name.replace(".", "_")
    keywords = list(inspect.signature(Config).parameters)
    assert keywords == [*OPTIONS, "options"]


def test_every_keyword_is_documented_with_its_default() -> None:
    documented = {
        keyword: " ".join(text.split())
        for keyword, text in re.findall(r":param (\w+): (.*?)(?=\n *:)", Config.__doc__ or "", flags=re.DOTALL)
    }
    for keyword, name in OPTIONS.items():
        default = listed()[name].strip("()")
        expected = {"none": "Default: none", "built-in": "built in"}.get(default, f"efault ``{default}``")
        text = documented[keyword]
        assert expected in text or f"Default {default}" in text, (keyword, text)


def test_options_are_set_by_keyword_and_by_name(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    named: dict[str, Any] = {"redis.url": environment.server.url, "redis.prefix": environment.prefix}
    config = Config(redis_url="redis://localhost:1", options={**named, "cache.ttl_ms": 500}, cache_freshness="ttl")
    with Client(config) as client:
        assert client.variation("a", Context("u"), False) is True
        assert client.status().freshness == "ttl"


@pytest.mark.parametrize(
    "options",
    [
        {"redis_url": "http://localhost"},
        {"redis_database": -1},
        {"cache_residency": "everything"},
        {"cache_ttl_ms": 0},
        {"cache_ttl_ms": "soon"},
        {"cache_ttl_ms": 1.5},
        {"redis_prefix": b"bytes"},
        {"redis_prefix": "\ud800"},
        {"options": {"no.such.option": 1}},
        {"options": {"cache.ttl_ms": None}},
        {"options": {3: "x"}},
    ],
)
def test_a_value_that_does_not_fit_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        Config(**options)
    assert isinstance(caught.value, InvalidArgumentError)


def test_options_that_do_not_fit_together_are_refused_when_a_client_is_made(tmp_path: Path) -> None:
    with pytest.raises(FlagstoneError, match="ca_file"):
        Client(Config(redis_url="rediss://localhost", redis_tls_ca_file=tmp_path / "missing.pem"))
    with pytest.raises(InvalidArgumentError):
        Client("redis://localhost")  # type: ignore[arg-type]


def test_passwords_are_not_shown() -> None:
    config = Config(sdk_key="geheim", redis_url="redis://user:geheim@localhost", redis_password="geheim")
    assert "geheim" not in repr(config)
    with pytest.raises(ValueError) as caught:
        Config(redis_url="http://user:geheim@localhost")
    assert "geheim" not in str(caught.value)

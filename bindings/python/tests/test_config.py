"""Options: one keyword each, as in the header."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flagstone import (
    BigSegmentStore,
    Client,
    Config,
    Context,
    FlagstoneError,
    Hook,
    InvalidArgumentError,
    Plugin,
    RedisCredentials,
    TestData,
)
from flagstone._options import OPTIONS
from support import PROJECT, Environment, bool_flag


class Empty(BigSegmentStore):
    def metadata(self) -> None:
        return None

    def membership(self, context_hash: str) -> None:
        return None


@dataclass
class Vault:
    secret: str

    def login(self) -> RedisCredentials:
        return login(self.secret)


def login(secret: str = "") -> RedisCredentials:
    return RedisCredentials("svc", secret)


#: Defaults that the header puts into words.
IN_WORDS = {
    "(none)": "Default: none",
    "(built-in)": "built in",
    "(LaunchDarkly's)": "Default: LaunchDarkly's",
    "(environment)": "Default: that of the environment",
    "(by source)": "Default by source",
    "(redis.url)": "Default: ``redis_url``",
    "(redis.prefix)": "Default: ``redis_prefix``",
    "(AWS_REGION)": "Default: that of the environment (``AWS_REGION``",
}


def listed() -> dict[str, str]:
    """The options in the header, with their defaults."""
    header = (PROJECT / "include" / "flagstone.h").read_text()
    part = header[header.index("OPTIONS (flagstone_config_set)") : header.index("#ifndef FLAGSTONE_H")]
    found = dict(re.findall(r"^ \*   ([a-z0-9_.]+)  +(\([^)]+\)|\S+)", part, flags=re.MULTILINE))
    assert found.pop("name") == "default"
    return found


def test_every_option_of_the_header_has_a_keyword_named_like_it() -> None:
    assert set(OPTIONS.values()) == listed().keys()
    for keyword, name in OPTIONS.items():
        assert keyword == name.replace(".", "_")
    keywords = list(inspect.signature(Config).parameters)
    assert keywords == [
        *OPTIONS,
        "test_data",
        "hooks",
        "plugins",
        "big_segment_store",
        "options",
        "events_queue_capacity",
    ], "the last one is refused"


def test_every_keyword_is_documented_with_its_default() -> None:
    documented = {
        keyword: " ".join(text.split())
        for keyword, text in re.findall(r":param (\w+): (.*?)(?=\n *:)", Config.__doc__ or "", flags=re.DOTALL)
    }
    for keyword, name in OPTIONS.items():
        default = listed()[name]
        expected = IN_WORDS.get(default, f"efault ``{default}``")
        text = documented[keyword]
        assert expected in text or f"Default {default}" in text, (keyword, text)


def test_every_keyword_takes_its_native_type_and_reaches_the_library() -> None:
    samples: dict[str, Any] = {
        "redis_url": "redis://localhost",
        "redis_credentials": "host",
        "redis_aws_service": "memorydb",
        "big_segments_url": "redis://localhost:6380",
        "redis_keyspace_notifications": "assume",
        "cache_residency": "all",
        "cache_freshness": "push",
        "cache_on_wipe": "keep",
        "evaluation_integer_rounding": "truncate",
        "log_level": "info",
        "source_kind": "stream",
        "fdv2_initializers": ["poll http://localhost:1", "poll"],
        "fdv2_synchronizers": ("stream",),
        "fdv2_fallback": "none",
        "retry_mode": "extended",
        "http_headers": {"X-Team": "red", "X-Ünicode": "å"},
        "http_proxy": "http://localhost:1",
        "file_paths": [Path("a.json"), "b.json"],
        "file_duplicates": "first",
        "snapshot_file": Path("flags"),
        "events_private_attributes": ["name", "/address/street"],
        "events_spool": Path("spool"),
    }
    for keyword, parameter in inspect.signature(Config).parameters.items():
        if keyword == "events_queue_capacity":
            continue
        if keyword in samples:
            value = samples[keyword]
        elif keyword.startswith("endpoints_"):
            value = "http://localhost:1/base"
        elif keyword == "test_data":
            value = TestData()
        elif keyword in ("hooks", "plugins"):
            value = [Hook()] if keyword == "hooks" else (Plugin(),)
        elif keyword == "big_segment_store":
            value = Empty()
        elif keyword == "options":
            value = {"http.headers": {"X": "y"}, "file.paths": ("a", Path("b"))}
        else:
            value = {"bool": True, "int": 5}.get(parameter.annotation.split(" ")[0], "text")
        Config(**{keyword: value})


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
        {"http_headers": {"X-Number": 1}},
        {"http_headers": ["X"]},
        {"http_headers": {"X": object()}},
        {"file_paths": "a.json"},
        {"file_paths": [b"a.json"]},
        {"file_paths": [1]},
        {"snapshot_file": b"flags"},
        {"poll_allow_short": "maybe"},
        {"endpoints_relay": "localhost:8030"},
        {"source_kind": "carrier pigeon"},
        {"test_data": {}},
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
    for alone in ("stream", "poll", "file", "testdata"):
        with pytest.raises(InvalidArgumentError):
            Client(Config(source_kind=alone))


def test_passwords_are_not_shown() -> None:
    config = Config(sdk_key="geheim", redis_url="redis://user:geheim@localhost", redis_password="geheim")
    assert "geheim" not in repr(config)
    with pytest.raises(ValueError) as caught:
        Config(redis_url="http://user:geheim@localhost")
    assert "geheim" not in str(caught.value)


def test_a_config_shows_what_it_was_given_and_no_secrets(tmp_path: Path) -> None:
    secret = "s3cr3t%2F%40"
    config = Config(
        sdk_key=secret,
        redis_url=f"rediss://user:{secret}@host:6379/0",
        redis_password=secret,
        redis_ping_ms=500,
        redis_tls_skip_verify=True,
        http_headers={"Authorization": secret},
        http_proxy=f"http://user:{secret}@proxy:3128",
        file_paths=["a.json", Path("b.json")],
        options={"redis.password": secret, "log.level": "warn"},
    )
    assert repr(config) == (
        "Config(sdk_key='***', redis_url='rediss://***@host:6379/0', redis_password='***', redis_ping_ms=500, "
        "redis_tls_skip_verify=True, log_level='warn', http_proxy='http://***@proxy:3128', "
        "http_headers={'Authorization': '***'}, file_paths=['a.json', 'b.json'])"
    )
    assert "cret" not in repr(Config(redis_url="unix:///run/redis.sock?pass=secret"))
    assert repr(Config()) == "Config()"
    # What shows a provider may show what it was made of.
    assert repr(Config(redis_credentials=partial(login, secret))) == "Config(redis_credentials=<provider partial>)"
    assert repr(Config(redis_credentials=login)) == "Config(redis_credentials=<provider login>)"
    assert repr(Config(redis_credentials=Vault(secret).login)) == "Config(redis_credentials=<provider Vault.login>)"
    assert repr(Config(test_data=TestData())).startswith("Config(test_data=<flagstone.testdata.TestData object at ")

"""The address forms of docs/redis-addresses.md go through the options; what is refused names the option and no secret."""

from __future__ import annotations

import re

import pytest

from flagstone import Client, Config, InvalidArgumentError
from support import PROJECT

PAGE = (PROJECT / "docs" / "redis-addresses.md").read_text()
#: What the page tells to write: the last column of its tables.
FORMS = sorted(
    {
        form
        for line in PAGE.splitlines()
        if line.startswith("|")
        for form in re.findall(
            r"`((?:redis|rediss|valkey|valkeys|unix)[+\w]*://[^`]+)`", line.rstrip("| ").rpartition(" | ")[2]
        )
    }
)


def test_the_page_lists_every_topology() -> None:
    assert len(FORMS) >= 12
    for scheme in ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://"):
        assert any(form.startswith(scheme) for form in FORMS), scheme


@pytest.mark.parametrize("form", FORMS)
def test_an_address_of_the_page_makes_a_client_that_shows_no_secret(form: str) -> None:
    config = Config(redis_url=form, redis_connect_timeout_ms=50)
    with_secrets = re.search(r"://[^/]*:(\w+)@|assword=(\w+)|pass=(\w+)", form)
    client = Client(config)
    try:
        redis = client.status().redis
        assert redis and redis.topology in ("standalone", "sentinel", "cluster")
        assert ("+sentinel" in form) == (redis.topology == "sentinel")
        if "+sentinel" in form:
            assert redis.service == "main" and len(redis.sentinels) == 1 + form.split("@")[-1].split("?")[0].count(",")
        if with_secrets:
            login = form[form.index("://") + 3 :].partition("@")[0] if "@" in form else form.partition("?")[2]
            assert login not in repr(config) + str(client.status())
    finally:
        client.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://a,b", "redis\\+sentinel"),
        ("redis://geheim:geheim@a,b", "redis\\+sentinel"),
        ("redis+sentinel://s1,s2", "service"),
        ("redis+sentinel://s1/main?read=sometimes", "read"),
        ("redis://h?read=prefer-replica", "read"),
        ("redis://h?no_such_option=geheim", "no_such_option"),
        ("h:6379,password=geheim", "URL|scheme|://"),
        ("http://geheim:geheim@h", "rediss://"),
        ("redis://[::1", "redis.url"),
    ],
)
def test_an_address_that_is_none_is_refused_by_the_name_of_the_option(url: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Client(Config(redis_url=url))
    assert "redis.url" in str(caught.value) and re.search(problem, str(caught.value)), caught.value
    assert "geheim" not in str(caught.value)

"""Where Redis is, who logs in and how it tells of changes, as the status says it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flagstone import Client, Config, RedisStatus, TestData
from flagstone.redis_status import CredentialsStatus, RedisNode, SentinelStatus, WatchRung, WatchStatus
from flagstone.status import Status
from support import PATIENCE, Environment, Server, bool_flag, free_port, until

SENTINEL = json.loads("""{
  "topology": "sentinel", "address": "10.0.0.1:6379", "database": 2, "role": "primary", "service": "main",
  "sentinels": [{"address": "s1:26379", "error": null}, {"address": "s2:26379", "error": "it is a data node"}],
  "asked": "s1:26379",
  "credentials": {"source": "host", "user": "svc", "expires_in_ms": 512300, "state": "refused", "error": "WRONGPASS"}
}""")
CLUSTER = json.loads("""{
  "topology": "cluster", "address": null, "database": 0,
  "nodes": [{"address": "n1:7000", "holds": ["features", "$inited"], "role": "primary"},
            {"address": "n2:7001", "holds": ["segments"], "role": "replica"}],
  "credentials": null
}""")
WATCH = json.loads("""{
  "rung": "RESP3 broadcast tracking", "reason": "the server has no hash-field notifications",
  "ladder": [{"rung": "hash-field notifications", "state": "refused", "reason": "ERR unknown flag"},
             {"rung": "RESP3 broadcast tracking", "state": "in force", "reason": null}]
}""")


def status(**members: Any) -> Status:
    return Status._from({"state": "VALID", "flags": 3, "freshness": "push", "freshness_reason": "told", **members})


def test_a_status_tells_sentinels_and_credentials() -> None:
    redis = status(redis=SENTINEL).redis
    assert redis == RedisStatus(
        topology="sentinel",
        address="10.0.0.1:6379",
        database=2,
        role="primary",
        service="main",
        sentinels=(SentinelStatus("s1:26379", None), SentinelStatus("s2:26379", "it is a data node")),
        asked="s1:26379",
        nodes=(),
        credentials=CredentialsStatus("host", "svc", 512_300, "refused", "WRONGPASS"),
    )
    assert str(redis) == (
        "sentinel main at primary 10.0.0.1:6379, database 2; sentinels s1:26379, s2:26379: it is a data node; "
        "credentials (host) of svc: refused, expire in 512 s (WRONGPASS)"
    )


def test_a_status_tells_the_nodes_of_a_cluster() -> None:
    redis = status(redis=CLUSTER).redis
    assert redis and redis.address is None and redis.credentials is None
    assert redis.nodes == (
        RedisNode("n1:7000", "primary", ("features", "$inited")),
        RedisNode("n2:7001", "replica", ("segments",)),
    )
    assert str(redis) == "cluster at n1:7000 (primary, features, $inited), n2:7001 (replica, segments), database 0"


def test_a_status_tells_how_redis_tells_of_changes() -> None:
    watch = status(watch=WATCH).watch
    refused = WatchRung("hash-field notifications", "refused", "ERR unknown flag")
    in_force = WatchRung("RESP3 broadcast tracking", "in force", None)
    reason = "the server has no hash-field notifications"
    assert watch == WatchStatus("RESP3 broadcast tracking", reason, (refused, in_force))
    assert str(watch) == f"RESP3 broadcast tracking ({reason})"
    assert [str(rung) for rung in watch.ladder] == [
        "hash-field notifications: refused (ERR unknown flag)",
        "RESP3 broadcast tracking: in force",
    ]


def test_a_status_is_one_line_for_people() -> None:
    told = status(redis=CLUSTER, watch=WATCH, last_error="it was cut")
    assert str(told) == (
        "VALID; 3 flags; freshness push by RESP3 broadcast tracking (the server has no hash-field notifications); Redis "
        "cluster at n1:7000 (primary, features, $inited), n2:7001 (replica, segments), database 0; last error: it was cut"
    )
    assert str(status()) == "VALID; 3 flags; freshness push (told)", "of a library that tells nothing of Redis"


@pytest.mark.parametrize(
    "redis",
    [
        {},
        {"topology": 3, "address": [], "database": "0", "role": {}, "service": 1, "sentinels": 7, "nodes": {}},
        {"sentinels": ["s1", None, 3], "nodes": [1], "credentials": "none", "further": {"a": 1}},
    ],
)
def test_what_a_library_says_otherwise_is_as_not_set(redis: dict[str, Any]) -> None:
    empty = RedisStatus("", None, 0, None, None, (), None, (), None)
    told = status(redis=redis, watch={"rung": 3, "ladder": [[]], "more": 1})
    assert told.redis == empty and told.watch == WatchStatus(None, None, ())
    assert str(told).endswith("; Redis at an address that is not known, database 0") and "by nothing;" in str(told)
    lacking = status(redis={"sentinels": [{}], "nodes": [{}], "credentials": {}}, watch={"ladder": [{}]})
    assert lacking.redis and lacking.redis.sentinels == (SentinelStatus("", None),)
    assert lacking.redis.nodes == (RedisNode("", None, ()),)
    assert lacking.redis.credentials == CredentialsStatus("", None, None, "", None)
    assert lacking.watch and lacking.watch.ladder == (WatchRung("", "", None),)
    others: list[Any] = [None, [], "no", 3]
    for form in others:
        none = status(redis=form, watch=form)
        assert none.redis is None and none.watch is None


def test_words_that_are_new_stand_as_they_are() -> None:
    told = status(redis={"topology": "mesh", "credentials": {"source": "vault", "state": "late"}}, watch={"rung": "dreams"})
    assert told.redis and told.redis.credentials and told.watch
    assert (told.redis.topology, told.redis.credentials.state, told.watch.rung) == ("mesh", "late", "dreams")


def test_a_client_tells_where_its_redis_is(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    redis = environment.client().status().redis
    assert redis and (redis.topology, redis.address) == ("standalone", f"127.0.0.1:{environment.server.port}")
    assert (redis.database, redis.sentinels, redis.nodes) == (0, (), ())
    with Client(Config(test_data=TestData())) as client:
        assert client.status().redis is None, "memory is all there is"


@pytest.fixture
def sentinel(server: Server, tmp_path: Path) -> Iterator[int]:
    """The port of a sentinel that watches over the service ``main``."""
    port, program = free_port(), shutil.which("redis-server")
    assert program
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {server.port} 1\n")
    process = subprocess.Popen([program, str(settings), "--sentinel"], stdout=subprocess.DEVNULL)
    yield port
    process.kill()
    process.wait()


def test_a_client_tells_its_sentinels_and_which_are_of_no_use(environment: Environment, sentinel: int) -> None:
    environment.write(a=bool_flag("a", 1, True))
    away = free_port()
    hosts = f"127.0.0.1:{sentinel},127.0.0.1:{away}"
    client = Client(environment.config(redis_url=f"redis+sentinel://{hosts}/main/0?read=prefer-replica"))
    try:
        # The sentinel needs a moment before it knows its service.
        assert until(lambda: client.start(1), 4 * PATIENCE), client.status()

        def told() -> RedisStatus:
            redis = client.status().redis
            assert redis
            return redis

        assert (told().topology, told().service, told().role) == ("sentinel", "main", "primary")
        assert told().address == f"127.0.0.1:{environment.server.port}"
        assert told().asked == f"127.0.0.1:{sentinel}"
        assert until(lambda: any(each.error for each in told().sentinels if each.address == f"127.0.0.1:{away}"))
        assert [each.address for each in told().sentinels if each.error is None] == [f"127.0.0.1:{sentinel}"]
        assert f"sentinel main at primary 127.0.0.1:{environment.server.port}" in str(client.status())
    finally:
        client.close(PATIENCE)

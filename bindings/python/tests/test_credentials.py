"""Credentials that change while a client lives: against a Redis with a user whose password becomes another one."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_servers import program

from flagstone import (
    Client,
    ClosedError,
    Config,
    Context,
    FlagstoneError,
    InvalidArgumentError,
    RedisCredentials,
    TestData,
    _credentials,
    _lib,
)
from support import PATIENCE, Environment, bool_flag, run_python, until, value_flag

ADA = Context("ada")
#: Redis is looked for again soon.
QUICK: dict[str, Any] = {"refresh_interval_ms": 500, "redis_ping_ms": 200}


class Tokens:
    """Who gives out passwords for a user of an environment's Redis: one at a time is good."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.user = f"svc-{environment.prefix}-{secrets.token_hex(4)}"
        self.calls = 0
        self.valid_for: float | None = None
        self.rotate()

    def rotate(self, apply: bool = True) -> None:
        """Another password is good from now on, and whoever has logged in by the old one is cut off."""
        self.password = secrets.token_hex(8)
        if apply:
            self.apply()

    def apply(self) -> None:
        redis: Any = self._environment.server.redis
        redis.execute_command("ACL", "SETUSER", self.user, "reset", "on", f">{self.password}", "~*", "&*", "+@all")
        try:
            redis.execute_command("CLIENT", "KILL", "USER", self.user)
        except Exception as error:  # nobody has logged in
            assert "No such client" in str(error)

    def provide(self) -> RedisCredentials:
        self.calls += 1
        return RedisCredentials(self.user, self.password, self.valid_for)

    async def provide_later(self) -> RedisCredentials:
        await asyncio.sleep(0.01)
        return self.provide()


def edited(environment: Environment, client: Client, version: int) -> bool:
    """Whether an edit arrives; the flag is never its default meanwhile."""
    environment.write(a=value_flag("a", version, version))

    def arrived() -> bool:
        value = client.variation("a", ADA, -1)
        assert value != -1, "the default"
        return bool(value == version)

    return until(arrived)


def test_flags_keep_coming_while_the_password_is_another_one_again_and_again(environment: Environment) -> None:
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    client = environment.client(redis_credentials=tokens.provide, **QUICK)
    for version in range(2, 6):
        tokens.rotate()
        assert edited(environment, client, version)
    assert tokens.calls >= 5
    credentials = client.status().redis.credentials  # type: ignore[union-attr]
    assert credentials and (credentials.source, credentials.user) == ("host", tokens.user)
    assert until(lambda: client.status().redis.credentials.state == "ok")  # type: ignore[union-attr]
    assert tokens.password not in str(client.status()) + repr(client.status())


def test_new_credentials_are_asked_for_before_the_old_ones_expire(environment: Environment) -> None:
    tokens = Tokens(environment)
    tokens.valid_for = 1.0
    environment.write(a=value_flag("a", 1, 1))
    client = environment.client(redis_credentials=tokens.provide, **QUICK)
    assert until(lambda: tokens.calls >= 3)
    expires = client.status().redis.credentials.expires_in_ms  # type: ignore[union-attr]
    assert expires is not None and 0 <= expires <= 1000
    assert edited(environment, client, 2)


def test_a_token_that_expires_while_redis_is_away_heals(own: Environment) -> None:
    tokens = Tokens(own)
    own.write(a=value_flag("a", 1, 1))
    client = own.client(redis_credentials=tokens.provide, **QUICK)
    own.server.stop()
    assert until(lambda: client.status().stale_since_ms is not None)
    tokens.rotate(apply=False)
    own.server.start()
    # The old password is as unknown as the user.
    tokens.apply()
    assert client.variation("a", ADA, -1) == 1
    assert edited(own, client, 2)


def test_a_start_waits_for_a_provider_that_fails_at_first(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_credentials, "PAUSES", (0.05, 0.2))
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    answers: list[Any] = [ConnectionError("vault is sealed"), None, "token", RedisCredentials(tokens.user, "wrong")]

    def provide() -> Any:
        answer = answers.pop(0) if answers else tokens.provide()
        if isinstance(answer, Exception):
            raise answer
        return answer

    with caplog.at_level(logging.WARNING, "flagstone"):
        client = environment.client(redis_credentials=provide, **QUICK)
    assert client.variation("a", ADA, -1) == 1 and answers == []
    told = [record for record in caplog.records if "provider of Redis credentials failed" in record.getMessage()]
    assert len(told) == 3 and "vault is sealed" in caplog.text and tokens.password not in caplog.text
    assert "wrong" not in caplog.text


def test_a_provider_that_hangs_holds_back_neither_listeners_nor_log_lines(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(environment)
    tokens.valid_for = 0.5
    environment.write(a=value_flag("a", 1, 1))
    hangs, go = threading.Event(), threading.Event()

    def provide() -> RedisCredentials:
        if tokens.calls:
            hangs.set()
            assert go.wait(4 * PATIENCE)
        return tokens.provide()

    client = environment.client(redis_credentials=provide, log_level="debug", **QUICK)
    heard: list[str] = []
    client.add_flag_change_listener(lambda change: heard.append(change.key))
    assert hangs.wait(PATIENCE)
    with caplog.at_level(logging.DEBUG, "flagstone"):
        # What is connected stays so.
        assert edited(environment, client, 2) and until(lambda: "a" in heard)
        tokens.rotate()
        assert until(lambda: any(record.name == "flagstone" for record in caplog.records))
    began = time.monotonic()
    assert client.variation("a", ADA, -1) == 2
    go.set()
    assert edited(environment, client, 3) and time.monotonic() - began < 2 * PATIENCE


def test_a_provider_of_coroutines_runs_on_the_loop_of_the_client(environment: Environment) -> None:
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    loops: list[Any] = []

    async def provide() -> RedisCredentials:
        loops.append(asyncio.get_running_loop())
        return await tokens.provide_later()

    config = environment.config(redis_credentials=provide, **QUICK)

    async def body() -> Client:
        client = Client(config)
        assert await client.astart(PATIENCE)
        assert loops == [asyncio.get_running_loop()]
        assert await client.variation_async("a", ADA, -1) == 1
        tokens.rotate()
        while len(loops) == 1:
            await asyncio.sleep(0.01)
        return client

    client = asyncio.run(asyncio.wait_for(body(), 4 * PATIENCE))
    assert len(set(loops)) == 1
    tokens.rotate()
    assert edited(environment, client, 2), "without the loop, too"
    assert client.close(PATIENCE)


def test_a_provider_of_coroutines_works_without_a_loop(environment: Environment) -> None:
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    client = environment.client(redis_credentials=tokens.provide_later, **QUICK)
    tokens.rotate()
    assert edited(environment, client, 2)


def test_credentials_are_set_by_hand_before_the_start_and_later(environment: Environment) -> None:
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    for source in ("host", "static"):
        with Client(environment.config(redis_credentials=source, **QUICK)) as client:
            pass
        with pytest.raises(ClosedError):
            client.set_redis_credentials(tokens.provide())
        client = Client(environment.config(redis_credentials=source, **QUICK))
        client.set_redis_credentials(tokens.provide())
        assert client.start(PATIENCE)
        tokens.rotate()
        client.set_redis_credentials(tokens.provide())
        environment.write(a=value_flag("a", 1, 1))
        assert edited(environment, client, 2 + int(client.variation("a", ADA, -1)))
        for nonsense in (None, "token", ("svc", "token")):
            with pytest.raises(InvalidArgumentError, match="RedisCredentials are needed"):
                client.set_redis_credentials(nonsense)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError, match="password"):
            client.set_redis_credentials(RedisCredentials(None, "\ud800"))
        client.close()
    with Client(Config(test_data=TestData())) as client, pytest.raises(InvalidArgumentError):
        client.set_redis_credentials(tokens.provide())


def test_a_password_file_that_changes_is_read_again(environment: Environment, tmp_path: Path) -> None:
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    file = tmp_path / "password"
    file.write_text(tokens.password + "\n")
    client = environment.client(redis_username=tokens.user, redis_password_file=file, **QUICK)
    credentials = client.status().redis.credentials  # type: ignore[union-attr]
    assert credentials and (credentials.source, credentials.state) == ("file", "ok")
    tokens.rotate(apply=False)
    file.write_text(tokens.password)
    tokens.apply()
    assert edited(environment, client, 2)
    with pytest.raises(InvalidArgumentError):
        client.set_redis_credentials(tokens.provide())


def test_a_provider_is_an_option_that_is_shown_and_not_pickled(environment: Environment) -> None:
    import pickle

    def provide() -> RedisCredentials:
        raise AssertionError

    config = Config(redis_credentials=provide)
    assert repr(config) == f"Config(redis_credentials=<provider {provide.__qualname__}>)"
    with pytest.raises(TypeError, match="redis credentials"):
        pickle.dumps(config)
    assert repr(Config(redis_credentials="host")) == "Config(redis_credentials='host')"
    with pytest.raises(InvalidArgumentError, match="redis_credentials"):
        Config(redis_credentials=provide, options={"redis.credentials": "static"})
    for wrong in ("vault", 3, object()):
        with pytest.raises(InvalidArgumentError, match=r"redis\.credentials"):
            Config(redis_credentials=wrong)  # type: ignore[arg-type]


def test_a_client_closes_while_its_provider_runs(environment: Environment) -> None:
    Tokens(environment)
    called, go = threading.Event(), threading.Event()

    def provide() -> RedisCredentials:
        called.set()
        assert go.wait(4 * PATIENCE)
        return RedisCredentials("svc", "late")

    client = Client(environment.config(redis_credentials=provide))
    assert client.start(0.1) is False and called.wait(PATIENCE)
    began = time.monotonic()
    assert client.close(PATIENCE) and time.monotonic() - began < PATIENCE
    go.set()
    assert until(lambda: not [thread for thread in threading.enumerate() if thread.name == "flagstone-credentials"])


FORGOTTEN = """
import gc
import sys
import time
import weakref
from flagstone import Client, Config

class Service:
    def provide(self):
        raise ConnectionError

service = Service()
service.client = Client(Config(redis_url=sys.argv[1], redis_credentials=service.provide))
assert service.client.start(0.1) is False
gone = weakref.ref(service.client)
del service
deadline = time.monotonic() + 60
while gone() is not None and time.monotonic() < deadline:
    gc.collect()
    time.sleep(0.01)
print(gone())
"""


def test_a_forgotten_client_goes_away_although_its_provider_knows_it(environment: Environment) -> None:
    # In a program of its own: pytest keeps what is logged, with the frames of exceptions.
    ended = run_python(FORGOTTEN, environment.server.url)
    assert (ended.returncode, ended.stdout) == (0, "None\n"), ended.stderr


def test_a_child_asks_for_credentials_itself_also_while_its_parent_does(environment: Environment) -> None:
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    called, go = threading.Event(), threading.Event()
    parent = os.getpid()

    def provide() -> RedisCredentials:
        if os.getpid() == parent:
            called.set()
            assert go.wait(4 * PATIENCE)
        return tokens.provide()

    client = Client(environment.config(redis_credentials=provide, **QUICK))
    assert client.start(0.1) is False and called.wait(PATIENCE)
    fork = multiprocessing.get_context("fork")

    def body(ended: Callable[[int], Any]) -> None:
        seen = until(lambda: client.variation("a", ADA, -1) == 1)
        ended(0 if seen and tokens.calls == 1 else 3)

    child = fork.Process(target=body, args=(os._exit,))
    child.start()
    child.join(2 * PATIENCE)
    assert child.exitcode == 0
    go.set()
    assert until(lambda: client.variation("a", ADA, -1) == 1)
    child = fork.Process(target=rotated, args=(environment, client, tokens))
    child.start()
    child.join(4 * PATIENCE)
    assert child.exitcode == 0
    tokens.rotate()
    assert edited(environment, client, 3), "and the parent goes on"
    client.close()


def rotated(environment: Environment, client: Client, tokens: Tokens) -> None:
    """In a child: the password becomes another one."""
    environment.server.redis.connection_pool.reset()
    assert client.variation("a", ADA, -1) == 1
    tokens.rotate()
    os._exit(0 if edited(environment, client, 2) else 3)


HANGING = """
import sys
import threading
from flagstone import Client, Config

called = threading.Event()

def provide():
    called.set()
    threading.Event().wait()

client = Client(Config(redis_url=sys.argv[1], redis_credentials=provide))
assert client.start(0.1) is False and called.wait(60)
print("end")
"""


def test_the_interpreter_ends_while_a_provider_hangs(environment: Environment) -> None:
    ended = run_python(HANGING, environment.server.url)
    assert (ended.returncode, ended.stdout) == (0, "end\n"), ended.stderr


GREENLETS = """
import sys
{patch}
import json
import time
from flagstone import Client, Config, Context, RedisCredentials

options = json.loads(sys.argv[1])
logins, ticks = [], []

def tick():
    while True:
        ticks.append(time.monotonic())
        time.sleep(0.01)

def provide():
    time.sleep(0.3)
    logins.append(len(ticks))
    return RedisCredentials(sys.argv[2], sys.argv[3], 1.0)

{spawn}(tick)
client = Client(Config(redis_credentials=provide, **options))
assert client.start(30)
assert client.variation("a", Context("ada"), -1) == 1
deadline = time.monotonic() + 60
while len(logins) < 2 and time.monotonic() < deadline:
    time.sleep(0.05)
assert len(logins) >= 2 and logins[0] > 3, (logins, "greenlets ran while the provider slept")
client.close()
print("done")
"""


@pytest.mark.parametrize(
    ("library", "patch", "spawn"),
    [
        ("gevent", "import gevent.monkey; gevent.monkey.patch_all()", "gevent.spawn"),
        ("eventlet", "import eventlet; eventlet.monkey_patch()", "eventlet.spawn"),
    ],
    ids=["gevent", "eventlet"],
)
def test_greenlets_run_while_a_provider_waits(environment: Environment, library: str, patch: str, spawn: str) -> None:
    program(library)
    tokens = Tokens(environment)
    environment.write(a=value_flag("a", 1, 1))
    options = {"redis_url": environment.server.url, "redis_prefix": environment.prefix, **QUICK}
    code = GREENLETS.format(patch=patch, spawn=spawn)
    command = [sys.executable, "-W", "ignore", "-c", code, json.dumps(options), tokens.user, tokens.password]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


OLDER = """
import sys
from flagstone import *

client = Client(Config(redis_url=sys.argv[1], redis_prefix=sys.argv[2]))
assert client.start(30) and client.variation("a", Context("ada"), False) is True
assert client.status().redis.topology == "standalone"
assert client.flag_version("a") is None
try:
    client.set_redis_credentials(RedisCredentials(None, "p"))
except FlagstoneError as error:
    print(error)
client.close()
"""


def test_a_library_of_the_minor_version_before_works_and_says_what_it_lacks(
    environment: Environment, tmp_path: Path
) -> None:
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler")
    # Its other functions are those of the real one.
    real, older, source = Path(_lib.PATH), tmp_path / "older.so", tmp_path / "older.c"
    source.write_text("unsigned flagstone_abi_version(void) { return 0x10004; }")
    place = [f"-L{real.parent}", f"-Wl,-rpath,{real.parent}", "-Wl,--no-as-needed", f"-l:{real.name}"]
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(older), str(source), *place], check=True)
    environment.write(a=bool_flag("a", 1, True))
    variables = {**os.environ, "FLAGSTONE_LIBRARY_PATH": str(older)}
    ended = run_python(OLDER, environment.server.url, environment.prefix, env=variables)
    assert ended.returncode == 0, ended.stderr
    assert "has ABI 1.4" in ended.stdout and "flagstone_client_set_credentials" in ended.stdout, ended.stdout
    assert issubclass(FlagstoneError, Exception)

"""What tests are made against: a real Redis and a small LaunchDarkly of the run's own, environments and flags in them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from flagstone import Client, Config, State

PROJECT = Path(__file__).resolve().parents[3]
SDK_KEY = "sdk-1234-secret"
#: The environment that a LaunchDarkly of the tests names.
ENVIRONMENT = "environment-of-the-tests"
#: Slow tests run in full where this is set, and shortened elsewhere.
FULL = os.environ.get("FLAGSTONE_TESTS") == "full"
#: How many seconds a test waits for something that is to happen: a slow and busy machine must not fail a test.
PATIENCE = 30.0
#: A Redis that a busy machine keeps from answering for a while is not away.
PATIENT: dict[str, Any] = {"redis_connect_timeout_ms": 15_000, "redis_command_timeout_ms": 15_000}


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Waits until ``condition`` holds; false when it did not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def bool_flag(key: str, version: int, value: bool) -> str:
    """A flag that serves ``value`` to everybody."""
    return value_flag(key, version, value, not value)


def value_flag(key: str, version: int, *values: Any) -> str:
    """A flag that serves the first of ``values`` to everybody."""
    flag = {"key": key, "version": version, "on": True, "variations": values, "fallthrough": {"variation": 0}}
    return json.dumps({**flag, "offVariation": 0, "salt": "s", "rules": [], "targets": [], "prerequisites": []})


def hash_of(key: str) -> str:
    """By which a big segment store knows the context with this key."""
    return base64.b64encode(hashlib.sha256(key.encode()).digest()).decode()


class Server:
    """A redis-server on a free port."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server must be in PATH"
        self._program, self._folder = program, folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._program, *arguments], stdout=subprocess.DEVNULL)
        self.redis = redis.Redis(port=self.port)
        assert until(self._answers), "redis-server does not start"

    def _answers(self) -> bool:
        try:
            answer: Any = self.redis.info("server")
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False
        return bool(answer["process_id"] == self._process.pid)

    def stop(self) -> None:
        """Kills it; what was not saved by ``SAVE`` is lost."""
        self.redis.close()
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Keeps its connections and answers nothing, from now on until :meth:`thaw`."""
        self._process.send_signal(signal.SIGSTOP)
        # The state follows the name, which is in brackets.
        status = Path(f"/proc/{self._process.pid}/stat")
        assert until(lambda: status.read_text().rpartition(")")[2].startswith(" T"))

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def connections(self) -> int:
        """How many clients are connected, the test's own included."""
        clients: Any = self.redis.client_list()
        return len(clients)

    def calls(self, command: str) -> int:
        """How often a command was called since the start, by its lower-case name."""
        statistics: Any = self.redis.info("commandstats")
        return int(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"])

    def version(self, prefix: str, key: str, collection: str = "features") -> int | None:
        """Version of an item that the hash holds, deleted or not."""
        text: Any = self.redis.hget(f"{prefix}:{collection}", key)
        return None if text is None else int(json.loads(text)["version"])


class LaunchDarkly:
    """The program ``fakeld``, a small LaunchDarkly, on a free port: it can be killed and started again there."""

    def __init__(self, folder: Path, *flags: str, items: dict[str, dict[str, Any]] | None = None) -> None:
        program = os.environ.get("FAKELD") or str(PROJECT / "target" / "release" / "fakeld")
        assert os.access(program, os.X_OK), f"{program} is missing: make build"
        self._program = program
        self._file = folder / "launchdarkly.json"
        self.items: dict[str, dict[str, Any]] = {part: dict((items or {}).get(part, {})) for part in ("flags", "segments")}
        for flag in flags:
            self._keep("flags", flag)
        self.port = 0
        self.start()

    def _keep(self, collection: str, item: str) -> None:
        parsed = json.loads(item)
        self.items[collection][parsed["key"]] = parsed

    def start(self) -> None:
        """Starts it, again after :meth:`kill`, with everything that was set so far."""
        self._file.write_text(json.dumps(self.items))
        arguments = [
            "--port",
            str(self.port),
            "--data",
            str(self._file),
            "--sdk-key",
            SDK_KEY,
            "--environment-id",
            ENVIRONMENT,
        ]
        self._process = subprocess.Popen(
            [self._program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.url = self._line()
        assert self.url.startswith("http://"), self.url
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def _tell(self, command: str) -> None:
        assert self._process.stdin and "\n" not in command
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def patch(self, flag: str) -> None:
        """Adds or replaces a flag and tells all streams."""
        self._keep("flags", flag)
        self._tell(f"patch flag {flag}")

    def delete(self, key: str, version: int) -> None:
        """Deletes a flag and tells all streams."""
        self.items["flags"].pop(key, None)
        self._tell(f"delete flag {key} {version}")

    def put(self, items: dict[str, Any]) -> None:
        """Has these items from now on, and sends them to all streams."""
        self.items = {"flags": dict(items["flags"]), "segments": dict(items.get("segments", {}))}
        self._file.write_text(json.dumps(self.items))
        self._tell(f"replace {self._file}")

    def streams(self) -> int:
        """How many streams are connected."""
        self._tell("streams")
        return int(self._line())

    def requests(self) -> list[dict[str, Any]]:
        """The requests since the start: method, path, query, headers by their lower-case names."""
        self._tell("requests")
        requests: list[dict[str, Any]] = json.loads(self._line())
        return requests


def free_port() -> int:
    """A port that nobody listens on, below the range from which systems choose ports for outgoing connections: one of those
    could otherwise take the port of a killed server before it is started again."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Environment:
    """Flags under a prefix of their own, and clients that read them."""

    _number = 0

    def __init__(self, server: Server) -> None:
        Environment._number += 1
        self.server, self.prefix = server, f"env{Environment._number}"
        self._clients: list[Client] = []

    def write(self, **flags: str) -> None:
        """Writes flags, by key with ``_`` for ``-``, and marks the data set as complete."""
        texts = {key.replace("_", "-"): text for key, text in flags.items()}
        pipeline = self.server.redis.pipeline(transaction=True)
        pipeline.hset(f"{self.prefix}:features", mapping=texts)
        pipeline.set(f"{self.prefix}:$inited", "")
        pipeline.execute()

    def config(self, **options: Any) -> Config:
        return Config(**{"redis_url": self.server.url, "redis_prefix": self.prefix, **PATIENT, **options})

    def version(self, key: str) -> int | None:
        """Version of a flag that Redis holds, deleted or not."""
        return self.server.version(self.prefix, key)

    def streaming(self, launchdarkly: LaunchDarkly, **options: Any) -> dict[str, Any]:
        """Options of a client that streams and keeps the flags in Redis; quick to notice what happens; without events."""
        source = {"source_kind": "stream", "sdk_key": SDK_KEY, "endpoints_relay": launchdarkly.url, "events_enabled": False}
        return {**source, **PATIENT, "stream_initial_delay_ms": 20, "refresh_interval_ms": 500, **options}

    def client(self, **options: Any) -> Client:
        """A started client, which has told its state; closed when the test ends."""
        client = Client(self.config(**options))
        self._clients.append(client)
        assert client.start(PATIENCE)
        assert client.wait(State.VALID, PATIENCE)
        return client

    def close(self) -> None:
        for client in self._clients:
            # Until its last line of log is told: those of the next test's clients are looked at.
            client.close(PATIENCE)


def run_python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program in an interpreter of its own."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE, check=False, **options)

"""A real Redis of the test run's own, environments in it, and flags to put there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from flagstone import Client, Config

PROJECT = Path(__file__).resolve().parents[3]
#: Slow tests run in full where this is set, and shortened elsewhere.
FULL = os.environ.get("FLAGSTONE_TESTS") == "full"


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
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


class Server:
    """A redis-server on a free port."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server must be in PATH"
        self._program, self._folder = program, folder
        self.port = _free_port()
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
        except redis.ConnectionError:
            return False
        return bool(answer["process_id"] == self._process.pid)

    def stop(self) -> None:
        self.redis.close()
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
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
        return Config(**{"redis_url": self.server.url, "redis_prefix": self.prefix, **options})

    def client(self, **options: Any) -> Client:
        """A started client; closed when the test ends."""
        client = Client(self.config(**options))
        self._clients.append(client)
        assert client.start(5)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def environment(server: Server) -> Iterator[Environment]:
    environment = Environment(server)
    yield environment
    environment.close()


def run_python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program in an interpreter of its own."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)

"""Forked processes: real gunicorn workers and ``multiprocessing``."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from conftest import FULL, Environment, _free_port, bool_flag, until
from flagstone import Client, Context, State

RUNS = 50 if FULL else 3
WORKERS = 4
# Python warns that forking a process with threads may hang: that it does not is what these tests are for.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

APPLICATION = """
import os
from flagstone import Client, Config, Context

client = Client(Config(redis_url=os.environ["REDIS_URL"], redis_prefix=os.environ["REDIS_PREFIX"]))
assert client.start(5)
flag, context = client.flag("a", False), Context("u")
assert flag.value(context) is False

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [f"{os.getpid()} {flag.value(context)} {client.bool_variation('a', context, False)}".encode()]
"""


def ask(port: int) -> tuple[str, str]:
    """Which worker answered, and what."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
        pid, _, values = response.read().decode().partition(" ")
        return pid, values


@pytest.mark.slow
def test_every_preloaded_gunicorn_worker_sees_a_change_within_a_second(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    variables = {**os.environ, "REDIS_URL": environment.server.url, "REDIS_PREFIX": environment.prefix}
    environment.write(a=bool_flag("a", 1, False))
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--chdir", str(tmp_path)]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", "application"], env=variables, stdout=log, stderr=log
        )
    try:
        assert until(lambda: (tmp_path / "log").read_text().count("Booting worker") == WORKERS, 20)
        pids: set[str] = set()
        assert until(lambda: pids.add(ask(port)[0]) or len(pids) == WORKERS, 20)  # type: ignore[func-returns-value]
        for run in range(RUNS):
            expected = run % 2 == 0
            environment.write(a=bool_flag("a", run + 2, expected))
            deadline = time.monotonic() + 1
            converged: set[str] = set()
            while converged != pids:
                pid, values = ask(port)
                assert pid in pids
                if values == f"{expected} {expected}":
                    converged.add(pid)
                assert time.monotonic() < deadline, (run, converged, pids)
    finally:
        server.terminate()
        assert server.wait(20) == 0
    assert not re.search(r"Traceback|ERROR|CRITICAL", (tmp_path / "log").read_text())


def watch(client: Client, flag: Any, changed: Any, results: Any) -> None:
    """In a child: what was inherited, then the change, within a second."""
    context = Context("u")
    inherited = flag.value(context), client.variation("a", context, None)
    results.put(("inherited", inherited))
    changed.wait(20)
    seen = until(lambda: flag.value(context) is True and client.variation("a", context, None) is True, 1)
    # The value may be served a moment before the state says that everything is known to be true.
    results.put(("seen", seen, client.wait(State.VALID, 1)))


@pytest.mark.slow
def test_forked_children_answer_at_once_and_see_changes(environment: Environment) -> None:
    fork = multiprocessing.get_context("fork")
    for run in range(RUNS):
        environment.write(a=bool_flag("a", 2 * run + 1, False))
        with Client(environment.config()) as client:
            flag = client.flag("a", False)
            results, changed = fork.Queue(), fork.Event()
            children = [fork.Process(target=watch, args=(client, flag, changed, results)) for _ in range(WORKERS)]
            for child in children:
                child.start()
            assert [results.get(timeout=10) for _ in children] == [("inherited", (False, False))] * WORKERS
            environment.write(a=bool_flag("a", 2 * run + 2, True))
            changed.set()
            assert [results.get(timeout=10) for _ in children] == [("seen", True, True)] * WORKERS, run
            for child in children:
                child.join(10)
                assert child.exitcode == 0
            assert flag.value(Context("u")) is True


def test_a_child_hears_listeners_and_closes_without_harm_to_the_parent(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, False))
    client = environment.client()
    fork = multiprocessing.get_context("fork")
    heard = fork.Queue()
    client.add_flag_change_listener(lambda change: heard.put((os.getpid(), change.key)))

    def body() -> None:
        client.postfork()
        assert client.wait(State.VALID, 5)
        environment.server.redis.connection_pool.reset()
        environment.write(a=bool_flag("a", 2, True))
        assert until(lambda: client.variation("a", Context("u"), False))
        time.sleep(0.2)
        assert client.close()
        heard.close()
        heard.join_thread()

    child = fork.Process(target=body)
    child.start()
    pids = {heard.get(timeout=5)[0], heard.get(timeout=5)[0]}
    child.join(10)
    assert (child.exitcode, pids) == (0, {os.getpid(), child.pid})
    assert client.state is State.VALID
    environment.write(a=bool_flag("a", 3, False))
    assert until(lambda: not client.variation("a", Context("u"), True))

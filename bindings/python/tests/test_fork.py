"""Forked processes: real gunicorn workers and ``multiprocessing``."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagstone import Client, Context, FlagChange, State
from sink import Sink
from support import FULL, PATIENCE, PATIENT, Environment, LaunchDarkly, bool_flag, free_port, until, value_flag

Start = Callable[..., LaunchDarkly]
RUNS = 50 if FULL else 3
WORKERS = 4
#: A change is seen within a second. A busy machine may make single runs late, a process that does not hear of changes is
#: late each time.
SOON = 1.0
LATE_RUNS = max(1, RUNS // 10)
# Python warns that forking a process with threads may hang: that it does not is what these tests are for.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

APPLICATION = """
import json
import os
from flagstone import Client, Config, Context

client = Client(Config(**json.loads(os.environ["OPTIONS"])))
assert client.start(30)
flag, context = client.flag("a", False), Context("u")
assert flag.value(context) is False

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [f"{os.getpid()} {flag.value(context)} {client.bool_variation('a', context, False)}".encode()]
"""


def ask(port: int) -> tuple[str, str]:
    """Which worker answered, and what."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as response:
        pid, _, values = response.read().decode().partition(" ")
        return pid, values


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["daemon", "connected"])
def test_every_preloaded_gunicorn_worker_sees_a_change_within_a_second(
    environment: Environment, launchdarkly: Start, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    options = {**PATIENT, "redis_url": environment.server.url, "redis_prefix": environment.prefix}
    fake = launchdarkly(bool_flag("a", 1, False))
    if mode == "connected":
        options = environment.streaming(fake, **options)
    variables = {**os.environ, "OPTIONS": json.dumps(options)}
    environment.write(a=bool_flag("a", 1, False))
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--chdir", str(tmp_path)]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", "application"], env=variables, stdout=log, stderr=log
        )
    try:
        assert until(lambda: (tmp_path / "log").read_text().count("Booting worker") == WORKERS)
        pids: set[str] = set()
        assert until(lambda: pids.add(ask(port)[0]) or len(pids) == WORKERS)  # type: ignore[func-returns-value]
        if mode == "connected":
            assert until(lambda: fake.streams() == 1 + WORKERS), "the master's and one for each worker"
        times: list[float] = []
        for run in range(RUNS):
            expected = run % 2 == 0
            if mode == "connected":
                fake.patch(bool_flag("a", run + 2, expected))
            else:
                environment.write(a=bool_flag("a", run + 2, expected))
            began = time.monotonic()
            converged: set[str] = set()
            while converged != pids:
                pid, values = ask(port)
                assert pid in pids
                if values == f"{expected} {expected}":
                    converged.add(pid)
                assert time.monotonic() < began + PATIENCE, (run, converged, pids)
            times.append(time.monotonic() - began)
        assert len([took for took in times if took > SOON]) <= LATE_RUNS, times
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0
    assert not re.search(r"Traceback|ERROR|CRITICAL", (tmp_path / "log").read_text())
    assert until(lambda: fake.streams() == 0), "nobody is left"


@pytest.mark.slow
def test_preloaded_gunicorn_workers_send_what_they_have_when_they_end(
    environment: Environment, sink: Sink, tmp_path: Path
) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    environment.write(a=bool_flag("a", 1, False))
    options = {**PATIENT, "redis_url": environment.server.url, "redis_prefix": environment.prefix, **sink.options()}
    port, asked = free_port(), 20
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--chdir", str(tmp_path)]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", "application"],
            env={**os.environ, "OPTIONS": json.dumps(options)},
            stdout=log,
            stderr=log,
        )
    try:
        assert until(lambda: (tmp_path / "log").read_text().count("Booting worker") == 2)
        for _ in range(asked):
            assert ask(port)[1] == "False False"
        assert sink.received == [], "the interval is an hour"
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0
    # One evaluation before the fork, two for each request.
    assert sink.features() == {"a": (False, {"false": 1 + 2 * asked})}, (tmp_path / "log").read_text()


def watch(client: Client, flag: Any, changed: Any, results: Any) -> None:
    """In a child: what was inherited, then the change, and how long it took to see it."""
    context = Context("u")
    inherited = flag.value(context), client.variation("a", context, None)
    results.put(("inherited", inherited))
    assert changed.wait(PATIENCE)
    began = time.monotonic()
    seen = until(lambda: flag.value(context) is True and client.variation("a", context, None) is True)
    took = time.monotonic() - began
    # The value may be served a moment before the state says that everything is known to be true.
    results.put((seen and client.wait(State.VALID, PATIENCE), took))


def seen_by_all(results: Any) -> float:
    """How long the slowest child took to see the change."""
    told = [results.get(timeout=2 * PATIENCE) for _ in range(WORKERS)]
    assert all(seen for seen, _ in told), told
    return float(max(took for _, took in told))


@pytest.mark.slow
def test_forked_children_answer_at_once_and_see_changes(environment: Environment) -> None:
    fork = multiprocessing.get_context("fork")
    times: list[float] = []
    for run in range(RUNS):
        environment.write(a=bool_flag("a", 2 * run + 1, False))
        with Client(environment.config()) as client:
            flag = client.flag("a", False)
            results, changed = fork.Queue(), fork.Event()
            children = [fork.Process(target=watch, args=(client, flag, changed, results)) for _ in range(WORKERS)]
            for child in children:
                child.start()
            assert [results.get(timeout=PATIENCE) for _ in children] == [("inherited", (False, False))] * WORKERS
            environment.write(a=bool_flag("a", 2 * run + 2, True))
            changed.set()
            times.append(seen_by_all(results))
            for child in children:
                child.join(PATIENCE)
                assert child.exitcode == 0
            assert until(lambda: flag.value(Context("u")) is True), "the parent sees it too"  # noqa: B023
    assert len([took for took in times if took > SOON]) <= LATE_RUNS, times


def test_a_child_hears_listeners_and_closes_without_harm_to_the_parent(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, False))
    client = environment.client()
    fork = multiprocessing.get_context("fork")
    heard: Any = fork.Queue()
    own: list[FlagChange] = []

    def hear(change: FlagChange) -> None:
        heard.put((os.getpid(), change.key))
        own.append(change)

    client.add_flag_change_listener(hear)

    def body() -> None:
        client.postfork()
        assert client.wait(State.VALID, PATIENCE)
        environment.server.redis.connection_pool.reset()
        environment.write(a=bool_flag("a", 2, True))
        assert until(lambda: client.variation("a", Context("u"), False))
        assert until(lambda: own != [])
        assert client.close(PATIENCE)
        heard.close()
        heard.join_thread()

    child = fork.Process(target=body)
    child.start()
    pids = {heard.get(timeout=2 * PATIENCE)[0], heard.get(timeout=2 * PATIENCE)[0]}
    child.join(PATIENCE)
    assert (child.exitcode, pids) == (0, {os.getpid(), child.pid})
    assert client.state is State.VALID
    environment.write(a=bool_flag("a", 3, False))
    assert until(lambda: not client.variation("a", Context("u"), True))


def test_each_child_opens_a_stream_of_its_own_that_outlives_the_parents(
    environment: Environment, launchdarkly: Start
) -> None:
    fork = multiprocessing.get_context("fork")
    fake = launchdarkly(bool_flag("a", 1, False))
    with Client(environment.config(**environment.streaming(fake))) as client:
        flag, results, changed = client.flag("a", False), fork.Queue(), fork.Event()
        children = [fork.Process(target=watch, args=(client, flag, changed, results)) for _ in range(WORKERS)]
        for child in children:
            child.start()
        assert [results.get(timeout=PATIENCE) for _ in children] == [("inherited", (False, False))] * WORKERS
        assert until(lambda: fake.streams() == 1 + WORKERS)
        assert client.close(PATIENCE)
        assert until(lambda: fake.streams() == WORKERS), "the parent's is closed in every process"
        fake.patch(bool_flag("a", 2, True))
        changed.set()
        seen_by_all(results)
        for child in children:
            child.join(PATIENCE)
            assert child.exitcode == 0
    assert until(lambda: fake.streams() == 0)


PARENT_AND_CHILD = """
import json
import os
import signal
import sys
from flagstone import Client, Config, Context

def say(what):
    print(what, flush=True)

client = Client(Config(**json.loads(sys.argv[1])))
assert client.start(30)
context = Context("u")
say("started")
for line in sys.stdin:
    if line == "fork\\n":
        say(os.getpid())
        if os.fork():
            while True:
                signal.pause()
        say(os.getpid())
    elif line.startswith("value "):
        say(client.variation(line.split()[1], context, "none"))
    elif line == "close\\n":
        client.close()
        say("closed")
        break
"""


class Program:
    """A program that forks itself when told to, and whose child goes on when it is killed."""

    def __init__(self, options: dict[str, Any]) -> None:
        command = [sys.executable, "-W", "ignore", "-c", PARENT_AND_CHILD, json.dumps(options)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self.child = 0
        assert self._line() == "started"

    def _line(self) -> str:
        assert self._process.stdout and self._process.stderr
        return self._process.stdout.readline().strip() or self._process.stderr.read()

    def ask(self, command: str) -> str:
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._line()

    def fork(self) -> None:
        assert int(self.ask("fork")) == self._process.pid
        self.child = int(self._line())

    def kill_parent(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        self.kill_parent()
        if self.child:
            try:
                os.kill(self.child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def test_what_the_parent_could_not_write_is_not_written_by_its_child(own: Environment, launchdarkly: Start) -> None:
    fake = launchdarkly(value_flag("a", 1, "one"))
    program = Program(own.streaming(fake, redis_url=own.server.url, redis_prefix=own.prefix))
    try:
        assert until(lambda: own.version("a") == 1 and own.server.redis.exists(f"{own.prefix}:$inited") == 1)
        # A copy without the patch is what Redis comes back with.
        own.server.redis.save()
        own.server.stop()
        fake.patch(value_flag("a", 2, "two"))
        fake.patch(value_flag("n", 1, "new"))
        assert until(lambda: program.ask("value n") == "new")
        fake.kill()
        program.fork()
        assert program.ask("value n") == "new", "the child answers from what it inherited"
        program.kill_parent()
        own.server.start()
        assert until(lambda: own.server.connections() > 1), "the child has a connection of its own"
        # Only the parent's outbox knew of it, and nobody vouches for what the child inherited.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert (own.version("a"), own.version("n")) == (1, None)
            assert (program.ask("value a"), program.ask("value n")) == ("two", "new")
            time.sleep(0.05)
        fake.start()
        assert until(lambda: (own.version("a"), own.version("n")) == (2, 1)), "what its own stream delivers is written"
        assert program.ask("close") == "closed"
    finally:
        program.end()


def test_what_waits_when_the_process_forks_is_written_by_the_parent_alone(own: Environment, launchdarkly: Start) -> None:
    fake = launchdarkly(value_flag("a", 1, "one"))
    client = Client(own.config(**own.streaming(fake)))
    assert client.start(PATIENCE)
    assert until(lambda: own.version("a") == 1 and own.server.redis.exists(f"{own.prefix}:$inited") == 1)
    own.server.redis.save()
    own.server.stop()
    fake.patch(value_flag("a", 2, "two"))
    fake.patch(value_flag("n", 1, "new"))
    assert until(lambda: client.variation("n", Context("u"), "") == "new")
    fake.kill()
    fork = multiprocessing.get_context("fork")
    forked, end = fork.Event(), fork.Event()

    def body() -> None:
        client.postfork()
        forked.set()
        end.wait(10 * PATIENCE)
        client.close(PATIENCE)

    children = [fork.Process(target=body) for _ in range(WORKERS)]
    for child in children:
        child.start()
    assert forked.wait(PATIENCE)
    own.server.start()
    assert until(lambda: (own.version("a"), own.version("n")) == (2, 1))
    assert until(lambda: own.server.connections() > WORKERS)
    time.sleep(1)
    # The script that compares versions, once for each item that somebody wants to write.
    tried, written = own.server.calls("eval"), own.server.calls("hset")
    end.set()
    for child in children:
        child.join(PATIENCE)
        assert child.exitcode == 0
    client.close()
    assert (tried, written) == (2, 2)


def test_a_child_that_is_late_does_not_answer_from_what_is_old(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, False))
    client = environment.client()
    flag = client.flag("a", False)
    fork = multiprocessing.get_context("fork")
    results, changed = fork.Queue(), fork.Event()

    def by_key() -> object:
        return client.bool_variation("a", Context("u"), False)

    def prepared() -> object:
        return flag.value(Context("u"))

    def many() -> object:
        return client.variation_many(["a"], Context("u"))["a"].value

    def body(first: Callable[[], object]) -> None:
        assert changed.wait(PATIENCE)
        began = time.monotonic()
        results.put((client.state is State.FORKED, first(), time.monotonic() - began))

    # A busy machine may not read within the time that a child waits.
    for version in range(2, 12):
        environment.write(a=bool_flag("a", version, version % 2 == 1))
        assert until(lambda: flag.value(Context("u")) is (version % 2 == 1))  # noqa: B023
        changed.clear()
        children = [fork.Process(target=body, args=(first,)) for first in (by_key, prepared, many)]
        for child in children:
            child.start()
        environment.write(a=bool_flag("a", version + 1, version % 2 == 0))
        changed.set()
        answers = [results.get(timeout=2 * PATIENCE) for _ in children]
        for child in children:
            child.join(PATIENCE)
        assert all(forked for forked, _, _ in answers), "no call was made before"
        if [value for _, value, _ in answers] == [version % 2 == 0] * 3:
            return
    raise AssertionError(answers)


def test_a_child_waits_a_moment_only_for_a_redis_that_is_away(own: Environment) -> None:
    own.write(a=bool_flag("a", 1, True))
    client = own.client()
    own.server.stop()
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()

    def body() -> None:
        began = time.monotonic()
        detail = client.bool_variation_detail("a", Context("u"), False)
        first = time.monotonic()
        client.bool_variation("a", Context("u"), False)
        results.put((detail.value, detail.is_stale, first - began, time.monotonic() - first))

    times = []
    for _ in range(3):
        child = fork.Process(target=body)
        child.start()
        value, stale, *took = results.get(timeout=2 * PATIENCE)
        child.join(PATIENCE)
        assert (value, stale) == (True, True)
        times.append(took)
    assert min(first for first, _ in times) < 2 and min(second for _, second in times) < 0.1, times

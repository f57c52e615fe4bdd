"""Real servers that fork in their own way or replace threads by greenlets: uWSGI, gunicorn, Celery; and programs that are
started from a process with a client."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import FULL, PATIENCE, PATIENT, Environment, bool_flag, free_port, until

#: A server that hangs from birth does so in some of its launches.
LAUNCHES = 4 if FULL else 1
WORKERS = 2

APPLICATION = """
import json
import os
from flagstone import Client, Config, Context

client = Client(Config(**json.loads(os.environ["OPTIONS"])))
heard, states = [], []
client.add_flag_change_listener(lambda change: heard.append(change.key))
client.add_status_listener(lambda change: states.append(change.state.name))
assert client.start(30)
flag, context = client.flag("a", False), Context("u")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    values = [flag.value(context), client.bool_variation("a", context, False), "a" in heard, client.state.name]
    return [json.dumps([os.getpid(), *values]).encode()]
"""

TASKS = """
import json
import os
from celery import Celery
from application import client, context, flag, heard

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])

@app.task
def look():
    return [os.getpid(), flag.value(context), client.bool_variation("a", context, False), "a" in heard, client.state.name]
"""


def program(module: str) -> list[str]:
    """The command that runs a program of the test environment, if it is there."""
    if module == "uwsgi":
        path = Path(sys.executable).with_name("uwsgi")
        found = path.is_file() and [str(path), "--virtualenv", str(path.parent.parent)]
    else:
        found = importlib.util.find_spec(module) is not None and [sys.executable, "-m", module]
    return found or pytest.skip(f"{module} is not installed in this Python's test environment")


@contextmanager
def running(command: list[str], folder: Path, environment: Environment, **variables: str) -> Iterator[Path]:
    """A server whose output goes to the file; it and its workers end with the block."""
    (folder / "application.py").write_text(APPLICATION)
    (folder / "tasks.py").write_text(TASKS)
    options = {**PATIENT, "redis_url": environment.server.url, "redis_prefix": environment.prefix}
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "OPTIONS": json.dumps(options), "PYTHONPATH": str(folder), **variables},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        # Its workers, too, which may hang.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(port: int, log: Path) -> list[Any]:
    """What one worker answers, as soon as there is one."""
    answers: list[Any] = []

    def answered() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as response:
                answers.extend(json.loads(response.read()))
        except (ConnectionError, urllib.error.URLError) as error:
            if isinstance(getattr(error, "reason", error), TimeoutError):
                raise
        return answers != []

    assert until(answered), log.read_text()
    return answers


def check(port: int, log: Path, environment: Environment) -> None:
    """Every worker answers, sees a change and hears of it."""
    environment.write(a=bool_flag("a", 1, False))
    pids: set[int] = set()

    def all_say(*expected: object) -> bool:
        pid, *answer = ask(port, log)
        if answer[: len(expected)] == list(expected):
            pids.add(pid)
        return len(pids) == WORKERS

    assert until(lambda: all_say(False, False)), (pids, log.read_text())
    pids.clear()
    environment.write(a=bool_flag("a", 2, True))
    assert until(lambda: all_say(True, True, True, "VALID")), (pids, log.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--master"], ["--master", "--lazy-apps"], []], ids=" ".join)
def test_workers_of_uwsgi_answer_and_hear_of_changes(environment: Environment, tmp_path: Path, options: list[str]) -> None:
    command = [*program("uwsgi"), "--enable-threads", "--processes", str(WORKERS), *options]
    for launch in range(3 * LAUNCHES if options == ["--master"] else 1):
        folder, port = tmp_path / str(launch), free_port()
        folder.mkdir()
        environment.write(a=bool_flag("a", 1, False))
        arguments = ["--http-socket", f"127.0.0.1:{port}", "--wsgi-file", "application.py", "--pythonpath", str(folder)]
        with running([*command, *arguments], folder, environment) as log:
            check(port, log, environment)


@pytest.mark.slow
@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_greenlets_of_gunicorn_answer_and_hear_of_changes(
    environment: Environment, tmp_path: Path, library: str, preload: list[str]
) -> None:
    program(library)
    port = free_port()
    command = [*program("gunicorn"), "-k", library, "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}"]
    environment.write(a=bool_flag("a", 1, False))
    with running([*command, *preload, "application"], tmp_path, environment) as log:
        check(port, log, environment)


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["gevent", "eventlet", "prefork"])
def test_tasks_of_celery_answer_and_hear_of_changes(environment: Environment, tmp_path: Path, pool: str) -> None:
    program("celery")
    if pool != "prefork":
        program(pool)
    broker = f"{environment.server.url}/1"
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", pool, "-c", str(WORKERS), "-l", "WARNING"]
    environment.write(a=bool_flag("a", 1, False))
    asking = "import sys\nfrom celery import Celery\n"
    asking += "print(Celery(broker=sys.argv[1], backend=sys.argv[1]).send_task('tasks.look').get(timeout=100))"

    def answer() -> list[Any]:
        result = subprocess.run(
            [sys.executable, "-c", asking, broker], capture_output=True, text=True, check=False, timeout=4 * PATIENCE
        )
        assert result.returncode == 0, (result.stderr, log.read_text())
        return list(eval(result.stdout))

    with running(command, tmp_path, environment, BROKER=broker) as log:
        assert answer()[1:3] == [False, False]
        environment.write(a=bool_flag("a", 2, True))
        assert until(lambda: answer()[1:] == [True, True, True, "VALID"]), log.read_text()


GREENLETS = """
import sys
import time
{patch}
import json
import threading
from flagstone import Client, Config, Context, State

ticks, gap, running = [], 0, True

def tick():
    while running:
        ticks.append(time.monotonic())
        time.sleep(0.01)

ticker = threading.Thread(target=tick)
ticker.start()
heard = threading.Event()
client = Client(Config(**json.loads(sys.argv[1])))
client.add_flag_change_listener(lambda change: heard.set())
assert client.start(30) and client.wait(State.VALID, 30)
lost = Client(Config(redis_url="redis://127.0.0.1:1"))
began = time.monotonic()
assert not lost.start(1) and not lost.wait(State.VALID, 1)
assert 2 <= time.monotonic() - began < 20
assert len([at for at in ticks if at > began]) > 20, "greenlets ran while others waited for clients"
print("ready", flush=True)
assert heard.wait(60)
assert client.close() and lost.close()
running = False
ticker.join()
print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "patch"),
    [
        ("gevent", "import gevent.monkey; gevent.monkey.patch_all()"),
        ("gevent", "import flagstone, gevent.monkey; gevent.monkey.patch_all()"),
        ("eventlet", "import eventlet; eventlet.monkey_patch()"),
    ],
    ids=["gevent", "gevent_late", "eventlet"],
)
def test_greenlets_run_while_others_wait_for_a_client(environment: Environment, library: str, patch: str) -> None:
    program(library)
    environment.write(a=bool_flag("a", 1, False))
    options = {**PATIENT, "redis_url": environment.server.url, "redis_prefix": environment.prefix}
    command = [sys.executable, "-W", "ignore", "-c", GREENLETS.format(patch=patch), json.dumps(options)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout and child.stdout.readline() == "ready\n", child.communicate()
        environment.write(a=bool_flag("a", 2, True))
        output, errors = child.communicate(timeout=4 * PATIENCE)
        assert (child.returncode, output) == (0, "done\n"), errors
    finally:
        child.kill()


ASKED = """
import sys
import time
{patch}
import threading
sys.path.insert(0, sys.argv[1])
from flagstone import *
from test_big_segments import ADA, BOB, FLAG, HEALTHY, FAILED, REFERENCE, SEGMENT, Store, ask, client

store = Store({{"ada": {{REFERENCE: True}}, "bob": {{REFERENCE: True}}}})
store.first = lambda: time.sleep(0.01)
asked = client(store, redis_command_timeout_ms=10_000, big_segments_poll_interval_ms=20)
answers = []
waiting = [threading.Thread(target=lambda: answers.append(ask(asked))) for _ in range(5)]
for thread in waiting:
    thread.start()
for thread in waiting:
    thread.join()
assert answers == [("yes", HEALTHY)] * 5 and len(store.asked) == 1, (answers, store.asked)
polled = store.polled
deadline = time.monotonic() + 30
while store.polled < polled + 3:
    assert time.monotonic() < deadline
    time.sleep(0.01)
store.first = lambda: time.sleep(20)
hangs = Client(Config(test_data=TestData().set_segment(SEGMENT).set_flag(FLAG), big_segment_store=store,
                      redis_command_timeout_ms=100))
assert hangs.start(30)
began = time.monotonic()
assert ask(hangs, BOB) == ("no", FAILED) and time.monotonic() - began < 15

heard, data = [], TestData()
listening = Client(Config(test_data=data, hooks=[Hook()]))
assert listening.start(30)
changes = listening.flag_value_changes("a", ADA)
iterating = threading.Thread(target=lambda: heard.extend(change.new_value for change in changes), daemon=True)
iterating.start()
for variation in (True, False):
    data.update(data.flag("a").fallthrough_variation(variation))
while heard[-1:] != [False]:
    assert time.monotonic() < deadline
    time.sleep(0.01)
met = threading.Barrier(2)
migrator = MigratorBuilder(listening).read(lambda _: met.wait(30), lambda _: met.wait(30)).write(print, print).build()
assert migrator.read("missing", ADA, Stage.SHADOW).is_success
assert listening.close() and asked.close() and hangs.close()
iterating.join()
print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "patch"),
    [
        ("gevent", "import gevent.monkey; gevent.monkey.patch_all()"),
        ("eventlet", "import eventlet; eventlet.monkey_patch()"),
    ],
    ids=["gevent", "eventlet"],
)
def test_greenlets_ask_a_store_iterate_and_migrate(library: str, patch: str) -> None:
    program(library)
    command = [sys.executable, "-W", "ignore", "-c", ASKED.format(patch=patch), str(Path(__file__).parent)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


PREEXEC = """
import json
import logging
import subprocess
import sys
import time
from flagstone import Client, Config, Context

logging.basicConfig(level=logging.DEBUG)
client = Client(Config(**json.loads(sys.argv[1])))
assert client.start(30)
print("started", flush=True)
for _ in range(5):
    # Python sleeps in the child before exec, as long as threads of a client would need to connect.
    subprocess.run(["true"], check=True, preexec_fn=lambda: time.sleep(0.3))
{more}
print("done", flush=True)
assert input() == "end"
"""

UVLOOP = """
import asyncio
import uvloop

async def spawn():
    for _ in range(5):
        process = await asyncio.create_subprocess_exec("true", preexec_fn=lambda: time.sleep(0.3))
        await process.wait()

loop = uvloop.new_event_loop()
loop.run_until_complete(spawn())
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", UVLOOP], ids=["subprocess", "uvloop"])
def test_a_program_that_is_started_never_has_a_client(own: Environment, more: str) -> None:
    if more:
        program("uvloop")
    own.write(a=bool_flag("a", 1, False))
    options = {**PATIENT, "redis_url": own.server.url, "redis_prefix": own.prefix}
    command = [sys.executable, "-W", "ignore", "-c", PREEXEC.format(more=more), json.dumps(options)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout and child.stdout.readline() == "started\n", child.communicate()
        assert child.stdout.readline() == "done\n", child.communicate()
        made = own.server.calls("hello")
        _, errors = child.communicate("end\n", timeout=PATIENCE)
        assert child.returncode == 0, errors
    finally:
        child.kill()
    # The test's own connection, and those of the one client that there was.
    assert made <= 4, (made, errors)
    assert errors.count("read 1 items") == 1, errors

"""Many threads, and the end of the interpreter."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from flagstone import Client, Context
from flagstone._waits import wait_in_slices
from support import PATIENCE, Environment, bool_flag, run_python, until


def test_the_main_thread_alone_looks_up_from_what_it_waits_for() -> None:
    def looks() -> int:
        asked: list[float] = []
        done = threading.Event()

        def look(seconds: float) -> bool:
            asked.append(seconds)
            if len(asked) == 3:
                done.set()
            return done.wait(seconds)

        timer = threading.Timer(1.0, done.set)
        timer.start()
        assert wait_in_slices(look, None) and wait_in_slices(look, PATIENCE)
        timer.cancel()
        return len(asked)

    assert looks() == 4, "three slices, the last of which finds it done"
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(looks()))
    thread.start()
    thread.join(PATIENCE)
    assert found == [2]


def test_eight_threads_evaluate_during_changes_and_close(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True), b=bool_flag("b", 1, True))
    client = environment.client()
    flag, stop, wrong, rounds = client.flag("a", False), threading.Event(), [], [0] * 8

    def work(number: int) -> None:
        while not stop.is_set():
            context = Context(f"user-{number}-{rounds[number]}")
            seen = client.bool_variation("a", context, None), flag.value(context)  # type: ignore[arg-type]
            detail = client.variation_detail("b", context, None)
            if not all(isinstance(value, bool) for value in seen) or detail.variation_index != 0:
                wrong.append((seen, detail))
            rounds[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for version in range(2, 60):
            environment.write(a=bool_flag("a", version, version % 2 == 0), b=bool_flag("b", version, True))
            time.sleep(0.01)
        assert client.close(PATIENCE)
        before = min(rounds)
        assert until(lambda: min(rounds) > before + 3), "evaluation goes on after close"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert wrong == []


def test_clients_are_made_and_closed_by_many_threads_at_once(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    values = []

    def work() -> None:
        for _ in range(5):
            with Client(environment.config()) as client:
                values.append(client.variation("a", Context("u"), False))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * PATIENCE)
    assert values == [True] * 40


PROGRAM = """
import sys, threading
from flagstone import Client, Config, Context
clients = [Client(Config(redis_url=sys.argv[1], redis_prefix=sys.argv[2])) for _ in range(3)]
for client in clients:
    assert client.start(30)
client.add_flag_change_listener(print)
flag, context = client.flag("a", False), Context("u")
assert flag.value(context) is True
def work():
    while True:
        flag.value(context), client.variation_detail("a", context, None), Context("x")
threading.Thread(target=work, daemon=True).start()
"""


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "import os; client.close(); clients.clear()", "clients[0].close()"])
def test_the_interpreter_ends_quietly_with_live_clients(environment: Environment, ending: str) -> None:
    environment.write(a=bool_flag("a", 1, True))
    for _ in range(3):
        ended = run_python(PROGRAM + ending, environment.server.url, environment.prefix)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")

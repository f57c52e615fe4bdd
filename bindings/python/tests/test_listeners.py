"""Listeners to the value of a flag for a context: callbacks, iteration, coroutines, forks."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import threading
import time
import weakref
from typing import Any
from unittest import mock

import pytest

from flagstone import Client, ClosedError, Config, Context, FlagValueChange, InvalidArgumentError, TestData
from flagstone._changes import _Line
from sink import Sink
from support import PATIENCE, Environment, bool_flag, run_python, until, value_flag

ADA, BOB = Context("ada"), Context("bob")


def client(data: TestData, **options: Any) -> Client:
    made = Client(Config(test_data=data, **options))
    assert made.start(PATIENCE)
    return made


def served(data: TestData, key: str, *variations: Any, **parts: Any) -> None:
    """Sets a flag that serves the first of ``variations`` to everybody."""
    flag = {"key": key, "version": 1, "on": True, "variations": variations, "fallthrough": {"variation": 0}}
    data.set_flag({**flag, **parts})


def test_a_change_of_the_value_is_heard_and_no_other_change() -> None:
    data = TestData()
    served(data, "a", "one")
    heard: list[FlagValueChange] = []
    with client(data) as asked:
        asked.add_flag_value_change_listener("a", ADA, heard.append)
        served(data, "a", "one", version=2)
        served(data, "b", "other")
        served(data, "a", "two", version=3)
        assert until(lambda: bool(heard))
        big = 2**70
        served(data, "a", {"deep": [big]}, version=4)
        assert until(lambda: len(heard) == 2)
    assert heard == [FlagValueChange("a", "one", "two"), FlagValueChange("a", "two", {"deep": [big]})]


def test_each_context_has_a_value_of_its_own_and_what_a_flag_depends_on_counts() -> None:
    data = TestData()
    data.update(data.flag("gate"))
    needs = {"prerequisites": [{"key": "gate", "variation": 0}], "offVariation": 1}
    served(data, "a", True, False, **needs)
    heard: list[tuple[str, Any]] = []
    with client(data) as asked:
        for name, context in (("ada", ADA), ("bob", BOB)):
            asked.add_flag_value_change_listener(
                "a",
                context,
                lambda change, name=name: heard.append((name, change.new_value)),
            )
        data.update(data.flag("gate").variation_for_user("ada", False))
        assert until(lambda: bool(heard))
        data.update(data.flag("gate").fallthrough_variation(False))
        assert until(lambda: len(heard) > 1)
    assert heard == [("ada", False), ("bob", False)]


def test_a_flag_that_comes_and_goes_has_no_value_before_and_after() -> None:
    data = TestData()
    with client(data) as asked:
        changes = asked.flag_value_changes("a", ADA)
        served(data, "a", 1)
        assert next(changes) == FlagValueChange("a", None, 1)
        data.delete_flag("a")
        assert next(changes) == FlagValueChange("a", 1, None)


def test_it_is_heard_in_daemon_mode(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, False))
    asked = environment.client()
    changes = asked.flag_value_changes("a", ADA)
    environment.write(a=bool_flag("a", 2, True))
    assert next(changes) == FlagValueChange("a", False, True)


def test_who_is_removed_hears_no_more_and_the_others_do() -> None:
    data = TestData()
    served(data, "a", 0)
    first: list[Any] = []
    second: list[Any] = []
    with client(data) as asked:
        for listener in (first.append, first.append, second.append):
            asked.add_flag_value_change_listener("a", ADA, listener)
        asked.remove_flag_value_change_listener("a", Context("ada"), first.append)
        asked.remove_flag_value_change_listener("a", BOB, second.append)
        asked.remove_flag_value_change_listener("b", ADA, second.append)
        asked.remove_flag_value_change_listener("a", ADA, print)
        served(data, "a", 1, version=2)
        assert until(lambda: len(first + second) == 2)
        asked.remove_flag_value_change_listener("a", ADA, first.append)
        served(data, "a", 2, version=3)
        assert until(lambda: len(second) == 2)
    assert len(first) == 1
    asked.remove_flag_value_change_listener("a", ADA, second.append)
    assert asked._value_listeners == {}


def test_a_listener_that_raises_is_logged_and_may_end_itself(caplog: pytest.LogCaptureFixture) -> None:
    data = TestData()
    served(data, "a", 0)
    heard: list[Any] = []

    def raises(change: FlagValueChange) -> None:
        asked.remove_flag_value_change_listener("a", ADA, raises)
        raise RuntimeError("on purpose")

    with client(data) as asked:
        asked.add_flag_value_change_listener("a", ADA, raises)
        asked.add_flag_value_change_listener("a", ADA, heard.append)
        for version in (2, 3):
            served(data, "a", version, version=version)
            assert until(lambda: len(heard) == version - 1)  # noqa: B023
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["a listener raised an exception"]


def test_nothing_is_told_of_what_is_evaluated_for_listeners(sink: Sink) -> None:
    data = TestData()
    served(data, "a", 0, trackEvents=True)
    asked = client(data, **sink.options())
    changes = asked.flag_value_changes("a", ADA)
    served(data, "a", 1, version=2, trackEvents=True)
    assert next(changes).new_value == 1
    assert asked.flush(PATIENCE) and asked.close(PATIENCE)
    assert [event for event in sink.events() if event["kind"] != "diagnostic"] == []


def test_iteration_waits_and_ends_when_the_client_is_closed() -> None:
    data = TestData()
    asked = client(data)
    changes = asked.flag_value_changes("a", ADA)
    heard: list[Any] = []
    thread = threading.Thread(target=lambda: heard.extend(change.new_value for change in changes))
    thread.start()
    for version in range(1, 5):
        served(data, "a", version, version=version)
        assert until(lambda: len(heard) == version)  # noqa: B023
    assert asked.close(PATIENCE)
    thread.join(PATIENCE)
    assert not thread.is_alive() and heard == [1, 2, 3, 4]
    assert list(changes) == []


def test_what_comes_between_two_looks_of_who_iterates_is_given_at_once() -> None:
    line: _Line[str] = _Line()
    answered, in_time = threading.Event(), []

    def put_between_two_looks() -> None:
        looks: Any = line._moved
        assert until(lambda: len(looks._waiters) == 1)
        with looks:
            # The main thread ends a wait meanwhile, and cannot begin another one before something was put.
            time.sleep(0.3)
            line.put("a")
        in_time.append(answered.wait(5.0))
        while not answered.wait(0.01):
            line.end()

    thread = threading.Thread(target=put_between_two_looks)
    thread.start()
    taken = line.take()
    answered.set()
    thread.join(PATIENCE)
    assert (taken, in_time) == ("a", [True])


def test_coroutines_iterate_as_well_and_a_cancelled_one_loses_nothing() -> None:
    data = TestData()
    asked = client(data)

    async def body() -> list[Any]:
        changes = asked.flag_value_changes("a", ADA)
        for _ in range(100):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(changes.__anext__(), 0.001)
        assert changes._line._waiting == []
        served(data, "a", 1)
        first = await asyncio.wait_for(changes.__anext__(), PATIENCE)
        served(data, "a", 2, version=2)
        heard = [first.new_value]
        async for change in changes:
            heard.append(change.new_value)
            await asked.aclose(PATIENCE)
        return heard

    assert asyncio.run(asyncio.wait_for(body(), 4 * PATIENCE)) == [1, 2]


def test_who_stops_iterating_is_forgotten() -> None:
    with client(TestData()) as asked:
        changes, others = asked.flag_value_changes("a", ADA), asked.flag_value_changes("a", ADA)
        assert len(asked._value_listeners) == 2
        changes.close()
        assert len(asked._value_listeners) == 1 and list(changes) == []
        gone = weakref.ref(others)
        del others
        gc.collect()
        assert gone() is None and asked._value_listeners == {}


def test_who_iterates_over_changes_need_not_hold_the_client() -> None:
    data = TestData()
    changes, others = client(data).flag_value_changes("a", ADA), client(data).changes()
    heard: list[Any] = []
    calls = [lambda: heard.append(next(changes)), lambda: heard.append(next(others))]
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    gc.collect()
    served(data, "a", 1)
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(type(change).__name__ for change in heard) == ["FlagChange", "FlagValueChange"]
    gone = weakref.ref(changes._client)
    changes.close()
    gc.collect()
    assert gone() is None and list(changes) == [], "who has ended holds it no longer"


def test_garbage_that_is_collected_in_the_middle_of_a_call_stops_nobody() -> None:
    def collect() -> None:
        for lock in (asked._lock, asked._value_lock):
            made: list[Any] = [asked.flag_value_changes("a", ADA), asked.big_segments_changes()]
            made[0].cycle, made[1].cycle = made, made
            with lock:
                made.clear()
                gc.collect()
        done.set()

    with client(TestData()) as asked:
        done = threading.Event()
        threading.Thread(target=collect, daemon=True).start()
        assert done.wait(PATIENCE)
        assert asked._value_listeners == {} and asked._big_segments_listeners == ()


@pytest.mark.parametrize(
    ("key", "context", "listener"),
    [
        (3, ADA, print),
        ("\ud800", ADA, print),
        ("a", None, print),
        ("a", mock.MagicMock(spec=Context), print),
        ("a", ADA, None),
    ],
    ids=["key", "surrogate", "context", "mock", "listener"],
)
def test_what_cannot_be_listened_to_is_refused(key: Any, context: Any, listener: Any) -> None:
    with client(TestData()) as asked:
        with pytest.raises(InvalidArgumentError):
            asked.add_flag_value_change_listener(key, context, listener)
        asked.remove_flag_value_change_listener(key, context, listener)
        assert asked._value_listeners == {}


def test_after_close_nobody_can_begin_to_listen() -> None:
    asked = client(TestData())
    assert asked.close(PATIENCE)
    with pytest.raises(ClosedError):
        asked.add_flag_value_change_listener("a", ADA, print)
    with pytest.raises(ClosedError):
        asked.flag_value_changes("a", ADA)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_goes_on_listening(environment: Environment) -> None:
    environment.write(a=value_flag("a", 1, "one"))
    asked = environment.client()
    heard: list[Any] = []
    asked.add_flag_value_change_listener("a", ADA, lambda change: heard.append([change.old_value, change.new_value]))
    report, write = os.pipe()
    go, let = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            assert asked.variation("a", ADA, "") == "one"  # wakes it
            os.write(write, b"ready\n")
            os.read(go, 1)
            assert until(lambda: bool(heard))
            os.write(write, json.dumps(heard).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(write)
    with open(report) as told:
        assert told.readline() == "ready\n"
        environment.write(a=value_flag("a", 2, "two"))
        os.write(let, b"+")
        assert json.loads(told.readline()) == [["one", "two"]]
    os.waitpid(child, 0)
    assert until(lambda: heard == [["one", "two"]])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_closes_though_a_thread_of_the_parents_was_just_telling_a_change() -> None:
    telling, done = threading.Event(), threading.Event()
    with client(TestData()) as asked:
        changes = asked.flag_value_changes("a", ADA)

        def tell() -> None:
            with changes._line._moved:
                telling.set()
                done.wait(4 * PATIENCE)

        thread = threading.Thread(target=tell)
        thread.start()
        assert telling.wait(PATIENCE)
        child = os.fork()
        if child == 0:
            signal.alarm(int(PATIENCE))  # ends a child that hangs
            asked.close(PATIENCE)
            os._exit(0 if list(changes) == [] else 1)
        assert os.waitpid(child, 0)[1] == 0
        done.set()
        thread.join(PATIENCE)


UNHEARD = """
import signal, threading, time
from flagstone import *
client = Client(Config(test_data=TestData()))
assert client.start(30)

def interrupt():
    time.sleep(0.5)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

interrupting = threading.Thread(target=interrupt, daemon=True)
hanging = lambda _: time.sleep(600)
migrator = MigratorBuilder(client).read(lambda _: None, hanging).write(print, print).build()
try:
    interrupting.start()
    {wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


# A signal that is there before a thread begins to wait does not wake it: as good as one that another thread gets.
@pytest.mark.parametrize(
    "wait",
    ["next(client.changes())", "migrator.read('a', Context('ada'), Stage.SHADOW)", "client.wait(State.OFF, 600)"],
    ids=["iteration", "migration", "state"],
)
def test_ctrl_c_ends_what_waits_on_the_main_thread_also_where_it_does_not_wake_it(wait: str) -> None:
    ended = run_python(UNHEARD.format(wait=wait))
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n"), ended.stderr

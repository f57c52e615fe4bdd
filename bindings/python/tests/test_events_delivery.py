"""Events and the life of a program: flushes, signals, forks, greenlets, and the end."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from typing import Any

import pytest
from test_events import ADA, telling

from flagstone import Client, ClosedError
from sink import Sink
from support import PATIENCE, bool_flag, run_python, until


def test_after_close_nothing_is_told_and_nothing_raised(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    with telling(sink) as client:
        pass
    client.identify(ADA)
    client.track("late", ADA)
    client.variation("late", ADA, 1)
    with pytest.raises(ClosedError):
        client.flush()
    assert sink.received == []
    assert caplog.text.count("track told nothing: the client is closed") == 1


def test_close_and_the_end_of_the_program_send_what_is_queued(sink: Sink) -> None:
    with telling(sink) as client:
        client.track("closed", ADA)
    assert [event["key"] for event in sink.events("custom")] == ["closed"]
    program = """
import json, sys
from flagstone import *
clients = [Client(Config(test_data=TestData(), **json.loads(sys.argv[1]))) for _ in range(3)]
for number, client in enumerate(clients):
    assert client.start(30)
    client.variation("missing", Context("ada"), number)
    client.track(f"ended {number}", Context("ada"))
"""
    ended = run_python(program, json.dumps(sink.options()))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {event["key"] for event in sink.events("custom")} == {"closed", "ended 0", "ended 1", "ended 2"}
    assert sum(sink.features()["missing"][1].values()) == 3


def test_a_flush_says_whether_everything_was_delivered(sink: Sink) -> None:
    with telling(sink) as client:
        assert client.flush(PATIENCE), "there is nothing"
        sink.open.clear()
        client.track("one", ADA)
        began = time.monotonic()
        assert client.flush() is False, "it does not wait"
        assert client.flush(0.3) is False
        assert time.monotonic() - began < PATIENCE / 2
        client.track("two", ADA)
        assert client.flush() is False, "it begins although another one has not ended"
        sink.open.set()
        assert until(lambda: len(sink.events("custom")) == 2)
        assert client.flush(PATIENCE)
        status = client.status().events
        assert status and (status.on, status.sent, status.waiting, status.lost, status.dropped) == (True, 3, 0, 0, 0)


def test_a_refusal_for_good_is_told(sink: Sink) -> None:
    with telling(sink) as client:
        sink.status = 401
        client.track("one", ADA)
        assert client.flush(PATIENCE) is False
        status = client.status().events
        assert status and not status.on and status.last_error and "401" in status.last_error and status.last_error_ms
        client.track("two", ADA)
        assert client.flush(PATIENCE) is False
    assert sink.received == []


def test_a_signal_interrupts_a_flush(sink: Sink) -> None:
    class Rings(Exception):
        pass

    def ring(*_: object) -> None:
        raise Rings

    handler = signal.signal(signal.SIGALRM, ring)
    try:
        with telling(sink) as client:
            sink.open.clear()
            client.track("one", ADA)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            began = time.monotonic()
            with pytest.raises(Rings):
                client.flush(2 * PATIENCE)
            assert time.monotonic() - began < PATIENCE
            sink.open.set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def in_a_child(client: Client, number: int, results: Any) -> None:
    """What a worker does: evaluates, tells, and ends without a word, or waits until all was delivered."""
    for _ in range(10):
        client.variation("yes", ADA, False)
    client.track(f"child {number}", ADA)
    results.put(client.flush(PATIENCE) if number % 2 else client.close(PATIENCE))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_workers_send_their_own_and_nothing_twice(sink: Sink) -> None:
    with telling(sink, bool_flag("yes", 1, True)) as client:
        for _ in range(5):
            client.variation("yes", ADA, False)
        client.track("parent", ADA)
        fork = multiprocessing.get_context("fork")
        results = fork.SimpleQueue()
        workers = [fork.Process(target=in_a_child, args=(client, number, results)) for number in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(4 * PATIENCE)
        assert [worker.exitcode for worker in workers] == [0] * 4
        assert [results.get() for _ in workers] == [True] * 4
        names = sorted(event["key"] for event in sink.events("custom"))
        assert names == [f"child {number}" for number in range(4)], "what the parent has is the parent's"
        assert sink.features() == {"yes": (False, {"true": 40})}
        assert client.flush(PATIENCE)
    assert sorted(event["key"] for event in sink.events("custom"))[-1] == "parent"
    assert sink.features() == {"yes": (False, {"true": 45})}
    ids = [payload.headers["x-launchdarkly-payload-id"] for payload in sink.received]
    assert len(set(ids)) == len(ids)
    assert os.getpid(), "this process is still there"


GREEN = """
import json, sys, time
{patch}
from flagstone import *
client = Client(Config(test_data=TestData(), **json.loads(sys.argv[1])))
assert client.start(30)
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic())
        time.sleep(0.01)
{spawn}
client.track("green", Context("ada"), {{"a": 1}})
before = len(ticks)
print(client.flush(30), len(ticks) - before > 3)
client.track("closed", Context("ada"))
print(client.close(30))
"""


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_greenlet_that_flushes_lets_the_others_run(sink: Sink, library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed in this Python's test environment")
    patch = {
        "gevent": "from gevent import monkey; monkey.patch_all(); import gevent",
        # It warns of itself.
        "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
    }
    sink.delay = 0.3
    program = GREEN.format(patch=patch[library], spawn=f"{library}.spawn(tick)")
    ended = run_python(program, json.dumps(sink.options()))
    assert ended.stdout == "True True\nTrue\n", ended.stderr
    assert [event["key"] for event in sink.events("custom")] == ["green", "closed"]

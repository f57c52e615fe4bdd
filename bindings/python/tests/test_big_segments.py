"""Big segments: a store of the program's own, whatever it does, and Redis."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest

from flagstone import (
    BigSegmentsStatus,
    BigSegmentStore,
    BigSegmentStoreStatus,
    Client,
    Config,
    Context,
    EvaluationDetail,
    InvalidArgumentError,
    TestData,
)
from support import PATIENCE, Environment, hash_of, run_python, until

ADA, BOB = Context("ada"), Context("bob")
#: Of the segment below.
REFERENCE = "vip.g7"
SEGMENT = {"key": "vip", "version": 1, "unbounded": True, "generation": 7, "salt": "s"}
FLAG = {
    "key": "flag",
    "version": 1,
    "on": True,
    "variations": ["yes", "no"],
    "rules": [{"id": "r", "variation": 0, "clauses": [{"attribute": "", "op": "segmentMatch", "values": ["vip"]}]}],
    "fallthrough": {"variation": 1},
    "offVariation": 1,
    "salt": "s",
}


def now() -> int:
    return int(time.time() * 1000)


class Store(BigSegmentStore):
    """Knows members by the key of the context, counts how often it is asked, and does what it is told first."""

    def __init__(self, members: Mapping[str, Any] | None = None) -> None:
        self.members = {hash_of(key): found for key, found in (members or {"ada": {REFERENCE: True}}).items()}
        self.synced: Any = now
        self.asked: list[str] = []
        self.polled = self.closed = 0
        self.first: Any = lambda: None

    def metadata(self) -> Any:
        self.polled += 1
        return self.synced() if callable(self.synced) else self.synced

    def membership(self, context_hash: str) -> Any:
        self.asked.append(context_hash)
        self.first()
        return self.members.get(context_hash)

    def close(self) -> None:
        self.closed += 1


def data() -> TestData:
    made = TestData()
    made.set_segment(SEGMENT)
    return made.set_flag(FLAG)


def client(store: BigSegmentStore, **options: Any) -> Client:
    made = Client(Config(test_data=data(), big_segment_store=store, **options))
    assert made.start(PATIENCE)
    return made


def outcome(detail: EvaluationDetail[Any]) -> tuple[Any, Any]:
    return detail.value, detail.reason.big_segments_status


def ask(asked: Client, context: Context = ADA) -> tuple[Any, Any]:
    return outcome(asked.variation_detail("flag", context, ""))


HEALTHY, STALE = BigSegmentsStatus.HEALTHY, BigSegmentsStatus.STALE
FAILED = BigSegmentsStatus.STORE_ERROR


def test_a_store_says_who_is_a_member() -> None:
    store = Store({"ada": {REFERENCE: True, "other.g1": False}, "bob": {REFERENCE: False}, "eve": {}})
    with client(store) as asked:
        assert ask(asked) == ("yes", HEALTHY)
        assert ask(asked, BOB) == ("no", HEALTHY)
        assert ask(asked, Context("eve")) == ask(asked, Context("nobody")) == ("no", HEALTHY)
        assert store.asked == [hash_of(key) for key in ("ada", "bob", "eve", "nobody")]
        for _ in range(3):
            assert ask(asked)[0] == asked.variation("flag", ADA, "") == asked.flag("flag", "").value(ADA) == "yes"
        assert asked.variation_many(["flag"], ADA)["flag"].value == "yes"
        assert asked.all_flags_state(ADA).value("flag") == "yes"
        assert len(store.asked) == 4, "answers are remembered"


def test_without_a_store_big_segments_are_not_configured() -> None:
    with Client(Config(test_data=data())) as asked:
        assert ask(asked) == ("no", BigSegmentsStatus.NOT_CONFIGURED)
        assert asked.big_segments_status() == BigSegmentStoreStatus(False, False, None)


ODD: list[Any] = [3, "text", [REFERENCE], {3: True}, {REFERENCE: 1}, {REFERENCE: None}, {"\ud800": True}, object()]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_a_membership_that_is_none_is_an_error_of_the_store(odd: Any, caplog: pytest.LogCaptureFixture) -> None:
    with client(Store({"ada": odd, "bob": {REFERENCE: True}})) as asked:
        assert ask(asked) == ("no", FAILED)
        assert ask(asked, BOB) == ("yes", HEALTHY)
    assert len(complaints(caplog)) == 1


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [line for line in lines if "of the big segment store failed" in line]


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_store_that_raises_is_logged_once_until_it_works_again(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store({key: {REFERENCE: True} for key in "abcdefgh"})
    with client(store) as asked:
        for failing, keys in ((True, "abc"), (False, "d"), (True, "ef"), (False, "a")):
            store.first = mock.Mock(side_effect=error) if failing else lambda: None
            for key in keys:
                assert ask(asked, Context(key)) == (("no", FAILED) if failing else ("yes", HEALTHY))
    lines = complaints(caplog)
    assert len(lines) == 2 and all(type(error).__name__ in line for line in lines)


@pytest.mark.parametrize("odd", [1.5, "now", -1, True, 2**70, [], RuntimeError("on purpose")], ids=repr)
def test_an_age_that_is_none_is_an_error_of_the_store(odd: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    store.synced = mock.Mock(side_effect=odd) if isinstance(odd, Exception) else odd
    with client(store) as asked:
        assert asked.big_segments_status() == BigSegmentStoreStatus(False, False, None)
    assert len(complaints(caplog)) == 1


def test_a_store_that_hangs_is_waited_for_a_while_and_holds_nobody_else() -> None:
    store, let = Store(), threading.Event()
    store.first = lambda: let.wait(4 * PATIENCE)
    with client(store, redis_command_timeout_ms=400) as asked:
        found: list[Any] = []
        began = time.monotonic()
        thread = threading.Thread(target=lambda: found.append((ask(asked), time.monotonic() - began)))
        thread.start()
        assert until(lambda: bool(store.asked))
        turns = 0
        while thread.is_alive():
            turns += 1
            time.sleep(0.001)
        ((answer, seconds),) = found
        assert answer == ("no", FAILED) and 0.3 < seconds < PATIENCE
        assert turns > 20, "this thread ran meanwhile"
        let.set()
        assert until(lambda: ask(asked) == ("yes", HEALTHY))


def test_no_more_than_a_number_of_calls_are_left_hanging() -> None:
    store, let = Store({f"{n}": {REFERENCE: True} for n in range(100)}), threading.Event()
    store.first = lambda: let.wait(4 * PATIENCE)
    with client(store, redis_command_timeout_ms=20) as asked:
        for number in range(50):
            assert ask(asked, Context(f"{number}")) == ("no", FAILED)
        # A slow machine may have asked for the age meanwhile.
        assert 20 <= len(store.asked) <= 32
        let.set()
        assert until(lambda: ask(asked, Context("99")) == ("yes", HEALTHY))


def test_threads_that_want_the_same_context_share_one_question() -> None:
    store, let, found = Store(), threading.Event(), []
    store.first = lambda: let.wait(PATIENCE)
    with client(store, redis_command_timeout_ms=int(PATIENCE * 1000)) as asked:
        flag = asked.flag("flag", "")
        calls = [lambda: ask(asked)[0], lambda: flag.value(ADA), lambda: asked.variation("flag", ADA, "")] * 3
        threads = [threading.Thread(target=lambda call=call: found.append(call())) for call in calls]
        for thread in threads:
            thread.start()
        assert until(lambda: bool(store.asked))
        time.sleep(0.05)  # for the others to come; it is no error if they do not
        let.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert found == ["yes"] * 9 and len(store.asked) == 1


def test_a_store_that_evaluates_itself_gets_an_error_and_no_end_of_questions() -> None:
    store = Store()
    with client(store, redis_command_timeout_ms=1000) as asked:
        inner: list[Any] = []
        store.first = lambda: inner.append((ask(asked, BOB), asked.variation("missing", ADA, 1)))
        assert ask(asked) == ("yes", HEALTHY)
        assert inner == [(("no", FAILED), 1)] and store.asked == [hash_of("ada")]


def test_the_status_is_told_and_heard_when_it_changes() -> None:
    store = Store()
    heard: list[BigSegmentStoreStatus] = []
    config = Config(
        test_data=data(), big_segment_store=store, big_segments_poll_interval_ms=20, big_segments_stale_after_ms=60_000
    )
    asked = Client(config)
    asked.add_big_segments_listener(heard.append)
    asked.add_big_segments_listener(mock.Mock(side_effect=RuntimeError("on purpose")))
    changes = asked.big_segments_changes()
    with asked:
        status = asked.big_segments_status()
        assert (status.available, status.stale) == (True, False) and abs((status.last_sync_ms or 0) - now()) < 60_000
        for synced, available, stale in ((1, True, True), (None, True, True), ("?", False, False), (now, True, False)):
            store.synced = synced
            assert until(lambda: _is(asked, available, stale))  # noqa: B023
        assert until(lambda: len(heard) == 4)
        conditions = [(each.available, each.stale) for each in heard]
        assert conditions == [(True, False), (True, True), (False, False), (True, False)]
        assert [next(changes) for _ in range(4)] == heard
        asked.remove_big_segments_listener(heard.append)
        store.synced = None
        assert next(changes).stale and len(heard) == 4
        assert ask(asked) == ("yes", STALE)
    assert list(changes) == []


def _is(asked: Client, available: bool, stale: bool) -> bool:
    status = asked.big_segments_status()
    return (status.available, status.stale) == (available, stale)


def test_the_status_is_asked_for_without_a_start_and_in_coroutines() -> None:
    store = Store()
    asked = Client(Config(test_data=data(), big_segment_store=store))
    assert asked.status().big_segments is None
    assert asyncio.run(asked.big_segments_status_async()).available
    assert store.polled == 1
    assert asked.status().big_segments == asked.big_segments_status()
    assert asked.close(PATIENCE)


def test_an_evaluation_that_asks_a_store_does_not_hold_the_loop() -> None:
    store, let = Store(), threading.Event()
    store.first = lambda: let.wait(PATIENCE)

    async def body() -> Any:
        asking = asyncio.ensure_future(asked.variation_async("flag", ADA, ""))
        while not store.asked:
            await asyncio.sleep(0.001)
        let.set()
        return await asking

    with client(store, redis_command_timeout_ms=int(PATIENCE * 1000)) as asked:
        assert asyncio.run(body()) == "yes"


def test_a_store_is_closed_with_the_last_client_that_uses_it() -> None:
    store = Store()
    config = Config(test_data=data(), big_segment_store=store)
    first, second = Client(config), Client(config)
    assert first.start(PATIENCE) and second.start(PATIENCE)
    assert first.close(PATIENCE) and first.close(PATIENCE)
    assert store.closed == 0 and ask(second) == ("yes", HEALTHY)
    store.close = mock.Mock(side_effect=RuntimeError("on purpose"))  # type: ignore[method-assign]
    assert second.close(PATIENCE)
    assert store.close.call_count == 1
    let = threading.Event()
    store.close = mock.Mock(side_effect=lambda: let.wait(PATIENCE))  # type: ignore[method-assign]
    third = Client(config)
    assert not third.close(0.1), "it is not waited for any longer"
    let.set()


def test_a_forgotten_client_goes_away_with_the_thread_that_polls() -> None:
    store = Store()
    asked = client(store, big_segments_poll_interval_ms=10)
    assert until(lambda: store.polled > 2)
    gone = weakref.ref(asked)
    del asked
    gc.collect()
    assert gone() is None
    assert until(lambda: not polls(store))


def polls(store: Store) -> bool:
    before = store.polled
    time.sleep(0.1)
    return store.polled > before


def test_after_close_nobody_polls() -> None:
    store = Store()
    asked = client(store, big_segments_poll_interval_ms=10)
    assert until(lambda: store.polled > 2)
    assert asked.close(PATIENCE) and not polls(store)


@pytest.mark.parametrize(
    "wrong", [3, Store, mock.MagicMock(spec=BigSegmentStore), {}], ids=lambda wrong: type(wrong).__name__
)
def test_what_is_no_store_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="big_segment_store"):
        Config(big_segment_store=wrong)


def test_a_config_shows_its_store_and_is_not_pickled() -> None:
    import pickle

    config = Config(big_segment_store=Store())
    assert repr(config).startswith("Config(big_segment_store=<test_big_segments.Store object at ")
    with pytest.raises(TypeError, match="big segment store"):
        pickle.dumps(config)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_asks_the_store_itself_and_polls() -> None:
    store, let = Store(), threading.Event()
    with client(store, big_segments_poll_interval_ms=10, redis_command_timeout_ms=5_000) as asked:
        assert ask(asked) == ("yes", HEALTHY)
        store.first = lambda: let.wait(PATIENCE)
        hanging = threading.Thread(target=lambda: ask(asked, BOB))
        hanging.start()
        assert until(lambda: len(store.asked) == 2)
        store.first = lambda: None
        child = os.fork()
        if child == 0:
            code = 1
            try:
                assert ask(asked, Context("eve")) == ("no", HEALTHY)
                before = store.polled
                assert until(lambda: store.polled > before + 2)
                assert asked.close(PATIENCE) and store.closed == 1
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        let.set()
        hanging.join(PATIENCE)
        assert ask(asked) == ("yes", HEALTHY) and store.closed == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_that_makes_no_call_does_not_wait_for_the_parents_thread() -> None:
    with client(Store()) as asked:
        child = os.fork()
        if child == 0:
            began = time.monotonic()
            asked.close(4 * PATIENCE)
            os._exit(0 if time.monotonic() - began < PATIENCE else 1)
        assert os.waitpid(child, 0)[1] == 0


INTERRUPTED = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from test_big_segments import *
store = Store()
store.first = lambda: print("asked", flush=True) or {interrupt} or time.sleep(20)
asked = client(store, redis_command_timeout_ms=20_000)
try:
    ask(asked)
    time.sleep(20)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


# A signal that is there before a thread begins to wait does not wake it: as good as one that another thread gets.
@pytest.mark.parametrize(
    "interrupt", ["None", "signal.pthread_kill(threading.get_ident(), signal.SIGINT)"], ids=["", "unheard"]
)
def test_ctrl_c_ends_an_evaluation_that_waits_for_a_store(interrupt: str) -> None:
    program = [sys.executable, "-c", INTERRUPTED.format(interrupt=interrupt), os.path.dirname(__file__)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "asked\n"
    began = time.monotonic()
    if interrupt == "None":
        process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=4 * PATIENCE)[0] == "interrupted\n"
    assert time.monotonic() - began < 15


EXITING = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from test_big_segments import *

class Slow:
    def __del__(self):
        time.sleep(2)

def hang():
    hanging.set()
    time.sleep(60)

sys.modules["slow"] = Slow()  # goes away late, while other threads may run
hanging, store = threading.Event(), Store()
asked = client(store, redis_command_timeout_ms=int(sys.argv[3]), big_segments_poll_interval_ms=10)
if sys.argv[2] == "evaluation":
    assert until(lambda: store.polled > 1)
    store.first = hang
    for _ in range(3):
        threading.Thread(target=lambda: ask(asked), daemon=True).start()
else:
    store.synced = hang
assert hanging.wait(PATIENCE)
"""


@pytest.mark.parametrize(("call", "wait"), [("evaluation", "1000"), ("poll", "3000")])
def test_a_store_that_hangs_while_the_interpreter_ends_does_not_abort_the_process(call: str, wait: str) -> None:
    done = run_python(EXITING, os.path.dirname(__file__), call, wait)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Redis


def members(environment: Environment, prefix: str, **lists: list[str]) -> None:
    """Writes the big segments that include a context, by its key, as Relay Proxy does."""
    for key, references in lists.items():
        environment.server.redis.sadd(f"{prefix}:big_segment_include:{hash_of(key)}", *references)
    environment.server.redis.set(f"{prefix}:big_segments_synchronized_on", str(now()))


def test_redis_says_who_is_a_member_in_daemon_mode(environment: Environment) -> None:
    write(environment)
    members(environment, environment.prefix, ada=[REFERENCE])
    asked = environment.client()
    assert until(lambda: ask(asked) == ("yes", HEALTHY)) and ask(asked, BOB) == ("no", HEALTHY)
    status = asked.big_segments_status()
    assert (status.available, status.stale) == (True, False)


def test_another_redis_and_prefix_may_know_the_members(environment: Environment) -> None:
    members(environment, "elsewhere", ada=[REFERENCE])
    options = {"big_segments_url": environment.server.url, "big_segments_prefix": "elsewhere"}
    with Client(Config(test_data=data(), **options)) as asked:  # type: ignore[arg-type]
        assert until(lambda: ask(asked) == ("yes", HEALTHY))


def write(environment: Environment) -> None:
    import json

    environment.write(flag=json.dumps(FLAG))
    environment.server.redis.hset(f"{environment.prefix}:segments", "vip", json.dumps(SEGMENT))
    environment.server.redis.set(f"{environment.prefix}:$inited", "")


CALLS: dict[str, Any] = {
    "value": lambda asked: asked.variation("flag", BOB, ""),
    "detail": lambda asked: asked.variation_detail("flag", BOB, "").value,
    "typed": lambda asked: asked.string_variation("flag", BOB, ""),
    "prepared": lambda asked: asked.flag("flag", "").value(BOB),
    "prepared any": lambda asked: asked.flag("flag").detail(BOB).value,
    "many": lambda asked: asked.variation_many(["flag"], BOB)["flag"].value,
}


@pytest.mark.parametrize("name", list(CALLS))
def test_others_run_while_an_evaluation_waits_for_redis(own: Environment, name: str) -> None:
    write(own)
    members(own, own.prefix, ada=[REFERENCE], bob=[REFERENCE])
    asked = own.client(redis_command_timeout_ms=500)
    assert until(lambda: ask(asked) == ("yes", HEALTHY))
    own.server.freeze()
    try:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(CALLS[name](asked)))
        began, turns = time.monotonic(), 0
        thread.start()
        while thread.is_alive():
            turns += 1
            time.sleep(0.001)
        seconds = time.monotonic() - began
        assert found == ["no"] and seconds > 0.3 and turns > 20 * seconds
    finally:
        own.server.thaw()

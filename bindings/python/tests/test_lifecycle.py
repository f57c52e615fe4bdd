"""Start, close, status, listeners, logging."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import threading
import time
import weakref
from functools import partial
from pathlib import Path

import pytest

from flagstone import (
    Client,
    ClosedError,
    Config,
    Context,
    ErrorKind,
    FlagChange,
    InvalidArgumentError,
    State,
    StatusChange,
    TestData,
)
from support import PATIENCE, PATIENT, Environment, Server, bool_flag, free_port, run_python, until

ADA = Context("ada")


def pumps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "flagstone-events"]


def test_without_redis_start_gives_up_and_evaluation_says_not_ready() -> None:
    client = Client(Config(redis_url=f"redis://127.0.0.1:{free_port()}"))
    times: list[float] = []
    # A busy machine makes single ones late.
    while not times or (len(times) < 3 and times[-1] >= 2):
        began = time.monotonic()
        assert client.start(0.3) is False
        times.append(time.monotonic() - began)
    assert min(times) > 0.25 and times[-1] < 2, times
    assert client.state is State.INIT
    assert not client.is_ready
    detail = client.variation_detail("yes", ADA, False)
    assert detail.reason.error_kind is ErrorKind.CLIENT_NOT_READY
    assert until(lambda: client.status().last_error is not None)
    assert client.close(PATIENCE)


def test_a_client_that_was_not_started_answers_with_defaults() -> None:
    client = Client()
    assert client.variation("yes", ADA, True) is True
    assert client.start(0) is False or client.is_ready
    client.close()


def test_a_client_becomes_ready_once_redis_is_there(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.stop()
    client = Client(Config(redis_url=server.url))
    assert not client.start(0.1)
    server.start()
    server.redis.hset("launchdarkly:features", "yes", bool_flag("yes", 1, True))
    assert client.start(PATIENCE)
    assert until(lambda: client.variation("yes", ADA, False))
    client.close()
    server.stop()


def test_as_a_context_manager_it_starts_and_closes(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    with Client(environment.config()) as client:
        assert client.is_ready
        assert client.wait(State.VALID, PATIENCE)
        assert client.variation("yes", ADA, False) is True
    assert client.state is State.OFF


def test_after_close_evaluation_answers_and_everything_else_is_refused(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    client = environment.client()
    flag = client.flag("yes", False)
    assert client.close(PATIENCE)
    assert client.close(PATIENCE)
    assert client.variation("yes", ADA, False) is True
    assert flag.value(ADA) is True
    assert client.variation_many(["yes"], ADA)["yes"].value is True
    for call in (client.start, client.status, client.flush, client.postfork, lambda: client.flag("yes", False)):
        with pytest.raises(ClosedError):
            call()
    with pytest.raises(ClosedError):
        client.wait(State.VALID, 1)
    assert client.wait(State.OFF, PATIENCE)
    assert client.is_ready is False


def test_status_tells_what_is_held(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True), b=bool_flag("b", 1, True), broken="{oops")
    status = environment.client().status()
    assert (status.state, status.ready, status.available, status.flags) == (State.VALID, True, True, 2)
    assert (status.freshness, status.malformed, status.segments) == ("push", 1, 0)
    assert environment.client().flush(1)


def test_waiting_for_a_state_ends_with_the_state_or_the_time(environment: Environment) -> None:
    client = environment.client()
    assert client.wait(State.VALID, PATIENCE)
    assert not client.wait(State.INTERRUPTED, 0.05)
    with pytest.raises(InvalidArgumentError):
        client.wait(State.UNKNOWN, 0.05)


def test_listeners_hear_changes_of_flags(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    client = environment.client()
    heard: list[FlagChange] = []
    client.add_flag_change_listener(heard.append)
    environment.write(a=bool_flag("a", 2, False), new=bool_flag("new", 5, True))
    expected = {FlagChange("a", 1, 2), FlagChange("new", None, 5)}
    assert until(lambda: expected <= set(heard))
    client.remove_flag_change_listener(heard.append)
    heard.clear()
    environment.write(a=bool_flag("a", 3, True))
    assert until(lambda: client.variation("a", ADA, False))
    time.sleep(0.1)
    assert heard == []


def test_listeners_hear_changes_of_state(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.redis.hset("launchdarkly:features", "yes", bool_flag("yes", 1, True))
    client = Client(Config(redis_url=server.url, **PATIENT))
    heard: list[StatusChange] = []
    client.add_status_listener(heard.append)
    assert client.start(PATIENCE)
    assert until(lambda: [change.state for change in heard] == [State.VALID])
    server.stop()
    assert until(lambda: heard[-1].state is State.INTERRUPTED)
    assert client.variation_detail("yes", ADA, False).is_stale
    assert client.variation("yes", ADA, False) is True
    client.close()
    assert until(lambda: heard[-1].state is State.OFF)


def test_a_listener_that_raises_is_logged_and_survives(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    environment.write(a=bool_flag("a", 1, True))
    client = environment.client()
    heard: list[FlagChange] = []

    def fails(change: FlagChange) -> None:
        raise RuntimeError("listener " + change.key)

    client.add_flag_change_listener(fails)
    client.add_flag_change_listener(heard.append)
    environment.write(a=bool_flag("a", 2, True))
    assert until(lambda: FlagChange("a", 1, 2) in heard)
    environment.write(a=bool_flag("a", 3, True))
    assert until(lambda: FlagChange("a", 2, 3) in heard)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len([error for error in errors if "listener a" in str(error.exc_info)]) >= 2


def test_a_listener_may_close_the_client(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    client = environment.client()
    closed = threading.Event()

    def close(_: FlagChange) -> None:
        client.close()
        closed.set()

    client.add_flag_change_listener(close)
    environment.write(a=bool_flag("a", 2, True))
    assert closed.wait(PATIENCE)


def test_log_lines_reach_the_logger_at_their_level(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    environment.write(broken="{oops")
    with caplog.at_level(logging.DEBUG, "flagstone"):
        client = environment.client(log_level="debug")
        assert until(lambda: any("does not parse" in record.getMessage() for record in caplog.records))
        assert until(lambda: any(record.levelno == logging.INFO for record in caplog.records))
        assert {record.name for record in caplog.records} == {"flagstone"}
        # Whatever it has to say is said when it is closed.
        assert client.close(PATIENCE)
        caplog.clear()
        client = environment.client(log_level="none")
        assert client.status().malformed == 1
        assert client.close(PATIENCE)
        assert caplog.records == []


def test_a_forgotten_client_goes_away_with_its_thread(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    before = len(pumps())
    client = Client(environment.config())
    assert client.start(PATIENCE)
    client.add_flag_change_listener(partial(print, client))  # a cycle
    flag = client.flag("yes", False)
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is not None, "a prepared flag keeps its client"
    assert flag.value(ADA) is True
    del flag
    # Its thread may be about to deliver something.
    assert until(lambda: gc.collect() >= 0 and gone() is None)
    assert until(lambda: len(pumps()) <= before)


def test_copies_share_and_what_belongs_to_the_process_is_not_pickled(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    config = environment.config()
    client = environment.client()
    flag = client.flag("yes", False)
    for _ in range(100):
        for shared in (config, client, flag):
            assert copy.copy(shared) is shared and copy.deepcopy([shared])[0] is shared
    gc.collect()
    assert client.variation("yes", ADA, False) is flag.value(ADA) is True
    data = TestData()
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="TestData cannot be copied"):
            duplicate(data)
    for bound in (client, flag, data, Config(test_data=data)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(bound, protocol)


def test_a_pickled_config_makes_the_same_clients(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    given = environment.config(http_headers={"X-Team": "red"}, cache_residency="lazy", options={"redis.ping_ms": 500})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        config = pickle.loads(pickle.dumps(given, protocol))
        assert repr(config) == repr(given)
    with Client(config) as client:
        assert client.is_ready and client.variation("yes", ADA, False) is True


def test_a_copied_builder_is_independent() -> None:
    one = TestData().flag("f").variation_for_user("ada", True)
    other = copy.copy(one).variation_for_user("bob", True)
    assert one.to_dict() != other.to_dict() == copy.deepcopy(other).to_dict()


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=lambda error: type(error).__name__
)
def test_nothing_that_a_listener_raises_ends_notifications(
    environment: Environment, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    environment.write(a=bool_flag("a", 1, True))
    client = environment.client()
    heard: list[FlagChange] = []

    def fails(change: FlagChange) -> None:
        raise error

    client.add_flag_change_listener(fails)
    client.add_flag_change_listener(heard.append)
    for version in (2, 3):
        environment.write(a=bool_flag("a", version, True))
        assert until(lambda: FlagChange("a", version - 1, version) in heard)  # noqa: B023
    assert len([record for record in caplog.records if "listener raised" in record.getMessage()]) >= 2


INTERRUPTED = """
import os
import signal
import threading
import time
from flagstone import Client, Config, State

def wait_for_client(wait):
    began = time.monotonic()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        wait()
    except KeyboardInterrupt:
        return time.monotonic() - began
    raise AssertionError("nothing interrupted it")

client = Client(Config(redis_url="redis://127.0.0.1:1"))
took = [wait_for_client(lambda: client.start(60)), wait_for_client(lambda: client.wait(State.VALID, 60))]
assert max(took) < 20, took
"""


def test_a_wait_ends_when_it_is_interrupted() -> None:
    result = run_python(INTERRUPTED)
    assert result.returncode == 0, result.stderr


STUCK = """
import threading
import time
from flagstone import Client, Config, TestData

data, never = TestData(), threading.Event()
stuck, clients = threading.Semaphore(0), []
for _ in range(5):
    client = Client(Config(test_data=data, log_level="none"))
    client.add_flag_change_listener(lambda _: (stuck.release(), never.wait()))
    assert client.start(30)
    clients.append(client)
data.update(data.flag("a"))
for _ in range(5):
    assert stuck.acquire(timeout=60)
print(time.time(), flush=True)
"""


def test_stuck_listeners_do_not_hold_the_exit() -> None:
    times = []
    for _ in range(3):
        result = run_python(STUCK)
        assert result.returncode == 0, result.stderr
        times.append(time.time() - float(result.stdout))
        if times[-1] < 6:
            return
    raise AssertionError(times)


@pytest.mark.parametrize("module", ["_interpreters", "_xxsubinterpreters"])
def test_a_sub_interpreter_is_told_that_it_is_one(module: str) -> None:
    interpreters = pytest.importorskip(module)
    code = "try:\n    import flagstone\nexcept ImportError as error:\n    print(type(error).__name__, error)"
    program = f"import {module} as i; i.run_string(i.create(), {code!r})"
    result = run_python(program)
    assert "main interpreter only" in result.stdout and "mod_wsgi" in result.stdout, (interpreters, result)


def test_another_python_is_told_that_cpython_is_needed() -> None:
    result = run_python(
        "import sys; sys.implementation.name = 'pypy'\ntry: import flagstone\nexcept ImportError as e: print(e)"
    )
    assert result.stdout == "Flagstone needs CPython; this is pypy\n", result

"""When a provider of credentials is called, and what becomes of its answer: without a Redis, and with short times."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from ctypes import c_void_p
from typing import Any

import pytest

from flagstone import Client, Config, InvalidArgumentError, RedisCredentials, TestData, _credentials
from flagstone._credentials import Keeper
from support import PATIENCE, until

LOGIN = RedisCredentials("svc", "s3cret", 900)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the library was given."""
    answers: list[Any] = []

    def give(handle: c_void_p, credentials: Any) -> None:
        if type(credentials) is not RedisCredentials:
            raise InvalidArgumentError(f"not {type(credentials).__name__}")
        answers.append(credentials)

    monkeypatch.setattr(_credentials, "give", give)
    monkeypatch.setattr(_credentials, "PAUSES", (0.02, 0.2))
    yield answers


@pytest.fixture
def client() -> Iterator[Client]:
    """Lends its handle."""
    with Client(Config(test_data=TestData())) as client:
        yield client


def looked(keeper: Keeper) -> bool:
    """Looks as the thread does that delivers notifications; false, so that it can be waited for beside something."""
    keeper.look()
    return False


def test_a_provider_is_called_when_it_is_asked_and_not_before(client: Client, given: list[Any]) -> None:
    keeper = Keeper(lambda: LOGIN, client._h)
    assert keeper.look() == float("inf") and given == []
    keeper.ask("start")
    keeper.ask("start")
    assert until(lambda: looked(keeper) or given == [LOGIN])
    assert until(lambda: keeper.look() == float("inf"))
    assert given == [LOGIN], "it was asked twice while it was called once"


def test_a_question_that_the_library_put_before_it_had_the_answer_is_not_put_again(
    client: Client, given: list[Any]
) -> None:
    keeper = Keeper(lambda: LOGIN, client._h)
    keeper.ask("start")
    keeper.look()
    assert until(lambda: keeper._open == 0)
    # On its way while the answer was handed over.
    keeper.ask("start")
    assert keeper.look() == float("inf") and given == [LOGIN] and keeper._begun == 1


def test_a_child_is_asked_anew_by_its_library_alone(client: Client, given: list[Any]) -> None:
    go = threading.Event()

    def provide() -> RedisCredentials:
        assert go.wait(PATIENCE)
        return LOGIN

    keeper = Keeper(provide, client._h)
    keeper.ask("start")
    keeper.look()
    keeper.after_fork()
    assert keeper.look() == float("inf") and keeper._begun == 1
    keeper.ask("start")
    keeper.look()
    assert keeper._begun == 2
    go.set()
    assert until(lambda: given != [])


def test_one_call_at_a_time_and_never_on_the_thread_that_looks(client: Client, given: list[Any]) -> None:
    inside, most, threads, go = [0], [0], set(), threading.Event()

    def provide() -> RedisCredentials:
        threads.add(threading.get_ident())
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        assert go.wait(PATIENCE)
        inside[0] -= 1
        return LOGIN

    keeper = Keeper(provide, client._h)
    keeper.ask("start")
    began = time.monotonic()
    for _ in range(50):
        keeper.ask("expires")
        keeper.look()
    assert time.monotonic() - began < PATIENCE / 2, "nobody waited for it"
    go.set()
    assert until(lambda: looked(keeper) or given == [LOGIN])
    assert most == [1] and threading.get_ident() not in threads


def test_a_provider_that_fails_is_called_again_after_growing_pauses(
    client: Client, given: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    times: list[float] = []

    def provide() -> RedisCredentials:
        times.append(time.monotonic())
        if len(times) < 6:
            raise ConnectionError("vault is sealed")
        return LOGIN

    keeper = Keeper(provide, client._h)
    with caplog.at_level(logging.WARNING, "flagstone"):
        keeper.ask("start")
        assert until(lambda: looked(keeper) or given == [LOGIN])
    pauses = [after - before for before, after in zip(times, times[1:])]
    assert len(pauses) == 5 and all(pause >= 0.8 * least for pause, least in zip(pauses, (0.02, 0.04, 0.08, 0.16, 0.16)))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 5 and all("the provider of Redis credentials failed" in message for message in messages)
    assert all(record.exc_info and isinstance(record.exc_info[1], ConnectionError) for record in caplog.records)


@pytest.mark.parametrize("nonsense", [None, "s3cret", ("svc", "s3cret"), 3, object()])
def test_an_answer_that_is_none_is_a_failure(
    client: Client, given: list[Any], nonsense: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [nonsense, LOGIN]
    keeper = Keeper(lambda: answers.pop(0), client._h)
    with caplog.at_level(logging.WARNING, "flagstone"):
        keeper.ask("start")
        assert until(lambda: looked(keeper) or given == [LOGIN])
    assert len(caplog.records) == 1 and "s3cret" not in caplog.text


def test_whatever_a_provider_raises_ends_its_call_alone(client: Client, given: list[Any]) -> None:
    raised: list[BaseException] = [SystemExit(3), KeyboardInterrupt(), GeneratorExit()]

    def provide() -> RedisCredentials:
        if raised:
            raise raised.pop()
        return LOGIN

    keeper = Keeper(provide, client._h)
    keeper.ask("start")
    assert until(lambda: looked(keeper) or given == [LOGIN])


def test_a_provider_that_hangs_is_given_up_and_its_late_answer_counts_unless_there_is_a_newer(
    client: Client, given: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_credentials, "LIMIT", 0.05)
    late, calls = threading.Event(), []

    def provide() -> RedisCredentials:
        calls.append(0)
        number = len(calls)
        if number <= 2:
            assert late.wait(PATIENCE)
        return RedisCredentials("svc", f"p{number}")

    keeper = Keeper(provide, client._h)
    with caplog.at_level(logging.WARNING, "flagstone"):
        keeper.ask("start")
        assert until(lambda: looked(keeper) or given != [])
    assert [login.password for login in given] == ["p3"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["no answer for 0.05 s"] * 2
    late.set()
    assert until(lambda: keeper._open == 0)
    assert [login.password for login in given] == ["p3"], "those that came late are older"
    slow = threading.Event()

    def provide_slowly() -> RedisCredentials:
        assert slow.wait(PATIENCE)
        return LOGIN

    keeper = Keeper(provide_slowly, client._h)
    keeper.ask("start")
    assert until(lambda: looked(keeper) or len(caplog.records) > 2)
    slow.set()
    assert until(lambda: LOGIN in given), "nothing newer has come"


def test_calls_that_hang_are_not_begun_without_end(
    client: Client, given: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_credentials, "LIMIT", 0.01)
    monkeypatch.setattr(_credentials, "PAUSES", (0.001, 0.005))
    hanging, calls = threading.Event(), []

    def provide() -> RedisCredentials:
        calls.append(0)
        assert hanging.wait(PATIENCE)
        return LOGIN

    keeper = Keeper(provide, client._h)
    keeper.ask("start")
    with caplog.at_level(logging.WARNING, "flagstone"):
        assert until(lambda: looked(keeper) or "8 calls have not been answered" in caplog.text)
    assert len(calls) == _credentials.MOST_OPEN
    hanging.set()
    assert until(lambda: looked(keeper) or (given != [] and keeper._open == 0))


def test_what_redis_refuses_again_and_again_is_asked_for_after_growing_pauses(client: Client, given: list[Any]) -> None:
    keeper = Keeper(lambda: LOGIN, client._h)
    began = time.monotonic()
    for number in range(1, 6):
        keeper.ask("refused" if number > 1 else "start")
        assert until(lambda: looked(keeper) or len(given) == number)  # noqa: B023
    # At once, at once, and then after 0.02, 0.04 and 0.08 s.
    assert time.monotonic() - began > 0.8 * 0.14
    keeper.ask("expires")
    assert keeper.look() >= 0 and until(lambda: looked(keeper) or len(given) == 6)


async def asked(keeper: Keeper, given: list[Any], own_loop: bool) -> asyncio.AbstractEventLoop:
    """Asks until there is an answer, with coroutines on loops of their own, or on the one that this runs on and gives."""
    loop = asyncio.get_running_loop()
    keeper.loop = None if own_loop else loop
    keeper.ask("start")
    while given == []:
        keeper.look()
        await asyncio.sleep(0.01)
    return loop


@pytest.mark.parametrize("own_loop", [True, False])
def test_a_coroutine_runs_on_the_loop_of_the_client_or_on_one_of_its_own(
    client: Client, given: list[Any], own_loop: bool
) -> None:
    loops: list[Any] = []

    async def provide() -> RedisCredentials:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        return LOGIN

    keeper = Keeper(provide, client._h)

    loop = asyncio.run(asyncio.wait_for(asked(keeper, given, own_loop), PATIENCE))
    assert given == [LOGIN] and (loops == [loop]) is not own_loop
    keeper.ask("expires")
    assert until(lambda: looked(keeper) or len(given) == 2), "the loop is over, and the provider is called all the same"


@pytest.mark.parametrize("own_loop", [True, False])
def test_a_coroutine_that_hangs_is_cancelled(
    client: Client, given: list[Any], monkeypatch: pytest.MonkeyPatch, own_loop: bool
) -> None:
    monkeypatch.setattr(_credentials, "LIMIT", 0.05)
    cancelled: list[int] = []

    async def provide() -> RedisCredentials:
        if not cancelled:
            try:
                await asyncio.sleep(10 * PATIENCE)
            finally:
                cancelled.append(1)
        return LOGIN

    keeper = Keeper(provide, client._h)

    asyncio.run(asyncio.wait_for(asked(keeper, given, own_loop), PATIENCE))
    assert cancelled == [1] and given == [LOGIN] and until(lambda: keeper._open == 0)


def test_a_close_waits_for_no_provider_and_takes_no_answer_any_more(client: Client, given: list[Any]) -> None:
    go, called = threading.Event(), threading.Event()

    def provide() -> RedisCredentials:
        called.set()
        assert go.wait(PATIENCE)
        return LOGIN

    keeper = Keeper(provide, client._h)
    keeper.ask("start")
    keeper.look()
    assert called.wait(PATIENCE)
    began = time.monotonic()
    keeper.close()
    assert time.monotonic() - began < PATIENCE / 2
    go.set()
    assert until(lambda: keeper._open == 0)
    keeper.ask("expires")
    assert keeper.look() == float("inf") and given == []


def test_credentials_are_checked_and_shown_without_the_password() -> None:
    assert repr(LOGIN) == str(LOGIN) == "RedisCredentials(user='svc', password='***', valid_for=900)"
    assert RedisCredentials(None, "p").valid_for is None and RedisCredentials(None, "p") == RedisCredentials(None, "p")
    wrong: list[tuple[Any, ...]] = [(b"svc", "p"), ("svc", None), ("svc", ""), ("svc", "p", "900"), ("svc", "p", True)]
    wrong += [("svc", "p", seconds) for seconds in (0, -1, float("nan"), float("inf"))]
    for arguments in wrong:
        with pytest.raises(InvalidArgumentError):
            RedisCredentials(*arguments)


def test_credentials_may_hold_for_any_time(client: Client) -> None:
    for seconds in (1e-9, 1, 1e12, 1e306, 10**400):
        # They are good, and there is nobody who takes them.
        with pytest.raises(InvalidArgumentError, match="no Redis"):
            client.set_redis_credentials(RedisCredentials(None, "p", seconds))


def test_where_no_thread_may_run_the_caller_asks_once(
    client: Client, given: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[int] = []

    async def provide() -> RedisCredentials:
        threads.append(threading.get_ident())
        return LOGIN

    keeper = Keeper(provide, client._h)
    keeper.ask_here()
    keeper.ask_here()
    assert given == [LOGIN] and threads == [threading.get_ident()]
    with caplog.at_level(logging.WARNING, "flagstone"):
        Keeper(lambda: None, client._h).ask_here()  # type: ignore[arg-type, return-value]
    assert "the provider of Redis credentials failed" in caplog.text

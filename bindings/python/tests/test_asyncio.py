"""The client in coroutines: nothing holds the event loop."""

from __future__ import annotations

import _thread
import asyncio
import gc
import math
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from flagstone import Client, ClosedError, Config, Context, FlagChange, Stage, State, TestData
from sink import Sink
from support import PATIENCE, Environment, bool_flag, value_flag

ADA = Context("ada")


def run(body: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(body, 4 * PATIENCE))


async def ticks_while(body: Coroutine[Any, Any, Any]) -> tuple[Any, float]:
    """What ``body`` gives, and the longest time for which it held the loop."""
    longest, last, done = 0.0, time.monotonic(), False

    async def tick() -> None:
        nonlocal longest, last
        while not done:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    ticking = asyncio.ensure_future(tick())
    try:
        return await body, longest
    finally:
        done = True
        await ticking


def test_a_client_starts_and_closes_in_a_coroutine(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))

    async def body() -> None:
        async with Client(environment.config()) as client:
            assert client.is_ready
            assert await client.await_state(State.VALID, PATIENCE)
            assert await client.variation_async("yes", ADA, False) is True
        assert client.state is State.OFF
        assert await client.aclose() and await client.await_state(State.OFF, PATIENCE)

    run(body())


def test_the_loop_runs_while_a_start_waits_and_cancels_it_at_once() -> None:
    client = Client(Config(redis_url="redis://127.0.0.1:1"))

    async def body() -> None:
        began = time.monotonic()
        started, longest = await ticks_while(client.astart(2))
        took = time.monotonic() - began
        # A start that held the loop would do so all the time.
        assert not started and took >= 2 and longest < took / 2
        assert await client.await_state(State.VALID, 0.2) is False
        began = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.astart(60), 0.2)
        assert await client.aclose(PATIENCE)

    began = time.monotonic()
    run(body())
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("residency", ["all", "lazy", "off"])
def test_every_call_has_a_form_for_coroutines(environment: Environment, residency: str) -> None:
    environment.write(yes=bool_flag("yes", 1, True), text=value_flag("text", 1, "t"), number=value_flag("number", 1, 3))
    client = environment.client(cache_residency=residency)

    async def body() -> None:
        assert await client.variation_async("yes", ADA, False) is True
        assert await client.bool_variation_async("yes", ADA, False) is True
        assert await client.int_variation_async("number", ADA, 0) == 3
        assert await client.float_variation_async("number", ADA, 0.5) == 3.0
        assert await client.string_variation_async("text", ADA, "") == "t"
        assert await client.json_variation_async("text", ADA, None) == "t"
        assert await client.variation_detail_async("text", ADA, "") == client.variation_detail("text", ADA, "")
        assert await client.variation_many_async(["yes"], ADA) == client.variation_many(["yes"], ADA)
        state = await client.all_flags_state_async(ADA, with_reasons=True)
        assert state == client.all_flags_state(ADA, with_reasons=True) and state.values()["text"] == "t"
        assert await client.variation_async("yes", None, "default") == "default"
        assert (await client.migration_variation_async("text", ADA, Stage.LIVE))[0] is Stage.LIVE

    run(body())


def test_an_evaluation_that_waits_for_redis_does_not_hold_the_loop(own: Environment) -> None:
    own.write(yes=bool_flag("yes", 1, True))
    client = own.client(cache_residency="off", redis_command_timeout_ms=1_000)
    own.server.freeze()

    async def body() -> float:
        value, longest = await ticks_while(client.variation_async("yes", ADA, "default"))
        assert value in ("default", True)
        return longest

    try:
        began = time.monotonic()
        longest = run(body())
        assert longest < (time.monotonic() - began) / 2
    finally:
        own.server.thaw()


def test_changes_come_one_after_the_other_until_the_client_is_closed() -> None:
    data = TestData().update(TestData().flag("a"))
    client = Client(Config(test_data=data))

    async def body() -> None:
        assert await client.astart(PATIENCE)
        changes, others, heard = client.changes(), client.changes(), []
        threading.Thread(target=lambda: [data.update(data.flag(key)) for key in ("a", "b", "c")]).start()
        async for change in changes:
            heard.append(change)
            if change.key == "c":
                break
        assert heard == [FlagChange("a", 1, 2), FlagChange("b", None, 1), FlagChange("c", None, 1)]
        assert await client.aclose(PATIENCE)
        assert [change async for change in others] == heard
        assert [change async for change in changes] == []

    run(body())


def test_who_stops_listening_is_forgotten() -> None:
    client = Client(Config(test_data=TestData()))

    async def body() -> None:
        assert await client.astart(PATIENCE)
        changes = client.changes()
        assert list(client._flag_listeners) != []
        changes.close()
        assert list(client._flag_listeners) == [] == [change async for change in changes]
        changes = client.changes()
        del changes
        gc.collect()
        assert list(client._flag_listeners) == []
        client._forgotten = client.changes()  # type: ignore[attr-defined]  # outlives its loop

    run(body())
    assert client.close(PATIENCE)


def test_the_loop_runs_while_events_are_delivered(sink: Sink) -> None:
    async def body() -> None:
        sink.delay = 0.8
        client = Client(Config(test_data=TestData(), **sink.options()))
        assert await client.astart(PATIENCE)
        client.track("flushed", ADA)
        flushed, longest = await ticks_while(client.aflush(PATIENCE))
        assert flushed and longest < 0.7
        sink.open.clear()
        client.track("late", ADA)
        assert await client.aflush(0.1) is False
        began = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.aflush(60), 0.2)
        assert time.monotonic() - began < 20
        sink.open.set()
        client.track("closed", ADA)
        closed, longest = await ticks_while(client.aclose(PATIENCE))
        assert closed and longest < 0.7
        with pytest.raises(ClosedError):
            await client.aflush()

    began = time.monotonic()
    run(body())
    assert time.monotonic() - began < 20, "nobody waits for the flush that was cancelled"
    # What was held back may be overtaken.
    assert sorted(event["key"] for event in sink.events("custom")) == ["closed", "flushed", "late"]


def test_an_evaluation_is_answered_when_the_loop_has_no_threads_any_more(environment: Environment) -> None:
    environment.write(yes=bool_flag("yes", 1, True))

    async def body() -> None:
        async with Client(environment.config(cache_residency="lazy")) as client:
            await asyncio.get_running_loop().shutdown_default_executor()
            assert await client.variation_async("yes", ADA, False) is True
            assert (await client.variation_detail_async("yes", ADA, False)).value is True
            assert await client.await_state(State.VALID, PATIENCE)

    run(body())


def test_where_no_thread_can_be_started_the_caller_waits_itself(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise RuntimeError("can't start new thread")

    async def body() -> None:
        client = environment.client()
        with monkeypatch.context() as patched:
            patched.setattr(_thread, "start_new_thread", refuse)
            # The second is its name from Python 3.13 on.
            for name in ("_start_new_thread", "_start_joinable_thread"):
                patched.setattr(threading, name, refuse, raising=False)
            assert await client.aflush(1) is True
            assert await client.variation_async("no", ADA, False) is False
            assert await client.aclose(PATIENCE) is True

    run(body())


def test_a_time_that_is_no_number_is_none() -> None:
    client = Client(Config(redis_url="redis://127.0.0.1:1"))
    assert run(client.astart(math.nan)) is client.start(math.nan) is False
    assert run(client.await_state(State.VALID, math.nan)) is False
    assert run(client.aclose(math.nan)) in (True, False)

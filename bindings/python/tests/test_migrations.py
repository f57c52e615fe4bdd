"""Migrations: which systems are called in which stage and order, and what LaunchDarkly is told of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any
from unittest import mock

import pytest

from flagstone import (
    AsyncMigratorBuilder,
    Client,
    Config,
    Context,
    ExecutionOrder,
    MigratorBuilder,
    Operation,
    OperationResult,
    Origin,
    Stage,
    TestData,
)
from flagstone._operation import Measured, Plan
from sink import Sink
from support import PATIENCE

ADA = Context("ada")
OLD, NEW = Origin.OLD, Origin.NEW

READS = {
    Stage.OFF: [OLD],
    Stage.DUALWRITE: [OLD],
    Stage.SHADOW: [OLD, NEW],
    Stage.LIVE: [NEW, OLD],
    Stage.RAMPDOWN: [NEW],
    Stage.COMPLETE: [NEW],
}
WRITES = {
    Stage.OFF: [OLD],
    Stage.DUALWRITE: [OLD, NEW],
    Stage.SHADOW: [OLD, NEW],
    Stage.LIVE: [NEW, OLD],
    Stage.RAMPDOWN: [NEW, OLD],
    Stage.COMPLETE: [NEW],
}


def data(**migration: Any) -> TestData:
    made = TestData()
    flag = {"version": 1, "on": True, "fallthrough": {"variation": 0}, "migration": migration}
    for value in (*Stage, "no stage", 3):
        key = value.value if isinstance(value, Stage) else str(value)
        made.set_flag({**flag, "key": key, "variations": [value if value == 3 else key]})
    return made


@pytest.fixture
def client(sink: Sink) -> Iterator[Client]:
    with Client(Config(test_data=data(), **sink.options())) as client:
        yield client


def operations(client: Client, sink: Sink) -> list[dict[str, Any]]:
    """What was told of operations; the time left out."""
    assert client.flush(PATIENCE)
    found = sink.events("migration_op")
    sink.received.clear()
    return found


def measured(event: dict[str, Any]) -> dict[str, Any]:
    """The measurements of an operation by their names; of latencies, whose they are."""
    found: dict[str, Any] = {}
    for measurement in event["measurements"]:
        values = measurement["values"] if "values" in measurement else measurement["value"]
        found[measurement["key"]] = sorted(values) if measurement["key"] == "latency_ms" else values
    return found


def names(origins: list[Origin]) -> list[str]:
    return sorted(origin.value for origin in origins)


class Systems:
    """Two systems that note how they are called."""

    def __init__(self, **failures: Any) -> None:
        self.calls: list[tuple[Origin, Any]] = []
        self.failures = {Origin(name): error for name, error in failures.items()}

    def call(self, origin: Origin) -> Any:
        def called(payload: Any) -> str:
            self.calls.append((origin, payload))
            if origin in self.failures:
                raise self.failures[origin]
            return f"{origin.value} {payload}"

        return called

    def acall(self, origin: Origin) -> Any:
        call = self.call(origin)

        async def called(payload: Any) -> str:
            found: str = call(payload)
            return found

        return called

    def origins(self) -> list[Origin]:
        return [origin for origin, _ in self.calls]


class Both:
    """A migrator of either kind, called in the same way."""

    def __init__(self, client: Client, systems: Systems, kind: str, compare: Any = None, **settings: Any) -> None:
        builder: Any = (MigratorBuilder if kind == "plain" else AsyncMigratorBuilder)(client)
        call = systems.call if kind == "plain" else systems.acall
        builder.read(call(OLD), call(NEW), compare).write(call(OLD), call(NEW))
        for name, value in settings.items():
            assert getattr(builder, name)(value) is builder
        self._migrator, self._kind = builder.build(), kind

    def _do(self, name: str, *arguments: Any) -> Any:
        called = getattr(self._migrator, name)(*arguments)
        return run(called) if self._kind == "async" else called

    def read(self, *arguments: Any) -> Any:
        return self._do("read", *arguments)

    def write(self, *arguments: Any) -> Any:
        return self._do("write", *arguments)


def run(body: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(body, 4 * PATIENCE))


KINDS = pytest.mark.parametrize("kind", ["plain", "async"])


@pytest.mark.parametrize("order", list(ExecutionOrder))
@pytest.mark.parametrize("stage", list(Stage))
@KINDS
def test_a_read_calls_what_the_stage_says_and_answers_what_counts(
    client: Client, sink: Sink, kind: str, stage: Stage, order: ExecutionOrder
) -> None:
    systems = Systems()
    compare = mock.Mock(return_value=True)
    migrator = Both(client, systems, kind, compare, read_execution_order=order)
    result = migrator.read(stage.value, ADA, Stage.OFF, "row")
    expected = READS[stage]
    assert result == OperationResult(expected[0], f"{expected[0].value} row") and result.unwrap() == result.value
    assert sorted(systems.calls) == sorted((origin, "row") for origin in expected)
    if order is ExecutionOrder.SERIAL:
        assert systems.origins() == expected
    (event,) = operations(client, sink)
    assert (event["operation"], event["evaluation"]["value"], event["evaluation"]["default"]) == ("read", stage, "off")
    both = len(expected) == 2
    assert measured(event) == {
        "invoked": {origin.value: True for origin in expected},
        "latency_ms": names(expected),
        **({"consistent": True} if both else {}),
    }
    assert compare.call_args_list == ([mock.call("old row", "new row")] if both else [])


@pytest.mark.parametrize("stage", list(Stage))
@KINDS
def test_a_write_goes_to_what_counts_first_and_stops_where_that_fails(
    client: Client, sink: Sink, kind: str, stage: Stage
) -> None:
    expected, systems = WRITES[stage], Systems()
    result = Both(client, systems, kind).write(stage.value, ADA, Stage.OFF, "row")
    assert systems.calls == [(origin, "row") for origin in expected]
    assert [result.authoritative.origin, *([result.nonauthoritative.origin] if len(expected) == 2 else [])] == expected
    assert (result.nonauthoritative is None) == (len(expected) == 1)
    error = RuntimeError("on purpose")
    systems = Systems(**{expected[0].value: error})
    result = Both(client, systems, kind).write(stage.value, ADA, Stage.OFF)
    assert systems.calls == [(expected[0], None)]
    assert result.authoritative == OperationResult(expected[0], None, error) and result.nonauthoritative is None
    with pytest.raises(RuntimeError, match="on purpose"):
        result.authoritative.unwrap()
    good, bad = operations(client, sink)
    assert (good["operation"], measured(good)) == (
        "write",
        {"invoked": {origin.value: True for origin in expected}, "latency_ms": names(expected)},
    )
    first = {expected[0].value: True}
    assert measured(bad) == {"invoked": first, "latency_ms": names(expected[:1]), "error": first}


@pytest.mark.parametrize("order", list(ExecutionOrder))
@KINDS
def test_there_is_no_second_try_and_nothing_is_compared_with_a_failure(
    client: Client, sink: Sink, kind: str, order: ExecutionOrder
) -> None:
    compare, error = mock.Mock(), RuntimeError("on purpose")
    for failing, ok in ((OLD, False), (NEW, True)):
        systems = Systems(**{failing.value: error})
        result = Both(client, systems, kind, compare, read_execution_order=order).read("shadow", ADA, Stage.OFF, "row")
        assert result == (OperationResult(OLD, "old row") if ok else OperationResult(OLD, None, error))
        assert result.is_success is ok and len(systems.calls) == 2
    assert [measured(event)["error"] for event in operations(client, sink)] == [{"old": True}, {"new": True}]
    assert compare.call_args_list == []


@KINDS
def test_what_is_not_to_be_told_is_not_told(client: Client, sink: Sink, kind: str) -> None:
    systems = Systems(new=RuntimeError("on purpose"))
    Both(client, systems, kind, track_latency=False, track_errors=False).read("shadow", ADA, Stage.OFF)
    (event,) = operations(client, sink)
    assert measured(event) == {"invoked": {"old": True, "new": True}}


@KINDS
def test_random_order_has_both_orders(client: Client, kind: str) -> None:
    seen = set()
    for _ in range(64):
        systems = Systems()
        Both(client, systems, kind, read_execution_order="random").read("live", ADA, Stage.OFF)
        seen.add(tuple(systems.origins()))
    assert seen == {(OLD, NEW), (NEW, OLD)}


def test_both_systems_are_read_at_the_same_time(client: Client) -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE)
    context: Any = threading.local()
    context.here = True
    migrator = MigratorBuilder(client).read(lambda _: meeting.wait(), lambda _: meeting.wait())
    result = migrator.write(print, print).build().read("shadow", ADA, Stage.OFF)
    assert result.is_success

    async def body() -> None:
        first, second = asyncio.Event(), asyncio.Event()

        async def old(_: Any) -> None:
            first.set()
            await second.wait()

        async def new(_: Any) -> None:
            await first.wait()
            second.set()

        built = AsyncMigratorBuilder(client).read(old, new).write(old, new).build()
        assert (await built.read("live", ADA, Stage.OFF)).origin is NEW

    run(body())


def test_an_old_side_that_never_returns_is_no_longer_waited_for_after_the_timeout(
    client: Client, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    never, olds = threading.Event(), []

    def old(_: Any) -> str:
        olds.append(threading.current_thread())
        never.wait(4 * PATIENCE)
        return "too late"

    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    builder = MigratorBuilder(client).read(old, lambda payload: payload).write(print, print).timeout(0.2)
    began = time.monotonic()
    assert builder.build().read("live", ADA, Stage.OFF, "row").unwrap() == "row"
    result = builder.build().read("shadow", ADA, Stage.OFF, "row")
    assert time.monotonic() - began < PATIENCE / 2
    with pytest.raises(TimeoutError):
        result.unwrap()
    never.set()
    for thread in olds:
        thread.join(PATIENCE)
    assert len(olds) == 2 and failures == []
    told = operations(client, sink)
    assert [measured(event)["error"] for event in told] == [{"old": True}] * 2
    assert [measured(event)["latency_ms"] for event in told] == [["new", "old"]] * 2


def test_a_coroutine_that_never_returns_is_cancelled_after_the_timeout(client: Client, sink: Sink) -> None:
    ended: list[str] = []

    async def old(_: Any) -> None:
        try:
            await asyncio.sleep(4 * PATIENCE)
        finally:
            ended.append("old")

    async def new(payload: Any) -> Any:
        return payload

    async def body() -> None:
        migrator = AsyncMigratorBuilder(client).read(old, new).write(old, new).timeout(0.1).build()
        assert (await migrator.read("live", ADA, Stage.OFF, "row")).unwrap() == "row"
        await asyncio.sleep(0)
        assert ended == ["old"]
        with pytest.raises(TimeoutError):
            (await migrator.read("shadow", ADA, Stage.OFF)).unwrap()

    run(body())
    assert [measured(event)["error"] for event in operations(client, sink)] == [{"old": True}] * 2


@pytest.mark.parametrize("order", list(ExecutionOrder))
def test_who_cancels_a_read_cancels_both_systems_and_nothing_is_told(
    client: Client, sink: Sink, order: ExecutionOrder
) -> None:
    begun, ended = 0, 0

    async def waits(_: Any) -> None:
        nonlocal begun, ended
        begun += 1
        try:
            await asyncio.sleep(4 * PATIENCE)
        finally:
            ended += 1

    async def body() -> None:
        migrator = AsyncMigratorBuilder(client).read(waits, waits).write(waits, waits)
        reading = asyncio.ensure_future(migrator.read_execution_order(order).build().read("live", ADA, Stage.OFF))
        while begun < (2 if order is ExecutionOrder.PARALLEL else 1):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.sleep(0)
        assert begun == ended

    run(body())
    assert operations(client, sink) == []


def test_a_system_that_is_cancelled_by_itself_has_failed(client: Client, sink: Sink) -> None:
    async def old(_: Any) -> None:
        raise asyncio.CancelledError

    async def new(payload: Any) -> Any:
        return payload

    migrator = AsyncMigratorBuilder(client).read(old, new).write(old, new).build()
    assert run(migrator.read("live", ADA, Stage.OFF, 1)).unwrap() == 1
    assert isinstance(run(migrator.read("shadow", ADA, Stage.OFF, 1)).error, asyncio.CancelledError)
    assert [measured(event)["error"] for event in operations(client, sink)] == [{"old": True}] * 2


def test_what_is_no_exception_goes_on_to_the_caller_from_his_thread_alone(client: Client, sink: Sink) -> None:
    systems = Systems(old=KeyboardInterrupt())
    migrator = Both(client, systems, "plain")
    with pytest.raises(KeyboardInterrupt):
        migrator.read("shadow", ADA, Stage.OFF)
    with pytest.raises(KeyboardInterrupt):
        migrator.write("live", ADA, Stage.OFF)
    assert migrator.read("live", ADA, Stage.OFF, 1).unwrap() == "new 1"
    (event,) = operations(client, sink)
    assert measured(event)["error"] == {"old": True}


def test_the_other_thread_has_the_context_variables_of_the_caller(client: Client) -> None:
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("mine")
    seen: list[str] = []
    migrator = MigratorBuilder(client).read(lambda _: seen.append(variable.get()), lambda _: seen.append(variable.get()))
    assert migrator.write(print, print).build().read("live", ADA, Stage.OFF).is_success
    assert seen == ["mine"] * 2


@KINDS
def test_a_comparison_that_fails_is_logged_and_nothing_is_told_of_it(
    client: Client, sink: Sink, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    compare = mock.Mock(side_effect=[False, RuntimeError("on purpose")])
    migrator = Both(client, Systems(), kind, compare)
    assert migrator.read("live", ADA, Stage.OFF).is_success and migrator.read("live", ADA, Stage.OFF).is_success
    first, second = operations(client, sink)
    assert measured(first)["consistent"] is False and "consistent" not in measured(second)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["the comparison of a migration failed"]


@pytest.mark.parametrize(("ratio", "least", "most"), [(0, 0, 0), (1, 400, 400), (4, 50, 160)])
def test_the_ratio_of_the_flag_says_how_often_results_are_compared(ratio: int, least: int, most: int) -> None:
    compare = mock.Mock(return_value=True)
    with Client(Config(test_data=data(checkRatio=ratio))) as client:
        migrator = Both(client, Systems(), "plain", compare, read_execution_order=ExecutionOrder.SERIAL)
        for _ in range(400):
            migrator.read("live", ADA, Stage.OFF)
    assert least <= compare.call_count <= most


def test_the_default_stage_is_taken_where_the_flag_gives_none(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    for key in ("no stage", "3", "missing", 3, "", "\ud800"):
        stage, tracker = client.migration_variation(key, ADA, Stage.LIVE)  # type: ignore[arg-type]
        assert stage is tracker.stage is Stage.LIVE
    stage, tracker = client.migration_variation("off", None, Stage.SHADOW)
    assert stage is tracker.stage is Stage.SHADOW
    assert client.migration_variation("off", ADA, Stage.SHADOW)[0] is Stage.OFF
    assert client.migration_variation("missing", ADA, "live")[0] is Stage.LIVE  # type: ignore[arg-type]
    odd: list[Any] = [None, "zebra", 3, mock.MagicMock(), [], Stage]
    for default in odd:
        assert client.migration_variation("missing", ADA, default)[0] is Stage.OFF


def test_a_system_that_answers_while_it_is_given_up_is_measured_once(client: Client, sink: Sink) -> None:
    now = time.perf_counter()
    for late_first in (True, False):
        operation = Measured(client, Plan(), "shadow", ADA, Stage.OFF)
        operation.tracker.operation(Operation.READ)
        answer = OperationResult(NEW, "row")
        if late_first:
            first, second = operation.late(NEW, now - 500), operation.took(answer, now)
        else:
            first, second = operation.took(answer, now), operation.late(NEW, now - 500)
        assert first is second and first.is_success is not late_first
        operation.tell()
        (event,) = operations(client, sink)
        (latency,) = (each["values"]["new"] for each in event["measurements"] if each["key"] == "latency_ms")
        assert (latency > 400_000) is late_first and ("error" in measured(event)) is late_first


@pytest.mark.parametrize("key", [3, "\ud800", None], ids=repr)
def test_of_a_key_that_is_none_nothing_is_told(client: Client, sink: Sink, key: Any) -> None:
    stage, tracker = client.migration_variation(key, ADA, Stage.LIVE)
    client.track_migration_op(tracker.operation(Operation.READ).invoked(OLD))
    assert stage is Stage.LIVE and client.flush(PATIENCE)
    assert [event for event in sink.events() if event["kind"] != "diagnostic"] == []


def test_a_migrator_is_not_changed_by_its_builder_later(client: Client) -> None:
    systems, others = Systems(), Systems()
    builder = MigratorBuilder(client).read(systems.call(OLD), systems.call(NEW)).write(systems.call(OLD), systems.call(NEW))
    migrator = builder.build()
    builder.read(others.call(OLD), others.call(NEW))
    assert migrator.read("live", ADA, Stage.OFF).is_success
    assert len(systems.calls) == 2 and others.calls == []


def test_a_closed_client_still_says_the_stage(sink: Sink) -> None:
    client = Client(Config(test_data=data(), **sink.options()))
    assert client.start(PATIENCE) and client.close(PATIENCE)
    systems = Systems()
    assert Both(client, systems, "plain").read("live", ADA, Stage.OFF, 1).unwrap() == "new 1"
    assert sink.events("migration_op") == []

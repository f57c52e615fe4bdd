"""Migrators: they read and write two systems as the stage of a migration says, and measure both. Depends on ``_operation``,
``_asyncio``, ``_waits`` and ``migrations``."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ._asyncio import off_loop
from ._operation import READ, WRITTEN, Measured, Plan, arranged
from ._waits import wait_in_slices
from .errors import InvalidArgumentError
from .migrations import ExecutionOrder, Operation, OperationResult, Origin, Stage, WriteResult

if TYPE_CHECKING:
    from .client import Client
    from .context import Context

__all__ = ["AsyncMigrator", "AsyncMigratorBuilder", "Migrator", "MigratorBuilder"]

B = TypeVar("B", bound="_Builder")


class Migrator:
    """Reads and writes two systems as the stage of a migration says, and tells LaunchDarkly what it measures. Made by
    :class:`MigratorBuilder`; any thread may use it.

    What a function returns is the value; an ``Exception`` is a failure. Anything else that is raised on the calling thread,
    such as ``KeyboardInterrupt``, goes on to the caller, and nothing is told.
    """

    def __init__(self, client: Client, plan: Plan) -> None:
        self._client, self._plan = client, plan

    def read(self, key: str, context: Context | None, default_stage: Stage, payload: Any = None) -> OperationResult[Any]:
        """What the system answers that counts in the stage of the flag ``key``; there is no second try with the other one.

        :param payload: what the functions are called with.
        """
        measured = Measured(self._client, self._plan, key, context, default_stage)
        measured.tracker.operation(Operation.READ)
        origins = READ[measured.stage]
        if len(origins) == 2 and self._plan.order is ExecutionOrder.PARALLEL:
            results = self._at_once(measured, origins, payload)
        else:
            order = arranged(self._plan, origins)
            results = [_run(measured, origin, self._plan.read[origin], payload) for origin in order]
        if len(results) == 2:
            measured.compare(results)
        measured.tell()
        return next(result for result in results if result.origin is origins[0])

    def write(self, key: str, context: Context | None, default_stage: Stage, payload: Any = None) -> WriteResult[Any]:
        """Writes the system that counts in the stage of the flag ``key``; then the other one, if the stage says so and the
        first one has not failed.

        :param payload: what the functions are called with.
        """
        measured = Measured(self._client, self._plan, key, context, default_stage)
        measured.tracker.operation(Operation.WRITE)
        results: list[OperationResult[Any]] = []
        for origin in WRITTEN[measured.stage]:
            if all(result.is_success for result in results):
                results.append(_run(measured, origin, self._plan.write[origin], payload))
        measured.tell()
        return WriteResult(*results)

    def _at_once(self, measured: Measured, origins: tuple[Origin, ...], payload: Any) -> list[OperationResult[Any]]:
        first, second = (_Side(measured, origin, self._plan.read[origin], payload) for origin in origins)
        timeout = self._plan.timeout
        try:
            second.start()
            if timeout is None:
                first.run()
            else:
                first.start()
            deadline = None if timeout is None else time.monotonic() + timeout
            return [side.result(deadline) for side in (first, second)]
        except BaseException:
            measured.leave()
            raise


def _run(measured: Measured, origin: Origin, call: Callable[[Any], Any], payload: Any) -> OperationResult[Any]:
    began = time.perf_counter()
    try:
        result = OperationResult(origin, call(payload))
    except Exception as error:
        result = OperationResult(origin, None, error)
    return measured.took(result, began)


class _Side:
    """One of two systems that are read at the same time."""

    def __init__(self, measured: Measured, origin: Origin, call: Callable[[Any], Any], payload: Any) -> None:
        self._measured, self._origin, self._call, self._payload = measured, origin, call, payload
        self._found: OperationResult[Any] | None = None
        self._done = threading.Event()
        self._began = time.perf_counter()

    def start(self) -> None:
        """On a thread of its own; on this one where there are no more."""
        thread = threading.Thread(target=contextvars.copy_context().run, args=(self._apart,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self.run()

    def run(self) -> None:
        self._found = _run(self._measured, self._origin, self._call, self._payload)
        self._done.set()

    def _apart(self) -> None:
        try:
            self.run()
        except BaseException as error:  # it ends this thread alone
            self._found = self._measured.took(OperationResult(self._origin, None, error), self._began)
            self._done.set()

    def result(self, deadline: float | None) -> OperationResult[Any]:
        """What was found, after a wait until ``deadline``."""
        wait_in_slices(self._done.wait, None if deadline is None else max(0.0, deadline - time.monotonic()))
        return self._found or self._measured.late(self._origin, self._began)


class AsyncMigrator:
    """As :class:`Migrator`, with coroutines for functions. Made by :class:`AsyncMigratorBuilder`.

    Who cancels an operation cancels what it waits for, and nothing is told.
    """

    def __init__(self, client: Client, plan: Plan) -> None:
        self._client, self._plan = client, plan

    async def read(
        self, key: str, context: Context | None, default_stage: Stage, payload: Any = None
    ) -> OperationResult[Any]:
        """As :meth:`Migrator.read`."""
        measured = await self._measured(key, context, default_stage, Operation.READ)
        origins = READ[measured.stage]
        if len(origins) == 2 and self._plan.order is ExecutionOrder.PARALLEL:
            results = await self._at_once(measured, origins, payload)
        else:
            order = arranged(self._plan, origins)
            results = [await _arun(measured, origin, self._plan.read[origin], payload) for origin in order]
        if len(results) == 2:
            measured.compare(results)
        measured.tell()
        return next(result for result in results if result.origin is origins[0])

    async def write(self, key: str, context: Context | None, default_stage: Stage, payload: Any = None) -> WriteResult[Any]:
        """As :meth:`Migrator.write`."""
        measured = await self._measured(key, context, default_stage, Operation.WRITE)
        results: list[OperationResult[Any]] = []
        for origin in WRITTEN[measured.stage]:
            if all(result.is_success for result in results):
                results.append(await _arun(measured, origin, self._plan.write[origin], payload))
        measured.tell()
        return WriteResult(*results)

    async def _measured(self, key: str, context: Context | None, stage: Stage, operation: Operation) -> Measured:
        measured = await off_loop(self._client, Measured, self._client, self._plan, key, context, stage)
        measured.tracker.operation(operation)
        return measured

    async def _at_once(self, measured: Measured, origins: tuple[Origin, ...], payload: Any) -> list[OperationResult[Any]]:
        began = time.perf_counter()
        tasks = [asyncio.ensure_future(_arun(measured, origin, self._plan.read[origin], payload)) for origin in origins]
        try:
            await asyncio.wait(tasks, timeout=self._plan.timeout)
        except BaseException:
            measured.leave()
            raise
        finally:
            for task in tasks:
                task.cancel()
        return [_settled(measured, origin, task, began) for origin, task in zip(origins, tasks)]


async def _arun(
    measured: Measured, origin: Origin, call: Callable[[Any], Awaitable[Any]], payload: Any
) -> OperationResult[Any]:
    began = time.perf_counter()
    try:
        result = OperationResult(origin, await call(payload))
    except Exception as error:
        result = OperationResult(origin, None, error)
    return measured.took(result, began)


def _settled(
    measured: Measured, origin: Origin, task: asyncio.Future[OperationResult[Any]], began: float
) -> OperationResult[Any]:
    if not task.done():
        return measured.late(origin, began)
    try:
        return task.result()
    except asyncio.CancelledError as error:  # by somebody else: who reads was not cancelled
        return measured.took(OperationResult(origin, None, error), began)


class _Builder:
    """What both kinds of migrators are told."""

    def __init__(self, client: Client) -> None:
        self._client, self._plan = client, Plan()

    def read_execution_order(self: B, order: ExecutionOrder) -> B:
        """How both systems are read where both are; ``PARALLEL`` unless it is said."""
        try:
            self._plan.order = ExecutionOrder(order)
        except ValueError:
            raise InvalidArgumentError(f"a member of ExecutionOrder is needed, not {type(order).__name__}") from None
        return self

    def track_latency(self: B, enabled: bool) -> B:
        """Whether it is told how long the systems take; True unless it is said."""
        self._plan.latency = enabled
        return self

    def track_errors(self: B, enabled: bool) -> B:
        """Whether it is told that a system failed; True unless it is said."""
        self._plan.errors = enabled
        return self

    def timeout(self: B, seconds: float | None) -> B:
        """How long two systems that are read at the same time may take: one that has not answered then has failed with
        ``TimeoutError``, and what it answers later is not looked at. ``None``, unless it is said: both are waited for, also
        the one whose answer does not count."""
        if seconds is not None and (not issubclass(type(seconds), (int, float)) or not seconds > 0):
            raise InvalidArgumentError("timeout: a positive number of seconds is needed, or None")
        self._plan.timeout = None if seconds is None else min(float(seconds), threading.TIMEOUT_MAX)
        return self

    def _read(self, old: Any, new: Any, comparison: Any) -> None:
        self._plan.read, self._plan.comparison = _functions("read", old, new), comparison
        if comparison is not None and not callable(comparison):
            raise InvalidArgumentError(f"read: {type(comparison).__name__} cannot be called to compare")

    def _write(self, old: Any, new: Any) -> None:
        self._plan.write = _functions("write", old, new)

    def _planned(self) -> Plan:
        for name, functions in (("read", self._plan.read), ("write", self._plan.write)):
            if not functions:
                raise InvalidArgumentError(f"a migrator needs to know how to {name}")
        plan = Plan(**vars(self._plan))
        return plan


def _functions(name: str, old: Any, new: Any) -> dict[Origin, Callable[[Any], Any]]:
    for function in (old, new):
        if not callable(function):
            raise InvalidArgumentError(f"{name}: two functions are needed; {type(function).__name__} cannot be called")
    return {Origin.OLD: old, Origin.NEW: new}


class MigratorBuilder(_Builder):
    """Makes a :class:`Migrator`.

    >>> migrator = (MigratorBuilder(client)
    ...     .read(read_old, read_new, lambda old, new: old == new)
    ...     .write(write_old, write_new).build())
    >>> migrator.read("new-database", Context("ada"), Stage.OFF, payload="row 7").unwrap()
    """

    def read(
        self,
        old: Callable[[Any], Any],
        new: Callable[[Any], Any],
        comparison: Callable[[Any, Any], bool] | None = None,
    ) -> MigratorBuilder:
        """How the systems are read: each function is called with the payload and returns the value or raises.

        :param comparison: whether the old and the new value, in this order, are the same; called where both have answered
            and the flag wants it checked.
        """
        self._read(old, new, comparison)
        return self

    def write(self, old: Callable[[Any], Any], new: Callable[[Any], Any]) -> MigratorBuilder:
        """How the systems are written: each function is called with the payload and returns something or raises."""
        self._write(old, new)
        return self

    def build(self) -> Migrator:
        """The migrator.

        :raises InvalidArgumentError: when :meth:`read` or :meth:`write` has not been called.
        """
        return Migrator(self._client, self._planned())


class AsyncMigratorBuilder(_Builder):
    """As :class:`MigratorBuilder`, for an :class:`AsyncMigrator`."""

    def read(
        self,
        old: Callable[[Any], Awaitable[Any]],
        new: Callable[[Any], Awaitable[Any]],
        comparison: Callable[[Any, Any], bool] | None = None,
    ) -> AsyncMigratorBuilder:
        """As :meth:`MigratorBuilder.read`; the comparison is no coroutine."""
        self._read(old, new, comparison)
        return self

    def write(self, old: Callable[[Any], Awaitable[Any]], new: Callable[[Any], Awaitable[Any]]) -> AsyncMigratorBuilder:
        """As :meth:`MigratorBuilder.write`."""
        self._write(old, new)
        return self

    def build(self) -> AsyncMigrator:
        """As :meth:`MigratorBuilder.build`."""
        return AsyncMigrator(self._client, self._planned())

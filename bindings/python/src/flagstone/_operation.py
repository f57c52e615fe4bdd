"""One operation of a migrator: what it was told to do, which systems it is about, and what is measured of them. Depends on
``migrations``."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .migrations import ExecutionOrder, OperationResult, Origin, Stage

if TYPE_CHECKING:
    from .client import Client
    from .context import Context

#: Which systems are read and written in each stage; what the first one answers counts.
READ: dict[Stage, tuple[Origin, ...]] = {
    Stage.OFF: (Origin.OLD,),
    Stage.DUALWRITE: (Origin.OLD,),
    Stage.SHADOW: (Origin.OLD, Origin.NEW),
    Stage.LIVE: (Origin.NEW, Origin.OLD),
    Stage.RAMPDOWN: (Origin.NEW,),
    Stage.COMPLETE: (Origin.NEW,),
}
WRITTEN: dict[Stage, tuple[Origin, ...]] = {
    Stage.OFF: (Origin.OLD,),
    Stage.DUALWRITE: (Origin.OLD, Origin.NEW),
    Stage.SHADOW: (Origin.OLD, Origin.NEW),
    Stage.LIVE: (Origin.NEW, Origin.OLD),
    Stage.RAMPDOWN: (Origin.NEW, Origin.OLD),
    Stage.COMPLETE: (Origin.NEW,),
}


@dataclass
class Plan:
    """What a builder was told."""

    read: dict[Origin, Callable[[Any], Any]] = field(default_factory=dict)
    write: dict[Origin, Callable[[Any], Any]] = field(default_factory=dict)
    comparison: Callable[[Any, Any], bool] | None = None
    order: ExecutionOrder = ExecutionOrder.PARALLEL
    latency: bool = True
    errors: bool = True
    timeout: float | None = None


class Measured:
    """One operation under way. Who is no longer waited for measures nothing any more."""

    def __init__(self, client: Client, plan: Plan, key: str, context: Context | None, default_stage: Stage) -> None:
        self.stage, self.tracker = client.migration_variation(key, context, default_stage)
        self._client, self._plan = client, plan
        self._lock, self._over = threading.Lock(), False

    def took(self, result: OperationResult[Any], began: float) -> OperationResult[Any]:
        """A system has answered."""
        seconds = time.perf_counter() - began
        with self._lock:
            if not self._over:
                self._measure(result, seconds)
        return result

    def late(self, origin: Origin, began: float) -> OperationResult[Any]:
        """A system has not answered in time."""
        return self.took(OperationResult(origin, None, TimeoutError(f"the {origin.value} system has not answered")), began)

    def _measure(self, result: OperationResult[Any], seconds: float) -> None:
        self.tracker.invoked(result.origin)
        if self._plan.latency:
            self.tracker.latency(result.origin, seconds)
        if self._plan.errors and not result.is_success:
            self.tracker.error(result.origin)

    def compare(self, results: list[OperationResult[Any]]) -> None:
        """Both systems were read."""
        by_origin, comparison = {result.origin: result for result in results}, self._plan.comparison
        if comparison is not None and all(result.is_success for result in results):
            old, new = by_origin[Origin.OLD].value, by_origin[Origin.NEW].value
            self.tracker.consistent(lambda: comparison(old, new))

    def leave(self) -> None:
        """Nothing is waited for any more."""
        with self._lock:
            self._over = True

    def tell(self) -> None:
        self.leave()
        self._client.track_migration_op(self.tracker)


def arranged(plan: Plan, origins: tuple[Origin, ...]) -> tuple[Origin, ...]:
    """The order in which systems are read one after the other."""
    return origins[::-1] if plan.order is ExecutionOrder.RANDOM and random.random() < 0.5 else origins

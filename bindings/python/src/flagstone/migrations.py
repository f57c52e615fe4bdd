"""Migrations: the stages in which one system takes over from another, and what is measured of an operation meanwhile.
Depends on ``_fast``, ``_handles``, ``_lib`` and ``_log``."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_double, c_int32
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Generic, TypeVar

from ._fast import MigrationHandle
from ._handles import Owner, set_handle
from ._lib import do, lib
from ._log import logger
from .errors import InvalidArgumentError

__all__ = ["ExecutionOrder", "OpTracker", "Operation", "OperationResult", "Origin", "Stage", "WriteResult"]

T = TypeVar("T")


class Stage(str, Enum):
    """How far a migration has come."""

    #: The old system alone is read and written.
    OFF = "off"
    #: Both are written, the old one first; the old one is read.
    DUALWRITE = "dualwrite"
    #: Both are written, the old one first; both are read, and the old one answers.
    SHADOW = "shadow"
    #: Both are written, the new one first; both are read, and the new one answers.
    LIVE = "live"
    #: Both are written, the new one first; the new one is read.
    RAMPDOWN = "rampdown"
    #: The new system alone is read and written.
    COMPLETE = "complete"


class Operation(str, Enum):
    """What is done."""

    READ = "read"
    WRITE = "write"


class Origin(str, Enum):
    """One of the two systems."""

    OLD = "old"
    NEW = "new"


class ExecutionOrder(str, Enum):
    """How both systems are read where both are."""

    #: One after the other, the one that answers first.
    SERIAL = "serial"
    #: One after the other, either of them first.
    RANDOM = "random"
    #: Both at the same time.
    PARALLEL = "parallel"


@dataclass(frozen=True)
class OperationResult(Generic[T]):
    """What became of the operation on one system."""

    origin: Origin
    #: What its function returned; ``None`` when it failed.
    value: T | None = None
    #: What its function raised; ``None`` when it did not. ``TimeoutError`` when it was no longer waited for.
    error: BaseException | None = None

    @property
    def is_success(self) -> bool:
        """Whether its function has returned."""
        return self.error is None

    def unwrap(self) -> T:
        """The value; raises the error when there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


@dataclass(frozen=True)
class WriteResult(Generic[T]):
    """What became of a write."""

    #: Of the system that counts.
    authoritative: OperationResult[T]
    #: Of the other one; ``None`` where it is not written, and where the first one failed.
    nonauthoritative: OperationResult[T] | None = None


# By native code.
STAGES, _OPERATIONS, _ORIGINS = tuple(Stage), tuple(Operation), tuple(Origin)


class OpTracker(Owner):
    """What is measured of one operation: comes from :meth:`Client.migration_variation`, is filled in by who makes the
    operation, and told by :meth:`Client.track_migration_op`. A :class:`Migrator` does all of this itself.

    Any thread may use it.
    """

    __slots__ = ("stage",)

    #: The stage in which the operation is made.
    stage: Stage

    def __init__(self, handle: MigrationHandle, stage: Stage) -> None:
        set_handle(self, handle)
        self.stage = stage

    def operation(self, operation: Operation) -> OpTracker:
        """What kind of operation it is: must be said.

        :raises InvalidArgumentError: here and below, for what is no such thing, and for an operation that was told already.
        """
        do(lib.flagstone_migration_set_operation, self._h, _code(_OPERATIONS, Operation, operation))
        return self

    def invoked(self, origin: Origin) -> OpTracker:
        """A system was called: must be said of each that was."""
        do(lib.flagstone_migration_set_invoked, self._h, _code(_ORIGINS, Origin, origin))
        return self

    def error(self, origin: Origin) -> OpTracker:
        """A system failed."""
        do(lib.flagstone_migration_set_failed, self._h, _code(_ORIGINS, Origin, origin))
        return self

    def latency(self, origin: Origin, duration: timedelta | float) -> OpTracker:
        """How long a system took; a ``float`` is in seconds."""
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        try:
            milliseconds = c_double(seconds * 1000)
        except TypeError:
            raise InvalidArgumentError(f"a timedelta or seconds are needed, not {type(duration).__name__}") from None
        do(lib.flagstone_migration_set_latency, self._h, _code(_ORIGINS, Origin, origin), milliseconds)
        return self

    def consistent(self, is_consistent: Callable[[], bool]) -> OpTracker:
        """Whether both systems have read the same: ``is_consistent`` is called if this operation is one of those that the
        flag wants to have checked, and not if not. What it raises is logged, and nothing is told of it then."""
        if lib.flagstone_migration_wants_check(self._h) != 1:
            return self
        try:
            found = bool(is_consistent())
        except Exception:
            logger.exception("the comparison of a migration failed")
            return self
        do(lib.flagstone_migration_set_consistent, self._h, c_int32(found))
        return self


def stage_of(value: Any) -> Stage | None:
    """A stage, also by its name; ``None`` for what is none."""
    try:
        return Stage(value)
    except Exception:  # of somebody else's object, too
        return None


def _code(members: tuple[Any, ...], kind: type[Any], value: Any) -> int:
    try:
        return members.index(kind(value))
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"a member of {kind.__name__} is needed, not {type(value).__name__}") from None

"""What a client tells about itself, and what listeners receive. Depends on nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

__all__ = ["FlagChange", "FlagChangeListener", "State", "Status", "StatusChange", "StatusListener"]


class State(IntEnum):
    """Lifecycle of a client."""

    #: Not ready: Redis has not been read yet.
    INIT = 0
    #: What is held is known to be true.
    VALID = 1
    #: Redis cannot be reached, or lost the data set; the last good data stay in force.
    INTERRUPTED = 2
    #: Closed.
    OFF = 3
    #: A forked child that has made no other call yet.
    FORKED = 4
    #: A state that this version of the package does not know.
    UNKNOWN = -1

    @classmethod
    def _missing_(cls, value: object) -> State:
        return cls.UNKNOWN


@dataclass(frozen=True)
class Status:
    """Condition of a client. Times are Unix milliseconds, ages milliseconds."""

    state: State
    #: Both hashes have been read.
    ready: bool
    #: Redis answered last time.
    available: bool
    #: Redis lost the data set; held items stay in force.
    wiped: bool
    #: Since when data are not known to be true; ``None`` when they are.
    stale_since_ms: int | None
    #: Age of the latest moment at which everything held was known to be true; ``None`` before the first.
    verified_age_ms: int | None
    #: Freshness in force: ``push``, ``ttl``, ``forever`` or ``starting``.
    freshness: str
    #: Why.
    freshness_reason: str | None
    #: Flags held, deleted ones left out.
    flags: int
    #: Segments held, deleted ones left out.
    segments: int
    #: Items in Redis that do not parse.
    malformed: int
    #: Notifications dropped because the listeners were too slow.
    dropped: int
    #: Defects caught inside the library.
    panics: int
    last_error: str | None

    @classmethod
    def _from(cls, form: dict[str, Any]) -> Status:
        known: dict[str, Any] = {name: form.get(name) for name in cls.__dataclass_fields__}
        known["state"] = State.__members__.get(str(form.get("state")), State.UNKNOWN)
        return cls(**known)


@dataclass(frozen=True)
class FlagChange:
    """A flag, or something it depends on, changed.

    Versions are ``None`` where the flag was or is not held; equal ones say that only something it depends on changed.
    """

    key: str
    old_version: int | None
    new_version: int | None


@dataclass(frozen=True)
class StatusChange:
    """The state changed."""

    state: State
    #: For people.
    reason: str


class FlagChangeListener(Protocol):
    """Called with every change of a flag, on the client's own thread."""

    def __call__(self, change: FlagChange, /) -> object: ...


class StatusListener(Protocol):
    """Called with every change of state, on the client's own thread."""

    def __call__(self, change: StatusChange, /) -> object: ...

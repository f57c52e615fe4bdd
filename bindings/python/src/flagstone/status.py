"""What a client tells about itself, and what listeners receive. Depends on ``big_segments``, ``errors`` and
``redis_status``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from .big_segments import BigSegmentStoreStatus
from .errors import InvalidArgumentError
from .redis_status import RedisStatus, WatchStatus

__all__ = [
    "EventsStatus",
    "FlagChange",
    "FlagChangeListener",
    "FlagValueChange",
    "FlagValueChangeListener",
    "SourceError",
    "SourceErrorKind",
    "SourceStatus",
    "State",
    "Status",
    "StatusChange",
    "StatusListener",
    "StoreStatus",
]


class State(IntEnum):
    """Lifecycle of a client."""

    #: Not ready. Daemon mode: Redis has not been read yet; otherwise: the data source has not delivered yet.
    INIT = 0
    #: What is held is known to be true.
    VALID = 1
    #: Daemon mode: Redis cannot be reached, or lost the data set; otherwise: the data source fails and is tried again. The
    #: last good data stay in force.
    INTERRUPTED = 2
    #: Closed, or the data source has failed for good.
    OFF = 3
    #: A forked child that has made no other call yet.
    FORKED = 4
    #: A state that this version of the package does not know.
    UNKNOWN = -1

    @classmethod
    def _missing_(cls, value: object) -> State:
        return cls.UNKNOWN

    @classmethod
    def _named(cls, name: object) -> State:
        return cls.__members__.get(str(name), cls.UNKNOWN)


class SourceErrorKind(IntEnum):
    """What kind of failure a data source met."""

    #: None of the others, or one that this version of the package does not know.
    UNKNOWN = 0
    #: No connection, or it was lost.
    NETWORK_ERROR = 1
    #: The server answered with an error status.
    ERROR_RESPONSE = 2
    #: What was received makes no sense.
    INVALID_DATA = 3
    #: What was received could not be stored.
    STORE_ERROR = 4

    @classmethod
    def _missing_(cls, value: object) -> SourceErrorKind:
        return cls.UNKNOWN


@dataclass(frozen=True)
class SourceError:
    """A failure of a data source."""

    kind: SourceErrorKind
    #: HTTP status; ``None`` when there was none.
    http_status: int | None
    #: For people.
    message: str
    #: When it was, Unix milliseconds.
    unix_ms: int

    @classmethod
    def _from(cls, form: dict[str, Any]) -> SourceError:
        kind = SourceErrorKind.__members__.get(str(form.get("kind")), SourceErrorKind.UNKNOWN)
        return cls(kind, form.get("status") or None, form.get("message", ""), form.get("unix_ms", 0))


@dataclass(frozen=True)
class SourceStatus:
    """Condition of a data source: of the stream, the polls, the files or the test data."""

    state: State
    #: Since when it is in this state, Unix milliseconds.
    since_ms: int
    #: The latest failure, also when everything is well again; ``None`` before the first.
    last_error: SourceError | None

    @classmethod
    def _from(cls, form: dict[str, Any] | None) -> SourceStatus | None:
        if form is None:
            return None
        error = form.get("error")
        return cls(State._named(form.get("state")), form.get("since_ms", 0), SourceError._from(error) if error else None)


@dataclass(frozen=True)
class StoreStatus:
    """Condition of Redis, or of memory where that is all there is."""

    #: Redis answered last time, or memory is all there is.
    available: bool
    #: Since when what was read of Redis is not known to be true, Unix milliseconds; ``None`` when it is.
    stale_since_ms: int | None

    @classmethod
    def _from(cls, form: dict[str, Any]) -> StoreStatus:
        return cls(bool(form.get("available")), form.get("stale_since_ms"))


@dataclass(frozen=True)
class EventsStatus:
    """How events fare, counted since the client was made in this process; a summary of evaluations counts as one."""

    #: False when the server refuses them for good.
    on: bool
    #: Wait for the next flush, without what is counted for a summary.
    waiting: int
    #: Did not fit in ``events_capacity``, in 64 MB, or in 10,000 unknown flags.
    dropped: int
    #: Were delivered.
    sent: int
    #: Could not be delivered and were not kept.
    lost: int
    #: Could not be delivered and went to ``events_spool``; those sent from there count as sent, too.
    spooled: int
    #: Payloads in the spool at the last look; ``None`` without one.
    spool_payloads: int | None
    #: Files of the spool that were set aside; ``None`` without one.
    spool_corrupt: int | None
    #: The latest failure; ``None`` when there was none.
    last_error: str | None
    #: When it was, Unix milliseconds.
    last_error_ms: int | None

    @classmethod
    def _from(cls, form: dict[str, Any] | None) -> EventsStatus | None:
        if form is None:
            return None
        spool = form.get("spool") or {}
        known: dict[str, Any] = {name: form.get(name) for name in cls.__dataclass_fields__}
        known["on"] = form.get("state") == "on"
        known["spool_payloads"], known["spool_corrupt"] = spool.get("payloads"), spool.get("corrupt")
        return cls(**known)


@dataclass(frozen=True)
class Status:
    """Condition of a client. Times are Unix milliseconds, ages milliseconds."""

    #: Of the data source; in daemon mode, of the store.
    state: State
    #: Daemon mode: both hashes have been read; otherwise: the data source has delivered.
    ready: bool
    #: Redis answered last time, or memory is all there is.
    available: bool
    #: The data source; ``None`` in daemon mode, which has none.
    source: SourceStatus | None
    #: The environment that a server named; ``None`` if none did.
    environment_id: str | None
    #: What is held came from the snapshot file.
    from_file: bool
    #: Redis lost the data set; held items stay in force.
    wiped: bool
    #: Since when what was read of Redis is not known to be true; ``None`` when it is.
    stale_since_ms: int | None
    #: Age of the latest moment at which everything held was known to be true; ``None`` before the first.
    verified_age_ms: int | None
    #: Freshness in force: ``push``, ``ttl``, ``forever`` or ``starting``.
    freshness: str
    #: Why; ``None`` with ``starting``.
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
    #: How events fare; ``None`` without events.
    events: EventsStatus | None
    #: The big segment store at the last look; ``None`` before the first, and without one.
    big_segments: BigSegmentStoreStatus | None
    #: Where Redis is, and who logs in; ``None`` where memory is all there is.
    redis: RedisStatus | None
    #: How Redis tells of changes; ``None`` where it is not asked to.
    watch: WatchStatus | None

    def __str__(self) -> str:
        """State, topology, addresses, rung and the latest error in one line, for people."""
        reason = "" if self.freshness_reason is None or self.watch else f" ({self.freshness_reason})"
        told = f" by {self.watch}" if self.watch else ""
        parts = [self.state.name, f"{self.flags} flags", f"freshness {self.freshness}{told}{reason}"]
        if self.redis:
            parts.append(f"Redis {self.redis}")
        if self.last_error:
            parts.append(f"last error: {self.last_error}")
        return "; ".join(parts)

    @classmethod
    def _from(cls, form: dict[str, Any]) -> Status:
        known: dict[str, Any] = {name: form.get(name) for name in cls.__dataclass_fields__}
        known["state"] = State._named(form.get("state"))
        known["source"] = SourceStatus._from(form.get("source"))
        known["events"] = EventsStatus._from(form.get("events"))
        segments = form.get("big_segments") or {}
        known["big_segments"] = None if segments.get("available") is None else BigSegmentStoreStatus._from(segments)
        known["redis"], known["watch"] = RedisStatus._from(form.get("redis")), WatchStatus._from(form.get("watch"))
        return cls(**known)


@dataclass(frozen=True)
class FlagChange:
    """A flag, or something it depends on, changed.

    A deletion has a version, too; ``None`` stands where nothing was or is held. Equal ones say that only something it
    depends on changed.
    """

    key: str
    old_version: int | None
    new_version: int | None


@dataclass(frozen=True)
class FlagValueChange:
    """The value that a flag has for a context is another one.

    ``None`` stands where there is no value, as of a flag that does not exist.
    """

    key: str
    old_value: Any
    new_value: Any


@dataclass(frozen=True)
class StatusChange:
    """The condition of the data source or of Redis changed."""

    state: State
    #: For people.
    reason: str
    #: The data source from now on; ``None`` in daemon mode, which has none.
    source: SourceStatus | None
    #: Redis from now on.
    store: StoreStatus

    @classmethod
    def _from(cls, state: int, reason: str, form: dict[str, Any]) -> StatusChange:
        return cls(State(state), reason, SourceStatus._from(form.get("source")), StoreStatus._from(form.get("store") or {}))


class FlagChangeListener(Protocol):
    """Called with every change of a flag, on the client's own thread."""

    def __call__(self, change: FlagChange, /) -> object: ...


class FlagValueChangeListener(Protocol):
    """Called with every change of a flag's value for a context, on the client's own thread."""

    def __call__(self, change: FlagValueChange, /) -> object: ...


class StatusListener(Protocol):
    """Called with every change of the condition, on the client's own thread."""

    def __call__(self, change: StatusChange, /) -> object: ...


def check_listener(listener: Any) -> None:
    """Refuses what cannot be called."""
    if not callable(listener):
        raise InvalidArgumentError(f"a listener is called with each change: {type(listener).__name__} cannot be called")

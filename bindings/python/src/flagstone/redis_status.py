"""Where Redis is, who logs in there, and how it tells of changes. Depends on nothing.

The library says all this as JSON. One that is older or newer than this package says less or more: what is missing, or is
not what it should be, is as not set, and further words stand as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CredentialsStatus", "RedisNode", "RedisStatus", "SentinelStatus", "WatchRung", "WatchStatus"]


@dataclass(frozen=True)
class SentinelStatus:
    """One of the sentinels that are asked."""

    address: str
    #: Why it was of no use when it was asked last; ``None`` when it was.
    error: str | None
    #: Whether the address of Redis names it; others were found by those.
    listed: bool = True

    def __str__(self) -> str:
        return self.address if self.error is None else f"{self.address}: {self.error}"

    @classmethod
    def _from(cls, form: dict[str, Any]) -> SentinelStatus:
        return cls(_text(form, "address") or "", _text(form, "error"), form.get("listed") is not False)


@dataclass(frozen=True)
class RedisNode:
    """A server of a cluster that is in use."""

    address: str
    #: ``primary`` or ``replica``; ``None`` when that is not known.
    role: str | None
    #: What of the data set it has: ``features``, ``segments``, ``$inited``.
    holds: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.address} ({', '.join(filter(None, (self.role, *self.holds)))})"

    @classmethod
    def _from(cls, form: dict[str, Any]) -> RedisNode:
        holds = form.get("holds")
        named = tuple(map(str, holds)) if isinstance(holds, list) else ()
        return cls(_text(form, "address") or "", _text(form, "role"), named)


@dataclass(frozen=True)
class CredentialsStatus:
    """Who logs in at Redis, and for how long that holds; never the password."""

    #: Where they come from: ``static`` (the options), ``host`` (a provider, or :meth:`Client.set_redis_credentials`),
    #: ``file`` (``redis_password_file``) or ``aws-iam``.
    source: str
    #: ``None`` for the default user.
    user: str | None
    #: Milliseconds; ``None`` when that is not known.
    expires_in_ms: int | None
    #: ``ok``, ``untried``, ``expired``, ``refused`` or ``missing``.
    state: str
    #: Why there are none, or they were refused; ``None`` otherwise.
    error: str | None

    def __str__(self) -> str:
        expires = "" if self.expires_in_ms is None else f", expire in {self.expires_in_ms / 1000:.0f} s"
        error = "" if self.error is None else f" ({self.error})"
        return f"credentials ({self.source}) of {self.user or 'the default user'}: {self.state}{expires}{error}"

    @classmethod
    def _from(cls, form: dict[str, Any]) -> CredentialsStatus:
        source, state = _text(form, "source") or "", _text(form, "state") or ""
        return cls(source, _text(form, "user"), _number(form, "expires_in_ms"), state, _text(form, "error"))


@dataclass(frozen=True)
class RedisStatus:
    """Where Redis is at present."""

    #: ``standalone``, ``sentinel`` or ``cluster``.
    topology: str
    #: Of the server that is read; ``None`` while that is not known, and in a cluster where there are several.
    address: str | None
    database: int
    #: Whether that server is a ``primary`` or a ``replica``, where sentinels say so; otherwise ``None``.
    role: str | None
    #: What sentinels are asked for; otherwise ``None``.
    service: str | None
    #: The sentinels; none otherwise.
    sentinels: tuple[SentinelStatus, ...]
    #: The sentinel whose word counted last; otherwise ``None``.
    asked: str | None
    #: The servers of a cluster that are in use; none otherwise.
    nodes: tuple[RedisNode, ...]
    #: Who logs in; ``None`` where nobody does.
    credentials: CredentialsStatus | None

    def __str__(self) -> str:
        """All of it in one line, for people."""
        address = ", ".join(map(str, self.nodes)) or self.address or "an address that is not known"
        where = " ".join(filter(None, (self.topology, self.service, "at", self.role, address)))
        parts = [f"{where}, database {self.database}"]
        if self.sentinels:
            parts.append(f"sentinels {', '.join(map(str, self.sentinels))}")
        if self.credentials:
            parts.append(str(self.credentials))
        return "; ".join(parts)

    @classmethod
    def _from(cls, form: Any) -> RedisStatus | None:
        if not isinstance(form, dict):
            return None
        credentials = form.get("credentials")
        return cls(
            topology=_text(form, "topology") or "",
            address=_text(form, "address"),
            database=_number(form, "database") or 0,
            role=_text(form, "role"),
            service=_text(form, "service"),
            sentinels=tuple(map(SentinelStatus._from, _objects(form, "sentinels"))),
            asked=_text(form, "asked"),
            nodes=tuple(map(RedisNode._from, _objects(form, "nodes"))),
            credentials=CredentialsStatus._from(credentials) if isinstance(credentials, dict) else None,
        )


@dataclass(frozen=True)
class WatchRung:
    """One way to hear of changes, and what became of it."""

    rung: str
    #: ``in force``, ``refused``, ``lost``, ``not needed`` or ``not tried``.
    state: str
    #: Why; ``None`` when there is nothing to say.
    reason: str | None

    def __str__(self) -> str:
        return f"{self.rung}: {self.state}" + ("" if self.reason is None else f" ({self.reason})")

    @classmethod
    def _from(cls, form: dict[str, Any]) -> WatchRung:
        return cls(_text(form, "rung") or "", _text(form, "state") or "", _text(form, "reason"))


@dataclass(frozen=True)
class WatchStatus:
    """How Redis tells of changes."""

    #: ``hash-field notifications``, ``RESP3 broadcast tracking``, ``RESP2 tracking with redirect`` or ``keyspace
    #: notifications``; ``None`` while it tells nothing.
    rung: str | None
    #: Why no better one is in force; ``None`` with the best one.
    reason: str | None
    #: All of them, the best first.
    ladder: tuple[WatchRung, ...]

    def __str__(self) -> str:
        """Rung and reason in one line, for people."""
        return (self.rung or "nothing") + ("" if self.reason is None else f" ({self.reason})")

    @classmethod
    def _from(cls, form: Any) -> WatchStatus | None:
        if not isinstance(form, dict):
            return None
        ladder = tuple(map(WatchRung._from, _objects(form, "ladder")))
        return cls(_text(form, "rung"), _text(form, "reason"), ladder)


def _text(form: dict[str, Any], name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) else None


def _number(form: dict[str, Any], name: str) -> int | None:
    value = form.get(name)
    return value if type(value) is int else None


def _objects(form: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = form.get(name)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []

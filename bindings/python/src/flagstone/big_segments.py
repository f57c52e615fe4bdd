"""Big segments: how their store stands, and a store of the program's own. Depends on nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["BigSegmentStore", "BigSegmentStoreStatus", "BigSegmentsListener"]


@dataclass(frozen=True)
class BigSegmentStoreStatus:
    """How the store stands that knows the members of big segments."""

    #: It answered when it was last asked; false without a store.
    available: bool
    #: It was not brought up to date for ``big_segments_stale_after_ms``, or never.
    stale: bool
    #: When it last was, Unix milliseconds; ``None`` when that is not known.
    last_sync_ms: int | None

    @classmethod
    def _from(cls, form: dict[str, Any]) -> BigSegmentStoreStatus:
        return cls(bool(form.get("available")), bool(form.get("stale")), form.get("last_sync_ms"))


class BigSegmentStore:
    """A store of the program's own, in place of Redis: ``Config(big_segment_store=…)``. To be made a class from.

    Its methods are called by threads that are there for it, several at once, and each is waited for at most
    ``redis_command_timeout_ms``; where gevent or eventlet has replaced the threads, too, these are real ones. A call that
    raises, takes longer or answers something else is a failure: evaluations go on without, and say ``STORE_ERROR``. The log
    tells the first one, and the next one after all was well again. What a store itself evaluates gets ``STORE_ERROR``
    wherever a big segment is needed.
    """

    def metadata(self) -> int | None:
        """When the store was last brought up to date, Unix milliseconds; ``None``: never. Called every
        ``big_segments_poll_interval_ms``."""
        raise NotImplementedError

    def membership(self, context_hash: str) -> Mapping[str, bool] | None:
        """The big segments that include (True) or exclude (False) a context, by reference: the segment's key, ``.g`` and
        its generation (``vip.g7``). ``None``: none. Answers are remembered for ``big_segments_cache_ms``.

        :param context_hash: Base64 of the SHA-256 of the context's key.
        """
        raise NotImplementedError

    def close(self) -> None:
        """The last open client that uses the store has been closed."""


class BigSegmentsListener(Protocol):
    """Called with every change of the store's condition, on the client's own thread."""

    def __call__(self, change: BigSegmentStoreStatus, /) -> object: ...

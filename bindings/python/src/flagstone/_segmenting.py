"""The client's part of big segments. Depends on ``_changes``, ``_handles``, ``_lib``, ``_own_store`` and
``big_segments``."""

from __future__ import annotations

import asyncio
from ctypes import byref, sizeof

from . import _abi
from ._changes import Changes
from ._handles import client_of
from ._lib import do, lib
from .big_segments import BigSegmentsListener, BigSegmentStoreStatus
from .status import check_listener


class SegmentCalls:
    """What :class:`Client` has for big segments."""

    __slots__ = ()

    def big_segments_status(self) -> BigSegmentStoreStatus:
        """How the store stands that knows the members of big segments. One that was never asked is asked first, which takes
        at most ``redis_command_timeout_ms``.

        :raises ClosedError: after :meth:`Client.close`.
        """
        client = client_of(self)
        client._awake()
        status = _abi.BigSegmentStatus(struct_size=sizeof(_abi.BigSegmentStatus))
        do(lib.flagstone_big_segments_status, client._h, byref(status))
        return BigSegmentStoreStatus(status.available == 1, status.stale == 1, status.last_sync_ms or None)

    async def big_segments_status_async(self) -> BigSegmentStoreStatus:
        """As :meth:`big_segments_status`."""
        return await asyncio.to_thread(self.big_segments_status)

    def add_big_segments_listener(self, listener: BigSegmentsListener) -> None:
        """Calls ``listener`` with a :class:`BigSegmentStoreStatus` whenever the store becomes available or stale, or is so
        no longer, as flag change listeners are called.

        :raises InvalidArgumentError: for what cannot be called.
        """
        check_listener(listener)
        client = client_of(self)
        with client._lock:
            client._big_segments_listeners = (*client._big_segments_listeners, listener)

    def remove_big_segments_listener(self, listener: BigSegmentsListener) -> None:
        """Undoes :meth:`add_big_segments_listener`; an unknown listener is left alone."""
        client = client_of(self)
        with client._lock:
            known = client._big_segments_listeners
            client._big_segments_listeners = tuple(each for each in known if each != listener)

    def big_segments_changes(self) -> Changes[BigSegmentStoreStatus]:
        """What :meth:`add_big_segments_listener` tells, to iterate over with ``for`` or ``async for``. Ends when the client
        is closed."""
        client = client_of(self)
        add = client.add_big_segments_listener
        return Changes(client, add, lambda client, put: client.remove_big_segments_listener(put))

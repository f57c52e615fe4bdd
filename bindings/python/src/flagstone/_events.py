"""One Python thread per client that takes the library's notifications to ``logging`` and to listeners.

Native threads never enter Python. The thread holds a native reference of its own and only a weak one to the client, so a
client that is forgotten goes away and the thread with it. Depends on ``_lib``, ``_abi`` and ``status``.
"""

from __future__ import annotations

import json
import logging
import threading
import weakref
from ctypes import byref, c_void_p, sizeof
from typing import Any, Callable, TypeVar

from . import _abi
from ._lib import lib, text
from .status import FlagChange, StatusChange

logger = logging.getLogger("flagstone")

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
# Only bounds how long a missed wake can go unnoticed.
_WAIT_MS = 60_000

E = TypeVar("E")


class Pump:
    """The thread of one client in one process."""

    def __init__(self, handle: c_void_p, client: weakref.ref[Any]) -> None:
        self._handle = c_void_p(lib.flagstone_client_retain(handle))
        self._client = client
        self._thread = threading.Thread(target=self._run, name="flagstone-events", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Waits until the last notification was delivered, unless the calling thread is the one that delivers it."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        event = _abi.Event(struct_size=sizeof(_abi.Event))
        try:
            while True:
                status = lib.flagstone_poll_event(self._handle, _WAIT_MS, byref(event))
                if status == _abi.STATUS_OK:
                    self._deliver(event)
                    lib.flagstone_event_clear(byref(event))
                elif status != _abi.STATUS_TIMEOUT:
                    return
                if self._client() is None:
                    return
        finally:
            lib.flagstone_client_release(self._handle)

    def _deliver(self, event: _abi.Event) -> None:
        try:
            if event.kind == _abi.EVENT_LOG:
                level = event.level_or_state
                logger.log(_LEVELS[level] if 0 <= level < len(_LEVELS) else logging.ERROR, "%s", text(event.text))
                return
            client = self._client()
            if client is None:
                return
            if event.kind == _abi.EVENT_FLAG_CHANGED:
                versions = json.loads(text(event.extra))
                change = FlagChange(text(event.text), versions.get("old_version"), versions.get("new_version"))
                tell(client._flag_listeners, change)
            elif event.kind == _abi.EVENT_STATUS:
                condition = json.loads(text(event.extra))
                tell(client._status_listeners, StatusChange._from(event.level_or_state, text(event.text), condition))
        except Exception:
            logger.exception("a notification could not be delivered")


def tell(listeners: tuple[Callable[[E], object], ...], change: E) -> None:
    """Calls every listener; one that raises is logged and does not keep the others from hearing."""
    for listener in listeners:
        try:
            listener(change)
        except Exception:
            logger.exception("a listener raised an exception")

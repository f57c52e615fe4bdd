"""One Python thread per client that takes the library's notifications to ``logging`` and to listeners.

Native threads never enter Python. The thread holds a native reference of its own and only a weak one to the client, so a
client that is forgotten goes away and the thread with it. Where threads are greenlets, a real thread waits and a greenlet
delivers. Depends on ``_lib``, ``_abi``, ``_green``, ``_listening``, ``_log``, ``big_segments``
and ``status``.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import weakref
from ctypes import byref, c_void_p, sizeof
from typing import Any, Callable, TypeVar

from . import _abi
from ._green import Green, green
from ._json import loads
from ._lib import lib, text
from ._listening import value_listeners
from ._log import logger
from .big_segments import BigSegmentStoreStatus
from .status import FlagChange, FlagValueChange, StatusChange

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
# Only bounds how long a missed wake can go unnoticed.
_WAIT_MS = 60_000
_AFTER_DEFECT_MS = 1000

E = TypeVar("E")


class Pump:
    """The thread of one client in one process."""

    def __init__(self, handle: c_void_p, client: weakref.ref[Any]) -> None:
        self._handle = c_void_p(lib.flagstone_client_retain(handle))
        self._client = client
        threads = green()
        self._relay = Relay(self._handle, threads) if threads else None
        self._thread = threading.Thread(target=self._run, name="flagstone-events", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Waits until the last notification was delivered, unless the calling thread is the one that delivers it."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def leave(self) -> None:
        """In a child of fork: there is no such thread, but there may be such a greenlet, which ends then."""
        if self._relay:
            self._relay.lose()

    def _run(self) -> None:
        notification = _abi.Notification(struct_size=sizeof(_abi.Notification))
        poll = self._relay.poll if self._relay else self._poll
        try:
            while True:
                status = poll(notification, look(self._client()))
                if status == _abi.STATUS_OK:
                    deliver(notification, self._client())
                    lib.flagstone_notification_clear(byref(notification))
                elif status != _abi.STATUS_TIMEOUT:
                    return
                if self._client() is None:
                    return
        finally:
            if self._relay:
                self._relay.close()
            lib.flagstone_client_release(self._handle)

    def _poll(self, notification: _abi.Notification, wait_ms: int) -> int:
        return lib.flagstone_client_next_notification(self._handle, wait_ms, byref(notification))  # type: ignore[no-any-return]


class Relay:
    """Between a real thread, which waits for notifications, and a greenlet, which delivers them: one at a time."""

    def __init__(self, handle: c_void_p, threads: Green) -> None:
        self._handle = c_void_p(lib.flagstone_client_retain(handle))
        self._threads = threads
        self._wanted, self._want = os.pipe()
        self._found, self._find = os.pipe()
        self._notification, self._wait_ms = _abi.Notification(), _WAIT_MS
        self._status = _abi.STATUS_TIMEOUT
        threads.start_thread(self._run, ())

    def poll(self, notification: _abi.Notification, wait_ms: int) -> int:
        """As ``flagstone_client_next_notification``, while other greenlets run."""
        self._notification, self._wait_ms = notification, wait_ms
        os.write(self._want, b"+")
        while not self._threads.select([self._found], [], [], _WAIT_MS / 1000)[0]:
            pass
        return self._status if os.read(self._found, 1) else _abi.STATUS_CLOSED

    def close(self) -> None:
        """Ends the real thread, which is not polling."""
        os.close(self._want)
        os.close(self._found)

    def lose(self) -> None:
        """Where the real thread does not exist: the other side sees that it has gone."""
        os.close(self._wanted)
        os.close(self._find)

    def _run(self) -> None:
        # A real thread: nothing here may wait by what has been replaced.
        try:
            while os.read(self._wanted, 1):
                self._status = lib.flagstone_client_next_notification(
                    self._handle, self._wait_ms, byref(self._notification)
                )
                os.write(self._find, b"+")
        finally:
            self.lose()
            lib.flagstone_client_release(self._handle)


def look(client: Any) -> int:
    """Has the client look after its credentials, and gives the longest wait for the next notification in milliseconds."""
    if client is None or client._keeper is None:
        return _WAIT_MS
    try:
        # Rounded up: who is woken too early looks again and again.
        seconds: float = min(client._keeper.look(), _WAIT_MS / 1000)
        return math.ceil(seconds * 1000)
    except BaseException:
        logger.complain("credentials could not be asked for")
        return _AFTER_DEFECT_MS


def deliver(notification: _abi.Notification, client: Any) -> None:
    """Hands one notification to ``logging``, or to the listeners of ``client`` if there still is one."""
    try:
        if notification.kind == _abi.NOTIFICATION_LOG:
            level = notification.level_or_state
            logger.log(_LEVELS[level] if 0 <= level < len(_LEVELS) else logging.ERROR, "%s", text(notification.text))
        elif client is None:
            return
        elif notification.kind == _abi.NOTIFICATION_FLAG_CHANGED:
            versions = json.loads(text(notification.extra))
            change = FlagChange(text(notification.text), versions.get("old_version"), versions.get("new_version"))
            tell(client._flag_listeners, change)
        elif notification.kind == _abi.NOTIFICATION_VALUE_CHANGED:
            form = loads(text(notification.extra))
            tell(
                value_listeners(client, form["listener"]),
                FlagValueChange(text(notification.text), form["old"], form["new"]),
            )
        elif notification.kind == _abi.NOTIFICATION_CREDENTIALS:
            if client._keeper is not None:
                client._keeper.ask(text(notification.text))
        elif notification.kind == _abi.NOTIFICATION_BIG_SEGMENTS:
            tell(client._big_segments_listeners, BigSegmentStoreStatus._from(json.loads(text(notification.extra))))
        elif notification.kind == _abi.NOTIFICATION_STATUS:
            condition = json.loads(text(notification.extra))
            tell(
                client._status_listeners,
                StatusChange._from(notification.level_or_state, text(notification.text), condition),
            )
    # Of a log handler, too: whatever it raises, even SystemExit, must not end all notifications.
    except BaseException:
        logger.complain("a notification could not be delivered")


def tell(listeners: tuple[Callable[[E], object], ...], change: E) -> None:
    """Calls every listener; one that raises is logged and does not keep the others from hearing."""
    for listener in listeners:
        try:
            listener(change)
        except BaseException:
            logger.complain("a listener raised an exception")


def drain(handle: c_void_p, client: Any) -> None:
    """Delivers what waits on the calling thread: where no thread of the client's own may run yet."""
    notification = _abi.Notification(struct_size=sizeof(_abi.Notification))
    while lib.flagstone_client_next_notification(handle, 0, byref(notification)) == _abi.STATUS_OK:
        deliver(notification, client)
        lib.flagstone_notification_clear(byref(notification))

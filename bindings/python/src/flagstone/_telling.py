"""What a program tells LaunchDarkly of itself: who somebody is, and that something happened.

The calls are made in the middle of a program's own work, with its own objects: so none of them raises for what it is given.
Depends on ``_handles``, ``_json``, ``_lib``, ``_waits`` and ``context``.
"""

from __future__ import annotations

from ctypes import byref, c_double, c_void_p
from typing import TYPE_CHECKING, Any

from . import _abi
from ._handles import client_of, handle_of
from ._json import plain_json
from ._lib import lib, milliseconds, raise_for, utf8
from ._waits import wait_whole
from .context import Context
from .errors import FlagstoneError, InvalidArgumentError

if TYPE_CHECKING:
    from .client import Client


class EventCalls:
    """What :class:`Client` has for events."""

    __slots__ = ()

    def identify(self, context: Context) -> None:
        """Tells LaunchDarkly who somebody is, whether or not flags are evaluated for them. Queued; does not wait.

        Never raises: of what is no context, and after :meth:`Client.close`, nothing is told, and the log says so, once of
        each kind.
        """
        client = client_of(self)
        client._awake()
        native = handle_of(context, Context)
        if native is None:
            untold(client, "identify", _no_context(context))
            return
        error = c_void_p()
        told(client, "identify", lib.flagstone_identify(client._h, native, byref(error)), error)

    def track(self, event_name: str, context: Context, data: Any = None, metric_value: float | None = None) -> None:
        """Tells LaunchDarkly that something happened to somebody, for example as the metric of an experiment. Queued; does
        not wait.

        Never raises: of what is no context, no text, no finite number or no JSON, and after :meth:`Client.close`, nothing
        is told, and the log says so, once of each kind.

        :param data: what ``json.dumps`` makes JSON of, nested at most 127 deep; without NaN and lone surrogates.
        :param metric_value: a number to measure it by.
        """
        self._track(event_name, context, data, metric_value)

    def _track(self, event_name: Any, context: Any, data: Any, metric_value: Any) -> bool:
        """Whether it was told."""
        client = client_of(self)
        client._awake()
        native = handle_of(context, Context)
        if native is None:
            untold(client, "track", _no_context(context))
            return False
        try:
            name = utf8(event_name, "event_name")
            text = b"" if data is None else plain_json(data)
            metric = None if metric_value is None else byref(c_double(_number(metric_value)))
        except Exception as problem:  # of somebody else's object, too
            untold(client, "track", _words(problem), type(problem).__name__)
            return False
        error = c_void_p()
        status = lib.flagstone_track(client._h, native, name, len(name), metric, text, len(text), byref(error))
        return told(client, "track", status, error)

    def flush(self, timeout: float = 0.0) -> bool:
        """Sends what is queued now, without waiting for the next interval, and waits at most ``timeout`` seconds until it
        is delivered; 0, as in LaunchDarkly's SDK, does not wait.

        :returns: True when everything was delivered, or nothing was queued. False when not: it is on its way
            still, lost, or kept in ``events_spool``; the log says which.
        :raises ClosedError: after :meth:`Client.close`.
        """
        client, error = client_of(self), c_void_p()
        client._awake()

        def flush(ms: int) -> int:
            # With 0 one is told how an earlier flush fares, and none may begin.
            return lib.flagstone_client_flush(client._h, ms or 1, byref(error))  # type: ignore[no-any-return]

        # Without events it does not wait.
        status = wait_whole(flush, timeout) if client._tells else flush(milliseconds(timeout))
        if status in (_abi.STATUS_TIMEOUT, _abi.STATUS_STORE):
            lib.flagstone_error_free(error)
            return False
        raise_for(status, error)
        return True


def told(client: Client, call: str, status: int, error: c_void_p) -> bool:
    """Whether the library has taken what it was told; the log says why not."""
    try:
        raise_for(status, error)
    except FlagstoneError as problem:
        untold(client, call, str(problem))
        return False
    return True


def untold(client: Client, call: str, problem: str, kind: str = "") -> None:
    """The log says, once of each kind, why nothing was told."""
    client._tell_once(f"{call}: {kind or problem}", f"{call} told nothing: {problem}")


def _words(problem: Exception) -> str:
    kind = type(problem).__name__
    try:
        return f"{kind}: {problem}"
    except Exception:  # it is somebody else's
        return kind


def _no_context(value: object) -> str:
    return f"the context is of type {type(value).__name__}, not Context"


def _number(value: Any) -> float:
    if not issubclass(type(value), (int, float)) or type(value) is bool:
        raise InvalidArgumentError(f"metric_value: a number is needed, not {type(value).__name__}")
    return float(value)

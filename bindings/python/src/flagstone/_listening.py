"""The client's part of listeners to values. Depends on ``_changes``, ``_handles``, ``_lib`` and ``context``."""

from __future__ import annotations

from ctypes import byref, c_uint64
from typing import Any

from ._changes import Changes
from ._handles import client_of, handle_of
from ._lib import do, lib, utf8
from .context import Context
from .errors import InvalidArgumentError
from .status import FlagValueChange, FlagValueChangeListener, check_listener

#: What is listened to, and who listens.
Listening = tuple[str, Context, FlagValueChangeListener]


class ValueCalls:
    """What :class:`Client` has for listeners to values."""

    __slots__ = ()

    def add_flag_value_change_listener(self, key: str, context: Context, listener: FlagValueChangeListener) -> None:
        """Calls ``listener`` with a :class:`FlagValueChange` whenever the value that the flag ``key`` has for ``context``
        is another one than it was, from now on; the flag need not exist yet. Also in daemon mode. A value that is replaced
        before the client's thread looks is not told.

        Listeners run as those of :meth:`Client.add_flag_change_listener` do. What is evaluated for them makes no events and
        is not told to hooks.

        :raises InvalidArgumentError: for what cannot be called, and for what is no context or no key.
        :raises ClosedError: after :meth:`Client.close`.
        """
        client = client_of(self)
        check_listener(listener)
        native, raw = handle_of(context, Context), utf8(key, "key")
        if native is None:
            raise InvalidArgumentError(f"a context is needed, not {type(context).__name__}")
        client._awake()
        number = c_uint64()
        with client._value_lock:
            # A change that comes at once is told when it is known to whom.
            do(lib.flagstone_client_listen, client._h, native, raw, len(raw), byref(number))
            client._value_listeners[number.value] = key, context, listener

    def remove_flag_value_change_listener(self, key: str, context: Context, listener: FlagValueChangeListener) -> None:
        """Undoes :meth:`add_flag_value_change_listener`, once if it was called several times; an unknown listener is left
        alone."""
        client = client_of(self)
        client._awake()
        with client._value_lock:
            for number, known in list(client._value_listeners.items()):
                if known == (key, context, listener):
                    client._value_listeners.pop(number, None)
                    # After close there is nothing to hear.
                    lib.flagstone_client_unlisten(client._h, number, None)
                    return

    def flag_value_changes(self, key: str, context: Context) -> Changes[FlagValueChange]:
        """What :meth:`add_flag_value_change_listener` tells, to iterate over with ``for`` or ``async for``. Ends when the
        client is closed."""
        client = client_of(self)

        def add(put: Any) -> None:
            client.add_flag_value_change_listener(key, context, put)

        return Changes(client, add, lambda client, put: client.remove_flag_value_change_listener(key, context, put))


def value_listeners(client: Any, number: int) -> tuple[FlagValueChangeListener, ...]:
    """Who listens under a number of the library's; nobody once they have stopped."""
    with client._value_lock:
        known = client._value_listeners.get(number)
    return () if known is None else (known[2],)

"""Prepared flags: key, type and default bound once. Depends on ``_fast``, ``_lib`` and ``detail``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _abi, _fast, _forks
from ._handles import Native, handle_of
from ._lib import lib, make, release_with, utf8
from .context import Context
from .detail import EvaluationDetail, decode
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .client import Client

__all__ = ["Flag"]

T = TypeVar("T")

#: The class whose objects take the short way; none in a process that is asleep.
_short: Any = Context
_INT64 = range(-(2**63), 2**63)


class Flag(Native, Generic[T]):
    """A prepared flag, about half the cost of a call by key. Made by :meth:`Client.flag`; usable by any thread.

    It keeps its client alive. After the client is closed it answers from the last data held.
    """

    __slots__ = ("_call", "_client", "_detail", "default", "key")

    #: Key of the flag.
    key: str
    #: What is returned when there is no value.
    default: T

    def __init__(self, client: Client, key: str, default: T, want: int) -> None:
        self._client, self.key, self.default = client, key, default
        raw_key = utf8(key, "key")
        try:
            raw_default = b"" if default is None else json.dumps(default, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"flag {key!a} cannot be prepared: {error}") from error
        self._h = make(lib.flagstone_flag_new, client._h, raw_key, len(raw_key), want, raw_default, len(raw_default))
        release_with(self, lib.flagstone_flag_release, self._h)
        self._detail = client._calls.flag_detail

    def value(self, context: Context | None) -> T:
        """The flag's value for ``context``; the default on any problem. Never raises."""
        return self.detail(context).value

    def detail(self, context: Context | None) -> EvaluationDetail[T]:
        """The value with the reason for it. Never raises."""
        self._client._awake()
        native = handle_of(context, Context)
        if native is None:
            return self._client._refuse(self.key, context, self.default)
        buffer = _fast.take()
        try:
            self._detail(self._h, native, buffer.address)
            return decode(buffer.detail, self.default)
        except Exception as error:
            return self._client._unreadable(self.key, error, self.default)
        finally:
            _fast.give_back(buffer)

    def __repr__(self) -> str:
        return f"Flag({self.key!r}, default={self.default!r})"


class _BoolFlag(Flag[bool]):
    __slots__ = ()

    def __init__(self, client: Client, key: str, default: bool) -> None:
        super().__init__(client, key, default, _abi.TYPE_BOOL)
        self._call = client._calls.flag_bool

    def value(self, context: Context | None) -> bool:
        if type(context) is _short:
            try:
                return self._call(self._h, context._h) == 1  # type: ignore[no-any-return]
            except AttributeError:  # never initialised
                pass
        return self.detail(context).value


class _NumberFlag(Flag[T]):
    """An int (truncated toward zero) or a float."""

    __slots__ = ()

    def __init__(self, client: Client, key: str, default: T, call: Any) -> None:
        super().__init__(client, key, default, _abi.TYPE_NUMBER)
        self._call = call

    def value(self, context: Context | None) -> T:
        if type(context) is _short:
            try:
                return self._call(self._h, context._h)  # type: ignore[no-any-return]
            except AttributeError:  # never initialised
                pass
        self._client._awake()
        native = handle_of(context, Context)
        return self.detail(context).value if native is None else self._call(self._h, native)


def prepare(client: Client, key: str, default: Any) -> Flag[Any]:
    """The kind of flag that the type of ``default`` asks for."""
    calls = client._calls
    if default is True or default is False:
        return _BoolFlag(client, key, default)
    if type(default) is int and default in _INT64:
        return _NumberFlag(client, key, default, calls.flag_int)
    if type(default) is float:
        return _NumberFlag(client, key, default, calls.flag_double)
    return Flag(client, key, default, want_of(default))


def want_of(default: Any) -> int:
    """The native type that a default asks for; anything that is no bool, number or string asks for any type."""
    kind = type(default)
    if kind is bool:
        return _abi.TYPE_BOOL
    if issubclass(kind, (int, float)):
        return _abi.TYPE_NUMBER
    return _abi.TYPE_STRING if issubclass(kind, str) else _abi.TYPE_NONE


def _switch(open_: bool) -> None:
    global _short
    _short = Context if open_ else None


_forks.switch_with(_switch)

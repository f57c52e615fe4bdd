"""Prepared flags: key, type and default bound once. Depends on ``_hot``, ``_fast``, ``_defaults``, ``_handles``, ``_lib``,
``context`` and ``detail``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _abi, _fast, _forks, _hot
from ._defaults import INT64
from ._handles import handle_of
from ._lib import lib, make, utf8
from .context import Context
from .detail import EvaluationDetail
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .client import Client

__all__ = ["Flag"]

T = TypeVar("T")

#: The class whose objects take the short way; none in a process that is asleep.
_short: Any = Context


@_hot.accelerated
class Flag(_hot.FlagBase, Generic[T]):
    """A prepared flag, about half the cost of a call by key. Made by :meth:`Client.flag`; usable by any thread.

    It keeps its client alive. After the client is closed it answers from the last data held.
    """

    __slots__ = ("_call", "_client", "_detail", "_form", "_value")

    #: Key of the flag.
    key: str
    #: What is returned when there is no value.
    default: T

    def __init__(self, client: Client, key: str, default: T, want: int, form: str) -> None:
        raw_key = utf8(key, "key")
        try:
            raw_default = b"" if default is None else json.dumps(default, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"flag {key!a} cannot be prepared: {error}") from error
        calls = client._calls
        handle = make(lib.flagstone_flag_new, client._h, raw_key, len(raw_key), want, raw_default, len(raw_default))
        self._attach(handle, key, default, form, client._waits, client._h)
        self._client, self._form = client, form
        self._value, self._detail = calls.flag_value, calls.flag_detail
        self._call = {_fast.BOOL: calls.flag_bool, _fast.INT: calls.flag_int, _fast.FLOAT: calls.flag_double}.get(form)

    def value(self, context: Context | None) -> T:
        """The flag's value for ``context``; the default on any problem. Never raises."""
        return self._ask(self._value, context).value

    def detail(self, context: Context | None) -> EvaluationDetail[T]:
        """The value with the reason for it. Never raises."""
        return self._ask(self._detail, context)

    def _ask(self, call: Any, context: Context | None) -> EvaluationDetail[T]:
        if type(context) is _short:
            buffer = _fast.take()
            try:
                call(self._h, context._h, buffer.address)
                return _fast.result(buffer, self.default, self._form)
            except Exception:  # the way below knows them all
                pass
        return self._ask_for_any(call, context)

    def _ask_for_any(self, call: Any, context: Any) -> EvaluationDetail[T]:
        self._client._awake()
        native = handle_of(context, Context)
        if native is None:
            return self._client._refuse(self.key, context, self.default)
        buffer = _fast.take()
        try:
            call(self._h, native, buffer.address)
            return _fast.result(buffer, self.default, self._form)
        except Exception as error:
            return self._client._unreadable(self.key, error, self.default)

    def __repr__(self) -> str:
        return f"Flag({self.key!r}, default={self.default!r})"


class _BoolFlag(Flag[bool]):
    """Where ctypes makes the calls, the value of this one needs no detail."""

    __slots__ = ()

    def value(self, context: Context | None) -> bool:
        if type(context) is _short:
            try:
                return self._call(self._h, context._h) == 1  # type: ignore[misc,no-any-return]
            except AttributeError:  # never initialised
                pass
        return self._ask(self._value, context).value


class _NumberFlag(Flag[T]):
    """As a bool flag."""

    __slots__ = ()

    def value(self, context: Context | None) -> T:
        if type(context) is _short:
            try:
                return self._call(self._h, context._h)  # type: ignore[misc,no-any-return]
            except AttributeError:  # never initialised
                pass
        return self._ask(self._value, context).value


def prepare(client: Client, key: str, default: Any) -> Flag[Any]:
    """The kind of flag that the type of ``default`` asks for."""
    kind: type[Flag[Any]] = Flag
    form = _fast.ANY
    if default is True or default is False:
        kind, form = _BoolFlag, _fast.BOOL
    elif type(default) is int and default in INT64:
        kind, form = _NumberFlag, _fast.INT
    elif type(default) is float:
        kind, form = _NumberFlag, _fast.FLOAT
    elif issubclass(type(default), str):
        form = _fast.STRING
    return (Flag if _hot.SPEEDUPS else kind)(client, key, default, want_of(default), form)


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

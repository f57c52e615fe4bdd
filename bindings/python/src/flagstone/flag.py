"""Prepared flags: key, type and default bound once. Depends on ``_hot``, ``_fast``, ``_lib`` and ``detail``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _abi, _fast, _hot
from ._lib import lib, make
from .detail import ErrorKind, EvaluationDetail, Parsed, decode, failed, value
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .client import Client
    from .context import Context

__all__ = ["Flag"]

T = TypeVar("T")

_INT64 = range(-(2**63), 2**63)

# How the value of a prepared flag is asked for.
_BOOL, _INT, _FLOAT, _ANY = "b", "i", "f", "a"


@_hot.accelerated
class Flag(_hot.FlagBase, Generic[T]):
    """A prepared flag, about half the cost of a call by key. Made by :meth:`Client.flag`; usable by any thread.

    It keeps its client alive. After the client is closed it answers from the last data held.
    """

    __slots__ = ("__weakref__", "_call", "_client", "_detail", "_how", "_parsed")

    #: Key of the flag.
    key: str
    #: What is returned when there is no value.
    default: T

    def __init__(self, client: Client, key: str, default: T, want: int, how: str = _ANY) -> None:
        try:
            raw_key = key.encode()
            raw_default = b"" if default is None else json.dumps(default, allow_nan=False).encode()
        except (AttributeError, TypeError, ValueError, RecursionError) as error:
            raise InvalidArgumentError(f"flag {key!a} cannot be prepared: {error}") from error
        handle = make(lib.flagstone_flag_new, client._h, raw_key, len(raw_key), want, raw_default, len(raw_default))
        self._attach(handle, key, default, how, client._calls is _fast.MAY_BLOCK)
        self._client, self._how = client, how
        self._detail = client._calls.flag_detail
        self._parsed: Parsed = {}

    def value(self, context: Context | None) -> T:
        """The flag's value for ``context``; the default on any problem. Never raises."""
        if self._how != _ANY:
            return self.detail(context).value
        buffer = _fast.take()
        try:
            self._detail(self._h, context._h, buffer.address)  # type: ignore[union-attr]
            return value(buffer.detail, self.default, self._parsed)  # type: ignore[no-any-return]
        except AttributeError:
            return self.detail(None).value
        finally:
            _fast.give_back(buffer)

    def detail(self, context: Context | None) -> EvaluationDetail[T]:
        """The value with the reason for it. Never raises."""
        buffer = _fast.take()
        try:
            self._detail(self._h, context._h, buffer.address)  # type: ignore[union-attr]
            found = decode(buffer.detail, self.default, self._parsed)
        except AttributeError:
            self._client._refuse(self.key, context)
            return failed(self.default, ErrorKind.USER_NOT_SPECIFIED)
        finally:
            _fast.give_back(buffer)
        if self._how == _INT:
            return truncated(found)
        return floating(found) if self._how == _FLOAT else found

    def __repr__(self) -> str:
        return f"Flag({self.key!r}, default={self.default!r})"


class _BoolFlag(Flag[bool]):
    __slots__ = ()

    def __init__(self, client: Client, key: str, default: bool) -> None:
        super().__init__(client, key, default, _abi.TYPE_BOOL)
        self._call = client._calls.flag_bool

    def value(self, context: Context | None) -> bool:
        try:
            return self._call(self._h, context._h) == 1  # type: ignore[union-attr,no-any-return]
        except AttributeError:
            return self.detail(None).value


class _NumberFlag(Flag[T]):
    """An int (truncated toward zero) or a float."""

    __slots__ = ()

    def __init__(self, client: Client, key: str, default: T, call: Any) -> None:
        super().__init__(client, key, default, _abi.TYPE_NUMBER)
        self._call = call

    def value(self, context: Context | None) -> T:
        try:
            return self._call(self._h, context._h)  # type: ignore[union-attr,no-any-return]
        except AttributeError:
            return self.detail(None).value


def prepare(client: Client, key: str, default: Any) -> Flag[Any]:
    """The kind of flag that the type of ``default`` asks for."""
    calls = client._calls
    if isinstance(default, bool):
        return _BoolFlag(client, key, default)
    if type(default) is int and default in _INT64:
        return _NumberFlag(client, key, default, calls.flag_int)
    if type(default) is float:
        return _NumberFlag(client, key, default, calls.flag_double)
    return Flag(client, key, default, want_of(default))


def want_of(default: Any) -> int:
    """The native type that a default asks for; anything that is no bool, number or string asks for any type."""
    if isinstance(default, bool):
        return _abi.TYPE_BOOL
    if isinstance(default, (int, float)):
        return _abi.TYPE_NUMBER
    return _abi.TYPE_STRING if isinstance(default, str) else _abi.TYPE_NONE

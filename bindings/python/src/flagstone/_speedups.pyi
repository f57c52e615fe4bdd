"""The extension in C: see ``speedups.h``."""

from collections.abc import Callable
from ctypes import c_void_p
from typing import Any

from ._fast import ClientBase, ContextBase, FlagBase
from .detail import EvaluationDetail, EvaluationReason

#: Names of the native functions that it calls.
NATIVE: tuple[str, ...]

def bind(
    addresses: dict[str, int | None],
    pointer: type[c_void_p],
    detail: type[EvaluationDetail[Any]],
    #: Type of the value, number, text: the value.
    value: Callable[[int, float, bytes], Any],
    #: Reason, kind of error, index and id of the rule, key of the prerequisite, in an experiment, big segments.
    reason: Callable[[int, int, int, bytes, bytes, bool, int], EvaluationReason],
    #: A default: its JSON form, or nothing.
    tell: Callable[[Any], bytes],
    #: Data of an event: its JSON form; raises where there is none.
    write: Callable[[Any], bytes],
    /,
) -> None: ...
def bind_context(context: type[ContextBase], to_json: Callable[[Any], bytes], /) -> None: ...
def set_awake(open: bool, /) -> None: ...
def stand_for(name: str, method: Callable[..., Any], /) -> None: ...
def context_from(context: type[ContextBase], data: dict[str, Any], /) -> Any: ...

__all__ = [
    "NATIVE",
    "ClientBase",
    "ContextBase",
    "FlagBase",
    "bind",
    "bind_context",
    "context_from",
    "set_awake",
    "stand_for",
]

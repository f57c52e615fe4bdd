"""A caller's default as events tell it: in its own type where native code has that, else as JSON. Depends on ``_abi`` and
``_json``."""

from __future__ import annotations

from ctypes import c_char_p, c_void_p
from struct import Struct
from typing import Any

from . import _abi
from ._json import default_json

INT64 = range(-(2**63), 2**63)
_NULL = bytes(_abi.Default())
#: The members of flagstone_default in their order, with native alignment.
_layout = Struct("@iiqdPN")


def told(default: Any) -> _abi.Default | None:
    """A default as events tell it; ``None`` for null, and for what has no JSON form."""
    kind, made = type(default), _abi.Default()
    if kind is bool:
        made.value_type, made.integer = _abi.TYPE_BOOL, default
    elif kind is int and default in INT64:
        made.value_type, made.is_integer, made.integer = _abi.TYPE_NUMBER, 1, default
    elif kind is float:
        made.value_type, made.number = _abi.TYPE_NUMBER, default
    elif kind is str and default.isascii():
        _lend(made, _abi.TYPE_STRING, default.encode())
    elif default is not None:
        _lend(made, _abi.TYPE_JSON, default_json(default))
    return made if made.value_type else None


def _lend(made: _abi.Default, value_type: int, text: bytes) -> None:
    # Nothing is no JSON, which is null in the end.
    made.value_type, made.kept = value_type, text
    made.text.ptr, made.text.len = c_void_p.from_buffer(c_char_p(text)).value, len(text)


def packed(default: Any, lent: list[Any]) -> bytes:
    """A default as events tell it, as bytes; what it borrows is added to ``lent``."""
    kind = type(default)
    if default is None:
        return _NULL
    if kind is bool:
        return _layout.pack(_abi.TYPE_BOOL, 0, default, 0.0, 0, 0)
    if kind is float:
        return _layout.pack(_abi.TYPE_NUMBER, 0, 0, default, 0, 0)
    made = told(default)
    lent.append(made)
    return bytes(made) if made else _NULL

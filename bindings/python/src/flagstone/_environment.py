"""The environment of a client. Depends on ``_lib`` and ``_abi``."""

from __future__ import annotations

from ctypes import byref, string_at
from typing import Any

from . import _abi
from ._lib import unchecked

_ask = unchecked("flagstone_client_environment_id", keeps_gil=True)
_clear = unchecked("flagstone_bytes_clear", keeps_gil=True)


def environment_id(client: Any) -> str | None:
    """The environment that a server named; ``None`` if none did."""
    out = _abi.Bytes()
    if _ask(client._h, byref(out), None) != _abi.STATUS_OK:
        return None
    try:
        return string_at(out.ptr, out.len).decode()
    finally:
        _clear(byref(out))

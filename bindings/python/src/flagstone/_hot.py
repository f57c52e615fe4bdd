"""Who makes the hot calls: the extension ``_speedups``, in C, where it can be used, else ``_fast``, through ctypes alone.

Both do the same: the extension takes plain arguments, and hands all others to the methods in Python that it stands for. The
variable ``FLAGSTONE_SPEEDUPS`` decides: ``0`` leaves the extension out, ``1`` makes it an error when it cannot be used.
Depends on ``_lib``, ``_fast``, ``_forks``, ``_handles``, ``_json`` and ``detail``.
"""

from __future__ import annotations

import os
import sysconfig
from ctypes import c_void_p, cast
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from . import _forks, _json, detail
from ._handles import Native
from ._lib import lib
from .errors import LibraryError

C = TypeVar("C", bound=type)
X = TypeVar("X")

SWITCH = "FLAGSTONE_SPEEDUPS"


def _extension() -> tuple[Any, str]:
    """The extension, or ``None`` and why it is not used."""
    switch = os.environ.get(SWITCH, "")
    if switch == "0":
        return None, f"{SWITCH} is 0"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        missing: object = "a free-threaded Python has no stable ABI"
    else:
        try:
            from . import _speedups

            addresses = {name: cast(getattr(lib, name), c_void_p).value for name in _speedups.NATIVE}
            _speedups.bind(
                addresses,
                c_void_p,
                detail.EvaluationDetail,
                detail._value,
                detail._reason,
                _json.default_json,
                _json.plain_json,
            )
            return _speedups, ""
        except ImportError as error:
            missing = error
    if switch == "1":
        raise LibraryError(f"{SWITCH} is 1, but the extension cannot be used: {missing}")
    return None, str(missing)


#: The extension, if it is used; otherwise why it is not.
SPEEDUPS, WHY_NOT = _extension()

if TYPE_CHECKING or not SPEEDUPS:
    from ._fast import ClientBase, ContextBase, FlagBase
else:

    def _base(extension: type) -> type:
        read = staticmethod(vars(extension)["_h"].__get__)
        return type(extension.__name__, (Native, extension), {"__slots__": ("__weakref__",), "_read": read})

    ClientBase, ContextBase, FlagBase = map(_base, (SPEEDUPS.ClientBase, SPEEDUPS.ContextBase, SPEEDUPS.FlagBase))

__all__ = ["SPEEDUPS", "WHY_NOT", "ClientBase", "ContextBase", "FlagBase", "accelerated", "bind_context", "context_from"]


def accelerated(cls: C) -> C:
    """Puts the extension's methods in place of those of ``cls`` that they stand for."""
    if SPEEDUPS:
        (extension,) = (base for base in cls.__mro__ if base.__module__ == SPEEDUPS.__name__)
        ours = cls.__mro__[: cls.__mro__.index(extension)]
        for name, method in vars(extension).items():
            original = next((vars(base)[name] for base in ours if name in vars(base)), None)
            if callable(original):
                SPEEDUPS.stand_for(name, original)
                setattr(cls, name, method)
    return cls


def bind_context(cls: type[Any], to_json: Callable[[Any], bytes]) -> None:
    """Tells the extension the class of contexts, and how attributes that are lists or dictionaries become JSON."""
    if SPEEDUPS:
        SPEEDUPS.bind_context(cls, to_json)
        _forks.switch_with(SPEEDUPS.set_awake)


def context_from(cls: type[X], data: dict[str, Any]) -> X | None:
    """A context from a dictionary that nobody else has; ``None`` when that is not plain."""
    return SPEEDUPS.context_from(cls, data) if SPEEDUPS else None

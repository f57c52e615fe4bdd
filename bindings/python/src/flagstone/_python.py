"""Says in a sentence where this package does not work, before something else fails there. Depends on ``errors``.

``ctypes`` and threads that nobody waits for are not to be had in every interpreter, and what fails then names neither.
"""

from __future__ import annotations

import importlib
import sys

from .errors import LibraryError

#: By version of Python.
_SUBINTERPRETERS = ("_interpreters", "_xxsubinterpreters")


def _check() -> None:
    name = sys.implementation.name
    if name != "cpython":
        raise LibraryError(f"Flagstone needs CPython; this is {name}")
    if _in_subinterpreter():
        raise LibraryError(
            "Flagstone works in a process's main interpreter only, and this is a sub-interpreter. With mod_wsgi: "
            "WSGIApplicationGroup %{GLOBAL}; with uWSGI: --single-interpreter"
        )


def _in_subinterpreter() -> bool:
    for name in _SUBINTERPRETERS:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        # An id, or from 3.13 on a pair that begins with it.
        current, main = module.get_current(), module.get_main()
        return bool(current != main)
    return False


_check()

"""Finds, loads and checks the native library, and turns its errors into exceptions.

The library is loaded once per process and never unloaded. ``FLAGSTONE_LIBRARY_PATH``, the full path of the library file,
wins over the one inside this package; the system's search path is never consulted, so that no other library answers by
accident. Depends on ``_abi`` and ``errors``.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import sys
import weakref
from ctypes import byref, c_void_p, string_at
from pathlib import Path
from typing import Any, Callable

from . import _abi
from .errors import ClosedError, FlagstoneError, InvalidArgumentError, LibraryError

OVERRIDE = "FLAGSTONE_LIBRARY_PATH"

#: The minor version of the ABI that a library must have; what later ones have is asked for when it is called.
_NEEDED_MINOR = 4

_REFUSED = (
    _abi.STATUS_INVALID_ARGUMENT,
    _abi.STATUS_NULL_ARGUMENT,
    _abi.STATUS_BAD_UTF8,
    _abi.STATUS_BAD_JSON,
)


def library_name() -> str:
    """File name of the library on this platform."""
    if sys.platform == "win32":
        return "flagstone.dll"
    return "libflagstone.dylib" if sys.platform == "darwin" else "libflagstone.so"


def library_path() -> str:
    """Full path of the library file to load; ``LibraryError`` when there is none."""
    override = os.environ.get(OVERRIDE)
    if override:
        # The loader searches the system's path for a bare name, and opens a relative one in whatever folder the process is.
        if not os.path.isabs(override):
            raise LibraryError(f"cannot use {override} (named by {OVERRIDE}) as the native library: it must be a full path")
        return override
    packaged = Path(__file__).with_name("_native") / library_name()
    if not packaged.is_file():
        raise LibraryError(
            f"the native library is missing: tried {packaged}; {OVERRIDE}, which may hold the full path of "
            f"{library_name()}, is not set"
        )
    return str(packaged)


def _load() -> tuple[str, ctypes.CDLL]:
    path = library_path()
    try:
        library = ctypes.CDLL(path)
        version = library.flagstone_abi_version
    except (OSError, AttributeError) as error:
        hint = f" (named by {OVERRIDE})" if os.environ.get(OVERRIDE) else ""
        raise LibraryError(f"cannot use {path}{hint} as the native library: {error}") from error
    version.restype = ctypes.c_uint32
    major, minor = divmod(version(), 1 << 16)
    if major != _abi.ABI_MAJOR or minor < _NEEDED_MINOR:
        raise LibraryError(
            f"{path} has ABI {major}.{minor}; this package needs {_abi.ABI_MAJOR}.{_NEEDED_MINOR} or a later minor one"
        )
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        if minor < _abi.LATER.get(name, 0):
            setattr(library, name, _lacking(f"{path} has ABI {major}.{minor}, and {name} is in {major}.{_abi.LATER[name]}"))
            continue
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise LibraryError(f"{path} lacks {name}") from error
        function.restype, function.argtypes = result, list(arguments)
    return path, library


def _lacking(message: str) -> Callable[..., Any]:
    """Stands for a function that the library does not have."""

    def refuse(*_: Any) -> Any:
        raise FlagstoneError(message)

    return refuse


PATH, _library = _load()

#: Every function of the table, typed. Calls through it release the GIL, so they may block.
lib: Any = _library


def require(name: str) -> None:
    """:raises FlagstoneError: when the library is too old for a function."""
    function = getattr(lib, name)
    if inspect.isfunction(function):
        function()


def unchecked(name: str, *, keeps_gil: bool) -> Any:
    """A function without argument conversion, for hot calls: hand it ``c_void_p`` objects and ``bytes`` only.

    With ``keeps_gil`` the call must never block.
    """
    loaded = ctypes.PyDLL(PATH) if keeps_gil else ctypes.CDLL(PATH)
    function = loaded[name]
    function.restype = _abi.FUNCTIONS[name][0]
    return function


def release_with(owner: object, release: Callable[[c_void_p], None], handle: c_void_p) -> None:
    """Has ``release`` called with ``handle`` once ``owner`` is gone; at exit the process itself gives everything back."""
    weakref.finalize(owner, release, handle).atexit = False  # type: ignore[misc]  # a property of every finalizer


def text(borrowed: _abi.Str) -> str:
    """A copy of borrowed text."""
    return string_at(borrowed.ptr, borrowed.len).decode() if borrowed.len else ""


def utf8(value: Any, name: str) -> bytes:
    """Text as the library takes it; what is no text, or cannot be written as UTF-8, is refused."""
    # By type and by str's own method: a subclass may say anything.
    if not issubclass(type(value), str):
        raise InvalidArgumentError(f"{name}: text is needed, not {type(value).__name__}")
    try:
        return str.encode(value)
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{name}: the text cannot be written as UTF-8: {error}") from error


def raise_for(status: int, error: c_void_p) -> None:
    """Raises the exception for ``status`` unless it is OK; frees ``error``."""
    if status == _abi.STATUS_OK:
        return
    if error.value:
        message = text(lib.flagstone_error_message(error))
        lib.flagstone_error_free(error)
    else:
        message = lib.flagstone_status_name(status).decode()
    if status in _REFUSED:
        raise InvalidArgumentError(message, status)
    if status == _abi.STATUS_CLOSED:
        raise ClosedError(message, status)
    raise FlagstoneError(message, status)


def do(function: Callable[..., int], *arguments: Any) -> None:
    """Calls a function that ends in ``err``."""
    error = c_void_p()
    raise_for(function(*arguments, byref(error)), error)


def make(constructor: Callable[..., int], *arguments: Any) -> c_void_p:
    """Calls a function that ends in ``out, err`` and returns the handle it made."""
    out, error = c_void_p(), c_void_p()
    raise_for(constructor(*arguments, byref(out), byref(error)), error)
    return out


def read(getter: Callable[..., int], *arguments: Any) -> str:
    """Calls a function that ends in ``bytes, err`` and returns the text."""
    out, error = _abi.Bytes(), c_void_p()
    raise_for(getter(*arguments, byref(out), byref(error)), error)
    try:
        return string_at(out.ptr, out.len).decode() if out.len else ""
    finally:
        lib.flagstone_bytes_clear(byref(out))


def milliseconds(seconds: float) -> int:
    """Seconds as the library's unsigned 32-bit milliseconds: never negative, at most 49 days, at least 1 unless 0."""
    if not issubclass(type(seconds), (int, float)):
        raise InvalidArgumentError(f"a time in seconds is needed, not {type(seconds).__name__}")
    if not seconds > 0:
        return 0
    return max(1, min(int(min(seconds, 1e7) * 1000), 0xFFFF_FFFF))

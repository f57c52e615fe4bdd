"""Objects that own a native handle: which of them may hand it to native code, and what it means to copy one.

Native code trusts the handle it is given, and host programs pass all kinds of things where a context or a client should be:
mocks answer every question the way the real one would. Depends on nothing.
"""

from __future__ import annotations

from ctypes import c_void_p
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from .client import Client

S = TypeVar("S")


class Native:
    """What owns a native handle ``_h``. A copy is the object itself: nobody can change it, or all are meant to share it."""

    __slots__ = ()

    if TYPE_CHECKING:
        _h: c_void_p

    #: Reads the handle of an object, past what subclasses may have put before it.
    _read: Any = None

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if sum("_h" in vars(base) for base in cls.__mro__) > 1:
            raise TypeError(f"{cls.__name__} hides the handle _h of what it is made from: please name it otherwise")

    def __copy__(self: S) -> S:
        return self

    def __deepcopy__(self: S, memo: dict[int, Any]) -> S:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        refuse_copy(self, "pickled: it belongs to this process. Make one in each process, or fork with it")


class Owner(Native):
    """A native object whose handle is in a slot."""

    __slots__ = ("__weakref__", "_h")


_slot: Any = Owner.__dict__["_h"]
Owner._read = staticmethod(_slot.__get__)
#: Sets the handle of an object that lets nobody set anything.
set_handle = _slot.__set__


def refuse_copy(value: object, how: str) -> NoReturn:
    """Says what cannot be done with ``value``, and what to do instead."""
    raise TypeError(f"a {type(value).__name__} cannot be {how}")


def handle_of(value: Any, kind: type[Native]) -> c_void_p | None:
    """The handle of a real ``kind``; ``None`` for everything else, also for what only says that it is one."""
    # isinstance would ask the object.
    if not issubclass(type(value), kind):
        return None
    try:
        return kind._read(value)  # type: ignore[no-any-return]
    except AttributeError:  # never initialised
        return None


def client_of(calls: Any) -> Client:
    """The client itself, for the classes that :class:`Client` gets some of its calls from."""
    return calls  # type: ignore[no-any-return]

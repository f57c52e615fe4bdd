"""The hot calls through ctypes: bound without argument conversion, handed prebuilt objects only; and what owns handles.

Residency ``all`` never blocks, so its calls keep the GIL, which is cheaper and does not make threads queue for it;
``lazy`` and ``off`` may wait for Redis, so theirs release it. Depends on ``_lib``, ``_abi``,
``_handles`` and ``detail``.
"""

from __future__ import annotations

from ctypes import Array, addressof, c_char, c_char_p, c_int32, c_int64, c_size_t, c_void_p, cast, sizeof
from struct import pack
from typing import Any

from . import _abi
from ._handles import Owner, set_handle
from ._lib import unchecked
from .detail import EvaluationDetail, Parsed, decode

#: Sizes of short keys; ctypes would pass a bare int as a C int, which is not size_t.
SIZES = tuple(c_size_t(size) for size in range(256))
BOOLS = {False: c_int32(0), True: c_int32(1)}
NOTHING = c_size_t(0)
WANT = tuple(c_int32(code) for code in range(_abi.TYPE_JSON + 1))


def size(text: bytes) -> c_size_t:
    """The length of ``text`` for a call."""
    length = len(text)
    return SIZES[length] if length < 256 else c_size_t(length)


class Calls:
    """The hot functions in one way of calling."""

    __slots__ = ("bool", "detail", "double", "flag_bool", "flag_detail", "flag_double", "flag_int", "int", "many")

    def __init__(self, *, keeps_gil: bool) -> None:
        def bind(name: str) -> Any:
            return unchecked(f"flagstone_{name}", keeps_gil=keeps_gil)

        self.bool = bind("bool_variation")
        self.int = bind("int_variation")
        self.double = bind("double_variation")
        self.detail = bind("variation")
        self.many = bind("variation_many")
        self.flag_bool = bind("flag_bool")
        self.flag_int = bind("flag_int")
        self.flag_double = bind("flag_double")
        self.flag_detail = bind("flag_detail")


IN_MEMORY = Calls(keeps_gil=True)
MAY_BLOCK = Calls(keeps_gil=False)

#: In what form a value is promised: a number as an int or a float, or everything as the flag has it.
BOOL, INT, FLOAT, STRING, ANY = "b", "i", "f", "s", "a"

_clear = unchecked("flagstone_detail_clear", keeps_gil=True)


class Buffer:
    """A native detail with its address as ctypes wants it."""

    __slots__ = ("address", "detail")

    def __init__(self) -> None:
        self.detail = _abi.Detail(struct_size=sizeof(_abi.Detail))
        self.address = c_void_p(addressof(self.detail))


# A buffer belongs to one evaluation at a time, also when a signal handler evaluates in the middle of another evaluation.
_free: list[Buffer] = []
_MOST_FREE = 64


def take() -> Buffer:
    """A cleared buffer."""
    try:
        return _free.pop()
    except IndexError:
        return Buffer()


def give_back(buffer: Buffer) -> None:
    """Frees what the detail borrows and keeps the buffer for the next evaluation."""
    if buffer.detail.owner:
        _clear(buffer.address)
    if len(_free) < _MOST_FREE:
        _free.append(buffer)


_as_int = unchecked("flagstone_detail_int", keeps_gil=True)
_ZERO = c_int64(0)


def result(buffer: Buffer, default: Any, form: str = ANY, parsed: Parsed | None = None) -> EvaluationDetail[Any]:
    """What the buffer holds, its value in the promised form."""
    found = decode(buffer.detail, default, parsed)
    if form == INT and not found.is_default:
        number: int | float = _as_int(buffer.address, _ZERO)
    elif form == FLOAT and type(found.value) is int and not found.is_default:
        number = buffer.detail.number_value
    else:
        return found
    return EvaluationDetail(number, found.variation_index, found.reason, found.is_stale)


DETAIL = sizeof(_abi.Detail)
_CLEARED = bytes(_abi.Detail(struct_size=DETAIL))


class Many:
    """Details of several flags for one context, from one call, for the time of a ``with``.

    Texts and details are one piece of memory each: objects for every one of them would cost more than the evaluation.
    """

    __slots__ = ("_details",)

    def __init__(self, calls: Calls, client: c_void_p, context: c_void_p, keys: list[bytes]) -> None:
        count, joined = len(keys), c_char_p(b"".join(keys))
        texts, at = [], cast(joined, c_void_p).value or 0
        for key in keys:
            texts += (at, len(key))
            at += len(key)
        self._details = (c_char * (count * DETAIL))()
        self._details.raw = _CLEARED * count
        calls.many(client, context, pack(f"@{2 * count}N", *texts), c_size_t(count), self._details)

    def __enter__(self) -> Array[c_char]:
        return self._details

    def __exit__(self, *_: object) -> None:
        start = addressof(self._details)
        for offset in range(0, len(self._details), DETAIL):
            _clear(c_void_p(start + offset))


class ContextHandle(c_void_p):
    """A handle that gives back what it refers to once nobody has it any more.

    It is NULL afterwards: in a cycle of garbage, somebody else's finalizer may come later and still use it.
    """

    __slots__ = ()

    def __del__(self, release: Any = unchecked("flagstone_context_release", keeps_gil=True)) -> None:
        release(self)
        self.value = None


class FlagHandle(c_void_p):
    """As a context's."""

    __slots__ = ()

    def __del__(self, release: Any = unchecked("flagstone_flag_release", keeps_gil=True)) -> None:
        release(self)
        self.value = None


class ClientHandle(c_void_p):
    """As a context's. The thread that waits for notifications, if there is one, sees that the client is gone."""

    __slots__ = ()

    def __del__(
        self,
        wake: Any = unchecked("flagstone_client_wake", keeps_gil=True),
        release: Any = unchecked("flagstone_client_release", keeps_gil=True),
    ) -> None:
        wake(self)
        release(self)
        self.value = None


class ContextBase(Owner):
    """The handle of a context."""

    __slots__ = ()

    def _adopt(self, handle: c_void_p) -> None:
        """Takes a handle that nobody else gives back."""
        set_handle(self, ContextHandle(handle.value))


class ClientBase(Owner):
    """The native client."""

    def _attach(self, handle: c_void_p, may_wait: bool) -> None:
        """Takes a handle that nobody else gives back, and whether evaluation may wait."""
        self._h = ClientHandle(handle.value)


class FlagBase(Owner):
    """A native flag, its key and its default."""

    __slots__ = ("default", "key")

    key: str
    default: Any

    def _attach(self, handle: c_void_p, key: str, default: Any, form: str, may_wait: bool) -> None:
        """Takes a handle that nobody else gives back, and the form of the values."""
        self._h, self.key, self.default = FlagHandle(handle.value), key, default

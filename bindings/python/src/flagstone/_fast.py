"""The hot calls through ctypes: bound without argument conversion, handed prebuilt objects only; and what owns handles.

Calls of clients that never wait keep the GIL, which is cheaper and does not make threads queue for it; where residency is
``lazy`` or ``off`` they may wait for Redis, so theirs release it; and where a store may be asked for the members of big
segments, each asks whether the data have any. Depends on ``_lib``, ``_abi``, ``_json``,
``_handles`` and ``detail``.
"""

from __future__ import annotations

import marshal
from ctypes import addressof, byref, c_char, c_int32, c_int64, c_size_t, c_uint32, c_void_p, sizeof
from types import SimpleNamespace
from typing import Any

from . import _abi
from ._handles import Owner, set_handle
from ._json import default_json
from ._lib import unchecked
from .detail import EvaluationDetail, decode

#: Sizes of short keys; ctypes would pass a bare int as a C int, which is not size_t.
SIZES = tuple(c_size_t(size) for size in range(256))
BOOLS = {False: c_int32(0), True: c_int32(1)}
NOTHING = c_size_t(0)
WANT = tuple(c_int32(code) for code in range(_abi.TYPE_JSON + 1))
#: Options of a call whose caller gets the value alone, and of one whose caller gets the reason.
VALUE, REASON = c_uint32(0), c_uint32(_abi.ASK_REASON)


def size(text: bytes) -> c_size_t:
    """The length of ``text`` for a call."""
    length = len(text)
    return SIZES[length] if length < 256 else c_size_t(length)


class Calls:
    """The hot functions in one way of calling."""

    __slots__ = (
        "bool",
        "double",
        "flag_bool",
        "flag_detail",
        "flag_double",
        "flag_int",
        "flag_value",
        "int",
        "many",
        "variation",
    )

    def __init__(self, *, keeps_gil: bool) -> None:
        def bind(name: str) -> Any:
            return unchecked(f"flagstone_{name}", keeps_gil=keeps_gil)

        self.bool = bind("bool_variation")
        self.int = bind("int_variation")
        self.double = bind("double_variation")
        self.variation = bind("variation_or")
        self.many = bind("variation_many_or")
        self.flag_bool = bind("flag_bool")
        self.flag_int = bind("flag_int")
        self.flag_double = bind("flag_double")
        self.flag_value = bind("flag_value")
        self.flag_detail = bind("flag_detail")


IN_MEMORY = Calls(keeps_gil=True)
MAY_BLOCK = Calls(keeps_gil=False)

#: Whether evaluation waits for a store: never, perhaps at any time, or when the data have big segments. As in speedups.h.
NEVER, ALWAYS, PERHAPS = 0, 1, 2

_retain_client = unchecked("flagstone_client_retain", keeps_gil=True)
_release_client = unchecked("flagstone_client_release", keeps_gil=True)
_may_wait = unchecked("flagstone_client_may_wait", keeps_gil=True)


def calls_of(client: Any, waits: int) -> Any:
    """The hot functions for a client."""
    if waits != PERHAPS:
        return MAY_BLOCK if waits else IN_MEMORY
    handle = ClientReference(_retain_client(client._h))
    return SimpleNamespace(**{name: _asking(handle, name) for name in Calls.__slots__})


class ClientReference(c_void_p):
    """One more reference to a client."""

    __slots__ = ()

    def __del__(self, release: Any = _release_client) -> None:
        release(self)
        self.value = None


def _asking(client: ClientReference, name: str) -> Any:
    quick, patient = getattr(IN_MEMORY, name), getattr(MAY_BLOCK, name)

    def call(*arguments: Any) -> Any:
        return (patient if _may_wait(client) else quick)(*arguments)

    return call


#: In what form a value is promised: a number as an int or a float, or everything as the flag has it.
BOOL, INT, FLOAT, STRING, ANY = "b", "i", "f", "s", "a"

DETAIL = sizeof(_abi.Detail)

_clear = unchecked("flagstone_detail_clear", keeps_gil=True)
_as_int = unchecked("flagstone_detail_int", keeps_gil=True)
_ZERO = c_int64(0)


class Buffer:
    """A native detail with its address as ctypes wants it, and its bytes."""

    __slots__ = ("address", "content", "detail")

    def __init__(self) -> None:
        self.detail = _abi.Detail(struct_size=DETAIL)
        self.address = c_void_p(addressof(self.detail))
        self.content = (c_char * DETAIL).from_buffer(self.detail)

    def __del__(self, clear: Any = _clear) -> None:
        clear(self.address)


# A buffer belongs to one evaluation at a time, also when a signal handler evaluates in the middle of another evaluation.
_free: list[Buffer] = []
_MOST_FREE = 64


def take() -> Buffer:
    """A cleared buffer, to be given back; one that is dropped frees what its detail borrows."""
    try:
        return _free.pop()
    except IndexError:
        return Buffer()


def give_back(buffer: Buffer) -> None:
    """Frees what the detail borrows and keeps the buffer for the next evaluation."""
    _clear(buffer.address)
    if len(_free) < _MOST_FREE:
        _free.append(buffer)


class Kept:
    """A result that was given before, to be given again.

    It is found by the bytes of its native detail. The pointers in there tell texts apart because the buffer is kept, too,
    and with it what they point to.
    """

    __slots__ = ("borrows", "buffer", "found", "json")

    def __init__(self, buffer: Buffer, found: EvaluationDetail[Any]) -> None:
        self.buffer, self.found, self.borrows = buffer, found, bool(buffer.detail.owner)
        self.json: bytes | None = None
        if buffer.detail.value_type == _abi.TYPE_JSON:
            # The caller may change what it gets. marshal makes copies several times faster than json.loads parses; what it
            # writes never leaves the process.
            self.json = marshal.dumps(found.value)
            self.found = EvaluationDetail(None, found.variation_index, found.reason, found.is_stale)

    def again(self) -> EvaluationDetail[Any]:
        """The result, which is immutable; JSON in it is the caller's own."""
        found = self.found
        if self.json is None:
            return found
        return EvaluationDetail(marshal.loads(self.json), found.variation_index, found.reason, found.is_stale)


KEPT: dict[str, dict[bytes, Kept]] = {form: {} for form in (BOOL, INT, FLOAT, STRING, ANY)}
_MOST_KEPT = 256
#: Those with long texts, which are few.
_long: dict[bytes, Kept] = {}
_MOST_LONG, _SHORT = 16, 16 * 1024


def result(buffer: Buffer, default: Any, form: str = ANY) -> EvaluationDetail[Any]:
    """What the buffer holds, its value in the promised form; takes the buffer."""
    content = buffer.content.raw
    kept = KEPT[form].get(content)
    if kept is None:
        kept = _long.get(content)
    if kept is not None:
        give_back(buffer)
        return kept.again()
    found = _formed(buffer, default, form)
    # A default belongs to one caller.
    if found.is_default:
        give_back(buffer)
        return found
    known, most = (KEPT[form], _MOST_KEPT) if buffer.detail.text.len <= _SHORT else (_long, _MOST_LONG)
    if len(known) >= most:
        known.clear()
    known[content] = Kept(buffer, found)
    return found


def _formed(buffer: Buffer, default: Any, form: str) -> EvaluationDetail[Any]:
    found = decode(buffer.detail, default)
    if form == INT and not found.is_default:
        number: int | float = _as_int(buffer.address, _ZERO)
    elif form == FLOAT and type(found.value) is int and not found.is_default:
        number = buffer.detail.number_value
    else:
        return found
    return EvaluationDetail(number, found.variation_index, found.reason, found.is_stale)


_release_context = unchecked("flagstone_context_release", keeps_gil=True)
_release_flag = unchecked("flagstone_flag_release", keeps_gil=True)
_wake = unchecked("flagstone_client_wake", keeps_gil=True)

# Handles that give back what they refer to once nobody has them any more. They are NULL afterwards: in a cycle of garbage,
# somebody else's finalizer may come later and still use them. Names of this module are gone when the interpreter ends.


class ContextHandle(c_void_p):
    """A context's."""

    __slots__ = ()

    def __del__(self, release: Any = _release_context) -> None:
        release(self)
        self.value = None


class FlagHandle(c_void_p):
    """A prepared flag's."""

    __slots__ = ()

    def __del__(self, release: Any = _release_flag) -> None:
        release(self)
        self.value = None


class ClientHandle(c_void_p):
    """A client's. The thread that waits for notifications, if there is one, sees that the client is gone."""

    __slots__ = ()

    def __del__(self, wake: Any = _wake, release: Any = _release_client) -> None:
        wake(self)
        release(self)
        self.value = None


_release_migration = unchecked("flagstone_migration_release", keeps_gil=True)


class MigrationHandle(c_void_p):
    """One operation's of a migration."""

    __slots__ = ()

    def __del__(self, release: Any = _release_migration) -> None:
        release(self)
        self.value = None


_from_json = unchecked("flagstone_context_from_json", keeps_gil=True)


def context(text: bytes) -> ContextHandle | None:
    """A context from JSON text; ``None`` when that is no context, or long: the ordinary call says what is wrong."""
    handle = ContextHandle()
    return None if len(text) > 255 or _from_json(text, SIZES[len(text)], byref(handle), None) else handle


_flag_new = unchecked("flagstone_flag_new", keeps_gil=True)
_MOST_PREPARED = 1024
#: By type asked for: the types of the defaults with which a flag is prepared, where a default matters.
BOUND: tuple[tuple[type, ...], ...] = ((type(None),), (bool,), (int, float), (str,), ())


def name_of(key: str, default: Any) -> tuple[str, bytes] | None:
    """What a flag is kept by whose default is of another type, or may be changed; ``None``: it is not to be kept."""
    json = default_json(default)
    return (key, json) if json else None


def prepare(
    prepared: dict[Any, FlagHandle],
    name: Any,
    client: c_void_p,
    raw: bytes,
    want: c_int32,
    default: Any,
    detail: _abi.Detail,
) -> None:
    """Keeps a prepared flag for calls by key: with fewer arguments, ctypes takes half the time. Only of flags that there
    are, as anything may be asked for."""
    if detail.error_kind:
        return
    if len(prepared) >= _MOST_PREPARED:
        prepared.clear()
    flag, text = FlagHandle(), b"" if default is None else default_json(default)
    # Refused once the client is closed.
    if _flag_new(client, raw, size(raw), want, text, size(text), byref(flag), None) == _abi.STATUS_OK:
        prepared[name] = flag


class ContextBase(Owner):
    """The handle of a context."""

    __slots__ = ()

    def _adopt(self, handle: c_void_p) -> None:
        """Takes a handle that nobody else gives back."""
        set_handle(self, handle if type(handle) is ContextHandle else ContextHandle(handle.value))


class ClientBase(Owner):
    """The native client."""

    def _attach(self, handle: c_void_p, waits: int, tells: bool) -> None:
        """Takes a handle that nobody else gives back, whether evaluation waits, and whether events tell defaults."""
        self._h = ClientHandle(handle.value)


class FlagBase(Owner):
    """A native flag, its key and its default."""

    __slots__ = ("default", "key")

    key: str
    default: Any

    def _attach(self, handle: c_void_p, key: str, default: Any, form: str, waits: int, client: c_void_p) -> None:
        """Takes a handle that nobody else gives back, the form of the values, and of its client what is there."""
        self._h, self.key, self.default = FlagHandle(handle.value), key, default

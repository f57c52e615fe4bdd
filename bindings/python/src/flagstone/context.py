"""Who a flag is evaluated for. Depends on ``_hot``, ``_lib``, ``_handles`` and ``_json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ctypes import byref, c_char_p, c_void_p, cast
from typing import Any, NoReturn

from . import _abi, _fast, _hot
from ._handles import handle_of
from ._json import ContextKey, key_text, loads, to_json
from ._lib import lib, make, raise_for, read, utf8
from .errors import InvalidArgumentError

__all__ = ["Context", "ContextBuilder", "ContextMultiBuilder"]


@_hot.accelerated
class Context(_hot.ContextBase):
    """A context: immutable, usable by any number of clients and threads.

    Making one costs a few microseconds; keep it as long as the same one asks. There is nothing to close. An object of a
    class made from this one is a context, too, once its ``__init__`` has called this one's.

    Keys are text; an int, a UUID and a member of an enum of these are taken as their text. Attributes are what has a JSON
    form; besides that a tuple and a set are lists (a set in the order of its elements), a mapping is an object, a UUID and
    a ``date`` are their text, a ``datetime``, which needs a time zone, is RFC 3339 text, a ``Decimal`` is a number, and a
    member of an enum is its value. What is read from JSON or a dictionary has no int for a key.

    >>> Context("ada", email="ada@example.org")
    >>> Context.builder("ada").kind("user").set("email", "ada@example.org").private("email").build()
    >>> Context.from_dict({"kind": "multi", "user": {"key": "ada"}, "org": {"key": "acme"}})
    """

    __slots__ = ()

    def __init__(self, key: ContextKey, kind: str = "user", **attributes: Any) -> None:
        """A single-kind context with attributes, ``name`` and ``anonymous`` included.

        :raises InvalidArgumentError: (a ``ValueError``) for an empty key, a kind that is not allowed or a value without a
            JSON form.
        """
        attributes["kind"], attributes["key"] = kind, key if type(key) is str else key_text(key)
        self._adopt(_from_dict(attributes))

    @classmethod
    def create(cls, key: ContextKey, kind: str = "user") -> Context:
        """A context that has nothing but kind and key."""
        return cls(key, kind)

    @classmethod
    def create_multi(cls, *contexts: Context) -> Context:
        """Joins contexts of different kinds into one; one alone stays as it is.

        :raises InvalidArgumentError: when a kind comes twice, or for none.
        """
        found = [handle_of(context, Context) for context in contexts]
        if None in found:
            raise InvalidArgumentError("create_multi takes contexts")
        handles = (c_void_p * len(contexts))(*found)
        return cls._of(make(lib.flagstone_context_merge, handles, len(contexts)))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Context:
        """A context from its JSON form as a dictionary: single-kind, multi-kind, or the older user form without ``kind``.

        :raises InvalidArgumentError: (a ``ValueError``) when it is no valid context; the message names the property.
        """
        if type(data) is not dict and not isinstance(data, Mapping):
            raise InvalidArgumentError(f"a context is made from a dictionary, not from {type(data).__name__}")
        return _made(cls, dict(data))

    @classmethod
    def from_json(cls, text: str | bytes) -> Context:
        """A context from JSON text.

        :raises InvalidArgumentError: (a ``ValueError``) when it is no JSON or no valid context.
        """
        raw = utf8(text, "JSON") if isinstance(text, str) else _bytes(text)
        return cls._of(make(lib.flagstone_context_from_json, raw, len(raw)))

    @classmethod
    def builder(cls, key: ContextKey) -> ContextBuilder:
        """Collects the attributes of a single-kind context."""
        return ContextBuilder(key)

    @classmethod
    def multi_builder(cls) -> ContextMultiBuilder:
        """Collects contexts of different kinds."""
        return ContextMultiBuilder()

    @property
    def key(self) -> str:
        """The key; empty for a multi-kind context."""
        return self.get("key") or ""

    @property
    def kind(self) -> str:
        """The kind; ``multi`` for a multi-kind context."""
        kind: str = self.get("kind")
        return kind

    @property
    def kinds(self) -> list[str]:
        """The kinds of the individual contexts, sorted."""
        kinds: list[str] = json.loads(read(lib.flagstone_context_kinds, self._h))
        return kinds

    @property
    def name(self) -> str | None:
        """The built-in attribute ``name``; ``None`` without one, and for a multi-kind context."""
        name: str | None = self.get("name")
        return name

    @property
    def anonymous(self) -> bool:
        """The built-in attribute ``anonymous``; false for a multi-kind context."""
        return self.get("anonymous") is True

    @property
    def private_attributes(self) -> list[str]:
        """References of the private attributes, in the order in which they were named; none for a multi-kind context."""
        kind, _kept = _borrowed("", "kind")
        references: list[str] = json.loads(read(lib.flagstone_context_private_attributes, self._h, kind))
        return references

    def get(self, reference: str) -> Any:
        """An attribute by name, built-in ones included, or by a path such as ``/address/street``; ``None`` where there is
        none. A multi-kind context has only its kind.

        :raises InvalidArgumentError: (a ``ValueError``) for what is no reference: empty, ``//``, ``/a~2``.
        """
        kind, _kept = _borrowed("", "kind")
        name, _also_kept = _borrowed(reference, "reference")
        return loads(read(lib.flagstone_context_get, self._h, kind, name))

    def individual(self, kind: str) -> Context | None:
        """The individual context of a kind; ``None`` when there is none."""
        name, _kept = _borrowed(kind, "kind")
        # An empty kind would mean any.
        if not name.len:
            return None
        out, error = c_void_p(), c_void_p()
        status = lib.flagstone_context_individual(self._h, name, byref(out), byref(error))
        if status == _abi.STATUS_NOT_FOUND:
            lib.flagstone_error_free(error)
            return None
        raise_for(status, error)
        return Context._of(out)

    @property
    def fully_qualified_key(self) -> str:
        """Identifies who is asking by kinds and keys alone: a user's key, else ``kind:key``, several joined by ``:``."""
        return read(lib.flagstone_context_canonical_key, self._h)

    def to_json_string(self) -> str:
        """The JSON form as text."""
        return read(lib.flagstone_context_to_json, self._h)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as a dictionary."""
        data: dict[str, Any] = loads(self.to_json_string())
        return data

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a context is immutable: {name} cannot be set")

    @classmethod
    def _of(cls, handle: c_void_p) -> Context:
        context = cls.__new__(cls)
        context._adopt(handle)
        return context

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Context):
            return NotImplemented
        return self is other or _same(_comparable(self.to_dict()), _comparable(other.to_dict()))

    def __hash__(self) -> int:
        return hash(self.fully_qualified_key)

    def __repr__(self) -> str:
        return f"Context.from_json({self.to_json_string()!r})"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, tuple[str]]:
        return Context.from_json, (self.to_json_string(),)


def _made(cls: type[Context], data: dict[str, Any]) -> Context:
    """A context from a dictionary that nobody else has."""
    made = _hot.context_from(cls, data)
    return cls._of(_from_dict(data)) if made is None else made


def _from_dict(data: dict[str, Any]) -> c_void_p:
    text = to_json(data)
    return _fast.context(text) or make(lib.flagstone_context_from_json, text, len(text))


def _bytes(text: Any) -> bytes:
    if not issubclass(type(text), bytes):
        raise InvalidArgumentError(f"JSON text is needed, not {type(text).__name__}")
    # A class made from bytes may say anything about its length.
    return bytes(memoryview(text))


def _borrowed(value: Any, name: str) -> tuple[_abi.Str, bytes]:
    """Text for the time of a call, and what must be kept as long."""
    raw = utf8(value, name)
    return _abi.Str(cast(c_char_p(raw), c_void_p), len(raw)), raw


def _comparable(form: dict[str, Any]) -> dict[str, Any]:
    """A JSON form in which private attributes, whose order tells nothing, are sorted."""
    if form["kind"] == "multi":
        return {kind: member if kind == "kind" else _sorted(member) for kind, member in form.items()}
    return _sorted(form)


def _sorted(form: dict[str, Any]) -> dict[str, Any]:
    meta = form.get("_meta")
    return {**form, "_meta": {**meta, "privateAttributes": sorted(set(meta["privateAttributes"]))}} if meta else form


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; to Python true is 1 as well."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _reference_to(name: str) -> str:
    """The reference that means the attribute of this very name."""
    return "/" + name.replace("~", "~0").replace("/", "~1") if name.startswith("/") else name


class ContextBuilder:
    """Collects the attributes of a single-kind context; every method but ``build`` returns the builder."""

    __slots__ = ("_attributes", "_private")

    def __init__(self, key: ContextKey) -> None:
        self._attributes: dict[str, Any] = {"kind": "user", "key": key}
        self._private: list[str] = []

    def key(self, key: ContextKey) -> ContextBuilder:
        """The key: not empty."""
        return self.set("key", key)

    def kind(self, kind: str) -> ContextBuilder:
        """The kind: letters, digits, ``.``, ``_`` and ``-``; not ``kind`` or ``multi``. Default ``user``."""
        return self.set("kind", kind)

    def name(self, name: str | None) -> ContextBuilder:
        """The built-in attribute ``name``."""
        return self.set("name", name)

    def anonymous(self, anonymous: bool) -> ContextBuilder:
        """The built-in attribute ``anonymous``."""
        return self.set("anonymous", anonymous)

    def set(self, attribute: str, value: Any) -> ContextBuilder:
        """Sets an attribute to anything that has a JSON form; ``None`` is the same as leaving it out."""
        if (type(attribute) is not str and not issubclass(type(attribute), str)) or attribute == "_meta":
            raise InvalidArgumentError(f"{attribute!r} is no name for an attribute")
        self._attributes[attribute] = value
        return self

    def private(self, *references: str) -> ContextBuilder:
        """Marks attributes as private by reference: a name, or a path such as ``/address/street``."""
        self._private.extend(references)
        return self

    def private_names(self, *names: str) -> ContextBuilder:
        """Marks attributes as private by name, whatever characters it has: ``/a`` is the attribute of this name."""
        return self.private(*(_reference_to(name) for name in names))

    def build(self) -> Context:
        """Makes the context. The builder stays as it is and may build again.

        :raises InvalidArgumentError: (a ``ValueError``) for an empty key, a kind that is not allowed, a built-in attribute
            of a wrong type, or a value without a JSON form.
        """
        if not self._attributes["kind"] or self._attributes["kind"] == "multi":
            raise InvalidArgumentError("the kind of a single-kind context must not be empty or multi")
        data = dict(self._attributes)
        if type(data["key"]) is not str:
            data["key"] = key_text(data["key"])
        if self._private:
            data["_meta"] = {"privateAttributes": self._private}
        return _made(Context, data)


class ContextMultiBuilder:
    """Collects contexts of different kinds."""

    __slots__ = ("_contexts",)

    def __init__(self) -> None:
        self._contexts: list[Context] = []

    def add(self, context: Context) -> ContextMultiBuilder:
        """Adds a context; a multi-kind one contributes all its members."""
        self._contexts.append(context)
        return self

    def build(self) -> Context:
        """Makes the context.

        :raises InvalidArgumentError: (a ``ValueError``) when a kind comes twice, or for none.
        """
        return Context.create_multi(*self._contexts)


_hot.bind_context(Context, to_json)

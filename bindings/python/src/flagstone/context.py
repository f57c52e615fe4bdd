"""Who a flag is evaluated for. Depends on ``_hot`` and ``_lib``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ctypes import c_void_p
from typing import Any

from . import _hot
from ._lib import lib, make, read
from .errors import InvalidArgumentError

__all__ = ["Context", "ContextBuilder", "ContextMultiBuilder"]

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _to_json(data: Any) -> bytes:
    try:
        return _encoder.encode(data).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"the context cannot be written as JSON: {error}") from error


@_hot.accelerated
class Context(_hot.ContextBase):
    """A context: immutable, usable by any number of clients and threads.

    Making one costs a few microseconds; keep it as long as the same one asks. There is nothing to close.

    >>> Context("ada", email="ada@example.org")
    >>> Context.builder("ada").kind("user").set("email", "ada@example.org").private("email").build()
    >>> Context.from_dict({"kind": "multi", "user": {"key": "ada"}, "org": {"key": "acme"}})
    """

    __slots__ = ("__weakref__",)

    def __init__(self, key: str, kind: str = "user", **attributes: Any) -> None:
        """A single-kind context with attributes, ``name`` and ``anonymous`` included.

        :raises InvalidArgumentError: (a ``ValueError``) for an empty key, a kind that is not allowed or a value without a
            JSON form.
        """
        self._adopt(_from_dict({**attributes, "kind": kind, "key": key}))

    @classmethod
    def create(cls, key: str, kind: str = "user") -> Context:
        """A context that has nothing but kind and key."""
        return cls(key, kind)

    @classmethod
    def create_multi(cls, *contexts: Context) -> Context:
        """Joins contexts of different kinds into one; one alone stays as it is.

        :raises InvalidArgumentError: when a kind comes twice, or for none.
        """
        if not all(isinstance(context, Context) for context in contexts):
            raise InvalidArgumentError("create_multi takes contexts")
        handles = (c_void_p * len(contexts))(*(context._h for context in contexts))
        return cls._of(make(lib.flagstone_context_merge, handles, len(contexts)))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Context:
        """A context from its JSON form as a dictionary: single-kind, multi-kind, or the older user form without ``kind``.

        :raises InvalidArgumentError: (a ``ValueError``) when it is no valid context; the message names the property.
        """
        if not isinstance(data, Mapping):
            raise InvalidArgumentError(f"a context is made from a dictionary, not from {type(data).__name__}")
        return _made(cls, dict(data))

    @classmethod
    def from_json(cls, text: str | bytes) -> Context:
        """A context from JSON text.

        :raises InvalidArgumentError: (a ``ValueError``) when it is no JSON or no valid context.
        """
        if isinstance(text, str):
            try:
                text = text.encode()
            except UnicodeEncodeError as error:
                raise InvalidArgumentError(f"the text cannot be written as UTF-8: {error}") from error
        if not isinstance(text, bytes):
            raise InvalidArgumentError(f"JSON text is needed, not {type(text).__name__}")
        return cls._of(make(lib.flagstone_context_from_json, text, len(text)))

    @classmethod
    def builder(cls, key: str) -> ContextBuilder:
        """Collects the attributes of a single-kind context."""
        return ContextBuilder(key)

    @classmethod
    def multi_builder(cls) -> ContextMultiBuilder:
        """Collects contexts of different kinds."""
        return ContextMultiBuilder()

    @property
    def fully_qualified_key(self) -> str:
        """Identifies who is asking by kinds and keys alone: a user's key, else ``kind:key``, several joined by ``:``."""
        return read(lib.flagstone_context_canonical_key, self._h)

    def to_json_string(self) -> str:
        """The JSON form as text."""
        return read(lib.flagstone_context_to_json, self._h)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as a dictionary."""
        data: dict[str, Any] = json.loads(self.to_json_string())
        return data

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

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Context.from_json, (self.to_json_string(),)


def _made(cls: type[Context], data: dict[str, Any]) -> Context:
    """A context from a dictionary that nobody else has."""
    made = _hot.context_from(cls, data)
    return cls._of(_from_dict(data)) if made is None else made


def _from_dict(data: dict[str, Any]) -> c_void_p:
    text = _to_json(data)
    return make(lib.flagstone_context_from_json, text, len(text))


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

    def __init__(self, key: str) -> None:
        self._attributes: dict[str, Any] = {"kind": "user", "key": key}
        self._private: list[str] = []

    def key(self, key: str) -> ContextBuilder:
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
        if not isinstance(attribute, str) or attribute == "_meta":
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


_hot.bind_context(Context, _to_json)

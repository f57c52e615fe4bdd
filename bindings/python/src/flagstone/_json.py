"""JSON both ways: what Python values become in a context and in events, and values of flags. Depends on ``errors``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Union
from uuid import UUID

from .errors import InvalidArgumentError

#: What a context's key may be given as.
ContextKey = Union[str, int, UUID, Enum]

#: Python counts how many digits it reads at once; this many it always reads.
_DIGITS = 600
#: Decimal exponent of the largest number.
_LARGEST = 308


def loads(text: str | bytes) -> Any:
    """The value of JSON text. Integers are exact, however long."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # more digits than int() takes
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int:
    if len(digits) <= _DIGITS:
        return int(digits)
    if digits[0] == "-":
        return -_integer(digits[1:])
    # By halves: the cost of adding digit by digit grows with the square of the length.
    half = len(digits) // 2
    return int(_integer(digits[:-half]) * 10**half + _integer(digits[-half:]))


def key_text(key: Any) -> str:
    """The text of a context's key."""
    # By type: a mock says that it is whatever it was made for.
    if issubclass(type(key), Enum):
        key = key.value
    if issubclass(type(key), str):
        return str.__str__(key)
    if type(key) is int or issubclass(type(key), UUID):
        try:
            return str(key)
        except ValueError as error:
            raise InvalidArgumentError(f"a context's key: {error}") from error
    raise InvalidArgumentError(f"a context's key is text, or an int or a UUID, not {type(key).__name__}")


def to_json(data: Any) -> bytes:
    """The JSON form of a context."""
    try:
        return "".join(_chunks(data, 0)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"the context cannot be written as JSON: {error}") from error


def plain_json(value: Any) -> bytes:
    """The JSON form of what ``json.dumps`` knows; raises for everything else, NaN and lone surrogates included."""
    return "".join(_plain_chunks(value, 0)).encode()


def default_json(value: Any) -> bytes:
    """As :func:`plain_json`, of a default as events tell it; nothing where there is no such form. A lone surrogate is
    escaped, and the library puts U+FFFD in its place."""
    try:
        try:
            return plain_json(value)
        except UnicodeEncodeError:
            return json.dumps(value, allow_nan=False).encode()
    except Exception:  # of somebody else's object, too
        return b""


def _refused(value: Any) -> Any:
    """Stands for what has no JSON form of its own, where nothing is converted."""
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _converted(value: Any) -> Any:
    """Stands for what has no JSON form of its own."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise TypeError("a datetime needs a time zone, for example datetime.now(timezone.utc)")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, (set, frozenset)):
        return _in_order(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _number(value: Decimal) -> int | float:
    if not value.is_finite() or value.adjusted() > _LARGEST:
        raise ValueError(f"{value} is no number in JSON")
    return int(value) if value == value.to_integral_value() else float(value)


def _in_order(values: Any) -> list[Any]:
    """The same list for equal sets."""
    try:
        return sorted(values)
    except TypeError:  # of several types
        return sorted(values, key=lambda value: (type(value).__name__, repr(value)))


def _writer(other: Callable[[Any], Any]) -> Callable[[Any, int], Iterable[str]]:
    """Writes JSON without white space, in pieces. ``JSONEncoder`` makes what does it anew for each text, which takes as
    long as writing a small one."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=other)
    try:
        make, quote = vars(json.encoder)["c_make_encoder"], json.encoder.encode_basestring
        made: Callable[[Any, int], Iterable[str]] = make(None, other, quote, None, ":", ",", False, False, False)
        if "".join(made({"a": [1.5, None]}, 0)) == '{"a":[1.5,null]}':
            return made
    except (KeyError, TypeError):  # it is no part of what json promises
        pass
    return lambda data, _: [encoder.encode(data)]


_chunks = _writer(_converted)
_plain_chunks = _writer(_refused)

"""Results of evaluations: value, variation and reason. Depends on ``_abi`` and ``_json``."""

from __future__ import annotations

import struct
from ctypes import c_char, string_at
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Generic, TypeVar

from . import _abi
from ._json import loads

__all__ = ["BigSegmentsStatus", "ErrorKind", "EvaluationDetail", "EvaluationReason", "ReasonKind"]

T = TypeVar("T")
V = TypeVar("V", covariant=True)


class ReasonKind(str, Enum):
    """Why a flag has the value it has."""

    OFF = "OFF"
    FALLTHROUGH = "FALLTHROUGH"
    TARGET_MATCH = "TARGET_MATCH"
    RULE_MATCH = "RULE_MATCH"
    PREREQUISITE_FAILED = "PREREQUISITE_FAILED"
    ERROR = "ERROR"
    #: A kind that this version of the package does not know.
    UNKNOWN = "UNKNOWN"


class ErrorKind(str, Enum):
    """Why a flag could not be evaluated."""

    #: There is nothing to answer from. Daemon mode: Redis has not been read yet; otherwise: the data source has not
    #: delivered yet, and Redis has no last known flags; in both: nor has a snapshot file. Also with the option ``offline``,
    #: and after ``close`` with ``cache_residency`` ``off``.
    CLIENT_NOT_READY = "CLIENT_NOT_READY"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    USER_NOT_SPECIFIED = "USER_NOT_SPECIFIED"
    MALFORMED_FLAG = "MALFORMED_FLAG"
    WRONG_TYPE = "WRONG_TYPE"
    EXCEPTION = "EXCEPTION"
    #: A kind that this version of the package does not know.
    UNKNOWN = "UNKNOWN"


class BigSegmentsStatus(str, Enum):
    """What became of the big segments that an evaluation consulted."""

    HEALTHY = "HEALTHY"
    STALE = "STALE"
    NOT_CONFIGURED = "NOT_CONFIGURED"
    STORE_ERROR = "STORE_ERROR"
    #: A status that this version of the package does not know.
    UNKNOWN = "UNKNOWN"


# By native code, without the UNKNOWN at the end.
_REASONS = tuple(ReasonKind)[:-1]
_ERRORS = (None, *ErrorKind)[:-1]
_BIG_SEGMENTS = (None, *BigSegmentsStatus)[:-1]


@dataclass(frozen=True)
class EvaluationReason:
    """Why a flag has the value it has. Members that do not apply are ``None`` (``in_experiment``: false)."""

    kind: ReasonKind
    #: With ``ERROR``.
    error_kind: ErrorKind | None = None
    #: With ``RULE_MATCH``: index of the rule, from 0.
    rule_index: int | None = None
    #: With ``RULE_MATCH``, when the rule has an id.
    rule_id: str | None = None
    #: With ``PREREQUISITE_FAILED``: key of the flag that was not as required.
    prerequisite_key: str | None = None
    #: The context takes part in an experiment on this flag.
    in_experiment: bool = False
    #: Set when a big segment was consulted.
    big_segments_status: BigSegmentsStatus | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that LaunchDarkly uses: ``{"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "…"}``."""
        form: dict[str, Any] = {"kind": self.kind.value}
        if self.error_kind is not None:
            form["errorKind"] = self.error_kind.value
        if self.rule_index is not None:
            form["ruleIndex"] = self.rule_index
        if self.rule_id is not None:
            form["ruleId"] = self.rule_id
        if self.prerequisite_key is not None:
            form["prerequisiteKey"] = self.prerequisite_key
        if self.in_experiment:
            form["inExperiment"] = True
        if self.big_segments_status is not None:
            form["bigSegmentsStatus"] = self.big_segments_status.value
        return form


@dataclass(frozen=True, init=False)
class EvaluationDetail(Generic[V]):
    """The result of an evaluation."""

    __slots__ = ("is_stale", "reason", "value", "variation_index")

    #: The flag's value, or the default.
    value: V
    #: Index of the variation, from 0; ``None`` when the default was returned.
    variation_index: int | None
    reason: EvaluationReason
    #: The flag is not known to be true; the last good data answered. Daemon mode: Redis cannot be reached, has not been
    #: read yet by this process, or has lost the data set. Otherwise: the data source has not delivered yet, or is not
    #: ``VALID``; with ``cache_residency`` ``lazy`` and ``off`` also as in daemon mode. In both: Redis holds newer content
    #: that does not parse, or the client is closed.
    is_stale: bool

    def __init__(self, value: V, variation_index: int | None, reason: EvaluationReason, is_stale: bool = False) -> None:
        _set_value(self, value)
        _set_variation_index(self, variation_index)
        _set_reason(self, reason)
        _set_is_stale(self, is_stale)

    @property
    def is_default(self) -> bool:
        """True when no variation was served."""
        return self.variation_index is None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.value, self.variation_index, self.reason, self.is_stale)


# A frozen object is filled through its slots: a result is made for each evaluation, and this is the cheapest way.
_set_value = EvaluationDetail.__dict__["value"].__set__
_set_variation_index = EvaluationDetail.__dict__["variation_index"].__set__
_set_reason = EvaluationDetail.__dict__["reason"].__set__
_set_is_stale = EvaluationDetail.__dict__["is_stale"].__set__


def failed(default: T, kind: ErrorKind) -> EvaluationDetail[T]:
    """The result of an evaluation that never reached the library."""
    return EvaluationDetail(default, None, EvaluationReason(ReasonKind.ERROR, kind))


# The members of flagstone_detail in their order, with native alignment; the small ones in one piece.
_layout = struct.Struct("@I28sdPNPNPNP")
_codes = struct.Struct("@5iIi")


def decode(detail: Any, default: Any) -> EvaluationDetail[Any]:
    """Copies everything out of the filled native detail, which may be cleared afterwards."""
    _, codes, number, text, text_len, rule, rule_len, required, required_len, _ = _layout.unpack_from(detail)
    value_type, reason, error_kind, variation, rule_index, flags, big_segments = _codes.unpack(codes)
    value = default if flags & _abi.DETAIL_DEFAULTED else _value(value_type, number, _read(text, text_len))
    in_experiment = flags & _abi.DETAIL_IN_EXPERIMENT != 0
    rule_id, required_key = _read(rule, rule_len), _read(required, required_len)
    why = _reason(reason, error_kind, rule_index, rule_id, required_key, in_experiment, big_segments)
    return EvaluationDetail(value, variation if variation >= 0 else None, why, flags & _abi.DETAIL_STALE != 0)


# ctypes keeps the type of each length for good; where there is one, it costs a third of ``string_at``.
_texts = tuple((c_char * size).from_address for size in range(256))


def _read(address: int, size: int) -> bytes:
    """A copy of borrowed text."""
    return _texts[size](address).raw if size < 256 else string_at(address, size)


# Reasons are immutable and few: most evaluations share one.
@lru_cache(maxsize=1024)
def _reason(
    kind: int, error_kind: int, rule: int, rule_id: bytes, prerequisite: bytes, in_experiment: bool, big_segments: int
) -> EvaluationReason:
    return EvaluationReason(
        _at(_REASONS, kind, ReasonKind.UNKNOWN),
        _at(_ERRORS, error_kind, ErrorKind.UNKNOWN),
        rule if rule >= 0 else None,
        rule_id.decode() or None,
        prerequisite.decode() or None,
        in_experiment,
        _at(_BIG_SEGMENTS, big_segments, BigSegmentsStatus.UNKNOWN),
    )


def _at(names: tuple[Any, ...], code: int, unknown: Any) -> Any:
    return names[code] if 0 <= code < len(names) else unknown


def _value(value_type: int, number: float, text: bytes) -> Any:
    if value_type == _abi.TYPE_BOOL:
        return number != 0.0
    if value_type == _abi.TYPE_STRING:
        return text.decode()
    if value_type == _abi.TYPE_NUMBER:
        return _number(number, text)
    return loads(text) if value_type == _abi.TYPE_JSON else None


def _number(number: float, text: bytes) -> int | float:
    """An int where the text has neither fraction nor exponent."""
    try:
        return int(text)
    except ValueError:  # a fraction, an exponent, or more digits than int() takes
        return number

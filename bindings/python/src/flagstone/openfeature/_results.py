"""Results of evaluations, from Flagstone's form to OpenFeature's. Depends on ``flagstone.detail``."""

from __future__ import annotations

from typing import Any, TypeVar, Union

from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason

from ..detail import ErrorKind, EvaluationDetail, ReasonKind

__all__ = ["Metadata", "resolution"]

T = TypeVar("T")
Metadata = dict[str, Union[bool, int, float, str]]

_REASONS = {
    ReasonKind.OFF: Reason.DISABLED,
    ReasonKind.TARGET_MATCH: Reason.TARGETING_MATCH,
    ReasonKind.ERROR: Reason.ERROR,
}
_ERRORS = {
    ErrorKind.CLIENT_NOT_READY: ErrorCode.PROVIDER_NOT_READY,
    ErrorKind.FLAG_NOT_FOUND: ErrorCode.FLAG_NOT_FOUND,
    ErrorKind.MALFORMED_FLAG: ErrorCode.PARSE_ERROR,
    ErrorKind.USER_NOT_SPECIFIED: ErrorCode.TARGETING_KEY_MISSING,
    ErrorKind.WRONG_TYPE: ErrorCode.TYPE_MISMATCH,
}


def resolution(detail: EvaluationDetail[Any], value: T, metadata: Metadata) -> FlagResolutionDetails[T]:
    """What OpenFeature tells of an evaluation.

    The variant is the index of the variation. The reason is ``STALE`` where the flag is not known to be true; what it
    would be otherwise is in the metadata then, as ``reason``.
    """
    reason = _REASONS.get(detail.reason.kind, detail.reason.kind.value)
    code = None
    if detail.reason.kind is ReasonKind.ERROR:
        code = _ERRORS.get(detail.reason.error_kind or ErrorKind.UNKNOWN, ErrorCode.GENERAL)
    elif detail.is_stale:
        metadata["reason"], reason = str(reason), Reason.STALE
    return FlagResolutionDetails(
        value=value,
        error_code=code,
        reason=reason,
        variant=None if detail.variation_index is None else str(detail.variation_index),
        flag_metadata={**metadata, **_metadata(detail)},
    )


def _metadata(detail: EvaluationDetail[Any]) -> Metadata:
    metadata: Metadata = {}
    reason = detail.reason
    if detail.variation_index is not None:
        metadata["variationIndex"] = detail.variation_index
    if reason.in_experiment:
        metadata["inExperiment"] = True
    if reason.rule_index is not None:
        metadata["ruleIndex"] = reason.rule_index
    if reason.rule_id is not None:
        metadata["ruleId"] = reason.rule_id
    if reason.prerequisite_key is not None:
        metadata["prerequisiteKey"] = reason.prerequisite_key
    if reason.big_segments_status is not None:
        metadata["bigSegmentsStatus"] = reason.big_segments_status.value
    if detail.is_stale:
        metadata["stale"] = True
    return metadata

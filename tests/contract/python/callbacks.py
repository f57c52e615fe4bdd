"""What calls the harness back in the middle of a command. Depends on the package alone."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from flagstone import (
    BigSegmentStore,
    EvaluationDetail,
    EvaluationSeriesContext,
    Hook,
    HookMetadata,
    TrackSeriesContext,
)


def posted_text(address: str, body: str) -> str:
    """Sends something and gives the answer; raises when that is an error."""
    place = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("POST", place.path, body.encode(), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if not 200 <= response.status < 300:
        raise OSError(f"the harness answered with the status {response.status}")
    return text


class PostingHook(Hook):
    """Tells the harness of every stage, or raises there, as it is told."""

    def __init__(self, name: str, address: str, data: Mapping[str, Any], errors: Mapping[str, Any]) -> None:
        self._name, self._address, self._data, self._errors = name, address, data, errors

    @property
    def metadata(self) -> HookMetadata:
        return HookMetadata(self._name)

    def before_evaluation(self, series_context: EvaluationSeriesContext, data: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._evaluated("beforeEvaluation", series_context, data, {})

    def after_evaluation(
        self, series_context: EvaluationSeriesContext, data: Mapping[str, Any], detail: EvaluationDetail[Any]
    ) -> Mapping[str, Any]:
        told = {"value": detail.value, "variationIndex": detail.variation_index, "reason": detail.reason.to_dict()}
        return self._evaluated("afterEvaluation", series_context, data, {"evaluationDetail": told})

    def after_track(self, series_context: TrackSeriesContext) -> None:
        series = {
            "key": series_context.key,
            "context": series_context.context.to_dict(),
            "data": series_context.data,
            "metricValue": series_context.metric_value,
            "environmentId": series_context.environment_id,
        }
        self._post("afterTrack", {"trackSeriesContext": series})

    def _evaluated(
        self, stage: str, series: EvaluationSeriesContext, data: Mapping[str, Any], more: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        told = {
            "flagKey": series.key,
            "context": series.context and series.context.to_dict(),
            "defaultValue": series.default_value,
            "method": series.method,
            "environmentId": series.environment_id,
        }
        self._post(stage, {"evaluationSeriesContext": told, "evaluationSeriesData": dict(data), **more})
        return {**data, **(self._data.get(stage) or {})}

    def _post(self, stage: str, message: Mapping[str, Any]) -> None:
        if self._errors.get(stage) is not None:
            raise RuntimeError(self._errors[stage])
        posted_text(self._address, json.dumps({"stage": stage, **message}, ensure_ascii=False))


class PostedStore(BigSegmentStore):
    """A big segment store that is in the harness."""

    def __init__(self, address: str) -> None:
        self._address = address

    def metadata(self) -> int | None:
        found: int | None = json.loads(posted_text(f"{self._address}/getMetadata", "{}"))["lastUpToDate"]
        return found

    def membership(self, context_hash: str) -> Mapping[str, bool] | None:
        question = json.dumps({"contextHash": context_hash})
        found: Mapping[str, bool] | None = json.loads(posted_text(f"{self._address}/getMembership", question)).get("values")
        return found

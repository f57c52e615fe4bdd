"""OpenTelemetry: each evaluation as an event, and the client's counters and gauges as metrics.

``pip install 'flagstone[otel]'``

>>> from flagstone import Client, Config
>>> from flagstone.otel import OpenTelemetryPlugin
>>> client = Client(Config(plugins=[OpenTelemetryPlugin()]))

Names are those of OpenTelemetry's semantic conventions for feature flags. Depends on ``client``, ``hooks`` and ``plugins``.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics
from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger_provider
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from ._lib import lib, require
from .client import Client
from .detail import ErrorKind, EvaluationDetail, ReasonKind
from .errors import ClosedError
from .hooks import EvaluationSeriesContext, Hook
from .plugins import EnvironmentMetadata, Plugin, PluginMetadata

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["EvaluationEventHook", "OpenTelemetryPlugin", "observe"]

_NAME = "flagstone"
_EVENT = "feature_flag.evaluation"
_REASONS = {
    ReasonKind.OFF: "disabled",
    ReasonKind.FALLTHROUGH: "default",
    ReasonKind.TARGET_MATCH: "targeting_match",
    ReasonKind.RULE_MATCH: "targeting_match",
    ReasonKind.ERROR: "error",
}
#: The words that OpenFeature's providers give, whatever flags they have.
_ERRORS = {
    ErrorKind.CLIENT_NOT_READY: "provider_not_ready",
    ErrorKind.FLAG_NOT_FOUND: "flag_not_found",
    ErrorKind.MALFORMED_FLAG: "parse_error",
    ErrorKind.USER_NOT_SPECIFIED: "targeting_key_missing",
    ErrorKind.WRONG_TYPE: "type_mismatch",
}


class EvaluationEventHook(Hook):
    """Writes an event ``feature_flag.evaluation`` for each evaluation, in the span that is current.

    The variant is the index of the variation. The reason is ``stale`` where the flag is not known to be true.

    :param logger_provider: where events go; ``None``: the program's.
    :param context_id: whether events tell the key of the context, which may say who somebody is.
    """

    def __init__(self, logger_provider: LoggerProvider | None = None, context_id: bool = False) -> None:
        provider = logger_provider if logger_provider is not None else get_logger_provider()
        self._logger = provider.get_logger(_NAME, lib.flagstone_version_string().decode())
        self._context_id = context_id
        self._client: Callable[[], Client | None] = _nobody

    def tells_versions_of(self, client: Client) -> None:
        """Events tell the version of the flag from now on, which the client knows."""
        self._client = weakref.ref(client)

    def after_evaluation(
        self, series_context: EvaluationSeriesContext, data: Mapping[str, Any], detail: EvaluationDetail[Any]
    ) -> Mapping[str, Any] | None:
        attributes: dict[str, Any] = {
            "feature_flag.key": str(series_context.key),
            "feature_flag.provider.name": _NAME,
            "feature_flag.result.reason": _reason(detail),
        }
        if detail.variation_index is not None:
            attributes["feature_flag.result.variant"] = str(detail.variation_index)
        if series_context.environment_id is not None:
            attributes["feature_flag.set.id"] = series_context.environment_id
        if self._context_id and series_context.context is not None:
            attributes["feature_flag.context.id"] = series_context.context.fully_qualified_key
        if detail.reason.kind is ReasonKind.ERROR:
            attributes["error.type"] = _ERRORS.get(detail.reason.error_kind or ErrorKind.UNKNOWN, "general")
        client = self._client()
        version = None if client is None else client.flag_version(series_context.key)
        if version is not None:
            attributes["feature_flag.version"] = str(version)
        self._logger.emit(
            timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, attributes=attributes, event_name=_EVENT
        )
        return data


class OpenTelemetryPlugin(Plugin):
    """Both, for a client that is made with it.

    :param events: whether each evaluation is an event. A counter for each flag and variation costs an evaluation nothing,
        an event costs it some microseconds.
    :param context_id: see :class:`EvaluationEventHook`.
    :param logger_provider: where events go; ``None``: the program's.
    :param meter_provider: where metrics go; ``None``: the program's.
    """

    def __init__(
        self,
        *,
        events: bool = True,
        context_id: bool = False,
        logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._hook = EvaluationEventHook(logger_provider, context_id) if events else None
        self._meter_provider = meter_provider

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata("flagstone.otel")

    def get_hooks(self, metadata: EnvironmentMetadata) -> list[Hook]:
        return [] if self._hook is None else [self._hook]

    def register(self, client: Client, metadata: EnvironmentMetadata) -> None:
        if self._hook is not None:
            self._hook.tells_versions_of(client)
        observe(client, self._meter_provider)


#: Names in OpenTelemetry, unit and the name in the metrics' text, of what only grows.
_COUNTERS = (
    ("feature_flag.evaluations", "{evaluation}", "flagstone_evaluations"),
    ("flagstone.evaluations.other", "{evaluation}", "flagstone_other_evaluations"),
    ("flagstone.redis.exchanges", "{exchange}", "flagstone_redis_exchanges"),
    ("flagstone.redis.received", "By", "flagstone_redis_received_bytes"),
    ("flagstone.redis.sent", "By", "flagstone_redis_sent_bytes"),
    ("flagstone.events.sent", "{event}", "flagstone_events_sent"),
    ("flagstone.events.lost", "{event}", "flagstone_events_lost"),
    ("flagstone.events.dropped", "{event}", "flagstone_events_dropped"),
    ("flagstone.notifications.dropped", "{notification}", "flagstone_notifications_dropped"),
    ("flagstone.panics", "{panic}", "flagstone_panics"),
)
#: The same of what goes up and down.
_GAUGES = (
    ("flagstone.client.ready", "1", "flagstone_client_ready"),
    ("flagstone.client.state", "1", "flagstone_client_state"),
    ("flagstone.source.state", "1", "flagstone_source_state"),
    ("flagstone.freshness", "1", "flagstone_freshness"),
    ("flagstone.data.age", "s", "flagstone_data_age_seconds"),
    ("flagstone.flags", "{flag}", "flagstone_flags"),
    ("flagstone.segments", "{segment}", "flagstone_segments"),
    ("flagstone.items.malformed", "{item}", "flagstone_malformed_items"),
    ("flagstone.store.available", "1", "flagstone_store_available"),
    ("flagstone.store.stale", "1", "flagstone_store_stale"),
    ("flagstone.events.waiting", "{event}", "flagstone_events_waiting"),
)
_ATTRIBUTES = {"flag": "feature_flag.key", "variation": "feature_flag.result.variant"}


def observe(
    client: Client, meter_provider: MeterProvider | None = None, attributes: Mapping[str, str] | None = None
) -> None:
    """Has OpenTelemetry read the client's counters and gauges whenever it collects. It keeps no client alive.

    :param meter_provider: where metrics go; ``None``: the program's.
    :param attributes: further attributes of each, where there are several clients.
    :raises FlagstoneError: with a native library that is too old.
    """
    require("flagstone_client_metrics_text")
    page = _Page(client, dict(attributes or {}))
    meter: Meter = metrics.get_meter(_NAME, lib.flagstone_version_string().decode(), meter_provider)
    for name, unit, source in _COUNTERS:
        meter.create_observable_counter(name, [page.reader(source)], unit)
    for name, unit, source in _GAUGES:
        meter.create_observable_gauge(name, [page.reader(source)], unit)


class _Page:
    """The metrics' text, read once for all instruments of one collection, which are asked one after the other: one that is
    asked again belongs to the next."""

    #: How long a text is good for at most, in seconds.
    _KEPT = 5.0

    def __init__(self, client: Client, attributes: dict[str, str]) -> None:
        self._client, self._attributes = weakref.ref(client), attributes
        #: When it was read, what it said, and what has been asked of it.
        self._read: tuple[float, dict[str, Metric], set[str]] = (-math.inf, {}, set())

    def reader(self, source: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def read(_: CallbackOptions) -> Iterator[Observation]:
            family = self._families(source).get(source)
            for sample in () if family is None else family.samples:
                attributes = {_ATTRIBUTES.get(name, name): value for name, value in sample.labels.items()}
                yield Observation(sample.value, {**attributes, **self._attributes})

        return read

    def _families(self, source: str) -> dict[str, Metric]:
        from prometheus_client.parser import text_string_to_metric_families

        read_at, families, asked = self._read
        if source in asked or time.monotonic() - read_at > self._KEPT:
            client = self._client()
            try:
                text = "" if client is None else client.metrics_text()
            except ClosedError:
                text = ""
            families, asked = {family.name: family for family in text_string_to_metric_families(text)}, set()
            # From when it is there: with many flags it takes its time.
            self._read = (time.monotonic(), families, asked)
        asked.add(source)
        return families


def _reason(detail: EvaluationDetail[Any]) -> str:
    if detail.reason.kind is ReasonKind.ERROR:
        return "error"
    if detail.is_stale:
        return "stale"
    if detail.reason.in_experiment:
        return "split"
    known = _REASONS.get(detail.reason.kind)
    return detail.reason.kind.name.lower() if known is None else known


def _nobody() -> Client | None:
    return None

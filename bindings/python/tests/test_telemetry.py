"""Metrics for Prometheus and OpenTelemetry, and evaluations as events."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
pytest.importorskip("prometheus_client", reason="the extra prometheus is not installed")

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from flagstone import (
    Client,
    Config,
    Context,
    ErrorKind,
    EvaluationDetail,
    EvaluationReason,
    EvaluationSeriesContext,
    FlagstoneError,
    ReasonKind,
    SourceErrorKind,
    State,
    TestData,
    _lib,
)
from flagstone._reporting import ReportCalls
from flagstone.otel import EvaluationEventHook, OpenTelemetryPlugin, observe
from flagstone.prometheus import Collector
from support import ENVIRONMENT, PATIENCE, SDK_KEY, Environment, LaunchDarkly, bool_flag, until, value_flag

ADA = Context("ada")


def data_of(**flags: list[Any]) -> TestData:
    data = TestData()
    for key, values in flags.items():
        data.set_flag(value_flag(key, 3, *values))
    return data


def counting(data: TestData, **options: Any) -> Client:
    client = Client(Config(test_data=data, metrics_evaluations=True, **options))
    assert client.start()
    return client


def test_the_metrics_text_counts_evaluations_of_every_kind_of_call() -> None:
    with counting(data_of(yes=[True], text=["t"])) as client:
        prepared = client.flag("yes", False)
        client.bool_variation("yes", ADA, False)
        client.bool_variation_detail("yes", ADA, False)
        prepared.value(ADA)
        client.variation_many(["yes", "text"], ADA)
        client.variation("text", ADA, "")
        client.variation("unknown", ADA, "")
        text = client.metrics_text()
        for flag, variation, count in (("yes", "0", 4), ("text", "0", 2), ("unknown", "default", 1)):
            assert f'flagstone_evaluations_total{{flag="{flag}",variation="{variation}"}} {count}\n' in text
        assert client.flag_version("yes") == 3
        assert client.flag_version("unknown") is None and client.flag_version("\ud800") is None


def test_prometheus_scrapes_a_client_until_it_is_closed_and_gone() -> None:
    registry = CollectorRegistry()
    client = counting(data_of(yes=[True]))
    registry.register(Collector(client, {"environment": "test"}))
    client.bool_variation("yes", ADA, False)
    page = generate_latest(registry).decode()
    assert 'flagstone_evaluations_total{environment="test",flag="yes",variation="0"} 1.0' in page
    assert 'flagstone_client_state{environment="test",state="VALID"} 1.0' in page
    client.close()
    assert generate_latest(registry) == b""
    del client
    gc.collect()
    assert generate_latest(registry) == b""


def collected(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], float]]]:
    data = reader.get_metrics_data()
    found: dict[str, list[tuple[dict[str, Any], float]]] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points: Any = metric.data.data_points
                found[metric.name] = [(dict(point.attributes), point.value) for point in points]
    return found


def test_opentelemetry_collects_counters_and_gauges() -> None:
    reader = InMemoryMetricReader()
    plugin = OpenTelemetryPlugin(events=False, meter_provider=MeterProvider([reader]))
    with counting(data_of(yes=[True], text=["t"]), plugins=[plugin]) as client:
        client.bool_variation("yes", ADA, False)
        client.bool_variation("yes", ADA, False)
        metrics = collected(reader)
    assert metrics["feature_flag.evaluations"] == [({"feature_flag.key": "yes", "feature_flag.result.variant": "0"}, 2)]
    assert metrics["flagstone.flags"] == [({}, 2)]
    assert metrics["flagstone.evaluations.other"] == metrics["flagstone.panics"] == [({}, 0)]
    assert ({"state": "VALID"}, 1) in metrics["flagstone.client.state"]
    assert "flagstone.redis.received" not in metrics, "there is no Redis"


def test_opentelemetry_tells_the_rung_and_how_source_and_store_stand(own: Environment) -> None:
    def told(name: str) -> dict[Any, float]:
        return {attributes.get("state", attributes.get("rung")): value for attributes, value in collected(reader)[name]}

    reader, source = InMemoryMetricReader(), InMemoryMetricReader()
    own.write(yes=value_flag("yes", 1, True))
    plugin = OpenTelemetryPlugin(events=False, meter_provider=MeterProvider([reader]))
    own.client(plugins=[plugin], refresh_interval_ms=500)
    assert until(lambda: told("flagstone.freshness") == {"starting": 0, "push": 1, "ttl": 0, "forever": 0})
    assert (told("flagstone.store.available"), told("flagstone.store.stale")) == ({None: 1}, {None: 0})
    assert 0 <= told("flagstone.data.age")[None] < PATIENCE
    assert told("flagstone.notifications.dropped") == {None: 0} and told("flagstone.redis.received")[None] > 100
    assert "flagstone.source.state" not in collected(reader), "it is Redis"
    own.server.stop()
    assert until(lambda: told("flagstone.store.available") == {None: 0} and told("flagstone.store.stale") == {None: 1})
    assert until(lambda: told("flagstone.freshness")["push"] == 0)
    data = data_of(yes=[True])
    with Client(Config(test_data=data, plugins=[OpenTelemetryPlugin(meter_provider=MeterProvider([source]))])) as client:
        data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
        assert until(lambda: client.state is State.INTERRUPTED)
        states = {attributes["state"]: value for attributes, value in collected(source)["flagstone.source.state"]}
        assert {state for state, value in states.items() if value} == {"INTERRUPTED"} and len(states) == 5


def test_a_collection_reads_the_metrics_once_however_long_that_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    read, reads = ReportCalls.metrics_text, []

    def slowly(client: Any) -> str:
        reads.append(client)
        time.sleep(0.06)
        return read(client)

    reader = InMemoryMetricReader()
    with counting(data_of(yes=[True])) as client:
        observe(client, MeterProvider([reader]))
        monkeypatch.setattr(ReportCalls, "metrics_text", slowly)
        assert collected(reader)["flagstone.flags"] == [({}, 1)]
        assert len(reads) == 1
        client.bool_variation("yes", ADA, False)
        assert collected(reader)["feature_flag.evaluations"][0][1] == 1
        assert len(reads) == 2


def test_with_an_older_library_events_have_no_version_and_whoever_wants_metrics_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("flagstone_client_flag_version", "flagstone_client_metrics_text"):
        monkeypatch.setattr(_lib.lib, name, _lib._lacking("the library is too old"))
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    reader = InMemoryMetricReader()
    plugin = OpenTelemetryPlugin(logger_provider=provider, meter_provider=MeterProvider([reader]))
    with Client(Config(test_data=data_of(yes=[True]), plugins=[plugin])) as client:
        assert "the library is too old" in caplog.text, "the plugin"
        caplog.clear()
        assert client.bool_variation("yes", ADA, False) is True
        (log,) = exporter.get_finished_logs()
        attributes = dict(log.log_record.attributes or {})
        assert attributes["feature_flag.key"] == "yes" and "feature_flag.version" not in attributes
        assert collected(reader) == {}
        with pytest.raises(FlagstoneError, match="too old"):
            Collector(client)
    assert caplog.text == ""


def test_each_evaluation_is_an_event_with_the_attributes_of_the_conventions() -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    plugin = OpenTelemetryPlugin(context_id=True, logger_provider=provider, meter_provider=MeterProvider())
    data = data_of(yes=[True])
    with Client(Config(test_data=data, plugins=[plugin])) as client:
        client.bool_variation("yes", ADA, False)
        client.variation("unknown", ADA, "")
        data.set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "away")
        assert until(lambda: client.state is State.INTERRUPTED)
        client.bool_variation("yes", ADA, False)
    records = [log.log_record for log in exporter.get_finished_logs()]
    assert [record.event_name for record in records] == ["feature_flag.evaluation"] * 3
    told = [dict(record.attributes or {}) for record in records]
    common = {"feature_flag.provider.name": "flagstone", "feature_flag.context.id": "ada"}
    served = {"feature_flag.key": "yes", "feature_flag.result.variant": "0", "feature_flag.version": "3"}
    assert told == [
        {**common, **served, "feature_flag.result.reason": "default"},
        {
            **common,
            "feature_flag.key": "unknown",
            "feature_flag.result.reason": "error",
            "error.type": "flag_not_found",
        },
        {**common, **served, "feature_flag.result.reason": "stale"},
    ]


@pytest.mark.parametrize("kind", ErrorKind)
def test_errors_have_the_words_of_openfeature(kind: ErrorKind) -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    hook = EvaluationEventHook(provider)
    detail = EvaluationDetail(None, None, EvaluationReason(ReasonKind.ERROR, error_kind=kind))
    hook.after_evaluation(EvaluationSeriesContext("a", ADA, None, "variation"), {}, detail)
    (log,) = exporter.get_finished_logs()
    words = {
        "CLIENT_NOT_READY": "provider_not_ready",
        "FLAG_NOT_FOUND": "flag_not_found",
        "MALFORMED_FLAG": "parse_error",
        "USER_NOT_SPECIFIED": "targeting_key_missing",
        "WRONG_TYPE": "type_mismatch",
    }
    assert dict(log.log_record.attributes or {})["error.type"] == words.get(kind.value, "general")


def test_the_context_is_told_only_if_that_is_wanted() -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    plugin = OpenTelemetryPlugin(logger_provider=provider, meter_provider=MeterProvider())
    with Client(Config(test_data=data_of(yes=[True]), plugins=[plugin])) as client:
        client.bool_variation("yes", ADA, False)
    (log,) = exporter.get_finished_logs()
    assert "feature_flag.context.id" not in dict(log.log_record.attributes or {})


def test_the_environment_is_the_flag_set_where_a_server_has_named_it(launchdarkly: Callable[..., LaunchDarkly]) -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    fake = launchdarkly(bool_flag("yes", 1, True))
    source: dict[str, Any] = {"source_kind": "stream", "sdk_key": SDK_KEY, "endpoints_relay": fake.url}
    plugin = OpenTelemetryPlugin(logger_provider=provider, meter_provider=MeterProvider())
    client = Client(Config(plugins=[plugin], events_enabled=False, **source))
    client.bool_variation("yes", ADA, False)
    assert client.start(PATIENCE)
    client.bool_variation("yes", ADA, False)
    assert client.close(PATIENCE)
    told = [dict(log.log_record.attributes or {}) for log in exporter.get_finished_logs()]
    assert [attributes.get("feature_flag.set.id") for attributes in told] == [None, ENVIRONMENT]

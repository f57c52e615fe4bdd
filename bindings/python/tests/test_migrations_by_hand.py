"""Operations of migrations that a program measures by hand, and what makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from test_migrations import ADA, NEW, OLD, data, measured, operations

from flagstone import (
    AsyncMigratorBuilder,
    Client,
    Config,
    InvalidArgumentError,
    MigratorBuilder,
    Operation,
    OpTracker,
    Stage,
)
from sink import Sink


@pytest.fixture
def client(sink: Sink) -> Iterator[Client]:
    with Client(Config(test_data=data(), **sink.options())) as client:
        yield client


def test_an_operation_may_be_measured_by_hand(client: Client, sink: Sink) -> None:
    stage, tracker = client.migration_variation("live", ADA, Stage.OFF)
    assert stage == "live"
    assert tracker.operation(Operation.WRITE).invoked(OLD).invoked(NEW) is tracker
    tracker.latency(OLD, timedelta(milliseconds=250)).latency(NEW, 0.5).error(NEW).consistent(lambda: True)
    client.track_migration_op(tracker)
    (event,) = operations(client, sink)
    assert measured(event)["error"] == {"new": True}
    assert next(each for each in event["measurements"] if each["key"] == "latency_ms")["values"] == {"old": 250, "new": 500}


def test_what_cannot_be_told_is_logged_once_of_each_kind(
    client: Client, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    def tracker(key: str = "live", context: Any = ADA) -> OpTracker:
        return client.migration_variation(key, context, Stage.OFF)[1]

    told = tracker().operation(Operation.READ).invoked(NEW)
    refused: list[Any] = [
        tracker().invoked(OLD),
        tracker().operation(Operation.READ),
        tracker().operation(Operation.READ).invoked(OLD).error(NEW),
        tracker().operation(Operation.READ).invoked(OLD).latency(NEW, 1),
        tracker(context=None).operation(Operation.READ).invoked(OLD),
        tracker("").operation(Operation.READ).invoked(OLD),
        None,
        mock.MagicMock(),
    ]
    caplog.clear()
    for each in refused * 2:
        client.track_migration_op(each)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(set(lines)) == len(refused)
    assert all(line.startswith("track_migration_op told nothing: ") for line in lines)
    client.track_migration_op(told)
    client.track_migration_op(told)
    assert len(operations(client, sink)) == 1
    with pytest.raises(InvalidArgumentError):
        told.invoked(OLD)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda tracker: tracker.operation("delete"),
        lambda tracker: tracker.operation(None),
        lambda tracker: tracker.invoked(3),
        lambda tracker: tracker.error([]),
        lambda tracker: tracker.latency(OLD, "soon"),
        lambda tracker: tracker.latency(OLD, -1),
        lambda tracker: tracker.latency(OLD, float("nan")),
        lambda tracker: tracker.latency("older", 1),
    ],
)
def test_a_measurement_that_is_none_is_refused(client: Client, wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        wrong(client.migration_variation("live", ADA, Stage.OFF)[1])


@pytest.mark.parametrize("builder", [MigratorBuilder, AsyncMigratorBuilder])
def test_a_builder_refuses_what_makes_no_migrator(client: Client, builder: Any) -> None:
    wrong: list[Any] = [
        lambda made: made.build(),
        lambda made: made.read(print, print).build(),
        lambda made: made.write(print, print).build(),
        lambda made: made.read(None, print),
        lambda made: made.read(print, print, 3),
        lambda made: made.write(print, "write"),
        lambda made: made.read_execution_order("sideways"),
        lambda made: made.timeout(0),
        lambda made: made.timeout(float("nan")),
        lambda made: made.timeout("soon"),
    ]
    for call in wrong:
        with pytest.raises(InvalidArgumentError):
            call(builder(client))

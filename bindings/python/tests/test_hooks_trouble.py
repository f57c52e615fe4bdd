"""What hooks do wrong: it is logged, and touches no evaluation."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import Any
from unittest import mock

import pytest
from test_hooks import ADA, Noted, client

from flagstone import EvaluationSeriesContext, Hook, HookMetadata


class Raising(Hook):
    """Raises in the stages that it is told."""

    def __init__(self, *stages: str, error: type[BaseException] = RuntimeError) -> None:
        self.stages, self.error = stages, error

    def _maybe(self, stage: str) -> None:
        if stage in self.stages:
            raise self.error("on purpose")

    def before_evaluation(self, series_context: Any, data: Any) -> Any:
        self._maybe("before_evaluation")
        return {"kept": True}

    def after_evaluation(self, series_context: Any, data: Any, detail: Any) -> Any:
        self.given = data
        self._maybe("after_evaluation")

    def after_track(self, series_context: Any) -> None:
        self._maybe("after_track")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage() for record in caplog.records if record.name == "flagstone" and record.levelno == logging.ERROR
    ]


def test_what_a_hook_raises_is_logged_with_stage_hook_and_flag_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raising, other = Raising("before_evaluation", "after_evaluation", "after_track"), Noted()
    with client(raising, other) as asked:
        assert asked.variation("yes", ADA, False) is True
        assert asked.flag("text", "").value(ADA) == "t"
        assert asked.variation_many(["yes"], ADA)["yes"].value is True
        asked.track("bought", ADA)
    assert len(other.series()) == 3 and other.calls[-1][0] == "track"
    assert raising.given == {}
    stages = [f"{stage}_evaluation of the hook Raising failed for the flag '{{}}'" for stage in ("before", "after")]
    assert errors(caplog) == [
        *(text.format(key) for key in ("yes", "text", "yes") for text in stages),
        "after_track of the hook Raising failed for the event 'bought'",
    ]
    assert all(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


def test_a_stage_that_cannot_even_be_looked_up_is_logged_as_one_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Hook):
        def __getattribute__(self, name: str) -> Any:
            return (
                1 / 0
                if name in ("before_evaluation", "after_evaluation", "after_track")
                else super().__getattribute__(name)
            )

    with client(Odd()) as asked:
        assert asked.variation("yes", ADA, False) is True
        asked.track("bought", ADA)
    assert [line.partition(" ")[0] for line in errors(caplog)] == ["before_evaluation", "after_evaluation", "after_track"]


@pytest.mark.parametrize("returned", [None, 3, [1], "text"], ids=repr)
def test_data_that_is_no_mapping_is_not_handed_on(returned: Any, caplog: pytest.LogCaptureFixture) -> None:
    hook = Raising()
    with client(hook) as asked, mock.patch.object(Raising, "before_evaluation", lambda *_: returned):
        assert asked.variation("yes", ADA, False) is True
    assert hook.given == {}
    assert len(errors(caplog)) == (0 if returned is None else 1)


def test_data_cannot_be_changed_and_are_a_copy() -> None:
    given: dict[str, Any] = {"a": 1}
    seen: list[Any] = []

    class Keeps(Hook):
        def before_evaluation(self, series_context: Any, data: Any) -> Any:
            seen.append(data)
            return given

        def after_evaluation(self, series_context: Any, data: Any, detail: Any) -> Any:
            seen.append(data)
            given["b"] = 2

    with client(Keeps()) as asked:
        asked.variation("yes", ADA, False)
    assert [type(data) for data in seen] == [MappingProxyType] * 2
    assert given == {"a": 1, "b": 2} and seen[1] == {"a": 1}
    with pytest.raises(AttributeError):
        EvaluationSeriesContext("k", None, 1, "m").key = "other"  # type: ignore[misc]


def test_what_is_no_exception_of_the_hook_reaches_the_caller() -> None:
    with client(Raising("before_evaluation", error=KeyboardInterrupt)) as asked:
        with pytest.raises(KeyboardInterrupt):
            asked.variation("yes", ADA, False)
        with pytest.raises(KeyboardInterrupt):  # and the next ones, too: the thread is in no hook any more
            asked.variation("yes", ADA, False)


def test_a_hook_that_does_not_tell_its_name_is_named_by_its_class(caplog: pytest.LogCaptureFixture) -> None:
    class Nameless(Raising):
        @property
        def metadata(self) -> HookMetadata:
            raise RuntimeError("on purpose")

    with client(Nameless("before_evaluation")) as asked:
        assert asked.variation("yes", ADA, False) is True
    assert [line.rpartition(" failed")[0] for line in errors(caplog)] == ["", "before_evaluation of the hook Nameless"]

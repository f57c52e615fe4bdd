"""Handlers and filters of the program that raise: a line of the log that cannot be written changes nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from flagstone import Context, ErrorKind, FlagChange, Hook
from support import Environment, bool_flag, until

ADA = Context("ada")


class Failing(logging.Filter):
    """What a program has done to its log; counts the lines."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error, self.lines = error, 0

    def filter(self, record: logging.LogRecord) -> bool:
        self.lines += 1
        raise self.error


@pytest.fixture
def failing(request: pytest.FixtureRequest) -> Iterator[Failing]:
    log, failing = logging.getLogger("flagstone"), Failing(request.param)
    log.addFilter(failing)
    yield failing
    log.removeFilter(failing)


class Broken(Hook):
    def before_evaluation(self, series_context: Any, data: Any) -> Any:
        raise ValueError("broken")


@pytest.mark.parametrize("failing", [RuntimeError("no log")], indirect=True)
def test_no_call_raises_what_a_handler_raises(environment: Environment, failing: Failing) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    client = environment.client()
    nobody: Any = object()
    before = failing.lines
    assert client.variation("yes", nobody, False) is False
    assert client.variation_detail(nobody, ADA, False).reason.error_kind is ErrorKind.FLAG_NOT_FOUND
    assert client.flag("yes", False).value(nobody) is False
    assert client.variation_many(nobody, ADA) == {}
    assert client.all_flags_state(nobody).valid is False
    client.identify(nobody)
    client.track("bought", ADA, nobody)
    assert failing.lines - before >= 5
    client.add_hook(Broken())
    before = failing.lines
    assert client.variation("yes", ADA, False) is True
    assert failing.lines == before + 1


@pytest.mark.parametrize("failing", [RuntimeError("no log"), SystemExit(3)], indirect=True)
def test_a_handler_that_raises_does_not_end_notifications(environment: Environment, failing: Failing) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    client = environment.client()
    heard: list[FlagChange] = []
    client.add_flag_change_listener(lambda change: 1 / 0)
    client.add_flag_change_listener(heard.append)
    for version in (2, 3):
        before = failing.lines
        environment.write(yes=bool_flag("yes", version, True))
        assert until(lambda: FlagChange("yes", version - 1, version) in heard)  # noqa: B023
        assert failing.lines > before


@pytest.mark.parametrize("failing", [RuntimeError("no log")], indirect=True)
def test_what_a_handler_raises_is_shown_as_logging_shows_it(
    environment: Environment, failing: Failing, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = environment.client()
    nobody: Any = object()
    assert client.variation("yes", None, False) is False
    assert "RuntimeError: no log" in capsys.readouterr().err
    monkeypatch.setattr(logging, "raiseExceptions", False)
    assert client.variation(nobody, ADA, False) is False
    assert "no log" not in capsys.readouterr().err


def test_a_line_names_who_has_logged_it(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    client = environment.client()
    assert client.variation("yes", None, False) is False
    assert [record.filename for record in caplog.records if "gave the default" in record.getMessage()] == ["client.py"]

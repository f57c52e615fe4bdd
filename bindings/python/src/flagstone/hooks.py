"""Hooks: a program's own code before and after every evaluation, and after what it tracks. Depends on ``context`` and
``detail``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .context import Context
from .detail import EvaluationDetail

__all__ = ["EvaluationSeriesContext", "Hook", "HookMetadata", "TrackSeriesContext"]


@dataclass(frozen=True)
class HookMetadata:
    """What a hook says of itself."""

    #: In the log, where the hook raises something.
    name: str


@dataclass(frozen=True)
class EvaluationSeriesContext:
    """An evaluation that hooks hear of. Members are what the caller gave, whatever that was."""

    #: Key of the flag.
    key: str
    context: Context | None
    default_value: Any
    #: Name of the call: ``variation``, ``bool_variation_detail``, ``variation_many``, ``migration_variation``,
    #: ``Flag.value`` …
    method: str
    #: The environment that a server named; ``None`` if none did.
    environment_id: str | None = None


@dataclass(frozen=True)
class TrackSeriesContext:
    """What was tracked."""

    #: Name of the event.
    key: str
    context: Context
    data: Any = None
    metric_value: float | None = None
    #: The environment that a server named; ``None`` if none did.
    environment_id: str | None = None


class Hook:
    """Is called around each evaluation of a client that was given it (:class:`Config`, :meth:`Client.add_hook`), on the
    thread that evaluates. To be made a class from; what is not overridden does nothing.

    Every form of evaluation counts: with and without reasons, typed, prepared, in coroutines, migrations, and each flag of
    ``variation_many``; also where there is only the default to give. Not: ``all_flags_state``, prerequisites,
    :meth:`Client.add_flag_value_change_listener`, and what a hook itself evaluates with the same client.

    The evaluation is what it would be without hooks, whatever they do. An ``Exception`` of theirs is logged with flag,
    stage and hook; what is none, such as ``KeyboardInterrupt``, is not theirs and goes on to the caller.
    """

    @property
    def metadata(self) -> HookMetadata:
        """Asked for once, when the client is given the hook."""
        return HookMetadata(type(self).__name__)

    def before_evaluation(
        self, series_context: EvaluationSeriesContext, data: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Before a flag is evaluated; hooks are called in the order in which the client was given them.

        :param data: empty; cannot be changed.
        :returns: what this hook is given after the evaluation; ``None``: nothing else than it was given.
        """
        return data

    def after_evaluation(
        self, series_context: EvaluationSeriesContext, data: Mapping[str, Any], detail: EvaluationDetail[Any]
    ) -> Mapping[str, Any] | None:
        """After a flag was evaluated; hooks are called in the opposite order.

        :param data: what this hook has returned before; cannot be changed.
        :param detail: what the caller gets, with the reason even if they asked for the value alone.
        :returns: nothing that is looked at.
        """
        return data

    def after_track(self, series_context: TrackSeriesContext) -> None:
        """After :meth:`Client.track` has taken an event; hooks are called in the order in which the client was given them.
        Not called for what it refuses to tell. Also where no events are sent."""

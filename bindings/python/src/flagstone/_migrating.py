"""The client's part of migrations. Depends on ``migrations``, ``_fast``, ``_handles``, ``_telling`` and ``context``."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import Any

from . import _fast
from ._fast import MigrationHandle
from ._handles import client_of, handle_of
from ._lib import lib
from ._telling import told, untold
from .context import Context
from .detail import EvaluationDetail
from .migrations import STAGES, OpTracker, Stage, stage_of


class MigrationCalls:
    """What :class:`Client` has for migrations."""

    __slots__ = ()

    def migration_variation(self, key: str, context: Context | None, default_stage: Stage) -> tuple[Stage, OpTracker]:
        """The stage that a migration flag has for ``context``, and what to measure the operation by; ``default_stage`` on
        any problem, also where the flag's value is no stage. Never raises.

        :class:`MigratorBuilder` makes what does the rest.
        """
        client = client_of(self)
        stage = stage_of(default_stage)
        if stage is None:
            client._tell_once(
                f"migration_variation: a default_stage of type {type(default_stage).__name__} was taken as off"
            )
        detail, tracker = client._migration(key, context, stage or Stage.OFF)
        return detail.value, tracker

    def track_migration_op(self, tracker: OpTracker) -> None:
        """Tells LaunchDarkly of an operation. Queued; does not wait.

        Never raises: without operation or called system, for measurements of a system that was not called, for what is no
        context, and after :meth:`Client.close`, nothing is told, and the log says so, once of each kind.
        """
        client, error = client_of(self), c_void_p()
        client._awake()
        native = handle_of(tracker, OpTracker)
        if native is None:
            untold(client, "track_migration_op", f"an OpTracker is needed, not {type(tracker).__name__}")
            return
        status = lib.flagstone_migration_track(client._h, native, byref(error))
        told(client, "track_migration_op", status, error)

    def _migration(self, key: Any, context: Any, default: Stage) -> tuple[EvaluationDetail[Stage], OpTracker]:
        client = client_of(self)
        client._awake()
        raw = _raw(key)
        # Nothing is told of a flag without a key, as nothing is without a context.
        native = None if raw is None else handle_of(context, Context)
        buffer, handle, error = _fast.take(), MigrationHandle(), c_void_p()
        call = lib.flagstone_migration_variation
        code = STAGES.index(default)
        call(client._h, native, raw or b"", len(raw or b""), code, byref(buffer.detail), byref(handle), byref(error))
        lib.flagstone_error_free(error)
        if native is None:
            return client._refuse(key, context, default), OpTracker(handle, default)
        found = _fast.result(buffer, default)
        stage = Stage(found.value)
        return EvaluationDetail(stage, found.variation_index, found.reason, found.is_stale), OpTracker(handle, stage)


def _raw(key: Any) -> bytes | None:
    try:
        return str.encode(key)
    except (TypeError, UnicodeEncodeError):
        return None

"""The provider: OpenFeature's calls on a Flagstone client. Depends on ``flagstone.client``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Union

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, ProviderStatus
from openfeature.provider.metadata import Metadata as ProviderMetadata

from .._environment import environment_id
from .._log import Log
from ..client import Client
from ..config import Config
from ..detail import EvaluationDetail
from ..errors import ClosedError
from ..status import FlagChange, State, StatusChange
from ._context import context_of
from ._initial import FirstWord
from ._results import Metadata, resolution

if TYPE_CHECKING:
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagValueType
    from openfeature.provider import FeatureProvider
    from openfeature.track import TrackingEventDetails

    Structure = Union[Sequence[FlagValueType], Mapping[str, FlagValueType]]

__all__ = ["FlagstoneProvider"]

logger = Log("flagstone.openfeature")

_NAME = "flagstone"
#: Released SDKs say READY themselves when ``initialize`` has ended, and ERROR when it has raised.
_SDK_TELLS_INITIAL_STATE = True


class FlagstoneProvider(AbstractProvider):
    """Evaluates OpenFeature's flags with Flagstone.

    Made of a :class:`flagstone.Config`, it has a client of its own, which ends with it: after :meth:`shutdown` a new
    provider is needed. Made of a :class:`flagstone.Client`, it leaves that to its owner.

    READY: the flags are known to be true. STALE: Redis or LaunchDarkly is away, the last known flags answer. ERROR: nothing
    could be read within ``start_timeout``, which heals by itself, or the data source has failed for good; evaluation goes
    on with what is held in both.

    :param start_timeout: how long ``initialize`` waits, in seconds.
    """

    def __init__(self, source: Config | Client, start_timeout: float = 5.0) -> None:
        super().__init__()
        self._owns = not isinstance(source, Client)
        self._client = source if isinstance(source, Client) else Client(source)
        self._start_timeout = start_timeout
        self._lock = threading.Lock()
        self._told: State | None = None
        self._last: StatusChange | None = None
        self._is_ready = self._is_heard = self._is_shut = self._is_telling = False
        self._registry: Any = None
        self._first_word = FirstWord(_NAME, self._has_status, self._put_right)

    @property
    def client(self) -> Client:
        """The client behind it, for what OpenFeature has no words for."""
        return self._client

    # Lifecycle

    def attach(self, on_emit: Callable[[FeatureProvider, ProviderEvent, ProviderEventDetails], None]) -> None:
        """Called by the SDK when the provider is set, before it initializes."""
        with self._lock:
            # Not in initialize, which may begin after the provider was replaced.
            self._is_shut = self._is_shut and self._owns
            self._registry = getattr(on_emit, "__self__", None)
        super().attach(on_emit)

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Starts the client and waits until there are flags.

        :raises ProviderNotReadyError: when there were none in time. The client goes on trying; READY follows.
        """
        is_ready = self._client.start(self._start_timeout)
        with self._lock:
            # The SDK tells that state itself.
            self._is_ready = is_ready
            self._told = State.VALID if is_ready and _SDK_TELLS_INITIAL_STATE else None
            listens, self._is_heard = not self._is_heard and not self._is_shut, True
        if listens:
            self._client.add_status_listener(self._on_status)
            self._client.add_flag_change_listener(self._on_flag_change)
        if _SDK_TELLS_INITIAL_STATE:
            self._first_word.wait_for(ProviderEvent.PROVIDER_READY if is_ready else ProviderEvent.PROVIDER_ERROR)
            with self._lock:
                is_shut = self._is_shut
            if is_shut:
                # Replaced meanwhile: nothing is said of it.
                self._first_word.forget()
        if not is_ready:
            raise ProviderNotReadyError(f"no flags within {self._start_timeout:g} s: {_why(self._client)}")

    def shutdown(self) -> None:
        """Ends the provider's own client. May be called again."""
        with self._lock:
            was_heard, self._is_heard = self._is_heard, False
            is_first, self._is_shut = not self._is_shut, True
        self._first_word.forget()
        if was_heard:
            self._client.remove_status_listener(self._on_status)
            try:
                self._client.remove_flag_change_listener(self._on_flag_change)
            except ClosedError:
                pass
        if is_first and self._owns:
            self._client.close()

    def get_metadata(self) -> ProviderMetadata:
        return ProviderMetadata(name=_NAME)

    # Events

    def _on_status(self, change: StatusChange) -> None:
        with self._lock:
            self._last = change
        self._tell()

    def _has_status(self) -> bool:
        """Whether the SDK has said something of this provider, as far as is known."""
        status = getattr(self._registry, "get_provider_status", None)
        return status is None or status(self) is not ProviderStatus.NOT_READY

    def _put_right(self) -> None:
        """Tells the state where the SDK has said another one."""
        if (self._client.state == State.VALID) != self._is_ready:
            self._tell()

    def _tell(self) -> None:
        """Tells the state until the one that was told is the present one; on one thread at a time, so that the SDK hears
        states in their order. One that is over when it is heard is not told."""
        while True:
            with self._lock:
                state = self._client.state
                # Who tells already looks again.
                if self._is_telling or not self._is_news(state):
                    return
                self._told, self._is_telling, last = state, True, self._last
            try:
                reason = last.reason if last is not None and last.state == state else _why(self._client)
                self._emit_state(ProviderEventDetails(message=reason), state)
            finally:
                with self._lock:
                    self._is_telling = False

    def _is_news(self, state: State) -> bool:
        if state == self._told or state not in (State.VALID, State.INTERRUPTED, State.OFF) or self._is_shut:
            return False
        # What the SDK is about to say would be taken for newer; what has come meanwhile is told after it.
        return self._first_word.is_said

    def _emit_state(self, details: ProviderEventDetails, state: State) -> None:
        if state == State.VALID:
            self.emit_provider_ready(details)
        elif state == State.INTERRUPTED:
            self.emit_provider_stale(details)
        else:
            # Not fatal: a fatal provider is not asked any more, and this one has answers.
            self.emit_provider_error(replace(details, error_code=ErrorCode.GENERAL))

    def _on_flag_change(self, change: FlagChange) -> None:
        with self._lock:
            if self._is_shut:
                return
        self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=[change.key]))

    # Evaluation

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        detail = self._client.bool_variation_detail(flag_key, context_of(evaluation_context), default_value)
        return self._told_of(flag_key, detail, detail.value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        detail = self._client.string_variation_detail(flag_key, context_of(evaluation_context), default_value)
        return self._told_of(flag_key, detail, detail.value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A number with a fraction loses it."""
        detail = self._client.variation_detail(flag_key, context_of(evaluation_context), default_value)
        return self._told_of(flag_key, detail, int(detail.value), evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        detail = self._client.variation_detail(flag_key, context_of(evaluation_context), default_value)
        return self._told_of(flag_key, detail, float(detail.value), evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: Structure, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Structure]:
        """A list or a dictionary."""
        detail = self._client.json_variation_detail(flag_key, context_of(evaluation_context), default_value)
        if not detail.is_default and not isinstance(detail.value, (dict, list)):
            return FlagResolutionDetails(
                value=default_value,
                reason=Reason.ERROR,
                error_code=ErrorCode.TYPE_MISMATCH,
                error_message="no list, no object",
            )
        return self._told_of(flag_key, detail, detail.value, evaluation_context)

    def _told_of(
        self, key: str, detail: EvaluationDetail[Any], value: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        metadata: Metadata = {}
        if context is not None and isinstance(context.targeting_key, str) and context.targeting_key:
            metadata["contextId"] = context.targeting_key
        version = self._client.flag_version(key)
        if version is not None:
            metadata["version"] = str(version)
        environment = environment_id(self._client)
        if environment is not None:
            metadata["flagSetId"] = environment
        return resolution(detail, value, metadata)

    # Tracking

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Tells LaunchDarkly: the value is the metric, attributes are the data. Without a context nothing is told."""
        context = context_of(evaluation_context)
        if context is None:
            logger.warning("%s was not tracked: there is no evaluation context", ascii(tracking_event_name))
            return
        details = tracking_event_details
        data = details.attributes if details is not None and details.attributes else None
        self._client.track(tracking_event_name, context, data, None if details is None else details.value)


def _why(client: Client) -> str:
    try:
        status = client.status()
    except ClosedError:
        return "the client is closed"
    return status.last_error or f"the state is {status.state.name}"

"""When the SDK has said its first word about a provider. Depends on ``openfeature.api``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from openfeature import api
from openfeature.event import ProviderEvent

if TYPE_CHECKING:
    from openfeature.event import EventDetails

__all__ = ["FirstWord"]


class FirstWord:
    """Released SDKs say READY when ``initialize`` has ended, and ERROR when it has raised, and take that for the state of
    the provider whatever it told before.

    :param name: of the provider.
    :param is_possible: false while it is known that nothing has been said of this provider: another one may have its name.
    :param then: called once, on a thread of the SDK's, when that has been said.
    """

    def __init__(self, name: str, is_possible: Callable[[], bool], then: Callable[[], None]) -> None:
        self._name, self._is_possible, self._then = name, is_possible, then
        self._lock = threading.Lock()
        self._event: ProviderEvent | None = None

    @property
    def is_said(self) -> bool:
        """It has been, or is not waited for."""
        with self._lock:
            return self._event is None

    def wait_for(self, event: ProviderEvent) -> None:
        """It is said next. Does not wait."""
        self.forget()
        with self._lock:
            self._event = event
        api.add_handler(event, self._heard)

    def forget(self) -> None:
        """Nothing is called any more."""
        with self._lock:
            event, self._event = self._event, None
        if event is not None:
            try:
                api.remove_handler(event, self._heard)
            except ValueError:  # the program has removed all handlers
                pass

    def _heard(self, details: EventDetails) -> None:
        # Whoever begins to listen hears at once of the provider of the default domain.
        if details.provider_name != self._name or not self._is_possible():
            return
        with self._lock:
            is_first = self._event is not None
        if is_first:
            self.forget()
            self._then()

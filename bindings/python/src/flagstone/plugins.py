"""Plugins: packages of hooks, and of whatever else wants to know of a client. Depends on ``hooks``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .hooks import Hook

if TYPE_CHECKING:
    from .client import Client

__all__ = ["ApplicationMetadata", "EnvironmentMetadata", "Plugin", "PluginMetadata", "SdkMetadata"]


@dataclass(frozen=True)
class PluginMetadata:
    """What a plugin says of itself."""

    #: In the log, where the plugin raises something.
    name: str


@dataclass(frozen=True)
class SdkMetadata:
    """The library that the plugin is used with."""

    name: str
    version: str
    #: Of the option ``wrapper_name``; ``None`` without it.
    wrapper_name: str | None = None
    #: Of the option ``wrapper_version``; ``None`` without it.
    wrapper_version: str | None = None


@dataclass(frozen=True)
class ApplicationMetadata:
    """The program, as the options ``application_id`` to ``application_version_name`` say; ``None`` where one does not."""

    id: str | None = None
    name: str | None = None
    version: str | None = None
    version_name: str | None = None


@dataclass(frozen=True)
class EnvironmentMetadata:
    """Where a plugin is used."""

    sdk: SdkMetadata
    #: Of the option ``sdk_key``; ``None`` without it.
    sdk_key: str | None = None
    #: ``None`` when no option says anything of the program.
    application: ApplicationMetadata | None = None


class Plugin:
    """Is called when a client is made that was given it (:class:`Config`). To be made a class from; what is not overridden
    does nothing.

    An ``Exception`` of a plugin is logged, and the client is made all the same.
    """

    @property
    def metadata(self) -> PluginMetadata:
        """Asked for once for each client."""
        return PluginMetadata(type(self).__name__)

    def get_hooks(self, metadata: EnvironmentMetadata) -> Sequence[Hook]:
        """Hooks for the client, which is not there yet. They come after those of the :class:`Config`."""
        return ()

    def register(self, client: Client, metadata: EnvironmentMetadata) -> None:
        """The client has been made and has its hooks; it has not been started."""

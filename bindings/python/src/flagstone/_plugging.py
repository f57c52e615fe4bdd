"""The client's part of plugins. Depends on ``plugins``, ``_hooked`` and ``_lib``."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._events import logger
from ._hooked import Named, name_of, named
from ._lib import lib
from .plugins import ApplicationMetadata, EnvironmentMetadata, Plugin, SdkMetadata

_APPLICATION = ("id", "name", "version", "version_name")


class Plugged(NamedTuple):
    """A plugin, and its name for the log."""

    plugin: Plugin
    name: str


def environment_of(options: dict[str, Any]) -> EnvironmentMetadata:
    """What plugins are told, from the options of a :class:`Config`."""
    said = [options.get(f"application.{name}") for name in _APPLICATION]
    version = lib.flagstone_version_string().decode()
    sdk = SdkMetadata("flagstone-python", version, options.get("wrapper.name"), options.get("wrapper.version"))
    return EnvironmentMetadata(sdk, options.get("sdk.key"), ApplicationMetadata(*said) if any(said) else None)


def hooks_of(plugged: Plugged, metadata: EnvironmentMetadata) -> list[Named]:
    """The hooks of a plugin: all of them, or none."""
    try:
        return [named(hook) for hook in plugged.plugin.get_hooks(metadata)]
    except Exception:
        logger.exception("get_hooks of the plugin %s failed", plugged.name)
        return []


def plug(plugin: Plugin) -> Plugged:
    """A plugin by its name."""
    return Plugged(plugin, name_of(plugin))


def register(plugged: Plugged, client: Any, metadata: EnvironmentMetadata) -> None:
    """Tells a plugin that there is a client."""
    try:
        plugged.plugin.register(client, metadata)
    except Exception:
        logger.exception("register of the plugin %s failed", plugged.name)

"""The client's part of hooks and plugins. Depends on ``plugins``, ``_handles``, ``_hooked``, ``_lib`` and ``_log``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ._handles import client_of
from ._hooked import Named, name_of, named, take_on
from ._lib import lib
from ._log import logger
from .hooks import Hook
from .plugins import ApplicationMetadata, EnvironmentMetadata, Plugin, SdkMetadata

if TYPE_CHECKING:
    from .config import Config

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


class HookCalls:
    """What :class:`Client` has for hooks."""

    __slots__ = ()

    #: The class of clients that have some.
    _hooked_class: type[Any]

    def add_hook(self, hook: Hook) -> None:
        """Has ``hook`` called around each evaluation from now on, after the hooks that are there. Flags that were prepared
        before hear of it, too; a method that was taken from the client before (``ask = client.variation``) goes on without.
        Hooks that are there from the start are given to :class:`Config`.

        :raises InvalidArgumentError: for what is no :class:`Hook`.
        """
        self._add_hooks([named(hook)])

    def _add_hooks(self, hooks: list[Named]) -> None:
        client = client_of(self)
        if hooks:
            with client._lock:
                for hook in hooks:
                    client._hooks.add(hook)
                take_on(client, self._hooked_class, client._flags)

    def _plug_in(self, config: Config) -> Callable[[], None]:
        """Takes on what a configuration says. What is returned tells the plugins, once the client can be used."""
        plugins, metadata = [plug(plugin) for plugin in config._plugins], environment_of(config._given)
        hooks = [named(hook) for hook in config._hooks]
        for plugged in plugins:
            hooks += hooks_of(plugged, metadata)
        self._add_hooks(hooks)

        def tell() -> None:
            for plugged in plugins:
                register(plugged, client_of(self), metadata)

        return tell

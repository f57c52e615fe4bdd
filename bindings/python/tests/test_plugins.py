"""Plugins: the hooks they bring, and what they are told of the client."""

from __future__ import annotations

from typing import Any

import pytest
from test_hooks import ADA, Noted, data
from test_hooks_trouble import errors

from flagstone import Client, Config, EnvironmentMetadata, Plugin, PluginMetadata


class Plugged(Plugin):
    def __init__(self, name: str, told: list[Any], *hooks: Any) -> None:
        self.name, self.told, self.hooks = name, told, hooks

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(self.name)

    def get_hooks(self, metadata: EnvironmentMetadata) -> Any:
        self.told.append(("hooks", self.name, metadata))
        return list(self.hooks)

    def register(self, client: Client, metadata: EnvironmentMetadata) -> None:
        self.told.append(("register", self.name, metadata, client, client.variation("yes", ADA, False)))


def test_plugins_bring_hooks_and_are_told_of_the_client_before_it_starts() -> None:
    told: list[Any] = []
    calls: list[Any] = []
    plugins = [
        Plugged("first", told, Noted("of first", calls)),
        Plugin(),
        Plugged("second", told, Noted("of second", calls)),
    ]
    options: dict[str, Any] = {"sdk_key": "key", "events_enabled": False, "application_id": "shop", "wrapper_name": "w"}
    with Client(Config(test_data=data(), hooks=[Noted("own", calls)], plugins=plugins, **options)) as asked:
        assert [(each[0], each[1]) for each in told] == [
            ("hooks", "first"),
            ("hooks", "second"),
            ("register", "first"),
            ("register", "second"),
        ]
        assert told[2][3] is asked
        assert [call[1] for call in calls if call[0] == "before"][:3] == ["own", "of first", "of second"]
        (metadata,) = {each[2] for each in told}
        assert (metadata.sdk_key, metadata.sdk.name, metadata.sdk.wrapper_name) == ("key", "flagstone-python", "w")
        assert (metadata.application.id, metadata.application.version) == ("shop", None)
        assert asked.variation("yes", ADA, False) is True
    with Client(Config(test_data=data(), plugins=[Plugged("alone", told)])):
        assert told[-1][2].application is None and told[-1][2].sdk_key is None


def test_what_a_plugin_raises_is_logged_and_keeps_no_client_from_being_made(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Plugged):
        def get_hooks(self, metadata: EnvironmentMetadata) -> Any:
            raise RuntimeError("on purpose")

        def register(self, client: Client, metadata: EnvironmentMetadata) -> None:
            raise RuntimeError("on purpose")

    told: list[Any] = []
    plugins = [Broken("broken", told), Plugged("odd", told, Noted(), 3), Plugged("good", told)]
    with Client(Config(test_data=data(), plugins=plugins)) as asked:
        assert asked.variation("yes", ADA, False) is True
        assert type(asked) is Client
    assert errors(caplog) == [
        "get_hooks of the plugin broken failed",
        "get_hooks of the plugin odd failed",
        "register of the plugin broken failed",
    ]
    assert [each[:2] for each in told] == [("hooks", "odd"), ("hooks", "good"), ("register", "odd"), ("register", "good")]

"""Steps about providers: which there are, what they tell, and what becomes of their flags."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from behave import given, then, when
from openfeature import api
from openfeature.event import EventDetails, ProviderEvent, ProviderEventDetails
from openfeature.exception import OpenFeatureError, ProviderNotReadyError

from flagstone import Config, SourceErrorKind, State, TestData
from flagstone.openfeature import FlagstoneProvider
from sink import Sink
from support import free_port, until

FLAGS = json.loads((Path(__file__).parent.parent / "flags.json").read_text())["flags"]


def set_provider(context: Any, domain: str | None, flags: dict[str, Any], **options: Any) -> None:
    data = TestData()
    for flag in flags.values():
        data.set_flag(flag)
    provider = FlagstoneProvider(Config(test_data=data, **options))
    context.providers[domain] = provider, data
    if domain is None:
        api.set_provider_and_wait(provider)
    else:
        api.set_provider_and_wait(provider, domain)


def data_of(context: Any) -> TestData:
    data: TestData = context.providers[None][1]
    return data


@given("a provider with the flags")
def step_provider(context: Any) -> None:
    set_provider(context, None, FLAGS)


@given("a provider with the flags whose events are collected")
def step_provider_with_events(context: Any) -> None:
    context.sink = Sink()
    set_provider(context, None, FLAGS, **context.sink.options())


@given('a provider without flags for the domain "{domain}"')
def step_provider_of_domain(context: Any, domain: str) -> None:
    set_provider(context, domain, {})


@when("another provider with the flags is set")
def step_another_provider(context: Any) -> None:
    context.first = context.providers[None][0]
    set_provider(context, None, FLAGS)


@when("a provider is set whose Redis is not there")
def step_no_redis(context: Any) -> None:
    context.unready = FlagstoneProvider(Config(redis_url=f"redis://127.0.0.1:{free_port()}"), start_timeout=0.2)
    try:
        api.set_provider_and_wait(context.unready)
    except OpenFeatureError as error:
        context.failure = error


@then("setting it has failed with PROVIDER_NOT_READY")
def step_setting_failed(context: Any) -> None:
    assert isinstance(context.failure, ProviderNotReadyError), context.failure


@then('the provider is called "{name}"')
def step_name(_: Any, name: str) -> None:
    assert api.get_provider_metadata().name == name


@then('the client of the domain "{domain}" tells its domain')
def step_domain(_: Any, domain: str) -> None:
    assert api.get_client(domain).get_metadata().domain == domain


# What becomes of the flags


@when("the source of the flags is away")
def step_away(context: Any) -> None:
    data_of(context).set_status(State.INTERRUPTED, SourceErrorKind.NETWORK_ERROR, 0, "no route")


@when("the source of the flags is back")
def step_back(context: Any) -> None:
    data_of(context).set_status(State.VALID)


@when("the source of the flags has failed for good")
def step_failed(context: Any) -> None:
    data_of(context).set_status(State.OFF, SourceErrorKind.ERROR_RESPONSE, 401, "refused")


@when('the flag "{key}" becomes {value:Json}')
def step_change(context: Any, key: str, value: Any) -> None:
    flag = FLAGS[key]
    fallthrough = {"variation": flag["variations"].index(value)}
    data_of(context).set_flag({**flag, "version": flag["version"] + 1, "fallthrough": fallthrough})


@when("the api is shut down")
def step_shutdown(_: Any) -> None:
    api.shutdown()


@when("the provider is shut down once more")
def step_shutdown_again(context: Any) -> None:
    context.providers[None][0].shutdown()


@then("the provider's client is off")
def step_client_is_off(context: Any) -> None:
    assert context.providers[None][0].client.state is State.OFF


@then("the first provider's client is off")
def step_first_client_is_off(context: Any) -> None:
    assert until(lambda: context.first.client.state is State.OFF)


# Events and status


def listen(context: Any, event: ProviderEvent, client: Any, name: str) -> None:
    """Notes what is told, with the status at that moment; not of the provider that there is before any is set."""
    heard = context.heard.setdefault(name, [])

    def note(details: EventDetails) -> None:
        if details.provider_name == "flagstone":
            heard.append((event, details, context.client.get_provider_status().name))

    client.add_handler(event, note)


def told(context: Any, event: ProviderEvent) -> list[Any]:
    return [one for heard in context.heard.values() for one in list(heard) if one[0] is event]


@given("a handler of {event:Event} at the api")
def step_handler_of_api(context: Any, event: ProviderEvent) -> None:
    listen(context, event, api, "api")


@given("a handler of {event:Event} at the client")
@when("a handler of {event:Event} is added to the client")
def step_handler_of_client(context: Any, event: ProviderEvent) -> None:
    listen(context, event, context.client, "client")


@given('a handler of {event:Event} at the client of "{domain}"')
def step_handler_of_domain(context: Any, event: ProviderEvent, domain: str) -> None:
    listen(context, event, api.get_client(domain), domain)


@given("a handler of {event:Event} at the client that raises")
def step_handler_that_raises(context: Any, event: ProviderEvent) -> None:
    def handler(_: EventDetails) -> None:
        raise ValueError("of a handler")

    context.client.add_handler(event, handler)


@given("a handler of {event:Event} at the client that is removed")
def step_handler_that_is_removed(context: Any, event: ProviderEvent) -> None:
    handler = partial(context.heard.setdefault("removed", []).append)
    context.client.add_handler(event, handler)
    context.client.remove_handler(event, handler)


@then("the status is {status}")
def step_status(context: Any, status: str) -> None:
    assert until(lambda: context.client.get_provider_status().name == status), context.client.get_provider_status()


def something_later(context: Any) -> None:
    """Has something told that comes after everything which happened before: a second telling would be here by then."""
    changed: list[list[str] | None] = []

    def note(details: EventDetails) -> None:
        changed.append(details.flags_changed)

    api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, note)
    context.later += 1
    key = f"later-{context.later}"
    if None in context.providers:
        data_of(context).set_flag({"key": key, "version": 1, "on": False, "variations": [True]})
    else:  # one that reads nothing
        context.unready.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=[key]))
    assert until(lambda: [key] in changed), changed
    api.remove_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, note)


def count_is(context: Any, event: ProviderEvent, count: int, name: str) -> None:
    assert until(lambda: len(told(context, event)) >= count), context.heard
    something_later(context)
    assert [details.provider_name for _, details, _ in told(context, event)] == [name] * count, context.heard
    assert not context.heard.get("removed")


@then('{event:Event} was told once by "{name}"')
def step_told_once(context: Any, event: ProviderEvent, name: str) -> None:
    count_is(context, event, 1, name)


@then('{event:Event} was told twice by "{name}"')
def step_told_twice(context: Any, event: ProviderEvent, name: str) -> None:
    count_is(context, event, 2, name)


@then("{event:Event} is told, and the status was STALE already")
def step_told_with_status(context: Any, event: ProviderEvent) -> None:
    assert until(lambda: bool(told(context, event))), context.heard
    something_later(context)
    assert [status for _, _, status in told(context, event)] == ["STALE"]


@then("{event:Event} was told with the code {code} and a message")
def step_told_with_code(context: Any, event: ProviderEvent, code: str) -> None:
    assert until(lambda: bool(told(context, event))), context.heard
    something_later(context)
    ((_, details, _),) = told(context, event)
    assert details.error_code is not None and details.error_code.name == code and details.message


@then('{event:Event} is told with the flag "{key}"')
def step_told_with_flag(context: Any, event: ProviderEvent, key: str) -> None:
    assert until(lambda: [key] in [details.flags_changed for _, details, _ in told(context, event)]), context.heard


@then('the client of "{domain}" was told nothing')
def step_told_nothing(context: Any, domain: str) -> None:
    something_later(context)
    assert context.heard[domain] == []


# Tracking


@then('"{name}" was delivered with the metric {metric:Json}, the data {data:Json} and the key "{key}"')
def step_delivered(context: Any, name: str, metric: float, data: Any, key: str) -> None:
    (event,) = delivered(context)
    assert (event["key"], event["metricValue"], event["data"]) == (name, metric, data)
    assert (event["context"]["key"], event["context"]["country"]) == (key, "se")


@then('"{name}" alone was delivered')
def step_alone(context: Any, name: str) -> None:
    assert [event["key"] for event in delivered(context)] == [name]


def delivered(context: Any) -> list[dict[str, Any]]:
    assert context.providers[None][0].client.flush(30)
    events: list[dict[str, Any]] = context.sink.events("custom")
    return events

"""Steps about evaluations: who asks for what with which context and hooks, and what comes of it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from behave import given, then, when
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.track import TrackingEventDetails

# Contexts and hooks of the levels of a program


@given('an attribute "{name}" of the moment {moment} from the {level:w}')
def step_moment(context: Any, name: str, moment: str, level: str) -> None:
    context.attributes.setdefault(level, {})[name] = datetime.fromisoformat(moment)


@given('an attribute "{name}" of {value:Json} from the {level:w}')
def step_attribute(context: Any, name: str, value: Any, level: str) -> None:
    context.attributes.setdefault(level, {})[name] = value


@given("attributes {attributes:Json} from the {level:w}")
def step_attributes(context: Any, attributes: dict[str, Any], level: str) -> None:
    context.attributes.setdefault(level, {}).update(attributes)


@given('the targeting key "{key}" from the {level:w}')
def step_key(context: Any, key: str, level: str) -> None:
    context.keys[level] = key


def supplied(context: Any, level: str) -> EvaluationContext:
    return EvaluationContext(context.keys.get(level), context.attributes.get(level, {}))


class Noting(Hook):
    """Notes what it is told."""

    def __init__(self, context: Any, name: str, failing: str | None = None) -> None:
        self._context, self._name, self._failing = context, name, failing

    def _note(self, stage: str, told: HookContext, hints: HookHints) -> None:
        self._context.ran.append(f"{self._name} {stage}")
        self._context.told.update(hook=told, hints=hints)
        if stage == self._failing:
            raise ValueError("of a hook")

    def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext | None:
        hook_context.hook_data["noted"] = "before"
        self._note("before", hook_context, hints)
        return None

    def after(self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints) -> None:
        self._note("after", hook_context, hints)

    def error(self, hook_context: HookContext, exception: Exception, hints: HookHints) -> None:
        self._note("error", hook_context, hints)

    def finally_after(self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints) -> None:
        self._context.told.update(details=details, noted=hook_context.hook_data.get("noted"))
        self._note("finally", hook_context, hints)


class Adding(Hook):
    """Adds to the context."""

    def __init__(self, added: EvaluationContext) -> None:
        self._added = added

    def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext | None:
        return self._added


@given('a hook "{name}" of the {level:w}')
def step_hook(context: Any, name: str, level: str) -> None:
    add_hook(context, Noting(context, name), level)


@given('a hook "{name}" of the {level:w} that raises in "{stage}"')
def step_failing_hook(context: Any, name: str, level: str, stage: str) -> None:
    add_hook(context, Noting(context, name, stage), level)


def add_hook(context: Any, hook: Hook, level: str) -> None:
    if level == "api":
        api.add_hooks([hook])
    elif level == "client":
        context.client.add_hooks([hook])
    else:
        context.hooks.append(hook)


@given("the hints {hints:Json}")
def step_hints(context: Any, hints: dict[str, Any]) -> None:
    context.hints = hints


# Evaluations


def prepared(context: Any, client: OpenFeatureClient, who: str | None) -> tuple[EvaluationContext, FlagEvaluationOptions]:
    """Sets the contexts of the farther levels, and gives what an invocation has."""
    api.set_evaluation_context(supplied(context, "api"))
    api.set_transaction_context(supplied(context, "transaction"))
    client.context = supplied(context, "client")
    hooks = [Adding(supplied(context, "hook"))] if "hook" in context.attributes else []
    invocation = EvaluationContext(who, context.attributes.get("invocation", {}))
    return invocation, FlagEvaluationOptions([*context.hooks, *hooks], context.hints)


def evaluate(context: Any, client: OpenFeatureClient, kind: str, flag: str, who: str | None, default: Any) -> None:
    invocation, options = prepared(context, client, who)
    context.details = getattr(client, f"get_{kind}_details")(flag, default, invocation, options)
    context.ran_for_details = list(context.ran)
    value = getattr(client, f"get_{kind}_value")(flag, default, invocation, options)
    assert value == context.details.value and type(value) is type(context.details.value), (value, context.details)


@when('the {kind} flag "{flag}" is evaluated for "{who}" with the default {default:Json}')
def step_evaluate(context: Any, kind: str, flag: str, who: str, default: Any) -> None:
    evaluate(context, context.client, kind, flag, who, default)


@when('the {kind} flag "{flag}" is evaluated for nobody with the default {default:Json}')
def step_evaluate_for_nobody(context: Any, kind: str, flag: str, default: Any) -> None:
    evaluate(context, context.client, kind, flag, None, default)


@when('the {kind} flag "{flag}" is evaluated by the client of "{domain}" for "{who}" with the default {default:Json}')
def step_evaluate_in_domain(context: Any, kind: str, flag: str, domain: str, who: str, default: Any) -> None:
    evaluate(context, api.get_client(domain), kind, flag, who, default)


@when('the {kind} flag "{flag}" is evaluated in a coroutine for "{who}" with the default {default:Json}')
def step_evaluate_in_coroutine(context: Any, kind: str, flag: str, who: str, default: Any) -> None:
    invocation, options = prepared(context, context.client, who)
    call = getattr(context.client, f"get_{kind}_details_async")
    context.details = asyncio.run(call(flag, default, invocation, options))


@when('"{name}" is tracked for "{who}" with the value {value:Json} and the fields {fields:Json}')
def step_track(context: Any, name: str, who: str, value: float, fields: dict[str, Any]) -> None:
    invocation, _ = prepared(context, context.client, who)
    context.client.track(name, invocation, TrackingEventDetails(value, fields))


@when('"{name}" is tracked for "{who}"')
def step_track_only(context: Any, name: str, who: str) -> None:
    context.client.track(name, EvaluationContext(who))


@when('"{name}" is tracked for nobody')
def step_track_nobody(context: Any, name: str) -> None:
    context.client.track(name)


# What comes of it


@then("the value is {value:Json} and of the type {name}")
def step_value_of_type(context: Any, value: Any, name: str) -> None:
    assert context.details.value == value and type(context.details.value).__name__ == name, context.details


@then("the value is {value:Json}")
def step_value(context: Any, value: Any) -> None:
    assert context.details.value == value and type(context.details.value) is type(value), context.details


@then('the details tell the key "{key}", the variant "{variant}" and the reason "{reason}"')
def step_details(context: Any, key: str, variant: str, reason: str) -> None:
    found = context.details
    assert (found.flag_key, found.variant, str(found.reason)) == (key, variant, reason), found


@then('there is no variant, and the reason is "{reason}"')
def step_no_variant(context: Any, reason: str) -> None:
    assert (context.details.variant, str(context.details.reason)) == (None, reason), context.details


@then("there is no error")
def step_no_error(context: Any) -> None:
    assert (context.details.error_code, context.details.error_message) == (None, None), context.details


@then('the error is {code}, with the reason "{reason}" and no variant')
def step_error(context: Any, code: str, reason: str) -> None:
    found = context.details
    assert (found.error_code.name, str(found.reason), found.variant) == (code, reason, None), found


@then("the metadata of the flag are {metadata:Json}")
def step_metadata(context: Any, metadata: dict[str, Any]) -> None:
    assert dict(context.details.flag_metadata) == metadata, context.details


# What hooks were told


@then("the hooks ran in the order")
def step_order(context: Any) -> None:
    assert context.ran_for_details == context.text.strip().splitlines(), context.ran


@then('the hook "{name}" ran at the end')
def step_ran_at_end(context: Any, name: str) -> None:
    assert f"{name} finally" in context.ran, context.ran


@then('the hook was told the flag "{key}" of the type "{kind}", the default {default:Json} and the provider "{provider}"')
def step_hook_context(context: Any, key: str, kind: str, default: Any, provider: str) -> None:
    told: HookContext = context.told["hook"]
    assert (told.flag_key, told.flag_type.value, told.default_value) == (key, kind, default)
    assert told.provider_metadata is not None and told.provider_metadata.name == provider
    assert told.evaluation_context.targeting_key == "ada"


def hook_details(context: Any) -> tuple[Any, ...]:
    details: FlagEvaluationDetails[Any] = context.told["details"]
    code = None if details.error_code is None else details.error_code.name
    return details.value, details.variant, str(details.reason), code


@then('the details in the hook have the value {value:Json}, the variant "{variant}", the reason "{why}" and no error')
def step_hook_details(context: Any, value: Any, variant: str, why: str) -> None:
    assert hook_details(context) == (value, variant, why, None)


@then('the details in the hook have the value {value:Json}, no variant, the reason "{reason}" and the error {code}')
def step_hook_error(context: Any, value: Any, reason: str, code: str) -> None:
    assert hook_details(context) == (value, None, reason, code)


@then("the hook was told the hints {hints:Json}")
def step_told_hints(context: Any, hints: dict[str, Any]) -> None:
    assert dict(context.told["hints"]) == hints


@then('the hook has noted "{text}" for itself')
def step_noted(context: Any, text: str) -> None:
    assert context.told["noted"] == text

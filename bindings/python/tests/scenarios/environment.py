"""What is around each scenario: an OpenFeature that knows nothing, and nothing left of it afterwards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from behave import register_type
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

# Of what is written in steps.
register_type(Json=json.loads, Event=lambda name: ProviderEvent[f"PROVIDER_{name}"])


def before_scenario(context: Any, _: object) -> None:
    api.shutdown()
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    api.set_transaction_context(EvaluationContext())
    context.client = api.get_client()
    context.providers, context.sink = {}, None
    #: What was heard of events, by client.
    context.heard, context.later = {}, 0
    #: Attributes by the level that supplies them, and the targeting keys.
    context.attributes, context.keys = {}, {}
    context.hooks, context.hints, context.ran, context.told = [], {}, [], {}


def after_scenario(context: Any, _: object) -> None:
    api.shutdown()
    if context.sink is not None:
        context.sink.close()

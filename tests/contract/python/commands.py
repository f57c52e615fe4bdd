"""The harness's commands as calls of the package. Depends on ``forms`` and ``callbacks``."""

from __future__ import annotations

from typing import Any, Callable

from callbacks import posted_text
from flagstone import (
    Client,
    Context,
    ContextBuilder,
    ExecutionOrder,
    InvalidArgumentError,
    MigratorBuilder,
    Operation,
    Stage,
)
from forms import Form, Refused


def evaluate(client: Client, params: Form) -> dict[str, Any]:
    key, context = params.need("flagKey", str), context_of(params)
    default, detailed = params.anything("defaultValue"), params.get("detail", bool)
    kind = params.need("valueType", str)
    if kind not in _VARIATIONS:
        raise Refused(400, f"{kind!a} is no type of a value")
    types, name = _VARIATIONS[kind]
    if types and type(default) not in types:
        raise Refused(400, f"the default is not of the type {kind}")
    if not detailed:
        return {"value": getattr(client, name)(key, context, default)}
    result = getattr(client, f"{name}_detail")(key, context, default)
    return {"value": result.value, "variationIndex": result.variation_index, "reason": result.reason.to_dict()}


#: By type: what a default may be, and the call without detail.
_VARIATIONS: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "bool_variation"),
    "int": ((int,), "int_variation"),
    "double": ((int, float), "float_variation"),
    "string": ((str,), "string_variation"),
    "any": ((), "json_variation"),
}


def evaluate_all(client: Client, params: Form) -> dict[str, Any]:
    state = client.all_flags_state(
        context_of(params),
        client_side_only=params.get("clientSideOnly", bool) or False,
        with_reasons=params.get("withReasons", bool) or False,
        details_only_for_tracked_flags=params.get("detailsOnlyForTrackedFlags", bool) or False,
    )
    return {"state": state.to_dict()}


def context_of(params: Form) -> Context | None:
    data = params.get("context", dict)
    try:
        return None if data is None else Context.from_dict(data)
    except InvalidArgumentError as error:
        raise Refused(400, str(error)) from error


def _needed_context(params: Form) -> Context:
    context = context_of(params)
    if context is None:
        raise Refused(400, "the context is missing")
    return context


def secure_mode_hash(client: Client, params: Form) -> dict[str, Any]:
    return {"result": client.secure_mode_hash(_needed_context(params))}


def context_build(_: Client, params: Form) -> dict[str, Any]:
    return _output(lambda: _context(params, _described))


def context_convert(_: Client, params: Form) -> dict[str, Any]:
    text = params.need("input", str)
    return _output(lambda: Context.from_json(text))


def context_comparison(_: Client, params: Form) -> dict[str, Any]:
    first, second = params.need_form("context1"), params.need_form("context2")
    try:
        return {"equals": _context(first, _listed) == _context(second, _listed)}
    except InvalidArgumentError as error:
        raise Refused(400, str(error)) from error


def _output(make: Callable[[], Context]) -> dict[str, Any]:
    try:
        return {"output": make().to_json_string()}
    except InvalidArgumentError as error:
        return {"error": str(error)}


def _context(params: Form, describe: Callable[[Form], ContextBuilder]) -> Context:
    single = params.form("single")
    if single:
        return describe(single).build()
    builder = Context.multi_builder()
    for member in params.forms("multi"):
        builder.add(describe(member).build())
    return builder.build()


def _described(single: Form) -> ContextBuilder:
    """A builder that got what ``contextBuild`` tells about one context."""
    builder = Context.builder(single.need("key", str))
    kind, name, anonymous = single.get("kind", str), single.get("name", str), single.get("anonymous", bool)
    if kind is not None:
        builder.kind(kind)
    if name is not None:
        builder.name(name)
    if anonymous is not None:
        builder.anonymous(anonymous)
    for attribute, value in (single.get("custom", dict) or {}).items():
        builder.set(attribute, value)
    return builder.private(*single.texts("private"))


def _listed(single: Form) -> ContextBuilder:
    """The same for ``contextComparison``, which lists attributes in an order."""
    builder = Context.builder(single.need("key", str)).kind(single.need("kind", str))
    for attribute in single.forms("attributes"):
        builder.set(attribute.need("name", str), attribute.anything("value"))
    for private in single.forms("privateAttributes"):
        mark = builder.private_names if private.get("literal", bool) else builder.private
        mark(private.need("value", str))
    return builder


def identify(client: Client, params: Form) -> dict[str, Any]:
    client.identify(_needed_context(params))
    return {}


def track(client: Client, params: Form) -> dict[str, Any]:
    metric = params.anything("metricValue")
    if metric is not None and type(metric) not in (int, float):
        raise Refused(400, "metricValue is no number")
    client.track(params.need("eventKey", str), _needed_context(params), params.anything("data"), metric)
    return {}


def flush(client: Client, _: Form) -> dict[str, Any]:
    client.flush()
    return {}


def big_segments_status(client: Client, _: Form) -> dict[str, Any]:
    status = client.big_segments_status()
    return {"available": status.available, "stale": status.stale}


def migration_variation(client: Client, params: Form) -> dict[str, Any]:
    stage, _ = client.migration_variation(params.need("key", str), _needed_context(params), _stage(params))
    return {"result": stage.value}


def migration_operation(client: Client, params: Form) -> dict[str, Any]:
    old, new = _system(params.need("oldEndpoint", str)), _system(params.need("newEndpoint", str))
    compared = params.get("trackConsistency", bool)
    builder = MigratorBuilder(client).read(old, new, _same if compared else None).write(old, new)
    builder.track_latency(params.get("trackLatency", bool) or False).track_errors(params.get("trackErrors", bool) or False)
    order = params.need("readExecutionOrder", str)
    if order not in _ORDERS:
        raise Refused(400, f"{order!a} is no order")
    migrator = builder.read_execution_order(_ORDERS[order]).build()
    asked = params.need("key", str), _needed_context(params), _stage(params), params.get("payload", str)
    writes = params.need("operation", str) == Operation.WRITE
    result = migrator.write(*asked).authoritative if writes else migrator.read(*asked)
    return {"result": result.value if result.is_success else str(result.error)}


_ORDERS = {"serial": ExecutionOrder.SERIAL, "random": ExecutionOrder.RANDOM, "concurrent": ExecutionOrder.PARALLEL}


def _system(address: str) -> Callable[[Any], Any]:
    return lambda payload: posted_text(address, payload or "")


def _same(old: object, new: object) -> bool:
    return old == new


def _stage(params: Form) -> Stage:
    try:
        return Stage(params.need("defaultStage", str))
    except ValueError as error:
        raise Refused(400, str(error)) from error


COMMANDS: dict[str, Callable[[Client, Form], dict[str, Any]]] = {
    "evaluate": evaluate,
    "evaluateAll": evaluate_all,
    "secureModeHash": secure_mode_hash,
    "contextBuild": context_build,
    "contextConvert": context_convert,
    "contextComparison": context_comparison,
    "identifyEvent": identify,
    "customEvent": track,
    "flushEvents": flush,
    "getBigSegmentStoreStatus": big_segments_status,
    "migrationVariation": migration_variation,
    "migrationOperation": migration_operation,
}


def run_command(client: Client, body: Form) -> dict[str, Any]:
    command = body.need("command", str)
    if command not in COMMANDS:
        raise Refused(400, f"{command!a} is no command")
    # Some have no parameters at all.
    return COMMANDS[command](client, Form(body.get(command, dict) or {}, command))

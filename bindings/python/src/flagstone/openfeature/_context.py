"""Who a flag is evaluated for, from OpenFeature's form to Flagstone's. The rules are those of LaunchDarkly's provider, so
that a program that changes providers keeps its contexts. Depends on ``flagstone.context`` and
``flagstone._log``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from openfeature.evaluation_context import EvaluationContext

from .._log import Log
from ..context import Context
from ..errors import InvalidArgumentError

__all__ = ["context_of"]

logger = Log("flagstone.openfeature")

#: Attributes that say who it is and are no attributes of a context.
_IDENTITY = frozenset(("key", "kind", "targetingKey"))
#: The attribute under which a context's JSON form keeps what is private.
_META = "_meta"


def context_of(context: EvaluationContext | None) -> Context | None:
    """The context that Flagstone evaluates for; ``None`` where there is none: the log says why.

    The targeting key is the key; without one the attribute ``key`` is. ``kind`` is ``user`` unless it is a string. With
    ``kind`` ``"multi"`` every other attribute that is a dictionary is a context, whose kind is its name. ``name``,
    ``anonymous`` and ``privateAttributes`` are the built-in ones; a ``datetime`` is text in UTC.
    """
    if context is None:
        return None
    attributes = context.attributes
    kind = attributes.get("kind")
    try:
        if kind == "multi":
            return Context.create_multi(*_individuals(attributes))
        if kind is not None and not isinstance(kind, str):
            logger.warning("the attribute 'kind' is no string: taken for 'user'")
            kind = None
        return _single(attributes, "user" if kind is None else kind, context.targeting_key)
    except (InvalidArgumentError, RecursionError) as error:
        logger.error("the evaluation context is none: %s", error)
        return None


def _individuals(attributes: Mapping[str, Any]) -> Iterator[Context]:
    for kind, members in attributes.items():
        if kind == "kind":
            continue
        if not isinstance(members, dict):
            logger.warning("of a context of several kinds, %r is no dictionary: left out", kind)
            continue
        key = members.get("targetingKey")
        if key is None or isinstance(key, str):
            yield _single(members, kind, key)


def _single(attributes: Mapping[str, Any], kind: str, targeting_key: Any) -> Context:
    form: dict[str, Any] = {"kind": kind, "key": _key(targeting_key, attributes.get("key"))}
    for name, value in attributes.items():
        if name in _IDENTITY or name == _META:
            continue
        if name == "name" and not isinstance(value, str):
            logger.error("the attribute 'name' must be a string: left out")
        elif name == "anonymous" and not isinstance(value, bool):
            logger.error("the attribute 'anonymous' must be a bool: left out")
        elif name == "privateAttributes":
            form[_META] = {"privateAttributes": _private(value)}
        else:
            form[name] = _value(value)
    return Context.from_dict(form)


def _key(targeting_key: Any, key: Any) -> str:
    if key is not None and not isinstance(key, str):
        logger.warning("the attribute 'key' is no string: left out")
        key = None
    if targeting_key and key is not None:
        logger.warning("the evaluation context has both a targeting key and a 'key': the former counts")
    found = targeting_key or key
    if not isinstance(found, str) or not found:
        raise InvalidArgumentError("it needs a targeting key or a 'key', which is a string")
    return found


def _private(value: Any) -> list[str]:
    if not isinstance(value, list):
        logger.error("the attribute 'privateAttributes' must be a list: left out")
        return []
    named = [name for name in value if isinstance(name, str)]
    if len(named) < len(value):
        logger.error("'privateAttributes' may name attributes by strings only: others are left out")
    return named


def _value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(name): _value(member) for name, member in value.items()}
    if isinstance(value, Sequence):
        return [_value(member) for member in value]
    logger.error("an attribute of type %s has no JSON form: left out", type(value).__name__)
    return None

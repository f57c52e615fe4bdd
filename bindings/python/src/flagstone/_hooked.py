"""Clients and prepared flags that have hooks: classes that an object takes on when it gets its first one.

So those without hooks have nothing to do with any of this, and their calls cost what they cost. Depends on ``client``,
``flag``, ``hooks``, ``plugins`` and what these depend on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Callable, NamedTuple, TypeVar

from . import _abi, _fast
from ._environment import environment_id
from ._log import logger
from .context import Context
from .detail import EvaluationDetail
from .errors import InvalidArgumentError
from .flag import Flag, want_of
from .hooks import EvaluationSeriesContext, Hook, TrackSeriesContext

T = TypeVar("T")

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Named(NamedTuple):
    """A hook, and its name for the log."""

    hook: Hook
    name: str


def named(hook: Any) -> Named:
    """A hook by its name; refuses what is none."""
    # By type: a mock says that it is whatever it was made for.
    if not issubclass(type(hook), Hook):
        raise InvalidArgumentError(f"a hook is an object of a class made from Hook, not {type(hook).__name__}")
    return Named(hook, name_of(hook))


def name_of(described: Any) -> str:
    """The name in the metadata of a hook or a plugin; that of its class where it tells none."""
    try:
        name = described.metadata.name
        if issubclass(type(name), str) and name:
            return str.__str__(name)
    except Exception:
        logger.exception("a %s does not tell its name", type(described).__name__)
    return type(described).__name__


class Hooks:
    """The hooks of one client."""

    __slots__ = ("_all", "_inside")

    def __init__(self) -> None:
        self._all: tuple[Named, ...] = ()
        #: On each thread, whether one of the hooks is running.
        self._inside = threading.local()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, hook: Named) -> None:
        self._all = (*self._all, hook)

    def called(self) -> tuple[Named, ...]:
        """The hooks that are to be called now: what one of them evaluates itself would call it for ever."""
        return () if getattr(self._inside, "busy", False) else self._all

    def before(self, hooks: tuple[Named, ...], series: EvaluationSeriesContext) -> list[Mapping[str, Any]]:
        """The first stage of a series; what each hook wants to be given in the next one."""
        return [self._stage(hook, "before_evaluation", series.key, _NOTHING, series, _NOTHING) for hook in hooks]

    def after(
        self,
        hooks: tuple[Named, ...],
        series: EvaluationSeriesContext,
        data: list[Mapping[str, Any]],
        detail: EvaluationDetail[Any],
    ) -> None:
        """The last stage of a series."""
        for hook, given in zip(reversed(hooks), reversed(data)):
            self._stage(hook, "after_evaluation", series.key, given, series, given, detail)

    def tracked(self, hooks: tuple[Named, ...], series: TrackSeriesContext) -> None:
        """The only stage of what was tracked."""
        for hook in hooks:
            self._stage(hook, "after_track", series.key, _NOTHING, series)

    def _stage(self, hook: Named, stage: str, key: Any, given: Mapping[str, Any], *arguments: Any) -> Mapping[str, Any]:
        self._inside.busy = True
        try:
            returned = getattr(hook.hook, stage)(*arguments)
            return given if returned is None or returned is given else MappingProxyType(dict(returned))
        except Exception:
            subject = "event" if stage == "after_track" else "flag"
            shown = str.__str__(key)[:200] if issubclass(type(key), str) else f"of type {type(key).__name__}"
            logger.exception("%s of the hook %s failed for the %s %a", stage, hook.name, subject, shown)
            return given
        finally:
            self._inside.busy = False


class _HookedFlag(Flag[T]):
    """A prepared flag of a client that has hooks."""

    __slots__ = ()

    def value(self, context: Context | None) -> T:
        return self._in_series("Flag.value", self._value, context).value

    def detail(self, context: Context | None) -> EvaluationDetail[T]:
        return self._in_series("Flag.detail", self._detail, context)

    def _in_series(self, method: str, call: Any, context: Context | None) -> EvaluationDetail[T]:
        return in_series(self._client, method, self.key, context, self.default, lambda: self._ask(call, context))


def in_series(
    client: Any, method: str, key: Any, context: Any, default: Any, evaluate: Callable[[], EvaluationDetail[T]]
) -> EvaluationDetail[T]:
    """Evaluates with the hooks before and after."""
    hooks: Hooks = client._hooks
    called = hooks.called()
    if not called:
        return evaluate()
    series = EvaluationSeriesContext(key, context, default, method, environment_id(client))
    data = hooks.before(called, series)
    detail = evaluate()
    hooks.after(called, series, data, detail)
    return detail


def hooked_client(plain: type[Any]) -> type[Any]:
    """Makes the class of clients with hooks from that without."""

    class HookedClient(plain):  # type: ignore[misc]
        __slots__ = ()
        __doc__ = plain.__doc__

        def variation(self, key: Any, context: Any, default: Any, *, check_type: bool = True) -> Any:
            want = want_of(default) if check_type else _abi.TYPE_NONE
            return _ask(self, "variation", key, context, default, want).value

        def variation_detail(self, key: Any, context: Any, default: Any, *, check_type: bool = True) -> Any:
            want = want_of(default) if check_type else _abi.TYPE_NONE
            return _ask(self, "variation_detail", key, context, default, want, reason=True)

        def variation_many(self, keys: Any, context: Any) -> Any:
            called = self._hooks.called()
            if not called:
                return super().variation_many(keys, context)
            return _many(self, called, self._defaults(keys), context, super().variation_many)

        def track(self, event_name: Any, context: Any, data: Any = None, metric_value: Any = None) -> None:
            if self._track(event_name, context, data, metric_value):
                series = TrackSeriesContext(event_name, context, data, metric_value, environment_id(self))
                self._hooks.tracked(self._hooks.called(), series)

        def _migration(self, key: Any, context: Any, default: Any) -> Any:
            made: list[Any] = []

            def evaluate() -> EvaluationDetail[Any]:
                made.append(plain._migration(self, key, context, default))
                detail: EvaluationDetail[Any] = made[0][0]
                return detail

            in_series(self, "migration_variation", key, context, default, evaluate)
            return made[0]

    for name, want, form in _TYPED:
        for reason in (False, True):
            method = f"{name}_variation_detail" if reason else f"{name}_variation"
            setattr(HookedClient, method, _typed(method, want, form, reason))
    return _named_like(HookedClient, plain)


_TYPED = (
    ("bool", _abi.TYPE_BOOL, _fast.ANY),
    ("int", _abi.TYPE_NUMBER, _fast.INT),
    ("float", _abi.TYPE_NUMBER, _fast.FLOAT),
    ("string", _abi.TYPE_STRING, _fast.ANY),
    ("json", _abi.TYPE_NONE, _fast.ANY),
)


def _typed(method: str, want: int, form: str, reason: bool) -> Callable[..., Any]:
    def call(self: Any, key: Any, context: Any, default: Any) -> Any:
        detail = _ask(self, method, key, context, default, want, form, reason)
        return detail if reason else detail.value

    call.__name__ = method
    return call


def _ask(
    client: Any,
    method: str,
    key: Any,
    context: Any,
    default: Any,
    want: int,
    form: str = _fast.ANY,
    reason: bool = False,
) -> EvaluationDetail[Any]:
    def evaluate() -> EvaluationDetail[Any]:
        detail: EvaluationDetail[Any] = client._evaluate(key, context, default, want, form, reason)
        return detail

    return in_series(client, method, key, context, default, evaluate)


def _many(
    client: Any,
    called: tuple[Named, ...],
    defaults: dict[Any, Any],
    context: Any,
    evaluate: Callable[[Any, Any], dict[str, EvaluationDetail[Any]]],
) -> dict[str, EvaluationDetail[Any]]:
    """One series for each flag around the one evaluation."""
    hooks, environment = client._hooks, environment_id(client)
    series = [
        EvaluationSeriesContext(key, context, default, "variation_many", environment) for key, default in defaults.items()
    ]
    data = [hooks.before(called, each) for each in series]
    found = evaluate(defaults, context)
    for each, given in zip(series, data):
        hooks.after(called, each, given, found[each.key])
    return found


def _named_like(made: type[Any], plain: type[Any]) -> type[Any]:
    made.__name__, made.__qualname__, made.__module__ = plain.__name__, plain.__qualname__, plain.__module__
    return made


class _Unannounced:
    """A class that is made of another one is no news to it."""

    __slots__ = ()

    def __init_subclass__(cls, **_: Any) -> None:
        pass


def _hooked_like(plain: Any, hooked: type[Any]) -> Any:
    """The class with hooks of a class of the program's own: made once, and kept where that goes away with it."""
    made = vars(plain).get("_with_hooks")
    if made is None:
        # What the program's class adds comes first, as it does without hooks.
        made = type(plain)(plain.__name__, (_Unannounced, plain, hooked), {"__slots__": ()})
        type.__setattr__(plain, "_with_hooks", _named_like(made, plain))
    return made


def take_on(client: Any, hooked: type[Any], flags: Iterable[Flag[Any]]) -> None:
    """Makes a client, and the flags that were prepared with it, ones with hooks."""
    plain: Any = type(client)
    if not issubclass(plain, hooked):
        client.__class__ = hooked if issubclass(hooked, plain) else _hooked_like(plain, hooked)
        for flag in list(flags):
            take_on_flag(client, flag)


def take_on_flag(client: Any, flag: Flag[Any]) -> None:
    """Makes a flag one with hooks if its client has any."""
    if client._hooks:
        flag.__class__ = _HookedFlag

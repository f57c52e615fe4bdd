"""Hooks and plugins: what they are called with, in which order, and that nothing they do touches an evaluation."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest

from flagstone import (
    BigSegmentStore,
    Client,
    Config,
    Context,
    EvaluationDetail,
    EvaluationSeriesContext,
    Flag,
    Hook,
    HookMetadata,
    InvalidArgumentError,
    Plugin,
    Stage,
    TestData,
    TrackSeriesContext,
)
from sink import Sink
from support import ENVIRONMENT, PATIENCE, SDK_KEY, LaunchDarkly, bool_flag

ADA = Context("ada")
FLAGS = {"yes": [True, False], "number": [3.5], "text": ["t"], "json": [{"a": 1}], "stage": ["live"], "odd": ["zebra"]}


class Noted(Hook):
    """Notes what it is called with, in a list that may be shared."""

    def __init__(self, name: str = "noted", calls: list[Any] | None = None) -> None:
        self.name, self.calls = name, [] if calls is None else calls

    @property
    def metadata(self) -> HookMetadata:
        return HookMetadata(self.name)

    def before_evaluation(
        self, series_context: EvaluationSeriesContext, data: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        self.calls.append(("before", self.name, series_context, dict(data)))
        return {**data, "by": self.name}

    def after_evaluation(
        self, series_context: EvaluationSeriesContext, data: Mapping[str, Any], detail: EvaluationDetail[Any]
    ) -> Mapping[str, Any] | None:
        self.calls.append(("after", self.name, series_context, dict(data), detail))
        return data

    def after_track(self, series_context: TrackSeriesContext) -> None:
        self.calls.append(("track", self.name, series_context))

    def series(self) -> list[tuple[EvaluationSeriesContext, EvaluationDetail[Any]]]:
        """The evaluations that were heard of from their beginning to their end."""
        before = [call[2] for call in self.calls if call[0] == "before"]
        after = [(call[2], call[4]) for call in self.calls if call[0] == "after"]
        assert before == [series for series, _ in after]
        return after


def data() -> TestData:
    made = TestData()
    for key, variations in FLAGS.items():
        made.set_flag({"key": key, "version": 1, "on": True, "variations": variations, "fallthrough": {"variation": 0}})
    return made


def client(*hooks: Hook, **options: Any) -> Client:
    made = Client(Config(test_data=data(), hooks=hooks, **options))
    assert made.start(PATIENCE)
    return made


def test_hooks_are_called_in_order_and_backwards_each_with_its_own_data() -> None:
    calls: list[Any] = []
    with client(Noted("a", calls), Noted("b", calls)) as asked:
        assert asked.variation("yes", ADA, False) is True
    assert [(call[0], call[1], call[3]) for call in calls] == [
        ("before", "a", {}),
        ("before", "b", {}),
        ("after", "b", {"by": "b"}),
        ("after", "a", {"by": "a"}),
    ]
    series, detail = calls[3][2], calls[3][4]
    assert series == EvaluationSeriesContext("yes", ADA, False, "variation", None)
    assert (detail.value, detail.reason.to_dict()) == (True, {"kind": "FALLTHROUGH"})


CALLS: dict[str, tuple[str, Any]] = {
    "variation": ("text", "d"),
    "bool_variation": ("yes", False),
    "int_variation": ("number", 7),
    "float_variation": ("number", 7.5),
    "string_variation": ("text", "d"),
    "json_variation": ("json", None),
}


@pytest.mark.parametrize("name", [*CALLS, *(f"{name}_detail" for name in CALLS)])
@pytest.mark.parametrize("context", [ADA, None], ids=["context", "none"])
def test_every_call_by_key_gives_what_it_gives_without_and_is_heard_of(name: str, context: Context | None) -> None:
    key, default = CALLS[name.replace("_detail", "")]
    hook = Noted()
    with client() as plain, client(hook) as hooked:
        for asked in (key, "missing", "odd", "json", "yes"):
            expected = getattr(plain, name)(asked, context, default)
            assert getattr(hooked, name)(asked, context, default) == expected
            assert getattr(hooked, name)(default=default, context=context, key=asked) == expected
            series, detail = hook.series()[-1]
            assert series == EvaluationSeriesContext(asked, context, default, name, None)
            assert detail == (
                expected if name.endswith("_detail") else getattr(plain, f"{name}_detail")(asked, context, default)
            )
            assert type(detail.value) is type(expected.value if name.endswith("_detail") else expected)
        assert len(hook.series()) == 10


def test_calls_that_do_not_check_the_type_are_heard_of_under_their_own_names() -> None:
    hook = Noted()
    with client(hook) as asked:
        assert asked.variation("text", ADA, 7, check_type=False) == "t"
        assert asked.variation_detail("text", ADA, 7, check_type=False).value == "t"
        assert asked.variation("text", ADA, 7) == 7
    assert [(series.method, found.value) for series, found in hook.series()] == [
        ("variation", "t"),
        ("variation_detail", "t"),
        ("variation", 7),
    ]


@pytest.mark.parametrize("default", [False, 7, 7.5, "d", None], ids=repr)
def test_prepared_flags_are_heard_of_also_those_from_before(default: Any) -> None:
    hook, key = Noted(), {bool: "yes", int: "number", float: "number", str: "text"}.get(type(default), "json")
    with client() as asked:
        before = asked.flag(key, default)
        expected, detail = before.value(ADA), before.detail(ADA)
        asked.add_hook(hook)
        for flag in (before, asked.flag(key, default)):
            assert isinstance(flag, Flag) and (flag.key, flag.default) == (key, default)
            assert (flag.value(ADA), flag.detail(context=ADA)) == (expected, detail)
            assert flag.value(None) == default
            methods = ["Flag.value", "Flag.detail", "Flag.value"]
            heard, hook.calls[:] = hook.series(), []
            assert [(series.key, series.default_value, series.method) for series, _ in heard] == [
                (key, default, method) for method in methods
            ]
            assert [found for _, found in heard][:2] == [detail, detail]


def test_each_flag_of_many_is_a_series_of_its_own() -> None:
    calls: list[Any] = []
    hook = Noted("a", calls)
    with client(hook) as asked, client() as plain:
        assert asked.variation_many({"yes": 1, "missing": 2}, ADA) == plain.variation_many({"yes": 1, "missing": 2}, ADA)
        assert [(call[0], call[2].key, call[2].default_value) for call in calls] == [
            ("before", "yes", 1),
            ("before", "missing", 2),
            ("after", "yes", 1),
            ("after", "missing", 2),
        ]
        assert {series.method for series, _ in hook.series()} == {"variation_many"}
        calls.clear()
        for keys in (["text", "text"], ("json",), iter(["yes"]), [], "text", 3):
            assert asked.variation_many(keys, None) == plain.variation_many(  # type: ignore[arg-type]
                ["yes"] if hasattr(keys, "__next__") else keys,  # type: ignore[arg-type]
                None,
            )
        assert [series.key for series, _ in hook.series()] == ["text", "json", "yes", "text"]


def test_a_migration_is_a_series_and_all_flags_are_none() -> None:
    hook = Noted()
    with client(hook) as asked:
        assert asked.all_flags_state(ADA).values()["yes"] is True
        assert hook.calls == []
        assert [asked.migration_variation(key, ADA, Stage.OFF)[0] for key in ("stage", "odd")] == [Stage.LIVE, Stage.OFF]
    (first, live), (_, odd) = hook.series()
    assert first == EvaluationSeriesContext("stage", ADA, Stage.OFF, "migration_variation", None)
    assert (live.value, live.variation_index) == ("live", 0)
    assert (odd.value, odd.reason.to_dict()) == ("off", {"kind": "ERROR", "errorKind": "WRONG_TYPE"})


def test_prerequisites_are_no_series() -> None:
    hook, made = Noted(), data()
    needs = {"key": "needs", "version": 1, "on": True, "variations": [1], "fallthrough": {"variation": 0}}
    made.set_flag({**needs, "prerequisites": [{"key": "yes", "variation": 0}]})
    with Client(Config(test_data=made, hooks=[hook])) as asked:
        assert asked.variation("needs", ADA, 0) == 1
    assert [series.key for series, _ in hook.series()] == ["needs"]


def test_hooks_hear_of_a_client_that_is_not_ready_or_closed() -> None:
    hook = Noted()
    asked = Client(Config(redis_url="redis://127.0.0.1:1", hooks=[hook]))
    assert asked.variation("yes", ADA, "default") == "default"
    assert asked.close(PATIENCE)
    assert asked.variation("yes", ADA, 1) == 1
    assert [detail.reason.to_dict()["errorKind"] for _, detail in hook.series()] == ["CLIENT_NOT_READY"] * 2


def test_odd_arguments_are_handed_on_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    hook = Noted()
    odd: Any = mock.MagicMock()
    cases: list[tuple[Any, Any]] = [(3, ADA), ("yes", odd), (odd, odd), ("\ud800", ADA)]
    with client(hook) as asked:
        for key, context in cases:
            assert asked.variation(key, context, "default") == "default"
        assert [(series.key, series.context) for series, _ in hook.series()] == cases


def test_a_class_of_the_programs_own_hears_of_no_class_that_hooks_make() -> None:
    heard: list[type] = []

    class Own(Client):
        def __init_subclass__(cls, *, name: str, **named: Any) -> None:
            heard.append(cls)
            super().__init_subclass__(**named)

    class Named(Own, name="named"):
        def variation(self, key: str, context: Context | None, default: Any, *, check_type: bool = True) -> Any:
            return super().variation(key, context, default), "own"

    hook, made = Noted(), []
    for _ in range(3):
        with Named(Config(test_data=data(), hooks=[hook])) as early, Named(Config(test_data=data())) as late:
            late.add_hook(hook)
            found: list[Any] = [asked.variation("yes", ADA, False) for asked in (early, late)]
            assert found == [(True, "own")] * 2
            made += [type(early), type(late)]
    with Own(Config(test_data=data(), hooks=[hook])) as other:
        assert other.variation("yes", ADA, False) is True and type(other) not in made
    assert heard == [Named] and len(set(made)) == 1 and len(hook.series()) == 7


def test_a_class_that_can_have_no_hooks_leaves_the_store_alone() -> None:
    class Final(type):
        def __new__(mcs, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> Any:
            if any(type(base) is Final for base in bases):
                raise TypeError("no more classes, please")
            return super().__new__(mcs, name, bases, members)

    class Own(Client, metaclass=Final):
        pass

    class Store(BigSegmentStore):
        def metadata(self) -> int | None:
            return None

        def membership(self, context_hash: str) -> Mapping[str, bool] | None:
            return None

    config = Config(test_data=data(), hooks=[Noted()], big_segment_store=Store())
    with pytest.raises(TypeError, match="no more classes"):
        Own(config)
    assert config._store and config._store._clients == 0


def test_what_a_hook_evaluates_itself_is_no_series_and_other_threads_are_heard_of() -> None:
    class Recursive(Noted):
        def before_evaluation(self, series_context: Any, data: Any) -> Any:
            self.inner = asked.variation("text", ADA, ""), flag.value(ADA), asked.variation_many(["number"], ADA)
            asked.track("inner", ADA)
            if threading.current_thread() is threading.main_thread():
                other = threading.Thread(target=lambda: asked.variation("json", ADA, None))
                other.start()
                other.join(PATIENCE)
            return super().before_evaluation(series_context, data)

    hook = Recursive()
    with client(hook) as asked, client(Noted()) as elsewhere:
        flag = asked.flag("yes", False)
        assert asked.variation("yes", ADA, False) is True
        assert hook.inner[:2] == ("t", True) and hook.inner[2]["number"].value == 3.5
        assert sorted(series.key for series, _ in sorted_series(hook)) == ["json", "yes"]
        assert [call[0] for call in hook.calls if call[0] == "track"] == []
        assert elsewhere.variation("yes", ADA, False) is True


def sorted_series(hook: Noted) -> list[tuple[EvaluationSeriesContext, Any]]:
    """As :meth:`Noted.series`, of threads that were in each other."""
    return [(call[2], call[4]) for call in hook.calls if call[0] == "after"]


def test_track_is_heard_of_when_it_was_told_and_not_when_it_was_refused(sink: Sink) -> None:
    calls: list[Any] = []
    asked = Client(Config(test_data=data(), hooks=[Noted("a", calls), Noted("b", calls)], **sink.options()))
    assert asked.start(PATIENCE)
    asked.track("bought", ADA, {"items": 2}, metric_value=19.5)
    asked.track(event_name="plain", context=ADA)
    for refused in ((3, ADA), ("e", None), ("e", ADA, float("nan")), ("e", ADA, None, "1")):
        asked.track(*refused)
    expected = [TrackSeriesContext("bought", ADA, {"items": 2}, 19.5), TrackSeriesContext("plain", ADA)]
    assert [(call[1], call[2]) for call in calls] == [(name, series) for series in expected for name in ("a", "b")]
    asked.identify(ADA)
    assert asked.flush(PATIENCE)
    assert [event["key"] for event in sink.events("custom")] == ["bought", "plain"]
    assert asked.close(PATIENCE)
    calls.clear()
    asked.track("late", ADA)
    assert calls == []


def test_events_are_the_same_with_hooks_as_without(sink: Sink) -> None:
    """The hook is told the reason; LaunchDarkly is told it only where the caller asked for it."""
    counted: list[Any] = []
    for hooks in ((), (Noted(),)):
        made = data()
        made.set_flag({**tracked(), "key": "tracked"})
        asked = Client(Config(test_data=made, hooks=hooks, **sink.options()))
        assert asked.start(PATIENCE)
        asked.variation("tracked", ADA, "d")
        asked.variation_detail("tracked", ADA, "d")
        asked.flag("tracked", "d").value(ADA)
        asked.flag("tracked", "d").detail(ADA)
        asked.variation_many({"tracked": "d"}, ADA)
        before = len(sink.events())
        assert asked.flush(PATIENCE)
        features = [event for event in sink.events()[before:] if event["kind"] == "feature"]
        counted.append([{**event, "creationDate": 0} for event in features])
        assert asked.close(PATIENCE)
    assert counted[0] == counted[1]
    assert ["reason" in event for event in counted[0]] == [False, True, False, True, True]


def tracked() -> dict[str, Any]:
    flag = {"version": 1, "on": True, "variations": ["t"], "fallthrough": {"variation": 0}}
    return {**flag, "trackEvents": True}


def test_hooks_hear_of_the_environment_once_it_is_known(launchdarkly: Any) -> None:
    hook = Noted()
    fake: LaunchDarkly = launchdarkly(bool_flag("yes", 1, True))
    options: dict[str, Any] = {
        "source_kind": "stream",
        "sdk_key": SDK_KEY,
        "endpoints_relay": fake.url,
        "events_enabled": False,
    }
    asked = Client(Config(hooks=[hook], **options))
    asked.variation("yes", ADA, False)
    assert asked.start(PATIENCE)
    asked.variation("yes", ADA, False)
    asked.track("bought", ADA)
    environments = [series.environment_id for series, _ in hook.series()]
    assert environments == [None, ENVIRONMENT]
    assert hook.calls[-1][2].environment_id == asked.status().environment_id == ENVIRONMENT
    assert asked.close(PATIENCE)


def test_forms_for_coroutines_are_heard_of() -> None:
    hook = Noted()

    async def body() -> None:
        assert await asked.variation_async("yes", ADA, False) is True
        assert (await asked.variation_many_async(["yes"], ADA))["yes"].value is True

    with client(hook) as asked:
        asyncio.run(body())
    assert [series.method for series, _ in hook.series()] == ["variation", "variation_many"]


def test_a_class_of_the_programs_own_stays_what_it_is() -> None:
    class Ours(Client):
        asked = 0

        def __init__(self, *hooks: Hook) -> None:
            super().__init__(Config(test_data=data(), hooks=hooks))
            self.mine = 1

        def variation(self, key: str, context: Context | None, default: Any, *, check_type: bool = True) -> Any:
            self.asked += 1
            return super().variation(key, context, default, check_type=check_type)

        def extra(self) -> int:
            return self.mine

    hook = Noted()
    with Ours(hook) as ours:
        assert isinstance(ours, Ours) and ours.extra() == 1
        assert (type(ours).__name__, type(ours).__module__) == ("Ours", __name__)
        assert ours.variation("yes", ADA, False) is True
        assert ours.asked == 1 and len(hook.series()) == 1
    plain = Ours()
    assert type(plain) is Ours
    plain.add_hook(hook)
    plain.add_hook(Noted())
    assert repr(plain).startswith("<Client ") and plain.extra() == 1
    assert plain.close(PATIENCE)


def test_without_hooks_a_client_is_of_the_plain_class_and_its_calls_are_the_extensions() -> None:
    with client() as plain, client(Noted()) as hooked:
        assert type(plain) is Client and type(plain.flag("yes", False)).__module__ == "flagstone.flag"
        assert type(hooked) is not Client and isinstance(hooked, Client)
        assert repr(type(hooked)) == repr(Client)
        for name in CALLS:
            assert getattr(type(plain), name) is not getattr(type(hooked), name)
            assert vars(Client)[name] is getattr(type(plain), name)


@pytest.mark.parametrize("hook", [None, 3, Hook, mock.MagicMock(spec=Hook), object()], ids=lambda hook: type(hook).__name__)
def test_what_is_no_hook_is_refused(hook: Any) -> None:
    with client() as asked, pytest.raises(InvalidArgumentError, match="hook"):
        asked.add_hook(hook)
    wrong: list[Any] = [[hook], 3 if hook is None else hook]
    for given in wrong:
        with pytest.raises(InvalidArgumentError, match="hooks"):
            Config(hooks=given)
        with pytest.raises(InvalidArgumentError, match="plugins"):
            Config(plugins=given)
    assert type(asked) is Client


def test_a_client_with_hooks_goes_away_when_it_is_forgotten() -> None:
    hook = Noted()
    asked = client(hook)
    flag = asked.flag("yes", False)
    assert flag.value(ADA) is True
    gone, prepared = weakref.ref(asked), weakref.ref(flag)
    del asked, flag
    gc.collect()
    assert gone() is None and prepared() is None


def test_a_config_with_hooks_shows_them_and_is_not_pickled() -> None:
    import pickle

    config = Config(hooks=[Noted()], plugins=[Plugin()])
    assert repr(config).startswith("Config(hooks=[<test_hooks.Noted object at ")
    assert ", plugins=[<flagstone.plugins.Plugin object at " in repr(config)
    with pytest.raises(TypeError, match="hooks"):
        pickle.dumps(config)

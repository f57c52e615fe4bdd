"""Memory does not grow: a short run here, ten million evaluations and a million contexts in ``make soak``."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

from test_big_segments import FLAG, SEGMENT, Store

from flagstone import Client, Config, Context, Hook, MigratorBuilder, Stage, State, TestData
from support import PATIENCE, Environment, LaunchDarkly, bool_flag, until, value_flag

SOAK = os.environ.get("FLAGSTONE_TESTS") == "soak"
EVALUATIONS = 10_000_000 if SOAK else 400_000
CONTEXTS = 1_000_000 if SOAK else 60_000
#: What counts as no growth, in bytes, for everything after a warm-up of a tenth.
SLACK = 1 << 20


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def growth(rounds: int, body: Callable[[], object]) -> int:
    """Growth after a warm-up, the least of three measurements: what leaks grows in each, what allocators keep does not."""
    for _ in range(rounds // 10):
        body()
    measured: list[int] = []
    while not measured or (len(measured) < 3 and measured[-1] >= SLACK):
        before = resident()
        for _ in range(rounds):
            body()
        measured.append(resident() - before)
    return min(measured)


def test_evaluations_leave_nothing_behind(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True), text=value_flag("text", 1, "x" * 100), n=value_flag("n", 1, 1.5))
    client = environment.client()
    context, flag, text = Context("u", plan="p"), client.flag("a", False), client.flag("text", "")

    def every_kind() -> None:
        client.bool_variation("a", context, False)
        client.float_variation("n", context, 0.0)
        client.variation("text", context, "")
        client.variation_detail("missing", context, "")
        client.variation_many(["a", "text"], context)
        client.variation("a", None, False)
        flag.value(context)
        text.detail(context)

    assert growth(EVALUATIONS // 8, every_kind) < SLACK


def test_contexts_leave_nothing_behind(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    client, number = environment.client(), iter(range(10**9))
    assert growth(CONTEXTS, lambda: client.variation("a", Context(f"user-{next(number)}", plan="p"), False)) < SLACK


def test_prepared_flags_and_errors_leave_nothing_behind(environment: Environment) -> None:
    environment.write(a=bool_flag("a", 1, True))
    client = environment.client()

    def body() -> None:
        client.flag("a", False).value(None)
        try:
            Context("")
        except ValueError:
            pass

    assert growth(CONTEXTS // 6, body) < SLACK


def test_hooks_migrations_and_listeners_leave_nothing_behind() -> None:
    data, versions = TestData(), iter(range(2, 10**9))
    flag = {"key": "a", "on": True, "variations": ["live"], "fallthrough": {"variation": 0}}
    data.set_flag({**flag, "version": 1})
    client = Client(Config(test_data=data, hooks=[Hook()]))
    assert client.start(PATIENCE)
    context, prepared = Context("u"), client.flag("a", "")
    migrator = MigratorBuilder(client).read(str, str, lambda old, new: old == new).write(str, str).build()

    def every_kind() -> None:
        prepared.value(context)
        client.flag("a", "").detail(context)
        client.variation_many(["a"], context)
        client.track("e", context)
        assert migrator.read("a", context, Stage.OFF).is_success and migrator.write("a", context, Stage.OFF)
        changes = client.flag_value_changes("a", context)
        data.set_flag({**flag, "version": next(versions)})
        changes.close()
        made = Client(Config(test_data=data, hooks=[Hook()]))
        made.flag("a", "").value(context)

    assert growth(CONTEXTS // 100, every_kind) < SLACK


def test_a_store_and_its_answers_leave_nothing_behind() -> None:
    data, number = TestData(), iter(range(10**9))
    data.set_segment(SEGMENT).set_flag(FLAG)
    store = Store()
    client = Client(Config(test_data=data, big_segment_store=store, big_segments_cache_size=100))
    assert client.start(PATIENCE)

    def questions() -> None:
        client.variation("flag", Context(f"user-{next(number)}"), "")
        store.asked.clear()
        Config(big_segment_store=store)

    assert growth(CONTEXTS // 20, questions) < SLACK


def test_streamed_patches_that_are_written_and_heard_leave_nothing_behind(
    environment: Environment, launchdarkly: Callable[..., LaunchDarkly]
) -> None:
    fake, versions = launchdarkly(value_flag("a", 1, 1)), iter(range(2, 10**9))
    client = environment.client(**environment.streaming(fake))
    heard: list[int] = []
    client.add_flag_change_listener(lambda change: heard.__setitem__(slice(None), [change.new_version or 0]))
    context = Context("u")
    assert until(lambda: client.status().available)

    def twenty_patches() -> None:
        for version in (last := [next(versions) for _ in range(20)]):
            fake.patch(value_flag("a", version, version))
        assert until(lambda: client.variation("a", context, 0) == last[-1] and heard == last[-1:])
        assert client.status().ready and client.source_status and client.store_status.available

    assert growth(CONTEXTS // 300, twenty_patches) < SLACK
    assert until(lambda: environment.version("a") == next(versions) - 1)


def test_test_data_and_their_clients_leave_nothing_behind() -> None:
    def life() -> None:
        data = TestData()
        data.update(data.flag("a").variation_for_user("u", False).if_match("plan", "p").then_return(True))
        client = Client(Config(test_data=data, http_headers={"X": "y"}, file_paths=["a"]))
        assert client.start(PATIENCE)
        assert client.variation("a", Context("u"), True) is False
        data.set_status(State.INTERRUPTED, message="x" * 1000)
        assert client.source_status
        assert client.close(PATIENCE)

    assert growth(CONTEXTS // 300, life) < SLACK

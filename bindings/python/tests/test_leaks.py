"""Memory does not grow: a short run here, ten million evaluations and a million contexts in ``make soak``."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

from conftest import Environment, bool_flag, value_flag
from flagstone import Context

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
    for _ in range(rounds // 10):
        body()
    before = resident()
    for _ in range(rounds):
        body()
    return resident() - before


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

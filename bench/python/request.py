"""What a request costs: a context is made, then flags of mixed types are asked for.

    request.py REDIS_URL PREFIX SINK_URL

Beside LaunchDarkly's Python SDK on the same flags in the same process; both with events, which go to SINK_URL, and without.
Flagstone comes with its extension module and through ctypes alone: the package is imported once for each.
Prints tables in Markdown. Rows take turns, and a cell is the least of all rounds: it says what the calls cost, where a
median says what else the machine had to do, as rows of LaunchDarkly's SDK are forty times longer. Run by ``make bench``.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import ldclient
import redis
from ldclient.config import Config as PeerConfig
from ldclient.feature_store import CacheConfig
from ldclient.integrations import Redis as PeerRedis
from timing import measure

#: Requests and single calls in a row of a round, which must be over before the system gives the processor to somebody else.
REQUESTS, CALLS, ROUNDS = 2, 40, 401
ATTRIBUTES = {"email": "ada@example.org", "country": "se", "plan": "team", "age": 37, "beta": True}
#: The first of each pair is the default.
VALUES: list[tuple[Any, Any]] = [(False, True), ("", "on"), (0, 5), (0.0, 2.5), (None, {"limit": 10, "names": ["a", "b"]})]
CLAUSE = {"contextKind": "user", "attribute": "email", "op": "endsWith", "values": ["@example.org"], "negate": False}
FLAGS = 20
WAYS = ("extension", "extension with events", "ctypes")
PEERS = ("no events", "events")
#: In nanoseconds, by row: with the extension, and through ctypes.
BUDGETS = {
    "context of five attributes": (1_500, 4_000),
    "bool, prepared": (80, None),
    "bool, by key": (130, None),
    "bool with reason, by key": (500, 1_200),
    "bool with reason, prepared": (500, 1_200),
    "string, by key": (250, None),
    "string, prepared": (250, None),
}
TIMES_CHEAPER = {"extension": 40, "ctypes": 10}

Rows = dict[str, Callable[[], Any]]


def flags() -> dict[str, str]:
    """Flags of mixed types by key; one clause matches."""
    made = {}
    for number in range(FLAGS):
        key, (_, value) = f"flag-{number:02}", VALUES[number % len(VALUES)]
        other = {"off": True} if isinstance(value, dict) else type(value)()
        rule = {"id": f"rule-{number}", "variation": 1, "clauses": [CLAUSE], "trackEvents": False}
        flag = {"key": key, "version": 3, "on": True, "variations": [other, value], "offVariation": 0, "salt": "s"}
        made[key] = json.dumps(
            {**flag, "rules": [rule], "fallthrough": {"variation": 0}, "targets": [], "prerequisites": []}
        )
    return made


def wanted(count: int) -> list[tuple[str, Any]]:
    """Keys and defaults."""
    return [(f"flag-{number:02}", VALUES[number % len(VALUES)][0]) for number in range(count)]


def package_of(way: str) -> Any:
    """The package as it makes its calls in that way."""
    switch = "1" if way.startswith("extension") else "0"
    if "flagstone" not in sys.modules or os.environ["FLAGSTONE_SPEEDUPS"] != switch:
        os.environ["FLAGSTONE_SPEEDUPS"] = switch
        for name in [name for name in sys.modules if name.partition(".")[0] == "flagstone"]:
            del sys.modules[name]
    return importlib.import_module("flagstone")


def flagstone_rows(way: str, url: str, prefix: str, sink: str) -> tuple[Rows, Rows, Any]:
    """Rows of requests and of single calls, and the client."""
    package = package_of(way)
    events = {"sdk_key": "sdk-key", "endpoints_events": sink, "events_flush_interval_ms": 1000, "events_diagnostics": False}
    config = package.Config(redis_url=url, redis_prefix=prefix, **(events if "events" in way else {}))
    context_of, client = package.Context, package.Client(config)
    assert client.start(10)
    variation, detail, many, attributes = client.variation, client.variation_detail, client.variation_many, ATTRIBUTES
    requests: Rows = {}

    def add(count: int) -> None:
        asked = wanted(count)
        prepared, keys = [client.flag(key, default) for key, default in asked], [key for key, _ in asked]

        def by_key() -> list[Any]:
            context = context_of("ada", **attributes)
            return [variation(key, context, default) for key, default in asked]

        def by_key_detail() -> list[Any]:
            context = context_of("ada", **attributes)
            return [detail(key, context, default).value for key, default in asked]

        def by_flag() -> list[Any]:
            context = context_of("ada", **attributes)
            return [flag.value(context) for flag in prepared]

        def by_flag_detail() -> list[Any]:
            context = context_of("ada", **attributes)
            return [flag.detail(context).value for flag in prepared]

        def at_once() -> list[Any]:
            context = context_of("ada", **attributes)
            return [found.value for found in many(keys, context).values()]

        requests[f"{count}, by key"], requests[f"{count}, prepared"] = by_key, by_flag
        requests[f"{count} with reason, by key"], requests[f"{count} with reason, prepared"] = by_key_detail, by_flag_detail
        requests[f"{count} with reason, variation_many"] = at_once

    for count in (1, 5, FLAGS):
        add(count)
    context = context_of("ada", **attributes)
    truth, text, whole, value = (
        client.flag("flag-00", False),
        client.flag("flag-01", ""),
        client.flag("flag-02", 0),
        client.flag("flag-04"),
    )

    def builder() -> Any:
        made = context_of.builder("ada")
        for name, attribute in attributes.items():
            made.set(name, attribute)
        return made.build()

    single: Rows = {
        "context of five attributes": lambda: context_of("ada", **attributes),
        "context of five attributes, by its builder": builder,
        "bool, prepared": lambda: truth.value(context),
        "bool, by key": lambda: variation("flag-00", context, False),
        "bool with reason, prepared": lambda: truth.detail(context),
        "bool with reason, by key": lambda: detail("flag-00", context, False),
        "string, prepared": lambda: text.value(context),
        "string, by key": lambda: variation("flag-01", context, ""),
        "int, prepared": lambda: whole.value(context),
        "int, by key": lambda: client.int_variation("flag-02", context, 0),
        "JSON, prepared": lambda: value.value(context),
        "JSON, by key": lambda: variation("flag-04", context, None),
    }
    return requests, single, client


def peer_rows(sink: str | None, url: str, prefix: str) -> tuple[Rows, Rows, Any]:
    """The same of LaunchDarkly's SDK, which has no prepared flags."""
    store = PeerRedis.new_feature_store(url=url, prefix=prefix, caching=CacheConfig(expiration=3600, capacity=10_000))
    options: dict[str, Any] = {"send_events": False}
    if sink:
        options = {"send_events": True, "events_uri": sink, "flush_interval": 1, "diagnostic_opt_out": True}
    client = ldclient.LDClient(PeerConfig("sdk-key", feature_store=store, use_ldd=True, **options), start_wait=5)
    variation, detail = client.variation, client.variation_detail

    def context_of() -> Any:
        builder = ldclient.Context.builder("ada")
        for name, value in ATTRIBUTES.items():
            builder.set(name, value)
        return builder.build()

    requests: Rows = {}

    def add(count: int) -> None:
        asked = wanted(count)

        def by_key() -> list[Any]:
            context = context_of()
            return [variation(key, context, default) for key, default in asked]

        def by_key_detail() -> list[Any]:
            context = context_of()
            return [detail(key, context, default).value for key, default in asked]

        requests[f"{count}, by key"], requests[f"{count} with reason, by key"] = by_key, by_key_detail

    for count in (1, 5, FLAGS):
        add(count)
    context = context_of()
    single: Rows = {
        "context of five attributes": context_of,
        "bool, by key": lambda: variation("flag-00", context, False),
        "bool with reason, by key": lambda: detail("flag-00", context, False),
        "string, by key": lambda: variation("flag-01", context, ""),
        "int, by key": lambda: variation("flag-02", context, 0),
        "JSON, by key": lambda: variation("flag-04", context, None),
    }
    return requests, single, client


def repeated(run: Callable[[], Any], times: int) -> Callable[[], None]:
    """So many calls in a row; the loop costs what an empty one costs."""

    def runs() -> None:
        for _ in range(times):
            run()

    return runs


def peer_of(name: str, rows: Rows) -> str:
    """The row of the peer that stands beside a row: by key where it has no other."""
    name = name.replace("variation_many", "by key").replace("prepared", "by key").replace(", by its builder", "")
    return name if name in rows else name.replace(" with reason", "")


def amount(ns: float) -> str:
    return f"{ns:.0f} ns" if ns < 10_000 else f"{ns / 1000:.1f} us"


def table(title: str, subjects: dict[str, Rows], calls: int, budget: Callable[[str, str, float, float], str]) -> None:
    """Measures the rows of all subjects in turns and prints them."""
    rows = {f"{subject}: {name}": repeated(run, calls) for subject, runs in subjects.items() for name, run in runs.items()}
    rows["nothing"] = repeated(lambda: None, calls)
    times = measure(rows, calls, ROUNDS, min)
    print(f"\n{title}\n")
    print("| | " + " | ".join(f"Flagstone, {way}" for way in WAYS) + " | LaunchDarkly's | with events | Ratios | Budget |")
    print("|" + " --- |" * (len(WAYS) + 5))
    for name in subjects[WAYS[0]]:
        beside = [times[f"{peer}: {peer_of(name, subjects[peer])}"] - times["nothing"] for peer in PEERS]
        ours = [times[f"{way}: {name}"] - times["nothing"] for way in WAYS]
        ratios = ", ".join("/".join(f"{theirs / mine:.0f}x" for theirs in beside) for mine in ours)
        verdicts = [budget(way, name, mine, beside[0]) for way, mine in zip(WAYS, ours)]
        print(
            f"| {name} | " + " | ".join(map(amount, ours + beside)) + f" | {ratios} | {', '.join(filter(None, verdicts))} |"
        )


def within(way: str, name: str, ns: float, _: float) -> str:
    most = BUDGETS.get(name, (None, None))[way == "ctypes"]
    return "" if most is None else f"<= {most} ns: {'met' if ns <= most else '**not met**'}"


def cheaper(way: str, name: str, ns: float, beside: float) -> str:
    if not name.startswith(str(FLAGS)):
        return ""
    least = TIMES_CHEAPER[way.partition(" ")[0]]
    return f">= {least}x: {'met' if beside / ns >= least else '**not met**'}"


def main() -> None:
    logging.disable(logging.CRITICAL)
    url, prefix, sink = sys.argv[1:4]
    server = redis.Redis.from_url(url)
    server.hset(f"{prefix}:features", mapping=flags())
    server.set(f"{prefix}:$inited", "")
    made = {way: flagstone_rows(way, url, prefix, sink) for way in WAYS}
    made |= {peer: peer_rows(sink if peer == "events" else None, url, prefix) for peer in PEERS}
    expected = [value for _, value in VALUES] * (FLAGS // len(VALUES))
    for requests, _, _ in made.values():
        for name, run in requests.items():
            found = run()
            assert found == expected[: len(found)], (name, found)
    print("\n### What a request costs\n")
    print(
        "A context of five attributes is made, then so many flags of mixed types are asked for. Ratios: LaunchDarkly's SDK"
    )
    print("without and with events, to each of Flagstone's ways.")
    table("Requests.", {subject: rows[0] for subject, rows in made.items()}, REQUESTS, cheaper)
    table(
        "Single calls, without the loop around them.", {subject: rows[1] for subject, rows in made.items()}, CALLS, within
    )
    for _, _, client in made.values():
        client.close()


main()

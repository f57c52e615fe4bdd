"""Time per evaluation and per state of all flags from Python, beside LaunchDarkly's Python SDK on the same flags in the
same process.

    bench.py REDIS_URL PREFIX

Prints tables in Markdown; the states of all flags are those under PREFIX-1000 and PREFIX-10000. Rounds of all rows are
interleaved, so that a busy moment of the machine meets every row alike; a cell is the median of the rounds. Run by
``make bench``, which fills Redis before.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Callable
from typing import Any

import ldclient
import redis
from ldclient.config import Config as PeerConfig
from ldclient.feature_store import CacheConfig
from ldclient.integrations import Redis as PeerRedis
from timing import measure

import flagstone

STATE_ROUNDS = 9
STATE_SIZES = (1_000, 10_000)
ATTRIBUTES = {"email": "ada@example.org", "country": "se", "plan": "team", "age": 37, "beta": True}
BUDGETS = {"by key, one flag": 130, "prepared, one flag": 80}
TIMES_FASTER = 20


def flagstone_calls(url: str, prefix: str, keys: list[str]) -> tuple[dict[str, Callable[[], Any]], flagstone.Client]:
    client = flagstone.Client(flagstone.Config(redis_url=url, redis_prefix=prefix))
    assert client.start(10)
    context = flagstone.Context("ada", **ATTRIBUTES)
    flags = [client.flag(key, False) for key in keys]
    by_key, variation, detail = client.bool_variation, client.variation, client.variation_detail

    def run_by_key() -> None:
        for key in keys:
            by_key(key, context, False)

    def run_variation() -> None:
        for key in keys:
            variation(key, context, False)

    def run_detail() -> None:
        for key in keys:
            detail(key, context, False)

    def run_prepared() -> None:
        for flag in flags:
            flag.value(context)

    rows = {"by key": run_by_key, "variation": run_variation, "with reason": run_detail, "prepared": run_prepared}
    return rows, client


def peer_calls(url: str, prefix: str, keys: list[str]) -> tuple[dict[str, Callable[[], Any]], Any]:
    store = PeerRedis.new_feature_store(url=url, prefix=prefix, caching=CacheConfig(expiration=3600, capacity=10_000))
    config = PeerConfig("sdk-key", feature_store=store, use_ldd=True, send_events=False)
    client = ldclient.LDClient(config, start_wait=5)
    builder = ldclient.Context.builder("ada")
    for name, value in ATTRIBUTES.items():
        builder.set(name, value)
    context = builder.build()

    def run() -> None:
        for key in keys:
            client.variation(key, context, False)

    def run_detail() -> None:
        for key in keys:
            client.variation_detail(key, context, False)

    return {"variation": run, "with reason": run_detail}, client


def main() -> None:
    logging.disable(logging.CRITICAL)
    url, prefix = sys.argv[1:3]
    keys = [key.decode() for key in redis.Redis.from_url(url).hkeys(f"{prefix}:features")]
    random.Random(7).shuffle(keys)
    ours, client = flagstone_calls(url, prefix, keys)
    theirs, peer = peer_calls(url, prefix, keys)
    context, other = (
        flagstone.Context("ada", **ATTRIBUTES),
        ldclient.Context.from_dict(json.loads(flagstone.Context("ada", **ATTRIBUTES).to_json_string())),
    )
    for key in keys:
        assert client.variation(key, context, False) == peer.variation(key, other, False), key
    one = keys[:1] * len(keys)
    (hot, other_client), (peer_hot, other_peer) = flagstone_calls(url, prefix, one), peer_calls(url, prefix, one)
    rows = {f"{name}, 1,000 flags": run for name, run in ours.items()}
    rows |= {f"{name}, one flag": run for name, run in hot.items()}
    peers = {f"peer {name}, 1,000 flags": run for name, run in theirs.items()}
    peers |= {f"peer {name}, one flag": run for name, run in peer_hot.items()}
    times = measure(rows | peers, len(keys))
    print(f"\n## Python {sys.version.split()[0]}\n")
    print("A context of five attributes; the thousand flags in shuffled order. Medians of interleaved rounds.\n")
    print("| Call | Flagstone | LaunchDarkly's Python SDK | Ratio | Budget |")
    print("| --- | --- | --- | --- | --- |")
    for name in rows:
        call, _, extent = name.partition(", ")
        ns, beside = times[name], times[f"peer {call if call in theirs else 'variation'}, {extent}"]
        print(f"| {name} | {ns:.0f} ns | {beside:.0f} ns | {beside / ns:.1f}x | {verdict(name, ns, beside / ns)} |")
    for open_client in (client, other_client, peer, other_peer):
        open_client.close()
    print("\nThe state of all flags as JSON text, same context, flags of one rule each; both texts say the same.\n")
    print("| Flags | Flagstone | LaunchDarkly's Python SDK | Ratio | `json.dumps` of the same state | Ratio | Budget |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for flags in STATE_SIZES:
        print(state_row(url, f"{prefix}-{flags}", flags))


def state_row(url: str, prefix: str, flags: int) -> str:
    """A line of the table of states."""
    _, client = flagstone_calls(url, prefix, [])
    _, peer = peer_calls(url, prefix, [])
    context = flagstone.Context("ada", **ATTRIBUTES)
    other = ldclient.Context.from_dict(json.loads(context.to_json_string()))

    def ours() -> str:
        return client.all_flags_state(context).to_json()

    def theirs() -> str:
        return str(peer.all_flags_state(other).to_json_string())

    state = json.loads(ours())
    assert len(state["$flagsState"]) >= flags
    assert state == json.loads(theirs())
    rows: dict[str, Callable[[], Any]] = {"ours": ours, "theirs": theirs, "dumps": lambda: json.dumps(state)}
    ms = {name: ns / 1e6 for name, ns in measure(rows, 1, STATE_ROUNDS).items()}
    client.close()
    peer.close()
    ratio = ms["theirs"] / ms["ours"]
    met = f">= {TIMES_FASTER}x: {'met' if ratio >= TIMES_FASTER else '**not met**'}"
    beside = f"{ms['dumps']:.2f} ms | {ms['dumps'] / ms['ours']:.1f}x"
    return f"| {flags:,} | {ms['ours']:.2f} ms | {ms['theirs']:.2f} ms | {ratio:.0f}x | {beside} | {met} |"


def verdict(name: str, ns: float, ratio: float) -> str:
    """Whether the budget of a row is met; nothing where there is none."""
    budget = BUDGETS.get(name)
    if budget is None:
        return ""
    met = ns <= budget and ratio >= TIMES_FASTER
    return f"<= {budget} ns, >= {TIMES_FASTER}x: {'met' if met else '**not met**'}"


main()

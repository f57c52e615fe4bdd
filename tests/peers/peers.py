"""The other side of the tests: LaunchDarkly's own Python SDK, and what is compared with it and with its Relay Proxy.

They are the real programs. Both get their flags from ``fakeld``, since a test has no account with LaunchDarkly.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from ldclient import Context as PeerContext
from ldclient import LDClient
from ldclient.config import Config as PeerConfig
from ldclient.feature_store import CacheConfig
from ldclient.integrations import Redis as PeerRedis
from ldclient.interfaces import FeatureStore

from flagstone import Client, Context
from support import PATIENCE, PROJECT, SDK_KEY, LaunchDarkly, Server

Items = dict[str, dict[str, Any]]
#: A value with its variation and its reason.
Result = tuple[Any, "int | None", dict[str, Any]]
#: By key of the flag and number of the context.
Results = dict[tuple[str, int], Result]

#: How many contexts are made for a comparison.
CONTEXTS = 40


def flagdata() -> str:
    """The program that makes the demo data set."""
    return os.environ.get("FLAGDATA") or str(PROJECT / "target" / "release" / "flagdata")


def demo_items() -> Items:
    """The demo data set, without the marks of deleted items, which no server sends."""
    made = subprocess.run([flagdata(), "generate"], check=True, stdout=subprocess.PIPE).stdout
    everything = json.loads(made)
    return {part: {key: item for key, item in everything[part].items() if not item.get("deleted")} for part in everything}


def contexts_for(items: Items) -> list[dict[str, Any]]:
    """Contexts whose keys and attributes are those that targets, rules and segments ask for, chosen at random but always
    the same; one with nothing but a key comes first."""
    chance = random.Random(7)
    keys: dict[str, set[str]] = {"user": set()}
    values: dict[str, dict[str, list[Any]]] = {"user": {}}
    for item in [*items["flags"].values(), *items["segments"].values()]:
        for name in ("included", "excluded"):
            keys["user"].update(item.get(name, []))
        for target in [*item.get("targets", []), *item.get("contextTargets", []), *item.get("includedContexts", [])]:
            keys.setdefault(target.get("contextKind", "user"), set()).update(target["values"])
        for rule in item.get("rules", []):
            for clause in rule.get("clauses", []):
                attribute = str(clause.get("attribute", "")).strip("/")
                if attribute and "/" not in attribute and attribute not in ("key", "kind"):
                    of_kind = values.setdefault(clause.get("contextKind", "user"), {})
                    of_kind.setdefault(attribute, []).extend(clause["values"])

    def single(kind: str) -> dict[str, Any]:
        known = sorted(keys.get(kind, ()))
        key = chance.choice(known) if known and chance.random() < 0.5 else f"k{chance.random()}"
        made: dict[str, Any] = {"kind": kind, "key": key}
        for attribute, asked in sorted(values.get(kind, {}).items()):
            if chance.random() < 0.7:
                value = chance.choice(asked)
                made[attribute] = str(value) if attribute == "name" else value
        if "anonymous" in made:
            made["anonymous"] = chance.random() < 0.5
        return made

    made: list[dict[str, Any]] = [{"kind": "user", "key": "nobody"}]
    kinds = sorted({*keys, *values})
    while len(made) < CONTEXTS:
        chosen = chance.sample(kinds, chance.randint(1, min(3, len(kinds))))
        singles = {kind: single(kind) for kind in chosen}
        if len(singles) == 1:
            made.append(singles[chosen[0]])
        else:
            for one in singles.values():
                del one["kind"]
            made.append({"kind": "multi", **singles})
    return made


def of_flagstone(client: Client, keys: list[str], contexts: list[dict[str, Any]]) -> Results:
    """What Flagstone says of every flag to every context."""
    results: Results = {}
    for number, form in enumerate(contexts):
        context = Context.from_dict(form)
        for key in keys:
            detail = client.variation_detail(key, context, None)
            results[key, number] = detail.value, detail.variation_index, detail.reason.to_dict()
    return results


def of_peer(client: LDClient, keys: list[str], contexts: list[dict[str, Any]]) -> Results:
    """What LaunchDarkly's SDK says."""
    results: Results = {}
    for number, form in enumerate(contexts):
        context = PeerContext.from_dict(form)
        assert context.valid, context.error
        for key in keys:
            detail = client.variation_detail(key, context, None)
            results[key, number] = detail.value, detail.variation_index, detail.reason
    return results


def without_quirks(peer: Results, ours: Results) -> Results:
    """``peer``, with ours for the one flag on which LaunchDarkly's SDKs differ from each other: a clause without an
    attribute makes a flag malformed; for the Python SDK only if the context has the kind that the clause asks for."""
    malformed: Result = None, None, {"kind": "ERROR", "errorKind": "MALFORMED_FLAG"}
    odd = [place for place in peer if place[0] == "ops.clause-without-attribute"]
    for place in odd:
        assert ours[place] == malformed
        assert peer[place] in (malformed, (True, 0, {"kind": "FALLTHROUGH"}))
    return {**peer, **{place: ours[place] for place in odd}}


def peer_store(server: Server, prefix: str) -> FeatureStore:
    """LaunchDarkly's Redis store, without a cache."""
    return PeerRedis.new_feature_store(url=server.url, prefix=prefix, caching=CacheConfig.disabled())


@contextmanager
def peer_in_daemon_mode(server: Server, prefix: str) -> Iterator[LDClient]:
    """LaunchDarkly's SDK, which reads what others keep in Redis."""
    store = peer_store(server, prefix)
    config = PeerConfig(SDK_KEY, feature_store=store, use_ldd=True, send_events=False)
    with closing(LDClient(config, start_wait=PATIENCE)) as client:
        yield client


@contextmanager
def peer_streaming(fake: LaunchDarkly, server: Server, prefix: str) -> Iterator[LDClient]:
    """LaunchDarkly's SDK, which keeps in Redis what it is sent."""
    config = PeerConfig(
        SDK_KEY,
        base_uri=fake.url,
        stream_uri=fake.url,
        events_uri=fake.url,
        feature_store=peer_store(server, prefix),
        send_events=False,
        diagnostic_opt_out=True,
    )
    with closing(LDClient(config, start_wait=PATIENCE)) as client:
        assert client.is_initialized()
        yield client

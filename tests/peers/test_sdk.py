"""Flagstone and LaunchDarkly's Python SDK on one Redis: each reads what the other one wrote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import Any

from ldclient import Context as PeerContext
from ldclient import LDClient
from ldclient.config import Config as PeerConfig
from ldclient.integrations.test_data import TestData as PeerTestData

from flagstone import Client, Config, Context, State, TestData
from peers import (
    Items,
    contexts_for,
    flagdata,
    of_flagstone,
    of_peer,
    peer_in_daemon_mode,
    peer_streaming,
    without_quirks,
)
from support import PATIENCE, Environment, LaunchDarkly, bool_flag, until, value_flag

Start = Callable[..., LaunchDarkly]
Contexts = list[dict[str, Any]]
ADA, PEER_ADA = Context("ada"), PeerContext.create("ada")
#: A flag of the demo data set that changes in the tests.
FLAG = "checkout.new-payment-form"


def is_filled(environment: Environment, demo: Items) -> bool:
    redis, prefix = environment.server.redis, environment.prefix
    return redis.exists(f"{prefix}:$inited") == 1 and redis.hlen(f"{prefix}:features") == len(demo["flags"])


def test_every_kind_of_result_occurs_in_what_is_compared(demo: Items, contexts: Contexts) -> None:
    data = TestData()
    for flag in demo["flags"].values():
        data.set_flag(flag)
    for segment in demo["segments"].values():
        data.set_segment(segment)
    with Client(Config(test_data=data)) as client:
        results = of_flagstone(client, list(demo["flags"]), contexts).values()
    kinds = {reason["kind"] for _, _, reason in results}
    assert kinds == {"OFF", "FALLTHROUGH", "TARGET_MATCH", "RULE_MATCH", "PREREQUISITE_FAILED", "ERROR"}
    assert len({json.dumps(value) for value, _, _ in results}) > 40
    assert len({reason.get("ruleId") for _, _, reason in results}) > 40


def test_launchdarklys_sdk_reads_what_flagstone_wrote(
    environment: Environment, launchdarkly: Start, demo: Items, contexts: Contexts
) -> None:
    fake = launchdarkly(items=demo)
    client = environment.client(**environment.streaming(fake))
    assert until(lambda: is_filled(environment, demo))
    keys = [*demo["flags"], "missing"]
    with peer_in_daemon_mode(environment.server, environment.prefix) as peer:
        ours = of_flagstone(client, keys, contexts)
        assert without_quirks(of_peer(peer, keys, contexts), ours) == ours
        fake.patch(value_flag(FLAG, 1000, "patched"))
        fake.patch(value_flag("new", 1, "fresh"))
        assert until(lambda: environment.version("new") == 1)
        assert peer.variation(FLAG, PEER_ADA, "") == client.variation(FLAG, ADA, "") == "patched"
        assert peer.variation("new", PEER_ADA, "") == "fresh"
        fake.delete(FLAG, 1001)
        assert until(lambda: environment.version(FLAG) == 1001)
        assert peer.variation(FLAG, PEER_ADA, "gone") == client.variation(FLAG, ADA, "gone") == "gone"
        ours = of_flagstone(client, [*keys, "new"], contexts)
        assert without_quirks(of_peer(peer, [*keys, "new"], contexts), ours) == ours
        fake.put({"flags": {"only": json.loads(bool_flag("only", 1, True))}, "segments": {}})
        assert until(lambda: environment.version("new") is None)
        assert [peer.variation(key, PEER_ADA, None) for key in ("only", "new")] == [True, None]
        assert set(peer.all_flags_state(PEER_ADA).to_values_map()) == {"only"}


def test_flagstone_reads_what_launchdarklys_sdk_wrote(
    environment: Environment, launchdarkly: Start, demo: Items, contexts: Contexts
) -> None:
    fake = launchdarkly(items=demo)
    keys = [*demo["flags"], "missing"]
    with peer_streaming(fake, environment.server, environment.prefix) as peer:
        client = environment.client()
        ours = of_flagstone(client, keys, contexts)
        assert without_quirks(of_peer(peer, keys, contexts), ours) == ours
        fake.patch(value_flag(FLAG, 1000, "patched"))
        assert until(lambda: client.variation(FLAG, ADA, "") == "patched")
        fake.delete(FLAG, 1001)
        assert until(lambda: client.variation(FLAG, ADA, "gone") == "gone")
        assert client.status().malformed == 0, "its mark of a deleted flag is understood"
        fake.patch(value_flag(FLAG, 1002, "back"))
        assert until(lambda: client.variation(FLAG, ADA, "") == "back")
        fake.put({"flags": {"only": json.loads(bool_flag("only", 1, True))}, "segments": {}})
        assert until(lambda: client.variation("only", ADA, False))
        assert until(lambda: client.status().flags == 1 and client.state is State.VALID)


def test_the_demo_data_set_is_one_for_both(environment: Environment) -> None:
    command = [flagdata(), "fill", "--redis", environment.server.url, "--prefix", environment.prefix]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    redis, prefix = environment.server.redis, environment.prefix
    stored: Any = {part: redis.hgetall(f"{prefix}:{name}") for part, name in (("flags", "features"), ("segments",) * 2)}
    items = {
        part: {key.decode(): json.loads(text) for key, text in texts.items() if not json.loads(text).get("deleted")}
        for part, texts in stored.items()
    }
    keys = [key.decode() for key in stored["flags"]]
    assert len(keys) > len(items["flags"]), "marks of deleted flags are among them"
    with peer_in_daemon_mode(environment.server, environment.prefix) as peer:
        client, contexts = environment.client(), contexts_for(items)
        ours = of_flagstone(client, keys, contexts)
        assert without_quirks(of_peer(peer, keys, contexts), ours) == ours


def test_both_say_the_same_of_all_flags(environment: Environment, launchdarkly: Start, demo: Items) -> None:
    fake = launchdarkly(items=demo)
    client = environment.client(**environment.streaming(fake))
    assert until(lambda: is_filled(environment, demo))
    with peer_in_daemon_mode(environment.server, environment.prefix) as peer:
        theirs = peer.all_flags_state(PEER_ADA, with_reasons=True).to_json_dict()
        ours = client.all_flags_state(ADA, with_reasons=True).to_dict()
        for state in (ours, theirs):
            for flag in state["$flagsState"].values():
                # LaunchDarkly's SDKs are not of one mind whether one is listed that could not be evaluated.
                flag.pop("prerequisites", None)
        assert ours == theirs
        assert len(ours) > 150


def built(data: Any) -> list[Any]:
    """Flags from the calls that both builders have."""
    flag = data.flag
    return [
        flag("new"),
        flag("off").on(False).off_variation(True),
        flag("texts").variations("a", "b", "c").fallthrough_variation(2).off_variation(1),
        flag("back").variations("a", "b").fallthrough_variation(1).boolean_flag(),
        flag("bool-of-texts").variations("a", "b", "c").fallthrough_variation(False),
        flag("all").on(False).variation_for_user("ada", True).variation_for_all(False),
        flag("value").value_for_all({"x": [1]}),
        flag("users").variation_for_user("ada", False).variation_for_user("bob", True).fallthrough_variation(True),
        flag("moved").variation_for_user("ada", False).variation_for_user("ada", True).fallthrough_variation(False),
        flag("kinds").variation_for_key("org", "acme", False).variation_for_key("user", "ada", True).on(True),
        flag("targets").variation_for_user("ada", False).clear_targets(),
        flag("rules").if_match("country", "se", "no").and_not_match("plan", "free").then_return(False),
        flag("two")
        .if_not_match("country", "se")
        .then_return(False)
        .if_match_context("org", "tier", 1)
        .and_match("plan", "free")
        .and_match_context("org", "tier", 1)
        .and_not_match_context("org", "tier", 2)
        .then_return(False),
        flag("none").if_not_match_context("org", "tier", 2).then_return(False).clear_rules(),
        flag("not").if_not_match_context("org", "tier", 2).then_return(False),
    ]


def test_flags_built_by_both_test_data_are_the_same() -> None:
    ours, theirs = TestData(), PeerTestData.data_source()
    keys = [flag.key for flag in built(ours)]
    for flag in built(ours):
        ours.update(flag)
    for flag in built(theirs):
        theirs.update(flag)
    org = [{"key": "acme", "tier": 1}, {"key": "other", "tier": 2}]
    user: list[dict[str, Any]] = [
        {"key": "ada", "country": "se", "plan": "free"},
        {"key": "bob", "country": "no", "plan": "team"},
        {"key": "eve", "country": "dk", "plan": "free"},
    ]
    contexts = [{"kind": "user", **one} for one in user] + [{"kind": "org", **one} for one in org]
    contexts += [{"kind": "multi", "user": one, "org": other} for one in user for other in org]
    config = PeerConfig("sdk-key", update_processor_class=theirs, send_events=False)
    with Client(Config(test_data=ours)) as client, closing(LDClient(config, start_wait=PATIENCE)) as peer:
        assert of_flagstone(client, keys, contexts) == of_peer(peer, keys, contexts)

"""The shared evaluation vectors, through Redis and the public interface."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from flagstone import BigSegmentStore, Client, Config, Context, ErrorKind, InvalidArgumentError
from support import PROJECT, Server, hash_of

DATA = PROJECT / "tests" / "data"
_decoder = json.JSONDecoder()


def members(text: str) -> dict[str, str]:
    """The members of a JSON object as text: how a number is written matters."""
    found: dict[str, str] = {}
    at = 1
    while text[at] != "}":
        name, at = _decoder.raw_decode(text, at + (text[at] == ","))
        assert text[at] == ":"
        end = _decoder.raw_decode(text, at + 1)[1]
        found[name], at = text[at + 1 : end], end
    return found


def canonical(value: Any) -> Any:
    """Equal numbers look equal, and no bool equals a number."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return ("is", type(value).__name__, value)
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return {name: canonical(item) for name, item in value.items()}


class Members(BigSegmentStore):
    """Knows the big segments of a vector."""

    def __init__(self, big: dict[str, Any]) -> None:
        self._members = {hash_of(key): found for key, found in big["members"].items()}
        statuses: dict[str, str] = big.get("statuses", {})
        self._failing = {hash_of(key) for key, status in statuses.items() if status == "STORE_ERROR"}
        self._is_stale = "STALE" in (big["status"], *statuses.values())

    def metadata(self) -> int:
        return 1 if self._is_stale else int(time.time() * 1000)

    def membership(self, context_hash: str) -> Mapping[str, bool] | None:
        if context_hash in self._failing:
            raise RuntimeError("on purpose")
        return self._members.get(context_hash)


def evaluate(server: Server, prefix: str, vector: dict[str, str]) -> Any:
    try:
        context = Context.from_json(vector["context"])
    except InvalidArgumentError:
        return "REJECT_CONTEXT"
    if "flag" not in vector:
        return {"contextJson": context.to_dict(), "fullyQualifiedKey": context.fully_qualified_key}
    for kind, collection in (("features", "flags"), ("segments", "segments")):
        items = members(vector.get(collection, "{}"))
        if items:
            server.redis.hset(f"{prefix}:{kind}", mapping=items)
    server.redis.set(f"{prefix}:$inited", "")
    store = Members(json.loads(vector["big"])) if "big" in vector else None
    options: dict[str, Any] = {"big_segment_store": store} if store else {}
    with Client(Config(redis_url=server.url, redis_prefix=prefix, cache_freshness="ttl", **options)) as client:
        detail = client.json_variation_detail(json.loads(vector["flag"]), context, None)
        assert client.flag(json.loads(vector["flag"])).detail(context) == detail
    # What could not be read has no result in the vectors; through a client it is an error of its own.
    if detail.reason.error_kind is ErrorKind.EXCEPTION:
        return "UNREADABLE"
    return {"value": detail.value, "variationIndex": detail.variation_index, "reason": detail.reason.to_dict()}


def expected_of(vector: dict[str, str], expectations: dict[int, Any]) -> Any:
    agreed = json.loads(vector["allAgree"])
    result = json.loads(vector["results"])["all"] if agreed else expectations[json.loads(vector["id"])]
    if result in ("REJECT_FLAG", "REJECT_SEGMENT"):
        return "UNREADABLE"
    if isinstance(result, dict):
        result.pop("prereqEvents", None)  # not part of a client's answer
    return result


def test_every_vector_gives_the_expected_result(server: Server) -> None:
    lines = (DATA / "evaluation-expectations.jsonl").read_text().splitlines()
    expectations = {line["id"]: line["result"] for line in map(json.loads, lines)}
    failures, run = [], 0
    for line in (DATA / "evaluation-vectors.jsonl").read_text().splitlines():
        vector = members(line)
        run += 1
        expected, actual = expected_of(vector, expectations), evaluate(server, f"vector{vector['id']}", vector)
        if canonical(actual) != canonical(expected):
            failures.append(f"{vector['id']} {vector['name']}\n  expected {expected}\n  actual   {actual}")
    assert not failures, "\n".join(failures)
    assert run == 409

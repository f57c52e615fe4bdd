"""The example application, with flags that change under it."""

from __future__ import annotations

import importlib
import sys

import pytest

from support import PROJECT, Environment, bool_flag, until

FLAG = "checkout.new-payment-form"


def test_the_example_application_follows_the_flags(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(PROJECT / "examples" / "python"), *sys.path])
    monkeypatch.setenv("REDIS_URL", environment.server.url)
    monkeypatch.setenv("REDIS_PREFIX", environment.prefix)
    environment.write(**{FLAG: bool_flag(FLAG, 1, False)})
    visitor = importlib.import_module("app").make_app().test_client()
    assert visitor.get("/checkout?user=ada").text == "old payment form"
    environment.write(**{FLAG: bool_flag(FLAG, 2, True)})
    assert until(lambda: visitor.get("/checkout?user=ada").text == "new payment form")
    assert visitor.get(f"/flags/{FLAG}").json == {"value": True, "reason": {"kind": "FALLTHROUGH"}, "stale": False}
    assert visitor.get("/health").json == {"state": "VALID", "flags": 1}

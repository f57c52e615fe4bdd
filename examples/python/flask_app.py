"""A Flask application whose pages depend on flags in Redis.

    pip install flagstone flask gunicorn
    REDIS_URL=redis://localhost:6379 gunicorn --preload --workers 4 flask_app:app

With --preload the client is made once, before the workers: each inherits it and keeps it true by itself from its first
request on. Without, and under `flask --app flask_app run`, each has made one of its own; nothing else changes.
"""

from __future__ import annotations

import atexit
import os

from flask import Flask, g, jsonify, request
from flask.typing import ResponseReturnValue

from flagstone import Client, Config, Context

client = Client(
    Config(
        redis_url=os.environ.get("REDIS_URL", "redis://localhost:6379"),
        redis_prefix=os.environ.get("REDIS_PREFIX", "launchdarkly"),
    )
)
# Without Redis the application starts all the same: defaults answer until it is there.
client.start(5)
# Of a worker, when it ends; of the process that made the workers, too.
atexit.register(client.close)

new_checkout = client.flag("checkout.new-payment-form", False)
app = Flask(__name__)


@app.before_request
def know_the_visitor() -> None:
    """One context for all flags of a request. A real application has the user of its session here."""
    g.visitor = Context(request.headers.get("X-User", "anonymous"), country=request.headers.get("X-Country", "se"))


@app.get("/checkout")
def checkout() -> str:
    return "new payment form" if new_checkout.value(g.visitor) else "old payment form"


@app.get("/flags/<key>")
def flag(key: str) -> ResponseReturnValue:
    detail = client.variation_detail(key, g.visitor, None)
    return jsonify(value=detail.value, reason=detail.reason.to_dict(), stale=detail.is_stale)


@app.get("/health")
def health() -> ResponseReturnValue:
    """Of the worker that answers. With Redis away it is well as long as it has flags: they are stale, which it says."""
    status = client.status()
    told = jsonify(
        state=status.state.name, flags=status.flags, stale=status.stale_since_ms is not None, process=os.getpid()
    )
    return told, 200 if status.ready else 503

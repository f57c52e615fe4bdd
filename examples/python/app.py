"""A small web application whose pages depend on flags in Redis.

    pip install flagstone flask
    REDIS_URL=redis://localhost:6379 flask --app app run

Under gunicorn with --preload every worker inherits the client and keeps it true by itself:

    gunicorn --preload --workers 4 "app:make_app()"
"""

from __future__ import annotations

import os

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from flagstone import Client, Config, Context


def make_app() -> Flask:
    """The application with its client, which lives as long as the process."""
    client = Client(
        Config(
            redis_url=os.environ.get("REDIS_URL", "redis://localhost:6379"),
            redis_prefix=os.environ.get("REDIS_PREFIX", "launchdarkly"),
        )
    )
    client.start(5)
    new_checkout = client.flag("checkout.new-payment-form", False)
    app = Flask(__name__)

    @app.get("/checkout")
    def checkout() -> str:
        context = Context(request.args.get("user", "anonymous"), country=request.args.get("country", "se"))
        return "new payment form" if new_checkout.value(context) else "old payment form"

    @app.get("/flags/<key>")
    def flag(key: str) -> ResponseReturnValue:
        detail = client.variation_detail(key, Context(request.args.get("user", "anonymous")), None)
        return jsonify(value=detail.value, reason=detail.reason.to_dict(), stale=detail.is_stale)

    @app.get("/health")
    def health() -> ResponseReturnValue:
        status = client.status()
        return jsonify(state=status.state.name, flags=status.flags), 200 if status.ready else 503

    return app

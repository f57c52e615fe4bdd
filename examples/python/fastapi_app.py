"""A FastAPI application whose answers depend on flags in Redis.

    pip install 'flagstone[prometheus]' fastapi uvicorn
    REDIS_URL=redis://localhost:6379 uvicorn fastapi_app:app --workers 4

Each worker makes its client when it starts and closes it when it ends.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from flagstone import Client, Config, Context
from flagstone.prometheus import Collector


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    config = Config(
        redis_url=os.environ.get("REDIS_URL", "redis://localhost:6379"),
        redis_prefix=os.environ.get("REDIS_PREFIX", "launchdarkly"),
        metrics_evaluations=True,
    )
    async with Client(config) as client:
        # Scrapers reach any of the workers: the label keeps them apart.
        collector = Collector(client, {"worker": str(os.getpid())})
        REGISTRY.register(collector)
        app.state.flags = client
        yield
        REGISTRY.unregister(collector)


app = FastAPI(lifespan=lifespan)


def the_client(request: Request) -> Client:
    client: Client = request.app.state.flags
    return client


def the_visitor(x_user: Annotated[str, Header()] = "anonymous", x_country: Annotated[str, Header()] = "se") -> Context:
    """One context for all flags of a request. A real application has the user of its session here."""
    return Context(x_user, country=x_country)


Flags = Annotated[Client, Depends(the_client)]
Visitor = Annotated[Context, Depends(the_visitor)]


@app.get("/checkout", response_class=PlainTextResponse)
async def checkout(flags: Flags, visitor: Visitor) -> str:
    # It does not wait for anything: no await.
    is_new = flags.variation("checkout.new-payment-form", visitor, False)
    return "new payment form" if is_new else "old payment form"


@app.get("/flags/{key}")
async def flag(key: str, flags: Flags, visitor: Visitor) -> JSONResponse:
    detail = flags.variation_detail(key, visitor, None)
    return JSONResponse({"value": detail.value, "reason": detail.reason.to_dict(), "stale": detail.is_stale})


@app.get("/health")
async def health(flags: Flags) -> JSONResponse:
    """Of the worker that answers. With Redis away it is well as long as it has flags: they are stale, which it says."""
    status = flags.status()
    told = {"state": status.state.name, "flags": status.flags, "stale": status.stale_since_ms is not None}
    return JSONResponse({**told, "process": os.getpid()}, 200 if status.ready else 503)


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

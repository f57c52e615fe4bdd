"""Celery tasks that depend on flags in Redis.

    pip install flagstone 'celery[redis]'
    REDIS_URL=redis://localhost:6379 celery -A celery_app worker --concurrency 4
    REDIS_URL=redis://localhost:6379 celery -A celery_app inspect flags

The client is made once, before the pool: each of its processes inherits it, keeps it true by itself from its first task on,
and closes it when it ends. `inspect` asks the main process about its own client, which is none of the pool's: those may
stand otherwise for a moment.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_shutdown, worker_shutdown
from celery.worker.control import inspect_command

from flagstone import Client, Config, Context

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")

app = Celery("celery_app", broker=f"{REDIS_URL}/1", backend=f"{REDIS_URL}/1")
app.conf.broker_connection_retry_on_startup = True

client = Client(Config(redis_url=REDIS_URL, redis_prefix=os.environ.get("REDIS_PREFIX", "launchdarkly")))
new_invoice = client.flag("checkout.new-payment-form", False)


@worker_init.connect
def start(**_: Any) -> None:
    # Without Redis the worker starts all the same: defaults answer until it is there.
    client.start(5)


@worker_process_shutdown.connect
@worker_shutdown.connect
def close(**_: Any) -> None:
    client.close(5)


@app.task
def invoice(user: str, country: str) -> dict[str, Any]:
    """One context for all flags of a task: who it is done for comes with its arguments."""
    customer = Context(user, country=country)
    detail = new_invoice.detail(customer)
    form = "new" if detail.value else "old"
    return {"form": form, "reason": detail.reason.to_dict(), "stale": detail.is_stale, "process": os.getpid()}


@inspect_command()
def flags(state: Any) -> dict[str, Any]:
    """The health of the worker's main process, not of its pool: `celery -A celery_app inspect flags`."""
    status = client.status()
    return {"ready": status.ready, "state": status.state.name, "flags": status.flags}

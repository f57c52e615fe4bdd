"""A Django project in one file, whose pages depend on flags in Redis.

    pip install flagstone django gunicorn
    REDIS_URL=redis://localhost:6379 gunicorn --preload --workers 4 django_app:application
    REDIS_URL=redis://localhost:6379 python django_app.py runserver

In a project of several files the client goes into a module of its own, `flags.py`, that views import. With --preload it is
made once, before the workers: each inherits it and keeps it true by itself from its first request on.

What imports the module makes a client: each management command, too, which waits five seconds when Redis is away, and both
processes of runserver, that of the pages and the one that reloads it. Where that is too much, start it in `wsgi.py` alone.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any, Callable

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from flagstone import Client, Config, Context

client = Client(
    Config(
        redis_url=os.environ.get("REDIS_URL", "redis://localhost:6379"),
        redis_prefix=os.environ.get("REDIS_PREFIX", "launchdarkly"),
        metrics_evaluations=True,
    )
)
# Without Redis the project starts all the same: defaults answer until it is there.
client.start(5)
# Of a worker, when it ends; of the process that made the workers, too.
atexit.register(client.close)

new_checkout = client.flag("checkout.new-payment-form", False)


def visitors(get_response: Callable[[Any], HttpResponse]) -> Callable[[Any], HttpResponse]:
    """Middleware: one context for all flags of a request. A real project takes `request.user` here."""

    def middleware(request: Any) -> HttpResponse:
        request.visitor = Context(
            request.headers.get("X-User", "anonymous"), country=request.headers.get("X-Country", "se")
        )
        return get_response(request)

    return middleware


def checkout(request: Any) -> HttpResponse:
    return HttpResponse("new payment form" if new_checkout.value(request.visitor) else "old payment form")


def flag(request: Any, key: str) -> HttpResponse:
    detail = client.variation_detail(key, request.visitor, None)
    return JsonResponse({"value": detail.value, "reason": detail.reason.to_dict(), "stale": detail.is_stale})


def health(request: HttpRequest) -> HttpResponse:
    """Of the worker that answers. With Redis away it is well as long as it has flags: they are stale, which it says."""
    status = client.status()
    told = {"state": status.state.name, "flags": status.flags, "stale": status.stale_since_ms is not None}
    return JsonResponse({**told, "process": os.getpid()}, status=200 if status.ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Of the worker that answers, as the client writes them: nothing else is needed."""
    return HttpResponse(client.metrics_text(), content_type="text/plain; version=0.0.4")


urlpatterns = [
    path("checkout", checkout),
    path("flags/<str:key>", flag),
    path("health", health),
    path("metrics", metrics),
]

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    MIDDLEWARE=[f"{__name__}.visitors"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-a-sample"),
)
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)

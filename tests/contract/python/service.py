"""The test service of LaunchDarkly's contract tests: it lets the harness, which knows no Python, use the Python binding.

Every request becomes calls of the package's public interface; the service evaluates, caches and converts nothing itself, so
that what the harness finds is a property of the package. Commands of which the package has nothing yet answer 501.

    python service.py [--port N]

It says on standard output where it listens (port 0: a free one), and ends on ``DELETE /``, SIGTERM and SIGINT. All its
clients are closed first.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, TypeVar

import flagstone
from flagstone import Client, ClosedError, Config, Context, ContextBuilder, InvalidArgumentError

T = TypeVar("T")

CAPABILITIES = (
    "server-side",
    "server-side-polling",
    "all-flags-with-reasons",
    "all-flags-client-side-only",
    "all-flags-details-only-for-tracked-flags",
    "client-prereq-events",
    "context-type",
    "context-comparison",
    "secure-mode-hash",
    "service-endpoints",
    "tags",
    "instance-id",
    "wrapper",
    "filtering",
    "filtering-strict",
    "polling-gzip",
    "http-proxy",
    "retry-conformance-fdv1-streaming",
    "retry-conformance-fdv1-polling",
    "tls:verify-peer",
    "tls:skip-verify-peer",
    "persistent-data-store-redis",
    "event-sampling",
    "event-gzip",
    "optional-event-gzip",
    "inline-context-all",
    "anonymous-redaction",
    "omit-anonymous-contexts",
)

#: Commands and parts of the configuration that the harness knows and the package does not.
LATER_COMMANDS = frozenset(
    (
        "getBigSegmentStoreStatus",
        "migrationVariation",
        "migrationOperation",
    )
)
LATER_CONFIGURATION = ("hooks", "bigSegments")

logger = logging.getLogger("contract")


class Refused(Exception):
    """A request that gets an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Form:
    """A JSON object of a request: each property has the type that is asked for, and ``null`` is the same as none."""

    def __init__(self, data: object, name: str = "") -> None:
        if not isinstance(data, dict):
            raise Refused(400, f"{name or 'the body'} is no object")
        self._data: dict[str, Any] = data
        self._prefix = f"{name}." if name else ""

    def anything(self, name: str) -> Any:
        return self._data.get(name)

    def get(self, name: str, kind: type[T]) -> T | None:
        value = self._data.get(name)
        if value is None:
            return None
        if type(value) is not kind:  # a bool is no int here
            raise Refused(400, f"{self._prefix}{name} is no {kind.__name__}")
        return value

    def need(self, name: str, kind: type[T]) -> T:
        value = self.get(name, kind)
        if value is None:
            raise Refused(400, f"{self._prefix}{name} is missing")
        return value

    def form(self, name: str) -> Form | None:
        value = self._data.get(name)
        return None if value is None else Form(value, self._prefix + name)

    def need_form(self, name: str) -> Form:
        return Form(self.need(name, dict), self._prefix + name)

    def forms(self, name: str) -> list[Form]:
        return [Form(item, self._prefix + name) for item in self.get(name, list) or []]

    def texts(self, name: str) -> list[str]:
        items = self.get(name, list) or []
        if not all(isinstance(item, str) for item in items):
            raise Refused(400, f"{self._prefix}{name} has an item that is no text")
        return items


# Configuration


def options_of(configuration: Form) -> dict[str, Any]:
    """The options of the package that say what the harness's configuration says."""
    for name in LATER_CONFIGURATION:
        if configuration.anything(name) is not None:
            raise Refused(501, f"{name} cannot be configured yet")
    options = {
        "sdk_key": configuration.need("credential", str),
        **_endpoints(configuration.form("serviceEndpoints")),
        **_source(configuration),
        # With an SDK key there would be events anyhow.
        "events_enabled": configuration.form("events") is not None,
    }
    for name, read in _PARTS.items():
        part = configuration.form(name)
        if part is not None:
            options.update(read(part))
    return {name: value for name, value in options.items() if value is not None}


def _endpoints(endpoints: Form | None) -> dict[str, Any]:
    names = {"streaming": "endpoints_stream", "polling": "endpoints_poll", "events": "endpoints_events"}
    return {option: endpoints.get(name, str) for name, option in names.items()} if endpoints else {}


def _source(configuration: Form) -> dict[str, Any]:
    streaming, polling = configuration.form("streaming"), configuration.form("polling")
    options: dict[str, Any] = {}
    if streaming:
        options = {
            "source_kind": "stream",
            "source_filter": streaming.get("filter", str),
            "stream_initial_delay_ms": streaming.get("initialRetryDelayMs", int),
            **_base(streaming, "endpoints_stream"),
        }
    elif polling:
        options = {
            "source_kind": "poll",
            "source_filter": polling.get("filter", str),
            "poll_interval_ms": polling.get("pollIntervalMs", int),
            "poll_allow_short": True,
            **_base(polling, "endpoints_poll"),
        }
    elif configuration.form("persistentDataStore") is None:
        options = {"source_kind": "stream"}
    return options


def _base(component: Form, option: str) -> dict[str, Any]:
    """A component's own base address, which wins over the common ones; it may have none."""
    address = component.get("baseUri", str)
    return {option: address} if address else {}


def _tags(tags: Form) -> dict[str, Any]:
    return {
        "application_id": tags.get("applicationId", str),
        "application_version": tags.get("applicationVersion", str),
    }


def _wrapper(wrapper: Form) -> dict[str, Any]:
    return {"wrapper_name": wrapper.get("name", str), "wrapper_version": wrapper.get("version", str)}


def _proxy(proxy: Form) -> dict[str, Any]:
    return {"http_proxy": proxy.get("httpProxy", str)}


def _tls(tls: Form) -> dict[str, Any]:
    return {"http_tls_skip_verify": tls.get("skipVerifyPeer", bool), "http_tls_ca_file": tls.get("customCAFile", str)}


def _events(events: Form) -> dict[str, Any]:
    return {
        "events_capacity": events.get("capacity", int),
        "events_flush_interval_ms": events.get("flushIntervalMs", int),
        "events_diagnostics": events.get("enableDiagnostics", bool) or False,
        "events_all_attributes_private": events.get("allAttributesPrivate", bool),
        "events_private_attributes": events.texts("globalPrivateAttributes") or None,
        "events_omit_anonymous_contexts": events.get("omitAnonymousContexts", bool),
        "events_gzip": events.get("enableGzip", bool) or False,
        **_base(events, "endpoints_events"),
    }


def _persistence(persistence: Form) -> dict[str, Any]:
    store, cache = persistence.need_form("store"), persistence.need_form("cache")
    if store.need("type", str) != "redis":
        raise Refused(501, "there is no other persistent store than Redis")
    mode = cache.need("mode", str)
    if mode not in _CACHES:
        raise Refused(400, f"{mode!a} is no cache mode")
    options = {
        "redis_url": store.need("dsn", str),
        "redis_prefix": store.get("prefix", str),
        "cache_on_wipe": "clear",  # LaunchDarkly's SDKs take Redis as it is
        **_CACHES[mode],
    }
    if mode == "ttl":
        options["cache_ttl_ms"] = cache.need("ttl", int) * 1000
    return options


_CACHES: dict[str, dict[str, Any]] = {
    "off": {"cache_residency": "off"},
    "ttl": {"cache_residency": "lazy", "cache_freshness": "ttl"},
    "infinite": {"cache_residency": "lazy", "cache_freshness": "forever"},
}

_PARTS: dict[str, Callable[[Form], dict[str, Any]]] = {
    "tags": _tags,
    "wrapper": _wrapper,
    "proxy": _proxy,
    "tls": _tls,
    "events": _events,
    "persistentDataStore": _persistence,
}


def open_client(configuration: Form) -> Client:
    """A client that has been started, ready or not: with a data source that fails there is a client all the same."""
    wait = configuration.get("startWaitTimeMs", int) or 5000
    try:
        client = Client(Config(**options_of(configuration)))
    except InvalidArgumentError as error:
        raise Refused(400, str(error)) from error
    client.start(wait / 1000)
    return client


# Commands


def evaluate(client: Client, params: Form) -> dict[str, Any]:
    key, context = params.need("flagKey", str), context_of(params)
    default, detailed = params.anything("defaultValue"), params.get("detail", bool)
    kind = params.need("valueType", str)
    if kind not in _VARIATIONS:
        raise Refused(400, f"{kind!a} is no type of a value")
    types, value, detail = _VARIATIONS[kind]
    if types and type(default) not in types:
        raise Refused(400, f"the default is not of the type {kind}")
    if not detailed:
        return {"value": value(client, key, context, default)}
    result = detail(client, key, context, default)
    return {"value": result.value, "variationIndex": result.variation_index, "reason": result.reason.to_dict()}


#: By type: what a default may be, and the calls without and with detail.
_VARIATIONS: dict[str, tuple[tuple[type, ...], Callable[..., Any], Callable[..., Any]]] = {
    "bool": ((bool,), Client.bool_variation, Client.bool_variation_detail),
    "int": ((int,), Client.int_variation, Client.int_variation_detail),
    "double": ((int, float), Client.float_variation, Client.float_variation_detail),
    "string": ((str,), Client.string_variation, Client.string_variation_detail),
    "any": ((), Client.json_variation, Client.json_variation_detail),
}


def evaluate_all(client: Client, params: Form) -> dict[str, Any]:
    state = client.all_flags_state(
        context_of(params),
        client_side_only=params.get("clientSideOnly", bool) or False,
        with_reasons=params.get("withReasons", bool) or False,
        details_only_for_tracked_flags=params.get("detailsOnlyForTrackedFlags", bool) or False,
    )
    return {"state": state.to_dict()}


def context_of(params: Form) -> Context | None:
    data = params.get("context", dict)
    try:
        return None if data is None else Context.from_dict(data)
    except InvalidArgumentError as error:
        raise Refused(400, str(error)) from error


def _needed_context(params: Form) -> Context:
    context = context_of(params)
    if context is None:
        raise Refused(400, "the context is missing")
    return context


def secure_mode_hash(client: Client, params: Form) -> dict[str, Any]:
    return {"result": client.secure_mode_hash(_needed_context(params))}


def context_build(_: Client, params: Form) -> dict[str, Any]:
    return _output(lambda: _context(params, _described))


def context_convert(_: Client, params: Form) -> dict[str, Any]:
    text = params.need("input", str)
    return _output(lambda: Context.from_json(text))


def context_comparison(_: Client, params: Form) -> dict[str, Any]:
    first, second = params.need_form("context1"), params.need_form("context2")
    try:
        return {"equals": _context(first, _listed) == _context(second, _listed)}
    except InvalidArgumentError as error:
        raise Refused(400, str(error)) from error


def _output(make: Callable[[], Context]) -> dict[str, Any]:
    try:
        return {"output": make().to_json_string()}
    except InvalidArgumentError as error:
        return {"error": str(error)}


def _context(params: Form, describe: Callable[[Form], ContextBuilder]) -> Context:
    single = params.form("single")
    if single:
        return describe(single).build()
    builder = Context.multi_builder()
    for member in params.forms("multi"):
        builder.add(describe(member).build())
    return builder.build()


def _described(single: Form) -> ContextBuilder:
    """A builder that got what ``contextBuild`` tells about one context."""
    builder = Context.builder(single.need("key", str))
    kind, name, anonymous = single.get("kind", str), single.get("name", str), single.get("anonymous", bool)
    if kind is not None:
        builder.kind(kind)
    if name is not None:
        builder.name(name)
    if anonymous is not None:
        builder.anonymous(anonymous)
    for attribute, value in (single.get("custom", dict) or {}).items():
        builder.set(attribute, value)
    return builder.private(*single.texts("private"))


def _listed(single: Form) -> ContextBuilder:
    """The same for ``contextComparison``, which lists attributes in an order."""
    builder = Context.builder(single.need("key", str)).kind(single.need("kind", str))
    for attribute in single.forms("attributes"):
        builder.set(attribute.need("name", str), attribute.anything("value"))
    for private in single.forms("privateAttributes"):
        mark = builder.private_names if private.get("literal", bool) else builder.private
        mark(private.need("value", str))
    return builder


def identify(client: Client, params: Form) -> dict[str, Any]:
    client.identify(_needed_context(params))
    return {}


def track(client: Client, params: Form) -> dict[str, Any]:
    metric = params.anything("metricValue")
    if metric is not None and type(metric) not in (int, float):
        raise Refused(400, "metricValue is no number")
    client.track(params.need("eventKey", str), _needed_context(params), params.anything("data"), metric)
    return {}


def flush(client: Client, _: Form) -> dict[str, Any]:
    client.flush()
    return {}


COMMANDS: dict[str, Callable[[Client, Form], dict[str, Any]]] = {
    "evaluate": evaluate,
    "evaluateAll": evaluate_all,
    "secureModeHash": secure_mode_hash,
    "contextBuild": context_build,
    "contextConvert": context_convert,
    "contextComparison": context_comparison,
    "identifyEvent": identify,
    "customEvent": track,
    "flushEvents": flush,
}


def run_command(client: Client, body: Form) -> dict[str, Any]:
    command = body.need("command", str)
    if command in LATER_COMMANDS:
        raise Refused(501, f"{command} is not supported yet")
    if command not in COMMANDS:
        raise Refused(400, f"{command!a} is no command")
    # Some have no parameters at all.
    return COMMANDS[command](client, Form(body.get(command, dict) or {}, command))


# The service


class Clients:
    """The clients that the harness has opened and not closed, by number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Client] = {}
        self._latest = 0
        self._ended = False

    def add(self, client: Client) -> int:
        with self._lock:
            if not self._ended:
                self._latest += 1
                self._open[self._latest] = client
                return self._latest
        client.close()
        raise Refused(500, "the service is ending")

    def get(self, number: int) -> Client:
        with self._lock:
            return self._found(self._open.get(number), number)

    def close(self, number: int) -> None:
        with self._lock:
            client = self._found(self._open.pop(number, None), number)
        if not client.close():
            raise Refused(500, f"client {number} did not end in time")

    def close_all(self) -> None:
        """Closes what is open, and what is still being opened as soon as it comes."""
        with self._lock:
            self._ended = True
            left, self._open = self._open, {}
        for number, client in left.items():
            logger.info("client %d was left open", number)
            client.close()

    def __iter__(self) -> Iterator[Client]:
        with self._lock:
            return iter(list(self._open.values()))

    @staticmethod
    def _found(client: Client | None, number: int) -> Client:
        if client is None:
            raise Refused(404, f"there is no client {number}")
        return client


class Service(ThreadingHTTPServer):
    """Listens on the loopback interface and answers each connection on a thread of its own."""

    daemon_threads = True  # a connection that the harness keeps open does not keep the service

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.clients = Clients()
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def run(self) -> None:
        """Serves until :attr:`stopped` is set; then closes all clients."""
        serving = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            self.stopped.wait()
        finally:
            self.shutdown()
            self.server_close()
            self.clients.close_all()


class Handler(BaseHTTPRequestHandler):
    """One connection of the harness."""

    server: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _is_the_end = False

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        finally:
            # Not earlier: the process may end before it has sent its answer.
            if self._is_the_end:
                self.server.stopped.set()

    def do_GET(self) -> None:
        self._answer({"/": self._describe})

    def do_POST(self) -> None:
        self._answer({"/": self._open, "/clients/N": self._command})

    def do_DELETE(self) -> None:
        self._answer({"/": self._end, "/clients/N": self._close})

    def _describe(self, _: int, __: bytes) -> tuple[int, dict[str, str], Any]:
        description = {"name": "flagstone-python", "clientVersion": flagstone.__version__, "capabilities": CAPABILITIES}
        return 200, {}, description

    def _open(self, _: int, body: bytes) -> tuple[int, dict[str, str], Any]:
        form = _parsed(body)
        tag = form.get("tag", str)
        number = self.server.clients.add(open_client(form.need_form("configuration")))
        logger.info("client %d: %s", number, tag)
        return 201, {"Location": f"/clients/{number}"}, None

    def _command(self, number: int, body: bytes) -> tuple[int, dict[str, str], Any]:
        return 200, {}, run_command(self.server.clients.get(number), _parsed(body))

    def _close(self, number: int, _: bytes) -> tuple[int, dict[str, str], Any]:
        self.server.clients.close(number)
        return 204, {}, None

    def _end(self, _: int, __: bytes) -> tuple[int, dict[str, str], Any]:
        self._is_the_end = True
        return 204, {"Connection": "close"}, None

    def _answer(self, actions: dict[str, Callable[[int, bytes], tuple[int, dict[str, str], Any]]]) -> None:
        try:
            body = self._body()
            place = re.fullmatch(r"/|/clients/([0-9]{1,18})", self.path)
            action = actions.get("/clients/N" if place and place[1] else "/") if place else None
            if action is None:
                raise Refused(404, f"there is nothing at {self.path}")
            status, headers, result = action(int(place[1] or 0) if place else 0, body)
            self._reply(status, headers, "application/json", b"" if result is None else json.dumps(result).encode())
        except Refused as refusal:
            self._reply(refusal.status, {}, "text/plain; charset=utf-8", f"{refusal}\n".encode(errors="replace"))
        except ClosedError:
            self._reply(404, {}, "text/plain", b"the client has been closed meanwhile\n")
        except Exception:
            logger.exception("%s %s", self.command, self.path)
            self._reply(500, {}, "text/plain", b"the service failed; its log tells why\n")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]{1,9}", length) or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # where the next request begins is not known
            raise Refused(400, "the length of the body is not told")
        return self.rfile.read(int(length))

    def _reply(self, status: int, headers: dict[str, str], kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def _parsed(body: bytes) -> Form:
    try:
        return Form(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {error}") from error


def main() -> None:
    parser = argparse.ArgumentParser(
        description="The test service of LaunchDarkly's contract tests for the Python package."
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default: a free one")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    service = Service(arguments.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stopped.set())
    print(service.url, flush=True)
    service.run()


if __name__ == "__main__":
    main()

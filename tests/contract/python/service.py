"""The test service of LaunchDarkly's contract tests: it lets the harness, which knows no Python, use the Python binding.

Every request becomes calls of the package's public interface; the service evaluates, caches and converts nothing itself, so
that what the harness finds is a property of the package.

    python service.py [--port N]

It says on standard output where it listens (port 0: a free one), and ends on ``DELETE /``, SIGTERM and SIGINT. All its
clients are closed first.

    forms           requests
    configuration   the harness's configuration as options
    commands        its commands as calls
    callbacks       hooks, a store and systems to migrate, all of which ask the harness
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
from typing import Any, Callable

import flagstone
from commands import run_command
from configuration import open_client
from flagstone import Client, ClosedError
from forms import Form, Refused

CAPABILITIES = (
    "server-side",
    "server-side-polling",
    "all-flags-with-reasons",
    "all-flags-client-side-only",
    "all-flags-details-only-for-tracked-flags",
    "client-prereq-events",
    "context-type",
    "context-comparison",
    "strongly-typed",
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
    "big-segments",
    "migrations",
    "evaluation-hooks",
    "track-hooks",
    "hook-environment-id",
)

logger = logging.getLogger("contract")


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
            self._reply(status, headers, "application/json", b"" if result is None else _written(result))
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


def _written(result: Any) -> bytes:
    """JSON as it stands in UTF-8: the harness takes the escaped halves of a character for two."""
    return json.dumps(result, ensure_ascii=False).encode(errors="replace")


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

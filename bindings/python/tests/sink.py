"""Where the events of a test go: an HTTP server of the test's own that keeps what it receives."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support import PATIENCE, SDK_KEY, until

Event = dict[str, Any]


class Payload:
    """One that was received."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path, self.headers = path, headers
        self.content: Any = json.loads(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)


class Sink(ThreadingHTTPServer):
    """Takes events; answers ``status``, once ``open`` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Payload] = []
        self.status = 202
        #: Seconds before each answer.
        self.delay = 0.0
        self.open = threading.Event()
        self.open.set()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def options(self, **options: Any) -> dict[str, Any]:
        """Of a client that sends here, and only when it is told to."""
        sends = {"sdk_key": SDK_KEY, "endpoints_events": self.url, "events_flush_interval_ms": 3_600_000}
        return {**sends, "events_diagnostics": False, **options}

    def events(self, *kinds: str) -> list[Event]:
        """Everything received so far in the order of its arrival, or what is of these kinds."""
        events = [event for payload in list(self.received) if payload.path == "/bulk" for event in payload.content]
        return [event for event in events if not kinds or event["kind"] in kinds]

    def features(self) -> dict[str, Any]:
        """What the summaries count, by key of the flag: the default, and the counters by value as JSON."""
        found: dict[str, Any] = {}
        for event in self.events("summary"):
            for key, feature in event["features"].items():
                _, counts = found.setdefault(key, (feature.get("default"), {}))
                for counter in feature["counters"]:
                    value = json.dumps(counter.get("value"))
                    counts[value] = counts.get(value, 0) + counter["count"]
        return found

    def wait_for(self, condition: Callable[[], bool]) -> None:
        assert until(condition, PATIENCE), self.events()

    def close(self) -> None:
        self.open.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Sink
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.open.wait(4 * PATIENCE)
        time.sleep(self.server.delay)
        if self.server.status < 300:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.received.append(Payload(self.path, headers, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

"""A LaunchDarkly that has big segments, for a Relay Proxy to take from: members come as patches, which are polled and then
streamed; each names the one before."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support import hash_of

Patch = dict[str, Any]


class BigSegments(ThreadingHTTPServer):
    """Serves a data set that does not change, and patches of the members of its segments."""

    daemon_threads = True

    def __init__(self, items: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.items = items
        self.patches: list[Patch] = []
        self.changed = threading.Condition()
        self.is_open = True
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def patch(self, segment: str, **changes: list[str]) -> None:
        """Changes members of a segment, named with its generation: ``included_add`` and so on are keys of users."""
        made: dict[str, dict[str, list[str]]] = {part: {"add": [], "remove": []} for part in ("included", "excluded")}
        for name, keys in changes.items():
            part, _, what = name.partition("_")
            made[part][what] = [hash_of(key) for key in keys]
        with self.changed:
            number = len(self.patches)
            versions = {"version": f"v{number + 1}", "previousVersion": f"v{number}" if number else ""}
            self.patches.append({"environmentId": "e", "segmentId": segment, **versions, "changes": made})
            self.changed.notify_all()

    def after(self, version: str) -> list[Patch]:
        return self.patches[int(version[1:] or 0) :]

    def close(self) -> None:
        with self.changed:
            self.is_open = False
            self.changed.notify_all()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: BigSegments

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/all":
            self._begin("text/event-stream")
            self._event("put", {"path": "/", "data": self.server.items})
            self._wait_for_patches(sys.maxsize)
        elif address.path == "/sdk/big-segments/revisions":
            self._begin("application/json")
            after = parse_qs(address.query).get("after", [""])[0]
            self.wfile.write(json.dumps(self.server.after(after)).encode())
        elif address.path == "/big-segments":
            self._begin("text/event-stream")
            self._follow()
        else:
            self.send_error(404)

    def _begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def _event(self, name: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def _follow(self) -> None:
        """Sends what is patched from now on."""
        sent = len(self.server.patches)
        self.wfile.write(b":\n\n")
        while self._wait_for_patches(sent):
            patches = self.server.patches[sent:]
            self._event("patch", patches)
            sent += len(patches)

    def _wait_for_patches(self, sent: int) -> bool:
        """Waits until there are more; false when there will be none."""
        server = self.server
        with server.changed:
            server.changed.wait_for(lambda: not server.is_open or len(server.patches) > sent)
        return server.is_open

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

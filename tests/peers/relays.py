"""LaunchDarkly's Relay Proxy as the tests start it: on a free port, with a configuration of its own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

from support import PATIENCE, SDK_KEY, Environment, LaunchDarkly, Server, free_port, until

#: By the name of the section, what stands in it.
Sections = dict[str, dict[str, Any]]


def relay_program() -> str | None:
    """The Relay Proxy, if there is one."""
    return os.environ.get("LD_RELAY") or shutil.which("ld-relay")


def of_redis(server: Server) -> Sections:
    return {"Redis": {"url": server.url, "localTtl": "1s"}}


def of_launchdarkly(url: str) -> Sections:
    return {"Main": {"streamUri": url, "baseUri": url}}


def of_environment(environment: Environment, **settings: Any) -> Sections:
    return {'Environment "test"': {"sdkKey": SDK_KEY, "prefix": environment.prefix, **settings}}


class Relay:
    """A Relay Proxy that can be ended and started again, on the same port."""

    def __init__(self, program: str, folder: Path, sections: Sections, variables: dict[str, str] | None = None) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._program = program
        #: Of its process: another way to give settings, which counts beside the file where there are any.
        self._variables = variables or {}
        self._configuration, self._log = folder / f"relay-{port}.conf", folder / f"relay-{port}.log"
        sections = {**sections, "Main": {**sections.get("Main", {}), "port": port}}
        lines = []
        for section, settings in sections.items():
            lines += [f"[{section}]", *(f"{name} = {json.dumps(str(value))}" for name, value in settings.items())]
        self._configuration.write_text("\n".join([*lines, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, status: str = "connected") -> None:
        """Starts it, and waits until all environments are ``status``: what is connected has filled Redis, too."""
        with open(self._log, "w") as log:
            arguments = [self._program, "--config", str(self._configuration), *(["--from-env"] if self._variables else [])]
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log, env={**os.environ, **self._variables})
        assert until(lambda: self.has_status(status)), self._log.read_text()

    def has_status(self, status: str) -> bool:
        assert self._process and self._process.poll() is None, self._log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/status", timeout=PATIENCE) as response:
                environments = json.load(response)["environments"].values()
        except OSError:
            return False
        return bool(environments) and all(one["status"] == status for one in environments)

    def end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()


def streaming_relay(fake: LaunchDarkly, environment: Environment, events: str | None = None) -> Sections:
    """Of a Relay Proxy that streams from ``fake``, fills Redis, and sends events on."""
    return {
        **of_launchdarkly(fake.url),
        **of_redis(environment.server),
        **of_environment(environment),
        "Events": {"sendEvents": str(bool(events)).lower(), "eventsUri": events or fake.url, "flushInterval": "100ms"},
    }


class Archive:
    """The file from which a Relay Proxy takes everything in offline mode: for each environment what it is, and its data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._edition = 0

    def write(self, environments: dict[str, dict[str, Any]]) -> None:
        """Puts a file with these data, by id of the environment, in place of the former one. SDK keys are ``key-ID``."""
        self._edition += 1
        files: dict[str, Any] = {}
        for name, data in environments.items():
            identity = {"envID": name, "envKey": name, "envName": name, "projKey": "project", "projName": "Project"}
            made = {**identity, "sdkKey": {"value": f"key-{name}"}, "version": self._edition}
            files[f"{name}.json"] = {"env": made, "dataId": str(self._edition)}
            files[f"{name}-data.json"] = data
        texts = {name: json.dumps(content).encode() for name, content in files.items()}
        texts["checksum.md5"] = hashlib.md5(b"".join(texts[name] for name in sorted(texts))).digest()
        whole = self.path.with_suffix(".new")
        with tarfile.open(whole, "w:gz") as archive:
            for name, text in texts.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text))
        whole.replace(self.path)

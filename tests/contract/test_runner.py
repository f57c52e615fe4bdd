"""The runner of the contract tests: it says when there is no harness, and leaves nothing behind when the harness, or it
itself, goes away in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagstone._lib import PATH

RUNNER = Path(__file__).parents[2] / "tools" / "conformance.sh"

#: Stands for the harness: opens a client, says so, and goes on until it is ended.
STAND_IN = """#!/usr/bin/env python3
import json, os, sys, time, urllib.request
print("sdk-test-harness v{version}", flush=True)
if "-h" in sys.argv:
    sys.exit()
url = sys.argv[sys.argv.index("-url") + 1]
store = {{"store": {{"type": "redis", "dsn": "redis://localhost:6379"}}, "cache": {{"mode": "off"}}}}
body = {{"configuration": {{"credential": "key", "persistentDataStore": store}}}}
urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).read()
with open({pid!r} + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename({pid!r} + ".new", {pid!r})
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def a_place_for_redis() -> None:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", 6379)) == 0
    options = ["--net"] if os.getuid() == 0 else ["--net", "--map-root-user"]
    if taken and subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode:
        pytest.skip("port 6379 is taken, and there are no network namespaces")


def run(folder: Path, *arguments: str, version: str = "2.41.0", **variables: str) -> subprocess.Popen[str]:
    """Starts the runner for the Python package, with a stand-in for the harness; it writes below ``folder``."""
    harness = folder / "harness"
    harness.write_text(STAND_IN.format(version=version, pid=str(folder / "pid")))
    harness.chmod(0o755)
    # As if cargo had built there what these tests were loaded with.
    (folder / "release").mkdir(exist_ok=True)
    (folder / "release" / "libflagstone.so").symlink_to(PATH)
    own = {"CARGO_TARGET_DIR": str(folder), "SDK_TEST_HARNESS": str(harness)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([str(RUNNER), "python", *arguments], env={**os.environ, **own, **variables}, **pipes)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pid_of_the_harness(folder: Path) -> int:
    logs = folder / "conformance" / "python"
    assert until((folder / "pid").exists), [(log.name, log.read_text()) for log in logs.glob("*")]
    return int((folder / "pid").read_text())


def left(folder: Path) -> list[str]:
    """Command lines of the processes that the runner for ``folder`` started, directly or not."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # Redis writes over its environment, but works in a folder there.
            started = f"CARGO_TARGET_DIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0")
            if started or folder in (process / "cwd").readlink().parents:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            pass
    return [command for command in found if command]


def test_without_a_harness_it_says_so_with_a_status_of_its_own(tmp_path: Path) -> None:
    status, output = finish(run(tmp_path, SDK_TEST_HARNESS=str(tmp_path / "none")))
    assert status == 77, output
    assert "the contract tests were not run" in output and "v2.41.0" in output


def test_a_harness_of_another_version_is_none(tmp_path: Path) -> None:
    status, output = finish(run(tmp_path, version="2.40.0"))
    assert status == 77, output
    assert "not v2.41.0" in output and "v2.40.0" in output


def test_a_harness_that_goes_away_is_a_failure_and_leaves_nothing_behind(tmp_path: Path) -> None:
    process = run(tmp_path)
    os.kill(pid_of_the_harness(tmp_path), signal.SIGKILL)
    status, output = finish(process)
    assert status == 1 and "the harness did not come to its end" in output, output
    assert left(tmp_path) == []
    assert "client 1 was left open" in (tmp_path / "conformance" / "python" / "service.log").read_text()


def test_what_was_built_is_judged_whatever_library_the_caller_uses(tmp_path: Path) -> None:
    another = tmp_path / "another.so"
    another.write_text("no library")
    process = run(tmp_path, FLAGSTONE_LIBRARY_PATH=str(another))
    os.kill(pid_of_the_harness(tmp_path), signal.SIGKILL)
    status, output = finish(process)
    assert status == 1 and "the harness did not come to its end" in output, output
    assert f"against python with {tmp_path / 'release' / 'libflagstone.so'}\n" in output, output


def test_without_a_library_it_says_so(tmp_path: Path) -> None:
    status, output = finish(run(tmp_path, CARGO_TARGET_DIR=str(tmp_path / "empty")))
    assert status == 1 and f"{tmp_path / 'empty' / 'release' / 'libflagstone.so'} is missing" in output, output


def test_a_harness_that_hangs_is_ended(tmp_path: Path) -> None:
    status, output = finish(run(tmp_path, CONFORMANCE_SECONDS="3"))
    assert status == 1 and "after 3 seconds" in output, output
    assert left(tmp_path) == []


def test_a_runner_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    process = run(tmp_path)
    pid_of_the_harness(tmp_path)
    for program in ("redis-server", "service.py", "timeout"):
        assert any(program in command for command in left(tmp_path)), program
    process.kill()
    assert until(lambda: left(tmp_path) == []), left(tmp_path)
    finish(process)

"""The sample applications, each as its heading says it is started, with flags that change under it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import FULL, PATIENCE, PROJECT, Environment, free_port, until

FLAG = "checkout.new-payment-form"
WORKERS = 2
OLD, NEW = "old payment form", "new payment form"

pytestmark = pytest.mark.skipif(not FULL, reason="run once, on the default Python version")


def flag_for(version: int, *countries: str) -> str:
    """The flag of the samples: on for these countries."""
    clause = {"contextKind": "user", "attribute": "country", "op": "in", "values": countries}
    rules = [{"id": "launched", "variation": 0, "clauses": [clause]}]
    flag = {"key": FLAG, "version": version, "on": True, "variations": [True, False], "fallthrough": {"variation": 1}}
    return json.dumps({**flag, "offVariation": 1, "salt": "s", "rules": rules, "targets": [], "prerequisites": []})


class Sample:
    """A running sample: its output, and what it answers at its port."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int) -> None:
        self.process, self.log, self.port = process, log, port

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers yet."""
        # The next request may go to another worker.
        all_headers = {"Connection": "close", **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=all_headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (ConnectionError, urllib.error.URLError):
            return 0, ""

    def checkout(self, country: str) -> str:
        """What is shown to somebody."""
        return self.get("/checkout", X_User="ada", X_Country=country)[1].strip('"')

    def every_worker(self, **expected: Any) -> None:
        """Waits until every worker's health is as expected."""
        processes: set[int] = set()
        answers: list[tuple[int, str]] = []

        def all_told() -> bool:
            # At the same time, so that one worker does not take them all.
            answers[:] = pool.map(lambda _: self.get("/health"), range(2 * WORKERS))
            for health in [json.loads(body) for status, body in answers if status]:
                if expected.items() <= health.items():
                    processes.add(health["process"])
            return len(processes) >= WORKERS

        with ThreadPoolExecutor(2 * WORKERS) as pool:
            assert until(all_told), (processes, answers, self.log.read_text())

    def stop(self) -> None:
        """Asks it to end, which it does, and its workers, without a word of trouble."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(2 * PATIENCE) in (0, -signal.SIGTERM), self.log.read_text()
        assert "Traceback" not in self.log.read_text(), self.log.read_text()


@contextmanager
def running(environment: Environment, folder: Path, *command: str, port: int = 0) -> Iterator[Sample]:
    log = folder / "log"
    variables = {"REDIS_URL": environment.server.url, "REDIS_PREFIX": environment.prefix, "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=PROJECT / "examples" / "python",
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Sample(process, log, port)
    finally:
        try:
            # Its workers, too, which may hang.
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def use(sample: Sample, environment: Environment) -> None:
    """What every web application does: each worker answers for whoever asks, sees edits, and lives through an outage."""
    sample.every_worker(state="VALID", flags=1, stale=False)
    assert (sample.checkout("se"), sample.checkout("no")) == (NEW, OLD)
    status, body = sample.get(f"/flags/{FLAG}", X_Country="se")
    reason = {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "launched"}
    assert (status, json.loads(body)) == (200, {"value": True, "reason": reason, "stale": False})
    environment.write(**{FLAG: flag_for(2, "no")})
    # Several in a row: the workers take turns.
    assert until(lambda: all(sample.checkout("se") == OLD and sample.checkout("no") == NEW for _ in range(8)))
    environment.server.stop()
    sample.every_worker(stale=True, flags=1)
    assert (sample.checkout("no"), sample.get("/health")[0]) == (NEW, 200)
    environment.server.start()
    environment.write(**{FLAG: flag_for(3, "se")})
    sample.every_worker(stale=False, state="VALID")
    assert until(lambda: all(sample.checkout("se") == NEW for _ in range(8)))


def test_fastapi_under_uvicorn(own: Environment, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="FastAPI is not installed in this Python's test environment")
    own.write(**{FLAG: flag_for(1, "se")})
    port = free_port()
    command = ["uvicorn", "fastapi_app:app", "--workers", str(WORKERS), "--port", str(port)]
    with running(own, tmp_path, *command, port=port) as sample:
        use(sample, own)
        status, page = sample.get("/metrics")
        assert status == 200 and f'flagstone_evaluations_total{{flag="{FLAG}"' in page and "process_cpu_seconds" in page
        sample.stop()
        assert sample.log.read_text().count("Application shutdown complete") == WORKERS
        assert until(lambda: own.server.connections() == 1), "the test's own"


def test_flask_under_gunicorn_that_preloads(own: Environment, tmp_path: Path) -> None:
    own.write(**{FLAG: flag_for(1, "se")})
    port = free_port()
    command = ["gunicorn", "--preload", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}", "flask_app:app"]
    with running(own, tmp_path, *command, port=port) as sample:
        use(sample, own)
        sample.stop()
        assert until(lambda: own.server.connections() == 1), "the test's own"


def test_the_first_minute_of_the_readme_is_as_it_says(own: Environment, tmp_path: Path) -> None:
    program = os.environ.get("FLAGSTONE_TEST_CLI", "")
    if not os.access(program, os.X_OK):
        pytest.skip("missing: the program flagstone (FLAGSTONE_TEST_CLI)")
    readme = (PROJECT / "bindings" / "python" / "README.md").read_text()
    (block,) = [block for block in re.findall(r"^```console\n(.*?)^```$", readme, re.M | re.S) if "X-Country" in block]
    (flags,) = re.findall(r"^\$ flagstone import (\S+) --yes ", block, re.M)
    place = ["--url", own.server.url, "--prefix", own.prefix]
    subprocess.run([program, "import", PROJECT / "examples" / "python" / flags, "--yes", *place], check=True)
    port = free_port()
    command = ["gunicorn", "--preload", "--workers", "1", "--bind", f"127.0.0.1:{port}", "flask_app:app"]
    with running(own, tmp_path, *command, port=port) as sample:
        assert until(lambda: sample.get("/health")[0] == 200), sample.log.read_text()
        asked = re.findall(r"^\$ curl (.*?)localhost:8000(/\w+).*\n(.+)$", block, re.M)
        assert len(asked) == 3
        for headers, path, expected in asked:
            answer = sample.get(
                path, **{name.replace("-", "_"): value for name, value in re.findall(r"'(\S+): (\w+)'", headers)}
            )
            assert re.sub(r'"process":\d+', '"process":4711', answer[1].strip()) == expected
        sample.stop()


def test_django_under_gunicorn_that_preloads(own: Environment, tmp_path: Path) -> None:
    pytest.importorskip("django", reason="Django is not installed in this Python's test environment")
    own.write(**{FLAG: flag_for(1, "se")})
    port = free_port()
    command = ["gunicorn", "--preload", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}", "django_app:application"]
    with running(own, tmp_path, *command, port=port) as sample:
        use(sample, own)
        status, page = sample.get("/metrics")
        assert status == 200 and f'flagstone_evaluations_total{{flag="{FLAG}"' in page
        # The watch comes back a little later than the data.
        assert until(lambda: 'flagstone_freshness{rung="push"} 1' in sample.get("/metrics")[1])
        sample.stop()
        assert until(lambda: own.server.connections() == 1), "the test's own"


def test_a_web_application_starts_without_redis_and_is_well_once_it_is_there(own: Environment, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="FastAPI is not installed in this Python's test environment")
    own.server.stop()
    port = free_port()
    with running(own, tmp_path, "uvicorn", "fastapi_app:app", "--port", str(port), port=port) as sample:
        assert until(lambda: sample.get("/health")[0] == 503), sample.log.read_text()
        assert sample.checkout("se") == OLD, "the default"
        own.server.start()
        own.write(**{FLAG: flag_for(1, "se")})
        assert until(lambda: sample.get("/health")[0] == 200 and sample.checkout("se") == NEW)
        sample.stop()


def test_tasks_of_celery(own: Environment, tmp_path: Path) -> None:
    celery = pytest.importorskip("celery", reason="Celery is not installed in this Python's test environment")
    own.write(**{FLAG: flag_for(1, "se")})
    broker = f"{own.server.url}/1"
    caller = celery.Celery(broker=broker, backend=broker)

    def invoices(*countries: str) -> list[Any]:
        """What comes of tasks that wait at the same time, so that every process of the pool has some."""
        sent = [caller.send_task("celery_app.invoice", ["ada", country]) for country in countries]
        return [task.get(timeout=4 * PATIENCE) for task in sent]

    command = ["celery", "-A", "celery_app", "worker", "--concurrency", str(WORKERS), "-l", "WARNING"]
    with running(own, tmp_path, *command) as sample:
        told, other = invoices("se", "no")
        reason = {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "launched"}
        assert {**told, "process": 0} == {"form": "new", "reason": reason, "stale": False, "process": 0}
        assert other["form"] == "old" and sample.process.pid not in (told["process"], other["process"])
        own.write(**{FLAG: flag_for(2, "no")})
        processes: set[int] = set()

        def all_see_it() -> bool:
            results = invoices(*["se"] * 8)
            processes.update(result["process"] for result in results if result["form"] == "old")
            return len(processes) == WORKERS

        assert until(all_see_it), sample.log.read_text()
        (health,) = caller.control.inspect(timeout=PATIENCE, limit=1)._request("flags").values()
        assert health == {"ready": True, "state": "VALID", "flags": 1}
        caller.close()
        sample.stop()
        assert until(lambda: clients(own) == 1), sample.log.read_text()


def clients(environment: Environment) -> int:
    """How many are connected to the database of the flags, the test's own connection included: Celery's are in another."""
    listed: Any = environment.server.redis.client_list()
    return sum(client["db"] == "0" for client in listed)

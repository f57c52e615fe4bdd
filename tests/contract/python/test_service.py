"""The test service itself: bad requests get the status that the harness's contract names, and nothing outlives its end.

What it answers to good requests is what the harness judges.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

import service as contract
from configuration import open_client
from flagstone import Client, State
from forms import Form
from service import Service

#: How many seconds a test waits for something that is to happen: a slow and busy machine must not fail a test.
PATIENCE = 30
#: Nothing listens there, so the client is not ready; a test that reached a Redis would be at its mercy.
DAEMON = {
    "credential": "sdk-key",
    "startWaitTimeMs": 1,
    "persistentDataStore": {"store": {"type": "redis", "dsn": "redis://127.0.0.1:1"}, "cache": {"mode": "off"}},
}


class Caller:
    """Sends requests over one connection, as the harness does."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def send(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        self._connection.request(method, path, data)
        response = self._connection.getresponse()
        self.location = response.headers.get("Location", "")
        return response.status, response.read().decode()

    def open(self, configuration: object = DAEMON) -> str:
        status, answer = self.send("POST", "/", {"tag": "test", "configuration": configuration})
        assert status == 201, answer
        return self.location

    def close(self) -> None:
        self._connection.close()


class Running:
    """A service in this process, and a connection to it."""

    def __init__(self) -> None:
        self.service = Service(0)
        self._thread = threading.Thread(target=self.service.run)
        self._thread.start()
        self.caller = Caller(self.service.server_address[1])

    def end(self) -> None:
        self.service.stopped.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.caller.close()

    def ends(self) -> bool:
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def clients(self) -> list[Client]:
        return list(self.service.clients)


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.end()


@pytest.fixture
def caller(running: Running) -> Caller:
    return running.caller


def test_it_tells_what_it_can_do(caller: Caller) -> None:
    status, answer = caller.send("GET", "/")
    description = json.loads(answer)
    assert (status, description["name"]) == (200, "flagstone-python")
    assert "server-side" in description["capabilities"]
    assert len(set(description["capabilities"])) == len(contract.CAPABILITIES)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        [],
        {},
        {"configuration": 3},
        {"configuration": {}},
        {"configuration": {"credential": 3}},
        {"configuration": {"credential": "a", "tag": {}, "startWaitTimeMs": "1"}},
        {"configuration": {"credential": "a", "startWaitTimeMs": True}},
        {"configuration": {"credential": "a", "streaming": {"filter": 3}}},
        {"configuration": {"credential": "a", "streaming": {"initialRetryDelayMs": -1}}},
        {"configuration": {"credential": "a", "proxy": {"httpProxy": "\ud800"}}},
        {"configuration": {"credential": "a", "persistentDataStore": {}}},
        {"configuration": {"credential": "a", "bigSegments": {}}},
        {"configuration": {"credential": "a", "bigSegments": {"callbackUri": "x", "staleAfterMs": -1}}},
        {"configuration": {"credential": "a", "hooks": {"hooks": [{}]}}},
        {"configuration": {"credential": "a", "hooks": {"hooks": [{"name": "h", "callbackUri": "x", "data": 3}]}}},
        {
            "configuration": {
                **DAEMON,
                "persistentDataStore": {"store": {"type": "redis", "dsn": "x"}, "cache": {"mode": "?"}},
            }
        },
        {
            "configuration": {
                **DAEMON,
                "persistentDataStore": {"store": {"type": "redis", "dsn": "x"}, "cache": {"mode": "ttl"}},
            }
        },
        {
            "configuration": {
                **DAEMON,
                "persistentDataStore": {"store": {"type": "redis", "dsn": ":"}, "cache": {"mode": "off"}},
            }
        },
    ],
    ids=repr,
)
def test_a_bad_configuration_is_400_and_leaves_no_client(running: Running, body: object) -> None:
    status, answer = running.caller.send("POST", "/", body)
    assert (status, running.clients()) == (400, []), answer


def test_another_store_than_redis_is_501(caller: Caller) -> None:
    store = {"store": {"type": "consul", "dsn": "x"}, "cache": {"mode": "off"}}
    assert caller.send("POST", "/", {"configuration": {**DAEMON, "persistentDataStore": store}})[0] == 501


CONTEXT = {"kind": "user", "key": "u"}
MIGRATION = {
    "key": "f",
    "context": {"kind": "user", "key": "u"},
    "defaultStage": "off",
    "operation": "read",
    "readExecutionOrder": "concurrent",
    "oldEndpoint": "http://127.0.0.1:1/",
    "newEndpoint": "http://127.0.0.1:1/",
}
EVALUATE = {"flagKey": "f", "context": CONTEXT, "valueType": "any", "defaultValue": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        [],
        {},
        {"command": None},
        {"command": 3},
        {"command": "unheard-of"},
        {"command": "evaluate"},
        {"command": "evaluate", "evaluate": []},
        {"command": "evaluate", "evaluate": {}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "flagKey": 3}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "detail": "yes"}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "valueType": "number"}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "valueType": "bool"}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "valueType": "int", "defaultValue": True}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "valueType": "string", "defaultValue": None}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "context": "u"}},
        {"command": "evaluate", "evaluate": {**EVALUATE, "context": {"kind": "user"}}},
        {"command": "evaluateAll", "evaluateAll": {"context": CONTEXT, "withReasons": 1}},
        {"command": "secureModeHash", "secureModeHash": {}},
        {"command": "identifyEvent", "identifyEvent": {}},
        {"command": "identifyEvent", "identifyEvent": {"context": {"kind": "user"}}},
        {"command": "customEvent", "customEvent": {"context": CONTEXT}},
        {"command": "customEvent", "customEvent": {"eventKey": "e", "context": CONTEXT, "metricValue": "1"}},
        {"command": "contextConvert", "contextConvert": {"input": {}}},
        {"command": "contextBuild", "contextBuild": {"single": {}}},
        {"command": "contextBuild", "contextBuild": {"single": {"key": "a", "private": [3]}}},
        {"command": "contextBuild", "contextBuild": {"multi": [3]}},
        {"command": "migrationVariation", "migrationVariation": {}},
        {"command": "migrationVariation", "migrationVariation": {**MIGRATION, "defaultStage": "later"}},
        {"command": "migrationOperation", "migrationOperation": {**MIGRATION, "readExecutionOrder": "sideways"}},
        {"command": "migrationOperation", "migrationOperation": {**MIGRATION, "operation": 3}},
        {"command": "contextComparison", "contextComparison": {"context1": {"single": {"kind": "a", "key": "b"}}}},
    ],
    ids=repr,
)
def test_a_bad_command_is_400_and_leaves_the_client(running: Running, body: object) -> None:
    location = running.caller.open()
    status, answer = running.caller.send("POST", location, body)
    assert status == 400, answer
    assert running.caller.send("POST", location, {"command": "evaluate", "evaluate": EVALUATE})[0] == 200


def test_an_operation_whose_system_is_not_there_says_why(caller: Caller) -> None:
    status, answer = caller.send("POST", caller.open(), {"command": "migrationOperation", "migrationOperation": MIGRATION})
    assert status == 200 and "refused" in json.loads(answer)["result"]


def test_events_are_told_without_an_answer(caller: Caller) -> None:
    location = caller.open()
    for command, params in [
        ("identifyEvent", {"context": CONTEXT}),
        ("customEvent", {"eventKey": "e", "context": CONTEXT, "data": {"a": 1}, "metricValue": 1.5}),
        ("flushEvents", None),
    ]:
        assert caller.send("POST", location, {"command": command, command: params})[0] == 200


def test_a_context_that_the_package_refuses_is_an_answer(caller: Caller) -> None:
    location = caller.open()
    for command, params in [
        ("contextBuild", {"single": {"key": ""}}),
        ("contextBuild", {}),
        ("contextConvert", {"input": "{"}),
    ]:
        status, answer = caller.send("POST", location, {"command": command, command: params})
        assert status == 200 and json.loads(answer)["error"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/clients/99", "/clients/0", "/clients/", "/clients/1x", "/clients/" + "9" * 30, "/other"]
)
def test_an_unknown_client_is_404(caller: Caller, method: str, path: str) -> None:
    assert caller.open() == "/clients/1"
    assert caller.send(method, path, {"command": "evaluate", "evaluate": EVALUATE})[0] == 404


def test_a_closed_client_is_unknown_and_its_number_is_not_used_again(running: Running) -> None:
    location = running.caller.open()
    (client,) = running.clients()
    assert running.caller.send("DELETE", location)[0] == 204
    assert client.state == State.OFF
    assert running.caller.send("DELETE", location)[0] == 404
    assert running.caller.open() != location


def test_a_body_without_a_length_is_400_and_ends_the_connection(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.service.server_address[1], timeout=PATIENCE)
    # Not a byte of the body is sent: the service need not have read it when it answers and hangs up.
    connection.putrequest("POST", "/")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.read()[:3]) == (400, b"the")
    assert response.will_close or connection.sock is None or connection.sock.recv(1) == b""
    connection.close()


def test_the_end_of_the_service_closes_its_clients(running: Running) -> None:
    for _ in range(3):
        running.caller.open()
    clients = running.clients()
    assert [client.state for client in clients] != [State.OFF] * 3
    assert running.caller.send("DELETE", "/")[0] == 204
    assert running.ends()
    assert [client.state for client in clients] == [State.OFF] * 3


def test_a_client_that_is_opened_while_the_service_ends_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running()
    opened: list[Client] = []
    answers: list[tuple[int, str]] = []
    begun, ended = threading.Event(), threading.Event()

    def open_slowly(configuration: Form) -> Client:
        begun.set()
        assert ended.wait(PATIENCE)
        opened.append(open_client(configuration))
        return opened[0]

    monkeypatch.setattr(contract, "open_client", open_slowly)
    thread = threading.Thread(target=lambda: answers.append(running.caller.send("POST", "/", {"configuration": DAEMON})))
    thread.start()
    assert begun.wait(PATIENCE)
    running.service.stopped.set()
    assert running.ends()
    ended.set()
    thread.join(PATIENCE)
    assert [status for status, _ in answers] == [500]
    assert [client.state for client in opened] == [State.OFF]
    assert running.clients() == []
    running.caller.close()


class Program:
    """The service as a process."""

    def __init__(self) -> None:
        program = [sys.executable, contract.__file__]
        self.process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout
        self.url = self.process.stdout.readline().decode().strip()
        self.caller = Caller(int(self.url.rpartition(":")[2]))

    def ends(self) -> str:
        """What it wrote to its log; fails when it does not end well."""
        self.process.wait(2 * PATIENCE)
        assert self.process.stderr
        log = self.process.stderr.read().decode()
        assert self.process.returncode == 0, log
        return log

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        self.caller.close()


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    yield program
    program.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_and_its_clients(program: Program, number: int) -> None:
    program.caller.open()
    os.kill(program.process.pid, number)
    assert "client 1 was left open" in program.ends()


def test_delete_ends_the_process_and_its_clients(program: Program) -> None:
    program.caller.open()
    assert program.caller.send("DELETE", "/")[0] == 204
    assert "client 1 was left open" in program.ends()

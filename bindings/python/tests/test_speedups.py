"""The extension module: it gives what ctypes gives, call for call, and where it cannot be used the package says why."""

from __future__ import annotations

import gc
import inspect
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from test_leaks import growth
from test_packaging import PACKAGE, in_full

import flagstone
from flagstone import Client, Config, Context, TestData, _hot, _json
from support import PATIENCE, PROJECT, Environment, bool_flag, run_python, until, value_flag

pytestmark = pytest.mark.skipif(not _hot.SPEEDUPS, reason=f"the extension is not used: {_hot.WHY_NOT}")

ADA = Context("ada", plan="team")


def test_it_can_be_compiled_with_the_headers_of_this_python() -> None:
    compiler, headers = shutil.which("cc"), Path(sysconfig.get_path("include"))
    if compiler is None or not (headers / "Python.h").is_file():
        pytest.skip("no C compiler, or no headers of this Python")
    sources = sorted((PACKAGE / "speedups").glob("*.c"))
    # What the headers do not declare is called as if it gave an int, and so half a pointer.
    command = [compiler, "-std=c11", "-fsyntax-only", "-Werror=implicit-function-declaration", f"-I{headers}"]
    ended = subprocess.run([*command, f"-I{PROJECT / 'include'}", *sources], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def in_both(program: str) -> tuple[str, str]:
    """What a program prints with the extension, and through ctypes alone."""
    printed = []
    for switch in ("1", "0"):
        ended = run_python(program, env={**os.environ, "FLAGSTONE_SPEEDUPS": switch, "PYTHONHASHSEED": "0"})
        assert ended.returncode == 0, ended.stderr
        printed.append(ended.stdout)
    return printed[0], printed[1]


CALLS = """
import copy, random
from flagstone import *
data = TestData()
json_value = {"a": [1, 2.5, "ü", None, True, {}], "b": {"c": []}}
rules = [{"id": "rule ü", "variation": 1, "clauses": [{"attribute": "plan", "op": "in", "values": ["team"]}]}]
VALUES = {
    "yes": [True, False], "text": ["one", "zwei ü"], "empty": ["", "x"], "whole": [3, -4], "fraction": [2.5, -3.5],
    "exponent": [1e3, 3e300], "long": [2**63 + 11, -(10**25)], "exact": [1234567890123456789, 0], "json": [json_value, [1]],
    "null": [None, 1], "schlüssel": ["k", "l"], "k" * 300: ["long key", "x"], "wide": ["x" * 300, "y" * 70_000],
}
for key, variations in VALUES.items():
    data.set_flag({"key": key, "version": 1, "on": True, "variations": variations, "fallthrough": {"variation": 0},
                   "offVariation": 0, "salt": "s", "rules": rules})
data.set_flag({"key": "off", "version": 1, "on": False, "variations": [1], "offVariation": 0, "salt": "s"})
data.set_flag({"key": "none", "version": 1, "on": False, "variations": [1], "salt": "s"})
data.set_flag({"key": "broken", "version": 1, "on": True, "variations": [1], "fallthrough": {"variation": 7}, "salt": "s"})
data.set_flag({"key": "needs", "version": 1, "on": True, "variations": [1, 2], "fallthrough": {"variation": 0},
               "offVariation": 1, "salt": "s", "prerequisites": [{"key": "off", "variation": 1}]})
client = Client(Config(test_data=data, log_level="none"))
assert client.start(30)
class Text(str): pass
class Asker(Context): pass
CONTEXTS = [Context("u"), Context("ada", plan="team"), Asker("ada", plan="team"), Context("o", "org"), None, "ada",
            Context.__new__(Context), Context.create_multi(Context("u"), Context("o", "org"))]
KEYS = [*VALUES, "off", "none", "broken", "needs", "missing", "", Text("yes"), "\\ud800", 3, None]
DEFAULTS = [True, False, 0, 7, -1, 2**70, 1.5, "d", Text("t"), None, [], {"d": 1}, (1,)]
KINDS = ("", "bool_", "int_", "float_", "string_", "json_")
SINGLE = [f"{kind}variation{end}" for kind in KINDS for end in ("", "_detail")]
MANY = [list(VALUES), tuple(KEYS), dict.fromkeys(VALUES, 1), [], {}, {"yes"}, "yes", 3, [[]], ["\\ud800"]]
"""

BY_KEY = """
random.seed(2)
for name in SINGLE:
    call = getattr(client, name)
    for key in KEYS:
        for context in CONTEXTS:
            for default in random.sample(DEFAULTS, 4):
                print(name, ascii(key), repr(call(key, context, default)), repr(call(key, context, default=default)))
    for wrong in ((), ("yes",), ("yes", ADA := CONTEXTS[0]), ("yes", ADA, 1, 2)):
        try:
            call(*wrong)
        except TypeError:
            print("refused")
    print(call("yes", context=CONTEXTS[0], default=None), call(default=None, context=CONTEXTS[0], key="yes"))
for context in CONTEXTS:
    for keys in (*MANY, iter(["yes", "yes"])):
        print(repr(client.variation_many(keys, context)))
"""

PREPARED = """
for key in VALUES:
    for default in DEFAULTS:
        try:
            flag = client.flag(key, default)
        except InvalidArgumentError as error:
            print(error)
            continue
        print(flag, flag.key, flag.default is default)
        for context in CONTEXTS:
            for _ in range(2):
                print(repr(flag.value(context)), repr(flag.detail(context=context)), repr(flag.value(context=context)))
        for name in ("key", "default"):
            assert hasattr(flag, name)
"""

MADE = """
random.seed(1)
words = ["", "a", "name", "anonymous", "key", "kind", "_meta", "ü", "a\\0b", "\\ud800", "x" * 300, "/a", "plan"]
values = [None, True, False, 0, -5, 2**53 + 1, 2**63, 10**400, 0.1, 5e-324, 1e300, float("inf"), float("nan"),
          "", "ü", "\\ud800", [1, "a", None], {"b": {"c": [True]}}, (1, 2), {3}, object(), b"bytes", Text("t")]
def outcome(make):
    try:
        made = make()
        return made.to_json_string(), made.fully_qualified_key, type(made).__name__
    except Exception as error:
        return type(error).__name__, str(error).replace(hex(id(values[20])), "")
for _ in range(1_500):
    data = {random.choice(words): random.choice(values) for _ in range(random.randrange(5))}
    key = random.choice(["k", "ü", "", "\\ud800", 3, None, Text("t")])
    kind = random.choice(["user", "org", "multi", "kind", "", "ü", 3])
    cls = random.choice([Context, Asker])
    rest = {name: value for name, value in data.items() if name not in ("key", "kind")}
    print(ascii(outcome(lambda: cls(key, **data))), ascii(outcome(lambda: cls(key, kind, **rest))))
    print(ascii(outcome(lambda: cls(key=key, kind=kind, **rest))))
    print(ascii(outcome(lambda: cls.from_dict({"kind": kind, "key": key, **data}))))
    print(ascii(outcome(lambda: cls.from_dict(data))))
    def build():
        builder = Context.builder(key).kind(kind)
        for name, value in rest.items():
            builder.set(name, value)
        return builder.build()
    print(ascii(outcome(build)))
many = {f"a{i}": i for i in range(100)}
print(outcome(lambda: Context("k", **many)), outcome(lambda: Context()), outcome(lambda: Context("k", "org", "more")))
"""


@pytest.mark.parametrize("program", [BY_KEY, PREPARED, MADE], ids=["by key", "prepared", "contexts"])
def test_every_call_gives_the_same_with_and_without_the_extension(program: str) -> None:
    with_it, without = in_both(CALLS + program)
    assert with_it.count("\n") > 100
    for one, other in zip(with_it.splitlines(), without.splitlines()):
        assert one == other
    assert with_it == without


DESCRIBE = """
import inspect
from flagstone import Client, Context, Flag
import sys
# Python 3.9 drops the signature of such a class.
if sys.version_info >= (3, 10):
    print([(name, of.kind, of.default) for name, of in inspect.signature(Context).parameters.items()])
for cls in (Client, Flag, Context):
    for name in dir(cls):
        member = getattr(cls, name)
        if callable(member) and not name.startswith("_"):
            print(cls.__name__, name, list(inspect.signature(member).parameters), inspect.getdoc(member))
"""


def test_methods_look_the_same_with_and_without_the_extension() -> None:
    with_it, without = in_both(DESCRIBE)
    assert with_it == without
    assert with_it.count("Client") > 20
    assert "context" in inspect.signature(Client.variation).parameters


def test_the_extension_is_what_answers() -> None:
    assert flagstone.__calls__ == "extension"
    for cls, name in (
        (Client, "bool_variation"),
        (Client, "variation_many"),
        (flagstone.Flag, "value"),
        (Context, "__init__"),
    ):
        assert not inspect.isfunction(getattr(cls, name)), name


def test_the_switch_leaves_the_extension_out_or_insists_on_it(tmp_path: Path) -> None:
    program = "import flagstone; print(flagstone._hot.SPEEDUPS is not None, flagstone.__calls__)"
    ended = run_python(program, env={**os.environ, "FLAGSTONE_SPEEDUPS": "0"})
    assert ended.stdout == "False ctypes: FLAGSTONE_SPEEDUPS is 0\n"
    # Without the file, and on a Python without GIL.
    copy = tmp_path / "flagstone"
    shutil.copytree(
        Path(flagstone.__file__).parent, copy, ignore=shutil.ignore_patterns("_speedups.abi3.so", "__pycache__")
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "FLAGSTONE_SPEEDUPS": ""}
    ended = run_python(program, env=environment)
    assert ended.stdout.startswith("False ctypes: ") and "_speedups" in ended.stdout, ended.stderr
    ended = run_python(program, env={**environment, "FLAGSTONE_SPEEDUPS": "1"})
    assert "LibraryError: FLAGSTONE_SPEEDUPS is 1, but the extension cannot be used" in ended.stderr
    free = "import sysconfig; known = sysconfig.get_config_var\n"
    free += "sysconfig.get_config_var = lambda name: name == 'Py_GIL_DISABLED' or known(name)\n"
    ended = run_python(free + program, env={**os.environ, "FLAGSTONE_SPEEDUPS": ""})
    assert ended.stdout == "False ctypes: a free-threaded Python has no stable ABI\n"


def test_json_is_parsed_once_for_each_version_and_is_the_callers_own() -> None:
    data = TestData()
    data.set_flag(value_flag("json", 1, {"a": [1, {"b": 2}]}))
    with Client(Config(test_data=data)) as client:
        flag = client.flag("json")
        with mock.patch("flagstone.detail.loads", wraps=_json.loads) as loads:
            calls: list[Callable[[], Any]] = [
                lambda: flag.value(ADA),
                lambda: flag.detail(ADA).value,
                lambda: client.json_variation("json", ADA, None),
            ]
            for call in calls:
                first = call()
                first["a"][1]["b"] = "changed"
                first["c"] = 1
                assert call() == {"a": [1, {"b": 2}]}
            assert loads.call_count == 2  # prepared, and by key
            data.set_flag(value_flag("json", 2, [2]))
            assert flag.value(ADA) == [2] == flag.detail(ADA).value
            assert loads.call_count == 3


@in_full
def test_it_leaves_nothing_behind(environment: Environment) -> None:
    environment.write(json=value_flag("json", 1, {"a": [1, {"b": "c"}]}), text=value_flag("text", 1, "x" * 1000))
    # Events go nowhere, and few wait.
    client = environment.client(sdk_key="sdk-key", endpoints_events="http://127.0.0.1:1", events_capacity=10)
    flag, versions = client.flag("json"), iter(range(10**9))
    handed: list[Any] = [None, "ada", Context.__new__(Context), ADA]

    def every_way() -> None:
        number = next(versions)
        asker = Context(f"u{number}", "org", text="t" * 100, tags=[1, {"a": number}])
        Context.from_dict({"kind": "user", "key": "u", "n": number})
        for call in (lambda: Context("u", a=object()), lambda: Context("", a=[1]), lambda: asker.__init__("again")):  # type: ignore[misc]
            with pytest.raises((TypeError, ValueError)):
                call()
        for context in (*handed, asker):
            client.variation("text", context, default="")
            client.variation_detail(f"missing {number}", context, number)
            client.variation_many(["json", "text", "\ud800"], context)
            client.variation_many({"json": number, "text": asker}, context)
            client.variation("json", context, {"n": number})
            client.identify(context)
            client.track(f"event {number}", context, {"n": [number]}, 1.5)
            client.track("event", context, data={number}, metric_value=10**400)
            flag.value(context=context)
            flag.detail(context)
        client.flag("text", "").detail(asker)
        cycle: list[Any] = [client.flag("json", None), asker]
        cycle.append(cycle)

    assert growth(3_000, every_way) < 1 << 20


def test_a_context_a_flag_and_a_client_are_made_once() -> None:
    context = Context("ada")
    with pytest.raises(TypeError):
        context.__init__("bob")  # type: ignore[misc]
    assert context.key == "ada"
    with Client(Config(test_data=TestData())) as client:
        flag = client.flag("a", 1)
        with pytest.raises(TypeError):
            flag.__init__(client, "b", 2, 2, "i")  # type: ignore[misc]
        assert (flag.key, flag.default) == ("a", 1)
        with pytest.raises(TypeError):
            client.__init__()  # type: ignore[misc]


FINALIZERS = """
import gc, sys
from flagstone import *
data = TestData()
flag = {"key": "a", "version": 1, "on": True, "variations": [{"n": 1}], "salt": "s"}
data.set_flag({**flag, "fallthrough": {"variation": 0}})
seen = []
class Service:
    def __init__(self):
        self.client = Client(Config(test_data=data, log_level="none"))
        self.client.start(30)
        self.flag, self.context, self.me = self.client.flag("a", {"n": 0}), Context("u"), self
        self.flag.value(self.context)
    def __del__(self):
        seen.append(self.flag.value(self.context))
        seen.append(self.client.variation_detail("a", self.context, None).value)
        seen.append(self.client.variation_many(["a"], self.context)["a"].value)
for _ in range(20):
    Service()
    gc.collect()
assert len(seen) == 60
print(all(value in ({"n": 1}, {"n": 0}, None) for value in seen))
"""


def test_a_finalizer_that_evaluates_in_garbage_finds_no_freed_memory() -> None:
    assert in_both(FINALIZERS) == ("True\n", "True\n")


def test_code_that_runs_in_the_middle_of_an_evaluation_may_evaluate(environment: Environment) -> None:
    environment.write(json=value_flag("json", 1, {"a": [[1], [2]]}), yes=bool_flag("yes", 1, True))
    client = environment.client()
    flag = client.flag("json")
    inner: list[Any] = []

    def again(*_: object) -> None:
        inner.append(
            (flag.value(ADA), client.variation_detail("json", ADA, None).value, client.bool_variation("yes", ADA, False))
        )

    threshold, handler = gc.get_threshold(), signal.signal(signal.SIGALRM, again)
    gc.callbacks.append(again)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        gc.set_threshold(1)
        for _ in range(400):
            assert flag.value(ADA) == {"a": [[1], [2]]}
            assert client.variation_many(["json"], ADA)["json"].value == {"a": [[1], [2]]}
            assert Context("u", tags=[1]).get("tags") == [1]
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(again)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert len(inner) > 20
    assert all(seen == ({"a": [[1], [2]]}, {"a": [[1], [2]]}, True) for seen in inner)


@pytest.mark.parametrize("residency", ["lazy", "off"])
def test_others_run_while_an_evaluation_waits_for_redis(environment: Environment, residency: str) -> None:
    environment.write(yes=bool_flag("yes", 1, True))
    client = environment.client(cache_residency=residency)
    flag = client.flag("other", 0)
    calls: list[Callable[[], object]] = [
        lambda: client.bool_variation("b", ADA, False),
        lambda: client.variation_detail("d", ADA, ""),
        lambda: flag.value(ADA),
        lambda: client.variation_many(["m"], ADA),
    ]
    environment.server.freeze()
    threads = [threading.Thread(target=call) for call in calls]
    try:
        for thread in threads:
            thread.start()
        turns = 0
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            turns += 1
        assert any(thread.is_alive() for thread in threads)
    finally:
        environment.server.thaw()
        for thread in threads:
            thread.join(PATIENCE)
    assert turns > 1_000
    assert until(lambda: client.bool_variation("yes", ADA, False))


AGAIN = """
import sys
import flagstone
data = flagstone.TestData()
data.set_flag({"key": "a", "version": 1, "on": True, "variations": ["v"], "fallthrough": {"variation": 0}, "salt": "s"})
client, old = flagstone.Client(flagstone.Config(test_data=data)), flagstone.Context("u")
assert client.start(30)
for _ in range(5):
    for name in [name for name in sys.modules if name.startswith("flagstone")]:
        del sys.modules[name]
    import flagstone as again
    assert again is not flagstone and again._hot.SPEEDUPS
    new = again.Context("u")
    print(new.key, old.key, client.variation("a", old, ""), client.flag("a", "").value(old))
    print(client.variation_many(["a"], old)["a"].value)
    client.variation("a", new, ""), client.variation_detail("a", new, "")
    del again
"""


def test_the_package_may_be_imported_again() -> None:
    ended = run_python(AGAIN, env={**os.environ, "FLAGSTONE_SPEEDUPS": "1"})
    assert (ended.stdout, ended.returncode) == ("u u v v\nv\n" * 5, 0), ended.stderr


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import flagstone
from flagstone import _speedups
program = '''
import importlib.machinery, importlib.util
loader = importlib.machinery.ExtensionFileLoader("flagstone._speedups", PATH)
try:
    importlib.util.module_from_spec(importlib.util.spec_from_loader("flagstone._speedups", loader))
    loader.exec_module(importlib.util.module_from_spec(importlib.util.spec_from_loader("flagstone._speedups", loader)))
    print("made", flush=True)
except ImportError as error:
    print(error, flush=True)
'''
other = interpreters.create()
interpreters.run_string(other, program.replace("PATH", repr(_speedups.__file__)))
interpreters.destroy(other)
print(flagstone.Context("u", a=1).get("a"))
"""


def test_another_interpreter_is_refused_and_the_main_one_goes_on() -> None:
    ended = run_python("import warnings; warnings.simplefilter('ignore')\n" + SUBINTERPRETER)
    lines = ended.stdout.splitlines()
    assert len(lines) == 2 and lines[1] == "1", ended.stderr
    # From 3.12 on CPython itself refuses where interpreters have a GIL of their own.
    assert "main interpreter alone" in lines[0] or "subinterpreters" in lines[0], lines


def test_it_runs_with_every_warning_of_the_interpreter(environment: Environment) -> None:
    environment.write(json=value_flag("json", 1, {"a": 1}))
    program = "from flagstone import *; import sys\n" + (
        "client = Client(Config(redis_url=sys.argv[1], redis_prefix=sys.argv[2])); assert client.start(30)\n"
        "flag = client.flag('json')\n"
        "for n in range(2000):\n"
        "    flag.detail(Context(str(n), a=[n])), client.variation_many(['json'], Context('u')), flag.value(None)\n"
        "client.close(); print('done')"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program, environment.server.url, environment.prefix]
    variables = {**os.environ, "PYTHONMALLOC": "debug"}
    ended = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=4 * PATIENCE, check=False)
    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr

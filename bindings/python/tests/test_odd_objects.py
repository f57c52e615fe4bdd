"""Every public call with objects that it was not made for, in a child process: a crash is a failed test."""

from __future__ import annotations

import pytest

from support import run_python

# What each program below begins with.
ODD = """
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock
from flagstone import *

class Lies(str):
    def encode(self, *_):
        return self.lie
    def __len__(self):
        return 10**9
    lie = 3

class LiesLonger(bytes):
    def __len__(self):
        return 10**9

class LiesInBytes(Lies):
    lie = LiesLonger(b"x")

class NoInit(Context):
    def __init__(self):
        pass

class Hides:
    _h = 3

hidden = [((Context,), {"_h": 3}), ((Hides, Context), {}), ((Config,), {"_h": 3}), ((Client,), {"__slots__": "_h"})]
for bases, names in hidden:
    try:
        type("Hidden", bases, names)
    except TypeError as error:
        assert "Hidden hides the handle" in str(error), error
    else:
        raise AssertionError(bases)

class Raises:
    def __getattr__(self, name):
        raise RuntimeError(name)
    def __repr__(self):
        raise RuntimeError("repr")
    def __hash__(self):
        raise RuntimeError("hash")
    def __eq__(self, other):
        raise RuntimeError("eq")
    @property
    def __class__(self):
        raise RuntimeError("class")

class Like:
    _h = 0x1234
    def encode(self):
        return b"a"

data = TestData()
data.update(data.flag("yes"))
data.set_flag({"key": "text", "version": 1, "on": True, "variations": ["t"], "fallthrough": {"variation": 0}, "salt": ""})
# Nobody takes the events.
nowhere = {"sdk_key": "k", "endpoints_events": "http://127.0.0.1:1", "events_capacity": 100}
client = Client(Config(test_data=data, log_level="none", **nowhere))
assert client.start(30)
ada = Context("ada")
no_contexts = [
    None, 3, 2**70, "ada", b"ada", [], {}, object(), Context, Client, ada._h, client._h, 0x7F00, Context.builder("k"),
    MagicMock(), Mock(), Mock(spec=Context), Mock(spec_set=ada), MagicMock(spec=Context), Mock(_h=3), Mock(_h=ada._h),
    SimpleNamespace(_h=ada._h), SimpleNamespace(_h="x"), Like(), Like, Raises(), Raises, client, data, NoInit(), Hides(),
    Context.__new__(Context), Mock(spec=Client), client.flag("yes", False),
]
no_keys = [
    None, 3, b"yes", 1.5, [], {}, object(), str, Like(), Like, Raises(), Raises, MagicMock(), Mock(spec=str),
    MagicMock(spec=str), Mock(encode=lambda: b"yes"), Lies, ada, "\\ud800",
]
lying_keys = [Lies("yes"), LiesInBytes("yes")]
defaults = [
    True, False, 0, 7, 2**80, 1.5, float("nan"), "x", "\\ud800", None, [], object(), Mock(), MagicMock(), Raises(), bool,
    Lies("x"),
]
"""

EVALUATIONS = """
def same(found, default):
    return found is default or type(found) is float and found != found

def check(key, context, kind):
    for default in defaults:
        for name in ("", "bool_", "int_", "float_", "string_", "json_"):
            value = getattr(client, name + "variation")(key, context, default)
            assert same(value, default), (name, type(value))
            detail = getattr(client, name + "variation_detail")(key, context, default)
            assert same(detail.value, default) and detail.is_default, name
            assert detail.reason.to_dict() == {"kind": "ERROR", "errorKind": kind}, (name, detail.reason)

for context in no_contexts:
    check("yes", context, "USER_NOT_SPECIFIED")
    for default in (True, 7, 1.5, "x", None):
        flag = client.flag("yes", default)
        assert flag.value(context) is default
        assert flag.detail(context).reason.error_kind is ErrorKind.USER_NOT_SPECIFIED
    found = client.variation_many(["yes", "text"], context)
    assert [detail.reason.error_kind for detail in found.values()] == [ErrorKind.USER_NOT_SPECIFIED] * 2
    assert not client.all_flags_state(context).valid
    for call in (client.secure_mode_hash, Context.create_multi):
        try:
            call(context)
        except InvalidArgumentError:
            continue
        raise AssertionError(call)

for key in no_keys:
    check(key, ada, "FLAG_NOT_FOUND")
for key in lying_keys:
    assert client.variation(key, ada, False) is True and client.bool_variation(key, ada, False) is True
    assert client.variation_many([key], ada)[key].value is True and client.flag(key, False).value(ada) is True

assert client.variation_many("yes", ada)["yes"].value is True
for keys in [None, 3, object(), Raises(), Mock(), MagicMock(), str, iter([Raises(), [], "yes"]), b"yes", ada]:
    found = client.variation_many(keys, ada)
    assert all(detail.is_default or key == "yes" for key, detail in found.items()), found
print("done")
"""

CONSTRUCTION = """
bytes_ = [LiesLonger(b'{"key":"k"}'), bytearray(b"{}"), memoryview(b"{}")]
odd = [*no_contexts, *no_keys, *lying_keys, *defaults, *bytes_, float("inf"), -1, State.VALID]
flag = client.flag("yes", False)
builder, rule = data.flag("b"), data.flag("b").if_match("a", 1)

def quietly(call, *arguments, **named):
    # An exception is an answer.
    try:
        call(*arguments, **named)
    except Exception as error:
        assert not isinstance(error, SystemError), error

for thing in odd:
    for call in (Context, Context.create, Context.from_dict, Context.from_json, Context.builder, Context.create_multi,
                 Config, Client, flag.value, client.flag, client.start, client.wait, client.flush, client.all_flags_state,
                 client.secure_mode_hash, client.add_flag_change_listener, client.remove_flag_change_listener,
                 client.add_status_listener, client.remove_status_listener, data.flag, data.update, data.set_flag,
                 data.set_segment, data.delete_flag, data.delete_segment, data.set_status, AllFlagsState, FlagBuilder):
        if call == client.start and type(thing) in (int, float) and thing > 1:
            continue
        quietly(call, thing)
        quietly(call, thing, thing)
    quietly(Context, "k", thing, a=thing)
    quietly(Context, "k", a=thing, name=thing, anonymous=thing)
    quietly(lambda: Context.builder("k").private(thing).build())
    quietly(lambda: Context.builder("k").private_names(thing).build())
    quietly(lambda: Context.builder("k").set(thing, thing).kind(thing).key(thing).build())
    quietly(lambda: Context.multi_builder().add(thing).build())
    quietly(Config, redis_url=thing)
    quietly(Config, test_data=thing)
    quietly(Config, options={"redis.prefix": thing})
    quietly(lambda: Config(options={thing: thing}))
    quietly(Config, options=thing)
    quietly(Config, http_headers={"X": thing})
    quietly(Config, file_paths=[thing])
    quietly(data.set_flag, {"key": thing, "version": thing})
    quietly(lambda: data.update(data.flag("c").variations(thing).fallthrough_variation(thing)))
    quietly(lambda: data.set_status(State.VALID, thing, thing, thing))
    quietly(ada.get, thing)
    quietly(ada.individual, thing)
    quietly(setattr, ada, "_h", thing)
data.update(FlagBuilder("yes"))
assert flag.value(ada) is True and client.variation("yes", ada, False) is True
print("done")
"""


TELLING = """
import logging
logging.disable(logging.CRITICAL)
odd = [*no_contexts, *no_keys, *lying_keys, *defaults, LiesLonger(b"{}"), bytearray(b"{}"), {Raises: 1}, {"a": Raises()},
       [Lies("x")], {Lies("x"): LiesInBytes("y")}, float("inf"), -1, State.VALID]
# None of these raises, whatever it is given.
for thing in odd:
    for context in (thing, ada):
        assert client.identify(context) is None
        assert client.identify(context=context) is None
        for name in (thing, "name"):
            assert client.track(name, context) is None
            assert client.track(name, context, thing) is None
            assert client.track(name, context, thing, thing) is None
            assert client.track(name, context, None, thing) is None
            assert client.track(name, metric_value=thing, data=thing, context=context) is None
for call in (client.identify, client.track, lambda: client.track("name", ada, other=1), lambda: client.identify(ada, ada),
             lambda: client.track("name", ada, context=ada), lambda: client.track("name", ada, 1, 2, 3)):
    try:
        call()
    except TypeError:
        continue
    raise AssertionError(call)
print("done")
"""


@pytest.mark.parametrize("program", [EVALUATIONS, TELLING, CONSTRUCTION], ids=["evaluations", "events", "everything_else"])
def test_no_object_ends_the_interpreter(program: str) -> None:
    result = run_python("import faulthandler; faulthandler.enable()\n" + ODD + program)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr[-4000:]

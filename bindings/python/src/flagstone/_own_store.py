"""A big segment store of the program's own, as native code asks it: on real threads, each question within its time.

The library calls back on the thread that evaluates. There the GIL is given away while somebody else asks the store, so that
one that hangs holds nobody longer than that time. Depends on ``_abi``, ``_green``, ``_lib``, ``_log``, ``_waits`` and
``big_segments``.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from ctypes import byref, c_void_p, sizeof, string_at
from types import FrameType
from typing import Any, Callable, TypeVar

from . import _abi
from ._green import real_lock, start_real_thread
from ._lib import do, lib, utf8
from ._log import logger
from ._waits import wait_in_slices
from .big_segments import BigSegmentStore

T = TypeVar("T")

#: Questions that may be without an answer at the same time.
_MOST_ASKED = 32
#: How long to wait, in seconds, for a thread to leave native code.
_A_MOMENT = 0.02


class Unusable(Exception):
    """An answer that is none."""


class OwnStore:
    """The store of one configuration."""

    def __init__(self, store: BigSegmentStore, seconds: float) -> None:
        self.store, self._seconds = store, seconds
        self._clients = 0
        self._number = next(_numbers)
        _stores[self._number] = self
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: threads of the parent's are not there."""
        self._lock = real_lock()
        self._asked = 0
        #: Those that somebody waits for.
        self.questions: set[_Question] = set()
        #: What has failed since it last worked.
        self._failing: set[str] = set()

    def set_in(self, config: c_void_p) -> None:
        """Has the clients of a configuration ask here. No object is handed over: native code has a number."""
        functions = _abi.BigSegmentStore(sizeof(_abi.BigSegmentStore), 0, self._number, _membership, _metadata)
        do(lib.flagstone_config_set_big_segment_store, config, byref(functions))

    def open(self) -> None:
        """One more client uses the store."""
        with self._lock:
            self._clients += 1

    def close(self, seconds: float) -> bool:
        """One client less does. The last one waits for the store: false when that was still busy."""
        with self._lock:
            self._clients -= 1
            if self._clients:
                return True
        try:
            self._within(self.store.close, seconds)
        except TimeoutError:
            return False
        except Exception as error:
            logger.warning("close of the big segment store failed: %s: %s", type(error).__name__, error)
        return True

    def membership(self, context_hash: str, out: c_void_p) -> int:
        """Hands the memberships of a context to native code."""
        found = self._ask("membership", lambda: _references(self.store.membership(context_hash)))
        if found is None:
            return _abi.STATUS_STORE
        for reference, included in found:
            lib.flagstone_membership_add(out, reference, len(reference), included)
        return _abi.STATUS_OK

    def metadata(self, out: Any) -> int:
        """Hands the age of the store to native code."""
        found = self._ask("metadata", lambda: (_milliseconds(self.store.metadata()),))
        if found is None:
            return _abi.STATUS_STORE
        if found[0] is None:
            return _abi.STATUS_NOT_FOUND
        out[0] = found[0]
        return _abi.STATUS_OK

    def _ask(self, name: str, call: Callable[[], T]) -> T | None:
        try:
            found = self._within(call, self._seconds)
        except Exception as error:
            if _ending:
                return None
            with self._lock:
                first = name not in self._failing
                self._failing.add(name)
            if first:
                logger.warning("%s of the big segment store failed: %s: %s", name, type(error).__name__, error)
            return None
        self._failing.discard(name)
        return found

    def _within(self, call: Callable[[], T], seconds: float) -> T:
        if getattr(_asking, "busy", False):
            raise Unusable("it is asked by itself")
        with self._lock:
            if self._asked >= _MOST_ASKED:
                raise TimeoutError(f"{_MOST_ASKED} calls have not been answered")
            self._asked += 1
        question = _Question(call, self)
        try:
            start_real_thread(question.run)
        except RuntimeError:  # no more threads, or the interpreter is ending and allows none
            self.answered()
            raise
        self.questions.add(question)
        try:
            found: T = question.answer(seconds)
            return found
        finally:
            self.questions.discard(question)

    def answered(self) -> None:
        """A call has come back, in time or not."""
        with self._lock:
            self._asked -= 1


class _Question:
    """A call that another thread makes."""

    def __init__(self, call: Callable[[], Any], store: OwnStore) -> None:
        self._call, self._store = call, store
        self._found: list[Any] = []
        self._error: BaseException | None = None
        self._open = real_lock()
        self._open.acquire()

    def run(self) -> None:
        _asking.busy = True
        try:
            self._found.append(self._call())
        except BaseException as error:  # it ends this thread alone
            self._error = error
        finally:
            self._store.answered()
            self._let()

    def give_up(self) -> None:
        """Nobody waits for the answer any more."""
        if not self._found and self._error is None:
            self._error = Unusable("the interpreter is ending")
        self._let()

    def _let(self) -> None:
        try:
            self._open.release()
        except RuntimeError:  # nobody waits
            pass

    def answer(self, seconds: float) -> Any:
        if not wait_in_slices(lambda moment: self._open.acquire(True, moment), seconds):
            raise TimeoutError(f"no answer for {seconds:g} s")
        if self._error is not None:
            if isinstance(self._error, Exception):
                raise self._error
            raise Unusable(f"it raised {type(self._error).__name__}")
        return self._found[0]


#: Whether the interpreter is about to end.
_ending = False


def end(seconds: float) -> None:
    """Before the interpreter ends, when no client asks any more: gives up all questions, and waits a while until the
    threads that asked them have left native code. One that came back to Python later would be ended in there, and end the
    process.
    """
    global _ending
    _ending = True
    stores, pause, deadline = list(_stores.values()), real_lock(), time.monotonic() + seconds
    pause.acquire()
    # One that is about to come in, or has just gone out, is in no frame.
    quiet = 0 if stores else 2
    while quiet < 2 and time.monotonic() < deadline:
        for store in stores:
            for question in list(store.questions):
                question.give_up()
        pause.acquire(timeout=_A_MOMENT)
        quiet = 0 if any(map(_is_called_back, sys._current_frames().values())) else quiet + 1


def _references(found: Any) -> list[tuple[bytes, bool]]:
    if found is None:
        return []
    if not isinstance(found, Mapping):
        raise Unusable(f"a mapping or None is needed, not {type(found).__name__}")
    references = [(utf8(reference, "a reference"), included) for reference, included in found.items()]
    for reference, included in references:
        if type(included) is not bool:
            raise Unusable(f"{reference!r}: True or False is needed, not {type(included).__name__}")
    return references


def _milliseconds(found: Any) -> int | None:
    if found is not None and (type(found) is not int or not 0 <= found < 2**63):
        raise Unusable(f"Unix milliseconds or None are needed, not {found!r:.50}")
    return found


_numbers = itertools.count(1)
_stores: weakref.WeakValueDictionary[int, OwnStore] = weakref.WeakValueDictionary()
#: Whether a thread is one that asks a store.
_asking = threading.local()


def _guarded(number: int | None, ask: Callable[[OwnStore], int]) -> int:
    """What native code calls raises nothing."""
    try:
        store = _stores.get(number or 0)
        return _abi.STATUS_STORE if store is None or _ending else ask(store)
    except KeyboardInterrupt:
        _interrupt_again()
    except BaseException:
        pass
    return _abi.STATUS_STORE


def _interrupt_again() -> None:
    """Ctrl-C came while native code was waiting: its caller hears of it, once nothing is called back any more."""
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        time.sleep(_A_MOMENT)
        while _is_called_back(sys._current_frames().get(main)):
            time.sleep(_A_MOMENT)
        # A signal, which ends whatever the thread waits in by then.
        signal.pthread_kill(main, signal.SIGINT)

    try:
        start_real_thread(interrupt)
    except RuntimeError:
        pass


def _is_called_back(frame: FrameType | None) -> bool:
    """Whether a thread is on its way through native code into this module: what is raised there is lost."""
    while frame is not None:
        if frame.f_code in _CALLED_BACK:
            return True
        frame = frame.f_back
    return False


def _ask_membership(number: int | None, text: int, size: int, out: int) -> int:
    return _guarded(number, lambda store: store.membership(string_at(text, size).decode(), c_void_p(out)))


def _ask_metadata(number: int | None, out: Any) -> int:
    return _guarded(number, lambda store: store.metadata(out))


_CALLED_BACK = {function.__code__ for function in (_guarded, _ask_membership, _ask_metadata)}
# They live as long as the module.
_membership, _metadata = _abi.MEMBERSHIP(_ask_membership), _abi.METADATA(_ask_metadata)


class Poller:
    """A real thread that has native code ask the store how old it is, again and again."""

    def __init__(self, handle: c_void_p, client: Any, seconds: float) -> None:
        self._handle = c_void_p(lib.flagstone_client_retain(handle))
        self._seconds = seconds
        self._over, self._gone = real_lock(), real_lock()
        self._over.acquire()
        self._gone.acquire()
        self._ended = False
        self._client = weakref.ref(client, self._end)
        start_real_thread(self._run)

    def close(self, timeout: float) -> None:
        """Ends the thread and waits for it a while."""
        self._end()
        if self._gone.acquire(timeout=max(0.0, timeout)):
            self._gone.release()

    def _end(self, _: object = None) -> None:
        if not self._ended:
            self._ended = True
            self._over.release()

    def _run(self) -> None:
        status = _abi.BigSegmentStatus(struct_size=sizeof(_abi.BigSegmentStatus))
        try:
            while lib.flagstone_big_segments_poll(self._handle, byref(status), None) != _abi.STATUS_CLOSED:
                if self._over.acquire(timeout=self._seconds):
                    return
        finally:
            lib.flagstone_client_release(self._handle)
            self._gone.release()

"""Waits for native code, which signal handlers can interrupt and greenlets share. Depends on ``_green`` and ``_lib``."""

from __future__ import annotations

import _thread
import math
import threading
import time
from typing import Callable

from . import _abi
from ._green import green
from ._lib import milliseconds

#: Python runs no signal handler, of Ctrl-C for example, while native code waits.
_SLICE_MS = 100
#: How long a greenlet lets others run between two looks, in seconds.
_PAUSE = 0.01
#: How long a lock can be waited for in one call, in seconds; a month is as good.
_LONGEST = min(threading.TIMEOUT_MAX, 30 * 86400.0)


def wait(look: Callable[[int], int], seconds: float) -> int:
    """Calls ``look``, which waits at most the milliseconds it is given, until it gives another status than TIMEOUT or
    ``seconds`` are over; at least once. Gives the last status."""
    left, threads = milliseconds(seconds), green()
    deadline = time.monotonic() + left / 1000
    while True:
        status = look(min(left, 1 if threads else _SLICE_MS))
        left = milliseconds(deadline - time.monotonic())
        if status != _abi.STATUS_TIMEOUT or left == 0:
            return status
        if threads:
            threads.sleep(_PAUSE)


def wait_in_slices(wait: Callable[[float], bool], seconds: float | None) -> bool:
    """Calls ``wait``, which waits at most the seconds it is given, until it says true or ``seconds`` are over.

    ``wait`` must look at what it waits for: a wake-up between two slices is lost.

    On the main thread, which alone runs signal handlers, in slices: a signal that comes just before it begins to wait, or
    to another thread, does not end its wait.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    is_main = threading.get_ident() == threading.main_thread().ident
    longest = _SLICE_MS / 1000 if is_main else _LONGEST
    while not wait(max(0.0, min(longest, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            return False
    return True


def wait_whole(call: Callable[[int], int], seconds: float) -> int:
    """As :func:`wait` for what must know from the start how long it may take: one call, on a real thread of its own, which
    whoever is interrupted leaves behind."""
    whole, threads = milliseconds(seconds), green()
    if not whole:
        return call(0)
    answers: list[int] = []
    answered = threading.Event()

    def run() -> None:
        answers.append(call(whole))
        # A real thread must not touch what greenlets wait by.
        if not threads:
            answered.set()

    try:
        (threads.start_thread if threads else _thread.start_new_thread)(run, ())
    except RuntimeError:  # no more threads, or the interpreter is ending and allows none
        return call(whole)
    while not answers:
        if threads:
            threads.sleep(_PAUSE)
        else:
            wait_in_slices(answered.wait, None)
    return answers[0]

"""Waits for native code, which signal handlers can interrupt and greenlets share. Depends on ``_green`` and ``_lib``."""

from __future__ import annotations

import time
from typing import Callable

from . import _abi
from ._green import green
from ._lib import milliseconds

#: Python runs no signal handler, of Ctrl-C for example, while native code waits.
_SLICE_MS = 100
#: How long a greenlet lets others run between two looks, in seconds.
_PAUSE = 0.01


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

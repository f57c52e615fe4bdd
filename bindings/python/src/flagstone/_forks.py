"""Processes that make others: a child has nothing of its own until a client is called in it.

Between a fork and an ``exec``, or in a worker that waits for its first request, threads and connections would serve nobody.
The short ways of evaluation are closed meanwhile, so that they cost nothing more when they are open: the first call takes
the long way, which wakes the process. Depends on nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Callable

#: Called with false when the process falls asleep, and with true when it wakes.
_switches: list[Callable[[bool], None]] = []
_asleep = False
#: The process that fell asleep because it will fork.
_server = 0


def switch_with(switch: Callable[[bool], None]) -> None:
    """Has ``switch`` called when the short ways are to be closed, or to be opened again."""
    _switches.append(switch)
    if _asleep:
        switch(False)


def sleep() -> None:
    """In a child of fork, and in a server that will fork."""
    global _asleep
    _asleep = True
    for switch in _switches:
        switch(False)


def wake() -> bool:
    """True to the one caller that makes this process a living one."""
    global _asleep
    if not _asleep or will_fork():
        return False
    _asleep = False
    for switch in _switches:
        switch(True)
    return True


def is_asleep() -> bool:
    """Whether no client has been called in this process."""
    return _asleep


def will_fork() -> bool:
    """This is uWSGI before it makes its workers.

    It forks without Python's leave: were one of our threads running Python at that moment, no worker would ever run any.
    """
    uwsgi = sys.modules.get("uwsgi")
    try:
        if uwsgi is None or uwsgi.worker_id() or uwsgi.mule_id():
            return False
    except AttributeError:  # another module of this name
        return False
    global _server
    _server = _server or os.getpid()
    # A spooler has no number.
    return _server == os.getpid()

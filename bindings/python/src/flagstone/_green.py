"""What threads are where gevent or eventlet has replaced them by its greenlets.

A greenlet that waits inside native code stops every other one: so a real thread waits there, and waiting Python code gives
way. Neither library is imported here before the program has done so, which may be after it has imported this
package. Depends on nothing.
"""

from __future__ import annotations

import _thread
import sys
from dataclasses import dataclass
from typing import Any, Callable


@dataclass(frozen=True)
class Green:
    """The functions of the library that has replaced the threads."""

    #: Starts a real thread.
    start_thread: Callable[[Callable[[], None], tuple[()]], int]
    #: ``select`` that lets other greenlets run.
    select: Callable[..., Any]
    #: ``sleep`` that lets other greenlets run.
    sleep: Callable[[float], Any]
    #: Makes a lock for real threads.
    lock: Callable[[], Any]


def green() -> Green | None:
    """Of the library that has replaced the threads of this process; ``None`` where they are real."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        import gevent
        import gevent.select

        start, lock = monkey.get_original("_thread", ["start_new_thread", "allocate_lock"])
        return Green(start, gevent.select.select, gevent.sleep, lock)
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        import eventlet
        import eventlet.green.select

        real = patcher.original("_thread")
        return Green(real.start_new_thread, eventlet.green.select.select, eventlet.sleep, real.allocate_lock)
    return None


def start_real_thread(run: Callable[[], None]) -> None:
    """Starts a thread that is no greenlet; ``RuntimeError`` where there are no more."""
    threads = green()
    (threads.start_thread if threads else _thread.start_new_thread)(run, ())


def real_lock() -> Any:
    """A lock that holds a thread and all of its greenlets."""
    threads = green()
    return threads.lock() if threads else _thread.allocate_lock()

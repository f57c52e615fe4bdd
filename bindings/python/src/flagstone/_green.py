"""What threads are where gevent or eventlet has replaced them by its greenlets.

A greenlet that waits inside native code stops every other one: so a real thread waits there, and waiting Python code gives
way. Neither library is imported here before the program has done so, which may be after it has imported this
package. Depends on nothing.
"""

from __future__ import annotations

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


def green() -> Green | None:
    """Of the library that has replaced the threads of this process; ``None`` where they are real."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        import gevent
        import gevent.select

        return Green(monkey.get_original("_thread", "start_new_thread"), gevent.select.select, gevent.sleep)
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        import eventlet
        import eventlet.green.select

        return Green(patcher.original("_thread").start_new_thread, eventlet.green.select.select, eventlet.sleep)
    return None

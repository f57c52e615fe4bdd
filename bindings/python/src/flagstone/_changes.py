"""What listeners hear as something to iterate over, with and without coroutines. Depends on ``_waits``."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ._waits import wait_in_slices

T = TypeVar("T")


class Changes(Generic[T]):
    """Changes, one after the other: ``for change in changes`` waits on the thread, ``async for change in changes`` in the
    coroutine. Ends when the client is closed, which it keeps alive.

    Changes wait for as long as the loop body takes; nothing is left out. Any thread and event loop may iterate; where
    several do, each change goes to one of them.
    """

    def __init__(
        self, client: Any, add: Callable[[Callable[[T], object]], None], remove: Callable[[Any, Any], None]
    ) -> None:
        """``add`` takes a listener, and ``remove`` the client and that listener."""
        self._line: _Line[T] = _Line()
        # Who waits, waits for something that can come.
        self._client = client
        add(self._line.put)
        client._streams.add(self)
        # Nobody who hears no more keeps the client busy.
        self._undo = weakref.finalize(self, _stop, weakref.ref(client), remove, self._line)

    def __iter__(self) -> Changes[T]:
        return self

    def __next__(self) -> T:
        return self._line.take()

    def __aiter__(self) -> Changes[T]:
        return self

    async def __anext__(self) -> T:
        return await self._line.atake()

    def close(self) -> None:
        """Ends the iteration, from any thread. What waits already is still given."""
        self._undo()
        self._client = None

    def after_fork(self) -> None:
        """In a child: locks of the parent's threads are left alone."""
        self._line.after_fork()


class _Line(Generic[T]):
    """What waits for who iterates, and who iterates for what comes."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._ended = False
        self.after_fork()

    def after_fork(self) -> None:
        """Nobody waits, as in a child of fork."""
        self._moved = threading.Condition()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def put(self, item: T) -> None:
        with self._moved:
            if not self._ended:
                self._items.append(item)
                self._wake()

    def end(self) -> None:
        with self._moved:
            self._ended = True
            self._wake()

    def _wake(self) -> None:
        self._moved.notify_all()
        for loop, future in self._waiting:
            try:
                loop.call_soon_threadsafe(_settle, future)
            except RuntimeError:  # the loop is closed
                pass
        self._waiting.clear()

    def take(self) -> T:
        with self._moved:
            wait_in_slices(lambda moment: self._moved.wait_for(self._is_moved, moment), None)
            if not self._items:
                raise StopIteration
            return self._items.popleft()

    def _is_moved(self) -> bool:
        return bool(self._items) or self._ended

    async def atake(self) -> T:
        while True:
            with self._moved:
                if self._items:
                    return self._items.popleft()
                if self._ended:
                    raise StopAsyncIteration
                loop = asyncio.get_running_loop()
                waiting = loop, loop.create_future()
                self._waiting.append(waiting)
            try:
                await waiting[1]
            finally:
                with self._moved:
                    if waiting in self._waiting:
                        self._waiting.remove(waiting)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _stop(client: weakref.ref[Any], remove: Callable[[Any, Any], None], line: _Line[Any]) -> None:
    """Also on a thread that collects garbage in the middle of anything: all locks here may be taken twice."""
    line.end()
    alive = client()
    if alive is not None:
        remove(alive, line.put)

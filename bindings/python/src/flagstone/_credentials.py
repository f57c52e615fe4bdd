"""The provider of credentials of one client: called when the library asks for some, and never waited for.

It runs on a thread of its own (a greenlet, where those have replaced the threads), one call at a time, and what it gives
goes to the library from there. The thread that delivers notifications begins the calls, after pauses where one has failed,
and gives up those that take too long. Depends on ``_handles``, ``_lib``, ``_log``, ``credentials`` and ``errors``.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import threading
import time
from collections.abc import Awaitable
from ctypes import c_void_p
from typing import Any, Callable

from ._handles import client_of
from ._lib import do, lib, utf8
from ._log import logger
from .credentials import RedisCredentials, RedisCredentialsProvider
from .errors import InvalidArgumentError

#: How long an answer is waited for, in seconds.
LIMIT = 30.0
#: The pause after a first failure, in seconds, which is doubled with each further one; and the longest.
PAUSES = (1.0, 60.0)
#: No time is longer: a thousand years, in seconds.
_LONGEST = 1000 * 365 * 86400
#: Calls that may be without an answer at the same time: those that were given up go on.
MOST_OPEN = 8


class CredentialCalls:
    """What :class:`Client` has for credentials."""

    __slots__ = ()

    def set_redis_credentials(self, credentials: RedisCredentials) -> None:
        """Who logs in at Redis from now on: new connections do so with these credentials, and those that are open log in
        anew between two commands. For ``redis_credentials`` ``host`` and ``static``; a client with a provider asks that by
        itself. Any thread, at any time, also before the start. Does not wait: whether Redis takes them,
        ``status().redis.credentials`` tells.

        :raises InvalidArgumentError: for what are no credentials, and for a client that has no Redis, or gets its
            credentials elsewhere.
        :raises ClosedError: after :meth:`Client.close`.
        :raises FlagstoneError: with a native library that is too old.
        """
        client = client_of(self)
        client._awake()
        give(client._h, credentials)


def give(handle: c_void_p, credentials: Any) -> None:
    """Hands credentials to the library."""
    # By type: a mock says that it is whatever it was made for.
    if not issubclass(type(credentials), RedisCredentials):
        raise InvalidArgumentError(f"RedisCredentials are needed, not {type(credentials).__name__}")
    user, password = utf8(credentials.user or "", "user"), utf8(credentials.password, "password")
    seconds = credentials.valid_for
    valid_for_ms = 0 if seconds is None else max(1, int(min(seconds, _LONGEST) * 1000))
    do(lib.flagstone_client_set_credentials, handle, user, len(user), password, len(password), valid_for_ms)


class Keeper:
    """Calls the provider of one client. Only the thread that delivers notifications calls :meth:`ask` and :meth:`look`."""

    def __init__(self, provider: RedisCredentialsProvider, handle: c_void_p) -> None:
        #: The loop that coroutines run on; without one, or when it is over, each has a loop of its own.
        self.loop: asyncio.AbstractEventLoop | None = None
        self._provider, self._handle = provider, handle
        # Who closes the client may do so while garbage is collected on a thread that has it.
        self._lock = threading.RLock()
        #: The call that is waited for.
        self._call: _Call | None = None
        #: Calls that were begun, and those that have not come back.
        self._begun = self._open = 0
        #: The latest call whose answer was taken, and when.
        self._taken, self._taken_at = 0, -math.inf
        #: When to call next; ``None`` when nobody asks.
        self._due: float | None = None
        #: Calls in a row that failed, and answers in a row that Redis refused at once.
        self._failures = self._refusals = 0
        self._closed = False

    def ask(self, reason: str) -> None:
        """The library needs credentials: the provider is called at the next look, after a pause if what it gave just now
        was refused again and again."""
        with self._lock:
            now = time.monotonic()
            if self._closed or self._call is not None or self._due is not None:
                return
            if reason == "start" and self._taken:
                # The library has what it asked for: the question was on its way while the answer was handed over.
                return
            soon = reason == "refused" and now - self._taken_at < PAUSES[1]
            self._refusals = self._refusals + 1 if soon else 0
            self._due = now + _pause(self._refusals - 1)

    def look(self) -> float:
        """Gives up a call that takes too long, and begins one if it is time. Never waits.

        :returns: the seconds until the next look.
        """
        call = self._call
        if call is not None and time.monotonic() >= call.deadline:
            call.give_up()
            self._failed(call, TimeoutError(f"no answer for {LIMIT:g} s"))
        if self._call is None and self._due is not None and time.monotonic() >= self._due:
            self._begin()
        call, due = self._call, self._due
        next_look = due if call is None else call.deadline
        return math.inf if next_look is None else max(0.0, next_look - time.monotonic())

    def ask_here(self) -> None:
        """Calls the provider on the calling thread, if it has not answered yet: where there may be no other."""
        if self._begun == 0:
            self._begun += 1
            call = _Call(self._begun)
            try:
                self._take(call, call.answer(self._provider, None))
            except Exception:
                logger.warning("the provider of Redis credentials failed", exc_info=True)

    def close(self) -> None:
        """No call is begun any more, and nobody waits for the one that is under way."""
        with self._lock:
            self._closed, self._due = True, None
            call, self._call = self._call, None
        if call is not None:
            call.give_up()

    def after_fork(self) -> None:
        """In a child: threads and loops of the parent are not there. What is missing the child's library asks for."""
        self._lock = threading.RLock()
        self._call, self._open, self.loop = None, 0, None

    def _begin(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._due, self._begun = None, self._begun + 1
            self._call = call = _Call(self._begun)
            is_open = self._open < MOST_OPEN
            self._open += is_open
        if not is_open:
            self._failed(call, TimeoutError(f"{MOST_OPEN} calls have not been answered"))
            return
        handle = c_void_p(lib.flagstone_client_retain(self._handle))
        try:
            threading.Thread(target=self._run, args=(call, handle), name="flagstone-credentials", daemon=True).start()
        except RuntimeError as error:  # no more threads, or the interpreter is ending and allows none
            self._open -= 1
            lib.flagstone_client_release(handle)
            self._failed(call, error)

    def _run(self, call: _Call, handle: c_void_p) -> None:
        try:
            self._take(call, call.answer(self._provider, self.loop))
        except BaseException as error:  # it ends this call alone
            self._failed(call, error)
        finally:
            with self._lock:
                self._open -= 1
            # Who looks has another time to look at.
            lib.flagstone_client_wake(handle)
            lib.flagstone_client_release(handle)

    def _take(self, call: _Call, credentials: Any) -> None:
        """An answer; one that comes late counts, too, unless there is a newer one."""
        with self._lock:
            if self._closed or call.number < self._taken:
                return
            give(self._handle, credentials)
            self._taken, self._taken_at, self._failures, self._due = call.number, time.monotonic(), 0, None
            if self._call is call:
                self._call = None

    def _failed(self, call: _Call, error: BaseException) -> None:
        with self._lock:
            if self._call is not call:
                return
            pause = _pause(self._failures + 1)
            self._call, self._failures, self._due = None, self._failures + 1, time.monotonic() + pause
        logger.warning("the provider of Redis credentials failed and is called again in %.1f s", pause, exc_info=error)


class _Call:
    """One call of a provider."""

    def __init__(self, number: int) -> None:
        self.number, self.deadline = number, time.monotonic() + LIMIT
        self._cancel: Callable[[], object] | None = None
        self._is_given_up = False

    def answer(self, provider: RedisCredentialsProvider, loop: asyncio.AbstractEventLoop | None) -> Any:
        """What the provider gives; a coroutine runs on ``loop``, or on a loop of its own."""
        found: Any = provider()
        if not inspect.isawaitable(found):
            return found
        if loop is None or not loop.is_running():
            return asyncio.run(self._within(found))
        future = asyncio.run_coroutine_threadsafe(_awaited(found), loop)
        self._cancel_with(future.cancel)
        return future.result()

    def give_up(self) -> None:
        """Nobody waits for the answer any more: a coroutine is cancelled, and a function goes on."""
        self._is_given_up = True
        if self._cancel is not None:
            try:
                self._cancel()
            except RuntimeError:  # its loop is over
                pass

    async def _within(self, found: Awaitable[Any]) -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task
        self._cancel_with(lambda: loop.call_soon_threadsafe(task.cancel))
        return await found

    def _cancel_with(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        if self._is_given_up:
            cancel()


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def _pause(number: int) -> float:
    """The pause before a call that follows on so many failures; processes that fail together do not call together."""
    if number <= 0:
        return 0.0
    first, longest = PAUSES
    return min(first * 2.0 ** min(number - 1, 30), longest) * random.uniform(0.8, 1.0)

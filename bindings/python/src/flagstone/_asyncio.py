"""The client for ``asyncio``: the same calls in forms that do not hold the event loop.

What may wait does so on a thread, a moment at a time, so that who cancels does not wait for it. Depends on ``_changes``,
``_handles``, ``_lib`` and ``status``.
"""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import time
from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from ._changes import Changes
from ._handles import client_of as _of
from ._lib import lib, milliseconds
from .status import FlagChange, State

if TYPE_CHECKING:
    from .all_flags import AllFlagsState
    from .client import Client
    from .context import Context
    from .detail import EvaluationDetail
    from .migrations import OpTracker, Stage

T = TypeVar("T")

#: How long a thread waits, in seconds, before it looks whether somebody has cancelled.
_MOMENT = 0.1


class AsyncCalls:
    """What :class:`Client` has for coroutines.

    With ``cache_residency`` ``all`` evaluation never waits, so there the plain calls are as good as the ``…_async`` ones,
    which answer at once; with ``lazy`` and ``off``, and where the data have big segments, these wait on a thread of
    asyncio's.
    """

    __slots__ = ()

    async def __aenter__(self) -> Client:
        """Starts the client and waits at most 5 seconds."""
        await self.astart(5.0)
        return _of(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def astart(self, timeout: float = 5.0) -> bool:
        """As :meth:`Client.start`. A provider of credentials that gives coroutines has them run on this loop."""
        keeper = _of(self)._keeper
        if keeper is not None:
            keeper.loop = asyncio.get_running_loop()
        return await _moments(_of(self).start, timeout, lambda: _of(self).state is State.OFF)

    async def aclose(self, timeout: float = 2.0) -> bool:
        """As :meth:`Client.close`."""
        return await _elsewhere(lambda: _of(self).close(timeout))

    async def aflush(self, timeout: float = 5.0) -> bool:
        """As :meth:`Client.flush`."""
        return await _elsewhere(lambda: _of(self).flush(timeout))

    async def await_state(self, state: State, timeout: float) -> bool:
        """As :meth:`Client.wait`."""
        return await _moments(lambda moment: _of(self).wait(state, moment), timeout, lambda: _of(self).state is State.OFF)

    def changes(self) -> Changes[FlagChange]:
        """The changes of flags from now on: ``async for change in client.changes()``, and the same with ``for``. Ends when
        the client is closed."""
        client = _of(self)
        return Changes(client, client.add_flag_change_listener, lambda client, put: client.remove_flag_change_listener(put))

    async def variation_async(self, key: str, context: Context | None, default: T, *, check_type: bool = True) -> T | Any:
        """As :meth:`Client.variation`."""
        ask = _of(self).variation if check_type else partial(_of(self).variation, check_type=False)
        return await off_loop(_of(self), ask, key, context, default)

    async def bool_variation_async(self, key: str, context: Context | None, default: bool) -> bool:
        """As :meth:`Client.bool_variation`."""
        return await off_loop(_of(self), _of(self).bool_variation, key, context, default)

    async def int_variation_async(self, key: str, context: Context | None, default: int) -> int:
        """As :meth:`Client.int_variation`."""
        return await off_loop(_of(self), _of(self).int_variation, key, context, default)

    async def float_variation_async(self, key: str, context: Context | None, default: float) -> float:
        """As :meth:`Client.float_variation`."""
        return await off_loop(_of(self), _of(self).float_variation, key, context, default)

    async def string_variation_async(self, key: str, context: Context | None, default: str) -> str:
        """As :meth:`Client.string_variation`."""
        return await off_loop(_of(self), _of(self).string_variation, key, context, default)

    async def json_variation_async(self, key: str, context: Context | None, default: Any) -> Any:
        """As :meth:`Client.json_variation`."""
        return await off_loop(_of(self), _of(self).json_variation, key, context, default)

    async def variation_detail_async(
        self, key: str, context: Context | None, default: T, *, check_type: bool = True
    ) -> EvaluationDetail[T | Any]:
        """As :meth:`Client.variation_detail`."""
        ask = _of(self).variation_detail if check_type else partial(_of(self).variation_detail, check_type=False)
        return await off_loop(_of(self), ask, key, context, default)

    async def variation_many_async(
        self, keys: Iterable[str] | Mapping[str, Any], context: Context | None
    ) -> dict[str, EvaluationDetail[Any]]:
        """As :meth:`Client.variation_many`."""
        return await off_loop(_of(self), _of(self).variation_many, keys, context)

    async def migration_variation_async(
        self, key: str, context: Context | None, default_stage: Stage
    ) -> tuple[Stage, OpTracker]:
        """As :meth:`Client.migration_variation`."""
        return await off_loop(_of(self), _of(self).migration_variation, key, context, default_stage)

    async def all_flags_state_async(self, context: Context | None, **options: bool) -> AllFlagsState:
        """As :meth:`Client.all_flags_state`, with the same options."""
        return await off_loop(_of(self), lambda: _of(self).all_flags_state(context, **options))


async def _moments(wait: Callable[[float], bool], timeout: float, is_vain: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + milliseconds(timeout) / 1000
    while True:
        left = deadline - time.monotonic()
        if await _on_thread(wait, max(0.0, min(left, _MOMENT))):
            return True
        if is_vain() or time.monotonic() >= deadline:
            return False


async def _elsewhere(call: Callable[[], bool]) -> bool:
    """On a thread of its own: one of asyncio's would be waited for at the end of the loop, also by who has cancelled."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def settle(found: bool, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def run() -> None:
        found, failure = False, None
        try:
            found = call()
        except Exception as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, found, failure)
        except RuntimeError:  # the loop is closed
            pass

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError:  # no more threads, or the interpreter is ending and allows none
        run()
    return await answer


async def _on_thread(call: Callable[..., T], *arguments: Any) -> T:
    """On a thread of asyncio's; where there can be none any more, here, which holds the loop meanwhile."""
    turn = [partial(contextvars.copy_context().run, call, *arguments)]
    try:
        answer = asyncio.get_running_loop().run_in_executor(None, lambda: turn.pop()())
    except RuntimeError:  # no more threads, or loop or interpreter are ending and allow none
        # What waits in a queue for a thread is not done a second time.
        turn.clear()
        return call(*arguments)
    return await answer


async def off_loop(client: Client, call: Callable[..., T], *arguments: Any) -> T:
    """Calls on a thread of asyncio's what may wait, and anything else at once."""
    if lib.flagstone_client_may_wait(client._h):
        return await _on_thread(call, *arguments)
    return call(*arguments)

"""The client: lifecycle, evaluation, status, listeners. Depends on every other module of the package."""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from ctypes import byref, c_double, c_int64, c_void_p, sizeof
from types import TracebackType
from typing import Any, Callable, TypeVar, overload

from . import _abi, _fast, _forks, _hooked, _hot, _own_store
from ._asyncio import AsyncCalls
from ._changes import Changes
from ._credentials import CredentialCalls, Keeper
from ._defaults import INT64, told
from ._events import Pump, drain
from ._fast import BOOLS, SIZES
from ._handles import handle_of
from ._lib import do, lib, make, milliseconds, raise_for, read, text
from ._listening import Listening, ValueCalls
from ._log import logger
from ._many import many
from ._migrating import MigrationCalls
from ._plugging import HookCalls
from ._reporting import ReportCalls
from ._segmenting import SegmentCalls
from ._telling import EventCalls
from ._waits import wait, wait_whole
from .all_flags import AllFlagsState
from .big_segments import BigSegmentsListener
from .config import Config
from .context import Context
from .detail import ErrorKind, EvaluationDetail, failed
from .errors import ClosedError, FlagstoneError, InvalidArgumentError
from .flag import Flag, prepare, want_of
from .status import (
    FlagChangeListener,
    SourceError,
    SourceErrorKind,
    SourceStatus,
    State,
    Status,
    StatusListener,
    StoreStatus,
    check_listener,
)

__all__ = ["Client"]

T = TypeVar("T")

#: The class whose objects take the short way; none in a process that is asleep.
_short: Any = Context
#: Longest time that a thread can be waited for, in seconds.
_LONGEST = threading.TIMEOUT_MAX
#: How long exit waits for threads and listeners of all clients, in seconds.
_EXIT = 2.0
#: Kinds of misuse that are logged once each.
_MOST_TOLD = 100


@_hot.accelerated
class Client(
    AsyncCalls,
    CredentialCalls,
    HookCalls,
    MigrationCalls,
    ReportCalls,
    SegmentCalls,
    EventCalls,
    ValueCalls,
    _hot.ClientBase,
):
    """One environment's flags, held and kept true. One per process is enough; any thread may use it.

    Without ``source_kind`` the flags are read from Redis, where somebody else keeps them (daemon mode); with it they come
    from LaunchDarkly, a Relay Proxy, files or a test, and are kept in Redis if one is named (connected mode).

    >>> with Client(Config(redis_url="redis://localhost:6379")) as client:
    ...     client.variation("new-checkout", Context("ada"), False)

    Evaluation never raises: on any problem it gives the default, and the ``…_detail`` calls tell why. With the default
    options it reads memory alone, but for the members of big segments, where the flags have some. A forked child goes on
    answering at once, with threads and connections of its own.

    :raises InvalidArgumentError: when options do not fit together, or a file they name cannot be read.
    """

    def __init__(self, config: Config | None = None) -> None:
        config = Config() if config is None else config
        options = handle_of(config, Config)
        if options is None:
            raise InvalidArgumentError(f"a Config is needed, not {type(config).__name__}")
        #: Whether events may tell the defaults that callers give.
        self._tells = config._tells
        self._waits = config._waits
        self._attach(make(lib.flagstone_client_new, options), self._waits, self._tells)
        self._calls = _fast.calls_of(self, self._waits)
        self._bool, self._int = self._calls.bool, self._calls.int
        self._double, self._variation = self._calls.double, self._calls.variation
        self._flag_value, self._flag_detail = self._calls.flag_value, self._calls.flag_detail
        #: By type asked for, and by key or, where events tell defaults, by key and default.
        self._prepared: tuple[dict[Any, _fast.FlagHandle], ...] = tuple({} for _ in _fast.WANT)
        self._store, self._poll_seconds = config._store, config._poll_seconds
        self._keeper = None if config._provider is None else Keeper(config._provider, self._h)
        self._refused: set[str] = set()
        self._pump: Pump | None = None
        self._poller: _own_store.Poller | None = None
        self._started = self._closed = False
        self._streams: weakref.WeakSet[Changes[Any]] = weakref.WeakSet()
        # Who stops to listen may do so while garbage is collected on a thread that has it.
        self._lock = threading.RLock()
        self._flag_listeners: tuple[FlagChangeListener, ...] = ()
        self._status_listeners: tuple[StatusListener, ...] = ()
        self._big_segments_listeners: tuple[BigSegmentsListener, ...] = ()
        #: By the library's number.
        self._value_listeners: dict[int, Listening] = {}
        #: Held while the library evaluates, which may take as long as a store takes.
        self._value_lock = threading.RLock()
        self._hooks = _hooked.Hooks()
        #: All that were prepared and still are somewhere: they get hooks when the client does.
        self._flags: weakref.WeakSet[Flag[Any]] = weakref.WeakSet()
        tell_plugins = self._plug_in(config)
        if self._store is not None:
            self._store.open()
        _clients.add(self)
        tell_plugins()

    # Lifecycle

    def start(self, timeout: float = 5.0) -> bool:
        """Starts the client and waits until it is ready, at most ``timeout`` seconds; 0 does not wait. Daemon mode: Redis
        has been read; otherwise: the data source has delivered.

        :returns: True when ready. False when not yet: the client goes on trying; may be called again to wait again. False
            at once when the data source has failed for good, for example because the SDK key was refused: then
            :attr:`state` is ``OFF``, and :attr:`source_status` tells why. Meanwhile the last known flags answer, if Redis
            or the snapshot file has them.
        :raises ClosedError: after :meth:`close`.
        """
        self._awake()
        self._start_pump()
        if self._keeper is not None and _forks.is_asleep():
            self._keeper.ask_here()
        error = c_void_p()

        def start(slice_ms: int) -> int:
            lib.flagstone_error_free(error)
            error.value = None
            return lib.flagstone_client_start(self._h, slice_ms, byref(error))  # type: ignore[no-any-return]

        status = wait(start, timeout)
        if _forks.is_asleep():
            drain(self._h, self)
        if status in (_abi.STATUS_TIMEOUT, _abi.STATUS_NOT_READY):
            lib.flagstone_error_free(error)
            return False
        raise_for(status, error)
        return timeout > 0 or self.is_ready

    def close(self, timeout: float = 2.0) -> bool:
        """Sends what is queued, ends threads and connections, waiting at most ``timeout`` seconds. May be called again.

        Evaluation goes on answering from the last data held (residency ``off``: the default), ``track`` and ``identify`` do
        nothing; every other call raises ``ClosedError``.

        :returns: False when a thread was still busy; it ends by itself.
        """
        began = time.monotonic()
        closed = self._close(timeout, wait_whole if self._tells else wait)
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            closed = store.close(_left(timeout, began)) and closed
        return closed

    def _close(self, timeout: float, wait: Callable[[Callable[[int], int], float], int]) -> bool:
        began = time.monotonic()
        if self._keeper is not None:
            self._keeper.close()
        status = wait(lambda ms: lib.flagstone_client_close(self._h, ms), timeout)
        with self._lock:
            self._closed = True
            pump, poller = self._pump, self._poller
        if poller is not None:
            poller.close(_left(timeout, began))
        if pump is not None:
            pump.join(_left(timeout, began))
        elif _forks.is_asleep():
            drain(self._h, self)
        for changes in list(self._streams):
            changes.close()
        return bool(status == _abi.STATUS_OK)

    def __enter__(self) -> Client:
        """Starts the client and waits at most 5 seconds."""
        self.start(5.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def postfork(self) -> None:
        """In a forked child: makes threads and connections now. Not needed: it happens by itself.

        :raises ClosedError: after :meth:`close`.
        """
        self._awake()
        do(lib.flagstone_client_postfork, self._h)

    # Status and listeners

    @property
    def state(self) -> State:
        """Present state; costs one native call."""
        return State(lib.flagstone_client_state(self._h))

    @property
    def is_ready(self) -> bool:
        """True once Redis has been read or the data source has delivered; False after :meth:`close`."""
        try:
            return self.status().ready
        except ClosedError:
            return False

    def status(self) -> Status:
        """Condition of the client.

        :raises ClosedError: after :meth:`close`.
        """
        self._awake()
        return Status._from(json.loads(read(lib.flagstone_client_status_json, self._h)))

    @property
    def source_status(self) -> SourceStatus | None:
        """Condition of the data source; ``None`` in daemon mode, which has none.

        :raises ClosedError: after :meth:`close`.
        """
        return self._condition(_source_status)

    @property
    def store_status(self) -> StoreStatus:
        """Condition of Redis.

        :raises ClosedError: after :meth:`close`.
        """
        return self._condition(_store_status)

    def wait(self, state: State, timeout: float) -> bool:
        """Waits until the client is in ``state``, at most ``timeout`` seconds.

        :returns: False when it was not; at once when it never will be, because the data source has failed for good.
        :raises ClosedError: when the client is closed and another state than ``OFF`` was waited for.
        """
        self._awake()
        code = int(state)
        status = wait(lambda slice_ms: lib.flagstone_client_wait(self._h, code, slice_ms), timeout)
        if status in (_abi.STATUS_TIMEOUT, _abi.STATUS_NOT_READY):
            return False
        raise_for(status, c_void_p())
        return True

    def add_flag_change_listener(self, listener: FlagChangeListener) -> None:
        """Calls ``listener`` with a :class:`FlagChange` whenever a flag, or something it depends on, changes.

        Listeners run one after the other on the client's own thread; one that raises is logged.

        :raises InvalidArgumentError: for what cannot be called.
        """
        check_listener(listener)
        self._awake()
        with self._lock:
            self._flag_listeners = (*self._flag_listeners, listener)
            self._subscribe()

    def remove_flag_change_listener(self, listener: FlagChangeListener) -> None:
        """Undoes :meth:`add_flag_change_listener`; an unknown listener is left alone."""
        self._awake()
        with self._lock:
            self._flag_listeners = tuple(known for known in self._flag_listeners if known != listener)
            self._subscribe()

    def _subscribe(self) -> None:
        """Who listens to changes of flags hears of all of them at once. After close there is nothing to hear."""
        wants = _abi.SUBSCRIBE_FLAG_CHANGES if self._flag_listeners else 0
        lib.flagstone_client_subscribe(self._h, wants, None)

    def add_status_listener(self, listener: StatusListener) -> None:
        """Calls ``listener`` with a :class:`StatusChange` whenever the condition of the data source or of Redis changes, as
        flag change listeners are."""
        check_listener(listener)
        with self._lock:
            self._status_listeners = (*self._status_listeners, listener)

    def remove_status_listener(self, listener: StatusListener) -> None:
        """Undoes :meth:`add_status_listener`; an unknown listener is left alone."""
        with self._lock:
            self._status_listeners = tuple(known for known in self._status_listeners if known != listener)

    # Evaluation: scalars

    def bool_variation(self, key: str, context: Context | None, default: bool) -> bool:
        """Value of a bool flag, or ``default``."""
        if type(context) is _short and type(key) is str:
            try:
                raw = key.encode()
                return self._bool(self._h, context._h, raw, SIZES[len(raw)], BOOLS[default]) == 1  # type: ignore[no-any-return]
            except Exception:  # a long key, a default that is no bool; the way below knows them all
                pass
        return self._evaluate(key, context, default, _abi.TYPE_BOOL).value

    def int_variation(self, key: str, context: Context | None, default: int) -> int:
        """Value of a number flag as an int of at most 64 bits; or ``default``. A number with a fraction is rounded as the
        option ``evaluation_integer_rounding`` says."""
        if type(context) is _short and type(key) is str and type(default) is int and default in INT64:
            try:
                raw = key.encode()
                return self._int(self._h, context._h, raw, SIZES[len(raw)], c_int64(default))  # type: ignore[no-any-return]
            except Exception:
                pass
        return self._evaluate(key, context, default, _abi.TYPE_NUMBER, _fast.INT).value

    def float_variation(self, key: str, context: Context | None, default: float) -> float:
        """Value of a number flag, or ``default``."""
        if type(context) is _short and type(key) is str and type(default) is float:
            try:
                raw = key.encode()
                return self._double(self._h, context._h, raw, SIZES[len(raw)], c_double(default))  # type: ignore[no-any-return]
            except Exception:
                pass
        return self._evaluate(key, context, default, _abi.TYPE_NUMBER, _fast.FLOAT).value

    def string_variation(self, key: str, context: Context | None, default: str) -> str:
        """Value of a string flag, or ``default``."""
        return self._evaluate(key, context, default, _abi.TYPE_STRING).value

    def json_variation(self, key: str, context: Context | None, default: Any) -> Any:
        """Value of a flag of any type, as ``json.loads`` gives it; or ``default``, whatever that is."""
        return self._evaluate(key, context, default, _abi.TYPE_NONE).value

    @overload
    def variation(self, key: str, context: Context | None, default: None) -> Any: ...
    @overload
    def variation(self, key: str, context: Context | None, default: bool) -> bool: ...
    @overload
    def variation(self, key: str, context: Context | None, default: int) -> int | float: ...
    @overload
    def variation(self, key: str, context: Context | None, default: float) -> float: ...
    @overload
    def variation(self, key: str, context: Context | None, default: str) -> str: ...
    @overload
    def variation(self, key: str, context: Context | None, default: Any, *, check_type: bool = True) -> Any: ...
    def variation(self, key: str, context: Context | None, default: Any, *, check_type: bool = True) -> Any:
        """Value of a flag of the type of ``default``; or ``default``.

        A bool asks for a bool flag, an int or a float for a number flag, a string for a string flag, anything else,
        ``None`` included, for any type. A number comes back as an int where the flag's text has neither fraction nor
        exponent. A value of another type than asked for is logged once (WARN), and its reason is ``ERROR/WRONG_TYPE``.

        :param check_type: False takes a value of any type, as LaunchDarkly's SDK for Python does.
        """
        if not check_type:
            return self.json_variation(key, context, default)
        if default is True or default is False:
            return self.bool_variation(key, context, default)
        return self._evaluate(key, context, default, want_of(default)).value

    # Evaluation: with reasons

    def bool_variation_detail(self, key: str, context: Context | None, default: bool) -> EvaluationDetail[bool]:
        """As :meth:`bool_variation`, with the reason."""
        return self._evaluate(key, context, default, _abi.TYPE_BOOL, reason=True)

    def int_variation_detail(self, key: str, context: Context | None, default: int) -> EvaluationDetail[int]:
        """As :meth:`int_variation`, with the reason."""
        return self._evaluate(key, context, default, _abi.TYPE_NUMBER, _fast.INT, reason=True)

    def float_variation_detail(self, key: str, context: Context | None, default: float) -> EvaluationDetail[float]:
        """As :meth:`float_variation`, with the reason."""
        return self._evaluate(key, context, default, _abi.TYPE_NUMBER, _fast.FLOAT, reason=True)

    def string_variation_detail(self, key: str, context: Context | None, default: str) -> EvaluationDetail[str]:
        """As :meth:`string_variation`, with the reason."""
        return self._evaluate(key, context, default, _abi.TYPE_STRING, reason=True)

    def json_variation_detail(self, key: str, context: Context | None, default: Any) -> EvaluationDetail[Any]:
        """As :meth:`json_variation`, with the reason."""
        return self._evaluate(key, context, default, _abi.TYPE_NONE, reason=True)

    @overload
    def variation_detail(self, key: str, context: Context | None, default: None) -> EvaluationDetail[Any]: ...
    @overload
    def variation_detail(self, key: str, context: Context | None, default: bool) -> EvaluationDetail[bool]: ...
    @overload
    def variation_detail(self, key: str, context: Context | None, default: int) -> EvaluationDetail[int | float]: ...
    @overload
    def variation_detail(self, key: str, context: Context | None, default: float) -> EvaluationDetail[float]: ...
    @overload
    def variation_detail(self, key: str, context: Context | None, default: str) -> EvaluationDetail[str]: ...
    @overload
    def variation_detail(
        self, key: str, context: Context | None, default: Any, *, check_type: bool = True
    ) -> EvaluationDetail[Any]: ...
    def variation_detail(
        self, key: str, context: Context | None, default: Any, *, check_type: bool = True
    ) -> EvaluationDetail[Any]:
        """As :meth:`variation`, with the reason."""
        return self._evaluate(key, context, default, want_of(default) if check_type else _abi.TYPE_NONE, reason=True)

    def variation_many(
        self, keys: Iterable[str] | Mapping[str, Any], context: Context | None
    ) -> dict[str, EvaluationDetail[Any]]:
        """Values of any type of several flags for one context, in one native call.

        A mapping gives a default for each key; otherwise the defaults are ``None``.
        """
        self._awake()
        defaults = self._defaults(keys)
        native = handle_of(context, Context)
        try:
            raw = [key.encode() for key in defaults if type(key) is str]
        except UnicodeEncodeError:
            raw = []
        if native is None or len(raw) < len(defaults):
            ask = self._evaluate
            return {key: ask(key, context, default, _abi.TYPE_NONE, reason=True) for key, default in defaults.items()}
        found = many(self._calls, self._h, native, raw, defaults.values() if self._tells else None)
        return {
            key: of if type(of) is EvaluationDetail else self._known(of, key, default)
            for (key, default), of in zip(defaults.items(), found)
        }

    # All flags

    def all_flags_state(
        self,
        context: Context | None,
        *,
        client_side_only: bool = False,
        with_reasons: bool = False,
        details_only_for_tracked_flags: bool = False,
    ) -> AllFlagsState:
        """Values of all flags for one context, for handing on to a browser.

        With ``cache_residency`` ``lazy`` and ``off`` everything is read from Redis, which takes at most
        ``redis_command_timeout_ms``. Makes no events. Without flags to be had the state is not ``valid``.

        :param client_side_only: only flags that client-side SDKs may see.
        :param with_reasons: the reason of each value.
        :param details_only_for_tracked_flags: versions and reasons only for flags whose evaluations make full events, or
            debug events at present.
        :raises ClosedError: after :meth:`close`.
        """
        options = _abi.ALL_FLAGS_CLIENT_SIDE_ONLY if client_side_only else 0
        options |= _abi.ALL_FLAGS_WITH_REASONS if with_reasons else 0
        options |= _abi.ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED if details_only_for_tracked_flags else 0
        self._awake()
        handle = handle_of(context, Context)
        if handle is None and context is not None:
            logger.warning("all flags: the context is of type %s, not Context", type(context).__name__)
        return AllFlagsState(read(lib.flagstone_all_flags_json, self._h, handle, options))

    def secure_mode_hash(self, context: Context) -> str:
        """The hash by which a client-side SDK in secure mode shows that a server vouches for the context. Needs the option
        ``sdk_key``; the client need not be started.

        :raises InvalidArgumentError: without ``sdk_key``, or for what is not a context.
        :raises ClosedError: after :meth:`close`.
        """
        handle = handle_of(context, Context)
        return read(lib.flagstone_secure_mode_hash, self._h, handle)

    # Prepared flags

    @overload
    def flag(self, key: str, default: None = None) -> Flag[Any]: ...
    @overload
    def flag(self, key: str, default: T) -> Flag[T]: ...
    def flag(self, key: str, default: Any = None) -> Flag[Any]:
        """Prepares a flag, whose type is that of ``default`` as in :meth:`variation`; an int default gives ints,
        rounded as in :meth:`int_variation`, a float default floats. The flag need not exist yet.

        :raises InvalidArgumentError: for a key or a default without a JSON form.
        :raises ClosedError: after :meth:`close`.
        """
        flag = prepare(self, key, default)
        with self._lock:
            self._flags.add(flag)
            _hooked.take_on_flag(self, flag)
        return flag

    # Inside

    def _evaluate(
        self,
        key: str,
        context: Context | None,
        default: T,
        want: int,
        form: str = _fast.ANY,
        reason: bool = False,
    ) -> EvaluationDetail[T]:
        if type(context) is _short and type(key) is str:
            buffer = _fast.take()
            try:
                name: Any = key
                if self._tells:
                    name = (key, default) if type(default) in _fast.BOUND[want] else _fast.name_of(key, default)
                prepared = self._prepared[want].get(name)
                if prepared is None:
                    self._fill(buffer, key, context._h, default, want, reason)
                    if name is not None:
                        bound = default if self._tells else None
                        raw, wanted = key.encode(), _fast.WANT[want]
                        _fast.prepare(self._prepared[want], name, self._h, raw, wanted, bound, buffer.detail)
                else:
                    (self._flag_detail if reason else self._flag_value)(prepared, context._h, buffer.address)
                return _fast.result(buffer, default, form)
            except Exception:  # as in bool_variation
                pass
        return self._evaluate_any(key, context, default, want, form, reason)

    def _evaluate_any(
        self, key: str, context: Context | None, default: T, want: int, form: str, reason: bool
    ) -> EvaluationDetail[T]:
        self._awake()
        native = handle_of(context, Context)
        if native is None or not _is_text(key):
            return self._refuse(key, context, default)
        buffer = _fast.take()
        try:
            self._fill(buffer, key, native, default, want, reason)
            return _fast.result(buffer, default, form)
        except Exception as error:
            return self._unreadable(key, error, default)

    def _fill(self, buffer: _fast.Buffer, key: str, native: c_void_p, default: Any, want: int, reason: bool) -> None:
        raw, wanted, options = str.encode(key), _fast.WANT[want], _fast.REASON if reason else _fast.VALUE
        # It keeps what it borrows.
        made = told(default) if self._tells else None
        self._variation(self._h, native, raw, _fast.size(raw), wanted, made and byref(made), options, buffer.address)

    def _known(self, buffer: Any, key: str, default: T) -> EvaluationDetail[T]:
        try:
            return _fast.result(buffer, default)
        except Exception as error:
            return self._unreadable(key, error, default)

    def _defaults(self, keys: Any) -> dict[Any, Any]:
        """Keys with their defaults; what can be no key of a dictionary is left out."""
        try:
            if type(keys) is list:
                return dict.fromkeys(keys)
            if issubclass(type(keys), str):
                return {keys: None}
            return dict(keys) if isinstance(keys, Mapping) else dict.fromkeys(keys)
        except Exception as error:
            self._tell_once(f"variation_many needs keys, not {type(keys).__name__} ({type(error).__name__})")
            return {}

    def _refuse(self, key: Any, context: Any, default: T) -> EvaluationDetail[T]:
        """The default, for a context or a key that is none."""
        kind = ErrorKind.FLAG_NOT_FOUND
        if handle_of(context, Context) is None:
            kind, problem = ErrorKind.USER_NOT_SPECIFIED, f"the context is of type {type(context).__name__}, not Context"
        elif not issubclass(type(key), str):
            problem = f"the key is of type {type(key).__name__}, not str"
        else:
            problem = "the key cannot be written as UTF-8"
        shown = ascii(str.__str__(key)) if issubclass(type(key), str) else "a flag"
        self._tell_once(problem, f"evaluation of {shown} gave the default: {problem}")
        return failed(default, kind)

    def _unreadable(self, key: str, error: Exception, default: T) -> EvaluationDetail[T]:
        """The default, for a value that Python cannot hold, for example when the stack is nearly full."""
        problem = f"the value of {str.__str__(key)!a} cannot be read: {type(error).__name__}: {error}"
        self._tell_once(problem, f"the default was returned: {problem}")
        return failed(default, ErrorKind.EXCEPTION)

    def _tell_once(self, problem: str, message: str | None = None) -> None:
        if problem not in self._refused and len(self._refused) < _MOST_TOLD:
            self._refused.add(problem)
            logger.warning("%s", message or problem)

    def _condition(self, convert: Callable[[_abi.ClientStatusInfo], T]) -> T:
        self._awake()
        info = _abi.ClientStatusInfo(struct_size=sizeof(_abi.ClientStatusInfo))
        do(lib.flagstone_client_status, self._h, byref(info))
        try:
            return convert(info)
        finally:
            lib.flagstone_client_status_info_clear(byref(info))

    def _start_pump(self) -> None:
        with self._lock:
            self._started = True
            if self._pump is None and not self._closed and not _forks.is_asleep():
                self._pump = Pump(self._h, weakref.ref(self))
                if self._store is not None:
                    self._poller = _own_store.Poller(self._h, self, self._poll_seconds)

    def _awake(self) -> None:
        """Before every call that may be the first one in this process."""
        if _forks.is_asleep() and _forks.wake():
            for client in list(_clients):
                client._live()

    def _live(self) -> None:
        """Makes threads and connections, with a moment for the first read."""
        if self._started and not self._closed:
            error = c_void_p()
            lib.flagstone_client_postfork(self._h, byref(error))
            lib.flagstone_error_free(error)
            self._start_pump()

    def _after_fork(self) -> None:
        """In a child: locks and threads of the parent are left alone."""
        self._lock, self._value_lock = threading.RLock(), threading.RLock()
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.leave()
        self._poller = None
        if self._keeper is not None:
            self._keeper.after_fork()
        for changes in list(self._streams):
            changes.after_fork()
        if self._store is not None:
            self._store.after_fork()

    def __repr__(self) -> str:
        return f"<Client {self.state.name}>"


def _left(timeout: float, began: float) -> float:
    """What is left of a time that may be longer than threads can wait."""
    return max(0.0, min(timeout, _LONGEST) - (time.monotonic() - began))


Client._hooked_class = _hooked.hooked_client(Client)


def _source_status(info: _abi.ClientStatusInfo) -> SourceStatus | None:
    if not info.source_since_ms:
        return None
    error = None
    if info.last_error_ms:
        kind, message = SourceErrorKind(info.last_error_kind), text(info.last_error)
        error = SourceError(kind, info.last_error_status or None, message, info.last_error_ms)
    return SourceStatus(State(info.source_state), info.source_since_ms, error)


def _store_status(info: _abi.ClientStatusInfo) -> StoreStatus:
    return StoreStatus(info.store_available == 1, info.store_stale_since_ms or None)


def _is_text(key: Any) -> bool:
    try:
        str.encode(key)
    except (TypeError, UnicodeEncodeError):
        return False
    return True


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _close_all() -> None:
    """At exit: no thread may be inside Python when the interpreter goes away. All have the same moment to end in."""
    deadline = time.monotonic() + _EXIT
    clients = list(_clients)
    for client in clients:
        # All send at the same time.
        lib.flagstone_client_flush(client._h, 1, None)
    for client in clients:
        # From here on nobody asks a store of the program's own.
        lib.flagstone_client_close(client._h, milliseconds(max(0.0, deadline - time.monotonic())))
    _own_store.end(_EXIT)
    for client in clients:
        try:
            # On this thread: an interpreter that ends allows no others.
            client._close(max(0.0, deadline - time.monotonic()), lambda call, seconds: call(milliseconds(seconds)))
        except FlagstoneError:
            pass


def _after_fork() -> None:
    _forks.sleep()
    for client in list(_clients):
        client._after_fork()


def _switch(open_: bool) -> None:
    global _short
    _short = Context if open_ else None


_forks.switch_with(_switch)
if _forks.will_fork():
    _forks.sleep()
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

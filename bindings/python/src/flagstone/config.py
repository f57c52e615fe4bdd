"""Options of a client, one keyword each. Depends on ``_options``, ``_handles``, ``_lib``, ``_own_store``, ``credentials``,
``hooks``, ``plugins`` and ``testdata``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from ctypes import c_void_p
from typing import Any, Literal, TypeVar, Union

from . import _fast
from ._handles import Owner, handle_of, refuse_copy
from ._lib import do, lib, release_with, utf8
from ._options import OPTIONS, masked, plain, written
from ._own_store import OwnStore
from .big_segments import BigSegmentStore
from .credentials import RedisCredentialsProvider
from .errors import InvalidArgumentError
from .hooks import Hook
from .plugins import Plugin
from .testdata import TestData

__all__ = ["Config", "OptionValue"]

L = TypeVar("L")

#: Defaults of redis.command_timeout_ms and big_segments.poll_interval_ms.
_PATIENCE_MS, _POLL_MS = 2000, 5000

OptionValue = Union[str, int, bool, "os.PathLike[str]", "Mapping[str, str]", "Sequence[str | os.PathLike[str]]"]


class Config(Owner):
    """Options from which clients are made. Immutable; may be used for any number of clients, and shown: secrets are masked.
    A pickled one holds its secrets as they are.

    Every keyword is an option of the library, named with ``_`` for ``.``; what is left out keeps its default. Times are
    milliseconds, from 1 to 86,400,000 (a day).

    :param sdk_key: SDK key of the environment: needed for connected mode and the secure mode hash. Default: none.
    :param redis_url: ``redis://``, ``rediss://`` (TLS) or ``unix://`` URL with user, password and database, for example
        ``redis://user:password@host:6379/0``. Default ``redis://localhost:6379`` in daemon mode; with a source: no Redis.
    :param redis_prefix: prefix of the keys. Default ``launchdarkly``.
    :param redis_username: wins over the URL's. Default: none.
    :param redis_password: wins over the URL's. Default: none.
    :param redis_password_file: file with the password, in the place of one: read at each connect and when it changes; the
        end of its line is dropped. Default: none.
    :param redis_credentials: who logs in. ``static``: the options or the file; ``aws-iam``: ``redis_username``, with tokens
        for AWS ElastiCache and MemoryDB that the library makes of the process's identity at AWS; ``host``: whoever
        ``set_redis_credentials`` says. Or a provider: a function or a coroutine function that returns
        ``RedisCredentials``, called at the start, before they expire, and when Redis refuses them. Default ``static``.
    :param redis_aws_region: region of the cluster, for ``aws-iam``. Default: that of the environment (``AWS_REGION``, then
        ``AWS_DEFAULT_REGION``).
    :param redis_aws_service: ``elasticache`` or ``memorydb``. Default ``elasticache``.
    :param redis_aws_cluster: name of the cluster, replication group or serverless cache, not its address. Default: none.
    :param redis_aws_serverless: True: it is a serverless cache. Default ``false``.
    :param redis_database: number; wins over the URL's. Default 0.
    :param redis_connect_timeout_ms: longest time to connect, login included. Default 2000.
    :param redis_command_timeout_ms: longest silence while a reply is awaited, and longest wait of an evaluation
        for items (``cache_residency`` ``lazy`` and ``off``) and for the members of big segments, also those that
        ``big_segment_store`` knows. Default 2000.
    :param redis_ping_ms: interval of pings on an idle connection. Default 1000.
    :param redis_keyspace_notifications: ``assume``: notifications of keys and hash fields count as configured also where
        Redis does not tell. Default ``ask``.
    :param redis_tls_ca_file: PEM file of the authorities to trust, or of the server's own certificate. Default: Mozilla's
        list, built in.
    :param redis_tls_cert_file: PEM file of the client certificate. Default: none.
    :param redis_tls_key_file: PEM file of its private key. Default: none.
    :param redis_tls_server_name: the name that the certificate must be for, instead of the URL's host. Default: none.
    :param redis_tls_skip_verify: True: any certificate is accepted. Default ``false``.
    :param cache_residency: ``all``: the whole data set is held; ``lazy``: at most ``cache_capacity`` items, read when first
        asked for; ``off``: every lookup reads Redis. Default ``all``.
    :param cache_freshness: ``push``: Redis tells what changed; ``ttl``: read again when older than ``cache_ttl_ms``;
        ``forever``: never read again. Default ``push``.
    :param cache_ttl_ms: age at which items are read again. Default 30000.
    :param cache_capacity: most items held with ``lazy``. Default 10000.
    :param cache_on_wipe: ``keep`` what is held when Redis loses the data set, or ``clear``. Default ``keep``; ``clear``
        with a source and ``cache_residency`` ``lazy`` or ``off``.
    :param refresh_interval_ms: interval of the safety poll; not with ``forever`` in daemon mode. Default 60000.
    :param notifications_capacity: most notifications that wait for the listeners. Default 1000.
    :param evaluation_integer_rounding: a number with a fraction that is asked for as an int: ``half_even``: to the nearest
        one, halves to the even one; ``truncate``: toward zero. Default ``half_even``.
    :param log_level: ``debug``, ``info``, ``warn``, ``error`` or ``none``: what reaches the logger ``flagstone``.
        Default ``info``.
    :param source_kind: ``none``: daemon mode; ``stream``: from LaunchDarkly or a Relay Proxy; ``poll``: from LaunchDarkly;
        ``fdv2``: the same in the protocol that sends only what has changed since; ``file``: from ``file_paths``;
        ``testdata``: from ``test_data``. Default ``none``.
    :param source_filter: key of a payload filter, for ``stream`` and ``poll``. Default: none.
    :param fdv2_initializers: the sources that are asked once each for the first data: ``poll``, or with an address of its
        own ``poll https://example.org``. Default ``["poll"]``.
    :param fdv2_synchronizers: the sources that keep data true, one at a time, the first preferred: ``stream``, ``poll``,
        with or without an address. Default ``["stream","poll"]``.
    :param fdv2_fallback: what is done where a server asks for the protocol of ``stream`` and ``poll``: ``poll``, with or
        without an address, or ``none``. Default ``poll``.
    :param fdv2_fallback_after_ms: a synchronizer that has brought nothing for so long gives way to the next. Default
        120000.
    :param fdv2_recover_after_ms: another than the first that is well for so long gives way to the first. Default 300000.
    :param fdv2_first_data_ms: as ``fdv2_fallback_after_ms`` while there are no data at all; more each time. Default 10000.
    :param endpoints_stream: base URL of the stream. Default: LaunchDarkly's.
    :param endpoints_poll: base URL of polling. Default: LaunchDarkly's.
    :param endpoints_events: base URL of events. Default: LaunchDarkly's.
    :param endpoints_relay: base URL of a Relay Proxy: of all three that have none of their own. Default: none.
    :param stream_initial_delay_ms: pause before the first repeated connect; doubled each time, up to 30 s. Default 1000.
    :param stream_read_timeout_ms: longest silence of the stream. Default 300000.
    :param poll_interval_ms: pause between polls; a shorter one is raised, unless ``poll_allow_short``. Default 30000.
    :param poll_allow_short: True: ``poll_interval_ms`` is taken as it is. Default ``false``.
    :param retry_mode: ``legacy``: a status such as 401 or 403 ends the source for good; ``extended``: nothing does, it is
        tried again after minutes. Default ``extended``.
    :param http_connect_timeout_ms: longest time to connect, and to look up a name. Default 10000.
    :param http_read_timeout_ms: longest wait for a response, the stream's silence apart. Default 15000.
    :param http_proxy: URL of a proxy. Default: that of the environment (``http_proxy``, ``https_proxy``, ``all_proxy``,
        ``no_proxy``, and their upper-case forms except ``HTTP_PROXY``). A scheme is needed.
    :param http_headers: further headers of every request, by name. Default: none.
    :param http_tls_ca_file: PEM file of the authorities to trust. Default: Mozilla's list, built in.
    :param http_tls_skip_verify: True: any certificate is accepted. Default ``false``.
    :param file_paths: files of JSON or YAML with ``flags``, ``flagValues`` and ``segments``. Default: none.
    :param file_duplicates: ``fail``: an item in two files is an error; ``first``: the first one counts. Default ``fail``.
    :param file_auto_reload: True: files are read again when they change. Default ``false``.
    :param events_enabled: False: nothing is told of evaluations, ``identify`` and ``track``. Default ``true`` with
        ``sdk_key``, in daemon mode too, as LaunchDarkly's SDKs do; there are no events without it.
    :param events_capacity: most events that wait for one flush; those beyond are dropped and counted. Default 10000.
    :param events_flush_interval_ms: time between flushes. Default 5000.
    :param events_context_keys_capacity: most contexts that are remembered as told. Default 1000.
    :param events_context_keys_flush_ms: how long they are. Default 300000.
    :param events_gzip: False: payloads are not compressed. Default ``true``.
    :param events_all_attributes_private: True: of contexts nothing is sent but kind, key and ``anonymous``.
        Default ``false``.
    :param events_private_attributes: attributes that are not sent, by name or by reference (``/address/street``), whatever
        a context says itself. Default: none.
    :param events_omit_anonymous_contexts: True: anonymous contexts are not told by index and identify events.
        Default ``false``.
    :param events_diagnostics: False: nothing is told of this library's configuration and fortunes. Default ``true``.
    :param events_diagnostic_interval_ms: time between such events; less than a minute is raised. Default 900000.
    :param events_spool: directory for events that could not be delivered: they are sent from there when the server answers
        again, also by another process after a restart. Made if need be; one that others may write to is refused.
        Default: none.
    :param events_spool_bytes: most bytes of it for one SDK key; the oldest events make room. Default 67108864.
    :param metrics_evaluations: evaluations are counted for :meth:`Client.metrics_text` also where there are no events,
        which count them anyway. Default ``false``.
    :param snapshot_file: file that keeps the last data for a start at which nothing answers; only with ``cache_residency``
        ``all``; also in daemon mode. Default: none.
    :param store_write: what the source delivers is written to Redis. Default by source: True with ``stream`` and
        ``poll``; False with ``file`` and ``testdata``, which fill memory only.
    :param big_segments_url: Redis that knows the members of big segments. Default: ``redis_url``.
    :param big_segments_prefix: prefix of its keys. Default: ``redis_prefix``.
    :param big_segments_cache_size: most contexts whose big segments are remembered. Default 1000.
    :param big_segments_cache_ms: how long they are. Default 5000.
    :param big_segments_poll_interval_ms: how often it is asked whether it is up to date. Default 5000.
    :param big_segments_stale_after_ms: age at which it counts as stale. Default 120000.
    :param application_id: sent as a tag with every request, like the next three. Default: none.
    :param application_name: see ``application_id``. Default: none.
    :param application_version: see ``application_id``. Default: none.
    :param application_version_name: at most 64 letters, digits, ``.``, ``-``, ``_``, like the others. Default: none.
    :param wrapper_name: name of a library that wraps this one, sent with every request. Default: none.
    :param wrapper_version: its version. Default: none.
    :param offline: True: nothing is connected to; every evaluation gives its default. Default ``false``.
    :param test_data: flags and segments that a test sets; makes ``source_kind`` ``testdata``. Default: none.
    :param hooks: are called around each evaluation of each client. Default: none.
    :param plugins: are told of each client, and may bring hooks. Default: none.
    :param big_segment_store: knows the members of big segments, in place of Redis. Default: none.
    :param options: further options by their dotted names, for example ``{"redis.ping_ms": 500}``.

    With a source and without ``redis_url`` there is no Redis: memory is all there is.

    :raises InvalidArgumentError: (a ``ValueError``) for an unknown option or a value that does not fit it.
    """

    __slots__ = ("_given", "_hooks", "_plugins", "_provider", "_residency", "_store", "_test_data")

    def __init__(
        self,
        *,
        sdk_key: str | None = None,
        redis_url: str | None = None,
        redis_prefix: str | None = None,
        redis_username: str | None = None,
        redis_password: str | None = None,
        redis_password_file: str | os.PathLike[str] | None = None,
        redis_credentials: Literal["static", "host", "aws-iam"] | RedisCredentialsProvider | None = None,
        redis_aws_region: str | None = None,
        redis_aws_service: Literal["elasticache", "memorydb"] | None = None,
        redis_aws_cluster: str | None = None,
        redis_aws_serverless: bool | None = None,
        redis_database: int | None = None,
        redis_connect_timeout_ms: int | None = None,
        redis_command_timeout_ms: int | None = None,
        redis_ping_ms: int | None = None,
        redis_keyspace_notifications: Literal["ask", "assume"] | None = None,
        redis_tls_ca_file: str | os.PathLike[str] | None = None,
        redis_tls_cert_file: str | os.PathLike[str] | None = None,
        redis_tls_key_file: str | os.PathLike[str] | None = None,
        redis_tls_server_name: str | None = None,
        redis_tls_skip_verify: bool | None = None,
        cache_residency: Literal["all", "lazy", "off"] | None = None,
        cache_freshness: Literal["push", "ttl", "forever"] | None = None,
        cache_ttl_ms: int | None = None,
        cache_capacity: int | None = None,
        cache_on_wipe: Literal["keep", "clear"] | None = None,
        refresh_interval_ms: int | None = None,
        notifications_capacity: int | None = None,
        evaluation_integer_rounding: Literal["half_even", "truncate"] | None = None,
        log_level: Literal["debug", "info", "warn", "error", "none"] | None = None,
        source_kind: Literal["none", "stream", "poll", "fdv2", "file", "testdata"] | None = None,
        source_filter: str | None = None,
        fdv2_initializers: Sequence[str] | None = None,
        fdv2_synchronizers: Sequence[str] | None = None,
        fdv2_fallback: str | None = None,
        fdv2_fallback_after_ms: int | None = None,
        fdv2_recover_after_ms: int | None = None,
        fdv2_first_data_ms: int | None = None,
        endpoints_stream: str | None = None,
        endpoints_poll: str | None = None,
        endpoints_events: str | None = None,
        endpoints_relay: str | None = None,
        stream_initial_delay_ms: int | None = None,
        stream_read_timeout_ms: int | None = None,
        poll_interval_ms: int | None = None,
        poll_allow_short: bool | None = None,
        retry_mode: Literal["legacy", "extended"] | None = None,
        http_connect_timeout_ms: int | None = None,
        http_read_timeout_ms: int | None = None,
        http_proxy: str | None = None,
        http_headers: Mapping[str, str] | None = None,
        http_tls_ca_file: str | os.PathLike[str] | None = None,
        http_tls_skip_verify: bool | None = None,
        file_paths: Sequence[str | os.PathLike[str]] | None = None,
        file_duplicates: Literal["fail", "first"] | None = None,
        file_auto_reload: bool | None = None,
        events_enabled: bool | None = None,
        events_capacity: int | None = None,
        events_flush_interval_ms: int | None = None,
        events_context_keys_capacity: int | None = None,
        events_context_keys_flush_ms: int | None = None,
        events_gzip: bool | None = None,
        events_all_attributes_private: bool | None = None,
        events_private_attributes: Sequence[str] | None = None,
        events_omit_anonymous_contexts: bool | None = None,
        events_diagnostics: bool | None = None,
        events_diagnostic_interval_ms: int | None = None,
        events_spool: str | os.PathLike[str] | None = None,
        events_spool_bytes: int | None = None,
        metrics_evaluations: bool | None = None,
        snapshot_file: str | os.PathLike[str] | None = None,
        store_write: bool | None = None,
        big_segments_url: str | None = None,
        big_segments_prefix: str | None = None,
        big_segments_cache_size: int | None = None,
        big_segments_cache_ms: int | None = None,
        big_segments_poll_interval_ms: int | None = None,
        big_segments_stale_after_ms: int | None = None,
        application_id: str | None = None,
        application_name: str | None = None,
        application_version: str | None = None,
        application_version_name: str | None = None,
        wrapper_name: str | None = None,
        wrapper_version: str | None = None,
        offline: bool | None = None,
        test_data: TestData | None = None,
        hooks: Sequence[Hook] | None = None,
        plugins: Sequence[Plugin] | None = None,
        big_segment_store: BigSegmentStore | None = None,
        options: Mapping[str, OptionValue] | None = None,
        events_queue_capacity: None = None,
    ) -> None:
        given = locals()
        self._h = c_void_p(lib.flagstone_config_new())
        release_with(self, lib.flagstone_config_free, self._h)
        self._residency = "all"
        #: What was set, by the names of the options.
        self._given: dict[str, Any] = {}
        self._test_data = test_data
        self._hooks, self._plugins = _listed("hooks", hooks, Hook), _listed("plugins", plugins, Plugin)
        #: Who is called for credentials of Redis.
        self._provider: RedisCredentialsProvider | None = None
        if callable(redis_credentials):
            self._provider, given["redis_credentials"] = redis_credentials, "host"
        for keyword, name in OPTIONS.items():
            if given[keyword] is not None:
                self._set(name, given[keyword])
        for name, value in (options or {}).items():
            self._set(name, value)
        if self._provider is not None and self._given["redis.credentials"] != "host":
            raise InvalidArgumentError("redis_credentials: there is a provider, and redis.credentials says something else")
        if events_queue_capacity is not None:
            # The old name of another option: the library says which.
            self._set("events.queue_capacity", events_queue_capacity)
        if test_data is not None:
            data = handle_of(test_data, TestData)
            if data is None:
                raise InvalidArgumentError(f"test_data: a TestData is needed, not {type(test_data).__name__}")
            do(lib.flagstone_config_set_test_data, self._h, data)
        self._store: OwnStore | None = None
        if big_segment_store is not None:
            (store,) = _listed("big_segment_store", (big_segment_store,), BigSegmentStore)
            self._store = OwnStore(store, int(self._given.get("redis.command_timeout_ms", _PATIENCE_MS)) / 1000)
            self._store.set_in(self._h)

    @property
    def _waits(self) -> int:
        """Whether an evaluation of its clients waits for a store."""
        given = self._given
        if self._residency != "all":
            return _fast.ALWAYS
        is_daemon = self._test_data is None and given.get("source.kind", "none") == "none"
        has_redis = is_daemon or "redis.url" in given or "big_segments.url" in given
        return _fast.PERHAPS if has_redis or self._store is not None else _fast.NEVER

    @property
    def _poll_seconds(self) -> float:
        """How often a store of the program's own is asked how old it is."""
        return int(self._given.get("big_segments.poll_interval_ms", _POLL_MS)) / 1000

    @property
    def _tells(self) -> bool:
        """Whether a client may send events; true also where other options keep it from sending them."""
        return "sdk.key" in self._given and self._given.get("events.enabled") not in (False, "false")

    def _set(self, name: str, value: Any) -> None:
        given = plain(value)
        if given is None or not issubclass(type(name), str):
            raise InvalidArgumentError(f"{name}: a str, int, bool, list or mapping is needed, not {type(value).__name__}")
        raw_name, raw_value = utf8(name, "option"), utf8(written(given), name)
        do(lib.flagstone_config_set, self._h, raw_name, len(raw_name), raw_value, len(raw_value))
        self._given[name] = given
        if name == "cache.residency":
            self._residency = given

    def _objects(self) -> dict[str, Any]:
        """What was given and is no option, by its keyword."""
        objects = {
            "redis_credentials": self._provider,
            "test_data": self._test_data,
            "hooks": list(self._hooks),
            "plugins": list(self._plugins),
            "big_segment_store": self._store and self._store.store,
        }
        return {name: given for name, given in objects.items() if given}

    def __repr__(self) -> str:
        shown = {name: masked(name, value) for name, value in self._given.items()}
        if self._provider is not None:
            del shown["redis.credentials"]
        words = [f"{keyword}={shown.pop(name)!r}" for keyword, name in OPTIONS.items() if name in shown]
        for name, objects in self._objects().items():
            words.append(f"{name}={_named(objects) if name == 'redis_credentials' else repr(objects)}")
        if shown:
            words.append(f"options={shown!r}")
        return f"Config({', '.join(words)})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        for name in self._objects():
            refuse_copy(self, f"pickled when it has {name.replace('_', ' ')}: those belong to this process")
        return _restored, (self._given,)


def _named(provider: Any) -> str:
    """By its name alone: a method's object, or what a function is bound to, may be secret."""
    return f"<provider {getattr(provider, '__qualname__', type(provider).__qualname__)}>"


def _listed(name: str, given: Any, kind: type[L]) -> tuple[L, ...]:
    """The objects of a list; refuses those that are not of a class made from ``kind``."""
    try:
        objects = () if given is None else tuple(given)
    except TypeError:
        objects = (given,)
    for each in objects:
        # By type: a mock says that it is whatever it was made for.
        if not issubclass(type(each), kind):
            raise InvalidArgumentError(f"{name}: a list of {kind.__name__} objects is needed, not {type(each).__name__}")
    return objects


def _restored(given: dict[str, Any]) -> Config:
    return Config(options=given)

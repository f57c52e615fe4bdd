"""Options of a client, one keyword each. Depends on ``_lib``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ctypes import byref, c_void_p
from typing import Any, Union

from ._lib import lib, raise_for, release_with
from .errors import InvalidArgumentError

__all__ = ["Config", "OptionValue"]

OptionValue = Union[str, int, bool, "os.PathLike[str]"]

#: Keyword to option. A test compares it with the list in the header.
OPTIONS: dict[str, str] = {
    "sdk_key": "sdk.key",
    "redis_url": "redis.url",
    "redis_prefix": "redis.prefix",
    "redis_username": "redis.username",
    "redis_password": "redis.password",
    "redis_database": "redis.database",
    "redis_connect_timeout_ms": "redis.connect_timeout_ms",
    "redis_command_timeout_ms": "redis.command_timeout_ms",
    "redis_ping_ms": "redis.ping_ms",
    "redis_tls_ca_file": "redis.tls.ca_file",
    "redis_tls_cert_file": "redis.tls.cert_file",
    "redis_tls_key_file": "redis.tls.key_file",
    "cache_residency": "cache.residency",
    "cache_freshness": "cache.freshness",
    "cache_ttl_ms": "cache.ttl_ms",
    "cache_capacity": "cache.capacity",
    "cache_on_wipe": "cache.on_wipe",
    "refresh_interval_ms": "refresh.interval_ms",
    "events_queue_capacity": "events.queue_capacity",
    "log_level": "log.level",
}


class Config:
    """Options from which clients are made. Immutable; may be used for any number of clients.

    Every keyword is an option of the library, named with ``_`` for ``.``; what is left out keeps its default. Times are
    milliseconds, from 1 to 86,400,000 (a day).

    :param sdk_key: SDK key of the environment: needed for connected mode and the secure mode hash. Default: none.
    :param redis_url: ``redis://``, ``rediss://`` (TLS) or ``unix://`` URL with user, password and database, for example
        ``redis://user:password@host:6379/0``. Default ``redis://localhost:6379``.
    :param redis_prefix: prefix of the keys. Default ``launchdarkly``.
    :param redis_username: wins over the URL's. Default: none.
    :param redis_password: wins over the URL's. Default: none.
    :param redis_database: number; wins over the URL's. Default 0.
    :param redis_connect_timeout_ms: longest time to connect to an address, login included. Default 2000.
    :param redis_command_timeout_ms: longest silence while a reply is awaited, and longest wait of an evaluation
        (``cache_residency`` ``lazy`` and ``off``). Default 2000.
    :param redis_ping_ms: interval of pings on an idle connection. Default 1000.
    :param redis_tls_ca_file: PEM file of the authorities to trust. Default: Mozilla's list, built in.
    :param redis_tls_cert_file: PEM file of the client certificate. Default: none.
    :param redis_tls_key_file: PEM file of its private key. Default: none.
    :param cache_residency: ``all``: the whole data set is held; ``lazy``: at most ``cache_capacity`` items, read when first
        asked for; ``off``: every lookup reads Redis. Default ``all``.
    :param cache_freshness: ``push``: Redis tells what changed; ``ttl``: read again when older than ``cache_ttl_ms``;
        ``forever``: never read again. Default ``push``.
    :param cache_ttl_ms: age at which items are read again. Default 30000.
    :param cache_capacity: most items held with ``lazy``. Default 10000.
    :param cache_on_wipe: ``keep`` what is held when Redis loses the data set, or ``clear``. Default ``keep``.
    :param refresh_interval_ms: interval of the safety poll; not with ``forever``. Default 60000.
    :param events_queue_capacity: most notifications that wait for the listeners. Default 1000.
    :param log_level: ``debug``, ``info``, ``warn``, ``error`` or ``none``: what reaches the logger ``flagstone``.
        Default ``info``.
    :param options: further options by their dotted names, for example ``{"redis.ping_ms": 500}``.
    :raises InvalidArgumentError: (a ``ValueError``) for an unknown option or a value that does not fit it.
    """

    __slots__ = ("__weakref__", "_h", "_residency")

    def __init__(
        self,
        *,
        sdk_key: str | None = None,
        redis_url: str | None = None,
        redis_prefix: str | None = None,
        redis_username: str | None = None,
        redis_password: str | None = None,
        redis_database: int | None = None,
        redis_connect_timeout_ms: int | None = None,
        redis_command_timeout_ms: int | None = None,
        redis_ping_ms: int | None = None,
        redis_tls_ca_file: str | os.PathLike[str] | None = None,
        redis_tls_cert_file: str | os.PathLike[str] | None = None,
        redis_tls_key_file: str | os.PathLike[str] | None = None,
        cache_residency: str | None = None,
        cache_freshness: str | None = None,
        cache_ttl_ms: int | None = None,
        cache_capacity: int | None = None,
        cache_on_wipe: str | None = None,
        refresh_interval_ms: int | None = None,
        events_queue_capacity: int | None = None,
        log_level: str | None = None,
        options: Mapping[str, OptionValue] | None = None,
    ) -> None:
        given = locals()
        self._h = c_void_p(lib.flagstone_config_new())
        release_with(self, lib.flagstone_config_free, self._h)
        self._residency = "all"
        for keyword, name in OPTIONS.items():
            if given[keyword] is not None:
                self._set(name, given[keyword])
        for name, value in (options or {}).items():
            self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, (int, os.PathLike)):
            value = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
        if not isinstance(value, str) or not isinstance(name, str):
            raise InvalidArgumentError(f"{name}: a str, int or bool is needed, not {type(value).__name__}")
        try:
            raw_name, raw_value = name.encode(), value.encode()
        except UnicodeEncodeError:
            raise InvalidArgumentError(f"{name!a}: the text cannot be written as UTF-8") from None
        error = c_void_p()
        status = lib.flagstone_config_set(self._h, raw_name, len(raw_name), raw_value, len(raw_value), byref(error))
        raise_for(status, error)
        if name == "cache.residency":
            self._residency = value

    def __repr__(self) -> str:
        return "Config(...)"  # the options hold credentials

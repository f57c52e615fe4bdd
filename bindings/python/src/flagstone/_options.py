"""The options by keyword, and their values as the library reads them and as people may. Depends on ``errors``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import InvalidArgumentError

#: Keyword to option. A test compares it with the list in the header.
OPTIONS: dict[str, str] = {
    "sdk_key": "sdk.key",
    "redis_url": "redis.url",
    "redis_prefix": "redis.prefix",
    "redis_username": "redis.username",
    "redis_password": "redis.password",
    "redis_password_file": "redis.password_file",
    "redis_credentials": "redis.credentials",
    "redis_aws_region": "redis.aws.region",
    "redis_aws_service": "redis.aws.service",
    "redis_aws_cluster": "redis.aws.cluster",
    "redis_aws_serverless": "redis.aws.serverless",
    "redis_database": "redis.database",
    "redis_connect_timeout_ms": "redis.connect_timeout_ms",
    "redis_command_timeout_ms": "redis.command_timeout_ms",
    "redis_ping_ms": "redis.ping_ms",
    "redis_keyspace_notifications": "redis.keyspace_notifications",
    "redis_tls_ca_file": "redis.tls.ca_file",
    "redis_tls_cert_file": "redis.tls.cert_file",
    "redis_tls_key_file": "redis.tls.key_file",
    "redis_tls_server_name": "redis.tls.server_name",
    "redis_tls_skip_verify": "redis.tls.skip_verify",
    "cache_residency": "cache.residency",
    "cache_freshness": "cache.freshness",
    "cache_ttl_ms": "cache.ttl_ms",
    "cache_capacity": "cache.capacity",
    "cache_on_wipe": "cache.on_wipe",
    "refresh_interval_ms": "refresh.interval_ms",
    "notifications_capacity": "notifications.capacity",
    "evaluation_integer_rounding": "evaluation.integer_rounding",
    "log_level": "log.level",
    "source_kind": "source.kind",
    "source_filter": "source.filter",
    "fdv2_initializers": "fdv2.initializers",
    "fdv2_synchronizers": "fdv2.synchronizers",
    "fdv2_fallback": "fdv2.fallback",
    "fdv2_fallback_after_ms": "fdv2.fallback_after_ms",
    "fdv2_recover_after_ms": "fdv2.recover_after_ms",
    "fdv2_first_data_ms": "fdv2.first_data_ms",
    "endpoints_stream": "endpoints.stream",
    "endpoints_poll": "endpoints.poll",
    "endpoints_events": "endpoints.events",
    "endpoints_relay": "endpoints.relay",
    "stream_initial_delay_ms": "stream.initial_delay_ms",
    "stream_read_timeout_ms": "stream.read_timeout_ms",
    "poll_interval_ms": "poll.interval_ms",
    "poll_allow_short": "poll.allow_short",
    "retry_mode": "retry.mode",
    "http_connect_timeout_ms": "http.connect_timeout_ms",
    "http_read_timeout_ms": "http.read_timeout_ms",
    "http_proxy": "http.proxy",
    "http_headers": "http.headers",
    "http_tls_ca_file": "http.tls.ca_file",
    "http_tls_skip_verify": "http.tls.skip_verify",
    "file_paths": "file.paths",
    "file_duplicates": "file.duplicates",
    "file_auto_reload": "file.auto_reload",
    "events_enabled": "events.enabled",
    "events_capacity": "events.capacity",
    "events_flush_interval_ms": "events.flush_interval_ms",
    "events_context_keys_capacity": "events.context_keys_capacity",
    "events_context_keys_flush_ms": "events.context_keys_flush_ms",
    "events_gzip": "events.gzip",
    "events_all_attributes_private": "events.all_attributes_private",
    "events_private_attributes": "events.private_attributes",
    "events_omit_anonymous_contexts": "events.omit_anonymous_contexts",
    "events_diagnostics": "events.diagnostics",
    "events_diagnostic_interval_ms": "events.diagnostic_interval_ms",
    "events_spool": "events.spool",
    "events_spool_bytes": "events.spool_bytes",
    "metrics_evaluations": "metrics.evaluations",
    "snapshot_file": "snapshot.file",
    "store_write": "store.write",
    "big_segments_url": "big_segments.url",
    "big_segments_prefix": "big_segments.prefix",
    "big_segments_cache_size": "big_segments.cache_size",
    "big_segments_cache_ms": "big_segments.cache_ms",
    "big_segments_poll_interval_ms": "big_segments.poll_interval_ms",
    "big_segments_stale_after_ms": "big_segments.stale_after_ms",
    "application_id": "application.id",
    "application_name": "application.name",
    "application_version": "application.version",
    "application_version_name": "application.version_name",
    "wrapper_name": "wrapper.name",
    "wrapper_version": "wrapper.version",
    "offline": "offline",
}


#: Options whose values nobody should read in a log; of the mappings, the values.
_SECRET = ("sdk.key", "redis.password", "http.headers")
_MASK = "***"


def plain(value: Any) -> Any:
    """A copy that nobody can change, of types that JSON knows; ``None`` for what can be no option."""
    kind = type(value)
    if kind is bool or kind is str:
        return value
    try:
        if issubclass(kind, int):
            return int(value)
        if issubclass(kind, str):
            return str.__str__(value)
        if isinstance(value, os.PathLike):
            path = os.fspath(value)
            return path if type(path) is str else None
        if isinstance(value, Mapping):
            return {name: json.loads(json.dumps(inner)) for name, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
            return [os.fspath(item) for item in value]
    except (TypeError, ValueError):
        pass
    return None


def written(value: Any) -> str:
    """An option's value as the library reads it: lists and mappings are JSON there."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"an option cannot be written as JSON: {error}") from error


def masked(name: str, value: Any) -> Any:
    """An option's value as it may be shown."""
    if name in _SECRET:
        return dict.fromkeys(value, _MASK) if isinstance(value, dict) else _MASK
    # Users and passwords in URLs, and whatever may come behind a question mark.
    return re.sub(r"(?<=\?).+", _MASK, re.sub(r"(?<=://).*@", _MASK + "@", value)) if isinstance(value, str) else value

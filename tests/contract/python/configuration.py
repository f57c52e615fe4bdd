"""The harness's configuration as options of the package. Depends on ``forms`` and ``callbacks``."""

from __future__ import annotations

from typing import Any, Callable

from callbacks import PostedStore, PostingHook
from flagstone import Client, Config, InvalidArgumentError
from forms import Form, Refused


def options_of(configuration: Form) -> dict[str, Any]:
    """The options of the package that say what the harness's configuration says."""
    options = {
        "sdk_key": configuration.need("credential", str),
        **_endpoints(configuration.form("serviceEndpoints")),
        **_source(configuration),
        # With an SDK key there would be events anyhow.
        "events_enabled": configuration.form("events") is not None,
    }
    for name, read in _PARTS.items():
        part = configuration.form(name)
        if part is not None:
            options.update(read(part))
    return {name: value for name, value in options.items() if value is not None}


def _endpoints(endpoints: Form | None) -> dict[str, Any]:
    names = {"streaming": "endpoints_stream", "polling": "endpoints_poll", "events": "endpoints_events"}
    return {option: endpoints.get(name, str) for name, option in names.items()} if endpoints else {}


def _source(configuration: Form) -> dict[str, Any]:
    streaming, polling = configuration.form("streaming"), configuration.form("polling")
    options: dict[str, Any] = {}
    if streaming:
        options = {
            "source_kind": "stream",
            "source_filter": streaming.get("filter", str),
            "stream_initial_delay_ms": streaming.get("initialRetryDelayMs", int),
            **_base(streaming, "endpoints_stream"),
        }
    elif polling:
        options = {
            "source_kind": "poll",
            "source_filter": polling.get("filter", str),
            "poll_interval_ms": polling.get("pollIntervalMs", int),
            "poll_allow_short": True,
            **_base(polling, "endpoints_poll"),
        }
    elif configuration.form("persistentDataStore") is None:
        options = {"source_kind": "stream"}
    return options


def _base(component: Form, option: str) -> dict[str, Any]:
    """A component's own base address, which wins over the common ones; it may have none."""
    address = component.get("baseUri", str)
    return {option: address} if address else {}


def _tags(tags: Form) -> dict[str, Any]:
    return {
        "application_id": tags.get("applicationId", str),
        "application_version": tags.get("applicationVersion", str),
    }


def _wrapper(wrapper: Form) -> dict[str, Any]:
    return {"wrapper_name": wrapper.get("name", str), "wrapper_version": wrapper.get("version", str)}


def _proxy(proxy: Form) -> dict[str, Any]:
    return {"http_proxy": proxy.get("httpProxy", str)}


def _tls(tls: Form) -> dict[str, Any]:
    return {"http_tls_skip_verify": tls.get("skipVerifyPeer", bool), "http_tls_ca_file": tls.get("customCAFile", str)}


def _events(events: Form) -> dict[str, Any]:
    return {
        "events_capacity": events.get("capacity", int),
        "events_flush_interval_ms": events.get("flushIntervalMs", int),
        "events_diagnostics": events.get("enableDiagnostics", bool) or False,
        "events_all_attributes_private": events.get("allAttributesPrivate", bool),
        "events_private_attributes": events.texts("globalPrivateAttributes") or None,
        "events_omit_anonymous_contexts": events.get("omitAnonymousContexts", bool),
        "events_gzip": events.get("enableGzip", bool) or False,
        **_base(events, "endpoints_events"),
    }


def _persistence(persistence: Form) -> dict[str, Any]:
    store, cache = persistence.need_form("store"), persistence.need_form("cache")
    if store.need("type", str) != "redis":
        raise Refused(501, "there is no other persistent store than Redis")
    mode = cache.need("mode", str)
    if mode not in _CACHES:
        raise Refused(400, f"{mode!a} is no cache mode")
    options = {
        "redis_url": store.need("dsn", str),
        "redis_prefix": store.get("prefix", str),
        "cache_on_wipe": "clear",  # LaunchDarkly's SDKs take Redis as it is
        **_CACHES[mode],
    }
    if mode == "ttl":
        options["cache_ttl_ms"] = cache.need("ttl", int) * 1000
    return options


def _big_segments(segments: Form) -> dict[str, Any]:
    return {
        "big_segment_store": PostedStore(segments.need("callbackUri", str)),
        "big_segments_cache_size": segments.get("userCacheSize", int),
        "big_segments_cache_ms": segments.get("userCacheTimeMs", int),
        "big_segments_poll_interval_ms": segments.get("statusPollIntervalMs", int),
        "big_segments_stale_after_ms": segments.get("staleAfterMs", int),
    }


def _hooks(hooks: Form) -> dict[str, Any]:
    return {"hooks": [_hook(hook) for hook in hooks.forms("hooks")]}


def _hook(hook: Form) -> PostingHook:
    data, errors = hook.get("data", dict) or {}, hook.get("errors", dict) or {}
    return PostingHook(hook.need("name", str), hook.need("callbackUri", str), data, errors)


_CACHES: dict[str, dict[str, Any]] = {
    "off": {"cache_residency": "off"},
    "ttl": {"cache_residency": "lazy", "cache_freshness": "ttl"},
    "infinite": {"cache_residency": "lazy", "cache_freshness": "forever"},
}

_PARTS: dict[str, Callable[[Form], dict[str, Any]]] = {
    "tags": _tags,
    "wrapper": _wrapper,
    "proxy": _proxy,
    "tls": _tls,
    "events": _events,
    "persistentDataStore": _persistence,
    "bigSegments": _big_segments,
    "hooks": _hooks,
}


def open_client(configuration: Form) -> Client:
    """A client that has been started, ready or not: with a data source that fails there is a client all the same."""
    wait = configuration.get("startWaitTimeMs", int) or 5000
    try:
        client = Client(Config(**options_of(configuration)))
    except InvalidArgumentError as error:
        raise Refused(400, str(error)) from error
    client.start(wait / 1000)
    return client

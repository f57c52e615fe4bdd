"""The C interface as one table: structs, constants and functions of ``flagstone.h``.

A test compares every entry with the header. Nothing here loads a library. Depends on ``ctypes`` alone.
"""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

ABI_MAJOR = 1
ABI_MINOR = 5

STATUS_OK = 0
STATUS_TIMEOUT = 1
STATUS_INVALID_ARGUMENT = 2
STATUS_NULL_ARGUMENT = 3
STATUS_BAD_UTF8 = 4
STATUS_BAD_JSON = 5
STATUS_NOT_FOUND = 6
STATUS_NOT_READY = 7
STATUS_CLOSED = 8
STATUS_STORE = 10

TYPE_NONE = 0
TYPE_BOOL = 1
TYPE_NUMBER = 2
TYPE_STRING = 3
TYPE_JSON = 4

DETAIL_DEFAULTED = 1
DETAIL_IN_EXPERIMENT = 2
DETAIL_STALE = 4

ASK_REASON = 1

ALL_FLAGS_CLIENT_SIDE_ONLY = 1
ALL_FLAGS_WITH_REASONS = 2
ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED = 4

NOTIFICATION_LOG = 0
NOTIFICATION_STATUS = 1
NOTIFICATION_FLAG_CHANGED = 2
NOTIFICATION_BIG_SEGMENTS = 3
NOTIFICATION_VALUE_CHANGED = 5
NOTIFICATION_CREDENTIALS = 6

SUBSCRIBE_FLAG_CHANGES = 1

KIND_FLAG = 0
KIND_SEGMENT = 1


class Str(Structure):
    """Borrowed text."""

    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]


class Bytes(Structure):
    """Text that belongs to us until ``flagstone_bytes_clear``."""

    _fields_ = [("ptr", c_void_p), ("len", c_size_t), ("owner", c_void_p)]


class Attr(Structure):
    """One attribute of a context."""

    _fields_ = [("name", Str), ("type", c_int32), ("flags", c_uint32), ("number", c_double), ("text", Str)]


class Detail(Structure):
    """The result of an evaluation."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("value_type", c_int32),
        ("reason", c_int32),
        ("error_kind", c_int32),
        ("variation_index", c_int32),
        ("rule_index", c_int32),
        ("flags", c_uint32),
        ("big_segments_status", c_int32),
        ("number_value", c_double),
        ("text", Str),
        ("rule_id", Str),
        ("prerequisite_key", Str),
        ("owner", c_void_p),
    ]


class Default(Structure):
    """What a caller wants where there is no value, for events."""

    _fields_ = [
        ("value_type", c_int32),
        ("is_integer", c_int32),
        ("integer", c_int64),
        ("number", c_double),
        ("text", Str),
    ]


class Notification(Structure):
    """A notification."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("level_or_state", c_int32),
        ("dropped", c_uint32),
        ("unix_ms", c_int64),
        ("text", Str),
        ("extra", Str),
        ("owner", c_void_p),
    ]


class ClientStatusInfo(Structure):
    """Condition of a client."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("source_state", c_int32),
        ("source_since_ms", c_int64),
        ("last_error_kind", c_int32),
        ("last_error_status", c_int32),
        ("last_error_ms", c_int64),
        ("last_error", Str),
        ("store_available", c_int32),
        ("reserved", c_int32),
        ("store_stale_since_ms", c_int64),
        ("owner", c_void_p),
    ]


class BigSegmentStatus(Structure):
    """How the big-segment store stands."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("available", c_int32),
        ("stale", c_int32),
        ("reserved", c_int32),
        ("last_sync_ms", c_int64),
    ]


#: What the library calls: user data, hash and its length, what is filled in.
MEMBERSHIP = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_void_p)
#: The same: user data, where the time goes.
METADATA = CFUNCTYPE(c_int32, c_void_p, POINTER(c_int64))
#: The same: user data.
DROP = CFUNCTYPE(None, c_void_p)


class BigSegmentStore(Structure):
    """A big-segment store of the host's own."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("user_data", c_void_p),
        ("membership", MEMBERSHIP),
        ("metadata", METADATA),
        ("drop", DROP),
    ]


_HANDLE = c_void_p
_OUT = POINTER(c_void_p)
_TEXT = (c_char_p, c_size_t)

# name: (result, arguments)
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "flagstone_abi_version": (c_uint32, ()),
    "flagstone_version_string": (c_char_p, ()),
    "flagstone_features": (c_uint64, ()),
    "flagstone_bytes_clear": (None, (POINTER(Bytes),)),
    "flagstone_status_name": (c_char_p, (c_int32,)),
    "flagstone_error_code": (c_int32, (_HANDLE,)),
    "flagstone_error_message": (Str, (_HANDLE,)),
    "flagstone_error_free": (None, (_HANDLE,)),
    "flagstone_config_new": (_HANDLE, ()),
    "flagstone_config_set": (c_int32, (_HANDLE, *_TEXT, *_TEXT, _OUT)),
    "flagstone_config_load_json": (c_int32, (_HANDLE, *_TEXT, _OUT)),
    "flagstone_config_free": (None, (_HANDLE,)),
    "flagstone_test_data_new": (_HANDLE, ()),
    "flagstone_test_data_set_json": (c_int32, (_HANDLE, c_int32, *_TEXT, _OUT)),
    "flagstone_test_data_delete": (c_int32, (_HANDLE, c_int32, *_TEXT, _OUT)),
    "flagstone_test_data_set_status": (c_int32, (_HANDLE, c_int32, c_int32, c_int32, *_TEXT, _OUT)),
    "flagstone_test_data_retain": (_HANDLE, (_HANDLE,)),
    "flagstone_test_data_release": (None, (_HANDLE,)),
    "flagstone_config_set_test_data": (c_int32, (_HANDLE, _HANDLE, _OUT)),
    "flagstone_config_set_big_segment_store": (c_int32, (_HANDLE, POINTER(BigSegmentStore), _OUT)),
    "flagstone_membership_add": (c_int32, (_HANDLE, *_TEXT, c_int32)),
    "flagstone_big_segments_status": (c_int32, (_HANDLE, POINTER(BigSegmentStatus), _OUT)),
    "flagstone_big_segments_poll": (c_int32, (_HANDLE, POINTER(BigSegmentStatus), _OUT)),
    "flagstone_client_may_wait": (c_int32, (_HANDLE,)),
    "flagstone_client_new": (c_int32, (_HANDLE, _OUT, _OUT)),
    "flagstone_client_start": (c_int32, (_HANDLE, c_uint32, _OUT)),
    "flagstone_client_wait": (c_int32, (_HANDLE, c_int32, c_uint32)),
    "flagstone_client_state": (c_int32, (_HANDLE,)),
    "flagstone_client_status_json": (c_int32, (_HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_client_postfork": (c_int32, (_HANDLE, _OUT)),
    "flagstone_client_flush": (c_int32, (_HANDLE, c_uint32, _OUT)),
    "flagstone_client_subscribe": (c_int32, (_HANDLE, c_uint32, _OUT)),
    "flagstone_client_set_credentials": (c_int32, (_HANDLE, *_TEXT, *_TEXT, c_int64, _OUT)),
    "flagstone_client_close": (c_int32, (_HANDLE, c_uint32)),
    "flagstone_client_retain": (_HANDLE, (_HANDLE,)),
    "flagstone_client_release": (None, (_HANDLE,)),
    "flagstone_client_status": (c_int32, (_HANDLE, POINTER(ClientStatusInfo), _OUT)),
    "flagstone_client_status_info_clear": (None, (POINTER(ClientStatusInfo),)),
    "flagstone_client_metrics_text": (c_int32, (_HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_client_flag_version": (c_int32, (_HANDLE, *_TEXT, c_void_p, _OUT)),
    "flagstone_client_environment_id": (c_int32, (_HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_context_from_key": (c_int32, (Str, Str, _OUT, _OUT)),
    "flagstone_context_from_attrs": (c_int32, (Str, Str, POINTER(Attr), c_size_t, _OUT, _OUT)),
    "flagstone_context_from_json": (c_int32, (*_TEXT, _OUT, _OUT)),
    "flagstone_context_merge": (c_int32, (_OUT, c_size_t, _OUT, _OUT)),
    "flagstone_context_to_json": (c_int32, (_HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_context_canonical_key": (c_int32, (_HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_context_kinds": (c_int32, (_HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_context_get": (c_int32, (_HANDLE, Str, Str, POINTER(Bytes), _OUT)),
    "flagstone_context_private_attributes": (c_int32, (_HANDLE, Str, POINTER(Bytes), _OUT)),
    "flagstone_context_individual": (c_int32, (_HANDLE, Str, _OUT, _OUT)),
    "flagstone_context_retain": (_HANDLE, (_HANDLE,)),
    "flagstone_context_release": (None, (_HANDLE,)),
    "flagstone_context_builder_new": (_HANDLE, (Str, Str)),
    "flagstone_context_builder_set": (c_int32, (_HANDLE, POINTER(Attr), _OUT)),
    "flagstone_context_builder_set_private": (c_int32, (_HANDLE, Str, _OUT)),
    "flagstone_context_builder_build": (c_int32, (_HANDLE, _OUT, _OUT)),
    "flagstone_context_builder_free": (None, (_HANDLE,)),
    "flagstone_detail_clear": (None, (POINTER(Detail),)),
    "flagstone_detail_int": (c_int64, (POINTER(Detail), c_int64)),
    "flagstone_bool_variation": (c_int32, (_HANDLE, _HANDLE, *_TEXT, c_int32)),
    "flagstone_int_variation": (c_int64, (_HANDLE, _HANDLE, *_TEXT, c_int64)),
    "flagstone_double_variation": (c_double, (_HANDLE, _HANDLE, *_TEXT, c_double)),
    "flagstone_string_variation": (c_int32, (_HANDLE, _HANDLE, *_TEXT, *_TEXT, POINTER(Bytes))),
    "flagstone_variation": (c_int32, (_HANDLE, _HANDLE, *_TEXT, c_int32, *_TEXT, POINTER(Detail))),
    "flagstone_variation_many": (c_int32, (_HANDLE, _HANDLE, POINTER(Str), c_size_t, POINTER(Detail))),
    "flagstone_variation_or": (
        c_int32,
        (_HANDLE, _HANDLE, *_TEXT, c_int32, POINTER(Default), c_uint32, POINTER(Detail)),
    ),
    "flagstone_variation_many_or": (
        c_int32,
        (_HANDLE, _HANDLE, POINTER(Str), POINTER(Default), c_size_t, c_uint32, POINTER(Detail)),
    ),
    "flagstone_flag_new": (c_int32, (_HANDLE, *_TEXT, c_int32, *_TEXT, _OUT, _OUT)),
    "flagstone_flag_bool": (c_int32, (_HANDLE, _HANDLE)),
    "flagstone_flag_bool_try": (c_int32, (_HANDLE, _HANDLE)),
    "flagstone_flag_int": (c_int64, (_HANDLE, _HANDLE)),
    "flagstone_flag_double": (c_double, (_HANDLE, _HANDLE)),
    "flagstone_flag_string": (c_int32, (_HANDLE, _HANDLE, POINTER(Bytes))),
    "flagstone_flag_detail": (c_int32, (_HANDLE, _HANDLE, POINTER(Detail))),
    "flagstone_flag_value": (c_int32, (_HANDLE, _HANDLE, POINTER(Detail))),
    "flagstone_flag_release": (None, (_HANDLE,)),
    "flagstone_identify": (c_int32, (_HANDLE, _HANDLE, _OUT)),
    "flagstone_track": (c_int32, (_HANDLE, _HANDLE, *_TEXT, c_void_p, *_TEXT, _OUT)),
    "flagstone_migration_variation": (
        c_int32,
        (_HANDLE, _HANDLE, *_TEXT, c_int32, POINTER(Detail), _OUT, _OUT),
    ),
    "flagstone_migration_stage_of": (c_int32, (_HANDLE,)),
    "flagstone_migration_set_operation": (c_int32, (_HANDLE, c_int32, _OUT)),
    "flagstone_migration_set_invoked": (c_int32, (_HANDLE, c_int32, _OUT)),
    "flagstone_migration_set_failed": (c_int32, (_HANDLE, c_int32, _OUT)),
    "flagstone_migration_set_latency": (c_int32, (_HANDLE, c_int32, c_double, _OUT)),
    "flagstone_migration_wants_check": (c_int32, (_HANDLE,)),
    "flagstone_migration_set_consistent": (c_int32, (_HANDLE, c_int32, _OUT)),
    "flagstone_migration_track": (c_int32, (_HANDLE, _HANDLE, _OUT)),
    "flagstone_migration_retain": (_HANDLE, (_HANDLE,)),
    "flagstone_migration_release": (None, (_HANDLE,)),
    "flagstone_all_flags_json": (c_int32, (_HANDLE, _HANDLE, c_uint32, POINTER(Bytes), _OUT)),
    "flagstone_secure_mode_hash": (c_int32, (_HANDLE, _HANDLE, POINTER(Bytes), _OUT)),
    "flagstone_client_listen": (c_int32, (_HANDLE, _HANDLE, *_TEXT, c_void_p, _OUT)),
    "flagstone_client_unlisten": (c_int32, (_HANDLE, c_uint64, _OUT)),
    "flagstone_client_next_notification": (c_int32, (_HANDLE, c_uint32, POINTER(Notification))),
    "flagstone_notification_clear": (None, (POINTER(Notification),)),
    "flagstone_client_wake": (None, (_HANDLE,)),
    "flagstone_poll_event": (c_int32, (_HANDLE, c_uint32, POINTER(Notification))),
    "flagstone_event_clear": (None, (POINTER(Notification),)),
    "flagstone_wake": (None, (_HANDLE,)),
}

#: Functions that an older library, which is good enough, does not have, with the minor version that brought them.
LATER = {"flagstone_client_flag_version": 5, "flagstone_client_metrics_text": 5, "flagstone_client_set_credentials": 5}

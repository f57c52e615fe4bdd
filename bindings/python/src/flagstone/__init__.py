"""Flagstone: feature flags kept in Redis, held in memory, evaluated in nanoseconds.

>>> from flagstone import Client, Config, Context
>>> with Client(Config(redis_url="redis://localhost:6379")) as client:
...     client.variation("new-checkout", Context("ada"), False)
"""

# First: what follows fails with other words where this package does not work.
from . import _python as _python

# isort: split
from ._hot import WHY_NOT as _why_not
from ._lib import lib as _native
from .all_flags import AllFlagsState
from .big_segments import BigSegmentsListener, BigSegmentStore, BigSegmentStoreStatus
from .client import Client
from .config import Config
from .context import Context, ContextBuilder, ContextMultiBuilder
from .credentials import RedisCredentials, RedisCredentialsProvider
from .detail import BigSegmentsStatus, ErrorKind, EvaluationDetail, EvaluationReason, ReasonKind
from .errors import ClosedError, FlagstoneError, InvalidArgumentError, LibraryError
from .flag import Flag
from .hooks import EvaluationSeriesContext, Hook, HookMetadata, TrackSeriesContext
from .migrations import ExecutionOrder, Operation, OperationResult, OpTracker, Origin, Stage, WriteResult
from .migrator import AsyncMigrator, AsyncMigratorBuilder, Migrator, MigratorBuilder
from .plugins import ApplicationMetadata, EnvironmentMetadata, Plugin, PluginMetadata, SdkMetadata
from .redis_status import CredentialsStatus, RedisNode, RedisStatus, SentinelStatus, WatchRung, WatchStatus
from .status import (
    EventsStatus,
    FlagChange,
    FlagChangeListener,
    FlagValueChange,
    FlagValueChangeListener,
    SourceError,
    SourceErrorKind,
    SourceStatus,
    State,
    Status,
    StatusChange,
    StatusListener,
    StoreStatus,
)
from .testdata import FlagBuilder, RuleBuilder, TestData

__all__ = [
    "AllFlagsState",
    "ApplicationMetadata",
    "AsyncMigrator",
    "AsyncMigratorBuilder",
    "BigSegmentStore",
    "BigSegmentStoreStatus",
    "BigSegmentsListener",
    "BigSegmentsStatus",
    "Client",
    "ClosedError",
    "Config",
    "Context",
    "ContextBuilder",
    "ContextMultiBuilder",
    "CredentialsStatus",
    "EnvironmentMetadata",
    "ErrorKind",
    "EvaluationDetail",
    "EvaluationReason",
    "EvaluationSeriesContext",
    "EventsStatus",
    "ExecutionOrder",
    "Flag",
    "FlagBuilder",
    "FlagChange",
    "FlagChangeListener",
    "FlagValueChange",
    "FlagValueChangeListener",
    "FlagstoneError",
    "Hook",
    "HookMetadata",
    "InvalidArgumentError",
    "LibraryError",
    "Migrator",
    "MigratorBuilder",
    "OpTracker",
    "Operation",
    "OperationResult",
    "Origin",
    "Plugin",
    "PluginMetadata",
    "ReasonKind",
    "RedisCredentials",
    "RedisCredentialsProvider",
    "RedisNode",
    "RedisStatus",
    "RuleBuilder",
    "SdkMetadata",
    "SentinelStatus",
    "SourceError",
    "SourceErrorKind",
    "SourceStatus",
    "Stage",
    "State",
    "Status",
    "StatusChange",
    "StatusListener",
    "StoreStatus",
    "TestData",
    "TrackSeriesContext",
    "WatchRung",
    "WatchStatus",
    "WriteResult",
]

#: Version of the package and of the library it carries.
__version__: str = _native.flagstone_version_string().decode()

#: Who makes the hot calls: ``extension``, or ``ctypes`` and why.
__calls__: str = f"ctypes: {_why_not}" if _why_not else "extension"

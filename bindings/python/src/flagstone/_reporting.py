"""What a client has for those who measure it. Depends on ``_abi``, ``_handles``, ``_lib`` and ``errors``."""

from __future__ import annotations

from ctypes import byref, c_int64

from . import _abi
from ._handles import client_of
from ._lib import lib, read
from .errors import FlagstoneError


class ReportCalls:
    """What :class:`Client` has for metrics and telemetry."""

    __slots__ = ()

    def metrics_text(self) -> str:
        """Counters and gauges as Prometheus reads them (text format 0.0.4): evaluations by flag and variation where there
        are events or ``metrics_evaluations`` is set, age of the data, freshness, states, bytes, losses.

        :raises ClosedError: after :meth:`Client.close`.
        :raises FlagstoneError: with a native library that is too old.
        """
        client = client_of(self)
        client._awake()
        return read(lib.flagstone_client_metrics_text, client._h)

    def flag_version(self, key: str) -> int | None:
        """The version of a flag that is held at this moment; ``None`` when there is no such flag, it is not held, or the
        native library is too old to tell."""
        client = client_of(self)
        try:
            raw = str.encode(key)
        except (TypeError, UnicodeEncodeError):
            return None
        version = c_int64()
        try:
            status = lib.flagstone_client_flag_version(client._h, raw, len(raw), byref(version), None)
        except FlagstoneError:  # an older library: evaluations ask for versions, and do not fail for want of one
            return None
        return version.value if status == _abi.STATUS_OK else None

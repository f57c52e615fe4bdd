"""What a client has for those who measure it. Depends on ``_abi`` and ``_lib``."""

from __future__ import annotations

from ctypes import byref, c_int64
from typing import TYPE_CHECKING, Any

from . import _abi
from ._lib import lib, read

if TYPE_CHECKING:
    from .client import Client


class Reporting:
    """What :class:`Client` has for metrics and telemetry."""

    __slots__ = ()

    def metrics_text(self) -> str:
        """Counters and gauges as Prometheus reads them (text format 0.0.4): evaluations by flag and variation where there
        are events or ``metrics_evaluations`` is set, age of the data, freshness, states, bytes, losses.

        :raises ClosedError: after :meth:`Client.close`.
        """
        client = _of(self)
        client._awake()
        return read(lib.flagstone_client_metrics_text, client._h)

    def flag_version(self, key: str) -> int | None:
        """The version of a flag that is held at this moment; ``None`` when there is no such flag, or it is not held."""
        client = _of(self)
        try:
            raw = str.encode(key)
        except (TypeError, UnicodeEncodeError):
            return None
        version = c_int64()
        status = lib.flagstone_client_flag_version(client._h, raw, len(raw), byref(version), None)
        return version.value if status == _abi.STATUS_OK else None


def _of(client: Any) -> Client:
    return client  # type: ignore[no-any-return]

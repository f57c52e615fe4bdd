"""Metrics for Prometheus' Python client: ``pip install 'flagstone[prometheus]'``.

>>> from prometheus_client import REGISTRY
>>> from flagstone.prometheus import Collector
>>> REGISTRY.register(Collector(client))

Depends on ``_lib`` and ``client``.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ._lib import require
from .client import Client
from .errors import ClosedError

__all__ = ["Collector"]


class Collector:
    """Gives the metrics of a client whenever they are scraped; none once the client is closed or gone. Any thread.

    Several clients in one registry need different ``labels``.

    :param labels: further labels of every metric, for example ``{"environment": "production"}``.
    :raises FlagstoneError: with a native library that is too old.
    """

    def __init__(self, client: Client, labels: dict[str, str] | None = None) -> None:
        require("flagstone_client_metrics_text")
        self._client = weakref.ref(client)
        self._labels = dict(labels or {})

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        client = self._client()
        try:
            text = "" if client is None else client.metrics_text()
        except ClosedError:
            return
        for family in text_string_to_metric_families(text):
            for position, sample in enumerate(family.samples):
                family.samples[position] = sample._replace(labels={**sample.labels, **self._labels})
            yield family

    def describe(self) -> list[Metric]:
        """Nothing beforehand: which metrics there are depends on the client."""
        return []

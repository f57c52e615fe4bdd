"""For tests of programs that use Flagstone: fixtures of pytest, there as soon as both are installed.

>>> def test_the_new_checkout(flagstone_data, flagstone_client):
...     flagstone_data.update(flagstone_data.flag("new-checkout").variation_for_all(True))
...     assert checkout(flagstone_client) == "new"

Depends on ``client`` and ``testdata``; pytest is asked for by pytest alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import Client
from .config import Config
from .testdata import TestData

__all__ = ["flagstone_client", "flagstone_config", "flagstone_data"]


@pytest.fixture
def flagstone_data() -> TestData:
    """Flags and segments of this test alone; none at first."""
    return TestData()


@pytest.fixture
def flagstone_config(flagstone_data: TestData) -> Config:
    """How ``flagstone_client`` is configured: to be overridden by a fixture of this name, for hooks and other options."""
    return Config(test_data=flagstone_data)


@pytest.fixture
def flagstone_client(flagstone_config: Config) -> Iterator[Client]:
    """A started client on ``flagstone_data``, which sees each change at once and is closed after the test."""
    with Client(flagstone_config) as client:
        yield client

"""For tests of programs that use Flagstone: fixtures of pytest, there as soon as both are installed.

>>> def test_the_new_checkout(flagstone_data, flagstone_client):
...     flagstone_data.update(flagstone_data.flag("new-checkout").variation_for_all(True))
...     assert checkout(flagstone_client) == "new"

Every pytest of an environment imports this, also where no test uses flags: so it is no part of the package ``flagstone``,
which is imported, with its library, by the fixtures alone. Depends on ``pytest``, and within fixtures on ``flagstone``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flagstone import Client, Config, TestData

__all__ = ["flagstone_client", "flagstone_config", "flagstone_data"]


@pytest.fixture
def flagstone_data() -> TestData:
    """Flags and segments of this test alone; none at first."""
    from flagstone import TestData

    return TestData()


@pytest.fixture
def flagstone_config(flagstone_data: TestData) -> Config:
    """How ``flagstone_client`` is configured: to be overridden by a fixture of this name, for hooks and other options."""
    from flagstone import Config

    return Config(test_data=flagstone_data)


@pytest.fixture
def flagstone_client(flagstone_config: Config) -> Iterator[Client]:
    """A started client on ``flagstone_data``, which sees each change at once and is closed after the test."""
    from flagstone import Client

    with Client(flagstone_config) as client:
        yield client

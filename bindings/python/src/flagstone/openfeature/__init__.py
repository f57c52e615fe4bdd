"""OpenFeature on Flagstone: ``pip install 'flagstone[openfeature]'``, Python 3.10 and later.

>>> from openfeature import api
>>> from flagstone import Config
>>> from flagstone.openfeature import FlagstoneProvider
>>> api.set_provider_and_wait(FlagstoneProvider(Config(redis_url="redis://localhost:6379")))
>>> api.get_client().get_boolean_value("new-checkout", False, EvaluationContext("ada"))
"""

from ._context import context_of
from ._provider import FlagstoneProvider

__all__ = ["FlagstoneProvider", "context_of"]

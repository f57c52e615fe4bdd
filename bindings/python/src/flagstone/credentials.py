"""Who logs in at Redis, where that changes while a client lives. Depends on ``errors``."""

from __future__ import annotations

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Callable, Union

from .errors import InvalidArgumentError

__all__ = ["RedisCredentials", "RedisCredentialsProvider"]


@dataclass(frozen=True)
class RedisCredentials:
    """User and password, or token, for Redis. Shown without the password.

    :raises InvalidArgumentError: for what is no text, and for a time that is none or over.
    """

    #: ``None`` for the default user.
    user: str | None
    password: str
    #: For how many seconds they hold from now on; ``None`` when that is not known. New ones are asked for when four fifths
    #: of it are over.
    valid_for: float | None = None

    def __post_init__(self) -> None:
        if self.user is not None and not issubclass(type(self.user), str):
            raise InvalidArgumentError(f"user: text or None is needed, not {type(self.user).__name__}")
        if not issubclass(type(self.password), str):
            raise InvalidArgumentError(f"password: text is needed, not {type(self.password).__name__}")
        if not self.password:
            raise InvalidArgumentError("password: it is empty")
        seconds = self.valid_for
        if seconds is None:
            return
        if not issubclass(type(seconds), (int, float)) or type(seconds) is bool:
            raise InvalidArgumentError(f"valid_for: seconds or None are needed, not {type(seconds).__name__}")
        if not 0 < seconds < math.inf:
            raise InvalidArgumentError(f"valid_for: credentials that hold for {seconds} seconds are none")

    def __repr__(self) -> str:
        return f"RedisCredentials(user={self.user!r}, password='***', valid_for={self.valid_for!r})"


#: Called without arguments whenever credentials are needed: a function, or one of coroutines.
RedisCredentialsProvider = Callable[[], Union[RedisCredentials, Awaitable[RedisCredentials]]]

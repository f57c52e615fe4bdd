"""What misuse raises. Evaluation never raises. Depends on nothing."""

from __future__ import annotations

__all__ = ["ClosedError", "FlagstoneError", "InvalidArgumentError", "LibraryError"]


class FlagstoneError(Exception):
    """A call was refused.

    ``status`` is the number of the native status code, ``None`` when the call never reached the library.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class InvalidArgumentError(FlagstoneError, ValueError):
    """A value that is not allowed: an option, a context, a default. The message names it."""


class ClosedError(FlagstoneError):
    """The client is closed. Evaluation still answers from the last data held."""


class LibraryError(FlagstoneError, ImportError):
    """The native library is missing, cannot be loaded, or is not the one this package was made for."""

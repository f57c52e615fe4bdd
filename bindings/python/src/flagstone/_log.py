"""The package's own lines of the log. A handler or filter of the program's may raise: that reaches nobody whose call is
logged, an evaluation for example. Depends on nothing.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import Any

#: Frames between a handler and who logs.
_FRAMES = 3


class Log:
    """A logger that raises no exception; what is none, of Ctrl-C for example, goes on to the caller."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def log(self, level: int, message: str, *arguments: object) -> None:
        """As :meth:`logging.Logger.log`."""
        self._write(level, message, arguments)

    def warning(self, message: str, *arguments: object, exc_info: BaseException | bool | None = None) -> None:
        """As :meth:`logging.Logger.warning`."""
        self._write(logging.WARNING, message, arguments, exc_info)

    def error(self, message: str, *arguments: object) -> None:
        """As :meth:`logging.Logger.error`."""
        self._write(logging.ERROR, message, arguments)

    def exception(self, message: str, *arguments: object) -> None:
        """As :meth:`logging.Logger.exception`."""
        self._write(logging.ERROR, message, arguments, True)

    def complain(self, message: str) -> None:
        """As :meth:`exception`, on a thread of the package's own, which nothing that a handler raises ends."""
        try:
            self.exception(message)
        except BaseException:
            pass

    def _write(self, level: int, message: str, arguments: tuple[object, ...], exc_info: Any = None) -> None:
        try:
            self._logger.log(level, message, *arguments, exc_info=exc_info, stacklevel=_FRAMES)
        except Exception:
            # As logging does where writing fails.
            if logging.raiseExceptions and sys.stderr is not None:
                with contextlib.suppress(Exception):
                    traceback.print_exc()


#: The log of the package.
logger = Log("flagstone")

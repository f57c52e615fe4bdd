"""The console script ``flagstone``: becomes the command-line program that lies in this package, where the wheel has it,
else the one that ``make install`` has put behind it in PATH.

A package of its own, so that nothing of ``flagstone`` and its library is loaded for it. Depends on nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

__all__ = ["PROGRAM", "main"]

#: On Windows nothing can: a shell would take the end of this process for that of the program.
_CAN_BECOME = os.name != "nt"
#: Where the program is, if it is there.
PROGRAM = Path(__file__).with_name("bin") / ("flagstone" if _CAN_BECOME else "flagstone.exe")

_MISSING = """\
flagstone: this installation has no command-line program: its wheel was built without it.
From the sources `make install` installs it; a wheel has it that is built with FLAGSTONE_CLI=build, which needs cargo, or
with FLAGSTONE_CLI=PATH, the path of the program.
"""
#: As a shell says that there is no such command, and that it cannot run it.
_NOT_FOUND, _NOT_RUN = 127, 126
#: What Python ignores from its start on, which the program would inherit.
_IGNORED = ("SIGPIPE", "SIGXFSZ")
#: How programs of Linux and macOS begin, and no script does: those of other environments lead here again.
_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe")


def main() -> NoReturn:
    """This process is the program from here on: arguments, files, signals and the exit status are its own."""
    program = PROGRAM if PROGRAM.is_file() else _hidden()
    if program is None:
        sys.stderr.write(_MISSING)
        sys.exit(_NOT_FOUND)
    try:
        (_become if _CAN_BECOME else _wait_for)(program)
    except OSError as error:
        sys.stderr.write(f"flagstone: {program} cannot be run: {error.strerror}\n")
        sys.exit(_NOT_RUN)


def _become(program: Path) -> NoReturn:
    for name in _IGNORED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execv(program, ["flagstone", *sys.argv[1:]])


def _wait_for(program: Path) -> NoReturn:
    # Ctrl-C is for the program, which has it, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call([str(program), *sys.argv[1:]]))


def _hidden() -> Path | None:
    """The program that the shell would find if this script were not in front of it."""
    if not _CAN_BECOME:  # there, scripts are programs, too
        return None
    for folder in os.get_exec_path():
        found = Path(folder, "flagstone")
        if found.is_absolute() and found.is_file() and os.access(found, os.X_OK) and _is_program(found):
            return found
    return None


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            # A frozen Python program is one, which may be this.
            return file.read(4) in _MAGIC and not path.samefile(sys.executable)
    except OSError:
        return False

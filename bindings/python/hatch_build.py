"""Puts the native library, the extension module and the command-line program into the wheel, and says so in its tag.

The library is the file that ``FLAGSTONE_LIBRARY_PATH`` names, else it is built with cargo: from the repository around this
folder, or from the sources that an sdist carries in ``core``. The extension is compiled where there is a C compiler and the
headers of CPython; ``FLAGSTONE_SPEEDUPS`` decides: ``0`` leaves it out, ``1`` makes it an error that it cannot be made.
The program is the file that ``FLAGSTONE_CLI`` names; with ``build`` cargo makes it, and with nothing there is none.
Depends on ``hatchling`` alone.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "FLAGSTONE_SPEEDUPS"
EXTENSION = "flagstone/_speedups.abi3.so"
#: The program's name here and on Windows.
PROGRAMS = ("flagstone_cli/bin/flagstone", "flagstone_cli/bin/flagstone.exe")


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the library as ``flagstone/_native``, the extension and the program to a wheel; an editable install has them in
    the source tree, which nothing else changes: several builds may go on in it at the same time."""

    PLUGIN_NAME = "custom"
    #: Where the files are made for an ordinary wheel, until it is done.
    _made: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is made; ``version`` is ``standard`` or ``editable``."""
        root = Path(self.root)
        core = root / "core" if (root / "core" / "Cargo.toml").is_file() else root.parent.parent
        named = os.environ.get("FLAGSTONE_LIBRARY_PATH")
        if not named:
            self.app.display_info("flagstone: cargo builds the native library; the first time takes minutes")
        library = Path(named) if named else _build(core, "--release", "--lib")
        folder = root / "src" if version == "editable" else self._folder()
        name = f"flagstone/_native/{library.name}"
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(library, fresh)
        _put(fresh, target)
        build_data["pure_python"] = False
        names = [name]
        platform = (
            (os.environ.get("FLAGSTONE_WHEEL_PLATFORM") or sysconfig.get_platform()).replace("-", "_").replace(".", "_")
        )
        # One wheel per platform serves every Python: the library does not link to CPython, and the extension keeps to the
        # stable ABI.
        build_data["tag"] = f"py3-none-{platform}"
        if self._extension(root, core, folder):
            names.append(EXTENSION)
            build_data["tag"] = f"cp39-abi3-{platform}"
        names += self._program(core, folder)
        if version != "editable":
            build_data["force_include"].update({str(folder / name): name for name in names})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is made."""
        if self._made is not None:
            self._made.cleanup()

    def _folder(self) -> Path:
        self._made = tempfile.TemporaryDirectory(prefix="flagstone-wheel-")
        return Path(self._made.name)

    def _program(self, core: Path, folder: Path) -> list[str]:
        """Puts the program where its package is to have it; gives its name, or none when the wheel is to go without it."""
        for name in PROGRAMS:
            # An editable install would go on running the one of an earlier build.
            (folder / name).unlink(missing_ok=True)
        named = os.environ.get("FLAGSTONE_CLI")
        if not named:
            return []
        if named == "build":
            self.app.display_info("flagstone: cargo builds the command-line program; the first time takes minutes")
        program = _build(core, "--profile", "cli", "--package", "flagstone-cli") if named == "build" else Path(named)
        name = PROGRAMS[program.suffix == ".exe"]
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(program, fresh)
        fresh.chmod(0o755)
        _put(fresh, target)
        return [name]

    def _extension(self, root: Path, core: Path, folder: Path) -> bool:
        """Compiles the extension; false when the wheel is to go without it."""
        target = folder / EXTENSION
        # An editable install would go on using the one of an earlier build.
        target.unlink(missing_ok=True)
        obstacle = _obstacle()
        if obstacle is None:
            self.app.display_info("flagstone: the C compiler builds the extension module")
            fresh = target.with_suffix(".new")
            obstacle = _compile(root, core, fresh)
            if obstacle is None:
                _put(fresh, target)
                return True
        if os.environ.get(SWITCH) == "1":
            raise RuntimeError(f"{SWITCH} is 1, but the extension module cannot be made: {obstacle}")
        self.app.display_warning(f"flagstone: without the extension module, through ctypes alone: {obstacle}")
        return False


def _put(fresh: Path, target: Path) -> None:
    """Not written in place: a process that has the old file loaded keeps it."""
    strip = shutil.which("strip")
    if strip:
        subprocess.run([strip, "--strip-unneeded", fresh], check=True)
    fresh.replace(target)


def _compiler() -> list[str] | None:
    """The C compiler that is named, else the one that built this Python, else the system's."""
    named = os.environ.get("CC")
    for command in [named] if named else [sysconfig.get_config_var("CC"), "cc", "gcc", "clang"]:
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    return None


def _obstacle() -> str | None:
    """Why the extension cannot be compiled here, if so."""
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    if sys.implementation.name != "cpython" or sys.platform == "win32":
        return f"it is for CPython on Unix, this is {sys.implementation.name} on {sys.platform}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "a free-threaded Python has no stable ABI"
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.is_file():
        return f"{headers} is missing (on Debian: the package python3-dev)"
    return None if _compiler() else "there is no C compiler"


def _compile(root: Path, core: Path, target: Path) -> str | None:
    """What the compiler says when it fails."""
    sources = root / "speedups"
    command = [*(_compiler() or ()), "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra"]
    command += [f"-ffile-prefix-map={root}=/flagstone", f"-I{sysconfig.get_path('include')}", f"-I{core / 'include'}"]
    command += ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    command += [*map(str, sorted(sources.glob("*.c"))), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{shlex.join(command)}\n{done.stderr}" if done.returncode else None


def _build(core: Path, *what: str) -> Path:
    """The program that cargo makes of it, or else the shared library."""
    command = ["cargo", "build", *what, "--locked", "--message-format=json-render-diagnostics"]
    output = subprocess.run(command, cwd=core, env=_environment(), check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    artifacts = [message for message in messages if message.get("reason") == "compiler-artifact"]
    made = [message["executable"] for message in artifacts if message.get("executable")]
    for artifact in artifacts:
        if "cdylib" in artifact["target"]["crate_types"]:
            made += [name for name in artifact["filenames"] if name.endswith((".so", ".dylib", ".dll"))]
    if not made:
        raise RuntimeError("cargo built neither a program nor a shared library")
    return Path(made[0])


def _environment() -> dict[str, str]:
    """What cargo gets, so that the library carries no path of the machine it is built on."""
    flags = os.environ.get("CARGO_ENCODED_RUSTFLAGS", "").split("\x1f") + os.environ.get("RUSTFLAGS", "").split()
    if not any(flag.startswith("--remap-path-prefix") for flag in flags):
        sources = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry" / "src"
        flags.append(f"--remap-path-prefix={sources}=/registry")
    # Not RUSTFLAGS, which is split at spaces.
    return {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flag for flag in flags if flag)}

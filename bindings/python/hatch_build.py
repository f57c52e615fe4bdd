"""Puts the native library, the extension module and the command-line program into the wheel, and says so in its tag.

The library is the file that ``FLAGSTONE_LIBRARY_PATH`` names, else it is built with cargo: from the repository around this
folder, or from the sources that an sdist carries in ``core``. The extension is compiled where there is a C compiler and the
headers of CPython; ``FLAGSTONE_SPEEDUPS`` decides: ``0`` leaves it out, ``1`` makes it an error that it cannot be made.
The program is the file that ``FLAGSTONE_CLI`` names; with ``build`` cargo makes it, and with nothing there is none.

``FLAGSTONE_WHEEL_PLATFORM`` is the platform in the tag, for example ``manylinux_2_17_x86_64``, by default that of this
Python (``linux_x86_64``, which is for this machine and no other). What is in the wheel must bear it out: a tag that a
library contradicts is refused. Depends on ``hatchling`` and ``native_file`` alone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The folder of this file is not where Python looks.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import native_file

#: As ``requires-python`` has it.
OLDEST = (3, 9)
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
        if sys.version_info < OLDEST:
            # pip learns what the package requires from the finished wheel: minutes of building that lead nowhere.
            this, oldest = (".".join(map(str, number[:2])) for number in (sys.version_info, OLDEST))
            raise RuntimeError(f"Flagstone needs Python {oldest} or newer, and this is {this}")
        root = Path(self.root)
        core = root / "core" if (root / "core" / "Cargo.toml").is_file() else root.parent.parent
        named = os.environ.get("FLAGSTONE_LIBRARY_PATH")
        if not named:
            self.app.display_info("flagstone: cargo builds the native library; the first time takes minutes")
        library = Path(named) if named else _build(core, "--release", "--package", "flagstone-capi")
        folder = root / "src" if version == "editable" else self._folder()
        name = f"flagstone/_native/{library.name}"
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(library, fresh)
        tag = (os.environ.get("FLAGSTONE_WHEEL_PLATFORM") or sysconfig.get_platform()).replace("-", "_").replace(".", "_")
        _check(tag, fresh, library.name)
        _put(fresh, target)
        build_data["pure_python"] = False
        names = [name]
        # One wheel per platform serves every Python: the library does not link to CPython, and the extension keeps to the
        # stable ABI.
        build_data["tag"] = f"py3-none-{tag}"
        if self._extension(root, core, folder):
            _check(tag, folder / EXTENSION, EXTENSION)
            names.append(EXTENSION)
            build_data["tag"] = f"cp39-abi3-{tag}"
        names += self._program(core, folder, tag)
        if version != "editable":
            build_data["force_include"].update({str(folder / name): name for name in names})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is made."""
        if self._made is not None:
            self._made.cleanup()

    def _folder(self) -> Path:
        self._made = tempfile.TemporaryDirectory(prefix="flagstone-wheel-")
        return Path(self._made.name)

    def _program(self, core: Path, folder: Path, tag: str) -> list[str]:
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
        _check(tag, fresh, name)
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
    file = native_file.read(fresh)
    # The tool of this machine knows the files of no other, and of no other system.
    if strip and sys.platform == "linux" and (file.form, file.machine) == ("elf", platform.machine()):
        subprocess.run([strip, "--strip-unneeded", fresh], check=True)
    fresh.replace(target)


def _check(tag: str, path: Path, name: str) -> None:
    """Refuses a platform tag that a file for the wheel contradicts."""
    objection = contradiction(tag, native_file.read(path))
    if objection:
        path.unlink()
        raise RuntimeError(f"a wheel for {tag} cannot have {name}: {objection}")


def contradiction(tag: str, file: native_file.NativeFile) -> str | None:
    """Why a wheel with this platform tag cannot have the file."""
    legacy = {"manylinux1": "manylinux_2_5", "manylinux2010": "manylinux_2_12", "manylinux2014": "manylinux_2_17"}
    for old, new in legacy.items():
        tag = re.sub(f"^{old}_", f"{new}_", tag)
    found = re.fullmatch(r"(manylinux|musllinux|macosx|linux|win)_(?:(\d+)_(\d+)_)?(\w+)", tag)
    if found is None:
        return "the tag is of a platform that is not known here"
    kind, lowest = found[1], (int(found[2] or 0), int(found[3] or 0))
    machines = {"amd64": "x86_64", "arm64": "aarch64"}
    forms = {"win": "pe", "macosx": "macho"}
    # A tag without a version is for the system that the wheel is made on.
    libc = {"manylinux": "glibc", "musllinux": "musl", "linux": "glibc" if platform.libc_ver()[0] == "glibc" else "musl"}
    if (file.form, file.machine) != (forms.get(kind, "elf"), machines.get(found[4], found[4])):
        return f"it is for another machine or system ({file.form}, {file.machine})"
    if file.libc != libc.get(kind, ""):
        return f"it is for {file.libc}"
    if kind == "manylinux" and file.glibc and file.glibc > lowest:
        return f"it needs glibc {file.glibc[0]}.{file.glibc[1]}"
    if kind == "macosx" and file.system > lowest:
        return f"it needs macOS {file.system[0]}.{file.system[1]}"
    return None


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
    with _signs_of_life():
        output = subprocess.run(command, cwd=core, env=_environment(core), check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    artifacts = [message for message in messages if message.get("reason") == "compiler-artifact"]
    made = [message["executable"] for message in artifacts if message.get("executable")]
    for artifact in artifacts:
        if "cdylib" in artifact["target"]["crate_types"]:
            made += [name for name in artifact["filenames"] if name.endswith((".so", ".dylib", ".dll"))]
    if not made:
        raise RuntimeError(
            "cargo built neither a program nor a shared library: on musl the latter takes the flag "
            "-C target-feature=-crt-static, without which rustc leaves it out and says nothing; something in RUSTFLAGS or "
            "in a configuration file of cargo turns it off"
        )
    return Path(made[0])


@contextmanager
def _signs_of_life() -> Iterator[None]:
    """A line now and then: the last step of cargo takes minutes and says nothing."""
    is_over, began = threading.Event(), time.monotonic()

    def tell() -> None:
        while not is_over.wait(20):
            print(f"flagstone: cargo has been building for {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()
        teller.join()


def _is_for_musl() -> bool:
    """Whether cargo builds for a system with musl."""
    target = os.environ.get("CARGO_BUILD_TARGET")
    if not target:
        command = [os.environ.get("RUSTC") or "rustc", "-vV"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        target = next((line for line in said if line.startswith("host: ")), "")
    return "-musl" in target


def _environment(core: Path) -> dict[str, str]:
    """What cargo gets, so that the library carries no path of the machine it is built on, and is there at all on musl.

    The same flags in the same order as make gives it: with others cargo would build everything again, there and here.
    """
    flags = os.environ.get("CARGO_ENCODED_RUSTFLAGS", "").split("\x1f") + os.environ.get("RUSTFLAGS", "").split()
    if not any(flag.startswith("--remap-path-prefix") for flag in flags):
        sources = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry" / "src"
        flags += [f"--remap-path-prefix={sources}=/registry", f"--remap-path-prefix={core}=/flagstone"]
    if _is_for_musl() and not any("crt-static" in flag for flag in flags):
        flags.append("-Ctarget-feature=-crt-static")
    # Not RUSTFLAGS, which is split at spaces.
    return {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flag for flag in flags if flag)}

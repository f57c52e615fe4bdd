"""Puts the native library into the wheel, and says so in its tag.

The library is the file that ``FLAGSTONE_LIBRARY_PATH`` names, else it is built with cargo: from the repository around this
folder, or from the sources that an sdist carries in ``core``. Depends on ``hatchling`` alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Copies the library to ``flagstone/_native``, for ordinary and for editable wheels."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is made; ``version`` is ``standard`` or ``editable``."""
        root = Path(self.root)
        named = os.environ.get("FLAGSTONE_LIBRARY_PATH")
        library = Path(named) if named else _build(root)
        target = root / "src" / "flagstone" / "_native" / library.name
        target.parent.mkdir(exist_ok=True)
        # Not written in place: a process that has the old file loaded keeps it.
        fresh = target.with_suffix(".new")
        shutil.copyfile(library, fresh)
        strip = shutil.which("strip")
        if strip:
            subprocess.run([strip, "--strip-unneeded", fresh], check=True)
        fresh.replace(target)
        # One wheel per platform serves every Python: nothing links to CPython.
        platform = os.environ.get("FLAGSTONE_WHEEL_PLATFORM") or sysconfig.get_platform()
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + platform.replace("-", "_").replace(".", "_")
        build_data["artifacts"].append(f"src/flagstone/_native/{library.name}")


def _build(root: Path) -> Path:
    core = root / "core" if (root / "core" / "Cargo.toml").is_file() else root.parent.parent
    command = ["cargo", "build", "--release", "--lib", "--locked", "--message-format=json-render-diagnostics"]
    output = subprocess.run([*command], cwd=core, env=_environment(), check=True, stdout=subprocess.PIPE).stdout
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and "cdylib" in message["target"]["crate_types"]:
            for name in message["filenames"]:
                if name.endswith((".so", ".dylib", ".dll")):
                    return Path(name)
    raise RuntimeError("cargo built no shared library")


def _environment() -> dict[str, str]:
    """What cargo gets, so that the library carries no path of the machine it is built on."""
    flags = os.environ.get("CARGO_ENCODED_RUSTFLAGS", "").split("\x1f") + os.environ.get("RUSTFLAGS", "").split()
    if not any(flag.startswith("--remap-path-prefix") for flag in flags):
        sources = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry" / "src"
        flags.append(f"--remap-path-prefix={sources}=/registry")
    # Not RUSTFLAGS, which is split at spaces.
    return {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flag for flag in flags if flag)}

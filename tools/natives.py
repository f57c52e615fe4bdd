"""Inspects the libraries below a folder, one for each platform, and lists them in its ``manifest.json`` and ``SHA256SUMS``.

    tools/natives.py FOLDER [RID...]

Each must be for its platform, export what ``tests/abi/symbols.txt`` says and nothing else, need no library that is not part
of the system, no glibc above 2.17, be able to catch a panic, and carry no path of the machine that built it. Where this
machine can run it, a small program loads it and asks for its version. Depends on ``native_file`` of the Python package.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bindings" / "python"))

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()

import native_file  # noqa: E402  # from the folder above

#: The budget.
MOST_BYTES = 6_000_000
GLIBC = (2, 17)
MACHINES = {"x64": "x86_64", "arm64": "aarch64"}
FORMS = {"linux": ("elf", "libflagstone.so"), "win": ("pe", "flagstone.dll"), "osx": ("macho", "libflagstone.dylib")}
NAMES = {"elf": "libflagstone.so.1", "pe": "flagstone.dll", "macho": "@rpath/libflagstone.1.dylib"}
#: What a panic needs so that the guards at the C border can catch it. There are linkers that leave it out and say nothing.
UNWINDING = {
    "elf": {".eh_frame", ".gcc_except_table"},
    "pe": {".pdata", ".xdata"},
    "macho": {"__unwind_info", "__gcc_except_tab"},
}
#: What every installation of a system has, as whole names.
SYSTEM = {
    "glibc": r"lib(c|m|gcc_s|dl|pthread|rt|util)\.so\.\d+|ld-linux-(x86-64|aarch64)\.so\.\d",
    "musl": r"libc\.so|libc\.musl-(x86_64|aarch64)\.so\.1|libgcc_s\.so\.1",
    "pe": r"(?i)(kernel32|ntdll|ws2_32|bcrypt|bcryptprimitives|advapi32|userenv|msvcrt|api-ms-win-[a-z0-9-]+)\.dll",
    "macho": r"/usr/lib/lib(System\.B|charset\.1|iconv\.2|resolv\.9)\.dylib",
}


def objections(rid: str, path: Path, file: native_file.NativeFile) -> list[str]:
    """What keeps a library from being handed out for a platform."""
    found = []
    kind, *middle, machine = rid.split("-")
    form, _ = FORMS[kind]
    libc = {"linux": "musl" if middle else "glibc"}.get(kind, "")
    if (file.form, file.machine, file.libc) != (form, MACHINES[machine], libc):
        found.append(f"it is for another platform: {file.form} {file.machine} {file.libc}".rstrip())
    recorded = (ROOT / "tests" / "abi" / "symbols.txt").read_text().split()
    for what, names in (("lacks", set(recorded) - set(file.exports)), ("exports also", set(file.exports) - set(recorded))):
        if names:
            found.append(f"it {what} {', '.join(sorted(names)[:5])}{' and others' if len(names) > 5 else ''}")
    if file.name != NAMES[form]:
        found.append(f"its name is {file.name or 'missing'}, not {NAMES[form]}")
    strange = [name for name in file.needed if not re.fullmatch(SYSTEM[file.libc or file.form], name)]
    if strange:
        found.append(f"it needs {', '.join(strange)}, which is no part of the system")
    missing = sorted(UNWINDING[file.form] - file.sections)
    if missing:
        found.append(f"a panic in it would end the program: it has no {', '.join(missing)}")
    if file.glibc and file.glibc > GLIBC:
        found.append(f"it needs glibc {version(file.glibc)}, above {version(GLIBC)}")
    content = path.read_bytes()
    found += [f"it carries the path {place}" for place in (Path.home(), ROOT) if os.fsencode(place) + b"/" in content]
    return found


def version(of: tuple[int, int]) -> str:
    """As it is written."""
    return f"{of[0]}.{of[1]}"


def loader(rid: str) -> list[str] | None:
    """The command before a program of the platform that makes it run here; ``None`` where nothing does."""
    kind, *middle, machine = rid.split("-")
    here = platform.machine() == MACHINES[machine]
    if kind != "linux" or sys.platform != "linux":
        return None
    name = f"lib/ld-musl-{MACHINES[machine]}.so.1" if middle else "lib"
    if here:
        program = Path("/") / name
        return ([str(program)] if program.exists() else None) if middle else []
    emulator = shutil.which(f"qemu-{MACHINES[machine]}-static") or shutil.which(f"qemu-{MACHINES[machine]}")
    system = os.environ.get("FLAGSTONE_SYSROOT_" + rid.upper().replace("-", "_"), f"/usr/{MACHINES[machine]}-linux-gnu")
    return [emulator, "-L", system] if emulator and (Path(system) / name).exists() else None


def inspect(rid: str, path: Path) -> dict[str, Any]:
    """What the manifest says of a library."""
    file = native_file.read(path)
    return {
        "rid": rid,
        "file": f"{rid}/{path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "too_large": path.stat().st_size > MOST_BYTES,
        "machine": file.machine,
        "libc": file.libc or None,
        "glibc": version(file.glibc) if file.glibc else None,
        "macos": version(file.system) if file.form == "macho" else None,
        "needs": file.needed,
        "exports": len(file.exports),
        "objections": objections(rid, path, file),
    }


def main(folder: Path, *only: str) -> int:
    """The number of libraries with objections."""
    entries = []
    for place in sorted(folder.glob("*")):
        kind = place.name.split("-")[0]
        if kind in FORMS and (place / FORMS[kind][1]).is_file() and (not only or place.name in only):
            entries.append(inspect(place.name, place / FORMS[kind][1]))
    for entry in entries:
        entry["run"], trouble = run(entry["rid"], folder / entry["file"])
        entry["objections"] += [f"it cannot be loaded: {trouble}"] if trouble else []
        needs = f"glibc {entry['glibc']}" if entry["glibc"] else entry["libc"] or ", ".join(entry["needs"])
        label = f"loaded here: {entry['run']}" if entry["run"] else "built, not run"
        print(f"{entry['rid']}: {entry['bytes']} bytes, {entry['exports']} exports, needs {needs}; {label}")
        if entry["too_large"]:
            print(f"{entry['rid']}: TOO LARGE: above {MOST_BYTES} bytes; it works, and may be handed out")
        for objection in entry["objections"]:
            print(f"{entry['rid']}: REFUSED: {objection}")
    number = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert number is not None
    manifest = {"version": number[1], "natives": entries}
    if not only:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        (folder / "SHA256SUMS").write_text("".join(f"{entry['sha256']}  {entry['file']}\n" for entry in entries))
    return sum(bool(entry["objections"]) for entry in entries)


def run(rid: str, library: Path) -> tuple[str | None, str]:
    """The version that the library says when a program loads it, or why it does not; neither where nothing can run it."""
    before = loader(rid)
    probe = library.parent / "probe"
    if before is None or not compile_probe(rid, probe):
        return None, ""
    try:
        done = subprocess.run([*before, str(probe), str(library)], capture_output=True, text=True, timeout=120, check=False)
    finally:
        probe.unlink()
    said = (done.stdout + done.stderr).strip()
    return (None, said or f"exit {done.returncode}") if done.returncode else (said, "")


PROBE = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *library = count > 1 ? dlopen(words[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    const char *(*version)(void) = NULL;
    if (library == NULL || (*(void **)&version = dlsym(library, "flagstone_version_string")) == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    puts(version());
    return 0;
}
"""


def compiler(rid: str) -> list[str] | None:
    """The command that compiles a program for a platform: that of zig, or of this machine; ``None`` when there is none."""
    zig = TARGET / "zig" / "bin" / "python"
    _, *middle, machine = rid.split("-")
    if zig.exists():
        system = "linux-musl" if middle else f"linux-gnu.{version(GLIBC)}"
        command = [str(zig), "-m", "ziglang", "cc", "-target", f"{MACHINES[machine]}-{system}"]
        return [*command, *(["-dynamic"] if middle else [])]
    return ["cc"] if not middle and platform.machine() == MACHINES[machine] and shutil.which("cc") else None


def compile_probe(rid: str, probe: Path) -> bool:
    """Whether a small program for the platform could be compiled."""
    command = compiler(rid)
    if command is None:
        return False
    source = probe.with_suffix(".c")
    source.write_text(PROBE)
    done = subprocess.run([*command, str(source), "-o", str(probe), "-ldl"], capture_output=True, text=True, check=False)
    source.unlink()
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]), *sys.argv[2:]), 1))

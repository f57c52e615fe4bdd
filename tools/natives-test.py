"""Runs the C tests with the libraries below a folder: with each that this machine can run, whatever machine it is for.

    tools/natives-test.py FOLDER [RID or PROGRAM...]

The programs of ``tests/c`` are compiled for the platform and run: directly, with ``musl``, or with ``qemu-user``,
against a real ``redis-server`` on a free port. Depends on ``natives`` beside it, which knows how programs are run.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import natives  # from the folder above

#: Takes the URL of the Redis.
FIRST = "smoke"
#: Those that need nothing but a Redis.
PROGRAMS = ["all_api", "values", "big_segments", "bad_input", "migrations", "threads", "deep"]
#: Left out where an emulator stands between: a fork of it is none of the program alone.
WITH_FORKS = ["fork", "fork_dead", "inherited", "signals"]
FLAG = '{"key":"new-checkout","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}'
#: How long a program may take: emulated ones are slow.
LONGEST = 400


@contextmanager
def private_redis(folder: Path) -> Iterator[str]:
    """The port of a server that keeps nothing, with the flag that the first program asks for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        port,
        "--dir",
        str(folder),
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    with (folder / "redis.log").open("w") as log, subprocess.Popen(words, stdout=log) as server:
        try:
            ask = ["redis-cli", "-p", port, "hset", "launchdarkly:features", "new-checkout", FLAG]
            end = time.monotonic() + 30
            while subprocess.run(ask, capture_output=True, check=False).returncode != 0:
                if server.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"redis-server does not start: {(folder / 'redis.log').read_text()[-500:]}")
                time.sleep(0.05)
            yield port
        finally:
            server.terminate()


def compile_program(compiler: list[str], library: Path, name: str, folder: Path) -> Path:
    """A program of ``tests/c`` that is linked with the library."""
    tests = natives.ROOT / "tests" / "c"
    parts = sorted((tests / name).glob("*.c"))
    sources = [tests / f"{name}.c", *parts, *([] if name == FIRST else [tests / "support.c"])]
    command = [*compiler, "-std=c99", "-O1", *map(str, sources), f"-I{natives.ROOT / 'include'}", f"-I{tests}"]
    program = folder / name
    subprocess.run([*command, str(library), "-lpthread", "-ldl", "-lm", "-o", str(program)], check=True)
    return program


def programs_for(emulated: bool) -> list[str]:
    """What can run there."""
    return [FIRST, *PROGRAMS, *([] if emulated else WITH_FORKS)]


def test(rid: str, library: Path, work: Path, only: set[str]) -> int:
    """The number of programs that failed."""
    before = natives.loader(rid)
    compiler = None if before is None else natives.compiler(rid)
    if before is None or compiler is None:
        print(f"{rid}: NOT run: {'nothing here runs it' if before is None else 'there is no compiler for it'}")
        return 0
    folder = work / rid
    folder.mkdir()
    for name in ("libflagstone.so", "libflagstone.so.1"):
        shutil.copy(library, folder / name)
    emulated = bool(before) and "qemu" in before[0]
    failed = []
    programs = [name for name in programs_for(emulated) if name in only or not only]
    for name in programs:
        program = compile_program(compiler, folder / library.name, name, folder)
        with private_redis(folder) as port:
            words = [f"redis://127.0.0.1:{port}"] if name == FIRST else [port, name, *(["slow"] if emulated else [])]
            environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
            if emulated:
                # For the emulated program, not for the emulator.
                environment = {**os.environ, "QEMU_SET_ENV": f"LD_LIBRARY_PATH={folder}"}
            try:
                command = [*before, str(program), *words]
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
                )
                said, good = done.stdout + done.stderr, done.returncode == 0
            except subprocess.TimeoutExpired:
                said, good = f"no end within {LONGEST} s", False
        if not good:
            failed.append(name)
            print(f"{rid}: {name} FAILED:\n{said[-1500:]}")
    how = f" with {next(Path(word).name for word in before if word.startswith('/'))}" if before else ""
    print(f"{rid}: {len(programs) - len(failed)} passed, {len(failed)} failed{how}", flush=True)
    return len(failed)


def main(folder: Path, *only: str) -> int:
    """The number of programs that failed; all of them count when there is nothing to test."""
    found = [(one.parent.name, one) for one in sorted(folder.glob("*/*flagstone.*"))]
    programs = {FIRST, *PROGRAMS, *WITH_FORKS} & set(only)
    rids = set(only) - programs
    found = [(rid, library) for rid, library in found if not rids or rid in rids]
    if not found:
        print(f"there are no libraries in {folder}: run make natives")
        return 1
    with tempfile.TemporaryDirectory(prefix="natives-test-", dir=folder.parent) as work:
        return sum(test(rid, library, Path(work), programs) for rid, library in found)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]), *sys.argv[2:]), 1))

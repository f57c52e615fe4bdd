"""What is shipped: wheel, sdist, editable install, and what a broken installation says."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from flagstone import _abi, _hot
from support import FULL, PATIENCE, PROJECT, Environment, bool_flag, run_python

PACKAGE = PROJECT / "bindings" / "python"
FIRST = """
import sys
from flagstone import Client, Config, Context
with Client(Config(redis_url=sys.argv[1], redis_prefix=sys.argv[2])) as client:
    print(client.variation("a", Context("u"), False))
"""
in_full = pytest.mark.skipif(not FULL, reason="built once, on the default Python version")


def clean(**variables: str) -> dict[str, str]:
    """The environment without the override."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLAGSTONE_", "PYTHON"))}
    return {**kept, **variables}


def wheel_in(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Builds a wheel from the tree, and from nothing else."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    return subprocess.run(command, cwd=PACKAGE, env=environment, capture_output=True, text=True, check=False)


def build(kind: str, source: Path, out: Path, **variables: str) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(out), str(source)]
    built = subprocess.run(command, env=clean(**variables), capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (made,) = out.iterdir()
    return made


def empty_environment(folder: Path) -> str:
    venv.create(folder, with_pip=True)
    return str(folder / "bin" / "python")


def install(python: str, *what: str, **variables: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", *what]
    done = subprocess.run(command, env=clean(**variables), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def first_evaluation(python: str, environment: Environment) -> str:
    environment.write(a=bool_flag("a", 1, True))
    command = [python, "-c", FIRST, environment.server.url, environment.prefix]
    done = subprocess.run(command, env=clean(), cwd="/", capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
    return done.stdout + done.stderr


@in_full
def test_a_wheel_in_an_empty_environment_evaluates_a_flag(environment: Environment, tmp_path: Path) -> None:
    library = os.environ["FLAGSTONE_TEST_LIBRARY"]
    program = os.environ.get("FLAGSTONE_TEST_CLI") or str(PROJECT / "target" / "cli" / "flagstone")
    wheel = build("wheel", PACKAGE, tmp_path / "dist", FLAGSTONE_LIBRARY_PATH=library, FLAGSTONE_CLI=program)
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    names = zipfile.ZipFile(wheel).namelist()
    with_extension = "flagstone/_speedups.abi3.so" in names
    assert with_extension == bool(_hot.SPEEDUPS)
    assert wheel.name.endswith(f"-{'cp39-abi3' if with_extension else 'py3-none'}-{platform}.whl")
    assert "flagstone/_native/libflagstone.so" in names
    assert "flagstone/py.typed" in names
    assert "flagstone_pytest/__init__.py" in names and "flagstone_cli/bin/flagstone" in names
    assert "flagstone/openfeature/_provider.py" in names
    assert not [
        name for name in names if "tests" in name or "test_" in name or "hatch" in name or name.endswith((".c", ".h"))
    ]
    python = empty_environment(tmp_path / "venv")
    install(python, str(wheel))
    assert first_evaluation(python, environment) == "True\n"
    command_line(Path(python).with_name("flagstone"), environment)


@in_full
def test_a_wheel_is_made_without_a_change_in_the_source_tree(tmp_path: Path) -> None:
    copy = tmp_path / "project" / "bindings" / "python"
    shutil.copytree(
        PACKAGE, copy, ignore=shutil.ignore_patterns("_native", "_speedups.abi3.so", "bin", ".*", "__pycache__")
    )
    shutil.copytree(PROJECT / "include", tmp_path / "project" / "include")
    # As an editable install leaves them.
    for name in ("flagstone/_native/libflagstone.so", "flagstone/_speedups.abi3.so", "flagstone_cli/bin/flagstone"):
        (copy / "src" / name).parent.mkdir(exist_ok=True)
        (copy / "src" / name).write_text("of an earlier build")
    before = {path: path.stat() for path in (copy / "src").rglob("*")}
    library = os.environ["FLAGSTONE_TEST_LIBRARY"]
    program = shutil.copy(library, tmp_path / "flagstone.exe")
    variables = {"FLAGSTONE_LIBRARY_PATH": library, "FLAGSTONE_CLI": str(program), "FLAGSTONE_SPEEDUPS": "0"}
    wheel = build("wheel", copy, tmp_path / "dist", **variables)
    after = {path: path.stat() for path in (copy / "src").rglob("*")}
    assert sorted(after) == sorted(before)
    # Folders' own times: what came and went again.
    assert [path for path in before if before[path].st_mtime_ns != after[path].st_mtime_ns] == []
    made = zipfile.ZipFile(wheel)
    assert made.read("flagstone/_native/libflagstone.so")[:4] == b"\x7fELF"
    names = {"flagstone/_speedups.abi3.so", "flagstone_cli/bin/flagstone"}
    assert not names.intersection(made.namelist()) and "-py3-none-" in wheel.name
    assert "flagstone_cli/bin/flagstone.exe" in made.namelist(), "as Windows needs it"


def command_line(script: Path, environment: Environment) -> None:
    """The console script is the program, with its own arguments, files, signals and exit statuses."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(script), *arguments], capture_output=True, text=True, env=variables, **options)

    variables = clean(FLAGSTONE_REDIS_URL=environment.server.url, FLAGSTONE_REDIS_PREFIX=environment.prefix)
    listed = run("flags", "--quiet")
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "a\n", "")
    assert (run("show", "missing").returncode, run("--nonsense").returncode) == (4, 2)
    exported = run("export").stdout
    imported = run("import", "-", "--prefix", f"{environment.prefix}-copy", "--yes", input=exported)
    assert (imported.returncode, environment.server.version(f"{environment.prefix}-copy", "a")) == (0, 1), imported
    by_module = [str(script.with_name("python")), "-m", "flagstone_cli", "--version"]
    assert subprocess.run(by_module, capture_output=True, text=True, check=True).stdout == run("--version").stdout
    watching = subprocess.Popen([str(script), "watch", "--json"], env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert watching.stdout and '"watching"' in watching.stdout.readline()
        # No Python is left in front of it.
        assert Path(f"/proc/{watching.pid}/exe").resolve().name == "flagstone"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE) == -signal.SIGINT
    finally:
        watching.kill()
        watching.communicate()


def console_script(folder: Path) -> Path:
    """A copy of what the console script runs, in ``folder``, without a program."""
    import flagstone_cli

    copy = folder / "flagstone_cli"
    (copy / "bin").mkdir(parents=True)
    for module in Path(flagstone_cli.__file__).parent.glob("*.py"):
        (copy / module.name).write_text(module.read_text())
    return copy


@pytest.mark.parametrize("kind", ["missing", "of another machine", "not allowed"])
def test_without_its_program_the_console_script_says_how_to_get_it(tmp_path: Path, kind: str) -> None:
    copy = console_script(tmp_path)
    if kind != "missing":
        (copy / "bin" / "flagstone").write_bytes(b"\x7fELF of another machine")
        (copy / "bin" / "flagstone").chmod(0o755 if kind == "of another machine" else 0o644)
    command = [sys.executable, "-m", "flagstone_cli", "flags"]
    variables = clean(PYTHONPATH=str(tmp_path), PATH=str(tmp_path))
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (127 if kind == "missing" else 126, "")
    assert ("FLAGSTONE_CLI=build" if kind == "missing" else f"{copy / 'bin' / 'flagstone'} cannot be run") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_console_script_without_its_program_becomes_the_one_that_it_hides(tmp_path: Path) -> None:
    console_script(tmp_path)
    folders = [tmp_path / name for name in ("script", "not-allowed", "folder", "installed")]
    for folder in folders[:3]:
        folder.mkdir()
    (folders[0] / "flagstone").write_text(f'#!/bin/sh\nexec {sys.executable} -m flagstone_cli "$@"\n')
    (folders[0] / "flagstone").chmod(0o755)
    (folders[1] / "flagstone").write_bytes(b"\x7fELF")
    (folders[2] / "flagstone").mkdir()
    path = os.pathsep.join(["", "of-no-root", *map(str, folders)])
    variables = clean(PYTHONPATH=str(tmp_path), PATH=path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(folders[0] / "flagstone"), *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=PATIENCE, check=False)

    missing = run("--version")
    assert (missing.returncode, "FLAGSTONE_CLI=build" in missing.stderr) == (127, True), missing
    folders[3].mkdir()
    # A program that is there wherever the tests run, and cares little for its name.
    (folders[3] / "flagstone").symlink_to(str(shutil.which("redis-server")))
    ended = run("--version")
    assert (ended.returncode, ended.stdout.startswith("Redis server v=")) == (0, True), ended


def test_where_no_process_can_become_another_the_console_script_waits_and_hands_on_the_status(tmp_path: Path) -> None:
    copy = console_script(tmp_path)
    (copy / "bin" / "flagstone").write_text('#!/bin/sh\necho "$PPID $@"\nexit 5\n')
    (copy / "bin" / "flagstone").chmod(0o755)
    code = "import os, sys, flagstone_cli; flagstone_cli._CAN_BECOME = False; print(os.getpid(), flush=True)"
    code += "; sys.argv[1:] = ['a', 'b c']; flagstone_cli.main()"
    ended = run_python(code, env=clean(PYTHONPATH=str(tmp_path)))
    process = ended.stdout.partition("\n")[0]
    assert (ended.returncode, ended.stdout, ended.stderr) == (5, f"{process}\n{process} a b c\n", "")
    (copy / "bin" / "flagstone").chmod(0o644)
    refused = run_python(code, env=clean(PYTHONPATH=str(tmp_path)))
    assert (refused.returncode, "cannot be run" in refused.stderr) == (126, True), refused


@in_full
def test_a_python_that_is_too_old_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    # pip reads what the package requires from a finished wheel alone.
    old = "import sys; sys.path.insert(0, '.'); import hatch_build; sys.version_info = (3, 8, 20, 'final', 0)"
    begin = "hook = object.__new__(hatch_build.LibraryHook); hook.initialize('standard', {})"
    refused = run_python(f"{old}; {begin}", env=clean(PATH=str(tmp_path)), cwd=PACKAGE)
    assert (refused.returncode, "Flagstone needs Python 3.9 or newer, and this is 3.8" in refused.stderr) == (1, True), (
        refused
    )


@in_full
def test_cargo_is_given_the_flags_that_make_gives_it_so_that_neither_builds_all_of_it_again(tmp_path: Path) -> None:
    library = tmp_path / "libflagstone.so"
    shutil.copy(os.environ["FLAGSTONE_TEST_LIBRARY"], library)
    told, cargo = tmp_path / "flags", tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    made = f'{{"reason":"compiler-artifact","target":{{"crate_types":["cdylib"]}},"filenames":["{library}"]}}'
    cargo.write_text(f"#!/bin/sh\nprintf %s \"$CARGO_ENCODED_RUSTFLAGS\" > '{told}'\necho '{made}'\n")
    cargo.chmod(0o755)
    variables = clean(PATH=f"{cargo.parent}{os.pathsep}{os.environ['PATH']}")
    variables.pop("RUSTFLAGS", None)
    wheel_in(tmp_path / "wheel", variables).check_returncode()
    by_make = ["make", "-s", "-C", str(PROJECT), "--eval", "flags: ; @echo $(RUSTFLAGS)", "flags"]
    expected = subprocess.run(by_make, env=variables, capture_output=True, text=True, check=True).stdout
    assert told.read_text().split("\x1f") == expected.split()


@in_full
@pytest.mark.parametrize(
    ("platform", "why"),
    [
        ("manylinux_2_5_x86_64", "it needs glibc 2."),
        ("manylinux2010_x86_64", "it needs glibc 2."),
        ("musllinux_1_2_x86_64", "it is for glibc"),
        ("manylinux_2_39_aarch64", "it is for another machine or system (elf, x86_64)"),
        ("win_amd64", "it is for another machine or system (elf, x86_64)"),
        ("macosx_11_0_arm64", "it is for another machine or system (elf, x86_64)"),
        ("beos_x86_64", "the tag is of a platform that is not known here"),
    ],
)
@pytest.mark.skipif(sysconfig.get_platform() != "linux-x86_64", reason="the tags are wrong for that machine alone")
def test_a_platform_tag_that_the_library_contradicts_is_refused(platform: str, why: str, tmp_path: Path) -> None:
    variables = {"FLAGSTONE_LIBRARY_PATH": os.environ["FLAGSTONE_TEST_LIBRARY"], "FLAGSTONE_WHEEL_PLATFORM": platform}
    refused = wheel_in(tmp_path, clean(**variables))
    assert refused.returncode != 0 and not list(tmp_path.iterdir())
    assert f"a wheel for {platform} cannot have libflagstone.so: {why}" in refused.stderr


@in_full
@pytest.mark.parametrize(("machine", "code"), [("x86_64", 0x01000007), ("arm64", 0x0100000C)])
def test_a_library_for_another_system_comes_into_its_wheel_as_it_is(machine: str, code: int, tmp_path: Path) -> None:
    library, folder = tmp_path / "libflagstone.dylib", tmp_path / "wheel"
    # A file for macOS that has nothing in it, for the machine that this one may be, too: what strips files here knows none.
    library.write_bytes(struct.pack("<8I", 0xFEEDFACF, code, 0, 6, 0, 0, 0, 0))
    variables = {"FLAGSTONE_WHEEL_PLATFORM": f"macosx_11_0_{machine}", "FLAGSTONE_SPEEDUPS": "0"}
    variables["FLAGSTONE_LIBRARY_PATH"] = str(library)
    built = wheel_in(folder, clean(**variables))
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.iterdir()
    assert wheel.name.endswith(f"-macosx_11_0_{machine}.whl")
    assert zipfile.ZipFile(wheel).read("flagstone/_native/libflagstone.dylib") == library.read_bytes()


@in_full
def test_an_sdist_builds_with_cargo_alone(environment: Environment, tmp_path: Path) -> None:
    sdist = build("sdist", PACKAGE, tmp_path / "dist")
    python = empty_environment(tmp_path / "venv")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "hatchling==1.27.0"], check=True)
    # Dependencies are compiled once for all runs of this test.
    install(python, "--no-build-isolation", str(sdist), CARGO_TARGET_DIR=os.environ["FLAGSTONE_TEST_SDIST_TARGET"])
    assert first_evaluation(python, environment) == "True\n"
    script = [str(Path(python).with_name("flagstone")), "flags"]
    without = subprocess.run(script, env=clean(PATH=str(tmp_path)), capture_output=True, text=True, check=False)
    assert (without.returncode, "has no command-line program" in without.stderr) == (127, True), without
    (library,) = (tmp_path / "venv").glob("lib/*/site-packages/flagstone/_native/libflagstone.so")
    for built in (library, Path(os.environ["FLAGSTONE_TEST_LIBRARY"])):
        content = built.read_bytes()
        assert not [place for place in (Path.home(), PROJECT, tmp_path) if os.fsencode(place) + b"/" in content], built


@in_full
def test_an_editable_install_works(environment: Environment, tmp_path: Path) -> None:
    python = empty_environment(tmp_path / "venv")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "hatchling==1.27.0", "editables==0.5"], check=True)
    library = os.environ["FLAGSTONE_TEST_LIBRARY"]
    install(python, "--no-build-isolation", "--editable", str(PACKAGE), FLAGSTONE_LIBRARY_PATH=library)
    assert first_evaluation(python, environment) == "True\n"
    shown = subprocess.run([python, "-c", "import flagstone; print(flagstone.__file__)"], capture_output=True, text=True)
    assert Path(shown.stdout.strip()) == PACKAGE / "src" / "flagstone" / "__init__.py"


def test_a_library_that_is_not_there_is_named_with_everything_tried(tmp_path: Path) -> None:
    missing = tmp_path / "libflagstone.so"
    ended = run_python("import flagstone", env=clean(FLAGSTONE_LIBRARY_PATH=str(missing)))
    assert ended.returncode == 1
    assert "LibraryError" in ended.stderr
    assert str(missing) in ended.stderr
    assert "FLAGSTONE_LIBRARY_PATH" in ended.stderr


def test_a_library_without_its_full_path_is_refused_and_not_looked_for(tmp_path: Path) -> None:
    import flagstone._lib

    library = tmp_path / "libflagstone.so"
    library.symlink_to(flagstone._lib.PATH)
    for name in ("libflagstone.so", "./libflagstone.so", "../libflagstone.so", "~/libflagstone.so"):
        # Where the system looks, and where the process is, there is one.
        variables = clean(FLAGSTONE_LIBRARY_PATH=name, LD_LIBRARY_PATH=str(tmp_path), HOME=str(tmp_path))
        for folder in (tmp_path, tmp_path / "below"):
            folder.mkdir(exist_ok=True)
            ended = run_python("import flagstone", env=variables, cwd=folder)
            assert ended.returncode == 1
            assert f"LibraryError: cannot use {name} (named by FLAGSTONE_LIBRARY_PATH)" in ended.stderr
            assert "full path" in ended.stderr
    assert run_python("import flagstone", env=clean(FLAGSTONE_LIBRARY_PATH=str(library))).returncode == 0


def test_a_library_that_is_another_one_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"no library"):
        (tmp_path / "other.so").write_bytes(content)
        ended = run_python("import flagstone", env=clean(FLAGSTONE_LIBRARY_PATH=str(tmp_path / "other.so")))
        assert "LibraryError" in ended.stderr
    source = tmp_path / "abi.c"
    ours = f"0x{_abi.ABI_MAJOR:x}{_abi.ABI_MINOR:04x}"
    for name, version, message in (
        ("none", None, "flagstone_abi_version"),
        ("next", "0x20000", "ABI 2.0"),
        ("older", "0x10000", "ABI 1.0"),
        ("same", ours, "lacks flagstone_"),
    ):
        source.write_text(f"unsigned flagstone_abi_version(void) {{ return {version}; }}" if version else "int other;")
        library = tmp_path / f"{name}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        ended = run_python("import flagstone", env=clean(FLAGSTONE_LIBRARY_PATH=str(library)))
        assert message in ended.stderr


def test_without_its_library_the_package_says_where_it_looked(tmp_path: Path) -> None:
    import flagstone

    copy = tmp_path / "flagstone"
    copy.mkdir()
    for module in Path(flagstone.__file__).parent.glob("*.py"):
        (copy / module.name).write_text(module.read_text())
    ended = run_python("import flagstone", env=clean(PYTHONPATH=str(tmp_path)))
    assert f"tried {copy / '_native' / 'libflagstone.so'}" in ended.stderr
    assert "FLAGSTONE_LIBRARY_PATH" in ended.stderr


@in_full
def test_a_frozen_program_carries_the_library(environment: Environment, tmp_path: Path) -> None:
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed in this Python's test environment")
    (tmp_path / "first.py").write_text(FIRST)
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "WARN", "--noconfirm", "first.py"]
    made = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    environment.write(a=bool_flag("a", 1, True))
    moved = (tmp_path / "dist" / "first").rename(tmp_path / "elsewhere")
    arguments = [str(moved / "first"), environment.server.url, environment.prefix]
    done = subprocess.run(
        arguments, env=clean(), cwd="/", capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )
    assert done.stdout == "True\n", done
    assert len(list(moved.rglob("libflagstone.so"))) == 1

"""The extension module as it is built and packed: its source, the wheel, the sdist."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from test_packaging import PACKAGE, build, clean, in_full

from support import PROJECT


@in_full
def test_the_source_has_no_warning_and_keeps_to_the_stable_interface(tmp_path: Path) -> None:
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        pytest.skip(f"{headers} has no Python.h")
    sources = sorted((PROJECT / "bindings" / "python" / "speedups").glob("*.c"))
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden"]
    includes = [f"-I{headers}", f"-I{PROJECT / 'include'}"]
    library = tmp_path / "speedups.so"
    done = subprocess.run(["cc", *flags, *includes, *map(str, sources), "-o", str(library)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    symbols = subprocess.run(["nm", "-D", str(library)], capture_output=True, text=True, check=True).stdout
    defined = [line.split()[-1] for line in symbols.splitlines() if " T " in line]
    assert defined == ["PyInit__speedups"]
    # Nothing is linked twice: the library's functions come by address.
    assert "flagstone_" not in symbols
    assert not [line for line in symbols.splitlines() if " _Py" in line and line.split()[-1] not in STABLE], symbols


#: What headers of the limited API use under a name that begins like a private one.
STABLE = (
    "_Py_NoneStruct",
    "_Py_TrueStruct",
    "_Py_FalseStruct",
    "_Py_Dealloc",
    "_PyArg_ParseTuple_SizeT",
    "_PyObject_CallFunction_SizeT",
)


@in_full
def test_a_wheel_goes_without_it_where_it_is_not_wanted_or_cannot_be_compiled(tmp_path: Path) -> None:
    library = os.environ["FLAGSTONE_TEST_LIBRARY"]
    # Not in the sources, where an editable install may be using the extension.
    package = tmp_path / "tree" / "bindings" / "python"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("tests", "*.so", "__pycache__"))
    (tmp_path / "tree" / "include").symlink_to(PROJECT / "include")
    for number, (variables, why) in enumerate(
        [
            ({"FLAGSTONE_SPEEDUPS": "0"}, "FLAGSTONE_SPEEDUPS is 0"),
            ({"CC": "no-such-compiler"}, "there is no C compiler"),
            ({"CC": "false"}, "false -std=c11"),
        ]
    ):
        variables = {**clean(FLAGSTONE_LIBRARY_PATH=library), **variables}
        command = [
            sys.executable,
            "-m",
            "build",
            "--no-isolation",
            "--wheel",
            "--outdir",
            str(tmp_path / str(number)),
            str(package),
        ]
        built = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        assert f"without the extension module, through ctypes alone: {why}" in built.stdout + built.stderr
        (wheel,) = (tmp_path / str(number)).iterdir()
        assert "-py3-none-" in wheel.name
        assert not [name for name in zipfile.ZipFile(wheel).namelist() if "abi3" in name]
    insisting = {**clean(FLAGSTONE_LIBRARY_PATH=library), "CC": "false", "FLAGSTONE_SPEEDUPS": "1"}
    built = subprocess.run(command, env=insisting, capture_output=True, text=True, check=False)
    assert built.returncode != 0
    assert "FLAGSTONE_SPEEDUPS is 1, but the extension module cannot be made" in built.stdout + built.stderr


@in_full
def test_an_sdist_carries_its_source(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", PACKAGE, tmp_path)) as sdist:
        names = sdist.getnames()
    parts = {name.partition("/")[2] for name in names}
    assert {f"speedups/{path.name}" for path in (PACKAGE / "speedups").iterdir()} <= parts
    assert "core/include/flagstone.h" in parts
    assert not [name for name in names if name.endswith(".so")]

"""The code in the book and in the READMEs runs as it is printed, against a real Redis that holds the flags of examples/cli.

What names Redis or LaunchDarkly is led to the servers of the test; nothing else is changed. A block that is not run says
so, and why, in its first line.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagstone import Client, Config
from pages import BINDINGS, OTHERS, PAGES, ROOT, Block, all_blocks, blocks
from support import PATIENCE, SDK_KEY, LaunchDarkly, Server, bool_flag, until

RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
WITH_PYTHON = [page for page in [*PAGES, *OTHERS] if any(block.is_run for block in blocks(page, "python"))]


@pytest.fixture(scope="module")
def redis(server: Server) -> Server:
    """A Redis with the flags of examples/cli under the prefixes that the book uses."""
    for prefix in ("demo", "staging", "launchdarkly"):
        flags = str(ROOT / "examples" / "cli" / "flags.yaml")
        options: dict[str, Any] = {"source_kind": "file", "file_paths": [flags], "store_write": True}
        with Client(Config(redis_url=server.url, redis_prefix=prefix, **options)):
            assert until(lambda key=f"{prefix}:$inited": bool(server.redis.exists(key)))  # type: ignore[misc]
    return server


def _here(code: str, redis: Server, launchdarkly: LaunchDarkly | None = None) -> str:
    code = code.replace("redis://localhost:6379", redis.url)
    if launchdarkly:
        relay = f'sdk_key="{SDK_KEY}", endpoints_relay="{launchdarkly.url}"'
        code = re.sub(r'sdk_key=("sdk-..."|os\.environ\["LD_SDK_KEY"\])', relay, code)
        json = f'"sdk.key":"{SDK_KEY}", "endpoints.relay":"{launchdarkly.url}"'.replace('"', '\\"')
        code = code.replace(r"\"sdk.key\":\"sdk-...\"", json)
    return code


#: What the README of the binding takes for granted: imports, and things that only the reader has.
TAKEN_FOR_GRANTED = """
import os, time
from types import SimpleNamespace
from flagstone import *

identity = SimpleNamespace(get_token=lambda scope: SimpleNamespace(token="t", expires_on=time.time() + 3600))
database = SimpleNamespace(updated_at=lambda: int(time.time() * 1000), segments_of=lambda context_hash: {})
read_old = read_new = write_old = write_new = lambda payload: payload
ada = Context("ada")
"""

#: What awaits at the top runs as it does in a notebook.
AWAITING = """
import ast as _ast, asyncio as _asyncio
def _run(text):
    _asyncio.run(eval(compile(text, "<block>", "exec", _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), globals()))
"""


def _program(page: Path) -> str:
    texts = [block.text for block in blocks(page, "python") if block.is_run]
    awaiting = [bool(re.search(r"^(async (with|for)|(\w+ = )?await) ", text, re.M)) for text in texts]
    parts = [f"_run({text!r})" if awaits else text for text, awaits in zip(texts, awaiting)]
    return "\n".join([AWAITING if any(awaiting) else "", TAKEN_FOR_GRANTED if page in BINDINGS else "", *parts])


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path, redis: Server, launchdarkly: Callable[..., LaunchDarkly], tmp_path: Path
) -> None:
    code = _program(page)
    if "openfeature" in code and importlib.util.find_spec("openfeature") is None:
        pytest.skip("missing: openfeature-sdk, which needs Python 3.10")
    is_connected = "sdk-..." in code or "LD_SDK_KEY" in code
    fake = launchdarkly(bool_flag("new-checkout", 1, True)) if is_connected else None
    program = tmp_path / "page.py"
    program.write_text(_here(code, redis, fake))
    ran = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, cwd=tmp_path, timeout=4 * PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "not found" not in ran.stderr and "Traceback" not in ran.stderr, ran.stderr


@pytest.mark.parametrize("block", [block for block in all_blocks("c", "cpp") if "main(" in block.text], ids=str)
def test_programs_in_c_and_cxx_compile_and_serve_a_flag(
    block: Block, redis: Server, launchdarkly: Callable[..., LaunchDarkly], tmp_path: Path
) -> None:
    fake = launchdarkly(bool_flag("new-checkout", 1, True)) if "sdk-..." in block.text else None
    compiler, standard = {"c": ("cc", "-std=c99"), "cpp": ("c++", "-std=c++17")}[block.language]
    source, program = tmp_path / f"program.{block.language}", tmp_path / "program"
    source.write_text(_here(block.text, redis, fake).replace("/var/lib/app", str(tmp_path)))
    warnings = ["-Wall", "-Wextra", "-Werror"]
    place = [f"-I{ROOT / 'include'}", f"-L{RELEASE}", f"-Wl,-rpath,{RELEASE}", "-lflagstone", "-pthread"]
    subprocess.run(
        [compiler, standard, *warnings, str(source), "-o", str(program), *place], check=True, timeout=4 * PATIENCE
    )
    ran = subprocess.run([str(program)], capture_output=True, text=True, timeout=4 * PATIENCE, check=True)
    # Ada is a target of the flag.
    assert "new checkout" in ran.stdout or "true" in ran.stdout, ran
    assert "may be old" not in ran.stdout and ran.stderr == ""


def test_fragments_in_c_and_cxx_are_few() -> None:
    assert [str(block) for block in all_blocks("c", "cpp") if "main(" not in block.text and block.is_run] == []


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("block", all_blocks("rust"), ids=str)
def test_programs_in_rust_are_examples_that_cargo_compiles_and_a_test_runs(block: Block) -> None:
    examples = [path.read_text() for path in (ROOT / "examples" / "rust").rglob("*.rs")]
    assert any(block.text in example for example in examples)


#: The tests that have the code of the book, and of the READMEs.
IN_CSHARP = ("Flagstone.Tests/BookTests.cs", "Flagstone.Extensions.Tests/ReadmeTests.cs")


@pytest.mark.parametrize("block", [block for block in all_blocks("csharp") if block.is_run], ids=str)
def test_code_in_csharp_is_in_a_test_of_the_package(block: Block) -> None:
    # Comments are for the reader; what names Redis, LaunchDarkly or a file is a variable there.
    tests = (ROOT / "bindings" / "dotnet" / "test" / IN_CSHARP[block.page.name == "README.md"]).read_text()
    tests = tests.replace("_url", '"redis://localhost:6379"').replace("_snapshot", '"/var/lib/app/flags"')
    # The program of a host is run from the README itself.
    tests += "\n".join(program.text for program in blocks(BINDINGS[0], "csharp") if "WebApplication." in program.text)
    tests = re.sub(r'SdkKey = sdkKey,\s+EndpointsRelay = relay,\s+RedisPrefix = "demo"', 'SdkKey = "sdk-..."', tests)
    code = _squeezed(re.sub(r" *// .*$|^using [\w.]+;$", "", block.text, flags=re.M))
    assert code in _squeezed(re.sub(r" *// .*$", "", tests, flags=re.M)), textwrap.shorten(code, 100)


def test_blocks_name_their_language() -> None:
    unnamed = [
        str(block)
        for page in PAGES
        for block in blocks(page, "")
        if page.name not in ("redis-rights.md", "redis-addresses.md")
    ]
    assert unnamed == []
    known = {"c", "cpp", "csharp", "python", "rust", "toml", "yaml", "json", "console", ""}
    assert {block.language for page in PAGES for block in blocks(page, *_languages(page))} <= known


def _languages(page: Path) -> set[str]:
    return set(re.findall(r"^ *```(\w+)$", page.read_text(), re.M))

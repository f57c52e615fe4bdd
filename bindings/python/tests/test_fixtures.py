"""The fixtures that programs' own tests have."""

from __future__ import annotations

import re

import pytest

from support import PROJECT

pytest_plugins = ["pytester"]


def test_a_programs_own_tests_have_a_client_on_flags_that_they_set(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from flagstone import Context

        def test_a_flag_that_the_test_sets(flagstone_data, flagstone_client):
            assert flagstone_client.variation("new", Context("ada"), False) is False
            flagstone_data.update(flagstone_data.flag("new").variation_for_all(True))
            assert flagstone_client.variation("new", Context("ada"), False) is True

        def test_nothing_is_left_for_the_next_test(flagstone_client):
            assert flagstone_client.variation("new", Context("ada"), False) is False
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_example_of_the_book_and_of_the_readme_runs(pytester: pytest.Pytester) -> None:
    def block(page: str) -> str:
        (found,) = re.findall(r"^```python\n((?:(?!^```).)*^def test_.*?)^```$", (PROJECT / page).read_text(), re.M | re.S)
        return str(found)

    book, readme = block("docs/howto/tests.md"), block("bindings/python/README.md")
    assert readme in book
    pytester.makepyfile(f"from flagstone import Context\n\n{book}")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_tests_without_flags_do_not_load_the_library(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_of_flagstone(request):
            assert request.config.pluginmanager.has_plugin("flagstone.testing")
            assert "flagstone" not in sys.modules
        """
    )
    monkeypatch.setenv("FLAGSTONE_LIBRARY_PATH", "/nowhere/libflagstone.so")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    pytester.runpytest_subprocess("-p", "no:flagstone.testing").assert_outcomes(failed=1)

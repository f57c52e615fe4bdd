"""What a type checker knows of the calls: judged by mypy, which reads the tests, and run like all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

import pytest

from flagstone import Client, Config, Context, EvaluationDetail, Flag, InvalidArgumentError, TestData

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value: object, _: object) -> None:
        """For the type checker alone."""


def test_values_have_the_types_of_their_defaults() -> None:
    context, data = Context("u"), TestData()
    with Client(Config(test_data=data.update(data.flag("f")))) as client:
        assert_type(client.variation("f", context, True), bool)
        assert_type(client.variation("f", context, 3), Union[int, float])
        assert_type(client.variation("f", context, 3.5), float)
        assert_type(client.variation("f", context, "x"), str)
        assert_type(client.variation("f", context, None), Any)
        assert_type(client.variation("f", context, {"a": 1}), Any)
        assert_type(client.variation_detail("f", context, 3), EvaluationDetail[Union[int, float]])
        assert_type(client.variation_detail("f", context, None), EvaluationDetail[Any])
        assert_type(client.flag("f", 3), Flag[int])
        assert_type(client.flag("f", True), Flag[bool])
        assert_type(client.flag("f"), Flag[Any])
        assert_type(client.flag("f", None), Flag[Any])
        assert client.flag("f", None).value(context) is client.variation("f", context, None) is True
        # What is not ignored in vain is found.
        client.string_variation("f", context, 3)  # type: ignore[arg-type]


def test_words_of_options_are_known() -> None:
    Config(cache_residency="lazy", cache_freshness="ttl", log_level="warn", evaluation_integer_rounding="truncate")
    with pytest.raises(InvalidArgumentError):
        Config(cache_residency="everything")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        Config(log_level="loud")  # type: ignore[arg-type]

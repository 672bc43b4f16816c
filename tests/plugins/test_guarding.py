"""Errors that name the plugin whose code raised them."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.plugins.guarding import (
    MAX_WHOLE,
    checked_columns,
    checked_texts,
    failed_in,
    in_words,
    named,
    plugin_error,
)
from zsarbench.plugins.registry import Registry

CODE = """
import json

class Loss:
    def __call__(self, text):
        return json.loads(text)

def through(function):
    return function()
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of a loss."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loss_of_others").mkdir()
    (tmp_path / "loss_of_others" / "loss.py").write_text(CODE)
    return importlib.import_module("loss_of_others.loss")


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.registrar("other").add("loss", "other", "loss_of_others.loss:Loss", summary="s")
    registry.registrar("host").add("loss", "own", "zsarbench.errors:unknown", summary="s")
    return registry


def raised(function: Any, *arguments: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        function(*arguments)
    return caught.value


def test_the_plugin_and_its_function_are_named_for_what_a_library_raises(plugin: Any, registry: Registry) -> None:
    error = raised(plugin.Loss(), "{")
    found = failed_in(error, registry)
    assert found == ("other", "Loss.__call__ (loss.py, line 6)")
    worded = plugin_error(error, registry)
    assert str(worded).startswith(
        "plugin 'other' failed in Loss.__call__ (loss.py, line 6): JSONDecodeError: Expecting"
    )
    assert worded is not None
    assert worded.__cause__ is error


def test_what_no_plugin_had_part_in_names_none(registry: Registry) -> None:
    def fails() -> None:
        raise ValueError("of the host")

    assert plugin_error(raised(fails), registry) is None
    with pytest.raises(ValueError, match="of the host"), named(registry):
        fails()


def test_the_last_plugin_that_was_entered_is_named(plugin: Any, registry: Registry) -> None:
    """What it calls of its own by way of a library is part of that call, and what the host calls is another one."""
    found = failed_in(raised(plugin.through, lambda: plugin.Loss()("{")), registry)
    assert found == ("other", "through (loss.py, line 9)")
    host: dict[str, Any] = {"__name__": "zsarbench.harness.made"}
    exec("def call(function):\n    return function()", host)
    found = failed_in(raised(plugin.through, lambda: host["call"](lambda: plugin.Loss()("{"))), registry)
    assert found == ("other", "Loss.__call__ (loss.py, line 6)")


def test_errors_for_users_and_ctrl_c_pass_and_others_are_worded(plugin: Any, registry: Registry) -> None:
    for error in (ZsarbenchError("no clip"), KeyboardInterrupt()):

        def fails(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught, named(registry):
            plugin.through(fails)
        assert caught.value is error
    ended = r"plugin 'other' failed in through .* it tried to end the program"
    with pytest.raises(ZsarbenchError, match=ended), named(registry):
        plugin.through(lambda: exit_with(3))


def exit_with(code: int) -> None:
    raise SystemExit(code)


def test_errors_are_one_line_whatever_they_hold() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert in_words(ValueError("two\n  lines")) == "ValueError: two lines"
    assert in_words(ValueError()) == "ValueError"
    assert in_words(Silent()) == "Silent"
    assert in_words(SystemExit(3)) == "it tried to end the program (SystemExit: 3)"


# --- what plugins return ----------------------------------------------------------------------------------------------


def test_columns_are_texts_numbers_truth_values_or_nothing() -> None:
    columns = {
        "text": "a", "whole": MAX_WHOLE, "lowest": -MAX_WHOLE, "share": 0.5, "true": True, "none": None,
        "numpy": np.float32(0.25), "zero-dimensional": np.array(3),
    }  # fmt: skip
    found, problems = checked_columns(columns)
    assert found == columns
    assert problems == []
    assert (type(found["numpy"]), type(found["zero-dimensional"])) == (float, int)
    assert np.iinfo(np.int64).max == MAX_WHOLE
    assert checked_columns(None) == ({}, [])


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ([("a", 1)], "it returned list, not a dict of columns"),
        ({1: "a"}, "the column 1 has no name that is a text"),
        ({" ": "a"}, "the column ' ' has no name that is a text"),
        ({"a": math.nan}, "the column 'a' holds nan, which is neither text nor a finite number"),
        ({"a": MAX_WHOLE + 1}, "the column 'a' holds 9223372036854775808, which"),
        ({"a": [1]}, r"the column 'a' holds \[1\], which"),
        ({"a": np.array([1])}, r"the column 'a' holds array\(\[1\]\), which"),
    ],
)
def test_other_columns_are_left_out_with_the_reason(added: Any, problem: str) -> None:
    found, [text] = checked_columns(added | {"b": 1} if isinstance(added, dict) else added)
    assert found == ({"b": 1} if isinstance(added, dict) else {})
    assert re.match(problem, text)


def test_texts_are_kept_and_what_is_none_is_named() -> None:
    assert checked_texts(None) == ([], [])
    assert checked_texts(("a", "b")) == (["a", "b"], [])
    assert checked_texts(["a", 1]) == (["a"], ["1 is not text"])
    assert checked_texts("a") == ([], ["it returned str, not a list of texts"])
    assert checked_texts(3) == ([], ["it returned int, not a list of texts"])

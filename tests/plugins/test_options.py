from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from zsarbench.errors import UsageError
from zsarbench.plugins.options import check, options_of, parse, takes


class Colour(enum.StrEnum):
    RED = "red"


class Toy:
    def __init__(
        self,
        *,
        margin: float = 1.0,
        steps: int | None = None,
        over: Literal["time", "batch"] = "time",
        text_encoder: Any = None,
        root: Path | None = None,
    ) -> None:
        pass


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("0.5", float, 0.5),
        ("3", int, 3),
        ("true", bool, True),
        ("No", bool, False),
        ("none", int | None, None),
        ("7", int | None, 7),
        ("0.1,0.9", tuple[float, float], (0.1, 0.9)),
        ("a,b,c", tuple[str, ...], ("a", "b", "c")),
        ("batch", Literal["time", "batch"], "batch"),
        ([0.9, 0.99], tuple[float, float], (0.9, 0.99)),
        (2, float, 2.0),
        ("auto", float | Literal["auto"], "auto"),
    ],
)
def test_values_take_the_type_of_their_annotation(text: Any, annotation: Any, value: Any) -> None:
    parsed = parse(text, annotation)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation"),
    [
        ("a", float),
        ("1.5", int),
        (1.5, int),
        ("maybe", bool),
        ("both", Literal["a"]),
        ("1", tuple[int, int]),
        (True, int),
        ("x", dict),
        ("nan", float),
        ("-inf", float),
        ("1e400", float),
        (math.inf, int),
        ("9223372036854775808", int | None),
        ([1], int),
        ([1], str),
        (1, tuple[int, ...]),
        ("", Path),
        ([], Path | None),
    ],
)
def test_values_that_do_not_fit_are_refused(text: Any, annotation: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse(text, annotation)


def test_what_the_harness_fills_is_not_an_option() -> None:
    assert set(options_of(Toy)) == {"margin", "steps", "over"}


def test_a_class_without_a_constructor_has_no_options() -> None:
    class Bare:
        pass

    assert options_of(Bare) == {}


def test_all_problems_come_at_once_with_the_nearest_name() -> None:
    parsed, problems = check(Toy, "loss toy", {"margn": "1", "steps": "x", "over": "batch"})
    assert parsed == {"over": "batch"}
    assert any("did you mean 'margin'" in problem for problem in problems)
    assert any("'steps' of loss toy is int | none, not 'x'" in problem for problem in problems)


def test_constructors_that_break_the_contract_are_named() -> None:
    class Hidden:
        def __init__(self, **kwargs: Any) -> None:
            pass

    class Needy:
        def __init__(self, size: int) -> None:
            pass

    with pytest.raises(UsageError, match=r"takes \*kwargs"):
        options_of(Hidden)
    with pytest.raises(UsageError, match="no default for 'size'"):
        options_of(Needy)


def test_whether_a_constructor_takes_something_is_known_without_calling_it() -> None:
    class Bare:
        pass

    assert [takes(Toy, name) for name in ("margin", "root", "margn")] == [True, True, False]
    assert not takes(Bare, "args")


@pytest.mark.parametrize(
    "default", [math.nan, math.inf, Colour.RED, np.ones(2), [1], {"a": 1}, ((1, math.nan),), object()]
)
def test_a_default_that_no_result_can_state_is_named(default: Any) -> None:
    class Made:
        def __init__(self, chosen: Any = default) -> None:
            self.chosen = chosen

    with pytest.raises(UsageError, match="as the default of 'chosen'; a result can state texts, finite numbers"):
        options_of(Made)


def test_an_annotation_that_names_nothing_is_named() -> None:
    class Made:
        def __init__(self, chosen: Missing = 1) -> None:  # type: ignore[name-defined]  # noqa: F821
            self.chosen = chosen

    with pytest.raises(UsageError, match=r"annotations of the constructor of .*Made cannot be read: .*Missing"):
        options_of(Made)

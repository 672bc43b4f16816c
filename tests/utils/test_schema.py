"""Data classes to JSON and back, checked by their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.schema import build, plain, problems_of


@dataclass(frozen=True)
class Inner:
    low: float
    pair: tuple[float, float] | None


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"]
    inner: Mapping[str, Inner]
    items: tuple[int, ...]
    free: Mapping[str, Any]
    dirty: bool | None = None


GIVEN = Outer("x", "a", {"one": Inner(0.5, (0.1, 0.2)), "two": Inner(1.0, None)}, (1, 2), {"k": [1, {"z": None}]}, True)


def test_what_goes_out_comes_back() -> None:
    content = plain(GIVEN, "outer")
    assert content["inner"]["one"] == {"low": 0.5, "pair": [0.1, 0.2]}
    assert problems_of(Outer, content, "") == []
    assert build(Outer, content) == GIVEN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name is int 3, not str"),
        ({"kind": "c"}, "kind is 'c', not one of 'a', 'b'"),
        ({"inner": {"one": {"low": "1", "pair": None}}}, "inner.one.low is str '1', not float"),
        ({"inner": {"one": {"low": True, "pair": None}}}, "inner.one.low is bool True, not float"),
        ({"inner": {"one": {"low": 1, "pair": [1]}}}, "inner.one.pair has 1 items, not 2"),
        ({"inner": []}, "inner is list [], not an object"),
        ({"items": [1, 2.5]}, "items[1] is float 2.5, not int"),
        ({"items": None}, "items is null, not a list"),
        ({"dirty": 1}, "dirty is int 1, not bool"),
        ({"colour": 1}, "unknown field in result 'colour'"),
    ],
)
def test_what_does_not_fit_is_told_by_place(change: dict[str, Any], message: str) -> None:
    problems = problems_of(Outer, plain(GIVEN, "outer") | change, "")
    assert len(problems) == 1
    assert problems[0].startswith(message)


def test_a_field_may_be_missing_only_where_it_has_a_default() -> None:
    content = plain(GIVEN, "outer")
    del content["dirty"], content["name"]
    assert problems_of(Outer, content, "") == ["name is missing"]


def test_numpy_and_paths_become_plain_and_nan_a_word() -> None:
    given = {"a": np.float32(0.5), "b": np.int64(3), "c": (Path("x"), np.bool_(True)), "d": float("nan")}
    assert plain(given, "record") == {"a": 0.5, "b": 3, "c": ["x", True], "d": "nan"}


@pytest.mark.parametrize("value", [object(), b"bytes", {1: "key"}, np.zeros(2)])
def test_what_json_has_no_word_for_is_refused_by_place(value: object) -> None:
    with pytest.raises(ZsarbenchError, match=r"record\.loss"):
        plain({"loss": value}, "record")

"""Data classes to JSON and back, validated by their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.schema import (
    STRICT,
    DoesNotFit,
    FilledText,
    Fraction,
    OneOf,
    Positive,
    Rule,
    TextForm,
    annotation_at,
    parse,
    plain,
)


@dataclass(frozen=True)
class Inner:
    low: float
    pair: tuple[float, float] | None


@dataclass(frozen=True)
class Outer:
    __pydantic_config__ = STRICT

    name: str
    kind: Literal["a", "b"]
    inner: Mapping[str, Inner]
    items: tuple[int, ...]
    free: Mapping[str, Any]
    dirty: bool | None = None


GIVEN = Outer("x", "a", {"one": Inner(0.5, (0.1, 0.2)), "two": Inner(1.0, None)}, (1, 2), {"k": [1, {"z": None}]}, True)


@dataclass(frozen=True)
class Label(TextForm):
    text: str

    def __str__(self) -> str:
        return f"<{self.text}>"

    @classmethod
    def parse(cls, text: str) -> Label:
        return cls(text.strip("<>"))


@dataclass(frozen=True)
class Rules:
    __pydantic_config__ = STRICT

    count: Positive = 1
    share: Fraction = 0.5
    name: FilledText = "x"
    chosen: Annotated[str, OneOf(("red", "green"))] = "red"
    by_kind: Mapping[Annotated[str, OneOf(("red", "green"))], int] = field(default_factory=dict)
    full: Annotated[tuple[int, ...], Rule(constraints={"min_length": 1})] = (1,)
    labels: tuple[Label, ...] = ()


def problems_of(kind: Any, content: Any) -> list[str]:
    with pytest.raises(DoesNotFit) as caught:
        parse(kind, content, "document")
    return list(caught.value.problems)


def test_what_goes_out_comes_back() -> None:
    content = plain(GIVEN, "outer")
    assert content["inner"]["one"] == {"low": 0.5, "pair": [0.1, 0.2]}
    assert parse(Outer, content, "outer") == GIVEN


def test_a_whole_number_will_do_for_a_number_and_becomes_one() -> None:
    read = parse(Outer, plain(GIVEN, "outer") | {"inner": {"one": {"low": 1, "pair": [0, 1]}}}, "outer")
    assert [type(value) for value in (read.inner["one"].low, *(read.inner["one"].pair or ()))] == [float] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name must be text, not 3"),
        ({"kind": "c"}, "unknown kind 'c'. Known: a, b."),
        ({"kind": 1}, 'kind must be "a" or "b", not 1'),
        ({"inner": {"one": {"low": "1", "pair": None}}}, 'inner.one.low must be a number, not "1"'),
        ({"inner": {"one": {"low": True, "pair": None}}}, "inner.one.low must be a number, not true"),
        ({"inner": {"one": {"low": float("nan"), "pair": None}}}, "inner.one.low must be a finite number, not NaN"),
        ({"inner": {"one": {"low": 1, "pair": [1]}}}, "inner.one.pair has 1 items, not 2"),
        ({"inner": {"one": {"low": 1, "pair": []}}}, "inner.one.pair has 0 items, not 2"),
        ({"inner": {"one": {"low": 1, "pair": [1, 2, 3]}}}, "inner.one.pair has 3 items, not 2"),
        ({"inner": {"one": {"low": 1, "pair": None, "lwo": 1}}}, "inner.one: unknown field 'lwo'; did you mean 'low'?"),
        ({"inner": {"one": 1}}, "inner.one must be an object, not 1"),
        ({"inner": []}, "inner must be an object, not []"),
        ({"items": [1, 2.5]}, "items[1] must be a whole number, not 2.5"),
        ({"items": None}, "items must be a list, not null"),
        ({"dirty": 1}, "dirty must be true or false, not 1"),
        ({"colour": 1}, "unknown field 'colour'. Known: dirty, free"),
        ({"name": ["x" * 100]}, 'name must be text, not ["' + "x" * 58 + "…"),
    ],
)
def test_what_does_not_fit_is_stated_by_place(change: dict[str, Any], message: str) -> None:
    problems = problems_of(Outer, plain(GIVEN, "outer") | change)
    assert len(problems) == 1
    assert problems[0].startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"count": 0}, "count must be a whole number from 1, not 0"),
        ({"count": 1.5}, "count must be a whole number from 1, not 1.5"),
        ({"share": 49.0}, "share must be a fraction in [0, 1]; 49.0 % is 0.490, not 49.0"),
        ({"name": " "}, 'name must be text that is not empty, not " "'),
        ({"chosen": "geen"}, "unknown chosen 'geen'; did you mean 'green'? Known: green, red."),
        ({"by_kind": {"rde": 1}}, "by_kind: unknown key 'rde'; did you mean 'red'? Known: green, red."),
        ({"full": []}, "full must not be empty"),
        ({"full": ["x"]}, 'full[0] must be a whole number, not "x"'),
        ({"labels": [1]}, "labels[0] must be text, not 1"),
        ([], "document must be an object, not []"),
        (None, "document must be an object, not null"),
    ],
)
def test_rules_are_stated_in_words(content: Any, message: str) -> None:
    assert problems_of(Rules, content) == [message]


def test_all_problems_of_a_document_are_stated_at_once() -> None:
    assert problems_of(Rules, {"count": 0, "share": 2, "labels": [1, "<x>", 2], "nmae": "x"}) == [
        "count must be a whole number from 1, not 0",
        "share must be a fraction in [0, 1]; 49.0 % is 0.490, not 2",
        "labels[0] must be text, not 1",
        "labels[2] must be text, not 2",
        "unknown field 'nmae'; did you mean 'name'? Known: by_kind, chosen, count, full, labels, name, share.",
    ]


def test_a_data_class_may_be_one_text() -> None:
    given = Rules(labels=(Label("a"), Label("b")))
    content = plain(given, "rules")
    assert content["labels"] == ["<a>", "<b>"]
    assert parse(Rules, content, "rules") == given


def test_a_field_may_be_missing_only_where_it_has_a_default() -> None:
    content = plain(GIVEN, "outer")
    del content["dirty"], content["name"]
    assert problems_of(Outer, content) == ["name is missing"]


def test_numpy_and_paths_become_plain_and_nan_a_text() -> None:
    given = {"a": np.float32(0.5), "b": np.int64(3), "c": (Path("x"), np.bool_(True)), "d": float("nan")}
    assert plain(given, "record") == {"a": 0.5, "b": 3, "c": ["x", True], "d": "nan"}


@pytest.mark.parametrize("value", [object(), b"bytes", {1: "key"}, np.zeros(2)])
def test_what_json_cannot_hold_is_refused_by_place(value: object) -> None:
    with pytest.raises(ZsarbenchError, match=r"record\.loss"):
        plain({"loss": value}, "record")


def test_the_annotation_of_a_place_is_found_in_records_lists_and_mappings() -> None:
    assert annotation_at(tuple[int, ...], [3]) is int
    assert annotation_at(tuple[int, str], [1]) is str
    assert annotation_at(tuple[tuple[int, str], ...], [5, 0]) is int
    assert annotation_at(Mapping[str, tuple[float, ...]], ["a", 2]) is float

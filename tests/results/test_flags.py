"""A flag is an object in memory and one text in a result file; its kind decides whether a row is ranked."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.results import Flag
from zsarbench.results.flags import FlagKind


@given(st.text())
def test_any_text_of_a_result_file_comes_back_as_it_was(text: str) -> None:
    assert str(Flag.parse(text)) == text


@pytest.mark.parametrize("kind", ["control", "limit", "denominator", "partial", "remark"])
def test_what_a_run_writes_keeps_its_kind(kind: FlagKind) -> None:
    flag = Flag(kind, "loss.margin=0.5")
    assert Flag.parse(str(flag)) == flag


def test_json_holds_texts_and_objects_come_back() -> None:
    flags = (Flag("limit", "at most 2 clips a class"), Flag("remark", "3 clips of toy have remarks"))
    result = sample_result(sample_scores(), flags=flags)
    content = result.to_json()
    assert content["flags"] == ["limit: at most 2 clips a class", "3 clips of toy have remarks"]
    assert results.from_json(content).flags == flags


def test_a_flag_that_is_not_text_is_refused() -> None:
    content = sample_result(sample_scores()).to_json()
    content["flags"] = [{"kind": "limit", "text": "2"}]
    with pytest.raises(Exception, match=r"flags\[0\]"):
        results.from_json(content)


def test_kinds_that_unrank_are_those_that_change_what_is_measured_and_objections() -> None:
    unranking = {kind for kind in get_args(FlagKind) if Flag(kind, "").unranks}
    assert unranking == {"objection", "control", "limit", "denominator", "partial", "predictions"}

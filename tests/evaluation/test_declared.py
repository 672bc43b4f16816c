"""Who declares label sets is an object in memory and one text in a result file."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.evaluation.declared import Declared, DeclaredKind


@given(st.text())
def test_any_text_of_a_result_file_comes_back_as_it_was(text: str) -> None:
    assert str(Declared.parse(text)) == text


@pytest.mark.parametrize("kind", get_args(DeclaredKind))
def test_what_a_run_writes_keeps_its_kind(kind: DeclaredKind) -> None:
    declared = Declared(kind, "minilm-l6")
    assert Declared.parse(str(declared)) == declared


def test_a_text_encoder_alone_has_seen_no_clip() -> None:
    assert [kind for kind in get_args(DeclaredKind) if not Declared(kind, "x").saw_clips] == ["text"]
    assert Declared.parse("label set laion-400m of text clip").saw_clips


def test_json_holds_texts_and_objects_come_back() -> None:
    result = sample_result(sample_scores())
    assert result.contamination is not None
    unknown = (Declared("captions of", "ucf101"), Declared("label set", "laion-400m of visual open-clip"))
    result = dataclasses.replace(result, contamination=dataclasses.replace(result.contamination, unknown=unknown))
    content = result.to_json()
    assert content["contamination"]["unknown"] == ["captions of ucf101", "label set laion-400m of visual open-clip"]
    assert content["contamination"]["audited"] == {"kinetics400": ["visual captions"]}
    assert results.from_json(content).contamination == result.contamination

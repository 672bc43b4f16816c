"""Predictions as scores: which labels count, and why a clip has none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from records import changeable, positional
from zsarbench.predictions import matching
from zsarbench.predictions.matching import Classes, Matched, clip_names, matched
from zsarbench.predictions.records import Prediction
from zsarbench.utils.clip_names import ClipNames

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")
CLASSES = Classes(NAMES, {"alpha": "a"})
CLIPS = ClipNames(["clip1", "clip2", "other"])
LABELS = {"clip1": "a", "clip2": "b"}
EVERY = frozenset(range(len(NAMES)))


def said(labels: str, *scores: float, clip: str = "clip1", **fields: Any) -> Prediction:
    """Return a prediction of labels between blanks."""
    return Prediction(
        where="line 1", clip=clip, labels=tuple(labels.split()), scores=np.array(scores) if scores else None, **fields
    )


def found(*predictions: Prediction, candidates: frozenset[int] = EVERY) -> Matched:
    """Return the predictions as scores."""
    return matched(predictions, LABELS, candidates, CLIPS, CLASSES)


def ranked(result: Matched, clip: int = 0) -> str:
    """Return the classes of a clip that have a score, best first, those of equal ones by name."""
    row = result.scores[clip]
    return "".join(NAMES[place] for place in sorted(np.flatnonzero(row > -np.inf), key=lambda at: (-row[at], at)))


def counts(result: Matched) -> dict[str, int]:
    """Return how often each kind was found."""
    return {kind: finding.count for kind, finding in result.account.findings.items()}


def test_classes_are_found_by_name_or_alias_and_minus_one_is_none() -> None:
    assert [CLASSES.find(label) for label in ("a", "ALPHA", "h", "zebra")] == [0, 0, 7, -1]
    assert CLASSES.places(("b", "zebra", "alpha")).tolist() == [1, -1, 0]


def test_clips_of_a_data_set_are_named_by_id_and_by_video() -> None:
    manifest = pd.DataFrame({"clip_id": ["one", "two"], "video": ["v1", None]})
    assert clip_names(manifest).find("v1") == "one"
    assert clip_names(manifest[["clip_id"]]).find("v1") is None
    assert clip_names(manifest[["clip_id"]]).find("two") == "two"


def test_labels_without_scores_count_in_their_order_and_others_by_score() -> None:
    result = found(said("c a b"), said("c a b", 0.1, 0.7, 0.2, clip="clip2"))
    assert (ranked(result), ranked(result, 1)) == ("cab", "abc")
    assert result.scores[1, :3].tolist() == pytest.approx([0.7, 0.2, 0.1])
    assert np.isneginf(result.scores[:, 3:]).all()
    account = result.account
    assert (account.n_rows, account.n_expected, account.n_predicted, account.n_unscored) == (2, 2, 2, 1)
    assert result.in_file.tolist() == [True, True]
    assert account.findings == {}


def test_a_clip_without_a_row_is_missing_and_so_is_its_class() -> None:
    result = found(said("a"))
    assert np.isnan(result.scores[1]).all()
    assert result.failures == {"clip2": "missing"}
    assert result.in_file.tolist() == [True, False]
    assert counts(result) == {"missing": 1, "absent-classes": 1}
    assert (result.account.n_predicted, result.account.n_unscored) == (1, 1)
    assert found(said("a", 1.0)).account.n_unscored == 0


def test_rows_of_other_clips_are_counted_and_left_out() -> None:
    result = found(
        said("a"), said("b", clip="clip2"), said("a", clip="other"), said("a", clip="x"), said("a", clip="x")
    )
    assert counts(result) == {"other": 1, "unknown": 2}
    assert result.account.n_rows == 5


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (said("alpha b"), "repeated"),
        (said("b a"), "contradictory"),
        (said("a"), "contradictory"),
        (said("a b", 0.9, 0.1), "contradictory"),
        (said("a b", silence="refusal"), "contradictory"),
        (said("a b", answer="a"), "contradictory"),
        (said("a b", options=("a", "b")), "contradictory"),
    ],
)
def test_equal_rows_of_a_clip_count_once_and_others_contradict(second: Prediction, kind: str) -> None:
    result = found(said("a b"), second, said("b", clip="clip2"))
    assert counts(result) == {kind: 1}
    assert result.failures == ({} if kind == "repeated" else {"clip1": "contradictory"})


def test_scores_decide_whether_rows_are_equal() -> None:
    other = said("b", clip="clip2")
    assert counts(found(said("a b", 2, 1), said("a b", 2, 1), other)) == {"repeated": 1}
    assert counts(found(said("a b", 2, 1), said("a b", 2, 0), other)) == {"contradictory": 1}
    assert counts(found(said("a b", 2, math.nan), said("a b", 2, math.nan), other)) == {"repeated": 1, "empty": 1}


@pytest.mark.parametrize(
    ("prediction", "kind"),
    [
        (said(""), "empty"),
        (said("a b", 1.0), "empty"),
        (said("a b", 1.0, math.nan), "empty"),
        (said("a b", -math.inf, -math.inf), "empty"),
        (said("a", silence="refusal"), "refusal"),
        (said("zebra a"), "foreign"),
        (said("a zebra", 1, 1), "foreign"),
    ],
)
def test_why_a_clip_has_no_prediction_that_counts(prediction: Prediction, kind: str) -> None:
    result = found(prediction, said("b", clip="clip2"))
    assert result.failures == {"clip1": kind}
    assert np.isnan(result.scores[0]).all()
    assert counts(result)[kind] == 1
    assert result.account.n_predicted == 1


def test_a_label_with_the_score_minus_infinity_was_not_predicted() -> None:
    assert ranked(found(said("a b", -math.inf, 1.0))) == "b"


@pytest.mark.parametrize(
    ("labels", "scores", "kept"),
    [
        ("a zebra b c d e", (), "abcd"),  # e is the sixth
        ("a b c d zebra e f", (), "abcd"),
        ("a b c d e zebra f", (), "abcdef"),  # behind the fifth, a foreign label takes no place that counts
        ("a zebra b c d", (), "abcd"),
        ("a zebra b c d e", (6, 5, 4, 3, 2, 2), "abc"),  # d and e share the sixth place
        ("a zebra b c d e", (6, 5, 4, 3, 2, 1), "abcd"),
    ],
)
def test_behind_a_foreign_label_among_the_first_five_nothing_moves_up(
    labels: str, scores: Sequence[float], kept: str
) -> None:
    result = found(said(labels, *scores), said("b", clip="clip2"))
    assert ranked(result) == kept
    assert counts(result) == {"unknown-labels": 1}


def test_a_foreign_label_has_its_place_among_candidates_alone() -> None:
    result = found(said("h zebra a"), said("b", clip="clip2"), candidates=frozenset(range(7)))
    assert result.failures == {"clip1": "foreign"}
    result = found(said("a h g zebra b c d e"), said("b", clip="clip2"), candidates=frozenset(range(6)))
    assert ranked(result) == "ahgbcd"
    assert counts(result) == {"unknown-labels": 1, "no-candidates": 2}


def test_of_a_label_that_occurs_twice_the_better_counts_and_candidates_of_no_round_are_named() -> None:
    result = found(said("b alpha a c b"), said("b", clip="clip2"), candidates=frozenset({0, 1}))
    assert ranked(result) == "bac"
    assert counts(result) == {"repeated-labels": 2, "no-candidates": 1}
    assert result.account.findings["repeated-labels"].examples == ("a", "b")
    assert result.account.findings["no-candidates"].examples == ("c",)


def test_another_true_class_in_the_file_is_named_and_an_unknown_one_is_not() -> None:
    result = found(said("a", truth="alpha"), said("b", clip="clip2", truth="c"))
    assert result.account.findings["other-truth"].examples == ("clip2",)
    assert counts(found(said("a", truth="zebra"), said("b", clip="clip2", truth="B"))) == {}
    assert counts(found(said("a"), said("b", clip="clip2", truth="a"))) == {"other-truth": 1}


@pytest.mark.parametrize(
    "scores", [(1 + 1e-12, 1.0, 0.5), (1e300, 1e200, -1e300), (-1e-60, -2e-60, -3e-60)], ids=["near", "large", "small"]
)
def test_scores_that_float32_would_make_equal_keep_their_order(scores: Sequence[float]) -> None:
    result = found(said("c a b", *scores), said("b", clip="clip2"))
    assert ranked(result) == "cab"
    assert np.isfinite(result.scores[0, :3]).all()
    assert (result.scores[0, :3] < 0).all()


def test_records_cannot_be_changed() -> None:
    assert (changeable(matching), positional(matching)) == ([], ["Matched"])

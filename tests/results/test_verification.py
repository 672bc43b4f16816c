"""What of a result differs from what its scores give is named, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples import contaminated, sample_result, sample_scores
from zsarbench import results
from zsarbench.evaluation.scores import Scores
from zsarbench.results import RunResult
from zsarbench.results.verification import TOLERANCE, rounds_follow, scores_problems, shortened

TOP1 = "top1_per_video"
ONE_ROUND = sample_scores(unread=[3])
CLASSES = np.arange(11, dtype=np.int32)
SCORES = dataclasses.replace(  # a round of all classes, and one without the last
    ONE_ROUND,
    rounds=(
        *ONE_ROUND.rounds,
        dataclasses.replace(
            ONE_ROUND.rounds[0], clips=np.arange(44, dtype=np.int32), classes=CLASSES, seen=np.zeros(11, dtype=bool)
        ),
    ),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result that follows from its scores, in a file."""
    folder = tmp_path_factory.mktemp("results")
    path = results.write(contaminated(sample_result(SCORES), SCORES, ["Class1"]), SCORES, folder)
    results.rewrite(results.recompute(path), path)
    return path


def with_round(result: RunResult, **fields: Any) -> RunResult:
    """Return the result with other values in its second round."""
    return dataclasses.replace(result, rounds=(result.rounds[0], dataclasses.replace(result.rounds[1], **fields)))


def with_summary(result: RunResult, **fields: Any) -> RunResult:
    """Return the result with other values in the summary of one metric."""
    summary = {**result.summary, TOP1: dataclasses.replace(result.summary[TOP1], **fields)}
    return dataclasses.replace(result, summary=summary)


def with_accuracy(result: RunResult, change: Callable[[Mapping[str, float]], Any]) -> RunResult:
    """Return the result with other accuracies on the clips of clean classes."""
    assert result.contamination is not None
    accuracy = {**result.contamination.accuracy, "clean": change(result.contamination.accuracy["clean"])}
    return dataclasses.replace(result, contamination=dataclasses.replace(result.contamination, accuracy=accuracy))


def moved(values: Mapping[str, float], by: float) -> dict[str, float]:
    """Return the values with this one moved."""
    return {**values, TOP1: values[TOP1] + by}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda r: r, []),
        (lambda r: with_round(r, metrics=moved(r.rounds[1].metrics, TOLERANCE / 2)), []),
        (lambda r: with_round(r, metrics=moved(r.rounds[1].metrics, 2 * TOLERANCE)), ["metrics: metrics of round 1"]),
        (lambda r: with_round(r, metrics=moved(r.rounds[1].metrics, -0.01)), ["metrics: metrics of round 1"]),
        (lambda r: with_round(r, metrics={TOP1: r.rounds[1].metrics[TOP1]}), ["metrics: metrics of round 1"]),
        (lambda r: with_round(r, candidates_sha256="00"), ["metrics: candidates_sha256 of round 1, seed 0 is 00, but"]),
        (lambda r: with_round(r, n_classes=9), ["metrics: n_classes of round 1, seed 0 is 9, but the scores give 11"]),
        (
            lambda r: with_round(r, n_expected=45, n_scored=44),
            ["metrics: n_expected of round 1", "metrics: n_scored of round 1", "clips: round 1 has 44 clips"],
        ),
        (lambda r: with_summary(r, mean=0.25), [f"metrics: mean of {TOP1} is 0.25, but the scores give"]),
        (lambda r: with_summary(r, std=None), [f"metrics: std of {TOP1} is None, but the scores give 0."]),
        (lambda r: with_summary(r, ci95=(0.0, 1.0)), [f"intervals: ci95 of {TOP1} is (0.0, 1.0), but"]),
        (lambda r: with_summary(r, ci95=None), [f"intervals: ci95 of {TOP1} is None, but"]),
        (lambda r: with_summary(r, no_ci95="few"), [f"intervals: no_ci95 of {TOP1} is few, but the scores give None"]),
        (lambda r: dataclasses.replace(r, summary={**r.summary, "more": r.summary[TOP1]}), ["metrics:  of more is"]),
        (lambda r: with_accuracy(r, lambda values: moved(values, 0.01)), ["contamination: contamination.accuracy is"]),
        (lambda r: with_accuracy(r, lambda values: {}), ["contamination: contamination.accuracy is"]),
        (lambda r: dataclasses.replace(r, contamination=None), ["contamination: contamination. is None, but"]),
        (lambda r: dataclasses.replace(r, failures=()), ["clips: clip 'clip03' has no scores, but is not among"]),
    ],
)  # fmt: skip
def test_every_field_that_scores_decide_is_compared(
    path: Path, change: Callable[[RunResult], RunResult], found: Any
) -> None:
    problems = scores_problems(path, change(results.read(path)), SCORES)
    texts = [f"{problem.name}: {problem.text}" for problem in problems]
    assert len(texts) == len(found), texts
    assert all(text.startswith(start) for text, start in zip(texts, found, strict=True)), texts


def test_scores_of_other_rounds_are_one_problem(path: Path) -> None:
    fewer = dataclasses.replace(SCORES, rounds=SCORES.rounds[:1])
    (problem,) = scores_problems(path, results.read(path), fewer)
    assert problem.name == "predictions"
    assert "hold 1 rounds, but the result 2" in problem.text


def test_rounds_follow_from_scores_where_every_count_and_metric_does(path: Path) -> None:
    result = results.read(path)
    assert rounds_follow(result, SCORES)
    assert rounds_follow(with_summary(result, ci95=(0.0, 1.0)), SCORES)  # intervals are not looked at
    assert not rounds_follow(with_round(result, metrics=moved(result.rounds[1].metrics, 0.01)), SCORES)
    assert not rounds_follow(with_round(result, n_failed=2), SCORES)
    assert not rounds_follow(result, dataclasses.replace(SCORES, rounds=SCORES.rounds[:1]))


def test_only_what_scores_decide_is_computed_again(path: Path) -> None:
    result = results.read(path)
    wrong = with_accuracy(with_round(result, metrics={TOP1: 0.0}, candidates_sha256="00"), lambda values: {})
    other = dataclasses.replace(with_summary(wrong, mean=0.0, std=0.0), seconds={"score": 9.0})
    place = path.with_name("other.json")
    place.write_bytes(path.read_bytes())
    results.rewrite(dataclasses.replace(result, seconds={"score": 9.0}, contamination=other.contamination), place)
    again = results.recompute(place)
    assert again == dataclasses.replace(result, seconds={"score": 9.0})


def test_a_result_without_an_audit_stays_without_one(tmp_path: Path) -> None:
    path = results.write(sample_result(SCORES, contamination=None), SCORES, tmp_path)
    assert results.recompute(path).contamination is None
    assert scores_problems(path, results.recompute(path), SCORES) == []


def test_a_partial_result_has_no_interval(tmp_path: Path) -> None:
    coverage = results.Coverage(
        n_test=48, n_test_missing=8, n_test_unreadable=0, n_train=0, n_train_missing=0, n_train_unreadable=0
    )
    for lost, has_interval in ((8, False), (4, True)):
        part = dataclasses.replace(coverage, n_test_missing=lost)
        path = results.write(sample_result(SCORES, coverage=part, method=f"m{lost}"), SCORES, tmp_path)
        assert (results.recompute(path).summary[TOP1].ci95 is not None) is has_interval


def test_a_clip_without_scores_in_any_block_must_have_failed(path: Path) -> None:
    values = SCORES.blocks[0].scores.copy()
    values[[7, 5]] = np.nan
    more: Scores = dataclasses.replace(SCORES, blocks=(dataclasses.replace(SCORES.blocks[0], scores=values),))
    problems = scores_problems(path, results.read(path), more)
    assert problems[-1].text == "clip 'clip05' has no scores, but is not among the failures"


def test_long_values_are_cut_at_200_characters() -> None:
    assert shortened("a" * 200) == "a" * 200
    assert shortened("a" * 201) == "a" * 199 + "…"
    assert shortened(("a", 1)) == "('a', 1)"


FAILED = results.ClipFailure("clip03", "no video stream")
ABSENT = [results.ClipFailure(f"clip{number:02}", "", missing=True) for number in range(10, 15)]
COUNTS = {"n_test": 48, "n_test_missing": 0, "n_test_unreadable": 1, "n_train": 0, "n_train_missing": 0,
          "n_train_unreadable": 0}  # fmt: skip


@pytest.mark.parametrize(
    ("coverage", "failures", "found"),
    [
        ({}, [FAILED], []),
        ({"n_test_unreadable": 0}, [FAILED], []),
        ({"n_test_missing": 5}, [FAILED, *ABSENT], []),
        ({"n_test_missing": 0}, [FAILED, results.ClipFailure("a training clip", "", missing=True)], []),
        ({"n_test": 47}, [FAILED], ["coverage.n_test is 47, but its rounds test 48 clips"]),
        ({"n_test_missing": 1}, [FAILED], ["coverage.n_test_missing is 1, but 0 of its failures are missing"]),
        (
            {"n_test_missing": 5, "n_test_unreadable": 2},
            [FAILED, *ABSENT],
            ["coverage.n_test_unreadable is 2, but 1 of its failures are not missing"],
        ),
        (None, [FAILED, *ABSENT[:4]], []),
        (None, [FAILED, *ABSENT], ["5 of 48 test clips are missing, but it has no coverage that says so"]),
    ],
)
def test_the_counts_of_clips_are_those_of_its_rounds_and_failures(
    path: Path, coverage: dict[str, int] | None, failures: list[results.ClipFailure], found: list[str]
) -> None:
    stated = None if coverage is None else results.Coverage(**COUNTS | coverage)
    result = dataclasses.replace(results.read(path), coverage=stated, failures=tuple(failures))
    assert [problem.text for problem in scores_problems(path, result, SCORES)] == found


def test_without_coverage_a_tenth_of_the_clips_may_be_missing(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(10), 4).astype(np.int32)
    ten = dataclasses.replace(
        ONE_ROUND.rounds[0], clips=np.arange(40, dtype=np.int32), classes=np.arange(10, dtype=np.int32),
        seen=np.zeros(10, dtype=np.bool_),
    )  # fmt: skip
    scores = dataclasses.replace(ONE_ROUND, rounds=(ten,))
    assert np.array_equal(scores.labels[:40], labels)
    path = results.write(sample_result(scores), scores, tmp_path)
    results.rewrite(results.recompute(path), path)
    for n_missing, n_problems in ((4, 0), (5, 1)):
        failures = (FAILED, *ABSENT[:n_missing])
        result = dataclasses.replace(results.read(path), failures=failures)
        assert len(scores_problems(path, result, scores)) == n_problems

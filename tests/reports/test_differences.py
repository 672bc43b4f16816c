"""What differs between two results in words: figures, settings, predictions, and rows of two boards."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from samples import contaminated, sample_result, sample_scores
from zsarbench import results
from zsarbench.evaluation.scores import Scores
from zsarbench.plugins.distributions import Distribution
from zsarbench.reports import differences
from zsarbench.reports.changes import changes
from zsarbench.results import RunResult

TOP1 = "top1_per_video"
SCORES = sample_scores()
RESULT = sample_result(SCORES)


def with_summary(result: RunResult = RESULT, **fields: Any) -> RunResult:
    """Return the result with other values in the summary of one metric."""
    summary = {**result.summary, TOP1: dataclasses.replace(result.summary[TOP1], **fields)}
    return dataclasses.replace(result, summary=summary)


def test_a_result_differs_in_nothing_from_itself() -> None:
    assert changes(RESULT, sample_result(SCORES)) == []


def test_a_figure_that_moved_is_shown_before_and_after() -> None:
    old, new = with_summary(mean=0.5, ci95=(0.4, 0.6)), with_summary(mean=0.25, ci95=None)
    assert changes(old, new) == [f"{TOP1} 50.00 [40.00, 60.00] -> 25.00 [–]"]
    assert changes(with_summary(mean=0.5), with_summary(mean=0.5 + 1e-9)) == [f"{TOP1} in digits not shown"]
    less = dataclasses.replace(old, summary={name: one for name, one in old.summary.items() if name != TOP1})
    assert changes(old, less) == [f"{TOP1} 50.00 [40.00, 60.00] -> –"]
    assert changes(less, old) == [f"{TOP1} – -> 50.00 [40.00, 60.00]"]


def test_rounds_and_contamination_that_changed_are_named() -> None:
    assert changes(RESULT, dataclasses.replace(RESULT, rounds=RESULT.rounds * 2)) == ["rounds changed"]
    assert changes(RESULT, contaminated(RESULT, SCORES, ["Class1"])) == ["contamination changed"]


# --- of two files -----------------------------------------------------------------------------------------------------


def of_two(folder: Path, old: tuple[RunResult, Scores], new: tuple[RunResult, Scores]) -> list[str]:
    """Return what differs between two results with their scores, written to a folder."""
    paths = [results.write(*one, folder / name) for one, name in ((old, "old"), (new, "new"))]
    return differences.of_results(*paths)


def test_settings_differ_place_by_place_and_what_follows_from_others_is_left_out(tmp_path: Path) -> None:
    other = sample_result(
        SCORES,
        options={"margin": 0.5, "nested": {"a": "x" * 81, "b": "y" * 80}, "nothing": {}},
        created="2026-03-02T10:00:00Z",
        seconds={"score": 9.0},
        distributions=(Distribution("toy", "1.0", ("toy",), None, None),),
    )
    found = of_two(tmp_path, (RESULT, SCORES), (other, SCORES))
    assert found == [
        "distributions.toy: – -> toy 1.0",
        "method.options: {} -> –",
        "method.options.margin: – -> 0.5",
        f"method.options.nested.a: – -> {'x' * 79}…",
        f"method.options.nested.b: – -> {'y' * 80}",
        "method.options.nothing: – -> {}",
        "48 predictions are right and wrong alike",
    ]


def moved(scores: Scores, right: list[int], wrong: list[int]) -> Scores:
    """Return scores in which these clips are right and those are wrong."""
    values = scores.blocks[0].scores.copy()
    values[right, scores.labels[right]] = 99.0
    values[wrong, scores.labels[wrong]] = -99.0
    return dataclasses.replace(scores, blocks=(dataclasses.replace(scores.blocks[0], scores=values),))


def test_predictions_are_counted_by_which_result_alone_has_them_right(tmp_path: Path) -> None:
    old, new = moved(SCORES, [0, 1], [2, 3, 4]), moved(SCORES, [0, 2, 3, 4], [1])
    (line,) = [one for one in of_two(tmp_path, (RESULT, old), (RESULT, new)) if "predictions" in one]
    assert line == "of 48 predictions 3 are right in the second alone, 1 in the first alone"
    worse = moved(old, [], [0])
    (line,) = [one for one in of_two(tmp_path / "worse", (RESULT, old), (RESULT, worse)) if "predictions" in one]
    assert line == "of 48 predictions 0 are right in the second alone, 1 in the first alone"


def test_a_tie_of_two_classes_is_not_right(tmp_path: Path) -> None:
    tied = moved(SCORES, [], [0])
    values = tied.blocks[0].scores.copy()
    values[0, [0, 1]] = 99.0  # the true class and another
    tied = dataclasses.replace(tied, blocks=(dataclasses.replace(tied.blocks[0], scores=values),))
    found = of_two(tmp_path, (RESULT, moved(SCORES, [], [0])), (RESULT, tied))
    assert "48 predictions are right and wrong alike" in found


def test_predictions_that_one_result_lacks_are_counted(tmp_path: Path) -> None:
    item = SCORES.rounds[0]
    fewer = dataclasses.replace(SCORES, rounds=(dataclasses.replace(item, clips=item.clips[:40]),))
    found = of_two(tmp_path, (RESULT, SCORES), (RESULT, fewer))
    assert found == ["8 predictions are in the first alone", "40 predictions are right and wrong alike"]
    found = of_two(tmp_path / "back", (RESULT, fewer), (RESULT, SCORES))
    assert found == ["8 predictions are in the second alone", "40 predictions are right and wrong alike"]
    other = dataclasses.replace(RESULT, rounds=(dataclasses.replace(RESULT.rounds[0], round=5),))
    found = of_two(tmp_path / "other", (RESULT, SCORES), (other, SCORES))
    assert found[-2:] == ["48 predictions are in the first alone", "48 predictions are in the second alone"]


def test_results_without_scores_are_compared_without_them(tmp_path: Path) -> None:
    path = results.write(RESULT, SCORES, tmp_path)
    path.with_suffix(".npz").unlink()
    (line,) = differences.of_results(path, path)
    assert line.startswith("predictions are not compared: scores file ")


# --- of two boards ----------------------------------------------------------------------------------------------------


def test_boards_differ_in_rows_that_were_added_removed_or_moved() -> None:
    weak, strong = sample_result(sample_scores(skill=0.5), "conse"), sample_result(sample_scores(skill=3.0), "sae")
    assert differences.of_boards([weak, strong], [weak, strong]) == []
    name, added, moved_down = differences.of_boards([weak], [weak, strong])
    assert name == "toy/half"
    assert added.startswith("+ rank 1: sae ")
    assert moved_down.startswith("~ rank 1: conse ")
    assert " -> rank 2: conse " in moved_down
    _, moved_up, removed = differences.of_boards([weak, strong], [weak])
    assert (moved_up[:16], removed[:14]) == ("~ rank 2: conse ", "- rank 1: sae ")


def test_rows_of_one_method_are_named_with_their_settings() -> None:
    one, other = (sample_result(SCORES, options={"margin": margin}) for margin in (0.1, 0.2))
    before = differences.of_boards([], [one, other])
    assert {line.split(": ")[1].split(" ")[1] for line in before[1:]} == {"method.margin=0.1", "method.margin=0.2"}


def test_a_protocol_that_one_board_lacks_is_new_with_all_its_rows() -> None:
    here = sample_result(SCORES)
    there = sample_result(SCORES, protocol="toy/other")
    found = differences.of_boards([here], [here, there])
    assert [found[0], found[1][:9]] == ["toy/other", "+ rank 1:"]
    assert len(found) == 2


@pytest.mark.parametrize("old", [[], [RESULT]])
def test_no_results_are_no_board(old: list[RunResult]) -> None:
    assert len(differences.of_boards(old, [])) == 2 * len(old)

"""Paired differences: on the same clips, with an interval, refused where the clips are not the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.settings import Metric
from zsarbench.evaluation.significance import holm
from zsarbench.reports.paired import check_comparable, correctness, describe_differences, p_text, paired
from zsarbench.results import Coverage


def test_the_difference_is_that_of_the_results_and_lies_in_its_interval(tmp_path: Path) -> None:
    strong, weak = sample_scores(n_rounds=3, n_seeds=2, skill=3.0), sample_scores(n_rounds=3, skill=0.5)
    first, second = sample_result(strong, "cezsar", seeds=(0, 1)), sample_result(weak, "nearest-text")
    paths = [results.write(second, weak, tmp_path), results.write(first, strong, tmp_path)]
    for metric in ("top1_per_video", "top1_per_class"):
        row = paired(paths, metric=metric).iloc[0]
        assert row["method"] == "nearest-text"
        assert row["against"].startswith("cezsar")  # the best of them
        expected = second.summary[metric].mean - first.summary[metric].mean
        assert row["difference"] == pytest.approx(expected)
        assert row["low"] < expected < row["high"] < 0
        assert row["share_not_better"] == 1.0
    assert paired(paths, against=paths[0])["difference"].iloc[0] > 0


def test_clips_are_paired_by_id_not_by_place(tmp_path: Path) -> None:
    scores = sample_scores(skill=1.0)
    order = np.random.default_rng(1).permutation(len(scores.labels))
    block = scores.blocks[0]
    shuffled = dataclasses.replace(
        scores,
        clip_ids=scores.clip_ids[order],
        groups=scores.groups[order],
        labels=scores.labels[order],
        blocks=(dataclasses.replace(block, scores=block.scores[order]),),
    )
    paths = [
        results.write(sample_result(scores, "a"), scores, tmp_path),
        results.write(sample_result(shuffled, "b"), shuffled, tmp_path),
    ]
    row = paired(paths).iloc[0]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)


def test_what_is_not_on_the_same_clips_is_refused(tmp_path: Path) -> None:
    scores = sample_scores(skill=1.0)
    one = results.write(sample_result(scores, "a"), scores, tmp_path)
    rounds = sample_scores(n_rounds=2, skill=1.0)
    other_clips = results.write(sample_result(rounds, "b"), rounds, tmp_path)
    fewer = dataclasses.replace(
        scores, rounds=(dataclasses.replace(scores.rounds[0], clips=scores.rounds[0].clips[1:]),)
    )
    with pytest.raises(ZsarbenchError, match="other clips"):
        paired([one, results.write(sample_result(fewer, "e"), fewer, tmp_path)])
    left_out = results.write(sample_result(scores, "c", denominator="survivors"), scores, tmp_path)
    with pytest.raises(ZsarbenchError, match="other clips"):
        paired([one, other_clips])
    with pytest.raises(ZsarbenchError, match="leaves unread clips out"):
        paired([one, left_out])
    other = sample_result(scores, "d", dataset=results.DatasetInfo("toy", "0" * 64, {}))
    with pytest.raises(ZsarbenchError, match="the data set differs"):
        paired([one, results.write(other, scores, tmp_path)])
    with pytest.raises(UsageError, match="needs two results"):
        paired([one])
    with pytest.raises(UsageError, match="did you mean 'top1_per_class'"):
        paired([one, other_clips], metric="top1_class")
    with pytest.raises(UsageError, match="not among the results"):
        paired([one, other_clips], against=left_out)


# --- in words ---------------------------------------------------------------------------------------------------------


def written(folder: Path, *skills: float, n_rounds: int = 1, **about: Any) -> list[Path]:
    """Write a result m0, m1, … for each skill, and return their files."""
    made = [sample_scores(n_rounds=n_rounds, skill=skill) for skill in skills]
    return [
        results.write(sample_result(scores, f"m{number}", parts={}, **about), scores, folder)
        for number, scores in enumerate(made)
    ]


def lines_of(paths: list[Path], **options: Any) -> list[str]:
    """Return the differences in words, line by line."""
    text = describe_differences(paths, **options)
    assert text.endswith("\n")
    return text.splitlines()


def test_differences_are_described_with_intervals_tests_and_what_can_be_resolved(tmp_path: Path) -> None:
    paths = written(tmp_path, 3.0, 2.0, 0.5)
    base = results.read(paths[0])
    found = paired(paths)
    assert list(found) == [
        "method", "settings", "against", "metric", "difference", "low", "high", "share_not_better", "p", "p_holm",
        "resolvable", "only_this", "only_other", "p_mcnemar", "n_rounds", "id",
    ]  # fmt: skip
    assert found["p_holm"].tolist() == holm(found["p"].to_numpy()).tolist()
    assert found["method"].tolist() == ["m1", "m2"]  # the nearest to the best first
    lines = lines_of(paths)
    assert lines[:2] == [
        f"difference in top1_per_video to m0 ({base.stem})",
        "on the same clips, percentage points, 95 % interval, p of a paired test over classes, Holm's for all:",
    ]
    for line, row in zip(lines[2:4], found.to_dict("records"), strict=True):
        ends = f"[{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
        shown = (
            f"{100 * row['difference']:+.1f} {ends} p {p_text(row['p'])} Holm {p_text(row['p_holm'])} {row['method']}"
        )
        assert " ".join(line.split()) == shown
    least, most = 100 * found["resolvable"].min(), 100 * found["resolvable"].max()
    assert lines[4] == (
        f"resolves, with 80 % power and before correction, true differences of {least:.1f} to {most:.1f} points"
    )
    assert lines[5].startswith("clips right in it alone and in the other alone, McNemar's p")
    for line, row in zip(lines[6:], found.to_dict("records"), strict=True):
        assert line.split() == [
            str(row["only_this"]), str(row["only_other"]), *f"p {p_text(row['p_mcnemar'])} {row['method']}".split()
        ]  # fmt: skip


def test_one_comparison_resolves_one_difference_and_several_rounds_have_no_count_of_clips(tmp_path: Path) -> None:
    lines = lines_of(written(tmp_path, 3.0, 0.5, n_rounds=3))
    assert len(lines) == 4
    assert re.fullmatch(r"resolves, .* true differences of \d+\.\d points", lines[3])


def test_few_classes_have_no_interval_and_nothing_is_resolved(tmp_path: Path) -> None:
    paths = []
    for number, skill in enumerate((3.0, 0.5)):
        scores = sample_scores(skill=skill)
        item = dataclasses.replace(
            scores.rounds[0],
            clips=np.arange(36, dtype=np.int32),
            classes=np.arange(9, dtype=np.int32),
            seen=np.zeros(9, dtype=bool),
        )
        fewer = dataclasses.replace(scores, rounds=(item,))
        paths.append(results.write(sample_result(fewer, f"m{number}", parts={}), fewer, tmp_path))
    row = paired(paths).iloc[0]
    assert row[["low", "high", "p", "p_holm", "resolvable"]].isna().all()
    lines = lines_of(paths)
    assert lines[1] == "on the same clips, percentage points, no interval of fewer than 10 classes:"
    assert lines[2].split() == [f"{100 * row['difference']:+.1f}", "m1"]
    assert lines[3].startswith("clips right in it alone")


def test_settings_that_differ_stand_with_the_methods(tmp_path: Path) -> None:
    paths = []
    for skill, margin in ((3.0, 0.1), (0.5, 0.2)):
        scores = sample_scores(skill=skill)
        paths.append(results.write(sample_result(scores, options={"margin": margin}), scores, tmp_path))
    lines = lines_of(paths)
    assert lines[0].startswith("difference in top1_per_video to cezsar method.margin=0.1 (cezsar-")
    assert lines[2].endswith("  cezsar method.margin=0.2")


@pytest.mark.parametrize(("p", "text"), [(0.0009999, "< 0.001"), (0.001, "0.001"), (0.0421, "0.042"), (1.0, "1.000")])
def test_a_p_value_has_three_digits(p: float, text: str) -> None:
    assert p_text(p) == text


def test_a_clip_that_ties_is_right_in_neither(tmp_path: Path) -> None:
    """McNemar's test counts whole clips: one whose true class ties with another counts as wrong, on either side."""
    made = []
    for own, other in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0)):  # tied, right, wrong
        scores = sample_scores()
        values = np.zeros_like(scores.blocks[0].scores)
        values[np.arange(48), scores.labels], values[np.arange(48), (scores.labels + 1) % 12] = own, other
        block = dataclasses.replace(scores.blocks[0], scores=values)
        made.append(dataclasses.replace(scores, blocks=(block,)))
    tied, right, wrong = (
        results.write(sample_result(scores, name), scores, tmp_path)
        for scores, name in zip(made, ("tied", "right", "wrong"), strict=True)
    )
    for pair, expected in (
        ((tied, right), (0, 48)), ((right, tied), (48, 0)), ((tied, wrong), (0, 0)), ((wrong, tied), (0, 0)),
    ):  # fmt: skip
        row = paired(pair, against=pair[1]).iloc[0]
        assert (row["only_this"], row["only_other"]) == expected


def test_rounds_that_repeat_another_and_other_sides_do_not_count(tmp_path: Path) -> None:
    scores = sample_scores(n_rounds=2, setting="gzsl")
    result = sample_result(scores, setting="base-to-novel")
    again = dataclasses.replace(
        result, rounds=(result.rounds[0], dataclasses.replace(result.rounds[1], duplicate_of=0))
    )
    metric = Metric.parse("top1_per_video_novel")
    found = correctness(again, scores, metric)
    assert list(found) == [0]
    labels = scores.labels[found[0].clips]
    assert set(labels % 2) == {1}  # even classes are seen
    assert found[0].clip_ids.tolist() == sorted(found[0].clip_ids)
    assert len(correctness(result, scores, metric)) == 2


def test_partial_and_unmeasured_results_are_not_paired(tmp_path: Path) -> None:
    one, other = (results.read(path) for path in written(tmp_path, 3.0, 0.5))
    lacking = Coverage(
        n_test=48, n_test_missing=8, n_test_unreadable=0, n_train=0, n_train_missing=0, n_train_unreadable=0
    )
    check_comparable([one, other], "top1_per_video")
    with pytest.raises(ZsarbenchError, match="cannot be paired: of 48 test clips 8 are missing"):
        check_comparable([one, dataclasses.replace(other, coverage=lacking)], "top1_per_video")
    check_comparable(
        [one, dataclasses.replace(other, coverage=dataclasses.replace(lacking, n_test_missing=1))], "top1_per_video"
    )
    with pytest.raises(ZsarbenchError, match="metric of m0-"):
        check_comparable([one, other], "top1_per_video_novel")
    with pytest.raises(ZsarbenchError, match=f"{other.stem} and {one.stem} cannot be paired: the protocol differs"):
        check_comparable(
            [one, dataclasses.replace(other, protocol=dataclasses.replace(other.protocol, hash="0"))], "top1_per_video"
        )
    with pytest.raises(ZsarbenchError, match="the data set differs"):
        check_comparable(
            [one, dataclasses.replace(other, dataset=dataclasses.replace(other.dataset, name="x"))], "top1_per_video"
        )


def test_results_that_differ_alike_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    scores = sample_scores(skill=1.0)
    names = ("b", "a", "c")
    paths = [results.write(sample_result(scores, name), scores, tmp_path) for name in names]
    assert paired(paths, against=paths[2])["method"].tolist() == ["a", "b"]

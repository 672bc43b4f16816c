"""Paired differences: on the same clips, with an interval, refused where the clips are not the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.reports.paired import paired


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

"""Summaries of metrics over rounds and training seeds."""

from __future__ import annotations

import numpy as np
import pytest

from samples import sample_result, sample_scores


def test_spread_is_over_rounds_of_the_mean_over_seeds() -> None:
    first = sample_result(sample_scores(n_rounds=3, n_seeds=2), seeds=(4, 9))
    table = np.array([item.metrics["top1_per_video"] for item in first.rounds]).reshape(2, 3)  # seeds, rounds
    summary = first.summary["top1_per_video"]
    assert summary.mean == pytest.approx(table.mean())
    assert summary.std == pytest.approx(table.mean(axis=0).std(ddof=0))
    assert summary.seed_std == pytest.approx(table.mean(axis=1).std(ddof=0))
    one = sample_result(sample_scores()).summary["top1_per_video"]
    assert (one.std, one.seed_std) == (None, None)

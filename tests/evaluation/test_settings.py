"""Tests of zsarbench.evaluation.settings: names and what they stand for, the rules of every setting, chance."""

from __future__ import annotations

import doctest
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsarbench.errors import UsageError
from zsarbench.evaluation import metrics, settings
from zsarbench.evaluation.settings import METRICS, SETTINGS, Metric, Setting, SettingRules, heading

EVERY = [(rules, metric) for rules in SETTINGS.values() for metric in rules.metrics]
every_metric = pytest.mark.parametrize(
    ("rules", "metric"), EVERY, ids=[f"{rules.name} {metric.name}" for rules, metric in EVERY]
)
every_setting = pytest.mark.parametrize("rules", SETTINGS.values(), ids=SETTINGS)


@every_metric
def test_a_name_is_parsed_into_the_metric_that_has_it(rules: SettingRules, metric: Metric) -> None:
    assert Metric.parse(metric.name) == metric
    assert rules.parse([metric.name]) == (metric,)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown metric 'top1_per_clas'; did you mean 'top1_per_class'\?"):
        Metric.parse("top1_per_clas")
    with pytest.raises(UsageError, match="unknown metric of the setting zsl 'ausuc'"):
        SETTINGS["zsl"].parse(["top1_per_video", "ausuc"])


def test_names_are_those_of_the_committed_results() -> None:
    """Results are kept under these names: another one would make every file of the past unreadable."""
    accuracies = ("top1_per_video", "top1_per_class", "top5_per_video", "top5_per_class")
    assert {name: rules.names for name, rules in SETTINGS.items()} == {
        "zsl": accuracies,
        "gzsl": (
            *accuracies,
            "top1_per_video_seen",
            "top1_per_video_unseen",
            "top1_per_class_seen",
            "top1_per_class_unseen",
            "harmonic_mean",
            "harmonic_mean_per_video",
            "ausuc",
        ),
        "base-to-novel": (
            "top1_per_video_base",
            "top1_per_video_novel",
            "top1_per_class_base",
            "top1_per_class_novel",
            "harmonic_mean_per_video",
        ),
        "multiple-choice": ("top1_per_video", "top1_per_class"),
    }


def test_every_setting_has_rules_under_its_name() -> None:
    assert get_args(Setting) == tuple(SETTINGS) == tuple(rules.name for rules in SETTINGS.values())


@every_setting
def test_what_a_setting_shows_ranks_and_compares_is_among_its_metrics(rules: SettingRules) -> None:
    assert {*rules.shown, rules.ranked_by, rules.paired_by} <= {*rules.metrics}
    assert rules.ranked_by == rules.shown[0]
    assert rules.paired_by.is_accuracy  # the paired bootstrap resamples nothing else
    assert {metric.side for metric in rules.metrics} <= {None, *rules.sides}


@every_setting
def test_only_a_setting_with_seen_candidates_has_sides(rules: SettingRules) -> None:
    assert rules.seen_are_candidates or not (rules.sides or rules.own_kind_only)
    assert [side.of_seen for side in rules.sides] in ([], [True, False])


def test_a_vague_figure_of_a_paper_stands_in_the_column_of_the_mean_over_clips() -> None:
    vague = {name: metric.vague for name, metric in METRICS.items() if metric.vague}
    assert vague == {
        "top1_per_video": "top1",
        "top5_per_video": "top5",
        "top1_per_video_seen": "top1_seen",
        "top1_per_video_unseen": "top1_unseen",
        "top1_per_video_base": "top1_base",
        "top1_per_video_novel": "top1_novel",
        "harmonic_mean_per_video": "harmonic_mean",
    }


def test_headings_of_one_setting_differ() -> None:
    for rules in SETTINGS.values():
        assert len({metric.heading for metric in rules.metrics}) == len(rules.metrics)
    assert [heading(metric.name) for metric in SETTINGS["gzsl"].shown] == [
        "H/class",
        "seen/class",
        "unseen/class",
        "AUSUC",
    ]
    assert heading("top5_per_class") == "top-5/class"
    assert heading("mean_top1_top5") == "mean_top1_top5"  # no metric of ours: a paper's own


def test_intervals_are_of_what_is_a_mean_over_clips_of_each_side() -> None:
    lacking = {name: [m.name for m in rules.metrics if not rules.has_interval(m)] for name, rules in SETTINGS.items()}
    assert lacking == {"zsl": [], "gzsl": [*SETTINGS["zsl"].names, "ausuc"], "base-to-novel": [], "multiple-choice": []}


@every_setting
@given(n_seen=st.integers(1, 9), n_unseen=st.integers(1, 9))
def test_chance_is_what_constant_scores_get(rules: SettingRules, n_seen: int, n_unseen: int) -> None:
    n_classes = n_seen + n_unseen
    seen, labels = np.arange(n_classes) < n_seen, np.arange(n_classes)
    values = metrics.evaluate(np.zeros((n_classes, n_classes)), labels, setting=rules.name, seen=seen)
    expected = {metric.name: rules.chance(metric, n_classes, n_seen) for metric in rules.parse(values)}
    assert values == pytest.approx(expected)


def test_examples_in_docstrings() -> None:
    outcome = doctest.testmod(settings)
    assert outcome.attempted > 0
    assert outcome.failed == 0

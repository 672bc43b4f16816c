"""Rows of the leaderboard: what they say of themselves, and where the bar of an interval is drawn."""

from __future__ import annotations

from typing import Any

import pytest

from records import changeable, positional
from zsarbench.reports.leaderboard import rows
from zsarbench.reports.leaderboard.rows import Bar, Group, Row, Section, bar_of, scale_of

METRIC = "top1_per_video"


def cells(value: float | None, *ends: float | None, vague: float | None = None, chance: float | None = None) -> Any:
    """Return a row of a table with a value, the ends of its interval, and a figure without a stated average."""
    low, high = ends or (None, None)
    return {
        METRIC: value, f"{METRIC}_ci_low": low, f"{METRIC}_ci_high": high, f"{METRIC}_chance": chance, "top1": vague
    }  # fmt: skip


@pytest.mark.parametrize(
    ("drawn", "scale"),
    [
        ([cells(0.31)], 40),
        ([cells(0.3)], 40),  # the end lies above what is drawn
        ([cells(0.299)], 30),
        ([cells(0.2, 0.1, 0.41), cells(0.3)], 50),
        ([cells(0.2), cells(None, vague=0.75)], 80),
        ([cells(0.2, chance=0.5)], 60),
        ([cells(1.0)], 100),
        ([cells(0.95)], 100),
    ],
)
def test_a_scale_ends_at_the_next_ten_above_all_that_is_drawn(drawn: list[Any], scale: int) -> None:
    assert scale_of(drawn, METRIC) == scale


def test_bars_lie_between_the_margins_of_the_drawing() -> None:
    found = bar_of(cells(0.2, 0.0, 0.4, chance=0.1), METRIC, 40)
    assert found == Bar(value=60.0, low=4.0, high=116.0, chance=32.0)
    assert bar_of(cells(0.25), METRIC, 100) == Bar(value=32.0, low=None, high=None, chance=None)
    assert bar_of(cells(0.9, 0.4, 0.95), METRIC, 50) == Bar(value=116.0, low=93.6, high=116.0, chance=None)  # cut
    assert bar_of(cells(None, vague=0.5), METRIC, 100) == Bar(value=60.0, low=None, high=None, chance=None)
    assert bar_of(cells(None), METRIC, 100) is None


def row(**fields: Any) -> Row:
    """Return a row with these fields."""
    return Row(**({"kind": "measured", "method": "m", "values": ("1.0",)} | fields))


def test_a_row_is_ranked_by_its_rank_and_has_further_metrics_by_their_values() -> None:
    assert row(rank="1").ranked
    assert not row().ranked
    assert row(values=("1.0", "–", "2.0", "–", "3.0")).further == (2, 4)
    assert row(values=("–", "2.0")).further == (1,)


def test_a_section_has_the_rows_of_its_groups_and_is_measured_where_one_was() -> None:
    groups = [Group(kind, "a heading", (row(kind=kind, method=kind),)) for kind in ("reported", "measured")]
    about = {"name": "toy/half/more", "summary": "", "about": "", "metrics": ("top-1",)}
    section = Section(groups=tuple(groups), **about)
    assert [one.method for one in section.rows] == ["reported", "measured"]
    assert (section.dataset, section.measured, section.scale) == ("toy", True, 100)
    assert not Section(groups=tuple(groups[:1]), **about).measured


def test_what_is_shown_cannot_be_changed() -> None:
    assert (changeable(rows), positional(rows)) == ([], ["Group"])

"""Grids of text: which columns a protocol has, where cells and notes stand, and the grid in JSON types."""

from __future__ import annotations

from typing import Any

from records import changeable, positional
from zsarbench.reports.columns import BACKING
from zsarbench.reports.leaderboard import grid
from zsarbench.reports.leaderboard.grid import Grid, GridColumn, content, grid_of, unplaced_grid
from zsarbench.reports.leaderboard.rows import Bar, Group, Row, Section, Unplaced

ABOUT: Any = {
    "name": "toy/half", "summary": "A toy.", "about": "all", "metrics": ("top-1/video", "top-5"),
    "extra": (BACKING, "machine"), "scale": 40, "remarks": ("a remark",), "left_out": ("a result",), "setting": "zsl",
}  # fmt: skip
MEASURED = Row(
    kind="measured", method="cezsar", values=("31.0", "60.0"), rank="1", about="captions", interval="[20.0, 40.0]",
    bar=Bar(value=60.0, low=4.0, high=116.0, chance=None), scored="48/48", date="2026-03-01", extra=("kept", "cpu"),
    notes=("a note", "arXiv:2108.02833"), id="cezsar-1", encoder="clip", contaminated="no", backing="kept",
)  # fmt: skip
UNRANKED = Row(kind="measured", method="conse", values=("9.0", "–"), extra=("", "cpu"), notes=("arXiv:2108.02833",))
REPORTED = Row(kind="reported", method="E2E", values=("45.2", "–"), extra=("", ""))
WITH_RUNS = Section(
    groups=(Group("measured", "measured", (MEASURED, UNRANKED), "seen"), Group("reported", "reported", (REPORTED,))),
    **ABOUT,
)
FIGURES_ALONE = Section(groups=(Group("reported", "reported", (REPORTED,)),), **ABOUT)


def headings(found: Grid) -> list[tuple[str, str, bool]]:
    """Return heading and kind of each column, and whether narrow screens leave it out."""
    return [(column.heading, column.kind, column.further) for column in found.columns]


def test_measured_rows_have_columns_that_figures_alone_have_not() -> None:
    assert headings(grid_of(WITH_RUNS)) == [
        ("rank", "rank", False), ("method", "method", False), ("top-1/video", "main", False),
        ("95 % interval", "interval", False), ("top-5", "value", True), ("clips scored", "count", True),
        ("machine", "text", True), ("date", "date", True),
    ]  # fmt: skip
    assert headings(grid_of(FIGURES_ALONE)) == [
        ("method", "method", False), ("top-1/video", "main", False), ("top-5", "value", False)
    ]  # fmt: skip


def test_every_cell_stands_under_its_heading() -> None:
    measured, unranked, reported = grid_of(WITH_RUNS).rows
    expected = ("1", "cezsar", "31.0", "[20.0, 40.0]", "60.0", "48/48", "cpu", "2026-03-01")
    assert (measured.cells, measured.notes, measured.group, measured.unranked) == (expected, (0, 1), 0, False)
    assert (unranked.notes, unranked.unranked) == ((1,), True)
    assert (reported.cells[:3], reported.group, reported.unranked) == (("–", "E2E", "45.2"), 1, False)
    assert [row.cells for row in grid_of(FIGURES_ALONE).rows] == [("E2E", "45.2", "–")]


def test_a_grid_counts_measured_rows_and_knows_the_column_that_ranks() -> None:
    found = grid_of(WITH_RUNS)
    assert (found.n_measured, found.main) == (2, found.columns[2])
    assert grid_of(FIGURES_ALONE).n_measured == 0


def test_numbers_are_aligned_right() -> None:
    kinds = [column.kind for column in grid_of(WITH_RUNS).columns if column.is_number]
    assert kinds == ["rank", "main", "value", "count"]
    assert not GridColumn(heading="date", kind="date").is_number


def test_figures_without_a_list_have_a_grid_of_words() -> None:
    one = Unplaced(method="A", figures="22.6", train="67 classes", wording="random halves", notes=("n", "m"))
    other = Unplaced(method="B", figures="1.0", train="", wording="", notes=("m",))
    found = unplaced_grid("toy", [one, other])
    assert (found.name, found.dataset, found.main, found.scale) == ("toy/unplaced", "toy", None, 100)
    assert [row.cells for row in found.rows] == [("A", "22.6", "random halves", "67 classes"), ("B", "1.0", "", "")]
    assert [(row.notes, row.group) for row in found.rows] == [((0, 1), 0), ((1,), 0)]
    assert found.notes == ("n", "m")
    assert found.n_measured == 0


def test_in_json_every_text_of_rows_stands_once() -> None:
    found = content(grid_of(WITH_RUNS))
    strings = found["strings"]
    assert len(strings) == len(set(strings))
    group, cells, about, notes, identity, encoder, contaminated, backing, unranked, bar = found["rows"][0]
    assert [strings[number] for number in cells] == list(grid_of(WITH_RUNS).rows[0].cells)
    shown = [strings[number] for number in (about, identity, encoder, contaminated, backing)]
    assert shown == ["captions", "cezsar-1", "clip", "no", "kept"]
    assert (group, notes, unranked, bar) == (0, [0, 1], 0, [60.0, 4.0, 116.0, None])
    assert (found["rows"][1][8], found["rows"][1][9]) == (1, 0)
    assert found["columns"][3:5] == [["95 % interval", "interval", 0], ["top-5", "value", 1]]
    assert found["groups"] == [["measured", "measured", "seen"], ["reported", "reported", ""]]
    (plain, no_links), (cited, (link,)) = found["notes"]
    assert (plain, no_links, cited) == ("a note", [], "arXiv:2108.02833")
    assert "https://arxiv.org/abs/2108.02833" in link
    assert (found["scale"], found["remarks"], found["leftOut"]) == (40, ["a remark"], ["a result"])


def test_grids_cannot_be_changed() -> None:
    assert (changeable(grid), positional(grid)) == ([], [])

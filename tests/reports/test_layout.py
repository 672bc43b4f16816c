"""A table in text: what all rows share is said once, groups keep apart, and notes are marked by letters."""

from __future__ import annotations

from typing import Any

from records import changeable, positional
from samples import sample_result, sample_scores
from zsarbench.reports import layout
from zsarbench.reports import table as tables
from zsarbench.reports.layout import Layout, lay_out
from zsarbench.results import Flag, RunResult


def laid_out(*rows: RunResult) -> Layout:
    """Return the table of results in text."""
    return lay_out(tables.build(rows))


def result(method: str = "m", **about: Any) -> RunResult:
    """Return a result of one round."""
    return sample_result(sample_scores(n_rounds=about.pop("n_rounds", 1)), method, **about)


def test_what_all_measured_rows_share_stands_above_the_table_and_not_in_it() -> None:
    once = "scored 48/48 · chance 8.3 (top-1/video) · 1 round, so no spread · 1 training seed"
    shared = laid_out(result("one"), result("two"))
    assert shared.common == f"in % · parts captions / minilm-l6 · {once}"
    apart = laid_out(result("one"), result("two", parts={"visual": "captions", "text": "other"}))
    assert apart.common == f"in % · {once}"
    (both,), (group,) = shared.groups, apart.groups
    assert set(group.cells.columns) - set(both.cells.columns) == {"parts"}


def test_numbers_of_rounds_and_of_seeds_are_told() -> None:
    seeds = sample_result(sample_scores(n_rounds=3, n_seeds=2), "two", seeds=(0, 1))
    assert laid_out(result(n_rounds=3), seeds).common.endswith("3 rounds · 1 or 2 training seeds")
    assert laid_out(seeds).common.endswith("3 rounds · 2 training seeds")


def test_rows_that_learn_from_other_data_make_another_group() -> None:
    groups = laid_out(result("one"), result("two", train_on="none"), result("three")).groups
    assert sorted(len(group.cells) for group in groups) == [1, 2]
    assert {group.about["train_on"] for group in groups} == {"seen", "none"}
    assert all(list(group.cells.index) == list(range(len(group.cells))) for group in groups)


def test_equal_notes_have_one_mark_and_behind_z_come_two_letters() -> None:
    flags = [Flag("remark", f"note {number}") for number in range(53)]
    table = laid_out(result("one", flags=tuple(flags)), result("two", flags=tuple(flags[:2])), result("three"))
    marks = [note.partition("]")[0][1:] for note in table.notes if note.startswith("[")]
    assert marks[:2] == ["a", "b"]
    assert marks[24:29] == ["y", "z", "aa", "ab", "ac"]
    assert marks[51:53] == ["az", "ba"]
    (group,) = table.groups
    by_method = {cell.split(" ")[0]: cell for cell in group.cells["method"]}
    assert by_method["three"] == "three"
    assert len(by_method["two"].split(",")) == 2
    assert len(by_method["one"].split(",")) == 53
    assert table.lines == (*table.notes, *table.left_out)
    assert (changeable(layout), positional(layout)) == ([], ["TextGroup"])

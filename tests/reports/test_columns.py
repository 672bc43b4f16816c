"""A column is one entry in one place; what it reads from results is then in every format and on the leaderboard."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from samples import sample_result, sample_scores
from zsarbench.reports import columns, formats
from zsarbench.reports import table as tables
from zsarbench.reports.columns import ResultColumn
from zsarbench.reports.leaderboard import board, build, site
from zsarbench.results import RunResult
from zsarbench.results.reported import ReportedRow

THREADS = ResultColumn(name="threads", heading="CPU threads", value=lambda result: result.environment.threads)
PAPER = ReportedRow(
    method="E2E", protocol="toy/half", metric="top1", value=0.4, train="67 classes", paper="A Paper", table="Table 3",
    evidence="IMG", source="t.png", averaging="not stated",
)  # fmt: skip


def results(**environment: Any) -> list[RunResult]:
    one, two = sample_result(sample_scores(skill=2.0)), sample_result(sample_scores(skill=0.5), "weak")
    return [one, dataclasses.replace(two, environment=dataclasses.replace(two.environment, **environment))]


def added(monkeypatch: pytest.MonkeyPatch, column: ResultColumn) -> None:
    monkeypatch.setattr(columns, "FURTHER", (*columns.FURTHER, column))


def test_one_entry_is_in_every_format_and_on_the_leaderboard(monkeypatch: pytest.MonkeyPatch) -> None:
    added(monkeypatch, THREADS)
    table = tables.build(results(threads=31), [PAPER])
    assert {row["threads"] for row in json.loads(formats.Json().render(table))["rows"]} == {2, 31, None}
    assert "threads" in formats.Csv().render(table).splitlines()[0].split(",")
    for reporter in (formats.Rich(200), formats.Markdown(), formats.Latex()):
        text = reporter.render(table)
        assert "CPU threads" in text
        assert "31" in text
    whole = board.build_board(results(threads=31), [PAPER])
    (section,) = whole.measured
    assert section.extra == ("contaminated classes", "CPU threads")
    assert [row.extra[1] for row in section.rows] == ["2", "31", "–"]
    assert "CPU threads" in site.page(whole)
    assert "CPU threads" in build.markdown(whole)


def test_a_column_can_be_for_tables_or_for_the_leaderboard_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for in_tables, on_page in ((True, False), (False, True)):
        added(monkeypatch, dataclasses.replace(THREADS, in_tables=in_tables, on_page=on_page))
        assert ("threads" in tables.build(results()).frame) == in_tables
        (section,) = board.build_board(results(), []).measured
        assert ("CPU threads" in section.extra) == on_page
        monkeypatch.undo()


def test_a_column_without_a_value_in_any_row_has_no_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    added(monkeypatch, dataclasses.replace(THREADS, value=lambda result: None))
    assert "CPU threads" not in formats.Rich(200).render(tables.build(results()))
    (section,) = board.build_board(results(), []).measured
    assert section.extra == ("contaminated classes",)

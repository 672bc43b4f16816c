"""Reporters: golden files of what they print, legible at 80 columns, escaped, and exact where programs read."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pandas as pd
import pytest
from rich.cells import cell_len

from locations import GOLDEN
from samples import sample_result, sample_scores
from zsarbench.interfaces import Reporter, Table
from zsarbench.reports import formats
from zsarbench.reports import table as tables
from zsarbench.results import Flag
from zsarbench.results.reported import ReportedRow

ALL = {
    "txt": formats.Rich(width=80),
    "md": formats.Markdown(),
    "csv": formats.Csv(),
    "tex": formats.Latex(),
    "json": formats.Json(),
}


def simple() -> Table:
    """One round, as on TruZe: two methods that learn nothing and one that does."""
    chance = sample_result(sample_scores(skill=0.0, unread=[3]), "chance", parts={}, train_on="none")
    nearest = sample_result(sample_scores(skill=1.0), "nearest-text", train_on="none")
    return tables.build([chance, nearest, sample_result(sample_scores(skill=2.0))])


def full() -> Table:
    """Several rounds and seeds, settings, flags, an objection, duplicates, reported figures."""
    several, weak = sample_scores(n_rounds=3, n_seeds=2, skill=2.0), sample_scores(n_rounds=3, skill=1.0)
    parts = {"visual": "captions", "text": "minilm-l6", "negatives": "cosine-window", "loss": "triplet"}
    remark = Flag("remark", "settings: loss.margin=0.5")
    learnt: dict[str, Any] = {"seeds": (0, 1), "parts": parts}
    results = [
        sample_result(several, part_options={"loss": {"margin": 1.0}}, **learnt),
        sample_result(several, part_options={"loss": {"margin": 0.5}}, flags=(remark,), **learnt),
        sample_result(weak, "nearest-text", created="2026-03-02T10:00:00Z", train_on="none"),
        sample_result(weak, "nearest-text", created="2026-03-01T10:00:00Z", train_on="none"),
        sample_result(weak, "conse", objections=("trained on 100% of A_B & C",), parts={"visual": "efficientnet-lite0",
                      "text": "paraphrase-distilroberta"}),
    ]  # fmt: skip
    cited = ("A Paper", "Table 3", "IMG", "owner/repo 2ce6c2a, images/table3.png")
    rows = [
        ReportedRow("ZSARCap", "toy/half", "top1", 0.491, "no seen class", *cited, std=0.035, averaging="not stated"),
        ReportedRow("E2E", "toy/half", "top1", 0.452, "67 seen classes", *cited, averaging="not stated"),
    ]
    return tables.build(results, rows)


def generalised() -> Table:
    scores = sample_scores(skill=1.5, setting="gzsl")
    return tables.build([sample_result(scores, "eszsl", setting="gzsl", options={"alpha": a}) for a in (1.0, 3.0)])


def render(ending: str, table: Table) -> str:
    return ALL[ending].render(table)


@pytest.mark.parametrize("ending", ALL)
@pytest.mark.parametrize("make", [simple, full, generalised])
def test_output_is_the_golden_file(make: Any, ending: str) -> None:
    assert render(ending, make()) == (GOLDEN / f"{make.__name__}.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize("reporter", ALL.values(), ids=ALL)
def test_they_keep_the_interface(reporter: Any) -> None:
    kept: Reporter = reporter
    assert kept.render(simple())


@pytest.mark.parametrize("make", [simple, full, generalised])
def test_text_fits_its_width(make: Any) -> None:
    table = make()
    for width in (60, 80, 100, 200):
        text = formats.Rich(width).render(table)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text  # nothing is cut off
        for name in table.frame["method"]:
            assert name in text
    markdown = render("md", table)
    assert max(len(line) for line in markdown.splitlines() if line.startswith("|")) <= 80


def test_a_narrow_text_says_all_that_a_wide_one_says() -> None:
    table = full()

    def words(width: int) -> set[str]:
        return set(formats.Rich(width).render(table).replace("─", "").split())

    assert words(200) - words(60) <= {
        "settings",
        "parts",
        "95",
        "CI",
    }  # headings: folded columns have none of their own


def test_text_is_plain_off_a_terminal_and_bold_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in render("txt", simple())
    monkeypatch.setattr("sys.stdout", Terminal())
    assert "\x1b[1m" in render("txt", simple())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in render("txt", simple())


def test_text_takes_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    table = full()
    monkeypatch.setenv("COLUMNS", "200")
    assert formats.Rich().render(table) == formats.Rich(200).render(table)


def test_names_are_escaped() -> None:
    result = sample_result(sample_scores(), "a|b_c&d", parts={"visual": "[bold]", "text": "50%"})
    table = tables.build([result, sample_result(sample_scores(skill=0.1), parts={})])
    assert r"a\|b\_c&d" in render("md", table)
    assert r"a|b\_c\&d" in render("tex", table)
    assert "[bold] / 50%" in render("txt", table)


def test_columns_align_whatever_the_width_of_the_characters_in_a_name() -> None:
    names = ("plain", "跑步识别", "ｗｉｄｅ", "re\u0301sume\u0301", "한국어")
    table = tables.build([sample_result(sample_scores(), name) for name in names])
    shown = formats.Rich(160).render(table).splitlines()
    rows = [line for line in shown if "[" in line and any(name in line for name in names)]
    assert len(rows) == len(names)
    assert len({cell_len(line[: line.index("[")]) for line in rows}) == 1
    written = [line for line in formats.Markdown(160).render(table).splitlines() if line.startswith("|")]
    assert len(written) == len(names) + 2
    assert len({cell_len(line) for line in written}) == 1


def test_programs_get_every_digit() -> None:
    table = full()
    content = json.loads(render("json", table))
    read = pd.DataFrame(content["rows"]).set_index("id")
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(render("csv", table)))}
    for _, row in table.frame[table.frame["kind"] == "measured"].iterrows():
        assert read.loc[row["id"], "top1_per_video"] == row["top1_per_video"]
        assert float(rows[row["id"]]["top1_per_video"]) == row["top1_per_video"]
    assert content["left_out"] == list(table.left_out)
    assert content["rows"][0]["loss"] is None  # of nearest-text
    assert len(content["left_out"]) == 1


def test_a_thousand_old_results_do_not_bury_the_table() -> None:
    results = [sample_result(sample_scores(), created=f"2026-03-01T10:{n // 60:02}:{n % 60:02}Z") for n in range(100)]
    table = tables.build(results)
    text = render("txt", table)
    assert len(text.splitlines()) < 90
    assert "more lines; the JSON format has them all" in text
    assert len(json.loads(render("json", table))["left_out"]) == 99

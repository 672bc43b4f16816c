"""A table never mixes what is not comparable, and says why something is not in it or not ranked."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from samples import sample_result, sample_scores
from zsarbench.errors import UsageError
from zsarbench.reports import table as tables
from zsarbench.reports.layout import lay_out
from zsarbench.results import DatasetInfo, Flag, RunResult
from zsarbench.results.reported import ReportedRow

STRONG, WEAK = sample_scores(skill=2.0), sample_scores(skill=0.5)


def reported_row(method: str = "E2E", **changed: Any) -> ReportedRow:
    row = ReportedRow(
        method,
        "toy/half",
        "top1",
        0.452,
        "67 seen classes",
        "ZSARCap",
        "Table 3",
        "IMG",
        "t.png",
        averaging="not stated",
    )
    return dataclasses.replace(row, **changed)


def with_protocol(result: RunResult, **changed: Any) -> RunResult:
    return dataclasses.replace(result, protocol=dataclasses.replace(result.protocol, **changed))


def rank_of(frame: pd.DataFrame, method: str) -> Any:
    rank = frame.set_index("method").loc[method, "rank"]
    return None if pd.isna(rank) else int(rank)


def test_rows_hold_raw_numbers_best_first() -> None:
    strong, weak = sample_result(STRONG, "strong"), sample_result(WEAK, "weak")
    table = tables.build([weak, strong])
    assert list(table.frame["method"]) == ["strong", "weak"]
    assert list(table.frame["rank"]) == [1, 2]
    row = table.frame.iloc[0]
    summary = strong.summary["top1_per_video"]
    assert (row["top1_per_video"], row["top1_per_video_ci_low"]) == (summary.mean, summary.ci95[0])  # type: ignore[index]
    assert pd.isna(row["top1_per_video_std"])
    assert row["top1_per_video_chance"] == pytest.approx(1 / 12)
    assert (row["n_expected"], row["n_scored"], row["n_failed"], row["n_rounds"]) == (48, 48, 0, 1)
    assert (row["visual"], row["text"], row["id"]) == ("captions", "minilm-l6", strong.stem)
    assert pd.isna(row["loss"])
    assert table.left_out == ()
    assert table.remarks == ("no published row for toy/half",)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (with_protocol(sample_result(WEAK, "other"), name="toy/all"), "it is on toy/all"),
        (with_protocol(sample_result(WEAK, "other"), version=2, hash="f" * 64), "another (version 2, hash ffffffff)"),
        (
            sample_result(WEAK, "other", dataset=DatasetInfo("toy", "0" * 64, {})),
            "its data are toy, revision 000000000000",
        ),
        (sample_result(sample_scores(n_rounds=2), "other"), "its rounds expect 64 clips, not 48"),
    ],
)
def test_what_is_not_comparable_is_left_out_with_its_reason(other: RunResult, reason: str) -> None:
    like = sample_result(STRONG, "strong")
    table = tables.build([like, other], like=like)
    assert list(table.frame["method"]) == ["strong"]
    (line,) = table.left_out
    assert line.startswith(f"{other.stem}: ")
    assert reason in line


def test_the_newest_result_says_which_protocol_it_is_about() -> None:
    old = sample_result(STRONG, "old")
    new = with_protocol(sample_result(WEAK, "new", created="2026-04-01T00:00:00Z"), hash="f" * 64)
    assert list(tables.build([old, new]).frame["method"]) == ["new"]


def test_of_one_spec_the_newest_result_stands() -> None:
    old, new = (sample_result(STRONG, created=f"2026-03-0{day}T10:00:00Z") for day in (1, 2))
    table = tables.build([new, old])
    assert list(table.frame["id"]) == [new.stem]
    assert table.left_out == (f"{old.stem}: older result of the spec that {new.stem} has",)


def test_an_incomparable_newer_result_does_not_hide_an_older_one() -> None:
    """The newest of a spec counts among the comparable ones: the data set may have got a new revision since."""
    like = sample_result(WEAK, "like")
    old = sample_result(STRONG)
    new = dataclasses.replace(old, created="2026-05-01T00:00:00Z", dataset=DatasetInfo("toy", "0" * 64, {}))
    assert set(tables.build([like, old, new], like=like).frame["method"]) == {"like", "cezsar"}


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"objections": ("saw HandstandPushups",)}, "not ranked: saw HandstandPushups"),
        ({"control": "shuffle-labels", "flags": (Flag("control", "it"),)}, "not ranked: control run, shuffle-labels"),
        ({"limit": 2, "flags": (Flag("limit", "at most 2 clips a class"),)}, "not ranked: only 2 clips a class"),
        ({"denominator": "survivors"}, "not ranked: clips that could not be read are left out of the denominator"),
    ],
)  # fmt: skip
def test_what_speaks_against_a_row_is_shown_and_unranks_it(changed: dict[str, Any], note: str) -> None:
    best, weak = sample_result(STRONG, "best", **changed), sample_result(WEAK, "weak")
    frame = tables.build([best, weak]).frame
    assert rank_of(frame, "best") is None
    assert rank_of(frame, "weak") == 1
    assert frame.set_index("method").loc["best", "notes"] == [note]
    assert list(frame["method"]) == ["weak", "best"]


def test_a_limited_result_is_not_a_measure_of_the_clips_expected() -> None:
    whole = sample_result(STRONG, "whole")
    limited = sample_result(sample_scores(n_rounds=2), "limited", limit=2, created="2026-04-01T00:00:00Z")
    table = tables.build([whole, limited])
    assert set(table.frame["method"]) == {"whole", "limited"}
    assert table.left_out == ()


def test_other_flags_are_notes_and_rank_on() -> None:
    flagged = sample_result(STRONG, flags=(Flag("remark", "settings of the protocol: loss.margin=0.5"),))
    frame = tables.build([flagged]).frame
    assert frame["notes"][0] == ["settings of the protocol: loss.margin=0.5"]
    assert list(frame["rank"]) == [1]


def test_rows_are_ranked_apart_by_training_data_and_class_text() -> None:
    trained = sample_result(STRONG, "trained")
    untrained = sample_result(WEAK, "untrained", train_on="none")
    by_name = sample_result(WEAK, "by-name", class_text=dataclasses.replace(trained.class_text, form="name"))
    table = tables.build([trained, untrained, by_name])
    assert list(table.frame["rank"]) == [1, 1, 1]
    assert len(lay_out(table).groups) == 3


def test_equal_rows_share_a_rank() -> None:
    frame = tables.build([sample_result(STRONG, "a"), sample_result(STRONG, "b"), sample_result(WEAK, "c")]).frame
    assert list(frame["rank"]) == [1, 1, 3]


def test_reported_rows_are_marked_and_never_ranked() -> None:
    rows = [reported_row(), reported_row(protocol="toy/unplaced"), reported_row("Old", value=0.1, std=0.02)]
    table = tables.build([sample_result(WEAK)], rows)
    assert list(table.frame["kind"]) == ["measured", "reported", "reported"]
    assert list(table.frame["method"]) == ["cezsar", "E2E", "Old"]
    assert rank_of(table.frame, "E2E") is None
    row = table.frame.set_index("method").loc["E2E"]
    assert row["top1"] == 0.452
    assert pd.isna(row["top1_per_video"])  # the paper does not say over what it averages
    assert "averaging not stated there" in row["notes"]
    assert table.remarks == ()
    stated = tables.build([sample_result(WEAK)], [reported_row(averaging="per_class")]).frame.set_index("method")
    assert stated.loc["E2E", "top1_per_class"] == 0.452
    assert len(stated.loc["E2E", "notes"]) == 1


def test_what_tells_rows_of_a_method_apart_is_named() -> None:
    base: dict[str, Any] = {"visual": "captions", "text": "minilm-l6", "loss": "triplet"}
    results = [
        sample_result(STRONG, parts=base, part_options={"loss": {"margin": 1.0, "p": 2}}),
        sample_result(STRONG, parts=base, part_options={"loss": {"margin": 0.5, "p": 2}}),
        sample_result(STRONG, parts=base | {"loss": "info-nce"}, part_options={"loss": {"temperature": 0.07}}),
        sample_result(STRONG, "other", seeds=(0,), options={"alpha": 3}),
    ]
    settings = tables.differing_settings(results)
    assert [settings[result.stem] for result in results] == [
        "loss=triplet, loss.margin=1.0",
        "loss=triplet, loss.margin=0.5",
        "loss=info-nce",
        "",
    ]


def test_a_seed_tells_rows_apart_and_its_spread_has_a_column() -> None:
    scores = sample_scores(n_seeds=2, skill=1.0)
    frame = tables.build([sample_result(scores, seeds=(3, 4)), sample_result(STRONG, seeds=(7,))]).frame
    frame = frame.set_index("settings")
    assert set(frame.index) == {"seeds=3,4", "seeds=7"}
    assert frame.loc["seeds=3,4", "top1_per_video_seed_std"] > 0
    assert frame.loc["seeds=3,4", "n_expected"] == 48
    assert pd.isna(frame.loc["seeds=7", "top1_per_video_seed_std"])


def test_plugins_add_columns_but_replace_none(caplog: pytest.LogCaptureFixture) -> None:
    table = tables.build([sample_result(STRONG)], extra_columns=lambda result: {"gflops": 3.5, "rank": 99})
    assert table.frame["gflops"][0] == 3.5
    assert table.frame["rank"][0] == 1
    assert "column 'rank'" in caplog.text
    assert "gflops" in lay_out(table).groups[0].cells


def test_one_table_for_each_protocol() -> None:
    results = [sample_result(STRONG, protocol=name) for name in ("b/two", "a/one")]
    built = tables.build_all([*results, sample_result(WEAK, "weak", protocol="a/one")])
    assert [len(table.frame) for table in built] == [2, 1]
    assert [table.title.split(" ")[0] for table in built] == ["a/one", "b/two"]
    assert all(not table.left_out for table in built)


def test_mistakes_are_reported() -> None:
    with pytest.raises(UsageError, match="there is no result to compare"):
        tables.build([])
    with pytest.raises(UsageError, match="did you mean 'top1_per_class'"):
        tables.build([sample_result(STRONG)], rank_by="top1_class")


def test_the_ranking_metric_can_be_chosen() -> None:
    scores = sample_scores(skill=1.5, setting="gzsl")
    result = sample_result(scores, setting="gzsl")
    assert tables.build([result]).rank_by == "harmonic_mean"
    table = tables.build([result], rank_by="ausuc")
    assert "AUSUC" in lay_out(table).groups[0].cells


def test_people_read_percent_with_one_decimal() -> None:
    shown = lay_out(tables.build([sample_result(STRONG, "a"), sample_result(WEAK, "b", parts={})]))
    cells = shown.groups[0].cells
    assert cells["top-1/video"][0] == f"{100 * sample_result(STRONG).summary['top1_per_video'].mean:.1f}"
    assert list(cells["parts"]) == ["captions / minilm-l6", "–"]
    assert shown.common == "in % · scored 48/48 · chance 8.3 (top-1/video) · 1 round, so no spread · 1 training seed"


def test_a_spread_over_one_round_is_a_dash() -> None:
    rounds = sample_result(sample_scores(n_rounds=3, skill=1.0), "many")
    table = tables.build([rounds], [reported_row()])
    cells = {group.about["kind"]: group.cells["top-1/video"][0] for group in lay_out(table).groups}
    assert cells["reported"] == "45.2 ± –"
    assert " ± " in cells["measured"]
    assert "–" not in cells["measured"]


def test_rounds_that_repeat_others_are_distinguished_from_distinct_ones() -> None:
    whole = sample_result(sample_scores(n_rounds=3, n_seeds=2, skill=1.0), "many", seeds=(0, 1))
    rounds = tuple(dataclasses.replace(item, duplicate_of=0 if item.round == 2 else None) for item in whole.rounds)
    table = tables.build([dataclasses.replace(whole, rounds=rounds)], [reported_row()])
    assert table.frame[["n_rounds", "n_distinct_rounds"]].iloc[0].tolist() == [3, 2]
    assert " · 3 rounds, 2 distinct · 2 training seeds" in lay_out(table).common
    assert " · 3 rounds · 2 training seeds" in lay_out(tables.build([whole])).common

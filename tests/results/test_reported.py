"""The transcribed figures: schema, ranges, no figure twice."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

REPORTED = Path(str(files("zsarbench_benchmarks"))) / "reported"
FILES = sorted(REPORTED.glob("*.toml"))
NEEDED = {"protocol", "method", "metric", "value", "train", "paper", "table", "evidence", "source", "notes"}
OPTIONAL = {"std", "averaging", "wording"}
AVERAGED = {"top1_per_video", "top1_per_class"}  # the metric says over what
NOT_STATED = {"top1", "top5", "mean_top1_top5", "top1_base", "top1_novel", "harmonic_mean"}


def read_rows(file: Path) -> list[dict]:
    return tomllib.loads(file.read_text(encoding="utf-8"))["rows"]


ROWS = [row for file in FILES for row in read_rows(file)]


def identity(row: dict) -> str:
    return f"{row['protocol']} {row['method']} {row['metric']}"


def test_there_is_a_file_per_data_set() -> None:
    assert {"ucf101", "hmdb51", "kinetics400", "kinetics600"} <= {file.stem for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_row_says_what_where_and_how(file: Path) -> None:
    for row in read_rows(file):
        here = identity(row)
        assert set(row) >= NEEDED, here
        assert set(row) - NEEDED <= OPTIONAL, here
        assert row["protocol"].split("/")[0] == file.stem, here
        assert row["metric"] in AVERAGED | NOT_STATED, here
        assert row.get("averaging") == ("not stated" if row["metric"] in NOT_STATED else None), here
        assert isinstance(row["value"], float), here
        assert 0.01 < row["value"] < 1, here  # a figure in percent, or chance level, is a slip
        assert 0 < row.get("std", 0.01) < 0.1, here
        assert row["evidence"] in {"F", "IMG", "P", "C"}, here  # what could not be verified stays out
        assert all(row[key].strip() for key in NEEDED - {"value", "notes"}), here
        # A figure whose exact list is not known says so in the source's words; one that is placed needs none.
        assert bool(row.get("wording")) == row["protocol"].endswith("/unplaced"), here


def test_no_figure_stands_twice() -> None:
    # One source may print several variants of a method (other features), distinguished by value; never one value twice.
    seen = [(identity(row), row["value"]) for row in ROWS]
    assert sorted(key for key in set(seen) if seen.count(key) > 1) == []
    placed = [identity(row) for row in ROWS if not row["protocol"].endswith("/unplaced")]
    assert len(placed) == len(set(placed))


def test_the_harmonic_mean_follows_from_base_and_novel() -> None:
    values = {(row["protocol"], row["method"], row["metric"]): row["value"] for row in ROWS}
    means = [key for key in values if key[2] == "harmonic_mean"]
    assert means
    for protocol, method, metric in means:
        base, novel = (values[protocol, method, which] for which in ("top1_base", "top1_novel"))
        printed = values[protocol, method, metric]
        assert printed == pytest.approx(2 * base * novel / (base + novel), abs=0.0011), (protocol, method)


def test_only_verified_figures_are_on_truze() -> None:
    assert not [row for row in ROWS if row["protocol"] == "ucf101/truze-v2"]
    relaxed = [row["method"] for row in ROWS if row["protocol"] == "ucf101/truze-v1" and "0/34" in row["train"]]
    assert relaxed == ["ZSARCap"]


def test_the_fields_mix_ups_stay_out() -> None:
    official = {row["method"] for row in ROWS if row["protocol"].endswith("/official")}
    assert "ER-ZSAR" not in official  # its 50/50 figure, printed among means over the official lists
    e2e = [row for row in ROWS if row["method"] == "E2E" and row["value"] == 0.48]
    assert [row["wording"] for row in e2e] == ["top-1; classes and runs not stated"]  # not as a 50/50 figure
    assert not [row for row in ROWS if "xclip" in row["method"] and row["protocol"].startswith("kinetics")]

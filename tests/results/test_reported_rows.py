"""Reported figures as tables get them: read, and refused where malformed."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.results import reported

ROW = """
[[rows]]
protocol = "toy/half"
method = "E2E"
metric = "top1"
value = 0.452
averaging = "not stated"
train = "67 seen classes"
paper = "ZSARCap"
table = "Table 3"
evidence = "IMG"
source = "images/table3.png"
"""


def test_rows_are_read_with_their_names_and_citations(tmp_path: Path) -> None:
    other = ROW.replace("toy/half", "toy/unplaced").replace("not stated", "per_video")
    (tmp_path / "toy.toml").write_text(ROW + other)
    row, unplaced = reported.read_all(tmp_path)
    assert (row.protocol, row.method, row.value, row.std, row.name) == ("toy/half", "E2E", 0.452, None, "top1")
    assert row.citation == "ZSARCap, Table 3, read in an image of a public repository (images/table3.png)"
    assert (unplaced.protocol, unplaced.name) == ("toy/unplaced", "top1_per_video")
    assert reported.read_all(tmp_path / "none") == []


def test_those_that_ship_are_valid() -> None:
    assert {row.method for row in reported.read_all() if row.protocol == "ucf101/truze-v1"} >= {"E2E", "ZSARCap"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = [", "is not valid TOML"),
        ("rows = 3", "rows must be a list, not 3"),
        (ROW.replace("0.452", "45.2"), "rows[0].value must be a fraction in [0, 1]; 49.0 % is 0.490, not 45.2"),
        (ROW.replace("0.452", "nan"), "rows[0].value must be a fraction in [0, 1]; 49.0 % is 0.490, not NaN"),
        (ROW.replace("0.452", '"0.452"'), 'rows[0].value must be a fraction in [0, 1]; 49.0 % is 0.490, not "0.452"'),
        (ROW + "std = 2.1", "rows[0].std must be a fraction in [0, 1]; 49.0 % is 0.490, not 2.1"),
        (ROW.replace('"67 seen classes"', '""'), 'rows[0].train must be text that is not empty, not ""'),
        (ROW.replace("not stated", "micro"), "unknown rows[0].averaging 'micro'"),
        (ROW.replace("IMG", "U"), "unknown rows[0].evidence 'U'. Known: C, F, IMG, P"),
        (ROW.replace("paper", "papr"), "rows[0].paper is missing"),
        (ROW.replace("paper", "papr"), "rows[0]: unknown field 'papr'; did you mean 'paper'?"),
        (ROW.replace('"Table 3"', "2026-01-31"), "rows[0].table is the date or time 2026-01-31; write it as text"),
        (ROW + ROW, "of 'E2E' on toy/half appears twice"),
        ("[[row]]", "unknown field 'row'; did you mean 'rows'?"),
    ],
)
def test_malformed_rows_are_refused_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "toy.toml").write_text(text)
    with pytest.raises(ZsarbenchError) as caught:
        reported.read_all(tmp_path)
    assert message in str(caught.value)
    assert "toy.toml" in str(caught.value)


def test_all_rows_that_are_wrong_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(ROW.replace("0.452", "45.2") + ROW + ROW.replace("Table 3", " "))
    with pytest.raises(ZsarbenchError) as caught:
        reported.read(tmp_path / "toy.toml")
    assert [line.split()[0] for line in str(caught.value).splitlines()[1:]] == ["rows[0].value", "rows[2].table"]

"""Reported figures as the table gets them: read, refused where malformed, only of the very protocol."""

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


def test_only_rows_of_the_very_protocol_are_given(tmp_path: Path) -> None:
    other = ROW.replace("toy/half", "toy/unplaced").replace("not stated", "per_video")
    (tmp_path / "toy.toml").write_text(ROW + other)
    (row,) = reported.for_protocol("toy/half", tmp_path)
    assert (row.method, row.value, row.std, row.name) == ("E2E", 0.452, None, "top1")
    assert row.citation == "ZSARCap, Table 3, read in an image of a public repository (images/table3.png)"
    assert [row.name for row in reported.for_protocol("toy/unplaced", tmp_path)] == ["top1_per_video"]
    assert reported.for_protocol("toy", tmp_path) == []


def test_those_that_ship_are_sound() -> None:
    assert {row.method for row in reported.for_protocol("ucf101/truze-v1")} >= {"E2E", "ZSARCap"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = [", "not valid TOML"),
        (ROW.replace("0.452", "45.2"), "no fraction; 49.0 % is 0.490"),
        (ROW.replace('"67 seen classes"', '""'), "train is empty"),
        (ROW.replace("not stated", "micro"), "averaging is 'micro'"),
        (ROW.replace("IMG", "U"), "unknown class of evidence 'U'"),
        (ROW.replace("paper", "papr"), "row.paper is missing"),
        (ROW + ROW, "of 'E2E' on toy/half twice"),
        ("[[row]]", "only [[rows]], not row"),
    ],
)
def test_malformed_rows_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "toy.toml").write_text(text)
    with pytest.raises(ZsarbenchError) as caught:
        reported.read_all(tmp_path)
    assert message in str(caught.value)
    assert "toy.toml" in str(caught.value)

"""The account of a predictions file: what became of its rows, in counts and in words."""

from __future__ import annotations

import pytest

from records import changeable, positional
from zsarbench.predictions import account
from zsarbench.predictions.account import Account, Finding, Tally


def test_a_clip_is_found_once_and_every_row_is_counted() -> None:
    tally = Tally()
    for name in "abacdefg":
        tally.add("unknown-labels", name)
    for name in "aab":
        tally.count("repeated", name)
    assert tally.findings() == {
        "unknown-labels": Finding(7, tuple("abcde")),
        "repeated": Finding(3, ("a", "b")),
    }
    assert Tally().findings() == {}


@pytest.mark.parametrize(
    ("n_rows", "findings", "lines"),
    [
        (1, {}, ["3 of 1,200 test clips have a prediction, in 1 row"]),
        (
            2,
            {"missing": Finding(1, ("a",)), "other": Finding(1234, ("b" * 61, "c", "d"))},
            [
                "3 of 1,200 test clips have a prediction, in 2 rows",
                "1 test clip is missing, and counts as wrong, e.g. 'a'",
                "1,234 rows are of clips of the data set that are not tested, and are left out, e.g. "
                f"'{'b' * 60}', 'c'",
            ],
        ),
        (0, {"refusal": Finding(2)}, ["3 of 1,200 test clips have a prediction, in 0 rows",
                                      "2 answers are refusals, and count as wrong"]),
    ],
)  # fmt: skip
def test_findings_are_said_in_words_of_one_and_of_several(
    n_rows: int, findings: dict[str, Finding], lines: list[str]
) -> None:
    found = Account(n_rows=n_rows, n_expected=1200, n_predicted=3, findings=findings)
    assert found.lines() == lines
    assert found.n_missing == sum(one.count for kind, one in findings.items() if kind == "missing")


def test_fields_that_are_not_read_stand_last() -> None:
    found = Account(n_rows=1, n_expected=1, n_predicted=1, findings={}, not_read=("cost", "note"))
    assert found.lines()[1:] == ["fields that are not read: cost, note"]
    assert found.n_unscored == 0


def test_an_account_cannot_be_changed() -> None:
    assert (changeable(account), positional(account)) == ([], ["Finding"])

"""How much of the clips was there and was read, and what is too little to be ranked."""

from __future__ import annotations

import pytest

from records import changeable, positional
from zsarbench.results import coverage
from zsarbench.results.coverage import Coverage


def covered(test: tuple[int, int, int], train: tuple[int, int, int] = (0, 0, 0)) -> Coverage:
    """Return a coverage from all, missing and unreadable clips of either side."""
    names = [f"n_{side}{what}" for side in ("test", "train") for what in ("", "_missing", "_unreadable")]
    return Coverage(**dict(zip(names, (*test, *train), strict=True)))


def test_what_was_read_is_neither_missing_nor_unreadable() -> None:
    found = covered((90, 5, 2), (40, 4, 3))
    assert (found.n_test_read, found.n_train_read) == (83, 33)


@pytest.mark.parametrize(
    ("test", "train", "partial"),
    [
        ((100, 10, 0), (0, 0, 0), False),
        ((100, 6, 5), (0, 0, 0), True),
        ((100, 0, 0), (100, 5, 5), False),
        ((100, 0, 0), (100, 11, 0), True),
        ((100, 0, 0), (0, 0, 0), False),
    ],
)
def test_nine_tenths_of_either_side_are_enough(
    test: tuple[int, int, int], train: tuple[int, int, int], partial: bool
) -> None:
    assert covered(test, train).is_partial is partial


@pytest.mark.parametrize(
    ("test", "train", "text"),
    [
        ((9, 0, 0), (5, 0, 0), ""),
        ((9, 1, 0), (5, 0, 0), "of 9 test clips 1 is missing"),
        ((1009, 0, 3), (5, 0, 0), "of 1,009 test clips 3 cannot be read"),
        ((9, 2, 1), (5, 2, 0), "of 9 test clips 2 are missing and 1 cannot be read; of 5 training clips 2 are missing"),
    ],
)
def test_what_is_lacking_is_said_in_words(test: tuple[int, int, int], train: tuple[int, int, int], text: str) -> None:
    assert covered(test, train).lacks == text


def test_a_coverage_cannot_be_changed() -> None:
    assert (changeable(coverage), positional(coverage)) == ([], [])

"""Class names across spellings."""

from __future__ import annotations

import pytest

from zsarbench.utils.class_names import match, normalise

CLASSES = ("HandstandPushups", "Basketball", "YoYo", "SalsaSpin")
ALIASES = {"Basketball Shooting": "Basketball", "Salsa Spins": "SalsaSpin", "Swing Basketball": "swing_baseball"}


@pytest.mark.parametrize(
    ("spelling", "official"),
    [
        ("HandStandPushups", "HandstandPushups"),
        ("hand stand pushups", "HandstandPushups"),
        ("handstand_pushups", "HandstandPushups"),
        ("yo yo", "YoYo"),
        ("basketball shooting", "Basketball"),
        ("SalsaSpins", "SalsaSpin"),
        ("Basketball Dunk", None),
        ("Swing Basketball", None),  # an alias of a class that is not in this data set
        ("", None),
    ],
)
def test_spellings(spelling: str, official: str | None) -> None:
    assert match(spelling, CLASSES, ALIASES) == official


def test_an_exact_name_comes_before_its_neighbours() -> None:
    assert match("Yo Yo", ("YoYo", "Yo Yo"), {}) == "Yo Yo"


def test_normalise_keeps_letters_and_digits_of_any_script() -> None:
    assert normalise("Café 2-Step!") == "cafe2step"
    assert normalise("太極 拳") == "太極拳"

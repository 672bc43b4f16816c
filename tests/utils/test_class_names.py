"""Class names across spellings."""

from __future__ import annotations

import pytest

from zsarbench.utils.class_names import match, namesakes, normalise

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


@pytest.mark.parametrize(
    "classes", [("पानी", "पाना"), ("バス", "ハス"), ("มา", "มี"), ("🏊", "🤸"), ("+", "-")], ids=lambda pair: pair[0]
)
def test_names_that_differ_in_marks_that_are_letters_or_have_no_letter_are_two(classes: tuple[str, str]) -> None:
    one, other = classes
    assert namesakes(classes) == []
    assert match(one, classes, {}) == one
    assert match(one, (other,), {}) is None
    assert match(one, (other,), {one: other}) == other


@pytest.mark.parametrize(("one", "other"), [("capoéira", "Capoeira"), ("مُحَمَّد", "محمد"), ("swim 🏊\ufe0f", "Swim")])
def test_accents_and_points_do_not_matter(one: str, other: str) -> None:
    assert match(one, (other,), {}) == other


def test_normalise_keeps_letters_and_digits_of_any_script() -> None:
    assert normalise("Café 2-Step!") == "cafe2step"
    assert normalise("太極 拳") == "太極拳"

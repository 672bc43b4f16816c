"""Options of a multiple choice: read, named as the data set does, checked, hashed and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.protocols import check_choices, choices, options_mask

CLASSES = ("archery", "Brush Hair", "golf", "surfing")
CHOICES = {"a": ("golf", "archery"), "b": ("surfing", "Brush Hair")}
LABELS = {"a": "archery", "b": "surfing"}
MANY = {f"clip{number}": CLASSES[number % 4] for number in range(40)}


def listed(folder: Path, *lines: str) -> choices.Choices:
    """Return the options that a list of these lines gives."""
    (folder / "options.txt").write_text("\n".join(lines))
    return choices.read(folder / "mine.toml", "@options")


def test_a_list_gives_each_clip_its_options_in_their_order(tmp_path: Path) -> None:
    assert listed(tmp_path, "a\tgolf\t archery", "b\tsurfing\tBrush Hair") == CHOICES
    assert choices.read(tmp_path / "mine.toml", "") == {}


@pytest.mark.parametrize("line", ["b\tgolf", "b\tgolf\t", "a\tgolf\tsurfing", "b"])
def test_a_line_that_is_no_new_clip_with_two_options_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ZsarbenchError, match="is not a new clip and two options or more, separated by tabs"):
        listed(tmp_path, "a\tgolf\tarchery", line)


def test_clips_have_the_same_number_of_options(tmp_path: Path) -> None:
    with pytest.raises(ZsarbenchError, match=r"must give all clips the same number of options; it has \[2, 3\]"):
        listed(tmp_path, "a\tgolf\tarchery", "b\tgolf\tarchery\tsurfing")


def test_options_are_named_as_the_classes_are() -> None:
    given = {"a": ("Golf", "bow shooting"), "b": ("surfing", "brush_hair")}
    assert choices.official(given, CLASSES, {"bow shooting": "archery"}) == CHOICES
    with pytest.raises(ZsarbenchError, match="options: unknown class 'yodelling'"):
        choices.official({"a": ("golf", "yodelling")}, CLASSES, {})
    with pytest.raises(ZsarbenchError, match="clip 'b' has an option twice: golf, golf"):
        choices.official({"a": ("golf", "archery"), "b": ("golf", "Golf")}, CLASSES, {})


def test_every_test_clip_has_options_among_the_candidates_its_own_class_included() -> None:
    check_choices(CHOICES, ["a", "b"], CLASSES, LABELS)
    check_choices(CHOICES, ["a"], CLASSES[:3], LABELS)  # options of other clips are not looked at
    with pytest.raises(ZsarbenchError, match="test clip 'c' has no options in the protocol's list"):
        check_choices(CHOICES, ["a", "c"], CLASSES, LABELS)
    with pytest.raises(ZsarbenchError, match="test clip 'a' is 'surfing', which is none of its options"):
        check_choices(CHOICES, ["a"], CLASSES, {"a": "surfing"})
    with pytest.raises(ZsarbenchError, match="test clip 'b' has the option 'surfing', which is not a candidate"):
        check_choices(CHOICES, ["a", "b"], CLASSES[:3], LABELS)


def test_the_digest_depends_on_options_and_their_order_not_on_that_of_clips() -> None:
    digest = choices.digest(CHOICES)
    assert choices.digest(dict(reversed(CHOICES.items()))) == digest
    assert choices.digest(CHOICES | {"a": ("archery", "golf")}) != digest


def test_the_mask_is_true_for_options_among_the_classes() -> None:
    mask = options_mask(CHOICES, ["b", "a"], CLASSES[:3])
    assert mask.tolist() == [[False, True, False], [True, False, True]]


def test_options_hold_the_clip_s_class_and_others_at_places_of_chance() -> None:
    drawn = choices.draw(MANY, CLASSES, 3, seed=0)
    assert all(len(set(drawn[clip])) == 3 and label in drawn[clip] for clip, label in MANY.items())
    assert {drawn[clip].index(label) for clip, label in MANY.items()} == {0, 1, 2}
    assert {name for options in drawn.values() for name in options} == set(CLASSES)
    assert choices.draw(MANY, CLASSES, 3, seed=1) != drawn
    assert choices.draw({"clip7": MANY["clip7"]}, CLASSES, 3, seed=0) == {"clip7": drawn["clip7"]}


def test_similar_options_are_the_classes_most_similar_to_the_clip_s_and_of_equal_ones_the_first_by_name() -> None:
    similarities = np.array([[9, 1, 3, 3], [0, 9, 1, 2], [5, 6, 9, 7], [0, 0, 0, 9]], dtype=float)
    drawn = choices.draw(MANY, CLASSES, 2, 0, similarities)
    others = {label: set(drawn[clip]) - {label} for clip, label in MANY.items()}
    assert others == {"archery": {"golf"}, "Brush Hair": {"surfing"}, "golf": {"surfing"}, "surfing": {"Brush Hair"}}
    three = choices.draw(MANY, CLASSES, 3, 0, similarities)
    assert set(three["clip2"]) == {"golf", "surfing", "Brush Hair"}


def test_as_many_options_can_be_drawn_as_there_are_candidates_and_letters() -> None:
    assert set(choices.draw(LABELS, CLASSES, 4, 0)["a"]) == set(CLASSES)
    assert len(choices.draw(LABELS, CLASSES, 2, 0)["a"]) == 2
    for n_options in (1, 5):
        with pytest.raises(UsageError, match=f"{n_options} options of 4 candidates cannot be drawn; 2 to 4 can"):
            choices.draw(LABELS, CLASSES, n_options, 0)
    names = [*CLASSES, *(f"class{number}" for number in range(30))]
    assert len(choices.draw(LABELS, names, 26, 0)["a"]) == 26
    with pytest.raises(UsageError, match="27 options of 34 candidates cannot be drawn; 2 to 26 can"):
        choices.draw(LABELS, names, 27, 0)

"""Captions that give the class of their clip away, and those that merely describe it."""

from __future__ import annotations

import pytest

from zsarbench.evaluation.caption_names import ClassMentions, holds_path, naming

CLASSES = ("BrushingTeeth", "YoYo", "Archery", "SalsaSpin")
ALIASES = {"Salsa Spins": "SalsaSpin"}


def test_a_class_is_named_word_by_word_or_by_an_alias() -> None:
    mentions = ClassMentions(CLASSES, ALIASES)
    assert mentions.of("Two girls are brushing\nteeth; one plays the YO-YO, and salsa spins.") == {
        "BrushingTeeth", "YoYo", "SalsaSpin",
    }  # fmt: skip
    assert mentions.of("v_BrushingTeeth_g01_c02") == {"BrushingTeeth"}
    assert mentions.of("he brushes his teeth, an archer") == set()
    assert mentions.of("") == set()


@pytest.mark.parametrize(
    "text",
    ["Archery/v_Archery_g01_c01.avi", "/data/clips/17", r"C:\clips\17", "see clip17.MP4", "a/b/c", "frame_0001.jpg"],
)
def test_a_path_is_found(text: str) -> None:
    assert holds_path(text)


@pytest.mark.parametrize("text", ["a man and/or a woman", "open 24/7.", "He runs. Then he stops.", "3.5 m, e.g. a bow"])
def test_prose_holds_no_path(text: str) -> None:
    assert not holds_path(text)


def test_the_id_of_the_clip_is_found_where_it_is_not_a_word() -> None:
    assert holds_path("this is v_archery_g01_C01", "v_Archery_g01_c01")
    assert not holds_path("a dog runs", "dog")


def counted(captions: list[str]) -> str:
    clips = {f"clip-number-{number}": [caption] for number, caption in enumerate(captions)}
    return naming(clips, dict.fromkeys(clips, "Archery"), CLASSES, ALIASES)[0].problem


def test_captions_made_of_the_label_are_a_finding_and_a_few_that_name_the_class_are_not() -> None:
    assert counted(["archery"] * 9 + ["a man"]).startswith("9 of 10 captions name the class of their clip (90.0 %; any")
    assert counted(["a man does archery", *["a man stands in a field"] * 9]) == ""
    assert counted(["brushing teeth, yoyo, archery or salsa spin"] * 10) == ""  # names them all alike
    assert counted(["YoYo"] * 10) == ""
    assert counted(["a man", "clips/archery/0001.avi"]).endswith("1 of 2 captions hold a path or the id of their clip")


def test_each_caption_that_gives_the_class_away_is_listed() -> None:
    captions = {"a": ["archery", "a bow"], "b": ["x.mp4"], "unlabelled": ["archery"]}
    count, found = naming(captions, {"a": "Archery", "b": "YoYo"}, CLASSES)
    assert (count.n_sentences, count.n_own, count.n_others, count.n_paths) == (3, 1, 0, 1)
    assert [(one.clip_id, one.problem) for one in found] == [("a", "names its class"), ("b", "path")]

"""Captions that give the class of their clip away, and those that merely describe it."""

from __future__ import annotations

import pytest

from records import changeable, positional
from zsarbench.evaluation import caption_names
from zsarbench.evaluation.caption_names import CaptionNaming, ClassMentions, holds_path, naming, sentences_naming

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
    ("text", "named"),
    [
        ("boxing punching bag", {"Boxing Punching Bag"}),
        ("Golf, then a punching bag", {"golf", "Punching Bag"}),
        ("a punching bag, then golf", {"golf", "Punching Bag"}),
        ("punching bag; punch", {"Punching Bag", "Punch"}),
        ("golf", {"golf"}),
        ("playing the guitar solo show", {"the guitar", "solo show"}),
        ("the guitar solo", {"the guitar"}),
        ("a bow and golf", {"golf"}),
        ("not golf", set()),
        ("this is not a golf", set()),
        ("neither golf nor archery", set()),
        ("never golf but archery", {"archery"}),
        ("not a boxing punching bag", set()),
        ("without the golf", set()),
        ("archery rather than golf", {"archery"}),
        ("archery instead of the golf", {"archery"}),
        ("rather golf than archery", {"golf", "archery"}),
        ("a lot of golf", {"golf"}),
        ("It isn't golf", set()),
        ("a man's t golf", {"golf"}),
        ("t golf", {"golf"}),
        ("not in a golf", {"golf"}),
        ("seen golf", {"golf"}),
        ("isn't the golf", set()),
        ("not one of the golf", {"golf"}),
    ],
)
def test_of_names_within_each_other_the_longest_counts_and_one_that_is_denied_does_not(
    text: str, named: set[str]
) -> None:
    classes = ["Punch", "Boxing Punching Bag", "Punching Bag", "archery", "golf", "the guitar", "solo show"]
    assert ClassMentions(classes).longest(text) == named


def test_each_sentence_counts_once_for_every_class_that_it_names() -> None:
    sentences = ["Archery and archery", "archery, yo-yo", "nothing"]
    assert sentences_naming(CLASSES, sentences) == {"Archery": 2, "YoYo": 1}
    assert sentences_naming(CLASSES, ["salsa spins"], aliases=ALIASES) == {"SalsaSpin": 1}


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
    assert holds_path("a fossil", "fossil")
    assert not holds_path("a horse", "horse")


def counted(captions: list[str]) -> str:
    clips = {f"clip-number-{number}": [caption] for number, caption in enumerate(captions)}
    return naming(clips, dict.fromkeys(clips, "Archery"), CLASSES, ALIASES)[0].problem


def test_captions_made_of_the_label_are_a_finding_and_a_few_that_name_the_class_are_not() -> None:
    assert counted(["archery"] * 9 + ["a man"]).startswith("9 of 10 captions name the class of their clip (90.0 %; any")
    assert counted(["a man does archery", *["a man stands in a field"] * 9]) == ""
    assert counted(["brushing teeth, yoyo, archery or salsa spin"] * 10) == ""  # names them all alike
    assert counted(["YoYo"] * 10) == ""
    assert counted(["a man", "clips/archery/0001.avi"]).endswith("1 of 2 captions hold a path or the id of their clip")


def test_more_than_a_fifth_of_the_captions_and_three_times_as_many_as_any_other_class_are_a_finding() -> None:
    def problem(n_own: int, n_others: int, n_classes: int = 5) -> str:
        return CaptionNaming(100, n_own, n_others, n_classes, 0).problem

    assert problem(20, 0) == ""
    assert problem(21, 27) == "21 of 100 captions name the class of their clip (21.0 %; any other class 6.75 %)"
    assert problem(21, 28) == ""
    assert problem(24, 32) == ""
    assert problem(21, 5, n_classes=2).endswith("any other class 5.00 %)")
    assert problem(21, 0, n_classes=1).endswith("any other class 0.00 %)")
    assert CaptionNaming(0, 0, 0, 5, 0).problem == ""


def test_each_caption_that_gives_the_class_away_is_listed() -> None:
    captions = {"a": ["archery", "a bow with a yoyo"], "b": ["x.mp4"], "unlabelled": ["archery"]}
    count, found = naming(captions, {"a": "Archery", "b": "YoYo"}, CLASSES)
    assert (count.n_sentences, count.n_own, count.n_others, count.n_paths) == (3, 1, 1, 1)
    assert [(one.clip_id, one.problem, one.text) for one in found] == [
        ("a", "names its class", "archery"),
        ("b", "path", "x.mp4"),
    ]


def test_records_cannot_be_changed() -> None:
    assert (changeable(caption_names), positional(caption_names)) == ([], ["CaptionNaming"])

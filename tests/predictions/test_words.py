"""Answers in words: 200 of them with known classes, and each mapping's accuracy as counted by hand."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import torch
from torch import Tensor

from listed import NAMES, Place, clips_of, findings
from zsarbench.predictions import words
from zsarbench.predictions.matching import Classes
from zsarbench.predictions.records import Prediction
from zsarbench.predictions.words import Answers, chosen

CLIPS = dict(list(clips_of(17).items())[:200])  # the last class has four clips less


def other(name: str) -> str:
    return NAMES[(NAMES.index(name) + 5) % len(NAMES)]


KINDS = {
    "name": (60, lambda name: name.upper() + "."),
    "wrong name": (20, other),
    "sentence": (40, lambda name: f"In this video, a person is {name.lower()} outside."),
    "two names": (16, lambda name: f"Either {name} or {other(name)}."),
    "letter": (20, lambda name: "Answer: B"),
    "refusal": (14, lambda name: "I'm sorry, but I cannot determine the action."),
    "refusal with a name": (6, lambda name: f"I cannot tell for sure, perhaps {name}."),
    "empty": (10, lambda name: "  "),
    "nothing": (14, lambda name: "A man runs."),
}
"""How many answers there are of each kind, and what they say of a clip of a class; option B is the true one."""


def kind_of_clip() -> dict[str, str]:
    """Return the kind of each clip's answer, all kinds over all classes."""
    clips = list(CLIPS)
    np.random.default_rng(3).shuffle(clips)
    kinds = [kind for kind, (count, _) in KINDS.items() for _ in range(count)]
    assert len(kinds) == len(clips) == 200
    return dict(zip(clips, kinds, strict=True))


def worded_answers() -> list[dict[str, object]]:
    """Return 200 answers."""
    return [
        {
            "clip": clip,
            "answer": KINDS[kind][1](CLIPS[clip]),
            "options": [other(CLIPS[clip]), CLIPS[clip], NAMES[(NAMES.index(CLIPS[clip]) + 1) % 12]],
        }
        for clip, kind in kind_of_clip().items()
    ]


def count(*kinds: str) -> int:
    return sum(KINDS[kind][0] for kind in kinds)


def test_each_mapping_has_the_accuracy_that_is_counted_by_hand(tmp_path: Path) -> None:
    place = Place.make(tmp_path, CLIPS)
    rows = {str(row.method.options["mapping"]): row for row in place.score(place.write("a.jsonl", worded_answers()))}
    assert set(rows) == {"exact", "inclusion", "choice"}  # without a plugin of encoders
    right = {
        "exact": count("name"),
        "inclusion": count("name", "sentence", "refusal with a name") + count("two names") / 2,
        "choice": count("name", "sentence", "letter", "refusal with a name"),
    }
    for mapping, row in rows.items():
        assert row.summary["top1_per_video"].mean == pytest.approx(right[mapping] / 200), mapping
        assert row.method.record["mappings"] == {
            name: {metric: item.mean for metric, item in one.summary.items()} for name, one in rows.items()
        }
        assert "no plugin declares an encoder" in row.method.record["mappings_left_out"]["nearest"]
        assert (findings(row)["refusal"], findings(row)["empty"]) == (14, 10)
        assert row.rounds[0].n_expected == 200
    assert findings(rows["inclusion"])["no-class"] == count("nothing", "letter")
    assert findings(rows["exact"])["no-class"] == 200 - count("name", "wrong name", "refusal", "empty")
    assert findings(rows["choice"])["no-class"] == count("two names", "nothing")
    assert len({row.spec_id for row in rows.values()}) == 3, "the mapping is part of what a row is"


class Bag:
    """A sentence is its words; some words are another word for one."""

    dim = 64
    space = None
    same = ("bow", "archery")

    def encode(self, texts: list[str]) -> Tensor:
        known = sorted({word for name in NAMES for word in name.lower().split()})
        rows = torch.full((len(texts), len(known)), 1e-3)
        for row, text in enumerate(texts):
            for word in text.split():
                word = word.strip(".").replace(*self.same)
                if word in known:
                    rows[row, known.index(word)] += 1
        return rows


def test_the_nearest_class_is_found_for_all_but_empty_answers_and_refusals() -> None:
    classes = Classes(NAMES, {})
    texts = ["He draws a bow.", "golf golf diving", "", "I cannot tell.", "I cannot tell, perhaps golf"]
    answers = Answers([Prediction(where="", clip=f"c{n}", answer=text) for n, text in enumerate(texts)], classes)
    found = answers.nearest(Bag())  # type: ignore[arg-type]
    best = [None if one.scores is None else one.labels[int(one.scores.argmax())] for one in found]
    assert best == ["archery", "golf", None, None, "golf"]
    assert [one.silence for one in found] == ["", "", "empty", "refusal", ""]

    rows = [Prediction(where="", clip=str(row["clip"]), answer=str(row["answer"])) for row in worded_answers()]
    by_kind: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for one in Answers(rows, classes).nearest(Bag()):  # type: ignore[arg-type]
        right = one.scores is not None and one.labels[int(one.scores.argmax())] == CLIPS[one.clip]
        by_kind[kind_of_clip()[one.clip]].append(right)
    for kind in ("name", "sentence", "refusal with a name"):
        assert sum(by_kind[kind]) == count(kind), kind
    for kind in ("wrong name", "refusal", "empty"):
        assert sum(by_kind[kind]) == 0, kind


def test_a_name_inside_a_longer_one_is_not_named_and_aliases_are() -> None:
    classes = Classes(("Punch", "BoxingPunchingBag", "PunchingBag"), {"shadow boxing": "Punch"})
    texts = ["boxing punching bag", "a punch at the punching bag", "Shadow boxing!", "he punches"]
    answers = Answers([Prediction(where="", clip=text, answer=text) for text in texts], classes)
    assert [one.labels for one in answers.inclusion()] == [
        ("BoxingPunchingBag",), ("Punch", "PunchingBag"), ("Punch",), ()
    ]  # fmt: skip
    assert [one.labels for one in answers.exact()] == [("BoxingPunchingBag",), (), ("Punch",), ()]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("B", "golf"), ("b.", "golf"), ("(C)", "diving"), ("A: archery", "archery"), ("Option C", "diving"),
        ("The correct answer is B because he swings", "golf"), ("A man is diving", "diving"), ("E", None),
        ("A man runs", None), ("golf or diving", None), ("I think golf", "golf"), ("", None), ("Answer: (b)", "golf"),
        ("C) golf", "diving"), ("It is definitely option A.", "archery"), ("The answer is: B", "golf"),
        ("**Answer:** B", "golf"), ('{"answer": "B"}', "golf"), ("It is B", "golf"), ("I would say B", "golf"),
        ("(A) or (B)", None), ("The answer is A or B", None), ("A, B", None), ("A/B", None), ("Not A.", None),
        ("A. archery\nB. golf", None), ("A. archery\nB. golf\nAnswer: B", "golf"), ("not archery", None),
        ("A: archery, B: golf", None), ("A) archery is wrong; the answer is B) golf", "golf"),
        ("Between option A and option B, the answer is B", "golf"), ("Option A is wrong. Option B is.", None),
        ("The answer is A. No, wait, the answer is B.", "golf"), ("The answer is not A but B", "golf"),
        ("B\n\nOption A would show a bow", "golf"), ("B because the answer A has a bow", "golf"),
        ("The answer is A golf swing", "golf"), ("the answer is a golf swing", "golf"), ("'B'", "golf"),
        ("the option's letter: B", "golf"), ("Ｂ。", "golf"), ("答案是B", "golf"), ("Die Antwort ist B.", "golf"),
    ],
)  # fmt: skip
def test_a_choice_is_a_letter_other_than_an_article_or_the_text_of_an_option(answer: str, expected: str | None) -> None:
    assert chosen(answer, ("archery", "golf", "diving")) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    "answer",
    [
        "<think>Archery? Or golf?</think>golf", "Archery or diving.</think>\ngolf", "<THINKING>diving</THINKING> Golf.",
        "<think>archery</think> Not diving: <answer>golf</answer>", r"diving is wrong, so \boxed{\text{golf}}",
        "golf <think>or archery?",
    ],
)  # fmt: skip
def test_reasoning_before_an_answer_is_no_part_of_it(answer: str) -> None:
    answers = Answers([Prediction(where="", clip="a", answer=answer)], Classes(NAMES, {}))
    assert [one.labels for one in (*answers.exact(), *answers.inclusion())] == [("golf",), ("golf",)]


def test_reasoning_that_never_ends_is_an_empty_answer_and_a_long_one_takes_no_time() -> None:
    texts = ["<think>golf, I think", "golf " * 200_000, "A " * 100_000, "<think>" * 100_000]
    predictions = [
        Prediction(where="", clip=str(n), answer=text, options=("archery", "golf")) for n, text in enumerate(texts)
    ]
    answers = Answers(predictions, Classes(NAMES, {}))
    assert [one.silence for one in answers.inclusion()] == ["empty", "", "no-class", "empty"]
    assert [one.labels for one in answers.choice()] == [(), ("golf",), ("archery",), ()]


def test_what_an_answer_denies_it_does_not_name() -> None:
    texts = ["It isn't archery, it is golf", "golf rather than diving", "neither golf nor archery", "not the golf"]
    answers = Answers([Prediction(where="", clip=text, answer=text) for text in texts], Classes(NAMES, {}))
    assert [one.labels for one in answers.inclusion()] == [("golf",), ("golf",), (), ()]


def test_an_accent_may_be_a_letter_of_its_own() -> None:
    classes = Classes(("café visit", "visit"), {})
    answer = Prediction(where="", clip="a", answer=normalize("NFD", "It is a café visit"))
    assert [one.labels for one in Answers([answer], classes).inclusion()] == [("café visit",)]


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        ("I'm sorry, I can't assist with that.", True), ("Unable to identify the activity", True), ("unknown", True),
        ("As an AI, I see no video", True), ("None of the options", True), ("N/A", True), ("I do not know", True),
        ("A man cannot ride the horse", False), ("He is not golfing", False), ("nothing but golf", False),
    ],
)  # fmt: skip
def test_a_refusal_says_that_it_cannot_tell(answer: str, refuses: bool) -> None:
    assert bool(words.REFUSAL.search(answer)) is refuses


def test_texts_without_a_name_for_them_are_answers_where_the_user_says_so(tmp_path: Path) -> None:
    place = Place.make(tmp_path, CLIPS)
    file = place.write("plain.json", {clip: f"someone is {name}" for clip, name in CLIPS.items()})
    rows = {row.method.options["mapping"]: row for row in place.score(file, "--words")}
    assert rows["inclusion"].summary["top1_per_video"].mean == 1.0
    assert rows["exact"].summary["top1_per_video"].mean == 0.0
    file = place.write("b.jsonl", [{"video": clip, "reply": name} for clip, name in CLIPS.items()])
    named = place.score(file, "--field", "answer=reply")
    assert {row.summary["top1_per_video"].mean for row in named} == {1.0}
    assert rows["exact"].method.record["mappings_left_out"]["choice"] == "the file gives no options"

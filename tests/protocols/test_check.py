"""A protocol against its data set: the counts of every round, what is wrong, and what a run will lack."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from records import changeable, positional
from zsarbench import protocols
from zsarbench.protocols import check
from zsarbench.protocols.check import Counts, Findings

LABELS = dict(zip("abcdefghij", "AAAABBBCCE", strict=True))
GROUPS = dict(zip("abcdefghij", "1123456678", strict=True))
MANIFEST = pd.DataFrame({"clip_id": list(LABELS), "label": LABELS.values(), "group": GROUPS.values()})
LISTS = {"train": ("a", "b", "c"), "test": ("d", "e", "f", "g", "h", "i")}
TOY: Any = SimpleNamespace(
    classes=("A", "B", "C", "D", "E"), aliases={}, manifest=lambda: MANIFEST, splits=lambda: LISTS
)  # of D there is no clip


def checked(folder: Path, body: str, setting: str = "zsl", head: str = "") -> Findings:
    """Return what a check of a protocol with these rounds finds."""
    path = folder / "toy.toml"
    about = 'name = "toy/one"\nversion = 1\ndataset = "toy"\nsummary = "A toy."\nsource = "made for a test"\n'
    path.write_text(f'{about}setting = "{setting}"\n{head}\n{body}', encoding="utf-8")
    return check.check(protocols.read(path), TOY, MANIFEST)


def round_of(seen: str, candidates: str, more: str = "") -> str:
    """Return a [[rounds]] table of classes by letter."""
    return f"[[rounds]]\nseen = {list(seen)}\ncandidates = {list(candidates)}\n{more}\n"


def test_classes_and_clips_of_every_round_are_counted(tmp_path: Path) -> None:
    twice = round_of("A", "BC") + round_of("A", "CB", "duplicate_of = 0")
    found = checked(tmp_path, twice, head="n_clips = 5")
    counts = Counts(
        round=0, seen=1, seen_clips=4, for_choosing=0, for_choosing_clips=0, candidates=2, test_clips=5,
        duplicate_of=None,
    )  # fmt: skip
    assert (found.problems, found.warnings, found.rounds[0]) == ((), (), counts)
    assert (found.rounds[1].round, found.rounds[1].duplicate_of) == (1, 0)
    assert found.hash is not None
    assert len(found.hash) == 64


def test_validation_classes_that_are_not_seen_are_counted_by_themselves(tmp_path: Path) -> None:
    (one,) = checked(tmp_path, round_of("A", "CE", 'validation = ["B"]'), head="validation_only = true").rounds
    assert (one.seen, one.seen_clips, one.for_choosing, one.for_choosing_clips) == (1, 4, 1, 3)


def test_a_stated_number_of_clips_must_be_that_of_the_data_set(tmp_path: Path) -> None:
    found = checked(tmp_path, round_of("A", "BC") + round_of("B", "CE"), head="n_clips = [5, 4]")
    (problem,) = found.problems
    assert "round 1" in problem
    assert "3 test clips" in problem
    assert [one.test_clips for one in found.rounds] == [5, 3]


def test_a_round_whose_clips_cannot_be_found_is_a_problem_and_others_are_counted(tmp_path: Path) -> None:
    found = checked(tmp_path, round_of("A", "BD") + round_of("A", "BC"))
    assert found.problems == ("round 0 has no clip to test of 1 candidates, e.g. 'D'",)
    assert [one.round for one in found.rounds] == [1]


def test_classes_of_another_data_set_end_the_check(tmp_path: Path) -> None:
    found = checked(tmp_path, round_of("A", "BX") + round_of("Y", "B"))
    assert (found.hash, found.rounds, found.warnings) == (None, (), ())
    assert len(found.problems) >= 2


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        (round_of("D", "BC"), ["round 0: none of the 1 seen classes has a clip here, so methods that learn"]),
        (round_of("AD", "BC"), ["round 0: 1 of 2 seen classes have no clip to learn from, e.g. 'D'"]),
        (round_of("AD", "BC") + round_of("AD", "BE"), ["every round: 1 of 2 seen classes"]),
        (round_of("AD", "BC") + round_of("AD", "BE") + round_of("A", "BC"), ["rounds 0, 1: 1 of 2 seen classes"]),
        (round_of("A", "BC") + round_of("AD", "BC"), ["round 1: 1 of 2 seen classes"]),
        (round_of("", "BC"), []),
    ],
)
def test_seen_classes_without_clips_are_named_with_their_rounds(tmp_path: Path, body: str, warnings: list[str]) -> None:
    found = checked(tmp_path, body).warnings
    assert len(found) == len(warnings)
    assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True)), found


def test_validation_classes_without_clips_are_named(tmp_path: Path) -> None:
    body, head = round_of("A", "BC", 'validation = ["D"]'), "validation_only = true"
    (warning,) = checked(tmp_path, body, head=head).warnings
    assert warning.startswith("round 0: none of the 1 validation classes has a clip here")
    body = round_of("A", "CE", 'validation = ["B", "D"]')
    assert checked(tmp_path, body, head=head).warnings == ()


def test_test_clips_of_a_source_that_is_learnt_from_are_counted(tmp_path: Path) -> None:
    lists = 'train_clips = ["a", "d"]\ntest_clips = ["b", "c", "e", "f", "g", "h", "i"]'
    (warning,) = checked(tmp_path, round_of("A", "ABC", lists), "gzsl").warnings
    assert warning == ("round 0: 1 of 2 test clips of seen classes share a source video with training clips, e.g. 'b'")


CHOICE_HEAD = 'choices = "@options"'


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["e B C", "f C B", "g B C", "h C B", "i C B"], None),
        (["e B C", "f C B", "g B C", "h C B"], "i"),  # no options of a test clip
        (["e B C", "f C B", "g B C", "h C B", "i B D"], "i"),  # not the true class among them
    ],
)
def test_the_options_of_every_test_clip_are_checked(tmp_path: Path, lines: list[str], problem: str | None) -> None:
    (tmp_path / "options.txt").write_text("\n".join(line.replace(" ", "\t") for line in lines), encoding="utf-8")
    found = checked(tmp_path, round_of("", "BC"), "multiple-choice", CHOICE_HEAD)
    assert len(found.problems) == (problem is not None)
    assert problem is None or (found.problems[0].startswith("round 0: ") and f"'{problem}'" in found.problems[0])


def test_findings_cannot_be_changed() -> None:
    assert (changeable(check), positional(check)) == ([], [])

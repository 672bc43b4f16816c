"""Parts of list files, and clips that a protocol takes from official lists of its data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from zsarbench import protocols
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Round

HEAD = """
name = "toy/one"
version = 1
dataset = "toy"
setting = "{setting}"
summary = "A toy."
source = "made for a test"
"""
LABELS = dict(zip("abcdefghi", "AAAABBBCC", strict=True))
GROUPS = dict(zip("abcdefghi", ("A/1", "A/1", "A/2", "A/3", "B/1", "B/2", "film", "film", "C/1"), strict=True))
LISTS = {"train1": ("h", "c", "d", "e"), "test1": ("g", "f", "a", "i"), "films": ("g", "d")}


def toy(lists: dict[str, tuple[str, ...]] = LISTS) -> SimpleNamespace:
    manifest = pd.DataFrame({"clip_id": list(LABELS), "label": LABELS.values(), "group": GROUPS.values()})
    return SimpleNamespace(classes=("A", "B", "C"), aliases={}, manifest=lambda: manifest, splits=lambda: lists)


def read(folder: Path, body: str, setting: str = "zsl") -> protocols.Protocol:
    path = folder / "protocols" / "toy.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD.format(setting=setting) + "[[rounds]]\n" + body, encoding="utf-8")
    return protocols.read(path)


def clips(item: Round) -> tuple[str, str]:
    train, test = protocols.round_clips(item, toy().manifest())
    return "".join(train), "".join(test)


def test_a_part_of_a_file_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "two.txt").write_text("# source\n[seen]\nA\n\n[unseen]\nB\nC\n", encoding="utf-8")
    (item,) = read(tmp_path, 'seen = "@two#seen"\ncandidates = "@two#unseen"').with_official_names(toy())
    assert (item.seen, item.candidates) == (("A",), ("B", "C"))
    with pytest.raises(ZsarbenchError, match=r"two.txt has no part \[seen1\]"):
        read(tmp_path, 'seen = "@two#seen1"\ncandidates = "@two#unseen"')


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "two.txt").write_text("[seen]\nA\n[seen]\nB\n", encoding="utf-8")
    with pytest.raises(ZsarbenchError, match=r"two\.txt has the part \[seen\] twice"):
        read(tmp_path, 'seen = "@two#seen"\ncandidates = ["B", "C"]')


def test_official_lists_are_cut_down_to_the_classes_of_the_round(tmp_path: Path) -> None:
    body = 'seen = ["A"]\ncandidates = ["B", "C"]\ntrain_list = "train1"\ntest_list = "test1"'
    assert clips(read(tmp_path, body).on(toy())[0]) == ("cd", "fgi")
    body = 'seen = ["A"]\ncandidates = ["B", "C"]\ntest_list = "test1"'
    assert clips(read(tmp_path, body).on(toy())[0]) == ("abcd", "fgi")


def test_held_out_clips_take_their_whole_source_out_of_training(tmp_path: Path) -> None:
    body = 'seen = ["A", "C"]\ncandidates = ["A", "B", "C"]\nheld_out_list = "test1"'
    (item,) = read(tmp_path, body, "gzsl").on(toy())
    assert clips(item) == ("cdh", "aefgi")  # b is of a's source video: neither trained on nor tested
    body = 'seen = ["A", "B"]\ncandidates = ["A", "B", "C"]\nheld_out_list = "films"'
    (item,) = read(tmp_path, body, "gzsl").on(toy())
    assert clips(item) == ("abcef", "dghi")


def test_clips_of_validation_classes_that_are_not_seen_are_given_with_the_seen_ones(tmp_path: Path) -> None:
    body = 'seen = ["A"]\nvalidation = ["C"]\ncandidates = ["B", "D"]\n'
    manifest = toy().manifest()
    manifest.loc[len(manifest)] = ["j", "D", "D/1"]
    data = SimpleNamespace(classes=tuple("ABCD"), aliases={}, manifest=lambda: manifest, splits=lambda: LISTS)
    for rule, given in (("", list("abcdhi")), ('train_list = "train1"', list("cdh"))):
        protocol = dataclasses.replace(read(tmp_path, body + rule), validation_only=True)
        (item,) = protocol.on(data)
        assert (item.seen, item.given) == (("A",), ("A", "C"))
        assert protocols.round_clips(item, manifest) == (given, list("efgj"))


def test_the_hash_covers_the_list_without_reading_it(tmp_path: Path) -> None:
    unread = SimpleNamespace(classes=("A", "B", "C"), aliases={})
    bodies = ["", 'test_list = "test1"', 'test_list = "train1"', 'train_list = "test1"']
    digests = {read(tmp_path, f'candidates = ["A", "B"]\n{body}').hash(unread) for body in bodies}
    assert len(digests) == len(bodies)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('test_list = "test2"', "unknown list of the data set 'test2'; did you mean 'test1'"),
        ('test_list = "test1"\ntest_clips = ["a"]', "both test_list and test_clips"),
        ('train_list = "train1"\ntrain_clips = ["a"]', "both train_list and train_clips"),
        ('held_out_list = "test1"\ntrain_list = "train1"', "held_out_list decides training and test clips alone"),
    ],
)
def test_lists_that_do_not_exist_or_contradict_are_refused(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        read(tmp_path, f'candidates = ["A", "B"]\n{body}').on(toy())


@pytest.mark.parametrize("listed", ["a.mp4", "videos/a.avi", "videos\\\\a.avi", "./a"])
def test_the_error_for_a_list_of_files_says_that_clips_are_listed_by_their_ids(tmp_path: Path, listed: str) -> None:
    protocol = read(tmp_path, f'candidates = ["A", "B"]\ntest_clips = ["{listed}", "e"]')
    with pytest.raises(ZsarbenchError, match=r"did you mean 'a'\? A clip is listed by its id"):
        protocols.round_clips(protocol.on(toy())[0], toy().manifest())

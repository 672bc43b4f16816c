"""Protocol files: their defaults, what contradicts itself in them, and the lists that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from records import changeable, positional
from zsarbench.errors import ZsarbenchError
from zsarbench.protocols import files
from zsarbench.protocols.files import ListReader, ProtocolFile, read_file

HEAD = 'name = "toy/one"\nversion = 1\ndataset = "toy"\nsetting = "{}"\nsummary = "A toy."\nsource = "This."\n'
ROUND = '[[rounds]]\ncandidates = ["A", "B"]\n'


def read(folder: Path, *rounds: str, head: str = "", setting: str = "zsl") -> ProtocolFile:
    """Write a protocol file and return its content."""
    path = folder / "toy.toml"
    path.write_text(HEAD.format(setting) + head + "\n" + "\n".join(rounds), encoding="utf-8")
    return read_file(path)


def test_what_a_file_leaves_out_has_a_default(tmp_path: Path) -> None:
    file = read(tmp_path, ROUND)
    assert (file.class_text, file.notes, file.clip_list, file.choices) == ("name", "", "", "")
    assert (file.validation_only, dict(file.parts), dict(file.options), file.n_clips) == (False, {}, {}, None)
    (item,) = file.rounds
    assert (item.seen, item.validation, item.train_clips, item.seed, item.duplicate_of) == ((), (), None, None, None)
    assert item.clip_lists == {}
    assert file.n_clips_of(0) is None
    assert set(file.description()) == {
        "name", "version", "dataset", "setting", "summary", "source", "class_text", "notes", "clip_list",
        "validation_only", "parts", "options", "choices",
    }  # fmt: skip


def test_clips_are_counted_for_all_rounds_or_for_each(tmp_path: Path) -> None:
    assert [read(tmp_path, ROUND, ROUND, head="n_clips = 7").n_clips_of(number) for number in (0, 1)] == [7, 7]
    assert [read(tmp_path, ROUND, ROUND, head="n_clips = [7, 8]").n_clips_of(number) for number in (0, 1)] == [7, 8]
    with pytest.raises(ZsarbenchError, match="n_clips has 2 counts for 1 rounds"):
        read(tmp_path, ROUND, head="n_clips = [7, 8]")


def test_official_lists_are_known_by_what_they_are_for(tmp_path: Path) -> None:
    (item,) = read(tmp_path, ROUND + 'train_list = "train1"\ntest_list = "test1"').rounds
    assert item.clip_lists == {"train_list": "train1", "test_list": "test1"}


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"train_list": '"x"', "train_clips": '["a"]'}, ["rounds[0] has both train_list and train_clips"]),
        ({"test_list": '"x"', "test_clips": '["a"]'}, ["rounds[0] has both test_list and test_clips"]),
        ({"test_list": '"x"', "train_clips": '["a"]'}, []),
        ({"train_clips": '["a"]', "test_clips": '["b"]'}, []),
        ({"held_out_list": '"x"'}, []),
        ({"held_out_list": '"x"', "train_clips": '["a"]'}, ["held_out_list decides training and test clips alone"]),
        ({"held_out_list": '"x"', "test_list": '"y"'}, ["held_out_list decides training and test clips alone"]),
    ],
)
def test_the_clips_of_one_side_come_from_one_place(tmp_path: Path, fields: dict[str, str], problems: list[str]) -> None:
    body = ROUND + "\n".join(f"{name} = {value}" for name, value in fields.items())
    if not problems:
        read(tmp_path, body)
        return
    with pytest.raises(ZsarbenchError) as error:
        read(tmp_path, body)
    assert all(problem in str(error.value) for problem in problems)
    assert str(error.value).count("\n") == len(problems)


def test_choices_are_of_a_multiple_choice_alone(tmp_path: Path) -> None:
    assert read(tmp_path, ROUND, head='choices = "@x"', setting="multiple-choice").choices == "@x"
    with pytest.raises(ZsarbenchError, match="choices are of the setting multiple-choice, and the setting is zsl"):
        read(tmp_path, ROUND, head='choices = "@x"')
    with pytest.raises(ZsarbenchError, match=r"the setting multiple-choice needs choices\. Try: zsarbench protocol"):
        read(tmp_path, ROUND, setting="multiple-choice")


def test_lists_lie_in_splits_or_next_to_the_file_and_have_parts(tmp_path: Path) -> None:
    (tmp_path / "protocols").mkdir()
    (tmp_path / "splits").mkdir()
    reader = ListReader(tmp_path / "protocols" / "toy.toml")
    (tmp_path / "protocols" / "near.txt").write_text("A\n", encoding="utf-8")
    assert (reader.names("@near"), reader.names(["B"])) == (("A",), ("B",))
    (tmp_path / "splits" / "near.txt").write_text("A\n[x]\nB\nC\n[y]\n[z\nD\n", encoding="utf-8")
    assert reader.names("@near#x") == ("B", "C")
    assert reader.names("@near#y") == ()
    assert len(reader.names("@near")) == 7
    with pytest.raises(ZsarbenchError, match=r"near.txt has no part \[w\]"):
        reader.names("@near#w")


def test_a_list_is_read_once(tmp_path: Path) -> None:
    reader = ListReader(tmp_path / "protocols" / "toy.toml")
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "a.txt").write_text("A\n", encoding="utf-8")
    assert reader.names("@a") == ("A",)
    (tmp_path / "protocols" / "a.txt").write_text("B\n", encoding="utf-8")
    assert reader.names("@a") == ("A",)


def test_protocol_files_cannot_be_changed() -> None:
    assert (changeable(files), positional(files)) == ([], [])

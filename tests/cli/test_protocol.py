"""`zsarbench protocol show` and `check`: what they show of a first-party protocol, and of one on a user's own clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from zsarbench.cli.main import cli
from zsarbench.errors import ZsarbenchError

HEAD = """
name = "mine/one"
version = 1
dataset = "folder"
setting = "zsl"
summary = "Mine."
source = "made for a test"
clip_list = "mine-8"
n_clips = [2, 4, 2]
"""
ROUNDS = """
[[rounds]]
seen = ["a", "b"]
candidates = ["c", "d"]
train_list = "first"
test_list = "first"

[[rounds]]
seen = ["a"]
candidates = ["c", "d"]

[[rounds]]
seen = ["b", "a"]
candidates = ["c", "d"]
train_list = "first"
test_list = "first"
duplicate_of = 0
"""


def zsarbench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["--quiet", *map(str, arguments)])


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Two clips of each of four classes, the first of each in a list: the options that name their CSV file."""
    rows = [
        f"{name}{number}.mp4,{name},,,{name},{'first' if number == 0 else ''}" for name in "abcd" for number in (0, 1)
    ]
    for row in rows:
        (tmp_path / row.split(",")[0]).touch()
    (tmp_path / "clips.csv").write_text("\n".join(["clip,label,start,end,group,split", *rows]))
    return ["--data-root", f"folder={tmp_path}", "--set", f"dataset.annotations={tmp_path / 'clips.csv'}"]


def write(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text((HEAD + ROUNDS).replace(old, new) if old else HEAD + ROUNDS)
    return path


def test_show_tells_counts_lists_and_repeated_rounds(tmp_path: Path, clips: list[str]) -> None:
    shown = zsarbench("protocol", "show", write(tmp_path), *clips)
    assert shown.exit_code == 0, shown.output
    for line in (
        "clip list: mine-8",
        "source: made for a test",
        "3 rounds, 2 distinct",
        "resolves: nothing, fewer than 10 classes have no paired test",
        "round 0: 2 seen, 0 validation, 2 candidates, 2 test clips, train list first, test list first",
        "round 1: 1 seen, 0 validation, 2 candidates, 4 test clips",
        "round 2: 2 seen, 0 validation, 2 candidates, 2 test clips, train list first, test list first, repeats round 0",
    ):
        assert line in shown.stdout.splitlines()
    content = json.loads(zsarbench("protocol", "show", write(tmp_path), "--json", *clips).stdout)
    assert (content["clip_list"], content["distinct_rounds"], len(content["hash"])) == ("mine-8", 2, 64)
    expected: dict[str, Any] = {"seen": ["b", "a"], "train_list": "first", "held_out_list": None, "test_clips": 2}
    assert {**content["rounds"][2], **expected, "duplicate_of": 0} == content["rounds"][2]


def test_check_counts_and_tells_the_source(tmp_path: Path, clips: list[str]) -> None:
    checked = zsarbench("protocol", "check", write(tmp_path), *clips)
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.splitlines()[-5:] == [
        checked.stdout.splitlines()[-5],
        "round 0: 2 seen with 2 clips, 2 candidates with 2 clips",
        "round 1: 1 seen with 2 clips, 2 candidates with 4 clips",
        "round 2: 2 seen with 2 clips, 2 candidates with 2 clips, repeats round 0",
        "mine/one holds: 3 rounds, 2 distinct",
    ]
    assert "source: made for a test" in checked.stdout
    content = json.loads(zsarbench("protocol", "check", write(tmp_path), "--json", *clips).stdout)
    assert content["holds"]
    assert content["source"] == "made for a test"
    assert [item["test_clips"] for item in content["rounds"]] == [2, 4, 2]


def test_check_lists_all_that_is_wrong(tmp_path: Path, clips: list[str]) -> None:
    path = write(tmp_path, "[2, 4, 2]", "[3, 5, 2]")
    checked = zsarbench("protocol", "check", path, *clips)
    assert checked.exit_code == 1
    wrong = [line for line in checked.stdout.splitlines() if line.startswith("wrong: ")]
    assert [line.split(" has ")[1] for line in wrong] == [
        "2 test clips in data set 'folder', but its file states 3",
        "4 test clips in data set 'folder', but its file states 5",
    ]
    assert checked.stdout.splitlines()[-1] == "mine/one does not hold: 2 wrong"
    content = json.loads(zsarbench("protocol", "check", path, "--json", *clips).stdout)
    assert (content["holds"], len(content["problems"]), len(content["rounds"])) == (False, 2, 3)
    path = write(tmp_path, 'candidates = ["c", "d"]', 'candidates = ["cc", "d"]')
    content = json.loads(zsarbench("protocol", "check", path, "--json", *clips).stdout)
    assert [problem.split(";")[0] for problem in content["problems"]] == [
        f"candidates of round {number} of protocol 'mine/one': unknown class 'cc'" for number in range(3)
    ]
    assert content["hash"] is None


def test_check_warns_where_there_is_nothing_to_learn_from(tmp_path: Path, clips: list[str]) -> None:
    path = write(tmp_path, 'train_list = "first"', "train_clips = []")
    checked = zsarbench("protocol", "check", path, *clips)
    assert checked.exit_code == 0, checked.output
    assert (
        "warning: rounds 0, 2: none of the 2 seen classes has a clip here, so methods that learn from them are refused"
        in checked.stdout.splitlines()
    )
    path = write(tmp_path, 'seen = ["a"]', 'seen = ["a"]\ntrain_clips = ["a0"]\nvalidation = ["b"]')
    path.write_text(path.read_text().replace("[2, 4, 2]", "[2, 4, 2]\nvalidation_only = true"))
    assert "none of the 1 validation classes has a clip here" in zsarbench("protocol", "check", path, *clips).stdout


def test_a_protocols_own_options_of_the_data_set_apply(tmp_path: Path, clips: list[str]) -> None:
    path = write(tmp_path)
    path.write_text(f'{path.read_text()}\n[options.dataset.folder]\nannotations = "{tmp_path / "clips.csv"}"\n')
    for verb in ("show", "check"):
        done = zsarbench("protocol", verb, path, *clips[:2])
        assert done.exit_code == 0, done.output


def test_a_protocol_on_a_folder_says_what_to_type(tmp_path: Path) -> None:
    for verb in ("show", "check"):
        failed = zsarbench("protocol", verb, write(tmp_path))
        assert isinstance(failed.exception, ZsarbenchError)
        assert "--data-root folder=" in str(failed.exception)


@pytest.mark.parametrize(
    "named", ["handstandpushups, archery", "HandStandPushups, HandstandPushups", "HandStandPushups, archery"]
)
def test_classes_that_differ_in_spelling_alone_are_refused(tmp_path: Path, named: str) -> None:
    """A list has one of them or cannot tell them apart; the clips of the other would be left out silently."""
    for name in ("HandStandPushups", "HandstandPushups", "archery"):
        (tmp_path / "v" / name).mkdir(parents=True)
        (tmp_path / "v" / name / "a.mp4").touch()
    (tmp_path / "p.toml").write_text(
        HEAD.replace("n_clips = [2, 4, 2]\n", "") + f"[[rounds]]\ncandidates = {named.split(', ')}\n"
    )
    root = ("--data-root", f"folder={tmp_path / 'v'}")
    done = zsarbench("protocol", "check", tmp_path / "p.toml", *root)
    assert done.exit_code == 1
    assert "cannot tell 'HandStandPushups' and 'HandstandPushups' of data set 'folder' apart" in done.output
    pytest.importorskip("torch", reason="a run needs torch")
    run = zsarbench("run", "--method", "chance", "--protocol", tmp_path / "p.toml", *root)
    assert "cannot tell 'HandStandPushups' and 'HandstandPushups'" in str(run.exception)


def test_lists_next_to_a_protocol_are_read_as_people_write_them(tmp_path: Path, clips: list[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("\ufeff" + HEAD.replace("[2, 4, 2]", "4") + '[[rounds]]\ncandidates = "@two"\n', encoding="utf-8")
    (tmp_path / "two.txt").write_bytes("\ufeff# mine\r\n c \r\n\r\nd\u00a0\r\n".encode())
    assert zsarbench("protocol", "check", path, *clips).exit_code == 0
    (tmp_path / "two.txt").write_bytes("c\nd\u00e9\n".encode("latin-1"))
    assert "two.txt, line 2 is not UTF-8 text" in str(zsarbench("protocol", "check", path, *clips).exception)
    path.write_text(path.read_text(encoding="utf-8").replace("@two", "@" + "x" * 300), encoding="utf-8")
    assert "cannot be read: File name too long" in str(zsarbench("protocol", "check", path, *clips).exception)


def test_show_says_which_difference_a_protocol_resolves_and_what_that_assumes() -> None:
    (line,) = [
        line for line in zsarbench("protocol", "show", "sketch/compositional").stdout.splitlines() if "resolves" in line
    ]
    between = "between two methods, of 12.0 on a board of 6 (80 % power at 5 %), if two methods"
    assert line.startswith(f"resolves: differences of 8.7 points in top1_per_video {between}")
    assert "differ in single classes by 25 points" in line
    resolves = json.loads(zsarbench("protocol", "show", "sketch/compositional", "--json").stdout)["resolves"]
    assert resolves["class_deviation"] == 0.25
    assert resolves["difference"] == pytest.approx(0.0875, abs=1e-3)
    assert resolves["board"] == {"n_methods": 6, "difference": pytest.approx(0.1196, abs=1e-3)}


# --- choices ----------------------------------------------------------------------------------------------------------


def test_choices_draws_four_options_of_each_clip_unless_another_number_is_asked(
    tmp_path: Path, clips: list[str]
) -> None:
    path = tmp_path / "all.toml"
    path.write_text(HEAD.replace("[2, 4, 2]", "8") + '[[rounds]]\ncandidates = ["a", "b", "c", "d"]\n')
    done = zsarbench("protocol", "choices", path, "--out", tmp_path / "four.toml", *clips)
    assert done.exit_code == 0, done.exception
    listed = tmp_path / "four-options.txt"
    assert done.stdout == f"protocol: {tmp_path / 'four.toml'}\noptions: {listed}\n"
    two = zsarbench("protocol", "choices", path, "--out", tmp_path / "two.toml", "--options", 2, *clips)
    assert two.exit_code == 0, two.exception
    for file, n_options in ((listed, 4), (tmp_path / "two-options.txt", 2)):
        rows = [line.split("\t") for line in file.read_text().splitlines() if not line.startswith("#")]
        assert {len(row) for row in rows} == {1 + n_options}
        assert len(rows) == 8
    missing = zsarbench("protocol", "choices", path, *clips)
    assert (missing.exit_code, "Missing option '--out'" in missing.output) == (2, True)


def test_the_page_of_choices_states_the_defaults() -> None:
    text = " ".join(zsarbench("protocol", "choices", "--help").stdout.split())
    for stated in ("per clip. [default: 4]", "of class texts). [default: random]", "and their order. [default: 0]"):
        assert stated in text

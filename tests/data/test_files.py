"""Which files below a folder are taken: hidden files, links and other kinds are distinguished."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zsarbench.data.files import HIDDEN, files_below
from zsarbench.errors import UsageError
from zsarbench.utils.file_names import VIDEO_SUFFIXES


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def taken(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in files_below(root, VIDEO_SUFFIXES).taken]


def test_hidden_files_and_folders_are_left_out_and_reported(tmp_path: Path) -> None:
    root = touched(tmp_path, "x/a.mp4", "x/._a.mp4", "x/.DS_Store", ".git/b.mp4", "x/@eaDir/a.mp4", "__MACOSX/x/a.mp4")
    assert taken(root) == ["x/a.mp4"]
    left_out = files_below(root, VIDEO_SUFFIXES).left_out
    assert {path.relative_to(root).as_posix() for path in left_out} == {
        "x/._a.mp4", "x/.DS_Store", ".git", "x/@eaDir", "__MACOSX",
    }  # fmt: skip
    assert set(left_out.values()) == {HIDDEN}


@pytest.mark.parametrize("ending", ["ts", "mts", "M2TS", "ogv", "vob", "mpe", "gif", "asf", "rmvb"])
def test_videos_of_every_ending_are_taken(tmp_path: Path, ending: str) -> None:
    assert taken(touched(tmp_path, f"x/a.{ending}")) == [f"x/a.{ending}"]


def test_files_of_other_kinds_are_counted_by_ending(tmp_path: Path) -> None:
    found = files_below(touched(tmp_path, "a.mp4", "x/b.TXT", "x/c.txt", "x/d", "e.npy"), VIDEO_SUFFIXES)
    assert found.others == {".txt": 2, "": 1, ".npy": 1}
    assert found.others_in_words() == "2 .txt, 1 without an ending, 1 .npy"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("..", "a folder above it"),
        (".", "a folder above it"),
        ("../..", "a folder above it"),
        ("../bowling", "which is searched"),
    ],
)
def test_links_that_lead_back_are_left_out_and_reported(tmp_path: Path, target: str, why: str) -> None:
    root = touched(tmp_path / "videos", "archery/a.mp4", "bowling/b.mp4")
    (root / "archery" / "all").symlink_to(target)
    assert taken(root) == ["archery/a.mp4", "bowling/b.mp4"]
    ((link, reason),) = files_below(root, VIDEO_SUFFIXES).left_out.items()
    assert link == root / "archery" / "all"
    assert reason == f"a link to {(root / 'archery' / target).resolve()}, {why}"


def test_links_to_files_and_folders_elsewhere_are_followed(tmp_path: Path) -> None:
    store = touched(tmp_path / "store", "k/c.mp4", "d.mp4")
    root = touched(tmp_path / "videos", "x/a.mp4")
    (root / "y").symlink_to(store)
    (store / "k" / "up").symlink_to("..")  # a loop there is one too
    (store / "k" / "home").symlink_to(root)
    (root / "x" / "d.mp4").symlink_to(store / "d.mp4")
    assert taken(root) == ["x/a.mp4", "x/d.mp4", "y/d.mp4", "y/k/c.mp4"]
    assert len(files_below(root, VIDEO_SUFFIXES).left_out) == 2


def test_a_broken_link_is_a_file_that_will_be_found_missing(tmp_path: Path) -> None:
    touched(tmp_path, "x/a.mp4")
    (tmp_path / "x" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "x" / "self.mp4").symlink_to("self.mp4")
    assert taken(tmp_path) == ["x/a.mp4", "x/gone.mp4", "x/self.mp4"]


def test_pipes_are_not_opened_and_depth_is_kept(tmp_path: Path) -> None:
    touched(tmp_path, "1/2/3/a.mp4", "1/2/b.mp4")
    os.mkfifo(tmp_path / "1" / "pipe.mp4")
    assert taken(tmp_path) == ["1/2/3/a.mp4", "1/2/b.mp4"]
    assert [path.name for path in files_below(tmp_path, VIDEO_SUFFIXES, max_depth=2).taken] == ["b.mp4"]


def test_a_folder_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        files_below(tmp_path / "none", VIDEO_SUFFIXES)

"""Data sets of the user's own: class folders and CSV files."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from zsarbench.data.manifest import checked_manifest
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench_datasets.folder import Folder


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def written(folder: Path, text: str) -> Path:
    (folder / "clips.csv").write_text(text, encoding="utf-8")
    return folder / "clips.csv"


def test_a_folder_per_class(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "long_jump/a.mp4", "long_jump/day2/a.MKV", "YoYo/a.mp4", "YoYo/a.avi", "YoYo/notes.txt", "x.mp4"
    )
    data = Folder(root=root)
    frame = checked_manifest(data, "folder")
    assert data.classes == ("YoYo", "long_jump")
    assert dict(zip(frame["clip_id"], frame["label"], strict=True)) == {
        "YoYo/a": "YoYo",
        "YoYo/a.mp4": "YoYo",  # two files of one name stay two clips
        "long_jump/a": "long_jump",
        "long_jump/day2/a": "long_jump",
    }
    assert frame.set_index("clip_id").at["long_jump/day2/a", "path"] == str(tmp_path / "long_jump/day2/a.MKV")
    assert [text.texts for text in data.class_texts("name")] == [("Yo Yo",), ("long jump",)]
    assert data.splits() == data.captions() == {}
    before = data.revision
    touch(root, "YoYo/b.mp4")
    assert Folder(root=root).revision != before == data.revision


def test_videos_are_found_at_any_depth_and_those_of_no_class_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = Folder(root=touch(tmp_path, "jump/2024/05/17/camera/b.mp4", "jump/a.mp4", "lost.mp4"))
    assert data.manifest()["clip_id"].tolist() == ["jump/2024/05/17/camera/b", "jump/a"]
    assert f"1 videos lie in {tmp_path} itself, so they have no class and are left out: lost.mp4" in caplog.text


def test_a_csv_file_of_clips(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeffclip,label,start,end,group,split\n"
        "one.mp4,run,,,film,test\none.mp4,jump,1.5,4,film,train\none.mp4,jump,4,,film,train\nsub/two,,,,,\n",
    )
    data = Folder(root=tmp_path / "videos", annotations=path)
    frame = checked_manifest(data, "folder").set_index("clip_id")
    assert data.classes == ("jump", "run")
    assert list(frame.index) == ["one", "one#1.5-4", "one#4-", "sub/two"]
    assert frame.at["one#1.5-4", "path"] == str(tmp_path / "videos/one.mp4")
    assert frame["start"].dropna().tolist() == [1.5, 4]
    assert frame["end"].dropna().tolist() == [4]
    assert pd.isna(frame.at["sub/two", "label"])
    assert frame["group"].tolist() == ["film", "film", "film", "sub/two"]
    assert data.splits() == {"test": ("one",), "train": ("one#1.5-4", "one#4-")}
    assert Folder(annotations=path).manifest()["path"][0] == str(tmp_path / "one.mp4")  # next to the file


def test_columns_that_are_not_read_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert (
        len(Folder(annotations=written(tmp_path, "Clip,LABEL,Start_Time,end_time\na.mp4,jump,1,2\n")).manifest()) == 1
    )
    assert "the columns start_time, end_time are not read; those that are: clip, label, start, end" in caplog.text
    caplog.clear()
    assert len(Folder(annotations=written(tmp_path, "clip,label,start,end\na.mp4,jump,1,2\n")).manifest()) == 1
    assert not caplog.text


def test_all_that_a_csv_file_says_is_in_the_revision(tmp_path: Path) -> None:
    """A protocol's hash has the name of an official list alone: swapped lists must not pass for one another."""
    first = "clip,label,start,end,group,split\na.mp4,run,0,4,film,test\nb.mp4,jump,0,4,show,train\n"
    others = {
        first.replace("test", "x").replace("train", "test").replace(",x", ",train"),
        first.replace("film", "show"),
        first.replace("run", "walk"),
        first.replace("0,4,film", "0,5,film"),
        first.replace("b.mp4", "c.mp4"),
    }
    revisions = {Folder(annotations=written(tmp_path, text)).revision for text in (first, *others)}
    assert len(revisions) == 1 + len(others) == 6
    assert Folder(annotations=written(tmp_path, first)).revision in revisions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,start\nx.mp4,1\n", "lacks the columns label"),
        ("clip,label,start,end\nx.mp4,run,soon,\n", r"line 2: start and end are seconds, not 'soon'"),
        ("clip,label,start,end\nx.mp4,run,5,4\n", "line 2: a clip cannot go from 5 to 4"),
        ("clip,label\nx.mp4,run\nx.avi,run\n", "line 3: clip 'x' is listed twice"),
    ],
)
def test_malformed_csv_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        Folder(annotations=written(tmp_path, text)).manifest()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert Folder().classes == ()
    with pytest.raises(UsageError, match="--data-root folder="):
        Folder().manifest()
    with pytest.raises(UsageError, match=r"annotations .*none\.csv does not exist"):
        Folder(annotations=tmp_path / "none.csv").manifest()
    with pytest.raises(UsageError, match="lie in no class folder"):
        Folder(root=touch(tmp_path, "a.mp4")).manifest()
    with pytest.raises(UsageError, match="--class-text name"):
        Folder().class_texts("sentence")


# --- what people write into a CSV file, and keep in a folder ---


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    return touch(tmp_path / "videos", "c1.mp4", "c2.mp4", "c3.MP4", "sub/w.mp4", "cafe\u0301.mp4", "clip.v1.webm")


def listed(videos: Path, text: str) -> dict[str, str]:
    """Return the file of each clip, below the folder of videos."""
    frame = checked_manifest(Folder(root=videos, annotations=written(videos.parent, text)), "folder")
    return {
        clip: str(Path(path).relative_to(videos)) for clip, path in zip(frame["clip_id"], frame["path"], strict=True)
    }


@pytest.mark.parametrize(
    ("cell", "clip", "file"),
    [
        ("c1", "c1", "c1.mp4"),
        (" c1.mp4 ", "c1", "c1.mp4"),
        ("sub\\w.mp4", "sub/w", "sub/w.mp4"),
        (".\\sub\\w", "sub/w", "sub/w.mp4"),
        ("c3.mp4", "c3", "c3.MP4"),
        ("caf\u00e9.mp4", "caf\u00e9", "cafe\u0301.mp4"),
        ("clip.v1", "clip.v1", "clip.v1.webm"),
        ("none.mp4", "none", "none.mp4"),  # stays, and will be found missing
        ("none", "none", "none"),
    ],
)
def test_a_clip_is_the_file_that_its_cell_means(videos: Path, cell: str, clip: str, file: str) -> None:
    assert listed(videos, f"clip,label\n{cell},run\n") == {clip: file}


def test_a_clip_that_may_be_two_files_is_refused(videos: Path) -> None:
    touch(videos, "c1.avi")
    with pytest.raises(UsageError, match=r"line 2: 'c1' can be c1\.avi or c1\.mp4\. Try: the name with its ending"):
        listed(videos, "clip,label\nc1,run\n")


@pytest.mark.parametrize("cell", ["", ".", "..", "\\", "x" * 300 + ".mp4", "é" * 130 + "/c1.mp4"])
def test_a_cell_that_names_no_file_is_refused_with_its_line(videos: Path, cell: str) -> None:
    with pytest.raises(UsageError, match=r"annotations .*clips\.csv, line 3: "):
        listed(videos, f"clip,label\nc1.mp4,run\n{cell},run\n")


@pytest.mark.parametrize("row", ['c1.mp4,"a\nb"', "c1.mp4,\x1b[1mrun", '"c1\n.mp4",run'])
def test_a_cell_with_a_line_break_or_a_control_character_is_refused(videos: Path, row: str) -> None:
    with pytest.raises(UsageError, match=r"line 2: its cell in the column (clip|label) holds a line break"):
        listed(videos, f"clip,label\n{row}\n")


def test_labels_and_lists_have_no_blanks_around_them(videos: Path) -> None:
    path = written(videos.parent, "clip,label,split\nc1.mp4, a ,test\nc2.mp4,a,test \n")
    data = Folder(root=videos, annotations=path)
    assert data.classes == ("a",)
    assert data.splits() == {"test": ("c1", "c2")}


def test_spans_that_differ_in_any_digit_are_clips_of_their_own(videos: Path) -> None:
    rows = "c1,a,0.1234567,0.2\nc1,a,0.1234568,0.2\nc2,a,1234567.1,1234568\nc2,a,1234567.2,1234568\n"
    assert set(listed(videos, "clip,label,start,end\n" + rows)) == {
        "c1#0.1234567-0.2", "c1#0.1234568-0.2", "c2#1234567.1-1234568", "c2#1234567.2-1234568",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("nan", "nan", "start and end are seconds, not 'nan' and 'nan'"),
        ("NaN", "", "start and end are seconds"),
        ("", "inf", "start and end are seconds"),
        ("1e400", "", "start and end are seconds"),
        ("1_0", "20", "start and end are seconds"),
        ("00:01", "00:02", "start and end are seconds"),
        ("'1,5'", "", "start and end are seconds"),
        ("-1", "2", "a clip cannot go from -1 to 2"),
        ("", "-2", "a clip cannot go from 0 to -2"),
        ("", "0", "a clip cannot go from 0 to 0"),
        ("5", "5", "a clip cannot go from 5 to 5"),
    ],
)
def test_times_that_are_none_are_refused_with_their_line(videos: Path, start: str, end: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"line 3: {message}"):
        listed(videos, f'clip;label;start;end\nc1;a;;\nc2;a;"{start}";"{end}"\n')


def test_a_span_is_of_its_whole_file_s_video(videos: Path) -> None:
    """So that features of the whole file, kept under its own name, are cut."""
    path = written(videos.parent, "clip,label,start,end\nsub/w.mp4,a,1,2\nc1,a,,\n")
    frame = Folder(root=videos, annotations=path).manifest().set_index("clip_id")
    assert frame["video"].to_dict() == {"c1": "c1", "sub/w#1-2": "sub/w"}


def test_hidden_files_and_links_that_lead_back_are_not_clips(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = touch(tmp_path, "archery/a.mp4", "archery/._a.mp4", ".git/x.mp4", "__MACOSX/archery/a.mp4", "bowling/b.mp4")
    (root / "archery" / "all").symlink_to("..")
    with caplog.at_level("INFO"):
        frame = checked_manifest(Folder(root=root), "folder")
    assert list(frame["clip_id"]) == ["archery/a", "bowling/b"]
    assert Folder(root=root).classes == ("archery", "bowling")
    assert "3 hidden files and folders are left out" in caplog.text
    assert f"{root / 'archery' / 'all'} is left out: it is a link to {root}" in caplog.text


def test_a_name_that_is_not_utf8_is_a_clip_like_any_other(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/bowl\xe9"
    os.mkdir(folder)
    for name in (b"bad\xe9.mp4", b"new\nline.mp4", "café.mp4".encode()):
        open(folder + b"/" + name, "wb").close()
    data = Folder(root=tmp_path)
    frame = checked_manifest(data, "folder")
    assert list(frame["clip_id"]) == ["bowl\\xe9/bad\\xe9", "bowl\\xe9/café", "bowl\\xe9/new\\x0aline"]
    assert data.classes == ("bowl\\xe9",)
    assert all(os.path.isfile(path) for path in frame["path"])
    assert data.revision == Folder(root=tmp_path).revision


def test_the_error_for_a_folder_of_other_files_names_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no video file is in .* or its folders, but 2 \.jpg, 1 \.txt\. Try:"):
        Folder(root=touch(tmp_path, "x/1.jpg", "x/2.JPG", "x/a.txt")).manifest()

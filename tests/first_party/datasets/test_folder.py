"""Data sets of the user's own: class folders and CSV files."""

from __future__ import annotations

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
    assert Folder(annotations=path).manifest()["path"][0] == str(tmp_path / "one.mp4")  # beside the file


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

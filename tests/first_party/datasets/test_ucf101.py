"""UCF-101 from synthetic lists and folders, and from the real ones."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from zsarbench.data.downloads import Download, RemoteFile
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import match
from zsarbench_datasets import ucf101
from zsarbench_datasets.ucf101 import UCF101, readable

realdata = pytest.mark.realdata
MIRROR = os.environ.get("ZSARBENCH_MIRROR")

CLIPS = {
    "v_HandStandPushups_g01_c01": "HandstandPushups",
    "v_HandStandPushups_g25_c02": "HandstandPushups",
    "v_Archery_g01_c01": "Archery",
    "v_Archery_g01_c02": "Archery",
    "v_YoYo_g03_c01": "YoYo",
}
FEW = "v_Archery_g01_c02.avi 0\nv_HandStandPushups_g01_c01.avi 7\n"
TEST = {"v_Archery_g01_c01", "v_YoYo_g03_c01"}


def synthetic_download(folder: Path, name: str, files: Mapping[str, bytes]) -> Download:
    """Write files of a synthetic repository into the mirror folder and pin them."""
    source = f"someone/{name}/0123"
    for path, content in files.items():
        (folder / source / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / source / path).write_bytes(content)
    pinned = tuple(
        RemoteFile(path, hashlib.sha256(content).hexdigest(), len(content)) for path, content in files.items()
    )
    return Download(name=name, files=pinned, source=source, licence="MIT", summary="Made.")


@pytest.fixture
def synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder with lists of five clips, their captions and the sentences of all classes."""
    mirror = tmp_path / "mirror"
    lines = {clip: f"{label}/{clip}.avi" for clip, label in CLIPS.items()}
    train = "".join(f"{line} 1\r\n" for clip, line in lines.items() if clip not in TEST)
    test = "".join(f"{line}\r\n" for clip, line in lines.items() if clip in TEST)
    halves = {"train": train, "test": test}
    lists = {f"data/ucfTrainTestlist/{h}list0{n}.txt": halves[h].encode() for n in (1, 2, 3) for h in halves}
    observers = {
        f"data/observers/ucf101_{observer}.json": json.dumps(
            {"results": {clip: [{"sentence": f" {observer} sees {clip}  "}] for clip in CLIPS}}
        ).encode()
        for observer in ucf101.OBSERVERS
    }
    name_of = {name: readable(name).lower().replace(" ", "_") for name in UCF101.classes}
    texts = {f"data/texts/{file}.txt": f"Someone does {name}.\n".encode() for name, file in name_of.items()}
    texts["data/texts/archery.txt"] = b"  Arrows \xff\xe9 fly \xe2\x80\x93 far. \r\n"
    monkeypatch.setattr(ucf101, "LISTS", synthetic_download(mirror, "lists", lists))
    monkeypatch.setattr(ucf101, "CAPTIONS", synthetic_download(mirror, "captions", observers))
    few = {f"datasets_splits/base2novel_splits/ucf_splits/fs_base_s{n}_train.txt": FEW.encode() for n in (1, 2, 3)}
    monkeypatch.setattr(ucf101, "BASE_TO_NOVEL", synthetic_download(mirror, "few", few))
    monkeypatch.setattr(ucf101, "SENTENCES", synthetic_download(mirror, "sentences", {"LICENSE": b"MIT", **texts}))
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZSARBENCH_MIRROR", str(mirror))
    return mirror


def test_the_manifest_takes_labels_from_the_lists(synthetic: Path) -> None:
    frame = UCF101().manifest()
    assert list(frame.columns) == ["clip_id", "label", "path", "start", "end", "group"]
    assert dict(zip(frame["clip_id"], frame["label"], strict=True)) == CLIPS
    assert list(frame["clip_id"]) == sorted(CLIPS)
    assert set(frame["group"]) == {"HandstandPushups/g01", "HandstandPushups/g25", "Archery/g01", "YoYo/g03"}
    assert frame[["path", "start", "end"]].isna().all(axis=None)


def test_with_a_folder_each_listed_clip_has_the_path_where_it_is_or_should_be(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    videos = tmp_path / "UCF-101"
    for name in (
        "HandStandPushups/v_HandStandPushups_g01_c01.avi",  # a copy that spells the folder as the files
        "Archery/v_Archery_g01_c01.avi",
        "Archery/v_Archery_g99_c01.avi",
        "Archery/notes.txt",
        "Nonsense/v_Nonsense_g01_c01.avi",
    ):
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        (videos / name).touch()
    monkeypatch.chdir(tmp_path)

    with caplog.at_level(logging.INFO):
        frame = UCF101(root=Path("UCF-101")).manifest().set_index("clip_id")

    assert len(frame) == len(CLIPS)
    assert frame["path"].to_dict() == {
        "v_HandStandPushups_g01_c01": str(videos / "HandStandPushups/v_HandStandPushups_g01_c01.avi"),
        "v_HandStandPushups_g25_c02": str(videos / "HandStandPushups/v_HandStandPushups_g25_c02.avi"),
        "v_Archery_g01_c01": str(videos / "Archery/v_Archery_g01_c01.avi"),
        "v_Archery_g01_c02": str(videos / "Archery/v_Archery_g01_c02.avi"),
        "v_YoYo_g03_c01": str(videos / "YoYo/v_YoYo_g03_c01.avi"),
    }
    assert frame["label"].to_dict() == CLIPS
    assert "2 of 5 listed clips" in caplog.text
    assert "2 files are in no list" in caplog.text


@pytest.mark.parametrize("content", [[], ["some-folder"]])
def test_a_folder_without_videos_is_refused(synthetic: Path, tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / "videos" / name).mkdir(parents=True)
    with pytest.raises(UsageError, match="--data-root ucf101="):
        UCF101(root=tmp_path / "videos").manifest()


def test_official_lists_by_name(synthetic: Path) -> None:
    splits = UCF101().splits()
    official = ["train1", "test1", "train2", "test2", "train3", "test3"]
    assert list(splits) == [*official, "base-s1", "base-s2", "base-s3"]
    assert splits["base-s2"] == ("v_Archery_g01_c02", "v_HandStandPushups_g01_c01")
    assert set(splits["test2"]) == TEST
    assert set(splits["train2"]) == set(CLIPS) - TEST


def test_captions_come_in_the_observers_order(synthetic: Path) -> None:
    captions = UCF101().captions()
    assert set(captions) == set(CLIPS)
    assert captions["v_YoYo_g03_c01"] == tuple(f"{observer} sees v_YoYo_g03_c01" for observer in ucf101.OBSERVERS)


def test_class_texts(synthetic: Path) -> None:
    names = {text.name: text.texts for text in UCF101().class_texts("name")}
    assert tuple(names) == UCF101.classes
    assert names["HandstandPushups"] == ("Handstand Pushups",)
    assert names["CleanAndJerk"] == ("Clean And Jerk",)
    sentences = {text.name: text.texts for text in UCF101().class_texts("sentence")}
    assert tuple(sentences) == UCF101.classes
    assert sentences["Archery"] == ("Arrows  fly – far.",)  # bad bytes dropped, ends stripped
    with pytest.raises(UsageError, match=r"'sentences'.*name, sentence, documents"):
        UCF101().class_texts("sentences")


def test_the_revision_follows_labels_not_folders(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "videos" / "Archery").mkdir(parents=True)
    revision = UCF101().revision
    assert re.fullmatch(r"1-[0-9a-f]{12}", revision)
    assert UCF101(root=tmp_path / "videos").revision == revision
    one_less = {file.path: (synthetic / ucf101.LISTS.source / file.path).read_bytes() for file in ucf101.LISTS.files}
    one_less = {path: content.replace(b"YoYo/v_YoYo_g03_c01.avi\r\n", b"") for path, content in one_less.items()}
    monkeypatch.setattr(ucf101, "LISTS", synthetic_download(synthetic, "shorter", one_less))
    assert UCF101().revision != revision


def test_a_missing_mirror_says_what_to_type(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSARBENCH_MIRROR", str(synthetic / "nowhere"))
    with pytest.raises(ZsarbenchError, match="ZSARBENCH_MIRROR="):
        UCF101().manifest()


def test_the_classes_and_downloads_need_neither_network_nor_instance() -> None:
    assert len(set(UCF101.classes)) == 101
    assert UCF101.classes[0] == "ApplyEyeMakeup"
    parts = ["lists", "captions", "sentences", "base-to-novel", "documents"]
    assert [download.name for download in UCF101.downloads] == [f"ucf101-{part}" for part in parts]
    assert all(len(file.sha256) == 64 and file.size > 0 for download in UCF101.downloads for file in download.files)
    heavy = ("pandas", "torch", "requests")
    code = f"import sys, zsarbench_datasets.ucf101; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_true_aliases_only() -> None:
    for alias, official in UCF101.aliases.items():
        assert match(alias, UCF101.classes, {}) is None  # else it would need no alias
        assert match(alias.lower(), UCF101.classes, UCF101.aliases) == official


# --- the real lists, captions and sentences ---------------------------------------------------------------------------


class Real(NamedTuple):
    """What the real files say, read once."""

    frame: pd.DataFrame
    captions: Mapping[str, tuple[str, ...]]
    sentences: Sequence[ClassText]
    splits: Mapping[str, Sequence[str]]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    if MIRROR is None:
        pytest.skip("ZSARBENCH_MIRROR is unset: the real lists of UCF-101 are not read")
    data = UCF101()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSARBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Real(data.manifest(), data.captions(), data.class_texts("sentence"), data.splits())


@realdata
def test_every_clip_has_label_group_and_three_captions(real: Real) -> None:
    frame = real.frame
    assert len(frame) == frame["clip_id"].nunique() == 13_320
    assert set(frame["label"]) == set(UCF101.classes)
    assert frame.groupby("label")["group"].nunique().eq(25).all()
    assert frame["group"].nunique() == 101 * 25
    assert (frame["label"] == "HandstandPushups").sum() == 128
    assert set(real.captions) == set(frame["clip_id"])
    assert all(len(captions) == 3 and all(captions) for captions in real.captions.values())
    assert all(len(text.texts) == 1 and len(text.texts[0]) > 20 for text in real.sentences)


@realdata
def test_every_official_list_is_whole(real: Real) -> None:
    counts = {name: len(set(clips)) for name, clips in real.splits.items()}
    official = {"train1": 9537, "test1": 3783, "train2": 9586, "test2": 3734, "train3": 9624, "test3": 3696}
    assert counts == official | {"base-s1": 816, "base-s2": 816, "base-s3": 816}
    for number in (1, 2, 3):
        train, test = set(real.splits[f"train{number}"]), set(real.splits[f"test{number}"])
        assert train | test == set(real.frame["clip_id"])
        groups = real.frame.set_index("clip_id")["group"]
        assert not set(groups[list(train)]) & set(groups[list(test)])


@realdata
def test_every_class_has_a_document_of_sentences(mirror: Path) -> None:
    documents = UCF101().class_texts("documents")
    assert [described.name for described in documents] == list(UCF101.classes)
    assert all(len(described.texts) == 1 and len(described.texts[0]) > 500 for described in documents)


@realdata
def test_the_classes_are_those_of_the_official_index_and_of_the_release(real: Real) -> None:
    index = Path(MIRROR, ucf101.LISTS.source, "data/ucfTrainTestlist/classInd.txt").read_text().split()
    assert tuple(index[1::2]) == UCF101.classes
    release = json.loads(Path(MIRROR, ucf101.CAPTIONS.source, "data/datasets/splits/ucf101_dataset.json").read_text())
    labels = {clip: match(name, UCF101.classes, {}) for name, clips in release.items() for clip in clips}
    assert labels == dict(zip(real.frame["clip_id"], real.frame["label"], strict=True))

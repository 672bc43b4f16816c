"""ActivityNet from synthetic lists, annotations and folders, and its real list and protocols against public copies."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zsarbench import protocols
from zsarbench.data.downloads import Download, RemoteFile
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench_datasets import activitynet
from zsarbench_datasets.activitynet import ActivityNet

realdata = pytest.mark.realdata
TEXT4VIS = "whwu95/Text4Vis/d61b34d0208a03ce6146edcc51033b2a040cb249/lists"
LOCATE = "sandipan211/LoCATe-GAT/214d3e1dffcb2c461d12b5e3e89d5c668f6a3003/datasets/ActivityNet_v_1_3/anet_splits.npy"
A, B = "sJFgo9H6zNo", "v_x---9CpRc"


@pytest.fixture
def synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = f"activitynet_train_resize_img_256_340_fps1//{A} 141 1\nactivitynet_val_resize_img_256_340_fps1/{B} 9 0\n"
    path = "lists/anet/anet_full_for_zeroshot.txt"
    (tmp_path / "someone/anet/0123" / path).parent.mkdir(parents=True)
    (tmp_path / "someone/anet/0123" / path).write_text(text)
    pinned = RemoteFile(path, hashlib.sha256(text.encode()).hexdigest(), len(text))
    download = Download(name="made", files=(pinned,), source="someone/anet/0123", licence="MIT", summary="Made.")
    monkeypatch.setattr(activitynet, "LISTS", download)
    monkeypatch.setenv("ZSARBENCH_MIRROR", str(tmp_path))
    return tmp_path


def test_whole_videos_and_their_subsets(synthetic: Path) -> None:
    frame = ActivityNet().manifest().set_index("clip_id")
    assert frame["label"].to_dict() == {f"v_{A}": "Archery", f"v_{B}": "Applying sunscreen"}
    assert frame[["path", "start", "end"]].isna().all(axis=None)
    assert ActivityNet().splits() == {"train": (f"v_{A}",), "val": (f"v_{B}",)}


@pytest.mark.parametrize("names", [(f"v_{A}.mp4", f"v_{B}.mkv"), (f"{A}.mp4", f"{B}.mkv")])
def test_videos_are_found_with_and_without_the_prefix(synthetic: Path, names: tuple[str, str]) -> None:
    root = synthetic / "videos"
    (root / "val").mkdir(parents=True)
    (root / names[0]).touch()
    (root / "val" / names[1]).touch()
    paths = ActivityNet(root=root).manifest().set_index("clip_id")["path"]
    assert paths.to_dict() == {f"v_{A}": str(root / names[0]), f"v_{B}": str(root / "val" / names[1])}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"annotations": [{"label": "Archery", "segment": ["soon", 9]}]}, "is not \\[start, end\\] in seconds"),
        ({"annotations": [{"label": "Archery", "segment": [1]}]}, "is not \\[start, end\\] in seconds"),
        ({"annotations": [{"label": "Archery"}]}, "is not of the official form"),
        ({"annotations": 3}, "is not of the official form"),
        ({"annotations": [{"label": 3, "segment": [0, 1]}]}, "its subset or a label is not text"),
        (3, "is not of the official form"),
    ],
)
def test_entries_that_are_none_are_refused_with_their_video(
    synthetic: Path, tmp_path: Path, entry: Any, message: str
) -> None:
    path = tmp_path / "own.json"
    content = {"subset": "training", **entry} if isinstance(entry, dict) else entry
    path.write_text(json.dumps({"database": {A: content}}))
    with pytest.raises(UsageError, match=f"annotations .*own.json, video '{A}'.*{message}"):
        ActivityNet(annotations=path).manifest()


def test_segments_without_length_are_left_out_and_logged(
    synthetic: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segments = [{"label": "Archery", "segment": times} for times in ([3, 3], [-2, 5], [9, 4])]
    path = tmp_path / "own.json"
    content = json.dumps({"database": {A: {"subset": "training", "annotations": segments}}})
    path.write_text(content, encoding="utf-8-sig")
    frame = ActivityNet(annotations=path).manifest()
    assert frame[["clip_id", "start", "end"]].to_numpy().tolist() == [[f"v_{A}_1", 0.0, 5.0]]
    assert "2 segments without length are left out" in caplog.text


def test_segments_of_the_official_annotations(synthetic: Path) -> None:
    entry = {"subset": "training", "annotations": [{"label": "Archery", "segment": [1.5, 9]}] * 2}
    path = synthetic / "activity_net.v1-3.min.json"
    path.write_text(json.dumps({"database": {A: entry, B: {"subset": "testing", "annotations": []}}}))
    frame = ActivityNet(annotations=path).manifest().set_index("clip_id")
    assert list(frame.index) == [f"v_{A}_0", f"v_{A}_1"]
    assert (frame["start"].tolist(), frame["end"].tolist()) == ([1.5, 1.5], [9, 9])
    assert set(frame["group"]) == {f"v_{A}"}
    revisions = {ActivityNet().revision, ActivityNet(annotations=path).revision}
    for changed in ({"subset": "validation"}, {"annotations": [{"label": "Archery", "segment": [1.5, 8]}] * 2}):
        path.write_text(json.dumps({"database": {A: entry | changed}}))
        revisions.add(ActivityNet(annotations=path).revision)
    assert len(revisions) == 4
    path.write_text(json.dumps({"database": {A: entry}}))
    (synthetic / "videos").mkdir()
    (synthetic / "videos" / f"{A}.mp4").touch()
    located = ActivityNet(annotations=path, root=synthetic / "videos").manifest()
    assert set(located["path"]) == {str(synthetic / "videos" / f"{A}.mp4")}
    path.write_text(json.dumps({"database": {A: entry | {"annotations": [{"label": "Archry", "segment": [1, 2]}]}}}))
    with pytest.raises(ZsarbenchError, match="did you mean 'Archery'"):
        ActivityNet(annotations=path).manifest()
    path.write_text("[]")
    with pytest.raises(UsageError, match="are not the official activity_net"):
        ActivityNet(annotations=path).manifest()


def test_class_texts_are_names() -> None:
    assert ActivityNet().class_texts("name")[4].texts == ("BMX",)
    with pytest.raises(UsageError, match="--class-text name"):
        ActivityNet().class_texts("sentence")


# --- protocols --------------------------------------------------------------------------------------------------------


def load(name: str) -> protocols.Protocol:
    return protocols.read(Path(str(files("zsarbench_benchmarks"))) / "protocols" / f"activitynet-{name}.toml")


def test_half_splits_are_drawn_by_the_released_rule() -> None:
    for item in (listed.round for listed in load("half-text4vis-14950").rounds):
        drawn = np.random.RandomState(item.seed).permutation(200)[:100]
        assert list(item.candidates) == [ActivityNet.classes[index] for index in drawn]


@realdata
def test_real_list_and_fixed_splits(mirror: Path) -> None:
    frame = ActivityNet().manifest()
    labels = {clip.removeprefix("v_"): label for clip, label in zip(frame["clip_id"], frame["label"], strict=True)}
    names = json.loads((mirror / TEXT4VIS / "anet/anet1.3_label2name.json").read_text())
    assert tuple(names[str(index)] for index in range(200)) == ActivityNet.classes
    rows = [line.split() for line in (mirror / TEXT4VIS / "anet/anet_val_video_fps1.txt").read_text().splitlines()]
    splits = ActivityNet().splits()
    assert {f"v_{video}" for video, _, _ in rows} == set(splits["val"])
    assert all(labels[video] == names[index] for video, _, index in rows)
    instances = defaultdict(set)
    for line in (mirror / TEXT4VIS / "anet/anet_train_instance_fps1.txt").read_text().splitlines():
        name, _, index = line.split()
        instances[name.rpartition("_")[0]].add(names[index])
    assert {f"v_{video}" for video in instances} == set(splits["train"])
    assert all(labels[video] in found for video, found in instances.items())
    assert sum(len(found) > 1 for found in instances.values()) == 6  # as the notes say
    for name in ("half-text4vis-14950", "half-fixed10"):
        counts = [len(protocols.round_clips(item, frame)[1]) for item in load(name).on(ActivityNet())]
        assert [item.n_clips for item in load(name).rounds] == counts
    with (mirror / LOCATE).open("rb") as file:
        train, test = np.load(file, allow_pickle=False), np.load(file, allow_pickle=False)
    order = sorted(ActivityNet.classes, key=str.encode)
    for item in load("half-fixed10").with_official_names(ActivityNet()):
        assert list(item.seen) == [order[index] for index in train[item.index]]
        assert list(item.candidates) == [order[index] for index in test[item.index]]
        by_hash = sorted(item.seen, key=lambda seen: hashlib.sha256(seen.encode()).hexdigest())
        assert set(item.validation) == set(by_hash[:20])

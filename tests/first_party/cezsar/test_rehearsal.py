"""A full rehearsal of the paper at the size of a test: real annotations, real videos, real weights.

ActivityNet's videos are unavailable, so a handful of real clips stand in for some of those that its annotations
describe, and for some clips of UCF-101: the sentences do not fit what is to be seen, and no accuracy is expected.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import zsarbench
from zsarbench.data.downloads import fetch
from zsarbench.evaluation.declared import Declared
from zsarbench.features import FeatureStore
from zsarbench.results import RunResult
from zsarbench_cezsar import pairing_table
from zsarbench_datasets import activitynet_captions, ucf101

pytestmark = [pytest.mark.slow, pytest.mark.realdata, pytest.mark.weights]
VIDEOS = (
    "PKU-YuanGroup/LanguageBind/*/assets/video/0.mp4",
    "PKU-YuanGroup/LanguageBind/*/assets/video/1.mp4",
    "dmlc/decord/*/examples/flipping_a_pancake.mkv",
    "open-mmlab/mmaction2/*/demo/demo.mp4",
    "open-mmlab/mmaction2/*/tests/data/test.avi",
    "facebookresearch/perception_models/*/apps/pe/docs/assets/dog.mp4",
    "dmlc/decord/*/tests/test_data/corrupted.mp4",
)
CLASSES = ("ApplyEyeMakeup", "Archery", "BabyCrawling")
SMALL = (
    "visual.max_steps=12", "method.d_model=32", "method.feedforward=32", "method.max_epochs=3",
    "method.window_seconds=3", "method.validation_fraction=0.2", "train_dataset.lists=train",
    # The paper's window ends at 0.8: among the 68 sentences of a handful of videos a few have none so near.
    "negatives.high=0.9",
)  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `anet` (videos and train.json), `ucf` (videos) and a protocol over these."""
    mirror = Path(os.environ.get("ZSARBENCH_MIRROR", ""))
    found = [next(iter(mirror.glob(pattern)), None) for pattern in VIDEOS]
    if not os.environ.get("ZSARBENCH_MIRROR") or None in found:
        pytest.skip("ZSARBENCH_MIRROR names no folder of real videos")
    videos = [path for path in found if path is not None]
    folder = tmp_path_factory.mktemp("rehearsal")
    for name in ("anet", "ucf"):
        (folder / name).mkdir()
    _annotations(folder / "anet", videos)
    _ucf101(folder, videos[:-1])
    return folder


def _annotations(folder: Path, videos: list[Path]) -> None:
    """Write the real entries of the shortest annotated videos, and put a real video in the place of each but the first.

    The first sentences of two of them, of the one that is gone and of one that is not, name a class.
    """
    annotated = fetch(activitynet_captions.ANNOTATIONS) / "data" / "datasets" / "acnet_cap" / "val_1.json"
    entries = json.loads(annotated.read_text(encoding="utf-8"))
    several = (video for video, entry in entries.items() if len(entry["sentences"]) >= 3 and entry["duration"] > 5)
    chosen = sorted(several, key=lambda video: (entries[video]["duration"], video))[: len(videos) + 1]
    for video in chosen[:2]:
        entries[video]["sentences"][0] += " This is archery."
    (folder / "train.json").write_text(json.dumps({video: entries[video] for video in chosen}), encoding="utf-8")
    for video, path in zip(chosen[1:], videos, strict=True):  # one is gone, as many of ActivityNet are
        (folder / f"{video}{path.suffix}").symlink_to(path)


def _ucf101(folder: Path, videos: list[Path]) -> None:
    """Put real videos in the places of two clips a class, and write a protocol that tests these."""
    manifest = ucf101.UCF101().manifest()
    clips = [clip for name in CLASSES for clip in manifest.loc[manifest["label"] == name, "clip_id"][:2]]
    for clip, path in zip(clips, videos, strict=True):
        (folder / "ucf" / f"{clip}{path.suffix}").symlink_to(path)
    lines = [
        'name = "ucf101/rehearsal"', "version = 1", 'dataset = "ucf101"', 'setting = "zsl"', 'class_text = "sentence"',
        'summary = "A rehearsal."', 'source = "This."', "[[rounds]]",
        f"candidates = {json.dumps(list(CLASSES))}", f"test_clips = {json.dumps(sorted(clips))}",
    ]  # fmt: skip
    (folder / "rehearsal.toml").write_text("\n".join(lines), encoding="utf-8")


def run(files: Path, *more: str, **arguments: Any) -> RunResult:
    return zsarbench.run(
        "cezsar", protocol=str(files / "rehearsal.toml"), train_on="activitynet-captions",
        visual="efficientnet-lite0", text="minilm-l6", negatives="cosine-window", threads=1, out=str(files / "out"),
        partial=True,  # one video of the annotations is gone, as many of ActivityNet are
        data_root=[f"activitynet-captions={files / 'anet'}", f"ucf101={files / 'ucf'}"],
        settings=[*SMALL, f"train_dataset.train={files / 'anet' / 'train.json'}", *more], **arguments,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _shared_cache(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests of this file share one cache."""
    monkeypatch.setenv("ZSARBENCH_CACHE", str(files / "cache"))


def test_from_annotations_and_videos_to_a_result(files: Path) -> None:
    result = run(files)
    # Every clip of the test was scored, and what was learnt from is reported, audited, and counted.
    assert (result.rounds[0].n_expected, result.rounds[0].n_scored, result.failures) == (6, 6, ())
    assert result.train_on == "activitynet-captions"
    assert result.contamination is not None
    assert {found.candidate for found in result.contamination.overlapping} >= {"Archery"}
    assert Declared("training data", "activitynet-captions") in result.contamination.audited["activitynet"]
    flag = next(flag for flag in map(str, result.flags) if flag.startswith("trained on activitynet-captions"))
    n_read, n_listed = (int(word) for word in flag.split() if word.isdigit())
    # Sentences are counted of the clips that could be read, with those that name a class of the test.
    (stored,) = (found for found in FeatureStore(files / "cache" / "features").sets()
                 if found.info()["key"]["dataset"] == "activitynet-captions")  # fmt: skip
    listed = activitynet_captions.ActivityNetCaptions(train=files / "anet" / "train.json", lists=("train",)).captions()
    learnt = [sentence for clip in stored.stored_ids() for sentence in listed[clip]]
    assert len(stored.stored_ids()) == n_read
    assert result.contamination.n_sentences == len(learnt) < sum(map(len, listed.values()))
    assert result.contamination.naming == {"Archery": 1}
    assert 12 <= n_read < n_listed  # the segments of the video that is gone, and those after the end of a stand-in
    # Pairing, mining and training happened, on the sentences of both kinds.
    record = result.method.record["fits"][0]
    assert record["positives"] == "captions"
    assert record["epochs"] == 3
    assert all(row["loss"] > 0 for row in record["losses"])
    assert record["n_pairs"] > n_read  # captions, and sentences about objects too
    assert record["negatives"]["window_high"] == 0.9
    assert 0 < record["negatives"]["acceptance_rate"] < 1
    assert record["pairing"]["n_clips_with_sentences"] > n_read / 2
    (table,) = (files / "cache" / "checkpoints").glob("*/pairing/pairs.csv")
    rows = list(pairing_table.read(table))
    assert record["pairing"]["n_windows"] == len({(row.clip_id, row.start) for row in rows})
    captions = {sentence.strip() for entry in json.loads((files / "anet" / "train.json").read_text()).values()
                for sentence in entry["sentences"]}  # fmt: skip
    assert {row.caption for row in rows} <= captions
    assert all(5 < len(row.sentence.split()) <= 20 for row in rows if row.sentence)


def test_a_resumed_run_gives_the_same_scores_and_the_modes_give_others(files: Path) -> None:
    first = run(files)
    resumed = run(files)
    assert resumed.predictions is not None
    assert first.predictions is not None
    scores = [(path, path.read_bytes()) for path in sorted((files / "out").rglob("*.npz"))]
    assert len({content for path, content in scores if path.name.startswith(f"cezsar-{first.spec_id}")}) == 1
    fused = run(files, "method.mode=visual_object")
    assert fused.spec_id != first.spec_id
    assert fused.rounds[0].n_scored == 6
    content = next(path for path in (files / "out").rglob(f"cezsar-{fused.spec_id}*.npz")).read_bytes()
    assert content not in {bits for path, bits in scores if path.name.startswith(f"cezsar-{first.spec_id}")}

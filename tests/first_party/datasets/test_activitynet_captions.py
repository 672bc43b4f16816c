"""ActivityNet Captions from synthetic annotations and folders, and its real validation lists."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from zsarbench.data.manifest import checked_manifest
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation import contamination
from zsarbench.evaluation.declared import Declared
from zsarbench.plugins import load_plugins
from zsarbench_datasets.activitynet_captions import ActivityNetCaptions

A, B = "v_sJFgo9H6zNo", "v_x---9CpRcA"


def entry(spans: list[tuple[float, float]], sentences: list[str]) -> dict[str, Any]:
    return {"duration": 60.0, "timestamps": [list(span) for span in spans], "sentences": sentences}


def written(folder: Path, content: Any) -> Path:
    path = folder / "train.json"
    path.write_text(json.dumps(content))
    return path


def dataset_of(folder: Path, content: Any, **options: Any) -> ActivityNetCaptions:
    return ActivityNetCaptions(train=written(folder, content), lists=("train",), **options)


def test_a_segment_is_a_clip_with_its_sentences(tmp_path: Path) -> None:
    content = {
        B: entry([(0, 9.5)], ["One."]),
        A: entry([(1.25, 60.01), (1.25, 60.01), (0, 4)], [" It starts.", "Again.", "Then. "]),
    }
    dataset = dataset_of(tmp_path, content)
    frame = dataset.manifest().set_index("clip_id")
    assert list(frame.index) == [f"{A}#0-4", f"{A}#1.25-60.01", f"{B}#0-9.5"]
    assert frame["start"].tolist() == [0, 1.25, 0]
    assert frame["end"].tolist() == [4, 60.01, 9.5]
    assert frame["group"].tolist() == frame["video"].tolist() == [A, A, B]
    assert frame[["label", "path"]].isna().all(axis=None)
    assert dataset.captions()[f"{A}#1.25-60.01"] == ("It starts.", "Again.")
    assert dataset.splits() == {"train": tuple(frame.index)}
    checked_manifest(dataset, "activitynet-captions")
    assert dataset.revision == dataset_of(tmp_path, content).revision != dataset_of(tmp_path, {B: content[B]}).revision
    moved = content | {B: entry([(0, 9.5000001)], ["One."])}  # too little for another id
    assert dataset.revision != dataset_of(tmp_path, moved).revision


def test_videos_are_found_as_in_activitynet(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / f"{A.removeprefix('v_')}.mkv").touch()
    dataset = dataset_of(tmp_path, {A: entry([(0, 1), (1, 2)], ["a", "b"]), B: entry([(0, 1)], ["c"])},
                   root=tmp_path / "videos")  # fmt: skip
    paths = dataset.manifest().set_index("video")["path"]
    assert {Path(path).name for path in paths[A]} == {f"{A.removeprefix('v_')}.mkv"}
    assert Path(paths[B]).name == f"{B}.mp4"  # where it should be


def test_segments_without_length_or_words_are_left_out_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    dataset = dataset_of(tmp_path, {A: entry([(5, 5), (9, 3), (1, 2), (-0.1, 2)], ["a", "b", " ", "c"])})
    assert dict(dataset.captions()) == {f"{A}#0-2": ("c",)}
    assert "3 segments without length or words are left out" in caplog.text
    with pytest.raises(ZsarbenchError, match="hold no segment"):
        dataset_of(tmp_path, {A: entry([(5, 5)], ["a"])}).manifest()


@pytest.mark.parametrize(
    "content",
    [
        [],
        {A: []},
        {A: {"timestamps": [[0, 1]]}},
        {A: entry([(0, 1)], ["a", "b"])},
        {A: {"timestamps": [[0]], "sentences": ["a"]}},
        {A: {"timestamps": [[0, 1]], "sentences": [3]}},
    ],
)
def test_another_format_is_refused_with_its_place(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UsageError, match=r"train\.json.*(is not of the form|is not \[start, end\] in seconds)"):
        dataset_of(tmp_path, content).manifest()


@pytest.mark.parametrize("times", ["[NaN, 3]", "[0, Infinity]", "[0, 1e400]", "[0, 1" + "0" * 400 + "]", '["0", "3"]'])
def test_times_that_are_none_are_refused(tmp_path: Path, times: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(f'{{"{A}": {{"duration": 9, "timestamps": [{times}], "sentences": ["One."]}}}}')
    with pytest.raises(ZsarbenchError, match=r"train\.json"):
        ActivityNetCaptions(train=path, lists=("train",)).manifest()


def test_spans_that_differ_in_any_digit_are_clips_of_their_own(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, {A: entry([(0, 1.0000001), (0, 1.0000002), (-1, 2), (5, 4)], ["a", "b", "c", "d"])})
    assert list(dataset.captions()) == [f"{A}#0-1.0000001", f"{A}#0-1.0000002", f"{A}#0-2"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.json does not exist"):
        ActivityNetCaptions(train=tmp_path / "gone.json", lists=("train",)).captions()
    (tmp_path / "train.json").write_text("{")
    with pytest.raises(ZsarbenchError, match=r"train\.json is not valid JSON"):
        ActivityNetCaptions(train=tmp_path / "train.json", lists=("train",)).captions()
    with pytest.raises(UsageError, match=r"your own file.*train_dataset\.train=.*--set dataset\.train=train\.json"):
        ActivityNetCaptions(lists=("train",))
    with pytest.raises(UsageError, match="did you mean 'val_1'"):
        ActivityNetCaptions(lists=("val1",))
    with pytest.raises(UsageError, match="has no classes"):
        ActivityNetCaptions().class_texts("name")


def test_its_videos_were_chosen_for_the_200_classes_of_activitynet() -> None:
    registry = load_plugins().registry
    declared = contamination.declarations(registry, None, {}, "ucf101", "activitynet-captions")
    assert declared == {Declared("training data", "activitynet-captions"): ("activitynet",)}
    found = contamination.audit(declared, ["Archery", "BrushingTeeth", "Nunchucks"], registry)
    assert {"Archery", "BrushingTeeth"} <= {overlap.candidate for overlap in found.overlapping}
    assert found.unknown == ()


@pytest.mark.realdata
def test_the_real_validation_lists(mirror: Path) -> None:
    """val_1 and val_2 cut and describe the same videos; 235 segments are cut alike."""
    dataset = ActivityNetCaptions()
    splits, captions = dataset.splits(), dataset.captions()
    assert {name: len(clips) for name, clips in splits.items()} == {"val_1": 17_505, "val_2": 17_031}
    assert len(set(splits["val_1"]) & set(splits["val_2"])) == 235
    assert len(captions) == 17_505 + 17_031 - 235
    assert dataset.manifest()["group"].nunique() == 4_917
    assert sum(len(sentences) > 1 for sentences in captions.values()) == 234  # one was written twice alike

"""HMDB-51 from synthetic lists and folders, and its real lists and protocols against public copies."""

from __future__ import annotations

import csv
import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from zsarbench import protocols
from zsarbench.data.downloads import Download, RemoteFile
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.class_names import match
from zsarbench_datasets import hmdb51
from zsarbench_datasets.hmdb51 import HMDB51, source_video

realdata = pytest.mark.realdata
LOCATE = "sandipan211/LoCATe-GAT/214d3e1dffcb2c461d12b5e3e89d5c668f6a3003/datasets"
OST = "tomchen-ctj/OST/1810ae6e56ebcb549b333ea349a8ca80d41a62d1"

CLIPS = {
    "#122_Beach_pick_f_cm_np1_ba_med_5": "pick",
    "Film_drink_u_nm_np1_fr_bad_12": "drink",
    "Film_shoot_ball_u_nm_np10_le_goo_0": "shoot_ball",
}


@pytest.fixture
def synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror folder with lists of three clips."""
    lines = [f"{label}/{clip} 100 {HMDB51.classes.index(label)}\n" for clip, label in CLIPS.items()]
    lists = {"hmdb_full_for_zeroshot": lines}
    for number in (1, 2, 3):
        lists |= {f"train_rgb_split_{number}": lines[:2], f"val_rgb_split_{number}": lines[2:]}
    few = {f"fs_base_s{number}_train": ["Film_drink_u_nm_np1_fr_bad_12.avi 3\n"] for number in (1, 2, 3)}
    for attribute, folder, made_files in (
        ("LISTS", "lists/hmdb51", lists),
        ("BASE_TO_NOVEL", "datasets_splits/base2novel_splits/hmdb_splits", few),
    ):
        contents = {f"{folder}/{name}.txt": "".join(text).encode() for name, text in made_files.items()}
        for path, content in contents.items():
            (tmp_path / f"someone/{attribute}/0123" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / f"someone/{attribute}/0123" / path).write_bytes(content)
        pinned = tuple(RemoteFile(path, hashlib.sha256(b).hexdigest(), len(b)) for path, b in contents.items())
        source = f"someone/{attribute}/0123"
        download = Download(name=attribute, files=pinned, source=source, licence="MIT", summary="Made.")
        monkeypatch.setattr(hmdb51, attribute, download)
    monkeypatch.setenv("ZSARBENCH_MIRROR", str(tmp_path))


def test_labels_are_folders_and_groups_are_sources(synthetic: None) -> None:
    frame = HMDB51().manifest().set_index("clip_id")
    assert frame["label"].to_dict() == CLIPS
    assert list(frame["group"]) == ["#122_Beach", "Film", "Film"]
    assert frame[["path", "start", "end"]].isna().all(axis=None)
    splits = HMDB51().splits()
    assert splits["test2"] == ("Film_shoot_ball_u_nm_np10_le_goo_0",)
    assert splits["base-s3"] == ("Film_drink_u_nm_np1_fr_bad_12",)


@pytest.mark.parametrize("flat", [True, False])
def test_clips_are_found_in_class_folders_and_flat(synthetic: None, tmp_path: Path, flat: bool) -> None:
    root = tmp_path / "videos"
    there = list(CLIPS)[:2]
    for clip in there:
        path = root / ("" if flat else CLIPS[clip]) / f"{clip}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    paths = HMDB51(root=root).manifest().set_index("clip_id")["path"]
    expected = {clip: str(root / ("" if flat else label) / f"{clip}.avi") for clip, label in CLIPS.items()}
    assert paths.to_dict() == expected
    assert HMDB51(root=root).revision == HMDB51().revision


def test_a_clip_that_is_named_otherwise_is_refused() -> None:
    with pytest.raises(ZsarbenchError, match="is not named"):
        source_video("v_Archery_g01_c01", "drink")


def test_class_texts_are_names() -> None:
    texts = HMDB51().class_texts("name")
    assert [text.name for text in texts] == list(HMDB51.classes)
    assert texts[13].texts == ("fencing",)
    assert texts[0].texts == ("brush hair",)
    with pytest.raises(UsageError, match="--class-text name"):
        HMDB51().class_texts("sentence")


# --- protocols --------------------------------------------------------------------------------------------------------


def load(name: str) -> protocols.Protocol:
    return protocols.read(Path(str(files("zsarbench_benchmarks"))) / "protocols" / f"hmdb51-{name}.toml")


def test_half_e2e_is_drawn_by_the_released_rule() -> None:
    assert sorted(HMDB51.classes, key=str.encode) == sorted(HMDB51.classes, key=lambda name: name.replace("_", " "))
    for item in (listed.round for listed in load("half-e2e").rounds):
        drawn = np.random.RandomState(item.seed).permutation(51)[:25]
        assert list(item.candidates) == [HMDB51.classes[index] for index in drawn]


@pytest.mark.parametrize("name", ["half-fixed50", "half-fixed50-gzsl", "truze-v1", "truze-v1-gzsl", "base-to-novel"])
def test_validation_classes_follow_the_stated_rule(name: str) -> None:
    for item in load(name).with_official_names(HMDB51()):
        by_hash = sorted(item.seen, key=lambda seen: hashlib.sha256(seen.encode()).hexdigest())
        assert set(item.validation) == set(by_hash[: round(len(item.seen) / 5)])
        assert set(item.seen) | set(item.candidates) == set(HMDB51.classes)


@realdata
def test_real_lists(mirror: Path) -> None:
    from scipy.io import loadmat

    frame, splits = HMDB51().manifest(), HMDB51().splits()
    label = loadmat(mirror / LOCATE / "Label.mat")["VideoLabel"][0, 0]["HMDB51"][0, 0]
    names = [str(name[0]) for name in label["ClassName"].ravel()]
    assert tuple(names) == HMDB51.classes
    copy = {str(v[0]): names[i - 1] for v, i in zip(label["VideoName"].ravel(), label["Label"].ravel(), strict=True)}
    assert copy == {f"{clip}.avi": name for clip, name in zip(frame["clip_id"], frame["label"], strict=True)}
    labels = frame.set_index("clip_id")["label"]
    for number in (1, 2, 3):
        train, test = splits[f"train{number}"], splits[f"test{number}"]
        assert (labels[list(train)].value_counts() == 70).all()
        assert (labels[list(test)].value_counts() == 30).all()
        sources = [frame[frame["clip_id"].isin(part)] for part in (train, test)]
        per_class = [set(zip(part["label"], part["group"], strict=True)) for part in sources]
        assert not per_class[0] & per_class[1]  # as the notes of hmdb51/official say
        assert set(sources[0]["group"]) & set(sources[1]["group"])
        rows = (mirror / OST / f"datasets_splits/hmdb_splits/val{number}.txt").read_text().splitlines()
        assert {row.split()[0].removesuffix(".avi") for row in rows} == set(test)


@realdata
def test_fixed_splits_are_those_of_the_matrix_in_either_order(mirror: Path) -> None:
    from scipy.io import loadmat

    split = loadmat(mirror / LOCATE / "Split.mat")["Split"][0, 0]["HMDB51"][0, 0]
    items = [listed.round for listed in load("half-fixed50").rounds]
    for item, train, test in zip(items, split["Train"].astype(int), split["Test"].astype(int), strict=True):
        assert list(item.seen) == [HMDB51.classes[index - 1] for index in train]
        assert list(item.candidates) == [HMDB51.classes[index - 1] for index in test]
    assert len({frozenset(item.candidates) for item in items}) == 50
    assert sorted(HMDB51.classes, key=str.encode) == list(HMDB51.classes)


@realdata
def test_base_to_novel_has_the_official_clips_but_swapped_labels(mirror: Path) -> None:
    splits = HMDB51().splits()
    labels = HMDB51().manifest().set_index("clip_id")["label"]
    folder = mirror / OST / "datasets_splits/base2novel_splits/hmdb_splits"
    clips, swapped = {}, {}
    for name in ("base_train", "base_val", "novel_val", "fs_base_s1_train"):
        with (mirror / OST / f"labels/hmdb_51_{'novel' if 'novel' in name else 'base'}_labels.csv").open() as file:
            names = [match(row["name"], HMDB51.classes, {}) for row in csv.DictReader(file)]
        rows = [line.split() for line in (folder / f"{name}.txt").read_text().splitlines()]
        listed = {clip.removesuffix(".avi"): names[int(index)] for clip, index in rows}
        clips[name] = set(listed)
        swapped[name] = {(labels[clip], label) for clip, label in listed.items() if labels[clip] != label}
    for number, item in enumerate(load("base-to-novel").on(HMDB51()), start=1):
        train, test = protocols.round_clips(item, HMDB51().manifest())
        assert set(train) == set(splits[f"base-s{number}"]) <= clips["base_train"]
        assert set(test) == clips["base_val"] | clips["novel_val"]
    assert clips["base_val"] | clips["novel_val"] == set(splits["test1"])
    assert clips["base_train"] <= set(splits["train1"])
    sword, kick = ("sword", "sword_exercise"), ("kick", "kick_ball")  # as the protocol's notes say
    assert swapped["base_val"] == swapped["base_train"] == {sword, sword[::-1]}
    assert swapped["novel_val"] == {kick, kick[::-1]}


@realdata
@pytest.mark.parametrize(
    "name",
    ["all", "half-e2e", "official", "base-to-novel", "half-fixed50", "half-fixed50-gzsl", "truze-v1", "truze-v1-gzsl"],
)
def test_counts_are_those_of_the_lists(mirror: Path, name: str) -> None:
    frame, protocol = HMDB51().manifest(), load(name)
    counts = [len(protocols.round_clips(item, frame)[1]) for item in protocol.on(HMDB51())]
    assert counts == [item.n_clips for item in protocol.rounds]
    stated = {"all": 6766, "truze-v1": 3288, "official": 1530, "base-to-novel": 1530}
    assert counts[0] == stated.get(name, counts[0])


@realdata
@pytest.mark.parametrize("name", ["truze-v1-gzsl", "half-fixed50-gzsl"])
def test_gzsl_holds_out_whole_source_videos(mirror: Path, name: str) -> None:
    frame = HMDB51().manifest().set_index("clip_id")
    rows = frame.reset_index()
    for item in load(name).on(HMDB51()):
        train, test = (frame.loc[list(clips)] for clips in protocols.round_clips(item, rows))
        assert set(train["label"]) == set(item.seen)
        seen = test[test["label"].isin(item.seen)]
        assert (seen["label"].value_counts() == 30).all()
        assert not set(train["group"]) & set(seen["group"])
        assert set(test.index) - set(seen.index) == set(frame.index[frame["label"].isin(item.unseen)])


@realdata
@pytest.mark.parametrize(
    ("name", "shared", "note"),
    [
        ("truze-v1", (187, 187), "187 of them, which 1,694 of the 3,288 test clips"),
        ("truze-v1-gzsl", (113, 113), "113 source videos with training clips: 992 of these 3,288"),
        ("half-fixed50", (144, 234), "144 to 234"),
        ("half-fixed50-gzsl", (59, 143), "59 to 143"),
        ("base-to-novel", (29, 34), "32, 29 and 34"),
    ],
)
def test_films_on_both_sides_are_counted_in_the_notes(
    mirror: Path, name: str, shared: tuple[int, int], note: str
) -> None:
    frame = HMDB51().manifest().set_index("clip_id")
    counts = []
    for item in load(name).on(HMDB51()):
        train, test = (frame.loc[list(clips)] for clips in protocols.round_clips(item, frame.reset_index()))
        unseen = test[test["label"].isin(item.unseen)]
        films = set(train["group"]) & set(unseen["group"])
        counts.append((len(films), int(unseen["group"].isin(films).sum())))
    assert (min(n for n, _ in counts), max(n for n, _ in counts)) == shared
    assert note in load(name).notes.replace("\n", " ")
    if name.startswith("truze"):
        assert f"{counts[0][1]:,} of" in note

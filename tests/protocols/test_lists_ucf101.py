"""Protocols of UCF-101 whose lists come from public files: regenerated from these, and checked against other copies."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from zsarbench import protocols
from zsarbench.interfaces import Round
from zsarbench.plugins import load_plugins
from zsarbench.utils.class_names import match
from zsarbench_datasets.ucf101 import UCF101

MIRROR = Path(os.environ.get("ZSARBENCH_MIRROR", "."))
LOCATE = MIRROR / "sandipan211/LoCATe-GAT/214d3e1dffcb2c461d12b5e3e89d5c668f6a3003/datasets"
TEXT4VIS = MIRROR / "whwu95/Text4Vis/d61b34d0208a03ce6146edcc51033b2a040cb249/lists/ucf101"
GPT4VIS = MIRROR / "whwu95/GPT4Vis/a401556c2f71f7a98770dc41caee4c0f02f93485"
OST = MIRROR / "tomchen-ctj/OST/1810ae6e56ebcb549b333ea349a8ca80d41a62d1"
CEZSAR = MIRROR / "valterlej/cezsar/f3eef3e53f20d617c18f2e693cf4a8dccff90c57/data/datasets/splits"
pytestmark = pytest.mark.once
realdata = pytest.mark.realdata

Lists = Mapping[str, Sequence[str]]


def load(name: str) -> protocols.Protocol:
    return protocols.read(Path(str(files("zsarbench_benchmarks"))) / "protocols" / f"{name}.toml")


def rounds(name: str) -> tuple[Round, ...]:
    return load(name).with_official_names(UCF101())


def official(names: Sequence[str]) -> list[str | None]:
    return [match(name, UCF101.classes, UCF101.aliases) for name in names]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    if "ZSARBENCH_MIRROR" not in os.environ:
        pytest.skip("ZSARBENCH_MIRROR is unset: public copies are not read")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSARBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return UCF101().splits()


@pytest.fixture(scope="module")
def manifest(lists: Lists, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSARBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return UCF101().manifest()


LEARNING = ["half-fixed50", "half-fixed50-bytesort", "half-fixed50-gzsl", "base-to-novel", "hard-cases", "semantic-gap"]


@pytest.mark.parametrize("name", LEARNING)
def test_validation_classes_follow_the_stated_rule(name: str) -> None:
    for item in rounds(f"ucf101-{name}"):
        by_hash = sorted(item.seen, key=lambda seen: hashlib.sha256(seen.encode()).hexdigest())
        assert set(item.validation) == set(by_hash[: round(len(item.seen) / 5)])


@pytest.mark.parametrize("name", ["half-fixed50", "half-fixed50-bytesort"])
def test_duplicate_rounds_are_named(name: str) -> None:
    protocol = load(f"ucf101-{name}")
    candidates = [frozenset(item.candidates) for item in protocol.with_official_names(UCF101())]
    assert {
        later: candidates.index(item) for later, item in enumerate(candidates) if candidates.index(item) < later
    } == {
        6: 0,
        7: 1,
        8: 2,
    }
    for same in (protocol, load("ucf101-half-fixed50-gzsl")):
        repeated = {index: item.duplicate_of for index, item in enumerate(same.rounds) if item.duplicate_of is not None}
        assert repeated == {6: 0, 7: 1, 8: 2}


def test_the_two_readings_of_the_fixed_splits_differ_in_42_rounds() -> None:
    pairs = zip(rounds("ucf101-half-fixed50"), rounds("ucf101-half-fixed50-bytesort"), strict=True)
    assert sum(set(one.candidates) != set(other.candidates) for one, other in pairs) == 42


@realdata
def test_fixed_splits_are_those_of_the_matrix(lists: Lists) -> None:
    from scipy.io import loadmat

    split = loadmat(LOCATE / "Split.mat")["Split"][0, 0]["UCF101"][0, 0]
    label = loadmat(LOCATE / "Label.mat")["VideoLabel"][0, 0]["UCF101"][0, 0]
    names = [str(name[0]) for name in label["ClassName"].ravel()]
    assert tuple(names) == UCF101.classes
    assert {str(name[0]) for name in label["VideoName"].ravel()} == {
        f"{clip}.avi" for which in ("train1", "test1") for clip in lists[which]
    }
    for name, order in (("half-fixed50", names), ("half-fixed50-bytesort", sorted(names, key=str.encode))):
        items = rounds(f"ucf101-{name}")
        assert len(items) == len(split["Train"]) == 50
        for item, train, test in zip(items, split["Train"].astype(int), split["Test"].astype(int), strict=True):
            assert list(item.seen) == [order[index - 1] for index in train]
            assert list(item.candidates) == [order[index - 1] for index in test]


UCF101_PROTOCOLS = [name for name in load_plugins().registry.names("protocol") if name.startswith("ucf101/")]


@realdata
@pytest.mark.parametrize("name", UCF101_PROTOCOLS)
def test_counts_are_those_of_the_lists(lists: Lists, manifest: pd.DataFrame, name: str) -> None:
    protocol = load(name.replace("/", "-"))
    counts = [len(protocols.round_clips(item, manifest)[1]) for item in protocol.on(UCF101())]
    assert counts == [item.n_clips for item in protocol.rounds]
    stated = {"ucf101/all": 13_320, "ucf101/truze-v1": 4_385, "ucf101/truze-v2": 3_965, "ucf101/base-to-novel": 3_783}
    assert counts[0] == stated.get(name, counts[0])


@realdata
def test_all_clips_are_those_of_a_public_copy(lists: Lists, manifest: pd.DataFrame) -> None:
    rows = [line.split() for line in (TEXT4VIS / "ucf_full_for_zeroshot.txt").read_text().splitlines()]
    copy = {name.split("/")[1].removesuffix(".avi"): UCF101.classes[int(index)] for name, _, index in rows}
    assert len(copy) == len(rows) == 13_320
    assert copy == dict(zip(manifest["clip_id"], manifest["label"], strict=True))


@realdata
def test_official_lists_equal_two_public_copies(lists: Lists) -> None:
    counts = []
    for item, number in zip(load("ucf101-official").on(UCF101()), (1, 2, 3), strict=True):
        assert item.test_clips is not None
        copy = (line.split()[0] for line in (TEXT4VIS / f"val_rgb_split_{number}.txt").read_text().splitlines())
        assert {name.split("/")[1] for name in copy} == set(item.test_clips)
        copy = (
            line.split()[0] for line in (OST / f"datasets_splits/ucf_splits/val{number}.txt").read_text().splitlines()
        )
        assert {name.removesuffix(".avi") for name in copy} == set(item.test_clips)
        counts.append(len(item.test_clips))
    assert counts == [3783, 3734, 3696]
    truth = json.loads((GPT4VIS / "annotations/ucf_gt.json").read_text())
    assert set(lists["test1"]) - {name.split("/")[1] for name in truth} == {"v_Drumming_g01_c07"}  # as the notes say
    assert len(json.loads((GPT4VIS / "GPT4V_ZS_Results/ucf_8frame.json").read_text())) == 3779


@realdata
def test_base_to_novel_is_official_list_1_parted(lists: Lists, manifest: pd.DataFrame) -> None:
    folder = OST / "datasets_splits/base2novel_splits/ucf_splits"
    labels = dict(zip(manifest["clip_id"], manifest["label"], strict=True))

    def read(name: str) -> dict[str, str]:
        with (OST / f"labels/ucf_101_{'novel' if 'novel' in name else 'base'}_labels.csv").open() as file:
            names = [row["name"] for row in csv.DictReader(file)]
        rows = (line.split() for line in (folder / f"{name}.txt").read_text().splitlines())
        return {clip.removesuffix(".avi"): names[int(index)] for clip, index in rows}

    every = {
        name: read(name)
        for name in ("base_train", "base_val", "novel_val", *(f"fs_base_s{n}_train" for n in (1, 2, 3)))
    }
    assert all(labels[clip] == label for clips in every.values() for clip, label in clips.items())
    base = set(every["base_train"].values())
    assert set(every["base_train"]) == {clip for clip in lists["train1"] if labels[clip] in base}
    assert set(every["base_val"]) | set(every["novel_val"]) == set(lists["test1"])
    assert len(every["base_val"]) == 2088
    for number, item in enumerate(load("ucf101-base-to-novel").on(UCF101()), start=1):
        assert set(item.seen) == base
        assert set(item.train_clips or ()) == set(every[f"fs_base_s{number}_train"]) < set(every["base_train"])
        assert set(item.test_clips or ()) == set(every["base_val"]) | set(every["novel_val"])
        assert {labels[clip] for clip in every["novel_val"]} == set(item.unseen)


@realdata
@pytest.mark.parametrize(("name", "file"), [("hard-cases", "hard_cases"), ("semantic-gap", "semantic_gap_cases")])
def test_cezsars_own_lists_less_what_stands_in_both(lists: Lists, name: str, file: str) -> None:
    released = json.loads((CEZSAR / f"ucf101_{file}_splits.json").read_text(encoding="utf-8"))
    training, testing = official(released["training"]), official(released["testing"])
    (item,) = rounds(f"ucf101-{name}")
    assert list(item.candidates) == testing
    assert set(item.seen) == set(training) - set(testing)
    assert set(item.seen) | set(testing) == set(UCF101.classes)
    assert ", ".join(released["training"]) in load(f"ucf101-{name}").notes.replace("\n", " ")


@realdata
@pytest.mark.parametrize("name", ["truze-v1-gzsl", "truze-v2-gzsl", "half-fixed50-gzsl"])
def test_gzsl_holds_out_whole_source_videos(lists: Lists, manifest: pd.DataFrame, name: str) -> None:
    frame = manifest.set_index("clip_id")
    for item in load(f"ucf101-{name}").on(UCF101())[:5]:
        train, test = (frame.loc[list(clips)] for clips in protocols.round_clips(item, manifest))
        assert not set(train["group"]) & set(test["group"])
        assert set(train["label"]) == set(item.seen)
        seen = test[test["label"].isin(item.seen)]
        assert set(seen.index) == {clip for clip in lists["test1"] if frame.at[clip, "label"] in item.seen}
        assert {group.split("/")[1] for group in seen["group"]} == {f"g0{number}" for number in range(1, 8)}
        assert set(test[~test["label"].isin(item.seen)].index) == set(frame.index[frame["label"].isin(item.unseen)])

"""Lists of classes: official names, all used; those of UCF-101 against the rules and public copies they come from."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from zsarbench.utils.class_names import match
from zsarbench_datasets.activitynet import ActivityNet
from zsarbench_datasets.hmdb51 import HMDB51
from zsarbench_datasets.kinetics import Kinetics400, Kinetics600
from zsarbench_datasets.ucf101 import UCF101

BENCHMARKS = Path(str(files("zsarbench_benchmarks")))
CEZSAR = "valterlej/cezsar/f3eef3e53f20d617c18f2e693cf4a8dccff90c57/data/datasets/splits"
MIRROR = os.environ.get("ZSARBENCH_MIRROR")
realdata = pytest.mark.realdata
needs_mirror = pytest.mark.skipif(MIRROR is None, reason="ZSARBENCH_MIRROR is unset: public copies are not read")


def read_parts(name: str) -> dict[str, list[str]]:
    """Return the lists of a file by part; one without parts has the part ''."""
    lines = (BENCHMARKS / "splits" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# "), f"{name} does not say what it is"
    parts: dict[str, list[str]] = {}
    part = ""
    for line in lines:
        if line.startswith("["):
            part = line.strip("[]")
        elif line and not line.startswith("#"):
            parts.setdefault(part, []).append(line)
    return parts


def read_split(name: str) -> list[str]:
    return read_parts(name)[""]


def read_protocol(name: str) -> dict:
    return tomllib.loads((BENCHMARKS / "protocols" / f"{name}.toml").read_text(encoding="utf-8"))


CLASSES = {
    "ucf101": UCF101.classes,
    "hmdb51": HMDB51.classes,
    "kinetics400": Kinetics400.classes,
    "kinetics600": Kinetics600.classes,
    "activitynet": ActivityNet.classes,
}
SPLITS = sorted(path.stem for path in (BENCHMARKS / "splits").glob("*.txt") if path.stem.split("-")[0] in CLASSES)


@pytest.mark.parametrize("name", SPLITS)
def test_lists_hold_official_names_once(name: str) -> None:
    for part, names in read_parts(name).items():
        assert set(names) <= set(CLASSES[name.split("-")[0]]), part
        assert len(set(names)) == len(names) > 1, part


def test_every_list_is_used_by_a_protocol() -> None:
    protocols = "".join(path.read_text(encoding="utf-8") for path in (BENCHMARKS / "protocols").glob("*.toml"))
    named = [(name, f"@{name}#{part}" if part else f"@{name}") for name in SPLITS for part in read_parts(name)]
    assert [value for _, value in named if f'"{value}"' not in protocols] == []


@pytest.mark.parametrize("seed", range(10))
def test_half_e2e_is_drawn_by_the_released_rule(seed: int) -> None:
    classes = sorted(UCF101.classes, key=str.encode)
    drawn = np.random.RandomState(seed).permutation(101)[:50]
    assert read_split(f"ucf101-half-e2e-{seed}") == [classes[index] for index in drawn]
    item = read_protocol("ucf101-half-e2e")["rounds"][seed]
    assert item == {"seed": seed, "seen": [], "candidates": f"@ucf101-half-e2e-{seed}"}


def test_byte_order_is_not_the_official_order() -> None:
    classes = sorted(UCF101.classes, key=str.encode)
    assert classes.index("HammerThrow") < classes.index("Hammering")
    assert UCF101.classes.index("Hammering") < UCF101.classes.index("HammerThrow")
    differs = [
        set(read_split(f"ucf101-half-e2e-{seed}"))
        != {UCF101.classes[index] for index in np.random.RandomState(seed).permutation(101)[:50]}
        for seed in range(10)
    ]
    assert sum(differs) == 6  # as the protocol's notes say


def test_half_e2e_classind_is_the_same_draw_in_the_official_order() -> None:
    parts = read_parts("ucf101-half-e2e-classind")
    for seed in range(10):
        drawn = np.random.RandomState(seed).permutation(101)[:50]
        assert parts[str(seed)] == [UCF101.classes[index] for index in drawn]


@realdata
@needs_mirror
def test_text4vis_numbers_its_classes_as_the_official_index() -> None:
    labels = Path(MIRROR, "whwu95/Text4Vis/d61b34d0208a03ce6146edcc51033b2a040cb249/lists/ucf_labels.csv").read_text()
    assert tuple(line.split(",")[1] for line in labels.split()[1:]) == UCF101.classes


@pytest.mark.parametrize(("version", "n_seen", "n_unseen", "n_validation"), [("v1", 67, 34, 13), ("v2", 70, 31, 14)])
def test_truze_parts_the_classes(version: str, n_seen: int, n_unseen: int, n_validation: int) -> None:
    seen, unseen, validation = (
        set(read_split(f"ucf101-truze-{version}-{which}")) for which in ("seen", "unseen", "validation")
    )
    assert (len(seen), len(unseen), len(validation)) == (n_seen, n_unseen, n_validation)
    assert seen | unseen == set(UCF101.classes)
    assert not seen & unseen
    by_hash = sorted(seen, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert validation == set(by_hash[: round(len(seen) / 5)])


def test_truze_v1_and_v2_differ_in_three_classes() -> None:
    v1, v2 = (set(read_split(f"ucf101-truze-{version}-unseen")) for version in ("v1", "v2"))
    assert v1 - v2 == {"BaseballPitch", "CuttingInKitchen", "Punch"}
    assert v2 < v1


@realdata
@needs_mirror
@pytest.mark.parametrize(("version", "file"), [("v1", "truezsl"), ("v2", "truezsl2.0")])
def test_truze_equals_the_public_copy(version: str, file: str) -> None:
    copy = json.loads(Path(MIRROR, CEZSAR, f"ucf101_{file}_splits.json").read_text(encoding="utf-8"))
    for which, key in (("seen", "training"), ("unseen", "testing")):
        names = [match(name, UCF101.classes, UCF101.aliases) for name in copy[key]]
        assert sorted(names) == sorted(read_split(f"ucf101-truze-{version}-{which}"))

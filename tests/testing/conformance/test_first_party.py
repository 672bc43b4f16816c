"""The public kit over everything that comes with zsarbench, by the same door as a stranger's plugin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from locations import GOLDEN
from zsarbench.plugins import load_plugins
from zsarbench.testing import conformance
from zsarbench.utils.compute import deterministic
from zsarbench_datasets.folder import Folder

RANKING = {"epochs": 40, "learning_rate": 0.1, "features": "standardised"}
SETTINGS = {
    **{(kind, name): {"clips_per_class": 1} for kind, name in (
        ("dataset", "sketch"), ("protocol", "sketch/compositional"), ("protocol", "sketch/validation"))},
    ("visual", "timm"): {"model": "test_resnet", "pretrained": False, "batch_size": 8},
    ("visual", "efficientnet-lite0"): {"batch_size": 8},
    ("executor", "ray"): {"address": "local"},
    ("text", "word-vectors"): {"file": str(GOLDEN / "words.txt")},
    ("method", "cezsar"): {
        "d_model": 32, "joint_dim": 16, "n_heads": 2, "feedforward": 32, "max_epochs": 12, "n_negatives": 2,
        "learning_rate": 0.003,
    },
    ("method", "cezsar-pretrained"): {"weights": str(GOLDEN / "cezsar")},
    **{("method", name): RANKING for name in ("devise", "ale", "sje", "latem")},
    ("method", "er"): {"dim": 16, "epochs": 20, "learning_rate": 0.01},
    ("method", "e2e"): {"epochs": 10, "learning_rate": 0.01, "features": "l2"},
    ("method", "dem"): {"hidden": 32, "steps": 60, "learning_rate": 0.01, "features": "l2"},
}  # fmt: skip
"""Options with which a check ends in seconds; everything else is tried as it is by default."""
HUB = {
    ("visual", "bit-m-r152x2"), ("text", "paraphrase-distilroberta"), ("text", "sentence-transformers"),
    ("visual", "open-clip"), ("text", "open-clip"), ("visual", "x-clip"), ("text", "x-clip"),
}  # fmt: skip
"""Components whose weights only a hub holds; what their constructors' signatures must fulfil is tried all the same."""
OF_OUR_OWN = ("sketch", "folder")
"""Data sets that fetch nothing: one is made, one is the user's and is tried below."""
REGISTRY = load_plugins().registry
CASES = conformance.cases(REGISTRY, settings=SETTINGS)


def dataset_of(case: conformance.Case) -> str | None:
    """Return the data set whose files a check reads."""
    if case.check.kind == "dataset":
        return case.subject.name
    return case.subject.name.split("/")[0] if case.check.name == "rounds-fit-the-clips" else None


ON_REAL_DATA = [case for case in CASES if dataset_of(case) not in (None, *OF_OUR_OWN)]
WITHOUT = [case for case in CASES if case not in ON_REAL_DATA]


@pytest.fixture(scope="module")
def shared_cache(one_clip_per_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(one_clip_per_class, tmp_path_factory.mktemp("conformance"), dirs_exist_ok=True))


@pytest.fixture(autouse=True)
def _own_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this file one cache: a component is built once for all its checks, which find its files where they were."""
    monkeypatch.setenv("ZSARBENCH_CACHE", str(shared_cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("case", WITHOUT, ids=str)
def test_conformance(case: conformance.Case) -> None:
    if (case.check.kind, case.subject.name) in HUB and case.check.name != "options-can-be-set":
        pytest.skip("its weights come from a hub")
    case()


COMPUTING = ("visual", "text", "negatives", "loss", "method")
ON_A_GPU = conformance.cases(REGISTRY, kinds=COMPUTING, settings=SETTINGS, device="cuda")


@pytest.mark.parametrize("case", ON_A_GPU if torch.cuda.is_available() else [], ids=str)
def test_conformance_on_a_gpu(case: conformance.Case) -> None:
    with deterministic(2, "cuda"):  # as a run computes
        test_conformance(case)


@pytest.mark.realdata
@pytest.mark.parametrize("case", ON_REAL_DATA, ids=str)
def test_conformance_on_real_data(case: conformance.Case, mirror: Path) -> None:
    case()


def test_a_folder_of_videos_is_a_sound_data_set(tmp_path: Path) -> None:
    for clip in ("run/a.mp4", "run/b.mp4", "sit/c.avi"):
        (tmp_path / clip).parent.mkdir(exist_ok=True)
        (tmp_path / clip).touch()
    assert conformance.run_checks(Folder, "dataset", chosen={"root": tmp_path}) == []

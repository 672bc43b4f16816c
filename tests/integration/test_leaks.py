"""Nothing of an unseen class reaches a fit: worlds that differ only there give the same fits, run by the harness.

A world is one data set in which something of the unseen classes is otherwise: the labels of their clips, half of the
clips, or the texts. A method whose choices differ between worlds has seen what it must not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from zsarbench import hookimpl
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation import scores
from zsarbench.evaluation.scores import Scores
from zsarbench.harness import inputs, runs
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import request
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, TrainSet
from zsarbench.plugins import load_plugins
from zsarbench.plugins.loading import entry_points
from zsarbench.results import RunResult
from zsarbench.testing import toys
from zsarbench.utils.progress import LogProgress

PER_CLASS = 6
WORLDS = ("as it is", "other labels", "other clips", "other texts")


class Worlds:
    """The toys' classes with six clips each, whose ids say nothing; `now` is the world under test."""

    now: ClassVar[str] = WORLDS[0]
    classes: ClassVar[tuple[str, ...]] = (*toys.SEEN, *toys.UNSEEN)
    aliases: ClassVar[Mapping[str, str]] = {}

    @property
    def revision(self) -> str:
        return Worlds.now

    def names(self) -> list[str]:
        """Return what each clip shows, in the order of the clips; unseen classes come last."""
        return [name for name in self.classes for _ in range(PER_CLASS)]

    def manifest(self) -> pd.DataFrame:
        labels = self.names()
        if Worlds.now == "other labels":
            first = len(toys.SEEN) * PER_CLASS
            labels = labels[:first] + labels[first + PER_CLASS // 2 :] + labels[first : first + PER_CLASS // 2]
        frame = pd.DataFrame({"clip_id": [f"clip{number:03}" for number in range(len(labels))], "label": labels})
        frame["path"], frame["start"], frame["end"] = None, float("nan"), float("nan")
        frame["group"] = [f"source{number // 2}" for number in range(len(labels))]
        return frame

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return two captions per clip; in another world those of every second unseen clip describe something else."""
        captions = {}
        for number, name in enumerate(self.names()):
            other = Worlds.now == "other clips" and name in toys.UNSEEN and number % 2
            captions[f"clip{number:03}"] = (
                f"{'nobody' if other else name} {number}",
                f"a person {name if not other else ''}",
            )
        return captions

    def class_texts(self, form: str) -> Sequence[ClassText]:
        if form != "sentence":
            raise UsageError(f"no texts of the form {form}")
        texts = {name: f"somebody {name}" for name in self.classes}
        if Worlds.now == "other texts":
            texts |= {name: f"{name} as never before" for name in toys.UNSEEN}
        return [ClassText(name, (text,)) for name, text in texts.items()]


# --- methods that leak, and one that does not -------------------------------------------------------------------------


def means(clips: ClipFeatures) -> Tensor:
    steps = clips.rows(range(len(clips)))
    return (steps.values * steps.mask[..., None]).sum(1) / steps.mask.sum(1, keepdim=True)


def texts_of(classes: Sequence[ClassText], context: Context) -> Tensor:
    assert context.parts.text is not None
    return context.parts.text.encode([described.texts[0] for described in classes])


class Sound:
    """Ridge regression to the texts, whose penalty is the best of three on the validation classes."""

    learns_from: LearnsFrom = "seen-classes"
    class_independent = True

    def __init__(self) -> None:
        self.tried: dict[str, float] = {}

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is not None
        assert train.labels is not None
        self.x, self.y = means(train.clips), texts_of(train.classes, context)[train.labels]
        self.tried = {str(penalty): self.quality(penalty, train, context) for penalty in (0.1, 1.0, 10.0)}
        self.learn(max(self.tried, key=lambda penalty: self.tried[penalty]))

    def learn(self, penalty: str) -> None:
        eye = torch.eye(self.x.shape[1])
        self.map = torch.linalg.solve(self.x.T @ self.x + float(penalty) * eye, self.x.T @ self.y)

    def quality(self, penalty: float, train: TrainSet, context: Context) -> float:
        held = [number for number, one in enumerate(train.classes) if one.name in train.validation]
        judged = [i for i, label in enumerate(train.labels.tolist()) if label in held]  # type: ignore[union-attr]
        return self.accuracy(penalty, self.x[judged], self.y[judged])

    def accuracy(self, penalty: float, x: Tensor, y: Tensor) -> float:
        self.learn(str(penalty))
        return float(torch.cosine_similarity(x @ self.map, y).mean())

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        return torch.cosine_similarity((means(clips) @ self.map)[:, None], texts_of(classes, context)[None], dim=-1)

    def record(self) -> Mapping[str, Any]:
        return {"tried": self.tried}


class PeeksAtLabels(Sound):
    """Judges its settings on the unseen classes, whose labels it takes from the data set itself."""

    def quality(self, penalty: float, train: TrainSet, context: Context) -> float:
        data = Worlds()
        unseen = data.manifest()[lambda frame: frame["label"].isin(toys.UNSEEN)]
        assert context.parts.text is not None
        x = torch.stack([context.parts.text.encode(data.captions()[clip]).mean(0) for clip in unseen["clip_id"]])
        texts = {described.name: described for described in data.class_texts("sentence")}
        return self.accuracy(penalty, x, texts_of([texts[label] for label in unseen["label"]], context))


class PeeksAtScores(Sound):
    """Chooses again when it scores: the setting that is surest of the test clips."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        for penalty in self.tried:
            self.learn(penalty)
            self.tried[penalty] = float(super().score(clips, classes, context).amax(1).mean())
        self.learn(max(self.tried, key=lambda penalty: self.tried[penalty]))
        return super().score(clips, classes, context)


class SelectsOnCandidates(Sound):
    """Chooses the setting that maps the clips it learnt from farthest from the candidates."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        for penalty in self.tried:
            self.learn(penalty)
            self.tried[penalty] = float(-(self.x @ self.map @ texts_of(classes, context).T).mean())
        self.learn(max(self.tried, key=lambda penalty: self.tried[penalty]))
        return super().score(clips, classes, context)


LEAKS = {
    "peeks-at-labels": (PeeksAtLabels, "other labels"),
    "peeks-at-scores": (PeeksAtScores, "other clips"),
    "selects-on-candidates": (SelectsOnCandidates, "other texts"),
}


@hookimpl
def zsarbench_register(registry: Any) -> None:
    registry.add("dataset", "worlds", f"{__name__}:Worlds", summary="A toy.", trained_on=())
    registry.add("text", "toy-text", "zsarbench.testing.toys:ToyText", summary="A toy.", trained_on=())
    for name, target in {"sound": Sound, **{name: target for name, (target, _) in LEAKS.items()}}.items():
        target_name = f"{__name__}:{target.__name__}"
        registry.add("method", name, target_name, summary="A toy.", defaults={"visual": "captions", "text": "toy-text"})


TOY = {"toy": lambda: type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})}
HOST = load_plugins(loaders=entry_points() | TOY)
LEARNT = sorted(
    entry.name
    for entry in HOST.registry
    if entry.kind == "method" and entry.plugin != "toy" and entry.load().learns_from != "nothing"
)
SMALL = {"dem": ["method.hidden=16", "method.steps=50"], "latem": ["method.epochs=2"], "er": ["method.dim=16"],
         "e2e": ["method.epochs=5"],
         "cezsar": ["method.d_model=32", "method.joint_dim=16", "method.n_heads=2", "method.max_epochs=2"]}  # fmt: skip


def run(folder: Path, method: str, world: str) -> tuple[RunResult, Scores]:
    """Run a method in a world, and return the result and its scores."""
    Worlds.now = world
    lists = {"seen": toys.SEEN, "candidates": toys.UNSEEN, "validation": toys.SEEN[-2:]}
    head = {"name": "toy/worlds", "version": 1, "dataset": "worlds", "setting": "zsl", "class_text": "sentence"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**head, "summary": "A toy.", "source": "This."}.items()]
    lines += ["[[rounds]]", *(f"{key} = {json.dumps(list(value))}" for key, value in lists.items())]
    file = folder / "worlds.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    arguments = {"protocol": str(file), "visual": "captions", "text": "toy-text", "settings": SMALL.get(method, ())}
    spec = resolve_run(request(method, out=str(folder / world), threads=1, **arguments), HOST)
    result, path = runs.run(spec, HOST, LogProgress())
    return result, scores.read(path.with_suffix(".npz"))


def leaks(folder: Path, method: str) -> list[str]:
    """Return the worlds in which a method fits otherwise, or scores a clip otherwise that is the same there."""
    result, saved = run(folder, method, WORLDS[0])
    clips = [int(str(clip).removeprefix("clip")) for clip in saved.clip_ids[saved.rounds[0].clips]]
    same = {
        "other labels": np.ones(len(clips), dtype=bool),
        "other clips": np.array([number % 2 == 0 for number in clips]),
        "other texts": np.zeros(len(clips), dtype=bool),
    }
    found = []
    for world, kept in same.items():
        other, scored = run(folder, method, world)
        alike = np.array_equal(saved.round(0)[0][kept], scored.round(0)[0][kept])
        if other.method.record != result.method.record or not alike:
            found.append(world)
    return found


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    yield
    Worlds.now = WORLDS[0]


def test_worlds_differ_and_a_sound_method_fits_alike_in_all(tmp_path: Path) -> None:
    values = {world: run(tmp_path, "sound", world)[0].summary["top1_per_video"].mean for world in WORLDS}
    assert values["as it is"] > max(values["other labels"], values["other clips"])
    assert leaks(tmp_path, "sound") == []


@pytest.mark.parametrize("method", LEAKS)
def test_a_planted_leak_is_found(tmp_path: Path, method: str) -> None:
    assert LEAKS[method][1] in leaks(tmp_path, method)


@pytest.mark.parametrize("method", LEARNT)
def test_no_method_of_ours_leaks(tmp_path: Path, method: str) -> None:
    assert leaks(tmp_path, method) == []


# --- what the harness hands over ---


class Spy(Sound):
    """Keeps what it was given to learn from."""

    given: ClassVar[list[TrainSet]] = []

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is not None
        Spy.given.append(train)
        super().fit(train, context)


def test_a_training_set_holds_clips_and_texts_of_seen_classes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.Sound", Spy)
    Spy.given.clear()
    run(tmp_path, "sound", WORLDS[0])
    [train] = Spy.given
    manifest = Worlds().manifest().set_index("clip_id")
    assert set(manifest.loc[list(train.clips.ids), "label"]) == set(toys.SEEN)
    assert {described.name for described in train.classes} == set(toys.SEEN)
    assert not any(name in text for described in train.classes for text in described.texts for name in toys.UNSEEN)
    assert set(train.validation) <= set(toys.SEEN)
    assert len(train.clips) == len(train.groups) == len(toys.SEEN) * PER_CLASS


def test_a_clip_of_an_unseen_class_in_a_training_set_is_refused() -> None:
    data = Worlds()
    texts = {described.name: described for described in data.class_texts("sentence")}
    manifest = data.manifest().set_index("clip_id")
    given = inputs.Inputs(
        dataset="worlds", revision="1", classes=data.classes, manifest=manifest, texts=texts, captions={}, aliases={}
    )
    features = toys.clips((*toys.SEEN, toys.UNSEEN[0]), PER_CLASS)
    features.ids = tuple(manifest.index[: len(features)])
    with pytest.raises(ZsarbenchError, match=r"'clip036' belongs to no class that may be learnt from"):
        inputs.train_set(given, features, toys.SEEN, None)

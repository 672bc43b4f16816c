"""The hard cases that the interfaces were frozen on, each a toy of a few lines, run by the harness as any plugin is.

Stored feature files, a video model of windows, a caption encoder that reads through the text part, the generalised
setting, and training on one data set while testing on another.
"""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from zsarbench import hookimpl
from zsarbench.data.video import failures as video_failures
from zsarbench.errors import UsageError, UsageErrors, ZsarbenchError
from zsarbench.evaluation import scores
from zsarbench.evaluation.scores import Scores
from zsarbench.harness import runs
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import request
from zsarbench.interfaces import (
    ClassText,
    ClipFeatures,
    Clips,
    Context,
    LearnsFrom,
    Sampling,
    Steps,
    TextEncoder,
    TrainSet,
)
from zsarbench.plugins import load_plugins
from zsarbench.reports import semantic_gap
from zsarbench.results import RunResult
from zsarbench.testing import toys
from zsarbench.testing.videos import KeepFrame, read_number, write_video
from zsarbench.utils.progress import LogProgress
from zsarbench_encoders import feature_files

PER_CLASS = 4

# --- the toys ---------------------------------------------------------------------------------------------------------


class ToyDataset:
    """A data set of synthetic clips, four per class, two of each source video; with a root, of small video files."""

    prefix = "made"
    classes: ClassVar[tuple[str, ...]] = (*toys.SEEN, *toys.UNSEEN)
    aliases: ClassVar[Mapping[str, str]] = {}
    revision = "1"

    def __init__(self, *, root: Path | None = None) -> None:
        self.root = root

    def manifest(self) -> pd.DataFrame:
        rows = [(name, number) for name in self.classes for number in range(PER_CLASS)]
        ids = [f"{self.prefix}-{name.replace(' ', '-')}-{number}" for name, number in rows]
        frame = pd.DataFrame({"clip_id": ids, "label": [name for name, _ in rows]})
        frame["path"] = [str(self.root / f"{clip}.mp4") if self.root else None for clip in ids]
        frame["start"] = frame["end"] = float("nan")
        frame["group"] = [f"{name}/{number // 2}" for name, number in rows]
        return frame.sort_values("clip_id", ignore_index=True)

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        manifest = self.manifest()
        return {clip: (f"a person {label}", f"{label}, seen from the side") for clip, label, *_ in manifest.values}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        if form != "sentence":
            raise UsageError(f"no texts of the form {form}")
        return toys.class_texts(self.classes)


class Other(ToyDataset):
    """Another data set: some classes are the first one's, some are not."""

    prefix = "other"
    classes: ClassVar[tuple[str, ...]] = (*toys.SEEN[:4], "turning door", "throwing ball")


class FeatureFiles(feature_files.FeatureFiles):
    """Reads feature files of the toys' space."""

    space = toys.SPACE

    def __init__(self, *, folder: Path | None = None) -> None:
        super().__init__(folder=folder, dim=toys.DIM, max_steps=toys.MAX_STEPS)


class Layered:
    """Of a part in two layers, one of which is called `encoder`: 8 parameters there, 5 besides."""

    encoder = torch.nn.Linear(3, 2)

    def parameters(self) -> Iterator[Tensor]:
        yield from self.encoder.parameters()
        yield torch.zeros(5)


class LayeredFeatures(Layered, FeatureFiles):
    """A visual part in layers."""


class LayeredText(Layered, toys.ToyText):
    """A text part in layers."""


class Windows:
    """A video model: a step is a window of four frames, and its features are the windows' frame numbers."""

    needs: Literal["frames"] = "frames"
    space = None
    dim = 4
    sampling = Sampling(frames_per_second=5.0, max_steps=3, frames_per_step=4, step_stride=2)

    def __init__(self) -> None:
        self.prepare = KeepFrame()
        self.fingerprint = {"preprocessing": "none"}

    def encode(self, clips: Clips) -> Steps:
        assert clips.frames is not None
        assert clips.mask is not None
        numbers = [
            [[read_number(frame.permute(1, 2, 0).numpy()) for frame in step] for step in clip] for clip in clips.frames
        ]
        return Steps(torch.tensor(numbers).float() * clips.mask[..., None], clips.mask)


class CaptionSteps:
    """An encoder of captions: step t is caption t through the run's text part."""

    needs: Literal["captions"] = "captions"
    captions_in_steps: Literal["one-each"] = "one-each"
    sampling = Sampling(max_steps=2)

    def __init__(self, *, text_encoder: TextEncoder) -> None:
        self.text_encoder = text_encoder
        self.dim, self.space, self.fingerprint = text_encoder.dim, text_encoder.space, text_encoder.fingerprint

    def encode(self, clips: Clips) -> Steps:
        assert clips.captions is not None
        values = torch.stack([self.text_encoder.encode(captions[:2]) for captions in clips.captions])
        return Steps(values, torch.ones(values.shape[:2], dtype=torch.bool))


class OtherText(toys.ToyText):
    """A text encoder whose vectors are others."""

    def __init__(self) -> None:
        self.fingerprint = {"weights_sha256": "another rule"}

    def encode(self, texts: Sequence[str]) -> Tensor:
        return super().encode([f"{text} again" for text in texts])


def means(clips: ClipFeatures) -> Tensor:
    steps = clips.rows(range(len(clips)))
    return (steps.values * steps.mask[..., None]).sum(1) / steps.mask.sum(1, keepdim=True)


class Nearest:
    """The cosine between a clip's mean step and a class's text; learns nothing."""

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is None

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        assert context.parts.text is not None
        texts = context.parts.text.encode([described.texts[0] for described in classes])
        return torch.cosine_similarity(means(clips)[:, None], texts[None], dim=-1)


class LastStep(Nearest):
    """Scores a class by a number of the clip's last step: shows what steps a method is given."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        steps = clips.rows(range(len(clips)))
        return steps.values[torch.arange(len(clips)), steps.mask.sum(1) - 1]


class Stumbles(Nearest):
    """Scores the first clip NaN when it first scores, and never again."""

    called = False

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        scores = super().score(clips, classes, context)
        if not Stumbles.called:
            scores[0] = float("nan")
        Stumbles.called = True
        return scores


class FromCaptions(Nearest):
    """Maps clips to the mean of their captions by ridge regression, and keeps what it was given."""

    learns_from: LearnsFrom = "captions"

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is not None
        assert train.clips.captions is not None
        assert context.parts.text is not None
        y = torch.stack([context.parts.text.encode(captions).mean(0) for captions in train.clips.captions])
        x = means(train.clips)
        self.map = torch.linalg.solve(x.T @ x + torch.eye(x.shape[1]), x.T @ y)
        self.given = {
            "dataset": train.dataset,
            "classes": sorted(described.name for described in train.classes),
            "clips": list(train.clips.ids),
            "groups": len(set(train.groups)),
        }

    def record(self) -> Mapping[str, Any]:
        return self.given

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        assert context.parts.text is not None
        texts = context.parts.text.encode([described.texts[0] for described in classes])
        return torch.cosine_similarity((means(clips) @ self.map)[:, None], texts[None], dim=-1)


# --- running them -----------------------------------------------------------------------------------------------------


@hookimpl
def zsarbench_register(registry: Any) -> None:
    for kind, name, target in (
        ("dataset", "made", ToyDataset),
        ("dataset", "other", Other),
        ("visual", "feature-files", FeatureFiles),
        ("visual", "layered-features", LayeredFeatures),
        ("visual", "windows", Windows),
        ("visual", "caption-steps", CaptionSteps),
        ("text", "layered-text", LayeredText),
        ("text", "other-text", OtherText),
        ("method", "nearest", Nearest),
        ("method", "last-step", LastStep),
        ("method", "stumbles", Stumbles),
        ("method", "from-captions", FromCaptions),
    ):
        defaults = {"visual": "feature-files", "text": "toy-text"} if kind == "method" else {}
        registry.add(kind, name, f"{__name__}:{target.__name__}", summary="A toy.", trained_on=(), defaults=defaults)
    registry.add("text", "toy-text", "zsarbench.testing.toys:ToyText", summary="A toy.", trained_on=())


HOST = load_plugins(
    loaders={
        "toy": lambda: type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)}),
        "methods": lambda: importlib.import_module("zsarbench_methods"),
        "cezsar": lambda: importlib.import_module("zsarbench_cezsar"),
    }
)


def run(folder: Path, method: str, **arguments: Any) -> tuple[RunResult, Scores]:
    """Run a method under a protocol that a file of this folder states, and return the result and its scores."""
    where = arguments.pop("protocol", None) or protocol(folder)
    spec = resolve_run(request(method, protocol=where, out=str(folder / "out"), threads=1, **arguments), HOST)
    result, path = runs.run(spec, HOST, LogProgress())
    return result, scores.read(path.with_suffix(".npz"))


def protocol(folder: Path, setting: str = "zsl", **changed: Any) -> str:
    """Write a protocol of one round; by default seen and unseen classes of the toys."""
    lists = {"seen": toys.SEEN, "candidates": toys.UNSEEN, "validation": toys.SEEN[-2:], **changed}
    head = {"name": f"toy/{setting}", "version": 1, "dataset": "made", "setting": setting, "class_text": "sentence"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**head, "summary": "A toy.", "source": "This."}.items()]
    lines += ["[[rounds]]", *(f"{key} = {json.dumps(list(value))}" for key, value in lists.items())]
    path = folder / f"{setting}.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A folder of feature files of both data sets."""
    folder = tmp_path / "features"
    folder.mkdir()
    for dataset in (ToyDataset, Other):
        clips = toys.clips(dataset.classes, PER_CLASS, name=dataset.prefix)
        for number, clip_id in enumerate(clips.ids):
            steps = clips.rows([number])
            np.save(folder / f"{clip_id}.npy", steps.values[0][steps.mask[0]].numpy())
    return folder


def test_feature_files(tmp_path: Path, features: Path) -> None:
    """A clip without a file counts as wrong and is named; files that changed are read again."""
    (features / "made-opening-box-3.npy").unlink()
    settings = [f"visual.folder={features}"]
    result, saved = run(tmp_path, "nearest", settings=settings)
    assert (result.rounds[0].n_expected, result.rounds[0].n_scored, result.rounds[0].n_failed) == (16, 15, 1)
    assert [failure.clip_id for failure in result.failures] == ["made-opening-box-3"]
    assert 0.5 < result.summary["top1_per_video"].mean < 1  # chance is 0.25, and one clip is wrong
    for file in features.glob("made-*.npy"):
        np.save(file, -np.load(file))
    _, turned = run(tmp_path, "nearest", settings=settings)
    (before, _), (after, _) = saved.round(0), turned.round(0)
    np.testing.assert_allclose(after, -before, atol=1e-6)


def test_a_window_video_model(tmp_path: Path) -> None:
    """Frames are 0.2 s apart, four make a step, a step starts every 0.4 s: of 10 frames a second every second one."""
    for clip_id in ToyDataset().manifest()["clip_id"]:
        write_video(tmp_path / f"{clip_id}.mp4", 16 if clip_id.endswith("0") else 8)
    _, saved = run(tmp_path, "last-step", visual="windows", data_root=[f"made={tmp_path}"])
    ids = saved.clip_ids[saved.rounds[0].clips]
    last_steps = {clip[-1]: row.tolist() for clip, row in zip(ids, saved.round(0)[0], strict=True)}
    assert last_steps["0"] == [8, 10, 12, 14]  # the third, of 1.6 s
    assert last_steps["1"] == [0, 2, 4, 6]  # the only one that fits into 0.8 s


def test_a_caption_encoder_reads_through_the_runs_text_part(tmp_path: Path) -> None:
    """Another text part gives other features, which are stored apart; the cosine is legal, the space being one."""
    result, saved = run(tmp_path, "nearest", visual="caption-steps")
    assert result.summary["top1_per_video"].mean == 1
    assert result.parts["text"].name == "toy-text"
    _, others = run(tmp_path, "nearest", visual="caption-steps", text="other-text")
    assert not np.allclose(saved.round(0)[0], others.round(0)[0])
    _, again = run(tmp_path, "nearest", visual="caption-steps")
    np.testing.assert_array_equal(saved.round(0)[0], again.round(0)[0])


def test_class_sentences_are_chosen_by_the_runs_text_part(tmp_path: Path) -> None:
    """Of two texts a class the nearest to its name describes it; the result has the hash of what was chosen."""
    lines = [f"{name},{text}" for name in ToyDataset.classes for text in ("nothing of it", f"somebody {name}")]
    for file, kept in (("both", lines), ("near", lines[1::2])):
        (tmp_path / f"{file}.csv").write_text("\n".join(["class,text", *kept]))
    forms = {name: str(tmp_path / name) for name in ("both.csv", "near.csv", "both.csv:nearest-1")}
    by_form = {
        name: run(tmp_path, "nearest", visual="caption-steps", class_text=form)[0] for name, form in forms.items()
    }
    hashes = {name: result.class_text.sha256 for name, result in by_form.items()}
    assert hashes["both.csv:nearest-1"] == hashes["near.csv"] != hashes["both.csv"]
    assert by_form["both.csv:nearest-1"].class_text.form == "both.csv:nearest-1"
    assert by_form["both.csv:nearest-1"].summary["top1_per_video"].mean == 1


def test_the_generalised_setting(tmp_path: Path, features: Path) -> None:
    """Seen classes are candidates; of their clips one source video is for training, the other is tested."""
    clips = {clip: label for clip, label, *_ in ToyDataset().manifest().values}
    trained = [clip for clip, label in clips.items() if label in toys.SEEN and clip[-1] in "01"]
    tested = sorted(set(clips) - set(trained))
    lists = {"candidates": ToyDataset.classes, "train_clips": trained, "test_clips": tested}
    result, saved = run(
        tmp_path,
        "from-captions",
        protocol=protocol(tmp_path, "gzsl", **lists),
        settings=[f"visual.folder={features}"],
    )
    assert result.method.record["fits"][0]["clips"] == sorted(trained)
    assert result.rounds[0].n_expected == len(tested) == 6 * 2 + 4 * 4
    assert saved.round(0)[0].shape == (len(tested), 10)
    assert [str(saved.class_names[c]) in toys.SEEN for c in saved.rounds[0].classes] == list(saved.rounds[0].seen)
    seen, unseen = (result.summary[f"top1_per_class_{side}"].mean for side in ("seen", "unseen"))
    assert result.summary["harmonic_mean"].mean == pytest.approx(2 * seen * unseen / (seen + unseen))
    assert seen > 0.3  # chance is 0.1


@pytest.mark.parametrize("independent", [True, False])
def test_base_to_novel(tmp_path: Path, features: Path, monkeypatch: pytest.MonkeyPatch, independent: bool) -> None:
    """A method scores clips of seen classes among seen classes alone, and the others among unseen ones."""
    calls, score = [], FromCaptions.score

    def noted(self: Any, clips: Any, classes: Any, context: Any) -> Any:
        calls.append(({named.removeprefix("a person ") for named, _ in clips.captions}, {one.name for one in classes}))
        assert not set(clips.ids) & set(labels)  # ids of the data set name the class
        return score(self, clips, classes, context)

    monkeypatch.setattr(FromCaptions, "score", noted)
    monkeypatch.setattr(FromCaptions, "class_independent", independent, raising=False)
    labels = {clip: label for clip, label, *_ in ToyDataset().manifest().values}
    trained = [clip for clip, label in labels.items() if label in toys.SEEN and clip[-1] in "01"]
    lists = {"candidates": ToyDataset.classes, "train_clips": trained, "test_clips": sorted(set(labels) - set(trained))}
    named = protocol(tmp_path, "base-to-novel", **lists)
    result, saved = run(tmp_path, "from-captions", protocol=named, settings=[f"visual.folder={features}"])
    assert len(calls) == 2
    for shown, names in calls:
        assert shown == names
    scores, owner = saved.round(0)
    own = saved.rounds[0].seen[owner][:, None] == saved.rounds[0].seen[None]
    assert (np.isneginf(scores) == ~own).all()
    base, novel = (result.summary[f"top1_per_video_{side}"] for side in ("base", "novel"))
    assert result.summary["harmonic_mean_per_video"].mean == pytest.approx(
        2 * base.mean * novel.mean / (base.mean + novel.mean)
    )
    assert (base.chance, novel.chance) == (1 / 6, 1 / 4)
    assert (base.ci95, base.no_ci95) == (None, "fewer than 10 classes")
    assert novel.mean > novel.chance


def test_base_to_novel_rounds_of_other_seen_classes_compete_among_their_own(tmp_path: Path, features: Path) -> None:
    """One fit serves them all where nothing is learnt; a class that is seen in one round may be unseen in another."""
    name = protocol(tmp_path, "base-to-novel", candidates=ToyDataset.classes, validation=[], train_clips=[])
    path, other = Path(name), list(reversed(ToyDataset.classes))[:5]
    head, first = path.read_text().split("[[rounds]]")
    second = f"seen = {other}\ncandidates = {list(ToyDataset.classes)}\ntrain_clips = []\n"
    path.write_text(f"{head}[[rounds]]{first}\n[[rounds]]\n{second}")
    _, saved = run(tmp_path, "nearest", protocol=name, settings=[f"visual.folder={features}"])
    seen = [{str(saved.class_names[c]) for c in item.classes[item.seen]} for item in saved.rounds]
    assert seen == [set(toys.SEEN), set(other)]
    for number, item in enumerate(saved.rounds):
        scores, owner = saved.round(number)
        own = item.seen[owner][:, None] == item.seen[None]
        assert (np.isneginf(scores) == ~own).all()


def test_training_on_one_data_set_and_testing_on_another(tmp_path: Path, features: Path) -> None:
    """The method is given the other data set's clips and classes alone; shared classes are reported."""
    result, _ = run(
        tmp_path, "from-captions", train_on="other", settings=[f"visual.folder={features}"],
        protocol=protocol(tmp_path, seen=[], validation=[], candidates=ToyDataset.classes),
    )  # fmt: skip
    given = result.method.record["fits"][0]
    assert given["dataset"] == "other"
    assert given["classes"] == sorted(Other.classes)
    assert all(clip.startswith("other-") for clip in given["clips"])
    assert len(given["clips"]) == len(Other.classes) * PER_CLASS
    assert result.train_on == "other"
    assert result.rounds[0].n_expected == len(ToyDataset.classes) * PER_CLASS
    assert result.summary["top1_per_video"].mean > 0.25  # chance is 0.1
    assert result.contamination is not None
    assert {overlap.candidate for overlap in result.contamination.overlapping} == set(toys.SEEN[:4])


def test_a_method_of_labelled_classes_learns_from_another_data_set(tmp_path: Path, features: Path) -> None:
    """Classes that both data sets have are reported, and the accuracy without them is given."""
    result, _ = run(
        tmp_path, "eszsl", visual="feature-files", text="toy-text", train_on="other",
        protocol=protocol(tmp_path, seen=[], validation=[], candidates=ToyDataset.classes),
        settings=[f"visual.folder={features}"],
    )  # fmt: skip
    assert result.train_on == "other"
    assert set(result.method.record["fits"][0]["chosen_on"]) < set(Other.classes)
    assert result.summary["top1_per_video"].mean > 0.2  # chance is 0.1
    assert result.contamination is not None
    assert {overlap.candidate for overlap in result.contamination.overlapping} == set(toys.SEEN[:4])


UNREAD = "lifting cup"  # of its clips one cannot be read


def test_unreadable_clips_of_the_other_data_set_are_reported_and_not_learnt_from(
    tmp_path: Path, features: Path
) -> None:
    """They are no failures of the test, which a result lists; without any the run ends."""

    def learnt(**arguments: Any) -> RunResult:
        return run(
            tmp_path, "from-captions", train_on="other", settings=[f"visual.folder={features}"],
            protocol=protocol(tmp_path, seen=[], validation=[], candidates=ToyDataset.classes), **arguments,
        )[0]  # fmt: skip

    unread = f"other-{UNREAD.replace(' ', '-')}-3"
    (features / f"{unread}.npy").unlink()
    result = learnt()
    n_clips = len(Other.classes) * PER_CLASS
    assert unread not in result.method.record["fits"][0]["clips"]
    assert len(result.method.record["fits"][0]["clips"]) == n_clips - 1
    assert result.failures == ()
    assert result.contamination is not None
    assert result.contamination.n_sentences == 2 * (n_clips - 1)
    assert result.contamination.naming == {name: 6 if name == UNREAD else 8 for name in toys.SEEN[:4]}
    assert f"trained on other, revision 1: {n_clips - 1} of {n_clips} clips" in map(str, result.flags)
    for file in features.glob("other-*.npy"):
        file.unlink()
    with pytest.raises(
        ZsarbenchError, match=r"no clip that .* learns from can be read: .* nothing of the clips of other"
    ):
        learnt()


def test_sentences_of_seen_clips_that_cannot_be_read_are_not_counted(tmp_path: Path, features: Path) -> None:
    for clip in ("made-lifting-cup-0", "made-pushing-ball-0"):  # of a seen and of an unseen class
        (features / f"{clip}.npy").unlink()
    result, _ = run(tmp_path, "from-captions", settings=[f"visual.folder={features}"], seeds=2)
    assert result.contamination is not None
    assert result.contamination.n_sentences == 2 * (len(toys.SEEN) * PER_CLASS - 1)
    assert result.contamination.naming == {}


def test_a_clip_that_one_fit_scored_nan_is_scored_by_the_others(tmp_path: Path, features: Path) -> None:
    result, _ = run(tmp_path, "stumbles", settings=[f"visual.folder={features}"], seeds=2)
    assert [(item.n_scored, item.n_failed) for item in result.rounds] == [(15, 1), (16, 0)]
    (failure,) = result.failures
    assert failure.reason == "method 'stumbles' scored it NaN"


def test_the_plan_counts_the_clips_of_both_data_sets(tmp_path: Path, features: Path) -> None:
    planned = request(
        "from-captions", train_on="other", settings=[f"visual.folder={features}"], threads=1,
        protocol=protocol(tmp_path, seen=[], validation=[], candidates=ToyDataset.classes),
    )  # fmt: skip
    plan = runs.plan(resolve_run(planned, HOST), HOST, LogProgress())
    assert plan["clips"] == plan["clips_to_extract"] == (len(ToyDataset.classes) + len(Other.classes)) * PER_CLASS


def test_a_method_that_learns_is_refused_where_there_is_nothing_to_learn_from(tmp_path: Path, features: Path) -> None:
    bare = protocol(tmp_path, seen=[], validation=[])
    with pytest.raises(UsageErrors, match="no seen classes"):
        run(tmp_path, "from-captions", protocol=bare, settings=[f"visual.folder={features}"])


def test_the_log_shows_the_commonest_reasons_and_counts_the_others() -> None:
    reasons = {f"clip{number}": "missing file" for number in range(5)} | {
        f"odd{number}": f"reason {number}" for number in range(video_failures.MAX_REASONS + 2)
    }
    text = video_failures.describe_failures(reasons)
    assert text.startswith("5 × missing file (e.g. clip0); 1 × reason 0 (e.g. odd0)")
    assert text.endswith("3 × other reasons")
    assert video_failures.describe_failures({"a": "missing file"}) == "1 × missing file (e.g. a)"


# --- a learnt space, a loss with parameters ---------------------------------------------------------------------------

SMALL = ("d_model=16", "joint_dim=8", "feedforward=16", "max_epochs=2", "n_negatives=2", "positives=classes")


def joint_run(folder: Path, features: Path) -> dict[str, Any]:
    """Return the arguments of a short fit of CEZSAR on feature files."""
    settings = [f"visual.folder={features}", "negatives.high=2.1", *(f"method.{option}" for option in SMALL)]
    parts = {"visual": "feature-files", "text": "toy-text", "loss": "sigmoid"}
    return {"protocol": protocol(folder), "settings": settings, **parts}


def test_the_parameters_of_a_loss_are_counted(tmp_path: Path, features: Path) -> None:
    result, _ = run(tmp_path, "cezsar", **joint_run(tmp_path, features))
    assert result.parts["loss"].parameters == 2  # its scale and its bias
    assert result.method.record["fits"][0]["parameters"]["loss"] == 2


def test_all_parameters_of_a_part_are_counted_whatever_it_calls_its_layers(tmp_path: Path, features: Path) -> None:
    parts = {"visual": "layered-features", "text": "layered-text"}
    result, _ = run(tmp_path, "nearest", settings=[f"visual.folder={features}"], **parts)
    assert {kind: part.parameters for kind, part in result.parts.items()} == {"visual": 13, "text": 13}


def test_the_semantic_gap_of_a_result_is_embedded_by_the_same_fit(
    tmp_path: Path, features: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    arguments = joint_run(tmp_path, features)
    _, found = run(tmp_path, "cezsar", **arguments)
    spec = resolve_run(request("cezsar", out=str(tmp_path / "out"), threads=1, **arguments), HOST)
    shown = semantic_gap.of_run(spec, HOST, LogProgress(), found, 0)
    assert "its weights are loaded" in caplog.text
    assert "gives other scores" not in caplog.text
    given, labels = found.round(0)
    assert shown.names == tuple(toys.UNSEEN)
    assert shown.labels.tolist() == labels.tolist()
    points = shown.after
    cosine = torch.cosine_similarity(torch.tensor(points.clips)[:, None], torch.tensor(points.sentences), dim=-1)
    assert np.allclose(cosine, given, atol=1e-5)
    assert shown.before.clips.shape[1] == toys.DIM
    caplog.clear()
    altered = replace(found, blocks=(replace(found.blocks[0], scores=found.blocks[0].scores + 1),))
    semantic_gap.of_run(spec, HOST, LogProgress(), altered, 0)
    assert "gives other scores than the result, by up to 1" in caplog.text


def test_a_method_without_a_joint_space_has_no_semantic_gap(tmp_path: Path, features: Path) -> None:
    _, found = run(tmp_path, "nearest", settings=[f"visual.folder={features}"])
    spec = resolve_run(request("nearest", protocol=protocol(tmp_path), settings=[f"visual.folder={features}"]), HOST)
    with pytest.raises(UsageError, match="method 'nearest' has no joint space to show"):
        semantic_gap.of_run(spec, HOST, LogProgress(), found, 0)

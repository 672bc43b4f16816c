"""Every check of the conformance kit catches the bug it is there for; sound toys pass them all."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from zsarbench import hookimpl, seeding
from zsarbench.cli.main import Session, cli
from zsarbench.errors import NoNegatives, UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText, Clips, Sampling, Shard, ShardReport, Steps
from zsarbench.plugins import Host, load_plugins
from zsarbench.registry import KINDS
from zsarbench.testing import conformance, toys
from zsarbench.testing.toys import ToyLoss, ToyNegatives, ToyText, ToyVisual
from zsarbench_encoders.captions import Captions
from zsarbench_encoders.preparation import ResizeCrop

# --- sound components, one of each kind -------------------------------------------------------------------------------


class Windows:
    """Sound: a visual encoder over windows of two frames; a step is the frames' mean colour."""

    needs = "frames"
    dim = 3
    space = None
    sampling = Sampling(2.0, 3, frames_per_step=2, step_stride=2)

    def __init__(self, *, scale: float = 1.0) -> None:
        self.scale = scale
        self.fingerprint = {"preprocessing": "8x8"}
        self.prepare: Any = ResizeCrop((8, 8), (8, 8), "nearest")

    def encode(self, clips: Clips) -> Steps:
        assert clips.frames is not None
        assert clips.mask is not None
        values = clips.frames.double().mean(dim=(2, 4, 5)).float() * self.scale
        return Steps(values * clips.mask[..., None], clips.mask)


class Centroids:
    """Sound: a least-squares map from a clip's mean step to its class's text, then the cosine."""

    learns_from = "seen-classes"
    class_independent = True

    def __init__(self, *, ridge: float = 1.0) -> None:
        self.ridge = ridge

    def means(self, steps: Steps) -> Tensor:
        return (steps.values * steps.mask[..., None]).sum(1) / steps.mask.sum(1, keepdim=True)

    def texts(self, classes: Sequence[ClassText], context: Any) -> Tensor:
        return torch.stack([context.parts.text.encode(one.texts).mean(0) for one in classes])

    def fit(self, train: Any, context: Any) -> None:
        x = self.means(train.clips.rows(range(len(train.clips))))
        y = self.texts(train.classes, context)[train.labels]
        self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)

    def score(self, clips: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
        x = self.means(clips.rows(range(len(clips)))) @ self.map
        return torch.cosine_similarity(x[:, None], self.texts(classes, context)[None], dim=-1)


class Pair:
    """Sound: a data set of four clips in two classes."""

    classes: tuple[str, ...] = ("run", "sit")
    aliases: Mapping[str, str] = {"jog": "run"}
    revision: Any = "1"

    def __init__(self, *, root: Path | None = None) -> None:
        self.root = root

    def manifest(self) -> pd.DataFrame:
        labels = ["run", "run", "sit", None]
        whole = [float("nan")] * 4
        return pd.DataFrame(
            {
                "clip_id": list("abcd"),
                "label": labels,
                "path": None,
                "start": whole,
                "end": whole,
                "group": list("1123"),
            }
        )

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"train": ["a"], "test": ["b", "c"]}

    def captions(self) -> Mapping[str, Sequence[str]]:
        return {"a": ("somebody runs",)}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        if form != "name":
            raise UsageError(f"no form {form}")
        return [ClassText(name, (name,)) for name in self.classes]


class Lines:
    """Sound: a reporter of one line a row."""

    def render(self, table: pd.DataFrame, *, title: str) -> str:
        return "\n".join([title, *table["method"]])


class InTurn:
    """Sound: an executor in this process."""

    def map(self, task: Any, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        return iter(list(task.run(shards)))


@pytest.mark.parametrize(
    ("kind", "component"),
    [("visual", Windows), ("visual", ToyVisual), ("visual", Captions), ("text", ToyText),
     ("negatives", ToyNegatives), ("loss", ToyLoss), ("method", Centroids),
     ("dataset", Pair), ("reporter", Lines), ("executor", InTurn)],
)  # fmt: skip
def test_sound_components_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


# --- broken ones: a base, what is changed, and the check that must say so ---------------------------------------------


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def stores_otherwise(self: Any, *, scale: float = 1.0) -> None:
    Windows.__init__(self, scale=2 * scale)


def takes_anything(self: Any, **options: Any) -> None:
    Windows.__init__(self)


def without_default(self: Any, *, scale: float) -> None:
    Windows.__init__(self)


def without_annotation(self: Any, *, scale=1.0) -> None:  # type: ignore[no-untyped-def]
    Windows.__init__(self, scale=scale)


def of_another_type(self: Any, *, scale: int = 0.5) -> None:  # type: ignore[assignment]
    Windows.__init__(self, scale=scale)


def whole_batch(self: Any, clips: Clips) -> Steps:
    made = Windows.encode(self, clips)
    return Steps((made.values - made.values.mean()) * made.mask[..., None], made.mask)


def with_padding(self: Any, clips: Clips) -> Steps:
    """Mixes all steps of a clip, padding too."""
    assert clips.frames is not None
    assert clips.mask is not None
    values = clips.frames.double().mean(dim=(1, 2, 4, 5)).float()[:, None]
    return Steps(values * clips.mask[..., None], clips.mask)


def unmasked(self: Any, clips: Clips) -> Steps:
    assert clips.frames is not None
    assert clips.mask is not None
    return Steps(clips.frames.double().mean(dim=(2, 4, 5)).float() + 1, clips.mask)


def with_prepare(prepare: Any) -> Any:
    def init(self: Any, *, scale: float = 1.0) -> None:
        Windows.__init__(self, scale=scale)
        self.prepare = prepare

    return init


def as_it_comes(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def in_place(rgb: np.ndarray) -> np.ndarray:
    rgb[:] = 0
    return np.zeros((3, 8, 8), np.uint8)


def all_described(self: Any, clips: Clips) -> Steps:
    steps = Captions.encode(self, clips)
    return Steps(steps.values, torch.ones_like(steps.mask))


VISUAL = [
    (altered(Windows, __init__=takes_anything), "options-can-be-set"),
    (altered(Windows, __init__=without_default), "options-can-be-set"),
    (altered(Windows, __init__=without_annotation), "options-can-be-set"),
    (altered(Windows, __init__=of_another_type), "options-can-be-set"),
    (altered(Windows, __init__=stores_otherwise), "options-are-stored"),
    (altered(Windows, needs="frame"), "interface-is-complete"),
    (altered(Windows, space=""), "declares-itself"),
    (altered(Windows, sampling=None), "declares-itself"),
    (altered(Windows, __init__=with_prepare(as_it_comes)), "prepares-any-size"),
    (altered(Windows, __init__=with_prepare(in_place)), "prepares-any-size"),
    (altered(Windows, __init__=with_prepare(lambda rgb: rgb)), "prepare-travels"),
    (altered(Windows, dim=4), "gives-steps"),
    (altered(Windows, encode=unmasked), "gives-steps"),
    (altered(Windows, encode=lambda self, clips: Windows.encode(self, clips).values), "gives-steps"),
    (altered(Windows, encode=whole_batch), "clip-alone"),
    (altered(Windows, encode=with_padding), "padding-stays-out"),
    (altered(Windows, labels=("cup",)), "classifies"),
    (altered(Windows, labels=(("cup", "a container"),)), "classifies"),
    (altered(Captions, encode=all_described), "gives-steps"),
    (altered(ToyVisual, classify=lambda self, features: features), "classifies"),
]


def beside_others(self: Any, texts: Sequence[str]) -> Tensor:
    return ToyText.encode(self, texts) + len(texts)


def refusing_empty(self: Any, texts: Sequence[str]) -> Tensor:
    rows = ToyText.encode(self, texts)
    rows[[not text for text in texts]] = torch.nan
    return rows


def narrow(self: Any, texts: Sequence[str]) -> Tensor:
    return ToyText.encode(self, texts)[:, :3]


class Remembering(ToyText):
    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.seen += len(texts)
        return ToyText.encode(self, texts) + self.seen


TEXT = [
    (altered(ToyText, encode=None, dim=0), "declares-itself"),
    (altered(ToyText, encode=narrow), "gives-rows"),
    (altered(ToyText, encode=refusing_empty), "gives-rows"),
    (altered(ToyText, encode=lambda self, texts: torch.stack([torch.ones(16) for _ in texts])), "gives-rows"),
    (altered(ToyText, encode=lambda self, texts: ToyText.encode(self, texts).double()), "gives-rows"),
    (altered(ToyText, encode=beside_others), "sentence-alone"),
    (Remembering, "sentence-alone"),
    (altered(ToyText, encode=lambda self, texts: torch.ones(len(texts), 16)), "tells-texts-apart"),
]


def sampler(change: Any) -> type:
    """Return a sampler that asks `ToyNegatives` otherwise, or changes what it draws."""

    class Changed(ToyNegatives):
        def sample(self, *given: Any) -> Tensor:
            return change(ToyNegatives().sample, *given)

    return Changed


def endless(draw: Any, *given: Any) -> Tensor:
    if (given[3][:, None, 1] == given[4][None, :, 1]).all():
        for _ in itertools.repeat(None):
            pass
    return draw(*given)


def own_generator(draw: Any, *given: Any) -> Tensor:
    return draw(*given[:-1], torch.Generator().manual_seed(random.randrange(10**6)))


def first_column(draw: Any, a: Tensor, p: Tensor, pool: Tensor, groups: Tensor, pool_groups: Tensor, *rest: Any) -> Any:
    return draw(a, p, pool, groups[:, :1], pool_groups[:, :1], *rest)


def changes_pool(draw: Any, anchors: Tensor, positives: Tensor, pool: Tensor, *rest: Any) -> Any:
    pool /= 2
    return draw(anchors, positives, pool, *rest)


def fills_with_own(draw: Any, *given: Any) -> Any:
    """Where there are fewer than K it takes what it is asked to keep away."""
    drawn = draw(*given)
    few = (given[3][:, None] != given[4][None]).all(-1).sum(1) < given[5]
    drawn[few, 1:] = 0
    return drawn


def any_error(draw: Any, *given: Any) -> Any:
    try:
        return draw(*given)
    except NoNegatives as error:
        raise ValueError("empty") from error


ENDLESS = sampler(endless)
NEGATIVES = [
    (altered(ToyNegatives, when="always"), "interface-is-complete"),
    (sampler(lambda draw, *given: draw(*given) + 1), "draws-indices"),
    (sampler(lambda draw, *given: draw(*given).int()), "draws-indices"),
    (sampler(first_column), "never-its-own"),
    (sampler(fills_with_own), "repeats-where-few"),
    (ENDLESS, "says-when-there-are-none"),
    (sampler(any_error), "says-when-there-are-none"),
    (sampler(own_generator), "follows-the-generator"),
    (sampler(changes_pool), "follows-the-generator"),
]


def loss(change: Any) -> type:
    return altered(ToyLoss, __call__=lambda self, *given: change(*given))


def weighted_rows(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return ((video - positive).square().sum(-1) * torch.arange(len(video))).mean()


def first_negative(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return (video * negative[:, 0]).sum(-1).mean() - (video * positive).sum(-1).mean()


class Unused(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, *given: Tensor) -> Tensor:
        return ToyLoss()(*given)


LOSS = [
    (loss(lambda v, p, n: (v - p).square().sum(-1)), "is-finite-scalar"),
    (loss(lambda v, p, n: ToyLoss()(v, p, n).log() * torch.inf), "is-finite-scalar"),
    (loss(lambda v, p, n: ToyLoss()(v.squeeze(0), p, n)), "is-finite-scalar"),  # breaks where B is 1
    (loss(lambda v, p, n: ToyLoss()(v.detach(), p.detach(), n.detach())), "gradient-flows"),
    (loss(lambda v, p, n: ToyLoss()(v.detach(), p, n)), "gradient-flows"),
    (Unused, "gradient-flows"),
    (loss(lambda v, p, n: (v - p).square().sum(-1).sqrt().mean() - n.mean()), "is-finite-on-ties"),
    (loss(weighted_rows), "order-does-not-matter"),
    (loss(first_negative), "order-does-not-matter"),
    (loss(lambda v, p, n: -ToyLoss()(v, p, n)), "prefers-the-positive"),
]


def softmaxed(self: Any, *given: Any) -> Tensor:
    return Centroids.score(self, *given).softmax(1)


def with_zeros(self: Any, steps: Steps) -> Tensor:
    return steps.values.amax(1)


def in_place_mean(self: Any, steps: Steps) -> Tensor:
    steps.values.mul_(0.5)
    return Centroids.means(self, steps)


def noisy(self: Any, *given: Any) -> Tensor:
    scores = Centroids.score(self, *given)
    return scores + 0.1 * torch.randn(scores.shape)


def seeds_globally(self: Any, *given: Any) -> None:
    torch.manual_seed(0)
    Centroids.fit(self, *given)


def by_position(self: Any, clips: Any, *rest: Any) -> Tensor:
    return Centroids.score(self, clips, *rest) + torch.arange(len(clips))[:, None]


def transposed(self: Any, *given: Any) -> Tensor:
    return Centroids.score(self, *given).T


def square_map(self: Any, train: Any, context: Any) -> None:
    """Takes clips and texts to lie in one space without asking."""
    Centroids.fit(self, train, context)
    self.map = torch.eye(16)


def relabels(self: Any, train: Any, context: Any) -> None:
    train.labels.sub_(train.labels.min() - 1).sub_(1).clamp_(max=4)
    Centroids.fit(self, train, context)


def careless_resume(self: Any, train: Any, context: Any) -> None:
    Centroids.fit(self, train, context)
    if context.checkpoints is not None:
        context.checkpoints.mkdir(exist_ok=True)
        if context.resume:
            self.map = self.map * 0 + 1


METHOD = [
    (altered(Centroids, learns_from="everything"), "interface-is-complete"),
    (altered(Centroids, learns_from="nothing"), "gives-scores"),  # it is given None to learn from
    (altered(Centroids, score=transposed), "gives-scores"),
    (altered(Centroids, score=lambda *given: Centroids.score(*given) * torch.nan), "gives-scores"),
    (altered(Centroids, learns_from="captions"), "fits-without-classes"),
    (altered(Centroids, fit=square_map), "any-dimensions"),
    (altered(Centroids, score=noisy), "same-seed-same-scores"),
    (altered(Centroids, fit=seeds_globally), "same-seed-same-scores"),
    (altered(Centroids, score=softmaxed), "independence-is-true"),
    (altered(Centroids, score=by_position), "order-follows-clips"),
    (altered(Centroids, means=with_zeros), "padding-stays-out"),
    (altered(Centroids, means=in_place_mean), "leaves-inputs-alone"),
    (altered(Centroids, fit=relabels), "leaves-inputs-alone"),
    (altered(Centroids, fit=careless_resume), "goes-on-from-checkpoints"),
    (altered(Centroids, record=lambda self: {"map": self.map}), "record-is-plain"),
]


def manifest(**changed: Any) -> type:
    return altered(Pair, manifest=lambda self: Pair.manifest(self).assign(**changed))


def counted(self: Any) -> str:
    self.count = getattr(self, "count", 0) + 1
    return str(self.count)


def two_names(self: Any, form: str) -> Sequence[ClassText]:
    return [ClassText(text.name, text.texts * 2) for text in Pair.class_texts(self, form)]


def any_form(self: Any, form: str) -> Sequence[ClassText]:
    return Pair.class_texts(self, "name")


DATASET = [
    (altered(Pair, classes=("run", "sit", "run")), "classes-are-named"),
    (altered(Pair, aliases={"jog": "jogging"}), "classes-are-named"),
    (manifest(clip_id=list("aabc")), "manifest-is-sound"),
    (manifest(clip_id=list("dcba")), "manifest-is-sound"),
    (manifest(label=["run", "run", "sit", "swim"]), "manifest-is-sound"),
    (manifest(group=["1", "1", "2", None]), "manifest-is-sound"),
    (manifest(start=[0.0, 5.0, 0.0, 0.0], end=[1.0, 4.0, 1.0, 1.0]), "manifest-is-sound"),
    (altered(Pair, manifest=lambda self: Pair.manifest(self).drop(columns="end")), "manifest-is-sound"),
    (altered(Pair, splits=lambda self: {"train": ["a", "z"]}), "lists-name-clips"),
    (altered(Pair, captions=lambda self: {"z": ("somebody",)}), "lists-name-clips"),
    (altered(Pair, captions=lambda self: {"a": "somebody"}), "lists-name-clips"),
    (altered(Pair, class_texts=lambda self, form: Pair.class_texts(self, form)[::-1]), "texts-describe-classes"),
    (altered(Pair, class_texts=two_names), "texts-describe-classes"),
    (altered(Pair, class_texts=any_form), "refuses-other-forms"),
    (altered(Pair, revision=property(counted)), "revision-is-stable"),
    (altered(Pair, revision=property(lambda self: str(id(self)))), "revision-is-stable"),
]


def render(change: Any) -> type:
    return altered(Lines, render=lambda self, table, *, title: change(Lines.render(self, table, title=title), table))


def ranks_all(text: str, table: pd.DataFrame) -> str:
    table["rank"] = 1
    return text


OUTPUT = [
    ("reporter", render(lambda text, table: None), "renders-text"),
    ("reporter", render(lambda text, table: text.splitlines()[1]), "renders-text"),
    ("reporter", render(lambda text, table: f"{text} {random.random()}"), "renders-text"),
    ("reporter", render(ranks_all), "renders-text"),
    (
        "executor",
        altered(InTurn, map=lambda self, task, shards: iter(list(task.run(shards[1:])))),
        "reports-every-shard",
    ),
    ("executor", altered(InTurn, map=None, run=1), "reports-every-shard"),
    ("executor", object, "interface-is-complete"),
]

PLANTED = [
    *(("visual", *row) for row in VISUAL),
    *(("text", *row) for row in TEXT),
    *(("negatives", *row) for row in NEGATIVES),
    *(("loss", *row) for row in LOSS),
    *(("method", *row) for row in METHOD),
    *(("dataset", *row) for row in DATASET),
    *OUTPUT,
]


def outcome(kind: str, component: Any, check: str, seconds: float = 60.0) -> conformance.Outcome:
    chosen = next(one for one in conformance.checks_for(kind) if one.name == check)
    return chosen.outcome(conformance.subject_of(component, kind), seconds)


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str) -> None:
    found = outcome(kind, component, check, seconds=1.0 if component is ENDLESS else 60.0)
    assert found.problem is not None
    assert found.problem.message.startswith("expected ")
    assert ", but " in found.problem.message
    assert "zsarbench" in found.problem.contract


PROTOCOL = """
name = "toy/pair"
version = 1
dataset = "pair"
setting = "zsl"
summary = "Two classes."
source = "This test."
n_clips = 3
[[rounds]]
candidates = ["run", "sit"]
"""
PROTOCOL_BUGS = {
    "states-itself": [
        ("This test.", " "),
        ("[[rounds]]", "[options.text.toy-text]\nscale = 2\n[[rounds]]"),
        ("[[rounds]]", '[parts]\ntext = "no-such"\n[[rounds]]'),
        ("[[rounds]]", "[[rounds"),
    ],
    "rounds-fit-the-classes": [
        ('"sit"]', '"swim"]'),
        ('"sit"]', '"sit"]\nseen = ["run"]'),
        ('dataset = "pair"', 'dataset = "trio"'),
    ],
    "rounds-fit-the-clips": [
        ("n_clips = 3", "n_clips = 4"),
        ('"sit"]', '"sit"]\ntest_clips = ["a", "z"]'),
        ('"sit"]', '"sit"]\ntest_clips = ["a", "b"]'),
    ],
}


def host(**entries: tuple[str, str, str]) -> Host:
    """Return a host whose plugin `toy` registers entries (kind, name, target) of this module."""

    @hookimpl
    def zsarbench_register(registry: Any) -> None:
        for kind, name, target in entries.values():
            target = target if ":" in target else f"{__name__}:{target}"
            defaults = {"text": "minilm-l6"} if kind == "method" else None
            registry.add(kind, name, target, summary="A toy.", extra="offline", defaults=defaults)

    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    return load_plugins(loaders={"toy": lambda: plugin})


def checked_protocol(path: Path, text: str) -> dict[str, conformance.Outcome]:
    path.write_text(text, encoding="utf-8")
    registry = host(a=("dataset", "pair", "Pair"), b=("text", "toy-text", "zsarbench.testing.toys:ToyText")).registry
    subject = conformance.subject_of(path, "protocol", registry=registry)
    return {found.check: found for found in conformance.outcomes(subject)}


def test_a_sound_protocol_passes(tmp_path: Path) -> None:
    found = checked_protocol(tmp_path / "p.toml", PROTOCOL)
    assert [one.problem or one.skipped for one in found.values()] == [None] * 3


@pytest.mark.parametrize(
    ("check", "old", "new"), [(check, *bug) for check, bugs in PROTOCOL_BUGS.items() for bug in bugs]
)
def test_a_protocol_bug_is_found(check: str, old: str, new: str, tmp_path: Path) -> None:
    assert old in PROTOCOL
    found = checked_protocol(tmp_path / "p.toml", PROTOCOL.replace(old, new))[check]
    assert found.problem is not None


def test_a_prepare_that_brings_torch_into_decoding_processes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import torch\n\n\ndef prepare(rgb):\n    return torch.zeros(3, 8, 8, dtype=torch.uint8).numpy()\n"
    (tmp_path / "heavy_preparation.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    prepare = importlib.import_module("heavy_preparation").prepare
    found = outcome("visual", altered(Windows, __init__=with_prepare(prepare)), "prepare-travels")
    assert found.problem is not None
    assert "its module imports torch" in found.problem.message


def test_every_check_has_a_planted_bug() -> None:
    planted = {(kind, check) for kind, _, check in PLANTED} | {("protocol", name) for name in PROTOCOL_BUGS}
    here = {(check.kind, check.name) for kind in KINDS for check in conformance.checks_for(kind)}
    general = {"options-can-be-set", "options-are-stored", "interface-is-complete"}
    assert {pair for pair in here - planted if pair[1] not in general} == set()
    assert general <= {check for _, check in planted}


# --- what is done with the findings -----------------------------------------------------------------------------------


class NoWeights(ToyText):
    def __init__(self) -> None:
        raise ZsarbenchError("the weights cannot be fetched from https://nowhere.example")


class BadDefault(ToyText):
    def __init__(self, *, width: int = -1) -> None:
        raise UsageError("width is below 1")


def test_a_problem_says_what_was_expected_what_came_and_where_the_contract_stands() -> None:
    problem = conformance.run_checks(altered(ToyText, encode=narrow), "text")[0]
    assert str(problem) == (
        "text 'BrokenToyText', gives-rows: expected (11, 16) float32, D being `dim`, but (11, 3) float32 came. "
        "The contract: zsarbench.interfaces.TextEncoder.encode"
    )


def test_what_a_check_did_not_foresee_is_a_problem_with_its_place() -> None:
    class Raises(ToyText):
        def encode(self, texts: Sequence[str]) -> Tensor:
            raise KeyError("broken on purpose")

    messages = {problem.message for problem in conformance.run_checks(Raises, "text")}
    assert any("KeyError: 'broken on purpose' (test_conformance.py, line" in message for message in messages)


def test_what_is_not_here_is_skipped_with_its_reason_and_asked_for_once() -> None:
    found = list(conformance.outcomes(conformance.subject_of(NoWeights, "text")))
    assert conformance.run_checks(NoWeights, "text") == []
    assert {one.skipped for one in found if one.check != "options-can-be-set"} == {
        "the weights cannot be fetched from https://nowhere.example"
    }


def test_defaults_that_do_not_build_are_a_bug() -> None:
    assert any("width is below 1" in problem.message for problem in conformance.run_checks(BadDefault, "text"))


def test_a_target_that_is_not_there_is_a_bug_and_a_missing_extra_is_not() -> None:
    registry = host(a=("loss", "gone", "NoSuchLoss"), b=("loss", "extra", "no_such_package:Loss")).registry
    gone, extra = (conformance.subject_of(registry.get("loss", name)) for name in ("gone", "extra"))
    assert all(one.problem for one in conformance.outcomes(gone))
    assert all("pip install 'zsarbench[offline]'" in str(one.skipped) for one in conformance.outcomes(extra))


def test_chosen_options_stand_in_for_defaults() -> None:
    class Narrow(ToyText):
        def __init__(self, *, width: int = -1) -> None:
            super().__init__()
            if width < 1:
                raise UsageError("width is below 1")
            self.width = width

    assert conformance.run_checks(Narrow, "text", chosen={"width": 2}) == []


def test_a_component_without_its_kind_and_a_kind_that_is_none_are_refused() -> None:
    with pytest.raises(UsageError, match="what kind of component"):
        conformance.run_checks(ToyText)
    with pytest.raises(UsageError, match="did you mean 'loss'"):
        conformance.checks_for("los")


def test_parametrize_gives_a_test_every_check_of_a_plugin() -> None:
    made = host(
        a=("loss", "sound", "zsarbench.testing.toys:ToyLoss"),
        b=("loss", "bad", "Unused"),
        c=("text", "nothing", "NoWeights"),
    )
    mark = conformance.parametrize(made.registry, plugin="toy", kinds=["loss", "text"])
    cases = {str(case): case for case in mark.args[1]}
    assert len(cases) == 2 * len(conformance.checks_for("loss")) + len(conformance.checks_for("text"))
    cases["loss-sound-gradient-flows"]()
    with pytest.raises(pytest.fail.Exception, match="a gradient of the parameter weight, but there is none"):
        cases["loss-bad-gradient-flows"]()
    with pytest.raises(pytest.skip.Exception, match="cannot be fetched"):
        cases["text-nothing-gives-rows"]()


# --- the verb ---------------------------------------------------------------------------------------------------------


def typed(made: Host, *arguments: str) -> Any:
    session = Session(())
    session._host = made
    return CliRunner().invoke(cli, ["check", *arguments], obj={"session": session})


def test_the_verb_prints_the_bugs_of_a_plugin_and_exits_with_1() -> None:
    made = host(a=("loss", "sound", "zsarbench.testing.toys:ToyLoss"), b=("loss", "bad", "Unused"))
    done = typed(made, "toy")
    assert done.exit_code == 1
    assert "loss sound: no bug (8 of 8 checks passed)" in done.output
    assert "gradient-flows: expected a gradient of the parameter weight, but there is none" in done.output
    assert "contract: zsarbench.interfaces.Loss" in done.output
    assert "16 checks of 2 components: 1 bugs, 0 not tried here" in done.output
    assert typed(made, "sound").exit_code == 0


def test_the_verb_prints_json() -> None:
    done = typed(host(b=("loss", "bad", "Unused"), c=("text", "none", "NoWeights")), "toy", "--json")
    rows = {(row["name"], row["check"]): row for row in json.loads(done.stdout)}
    assert rows["bad", "gradient-flows"]["problem"]["contract"] == "zsarbench.interfaces.Loss"
    assert rows["bad", "is-finite-on-ties"]["problem"] is None
    assert "cannot be fetched" in rows["none", "gives-rows"]["skipped"]


def test_the_verb_names_what_is_not_there() -> None:
    made = host(a=("method", "centroids", "Centroids"), b=("loss", "sound", "zsarbench.testing.toys:ToyLoss"))
    with pytest.raises(UsageError, match="did you mean 'centroids'"):
        raise typed(made, "centroid").exception
    with pytest.raises(UsageError, match=r"--set method\.rigde=2 fits no option of method centroids"):
        raise typed(made, "centroids", "--set", "method.rigde=2").exception
    with pytest.raises(UsageError, match="option 'ridge' of method centroids is float, not 'much'"):
        raise typed(made, "centroids", "--set", "method.ridge=much").exception
    assert typed(made, "centroids", "--set", "method.ridge=0.5").exit_code == 0


def test_the_verb_says_why_a_plugin_was_left_out() -> None:
    def fails() -> Any:
        raise ImportError("no module named nothing")

    with pytest.raises(ZsarbenchError, match="plugin 'gone' cannot be loaded: ImportError: no module named nothing"):
        raise typed(load_plugins(loaders={"gone": fails}), "gone").exception


# --- the toys themselves ----------------------------------------------------------------------------------------------


def test_a_method_that_learns_learns_the_toys() -> None:
    method, context = Centroids(), toys.context()
    method.fit(toys.train_set(), context)
    scores = method.score(toys.clips(toys.UNSEEN, name="test"), toys.class_texts(toys.UNSEEN), context)
    assert toys.accuracy(scores) > 0.6  # chance is 0.25


def test_nothing_of_an_unseen_class_is_in_the_toy_training_set() -> None:
    train = toys.train_set()
    said = " ".join(sentence for captions in train.clips.captions or () for sentence in captions)
    assert not any(name in said for name in toys.UNSEEN)
    assert not set(toys.UNSEEN) & {one.name for one in train.classes}
    assert dataclasses.replace(train, labels=None).labels is None
    assert len(set(train.groups)) == len(train.clips) // 2


def test_toys_do_not_touch_the_global_random_state() -> None:
    with seeding.forked(seeding.generator(0, "x")):
        before = torch.random.get_rng_state()
        toys.train_set()
        assert torch.equal(before, torch.random.get_rng_state())

"""Tiny synthetic clips, sentences, parts and a training set: what a plugin can be tried on without data or weights.

A toy clip's steps are the embedding of its class's words plus noise, in the space of `ToyText`, so that clips and texts
can be compared by cosine, and a method that learns anything learns it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from zsarbench.errors import NoNegatives
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, Clips, Context, NegativeDraw, Parts, Sampling, Steps, Table, TrainSet
from zsarbench.testing.videos import KeepFrame
from zsarbench.utils import seeding
from zsarbench.utils.batching import in_fixed_batches
from zsarbench.utils.progress import LogProgress

if TYPE_CHECKING:
    from torch import Tensor

DIM = 16
MAX_STEPS = 5
SPACE = "toy"
SEEN = ("lifting cup", "lifting door", "pushing door", "turning ball", "opening wheel", "throwing box")
"""Seen classes; the last two stand for unseen ones in validation."""
UNSEEN = ("pushing ball", "turning wheel", "opening box", "throwing cup")
"""Every word of an unseen class occurs in a seen one."""
HELD_OUT = (
    *UNSEEN, "lifting ball", "pushing wheel", "turning box", "opening cup", "throwing door", "lifting box",
    "opening ball", "throwing wheel",
)  # fmt: skip
"""Twelve unseen classes, so that accuracies far from chance are not luck; every word of them occurs in a seen one."""
LABELS = ("cup", "door", "ball", "wheel", "box", "hand", "arm", "room", "table", "chair", "shirt", "window")
"""What the visual toy's classifier knows."""
PHRASES = ("a person {}", "someone is {} in a room", "this clip shows a person {}")


class ToyText:
    """Sums a fixed random vector for each word of a sentence: needs no weights and keeps words apart."""

    dim = DIM
    space = SPACE

    def __init__(self) -> None:
        self.fingerprint = {"weights_sha256": "made by a rule"}

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, 16) float32."""
        return torch.stack([self._sentence(text) for text in texts]) if texts else torch.zeros(0, self.dim)

    def _sentence(self, text: str) -> Tensor:
        words = [_vector("word", word) for word in text.lower().split()]
        sentence = _vector("sentence", text)  # so that no two sentences are alike
        return torch.stack([0.1 * sentence, *words]).sum(0)


class ToyVisual:
    """Maps a frame's four by four mean colours into the toy space by a fixed matrix, and knows twelve labels."""

    needs: Literal["frames"] = "frames"
    space: str | None = SPACE

    def __init__(self, *, dim: int = DIM) -> None:
        self.dim = dim
        self.sampling = Sampling(max_steps=MAX_STEPS)
        self.prepare = KeepFrame()
        self.fingerprint = {"weights_sha256": "made by a rule", "preprocessing": "nearest 48x64"}
        self.labels = tuple((word, f"a {word}, as one sees it") for word in LABELS)
        self._matrix = torch.randn(48, dim, generator=_generator("matrix")) / 7
        of_space = ToyText().encode(LABELS).T  # it knows the objects of toy clips, which lie in the space of texts
        self._classifier = of_space if dim == DIM else torch.randn(dim, len(LABELS), generator=_generator("classifier"))

    def encode(self, clips: Clips) -> Steps:
        """Return (N, T, D) of frames (N, T, 1, 3, 48, 64)."""
        if clips.frames is None or clips.mask is None:
            raise ValueError("frames and their mask are needed")
        values = torch.zeros(*clips.mask.shape, self.dim)
        values[clips.mask] = in_fixed_batches(self._features, clips.frames[clips.mask], 8)
        return Steps(values, clips.mask)

    def _features(self, frames: Tensor) -> Tensor:
        cells = frames[:, 0].float().view(-1, 3, 4, 12, 4, 16).mean(dim=(3, 5)) / 255
        return cells.flatten(1) @ self._matrix

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (..., 12)."""
        return features @ self._classifier


class ToyNegatives:
    """Draws uniformly among the texts of other groups."""

    when: Literal["corpus", "batch"] = "corpus"

    def sample(self, draw: NegativeDraw) -> Tensor:
        """Return (B, K) indices; see `zsarbench.interfaces.NegativeSampler`."""
        admissible = (draw.anchor_groups[:, None] != draw.pool_groups[None]).all(-1)
        if not admissible.any(1).all():
            raise NoNegatives("an anchor has no text of another group")
        return torch.multinomial(admissible.float(), draw.k, replacement=True, generator=draw.rng)


class ToyLoss:
    """The hinge of squared distances: mean of max(0, 1 + |v - p|^2 - |v - n|^2)."""

    def __call__(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the mean over all triplets."""
        near = (video - positive).square().sum(-1)
        far = (video[:, None] - negative).square().sum(-1)
        return (1 + near[:, None] - far).clamp(min=0).mean()


def class_texts(names: Sequence[str], sentences: int = 1) -> tuple[ClassText, ...]:
    """Return a description of each class in one to three sentences."""
    return tuple(ClassText(name, tuple(phrase.format(name) for phrase in PHRASES[:sentences])) for name in names)


def clips(
    classes: Sequence[str], per_class: int = 4, *, name: str = "clip", dim: int = DIM, padding: int = 0, unread: int = 0
) -> MemoryClips:
    """Return clips of these classes, in their order: T from 1 to 5 steps, two captions each.

    name: clips of another name have other noise. dim: other than 16 for features outside the text's space.
    padding: steps that no clip fills. unread: clips at the end that could not be read; they have no class.
    """
    to_dim = torch.eye(DIM) if dim == DIM else torch.randn(DIM, dim, generator=_generator("to", dim)) / 4
    ids, values, captions = [], [], []
    for text in class_texts(classes):
        centre = ToyText().encode([text.name])[0]
        for number in range(per_class):
            rng = _generator(name, text.name, number)
            n_steps = MAX_STEPS if number == 0 else int(torch.randint(1, MAX_STEPS + 1, (1,), generator=rng))
            steps = centre + 0.7 * torch.randn(n_steps, DIM, generator=rng)
            ids.append(f"{name}-{text.name.replace(' ', '-')}-{number}")
            values.append(steps @ to_dim)
            captions.append((f"a person {text.name} by day {number}", f"somebody {text.name}, seen from side {number}"))
    for number in range(unread):
        ids.append(f"{name}-unread-{number}")
        values.append(torch.zeros(0, dim))
        captions.append(("a person", "somebody"))
    unpadded = MemoryClips(ids, values, captions=captions)
    stacked = unpadded.rows(range(len(unpadded)))
    wider = torch.nn.functional.pad(stacked.values, (0, 0, 0, padding))
    return MemoryClips(ids, wider, torch.nn.functional.pad(stacked.mask, (0, padding)), captions=captions)


def train_set(
    *, sentences: int = 1, per_class: int = 8, dim: int = DIM, labelled: bool = True, apart: bool = False
) -> TrainSet:
    """Return the clips of the seen classes, two of each source video; unlabelled ones have no class.

    apart: the validation classes are not seen ones, but those of a validation set.
    """

    def clips_of(classes: Sequence[str], **more: Any) -> TrainSet:
        features = clips(classes, per_class, name="train", dim=dim)
        return TrainSet(
            clips=features,
            labels=torch.arange(len(classes)).repeat_interleave(per_class) if labelled else None,
            groups=tuple(f"{classes[0]}-source-{number // 2}" for number in range(len(features))),
            classes=class_texts(classes, sentences) if labelled else (),
            dataset="toy",
            **more,
        )

    held = SEEN[-2:]
    if apart:
        return clips_of(SEEN[:-2], validation=held, validation_set=clips_of(held, validation=()))
    return clips_of(SEEN, validation=held if labelled else ())


def lacking(train: TrainSet, classes: Sequence[str]) -> TrainSet:
    """Return a labelled training set without the clips of some classes, which stay among its classes."""
    names = [described.name for described in train.classes]
    labels = [] if train.labels is None else train.labels.tolist()
    kept = [number for number, label in enumerate(labels) if names[label] not in classes]
    return replace(
        train,
        clips=train.clips.subset(kept),
        labels=torch.tensor([labels[number] for number in kept], dtype=torch.long),
        groups=tuple(train.groups[number] for number in kept),
    )


def context(
    *,
    parts: Mapping[str, Any] | None = None,
    seed: int = 0,
    checkpoints: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
) -> Context:
    """Return a context; parts: by kind, by default toys of all four kinds."""
    if parts is None:
        parts = {"visual": ToyVisual(), "text": ToyText(), "negatives": ToyNegatives(), "loss": ToyLoss()}
    return Context(
        parts=Parts(**parts),
        device=torch.device(device),
        dtype=torch.float32,
        generator=lambda name: seeding.generator(seed, name),
        checkpoints=checkpoints,
        resume=resume,
        progress=LogProgress(),
    )


def accuracy(scores: Tensor, per_class: int = 4) -> float:
    """Return the share of clips, as `clips` orders them, whose own class scores highest."""
    labels = torch.arange(scores.shape[1]).repeat_interleave(per_class)
    return float((scores[: len(labels)].argmax(1) == labels).float().mean())


def table(metric: str = "top1_per_video", setting: str = "zsl") -> Table:
    """Return a comparison table: a ranked row, an unranked and a reported one; metric: what ranks in this setting."""
    import pandas as pd

    def row(rank: int | None, method: str, kind: str, value: float, notes: list[str]) -> dict[str, Any]:
        measured = kind == "measured"
        cells: dict[str, Any] = {"protocol": "toy/table", "rank": rank, "method": method, "settings": "", "kind": kind}
        cells |= {"visual": "captions" if measured else None, "text": "toy-text" if measured else None}
        cells |= {"negatives": None, "loss": None, "train_on": "none", "class_text": "name" if measured else ""}
        cells |= {metric: value, f"{metric}_std": 0.02, f"{metric}_ci_low": value - 0.1}
        cells |= {f"{metric}_ci_high": value + 0.1, f"{metric}_seed_std": None}
        cells |= {f"{metric}_chance": 0.1 if measured else None, "notes": notes}
        cells |= dict.fromkeys(("n_rounds", "n_distinct_rounds", "n_seeds", "n_failed"), 1 if measured else None)
        cells |= dict.fromkeys(("n_expected", "n_scored"), 48 if measured else None)
        return cells | dict.fromkeys(("id", "spec_id", "created", "command"), f"of-{method}" if measured else None)

    rows = [
        row(1, "toy-method", "measured", 0.5, []),
        row(None, "toy-control", "measured", 0.1, ["not ranked: control run, shuffle-captions"]),
        row(None, "toy-paper", "reported", 0.4, ["A Paper, 2026, Table 1"]),
    ]
    counts = dict.fromkeys(
        ("rank", "n_rounds", "n_distinct_rounds", "n_seeds", "n_failed", "n_expected", "n_scored"), "Int64"
    )
    accuracies = {name: "float64" for name in rows[0] if name.startswith(metric)}
    frame = pd.DataFrame(rows).astype({**counts, **accuracies})
    return Table(title="a toy title", frame=frame, rank_by=metric, setting=setting, remarks=("a toy",))


@cache
def _vector(*names: str) -> Tensor:
    """Return the random vector (16,) of a word or a sentence."""
    return torch.randn(DIM, generator=_generator(*names))


def _generator(*names: object) -> torch.Generator:
    return seeding.generator(0, "toys", *names)

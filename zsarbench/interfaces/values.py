"""What travels between the harness and components: small frozen data classes, clips that are read on demand, progress.

Letters for shapes, everywhere: N clips, T steps, F frames of a step, D features, C classes, K negatives, B batch.
Times are in seconds. Tensors are on the CPU unless stated otherwise. Nothing here imports torch when it is imported.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import pandas as pd
    import torch
else:
    pd, torch = Lazy("pandas"), Lazy("torch")

Denominator = Literal["all", "survivors"]
Control = Literal["none", "shuffle-captions", "shuffle-labels"]
LearnsFrom = Literal["nothing", "seen-classes", "captions"]
CaptionsInSteps = Literal["none", "one-each", "all"]


@dataclass(frozen=True)
class ClassText:
    """Describes one class to a text encoder, in the form that `--class-text` chose."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Sampling:
    """Which frames of a clip make its steps.

    frames_per_second: the rate that frames are taken at. max_steps: at most so many steps are taken, from the start of
    the clip. frames_per_step: frames of a step, `1 / frames_per_second` seconds apart. step_stride: step t starts at
    `t * step_stride / frames_per_second` seconds of the clip.
    """

    frames_per_second: float = 1.0
    max_steps: int = 16
    frames_per_step: int = 1
    step_stride: int = 1

    @property
    def selects_frames(self) -> bool:
        """Whether each of its numbers is above 0, and finite."""
        counts = (self.max_steps, self.frames_per_step, self.step_stride)
        return min(counts) >= 1 and 0 < self.frames_per_second < math.inf


@dataclass(frozen=True)
class ClipSource:
    """Locates the content of one clip: a file and a span of it, or its captions.

    path: of the file; None where there is none. start, end: seconds; None is the start, the end of the file. video:
    what files of the video are called that this clip is a span of; None: as the clip.
    """

    clip_id: str
    path: str | None = None
    start: float | None = None
    end: float | None = None
    captions: tuple[str, ...] = ()
    video: str | None = None


@dataclass(frozen=True)
class Clips:
    """A batch of clips as an encoder of their content gets it.

    frames: (N, T, F, 3, H, W) uint8 or float, what `prepare` returned; None unless the encoder needs frames.
    captions: N tuples of sentences; None unless the encoder needs captions.
    mask: (N, T) bool, False on padding steps; None without frames.
    sources: where their content lies; None unless the encoder needs features.
    """

    ids: tuple[str, ...]
    frames: torch.Tensor | None = None
    captions: tuple[tuple[str, ...], ...] | None = None
    mask: torch.Tensor | None = None
    sources: tuple[ClipSource, ...] | None = None


@dataclass(frozen=True)
class Steps:
    """Features of clips step by step: values (N, T, D) float, mask (N, T) bool, False on padding (values 0).

    reasons: why a clip has no step, by clip id, where its encoder knows.
    """

    values: torch.Tensor
    mask: torch.Tensor
    reasons: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class ClipFeatures(Protocol):
    """Features of many clips, read on demand: 34 GB are never one tensor.

    Optional: `Cuttable`, `HasFailures`.
    """

    ids: tuple[str, ...]
    dim: int
    max_steps: int
    """T of every `rows` call: the longest clip of the set, so that shapes, and so bits, do not depend on the batch."""
    captions: tuple[tuple[str, ...], ...] | None
    """The sentences of each clip, aligned with `ids`; None where the data set has none."""
    captions_in_steps: CaptionsInSteps
    """Whether the steps come from these captions: "one-each" means step t shows caption t."""

    def __len__(self) -> int:
        """Return N."""

    def rows(self, index: Sequence[int] | torch.Tensor) -> Steps:
        """Return the steps of the clips at these positions: values (B, max_steps, D) float32, mask (B, max_steps).

        A clip that could not be read has a mask of False only.
        """

    def subset(self, index: Sequence[int] | torch.Tensor) -> ClipFeatures:
        """Return the clips at these positions, in this order, without reading them."""


@dataclass(frozen=True)
class TrainSet:
    """All that a method may learn from: nothing of an unseen class is in it (the harness checks).

    labels: (N,) int64 indices into `classes`; None where the training data has no classes of its own.
    groups: N names of source videos; clips of one group never stand on both sides of a validation split.
    validation: names of the classes that stand for unseen ones when a method chooses its own settings: some of
    `classes`, or where the protocol has them for choosing only, all those of `validation_set`.
    validation_set: clips of classes that are not in `classes`; they may decide settings, and nothing else is learnt
    from them. None where validation classes are seen ones.
    """

    clips: ClipFeatures
    labels: torch.Tensor | None
    groups: tuple[str, ...]
    classes: tuple[ClassText, ...]
    validation: tuple[str, ...]
    dataset: str
    validation_set: TrainSet | None = None


@dataclass(frozen=True)
class Round:
    """One evaluation of a protocol; class names are the data set's official ones.

    validation: classes that stand for unseen ones when a method chooses its settings; those that are not seen are for
    that alone. train_clips and test_clips: clip ids; None means every clip of the given classes, of the candidates.
    """

    index: int
    seed: int
    seen: tuple[str, ...]
    candidates: tuple[str, ...]
    validation: tuple[str, ...] = ()
    train_clips: tuple[str, ...] | None = None
    test_clips: tuple[str, ...] | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The classes whose clips a method is given: the seen ones, then validation classes that are not seen."""
        seen = set(self.seen)
        return (*self.seen, *(name for name in self.validation if name not in seen))

    @property
    def unseen(self) -> tuple[str, ...]:
        """The candidates that no training clip belongs to."""
        seen = set(self.seen)
        return tuple(name for name in self.candidates if name not in seen)


@dataclass(frozen=True, kw_only=True)
class NegativeDraw:
    """One draw of K negatives for each of B anchors, out of a pool of M texts.

    anchors (B, D), positives (B, E), pool (M, E): embeddings, within batches on the run's device.
    anchor_groups (B, G), pool_groups (M, G): int64 on the CPU; a pool text that equals the anchor's in any of the G
    columns (its text, its source video) is never its negative. rng: a generator on the CPU.
    """

    anchors: torch.Tensor
    positives: torch.Tensor
    pool: torch.Tensor
    anchor_groups: torch.Tensor
    pool_groups: torch.Tensor
    k: int
    rng: torch.Generator


@dataclass(frozen=True, kw_only=True)
class TextDraw:
    """A `NegativeDraw` among texts that occur several times, without copies: a million rows of 768 features are 3 GB.

    embeddings (U, E): of the distinct texts. texts (B,), pool_texts (M,): rows of `embeddings`, int64. The anchors are
    the positives.
    """

    embeddings: torch.Tensor
    texts: torch.Tensor
    pool_texts: torch.Tensor
    anchor_groups: torch.Tensor
    pool_groups: torch.Tensor
    k: int
    rng: torch.Generator

    def gathered(self) -> NegativeDraw:
        """Return the same draw with a copy of the embedding for every text."""
        positives = self.embeddings[self.texts]
        pool = positives if self.pool_texts is self.texts else self.embeddings[self.pool_texts]
        return NegativeDraw(
            anchors=positives, positives=positives, pool=pool, anchor_groups=self.anchor_groups,
            pool_groups=self.pool_groups, k=self.k, rng=self.rng,
        )  # fmt: skip


@dataclass(frozen=True)
class Shard:
    """A unit of extraction: some clips whose features make one file."""

    index: int
    clips: tuple[ClipSource, ...]


@dataclass(frozen=True)
class ShardReport:
    """The outcome of a shard: the file written, the clips in it and those that could not be read, with reasons."""

    index: int
    file: str
    clip_ids: tuple[str, ...]
    failures: Mapping[str, str]
    seconds: Mapping[str, float]


class Task(Protocol):
    """One bar or line of progress."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Count n more; the note (a loss, a file) is shown next to the count."""


class Progress(Protocol):
    """Shows long work; on a terminal as bars, elsewhere as log lines."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a bar of `total` counts."""


@dataclass(frozen=True, repr=False)
class Table:
    """A comparison of results on one protocol, next to the figures that papers report on it.

    frame: one row per result or reported method, group by group, best first. Columns: protocol, rank and rank_last (the
    first and the last rank that the row may have, which it shares with rows that no test tells apart from it; missing
    where it is not ranked), method, settings (what distinguishes rows of one method), kind (measured, reported),
    visual, text, negatives, loss, train_on, class_text; for each metric its mean, a fraction, under its name and
    `_std`, `_ci_low`, `_ci_high`, `_seed_std`, `_chance`; n_rounds, n_distinct_rounds (without those that repeat an
    earlier one), n_seeds, n_expected, n_scored, n_failed (sums over the rounds of one seed), notes (a list of texts),
    id, spec_id, created, command, backing where it was looked for ("re-measured", "recomputed" or "stated"), and
    `extra_columns`, which plugins add. What a row has not is missing.
    rank_by: the metric that ranks. setting: that of the protocol. remarks: lines that belong under the table. left_out:
    "id: reason" for each result that is not in it.
    """

    title: str
    frame: pd.DataFrame
    rank_by: str
    setting: str
    extra_columns: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return its title and how much is in it, in one line."""
        return f"Table({self.title}: {len(self.frame)} rows by {self.rank_by}, {len(self.left_out)} left out)"

    def _repr_html_(self) -> str:
        """Return the main columns in percent, and what belongs under them, for a notebook."""
        frame = self.frame[["rank", "method", "settings", "kind", "train_on", "class_text"]].astype(object)
        frame = frame.where(frame.notna(), "")
        ends = {"mean": self.rank_by, "low": f"{self.rank_by}_ci_low", "high": f"{self.rank_by}_ci_high"}
        for heading, name in ends.items():
            if name in self.frame:
                frame[f"{heading}, %"] = [f"{100 * value:.1f}" if value == value else "" for value in self.frame[name]]
        text = "".join(f"<li>{html.escape(line)}</li>" for line in (*self.remarks, *self.left_out))
        return f"<p><b>{html.escape(self.title)}</b></p>{frame.to_html(index=False)}<ul>{text}</ul>"

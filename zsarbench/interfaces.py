"""What components must offer, and the small frozen data classes that travel between them.

Letters for shapes, everywhere: N clips, T steps, F frames of a step, D features, C classes, K negatives, B batch.
Times are in seconds. Tensors are on the CPU unless said otherwise. Nothing here imports torch when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from torch import Tensor

Setting = Literal["zsl", "gzsl", "base-to-novel"]
LearnsFrom = Literal["nothing", "seen-classes", "captions"]
CaptionsInSteps = Literal["none", "one-each", "all"]


# --- what travels -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassText:
    """Describes one class to a text encoder, in the form that `--class-text` chose."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Sampling:
    """Says which frames of a clip make its steps.

    Step t starts at `t * step_stride / frames_per_second` seconds of the clip and holds `frames_per_step` frames that
    lie `1 / frames_per_second` apart; at most `max_steps` steps are taken, from the start of the clip.
    """

    frames_per_second: float = 1.0
    max_steps: int = 16
    frames_per_step: int = 1
    step_stride: int = 1


@dataclass(frozen=True)
class ClipSource:
    """Locates the content of one clip: a file and a span of it, or its captions."""

    clip_id: str
    path: str | None = None
    start: float | None = None  # seconds; None: the start of the file
    end: float | None = None  # seconds; None: the end of the file
    captions: tuple[str, ...] = ()
    video: str | None = None  # what files of the video are called that this clip is a span of; None: as the clip


@dataclass(frozen=True)
class Clips:
    """A batch of clips as an encoder of their content gets it.

    frames: (N, T, F, 3, H, W) uint8 or float, what `prepare` returned; None unless the encoder needs frames.
    captions: N tuples of sentences; None unless the encoder needs captions.
    mask: (N, T) bool, False on padding steps; None where there are no frames.
    sources: where their content lies; None unless the encoder needs features.
    """

    ids: tuple[str, ...]
    frames: Tensor | None = None
    captions: tuple[tuple[str, ...], ...] | None = None
    mask: Tensor | None = None
    sources: tuple[ClipSource, ...] | None = None


@dataclass(frozen=True)
class Steps:
    """Features of clips step by step: values (N, T, D) float, mask (N, T) bool, False on padding (values 0).

    reasons: why a clip has no step, by clip id, where its encoder can tell.
    """

    values: Tensor
    mask: Tensor
    reasons: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class ClipFeatures(Protocol):
    """Features of many clips, read when asked for: 34 GB are never one tensor.

    Optional member: `cut(max_steps) -> ClipFeatures`, the same clips without their later steps, which are not read.
    """

    ids: tuple[str, ...]
    dim: int
    max_steps: int
    """T of every `rows` call: the longest clip of the set, so that shapes, and so bits, do not depend on the batch."""
    captions: tuple[tuple[str, ...], ...] | None
    """The sentences of each clip, aligned with `ids`; None where the data set has none."""
    captions_in_steps: CaptionsInSteps
    """Whether the steps were made from these captions: "one-each" means step t shows caption t."""

    def __len__(self) -> int:
        """Return N."""

    def rows(self, index: Sequence[int] | Tensor) -> Steps:
        """Return the steps of the clips at these positions: values (B, max_steps, D) float32, mask (B, max_steps).

        A clip that could not be read has a mask of False only.
        """

    def subset(self, index: Sequence[int] | Tensor) -> ClipFeatures:
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
    labels: Tensor | None
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


class Task(Protocol):
    """One bar or line of progress."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Count n more; the note (a loss, a file) is shown beside the count."""


class Progress(Protocol):
    """Shows long work; on a terminal as bars, elsewhere as log lines."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a bar of `total` counts."""


@dataclass(frozen=True)
class Parts:
    """The swappable parts of a run, built by the harness; None where the method uses none."""

    visual: VisualEncoder | None = None
    text: TextEncoder | None = None
    negatives: NegativeSampler | None = None
    loss: Loss | None = None


@dataclass(frozen=True)
class Context:
    """What the harness lends a method: its parts, where to compute, randomness and a place for checkpoints."""

    parts: Parts
    device: torch.device
    dtype: torch.dtype
    generator: Callable[[str], torch.Generator]
    """A fresh CPU generator for a named use, derived from the run's seed: `context.generator("batches")`."""
    checkpoints: Path | None
    """A folder of this fit alone; None where nothing shall be kept."""
    resume: bool
    """Whether a checkpoint found there may be gone on from."""
    progress: Progress


# --- components -------------------------------------------------------------------------------------------------------
# Constructors take explicit keyword arguments with defaults, no **kwargs, and store them unchanged under their names.


@runtime_checkable
class VisualEncoder(Protocol):
    """Turns the content of clips into steps of features; row i depends on clip i alone.

    Optional members: `prepare` (needed where `needs` is "frames"), `captions_in_steps` (default "all" where captions
    are read), `labels` (names and definitions) with `classify(features (..., D)) -> logits (..., L)` where there is a
    classifier, `text_encoder` as a constructor parameter, which is filled with the run's text part; over frames also
    `batch_size`, the steps that go through the model at once, and `independent_steps = True`, which promises that a
    step is encoded by itself, bit for bit, and that `encode` may be called from several threads at a time: extraction
    then cuts clips between steps, so that all batches are full, and gives each core a pass of its own, a GPU two at a
    time. Otherwise one call follows the other, in whatever thread.
    """

    dim: int
    needs: Literal["frames", "captions", "features"]
    sampling: Sampling
    space: str | None
    """The joint space the features lie in, equal to a text encoder's where a cosine between them means something."""
    fingerprint: Mapping[str, str]
    """What the output depends on besides the options: `weights_sha256`, `preprocessing`; part of the feature key."""

    def encode(self, clips: Clips) -> Steps:
        """Return one feature row per step; frames (N, T, F, 3, H, W) and mask (N, T) give values (N, T, D)."""


class Prepare(Protocol):
    """`VisualEncoder.prepare`: picklable and light, because it runs in decoding processes that hold no weights."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Turn one frame (H, W, 3) uint8 RGB into (3, h, w), the same h and w for every frame size."""


@runtime_checkable
class TextEncoder(Protocol):
    """Turns sentences into vectors; stateless, and row i depends on sentence i alone."""

    dim: int
    space: str | None
    fingerprint: Mapping[str, str]

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32; unit length is not promised."""


@runtime_checkable
class NegativeSampler(Protocol):
    """Draws negative sentences for anchors.

    Optional members: `record() -> Mapping[str, float]`, what the last draw measured, kept in the result (of draws
    within batches their mean); `sample_texts(embeddings, texts, pool_texts, anchor_groups, pool_groups, k, rng)`, for
    "corpus": the same draw where positives (B,) and pool (M,) are rows of the embeddings (U, E) of the distinct texts,
    and the anchors are the positives. Without it `sample` is given copies: 3 GB for a million texts of 768 features.
    """

    when: Literal["corpus", "batch"]
    """"corpus": once per fit over all positives; "batch": anew for every batch, among the batch's own positives."""

    def sample(
        self,
        anchors: Tensor,
        positives: Tensor,
        pool: Tensor,
        anchor_groups: Tensor,
        pool_groups: Tensor,
        k: int,
        rng: torch.Generator,
    ) -> Tensor:
        """Return (B, K) int64 indices into the pool.

        anchors (B, D) and positives (B, E): embeddings; pool (M, E); groups (B, G) and (M, G) int64: a pool text that
        equals the anchor's in any of the G columns (its text, its source video) is never its negative. A row with
        fewer than K admissible texts repeats them; one with none raises. Within batches the embeddings are on the
        run's device; groups and generator are on the CPU.

        Raises:
            zsarbench.errors.NoNegatives: an anchor has no admissible negative; never an endless loop.
        """


@runtime_checkable
class Loss(Protocol):
    """Scores a batch of triplets; parameters of an nn.Module are trained and checkpointed."""

    def __call__(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return a scalar for video (B, D), positive (B, D) and negative (B, K, D)."""


@runtime_checkable
class Method(Protocol):
    """What is compared: learns, or not, and scores clips against class texts; it never sees a test label.

    All that is chosen or learnt is so in `fit`: a clip's scores depend on that clip and the candidates' texts alone,
    not on its id nor on other test clips (`zsarbench check` tries it).

    Optional members: `record() -> Mapping`, what the fit chose and measured, in JSON types, kept in the result;
    `check_parts(parts)`, which raises where the parts do not go together, before any feature is extracted;
    `embed(clips, classes, context)`, which returns clips (N, J) and class sentences (S, J) in the method's joint space
    and the class of each sentence (S,), what `zsarbench plot semantic-gap` draws.
    """

    learns_from: LearnsFrom
    class_independent: bool
    """Whether a class's score does not depend on which other classes are candidates."""

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn; always called once before `score`, with None where there is nothing to learn from."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return (N, C), larger is better."""


@runtime_checkable
class Dataset(Protocol):
    """A manifest of clips and class names with a revision. Constructing one is cheap and touches no network.

    Optional members: `downloads`, a tuple of `zsarbench.data.downloads.Download` on the class (what `zsarbench data
    get` fetches); `root` as a constructor parameter, the folder of the user's own files (`--data-root`);
    `captions_trained_on` on the class, the label sets that whatever wrote the captions was trained on, () for people.
    """

    revision: str
    """Another one whenever clip ids, labels, spans, groups, captions or official lists are others: what rows of a table
    have in common, beside the protocol's hash, and what stored features are kept under."""
    classes: tuple[str, ...]
    aliases: Mapping[str, str]
    """Other spellings found in public lists, to the official name; case, spaces and punctuation need none."""

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip: clip_id, label (or missing), path, start, end, group; sorted by clip_id.

        Optional column: `video`, what files are called of the video that a clip is a span of.
        """

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the official lists of clip ids by name; they may overlap."""

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return the sentences of each clip id; empty where there are none."""

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return one ClassText per class, in the order of `classes`; form: name, sentence, sentences or documents.

        Raises:
            zsarbench.errors.ZsarbenchError: the data set has no texts of that form.
        """


class Reporter(Protocol):
    """Renders a comparison table."""

    def render(self, table: pd.DataFrame, *, title: str) -> str:
        """Return the table as text."""


@dataclass(frozen=True)
class Shard:
    """A unit of extraction: some clips whose features make one file."""

    index: int
    clips: tuple[ClipSource, ...]


@dataclass(frozen=True)
class ShardReport:
    """What became of a shard: the file it made, the clips in it and those that could not be read, with reasons."""

    index: int
    file: str
    clip_ids: tuple[str, ...]
    failures: Mapping[str, str]
    seconds: Mapping[str, float]


class ExtractionTask(Protocol):
    """Makes shards; picklable, it builds its encoder where it runs."""

    @property
    def threads(self) -> int:
        """The threads that it computes with wherever it runs: other counts give other bits."""

    def run(self, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Decode, encode and write each shard, decoding ahead of the model."""


class Executor(Protocol):
    """Runs extraction somewhere: in this process, on a cluster."""

    def map(self, task: ExtractionTask, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        """Yield a report for every shard, in any order."""

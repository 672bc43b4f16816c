"""What a component of each kind must offer, and the context that the harness lends it.

Constructors take explicit keyword arguments with defaults, no **kwargs, and store them unchanged under their names.
Letters for shapes as in `zsarbench.interfaces.values`. What a component may offer besides is in
`zsarbench.interfaces.optional`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from zsarbench.interfaces.lazy import Lazy
from zsarbench.interfaces.values import (
    ClassText,
    ClipFeatures,
    Clips,
    LearnsFrom,
    NegativeDraw,
    Progress,
    Sampling,
    Shard,
    ShardReport,
    Steps,
    Table,
    TrainSet,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
else:
    np, pd, torch = Lazy("numpy"), Lazy("pandas"), Lazy("torch")


@runtime_checkable
class VisualEncoder(Protocol):
    """Turns the content of clips into steps of features; row i depends on clip i alone.

    Where `needs` is "frames" it is also a `FrameEncoder`. Optional: `HasClassifier`, `CaptionSteps`, `ChecksSources`,
    `FindsClips`, `StepBatches`, `IndependentSteps`, `ColourOrdered`, `FrameOrdered`, `Movable`, `HasParameters`. A
    constructor parameter `text_encoder` is filled with the run's text part.
    """

    dim: int
    needs: Literal["frames", "captions", "features"]
    sampling: Sampling
    space: str | None
    """The joint space the features lie in, equal to a text encoder's where a cosine between them means something."""
    fingerprint: Mapping[str, str]
    """What the output depends on besides the options: `weights_sha256`, `preprocessing`; part of the feature key.

    Where a change of code gives other features, an entry here has to change, else those that are stored are read. A run
    that reads features which another version or commit of the encoder's distribution computed says so.
    """

    def encode(self, clips: Clips) -> Steps:
        """Return one feature row per step; frames (N, T, F, 3, H, W) and mask (N, T) give values (N, T, D)."""


class Prepare(Protocol):
    """`VisualEncoder.prepare`: picklable and light, because it runs in decoding processes that hold no weights."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Turn one frame (H, W, 3) uint8 RGB into (3, h, w), the same h and w for every frame size."""


@runtime_checkable
class TextEncoder(Protocol):
    """Turns sentences into vectors; stateless, and row i depends on sentence i alone.

    Optional: `Movable`, `HasParameters`.
    """

    dim: int
    space: str | None
    fingerprint: Mapping[str, str]
    """As of a `VisualEncoder`: vectors of sentences are stored too."""

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Return (N, D) float32; unit length is not promised."""


@runtime_checkable
class NegativeSampler(Protocol):
    """Draws negative sentences for anchors. Optional: `SamplesTexts`, `Recording`."""

    when: Literal["corpus", "batch"]
    """"corpus": once per fit over all positives; "batch": for every batch again, among the batch's own positives."""

    def sample(self, draw: NegativeDraw) -> torch.Tensor:
        """Return (B, K) int64 indices into the pool; a row with fewer than K admissible texts repeats them.

        Raises:
            zsarbench.errors.NoNegatives: an anchor has no admissible negative; never an endless loop.
        """


@runtime_checkable
class Loss(Protocol):
    """Scores a batch of triplets; parameters of an nn.Module are trained and checkpointed."""

    def __call__(self, video: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """Return a scalar for video (B, D), positive (B, D) and negative (B, K, D)."""


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
    """A folder of this fit alone; None where nothing is kept."""
    resume: bool
    """Whether to continue from a checkpoint in that folder."""
    progress: Progress


@runtime_checkable
class Method(Protocol):
    """What is compared: learns, or not, and scores clips against class texts; it never sees a test label.

    All that is chosen or learnt is so in `fit`: a clip's scores depend on that clip and the candidates' texts alone,
    not on its id nor on other test clips (`zsarbench check` verifies it). In a run, test clips have uninformative ids.

    Optional: `Recording`, `ChecksParts`, `Embeds`.
    """

    learns_from: LearnsFrom
    class_independent: bool
    """Whether a class's score does not depend on which other classes are candidates."""

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn; always called once before `score`, with None where there is nothing to learn from."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> torch.Tensor:
        """Return (N, C), larger is better; NaN for a clip that could not be read, whose mask is False throughout."""


@runtime_checkable
class Dataset(Protocol):
    """A manifest of clips and class names with a revision. Constructing one is cheap and touches no network.

    Optional: `Downloadable`, `CaptionsTrained`, `HasRoot`. A constructor parameter `root` is filled with the folder of
    `--data-root`.
    """

    revision: str
    """Another one whenever clip ids, labels, spans, groups, captions or official lists are others: what rows of a table
    have in common besides the protocol's hash, and what stored features are kept under."""
    classes: tuple[str, ...]
    aliases: Mapping[str, str]
    """Other spellings found in public lists, to the official name; case, spaces and punctuation need none."""

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip: clip_id, label, path, start, end, group; sorted by clip_id.

        label: one of `classes`, missing where a clip has none. path: of the file to read, whole; missing where the data
        set has no files, or none without `root`. start, end: seconds; missing for a whole file. group: the source video
        or the like, what clips share that must not be learnt from and tested on. Optional column: `video`, what files
        are called of the video that a clip is a span of.
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


@runtime_checkable
class Reporter(Protocol):
    """Renders a comparison table. Optional: `RendersAll`."""

    def render(self, table: Table) -> str:
        """Return the table as text, and leave it as it is."""


@runtime_checkable
class ExtractionTask(Protocol):
    """Makes shards; picklable, it builds its encoder where it runs."""

    @property
    def threads(self) -> int:
        """The threads that it computes with wherever it runs: other counts give other bits."""

    def run(self, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Decode, encode and write each shard, decoding ahead of the model."""


@runtime_checkable
class Executor(Protocol):
    """Runs extraction somewhere: in this process, on a cluster."""

    def map(self, task: ExtractionTask, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        """Yield a report for every shard, in any order."""

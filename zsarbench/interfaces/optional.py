"""What a component may offer besides its interface: each a small protocol, tested for by isinstance.

Which kinds of component each is for stands in the docstrings of `zsarbench.interfaces.components`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from zsarbench.interfaces.components import Context, Parts, Prepare
from zsarbench.interfaces.lazy import Lazy
from zsarbench.interfaces.values import CaptionsInSteps, ClassText, ClipFeatures, ClipSource, Table, TextDraw

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")


@runtime_checkable
class FrameEncoder(Protocol):
    """A visual encoder that needs frames."""

    prepare: Prepare


@runtime_checkable
class HasClassifier(Protocol):
    """A visual encoder with a classifier of its features."""

    labels: tuple[tuple[str, str], ...] | None
    """(name, definition) of each of the L labels; None where this model has no classifier or its labels no names."""

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (..., L) for features (..., D)."""


@runtime_checkable
class CaptionSteps(Protocol):
    """A visual encoder that states how captions become steps; without it "all" where captions are read."""

    captions_in_steps: CaptionsInSteps


@runtime_checkable
class ChecksSources(Protocol):
    """A visual encoder that does not go with every clip."""

    def check_sources(self, sources: Sequence[ClipSource]) -> None:
        """Raise where clips of a data set cannot be distinguished or none has content; called with all of them."""


@runtime_checkable
class StepBatches(Protocol):
    """A visual encoder that states how many steps go through its model at once; without it 32."""

    batch_size: int


@runtime_checkable
class IndependentSteps(Protocol):
    """A visual encoder over frames that may encode each step by itself, bit for bit, from several threads at a time.

    Extraction then cuts clips between steps, so that all batches are full, and gives each core a pass of its own, or a
    GPU two at a time.
    """

    independent_steps: bool


@runtime_checkable
class FindsClips(Protocol):
    """A visual encoder that knows which clips it has something of, before it reads them.

    Without it a clip exists where its file or its captions do, depending on what the encoder needs.
    """

    def finds(self, source: ClipSource) -> bool:
        """Return whether something of a clip exists to be read; reading it may still fail."""


@runtime_checkable
class ColourOrdered(Protocol):
    """A visual encoder that states the channel order of the frames that its model gets."""

    colour_order: Literal["rgb", "bgr"] | None
    """None: unknown."""


@runtime_checkable
class FrameOrdered(Protocol):
    """A visual encoder over windows of frames that states whether a step's row depends on their order."""

    frame_order_matters: bool


@runtime_checkable
class SamplesTexts(Protocol):
    """A sampler with `when = "corpus"` that draws among rows of distinct embeddings; without it they are copied."""

    def sample_texts(self, draw: TextDraw) -> torch.Tensor:
        """Return what `sample(draw.gathered())` returns."""


@runtime_checkable
class Recording(Protocol):
    """A method or sampler whose fit or last draw leaves a record in the result."""

    def record(self) -> Mapping[str, Any]:
        """Return what was chosen and measured, in JSON types.

        A sampler returns numbers, of its last draw; where it draws for every batch, results keep the mean.
        """


@runtime_checkable
class ChecksParts(Protocol):
    """A method that does not go with every part."""

    def check_parts(self, parts: Parts) -> None:
        """Raise where the parts do not go together; called before any feature is extracted."""


@runtime_checkable
class Embeds(Protocol):
    """A method with a joint space of clips and sentences, which `zsarbench plot semantic-gap` draws."""

    def embed(
        self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return clips (N, J), class sentences (S, J), and the class of each sentence (S,)."""


@runtime_checkable
class Cuttable(Protocol):
    """Clip features that can leave steps unread."""

    def cut(self, max_steps: int) -> ClipFeatures:
        """Return the same clips without the steps after these."""


@runtime_checkable
class HasFailures(Protocol):
    """Clip features that know which clips could not be read."""

    failures: Mapping[str, str]
    """The reason by clip id."""


@runtime_checkable
class Digested(Protocol):
    """Clip features that can be distinguished from others of the same clips, for example of replaced files."""

    content_digest: str
    """A digest of the steps of all clips in order; "" where it is not known."""


@runtime_checkable
class Downloadable(Protocol):
    """A data set, or its class, with files that `zsarbench data get` fetches."""

    downloads: tuple[Any, ...]
    """Each a `zsarbench.data.downloads.Download`."""


@runtime_checkable
class CaptionsTrained(Protocol):
    """A data set's class that states what wrote the captions; without it that is unknown."""

    captions_trained_on: tuple[str, ...]
    """The label sets that it was trained on; () where people wrote them."""


@runtime_checkable
class HasRoot(Protocol):
    """A data set of files in a folder of the user's."""

    root: Path | None


@runtime_checkable
class Movable(Protocol):
    """A part whose weights move to the device of the run, as an nn.Module's."""

    def to(self, device: torch.device | str) -> object:
        """Move in place."""


@runtime_checkable
class HasParameters(Protocol):
    """A part whose weights are counted, as an nn.Module's."""

    def parameters(self) -> Iterable[torch.Tensor]:
        """Return all weights."""


@runtime_checkable
class Fingerprinted(Protocol):
    """A part that states what its output depends on besides its options, as every encoder does."""

    fingerprint: Mapping[str, str]


@runtime_checkable
class ClassesKnown(Protocol):
    """A data set's class that knows its classes before one is built, as a list of labels that models are trained on."""

    classes: tuple[str, ...]
    aliases: Mapping[str, str]


@runtime_checkable
class RendersAll(Protocol):
    """A reporter for programs, which read one document; the tables of others are printed one after another."""

    def render_all(self, tables: Sequence[Table]) -> str:
        """Return several tables, each of another protocol, as one text, and leave them as they are."""

"""Features of clips as methods read them: a base class for views, and clips in memory."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import xxhash

from zsarbench.interfaces import CaptionsInSteps, ClipFeatures, Digested, Steps
from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")


class ClipView(ABC):
    """Base class of `ClipFeatures`: clips that show rows of something else, chosen by position.

    A subclass calls this constructor and implements `read`; subsets are then views of the same rows.

    Args:
        ids: N clip ids.
        dim: D of the steps.
        max_steps: T of every `rows` call.
        captions: N tuples of sentences, or None.
        captions_in_steps: whether the steps come from these captions.
        positions: (N,) where `read` finds each clip; by default 0 to N - 1.
    """

    def __init__(
        self,
        ids: Sequence[str],
        *,
        dim: int,
        max_steps: int,
        captions: tuple[tuple[str, ...], ...] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
        positions: Sequence[int] | np.ndarray | torch.Tensor | None = None,
    ) -> None:
        self.ids = tuple(ids)
        self.dim = dim
        self.max_steps = max_steps
        self.captions = captions
        self.captions_in_steps: CaptionsInSteps = captions_in_steps
        self._positions = np.arange(len(self.ids)) if positions is None else as_positions(positions)

    def __len__(self) -> int:
        """Return N."""
        return len(self.ids)

    @property
    def content_digest(self) -> str:
        """A digest of the steps of all clips in order, "" where it is not known."""
        return ""

    @abstractmethod
    def read(self, positions: np.ndarray) -> Steps:
        """Return the steps at these positions (B,) int64 of what is shown: values (B, T, D), mask (B, T)."""

    def rows(self, index: Sequence[int] | torch.Tensor) -> Steps:
        """Return the steps of the clips at these positions: values (B, max_steps, D) float32, mask (B, max_steps)."""
        return self.read(self._positions[as_positions(index)])

    def subset(self, index: Sequence[int] | torch.Tensor) -> Self:
        """Return the clips at these positions, in this order, without reading; `max_steps` stays that of the whole."""
        chosen = as_positions(index)
        view = copy.copy(self)
        view.ids = tuple(self.ids[i] for i in chosen)
        view.captions = self.captions and tuple(self.captions[i] for i in chosen)
        view._positions = self._positions[chosen]
        return view

    def nameless(self) -> Self:
        """Return the same clips under uninformative ids: those of data sets often name the class."""
        view = copy.copy(self)
        view.ids = tuple(f"clip{number}" for number in range(len(self.ids)))
        return view


class CaptionView(ClipView):
    """Clips of another `ClipFeatures` with other captions.

    Args:
        clips: N clips whose steps are shown.
        captions: N tuples of sentences that take the place of theirs.
        positions: (N,) the clip of `clips` whose steps clip i shows; by default i.
    """

    def __init__(
        self,
        clips: ClipFeatures,
        captions: tuple[tuple[str, ...], ...] | None,
        positions: Sequence[int] | np.ndarray | torch.Tensor | None = None,
    ) -> None:
        super().__init__(
            clips.ids,
            dim=clips.dim,
            max_steps=clips.max_steps,
            captions=captions,
            captions_in_steps=clips.captions_in_steps,
            positions=positions,
        )
        self.clips = clips

    @property
    def content_digest(self) -> str:
        """A digest of the steps of all clips in order, "" where it is not known."""
        shown = self.clips.content_digest if isinstance(self.clips, Digested) else ""
        return shown and digest_of(shown.encode(), self._positions.tobytes())

    def read(self, positions: np.ndarray) -> Steps:
        """Return the steps of the clips at these positions."""
        return self.clips.rows(positions.tolist())


class MemoryClips(ClipView):
    """Features of clips in memory, for tests and for methods that compute features themselves.

    values: one tensor (t_i, D) per clip, or one (N, T, D) with a mask (N, T) that is False on padding.

    Raises:
        ValueError: the numbers of ids, values and mask rows differ.
    """

    def __init__(
        self,
        ids: Sequence[str],
        values: Sequence[torch.Tensor] | torch.Tensor,
        mask: torch.Tensor | None = None,
        *,
        captions: Sequence[Sequence[str]] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
    ) -> None:
        import torch

        if not isinstance(values, torch.Tensor):
            lengths = torch.tensor([len(row) for row in values])
            mask = torch.arange(max([1, *lengths.tolist()])) < lengths[:, None]
            padded = torch.zeros(*mask.shape, values[0].shape[1] if len(values) else 0)
            for row, value in zip(padded, values, strict=True):
                row[: len(value)] = value
            values = padded
        if mask is None:
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
        if len(ids) != len(values) or mask.shape != values.shape[:2]:
            raise ValueError(f"{len(ids)} ids, values {tuple(values.shape)} and mask {tuple(mask.shape)} do not fit")
        super().__init__(
            ids,
            dim=int(values.shape[2]),
            max_steps=int(values.shape[1]),
            captions=None if captions is None else tuple(tuple(sentences) for sentences in captions),
            captions_in_steps=captions_in_steps,
        )
        self._steps = Steps(torch.where(mask[..., None], values, 0.0).float(), mask)

    @property
    def content_digest(self) -> str:
        """A digest of the steps of all clips in order."""
        steps = self.read(self._positions)
        return digest_of(steps.values.numpy().tobytes(), steps.mask.numpy().tobytes())

    def read(self, positions: np.ndarray) -> Steps:
        """Return the steps of the clips at these positions."""
        return Steps(self._steps.values[positions], self._steps.mask[positions])


def as_positions(index: Sequence[int] | np.ndarray | torch.Tensor) -> np.ndarray:
    """Return positions (B,) int64, whatever they came as; an empty list too."""
    return np.asarray(index, dtype=np.int64).reshape(-1)


def digest_of(*parts: bytes) -> str:
    """Return a digest of bytes in parts."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()

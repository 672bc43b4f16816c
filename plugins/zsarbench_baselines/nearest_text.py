"""The nearest class text by cosine, where clips and texts lie in one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TextEncoder, TrainSet

if TYPE_CHECKING:
    from torch import Tensor


class NearestText:
    """Scores a class by the cosine between a clip and the class's texts; learns nothing.

    A step's cosine with a class of several texts is the largest one, as in the nearest neighbour search of ZSARCap
    (arXiv:2112.09976), where the best sentence decides; `aggregate="mean"` averages over the texts. A clip's score is
    the mean over its steps.
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = True
    clips_at_once: ClassVar[int] = 512
    """Clips whose cosines are in memory together; with 16 steps and 1,000 texts these take 33 MB."""

    def __init__(self, *, aggregate: Literal["max", "mean"] = "max") -> None:
        self.aggregate = aggregate

    def check_parts(self, parts: Parts) -> None:
        """Refuse parts whose cosine means nothing.

        Raises:
            UsageError: the visual and the text part do not share a space.
        """
        check_one_space(parts)

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return mean cosines (N, C) float32 on the CPU; NaN where a clip could not be read."""
        import torch

        text = check_one_space(context.parts)
        texts = text.encode([sentence for each in classes for sentence in each.texts]).to(context.device)
        texts = torch.nn.functional.normalize(texts, dim=-1)
        owner = torch.repeat_interleave(torch.tensor([len(each.texts) for each in classes])).to(context.device)
        step = self.clips_at_once
        rows = [
            self._score_some(clips, range(start, min(start + step, len(clips))), texts, owner, len(classes))
            for start in range(0, len(clips), step)
        ]
        return torch.cat(rows) if rows else torch.zeros(0, len(classes))

    def _score_some(self, clips: ClipFeatures, index: range, texts: Tensor, owner: Tensor, classes: int) -> Tensor:
        """Return (B, C) for some clips, given texts (M, D) of unit length and the class (M,) of each."""
        import torch

        steps = clips.rows(index)
        values, mask = steps.values.to(texts), steps.mask.to(texts.device)
        cosines = torch.nn.functional.normalize(values, dim=-1) @ texts.T  # (B, T, M)
        reduce = {"max": "amax", "mean": "mean"}[self.aggregate]
        of_class = cosines.new_zeros(*mask.shape, classes)
        of_class.scatter_reduce_(2, owner.expand(*mask.shape, -1), cosines, reduce, include_self=False)
        counts = mask.sum(1, keepdim=True)  # 0 where the clip could not be read: 0 / 0 is NaN
        return ((of_class * mask[..., None]).sum(1) / counts).float().cpu()


def check_one_space(parts: Parts) -> TextEncoder:
    """Return the text part after checking that clips lie in its space.

    Raises:
        UsageError: they do not.
    """
    visual, text = parts.visual, parts.text
    if visual is None or text is None:
        raise UsageError("nearest-text needs a visual and a text part. Try: --visual captions --text minilm-l6")
    if visual.space is None or visual.space != text.space:
        raise UsageError(
            "nearest-text compares clips with class texts by cosine, which needs parts that share a space; the visual "
            f"part lies in {visual.space or 'a space of its own'}, the text part in {text.space or 'one of its own'}. "
            "`captions` shares that of every text encoder: --visual captions"
        )
    return text

"""What guessing reaches: the same score for every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, TrainSet

if TYPE_CHECKING:
    from torch import Tensor


class Chance:
    """Scores every class 0; since ties count in expectation, top-k is then exactly k / C, unread clips included."""

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return zeros (N, C) without reading a clip."""
        import torch

        return torch.zeros(len(clips), len(classes))

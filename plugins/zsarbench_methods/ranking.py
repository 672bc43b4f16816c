"""Bilinear maps from clips to classes trained by ranking: what DeViSE, ALE, SJE and LatEm share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from zsarbench.interfaces import Context
from zsarbench_methods.learnt import SCALES, LearntMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

BATCH_SIZE = 128  # clips; the papers step after each clip, which is slow and, at these sizes, no better
EPOCHS = (1, 2, 5, 10, 20)
LEARNING_RATES = (0.1, 1.0, 10.0)  # of the mean loss over a batch, for clip and class vectors of length 1


class RankingMethod(LearntMethod):
    """Scores a clip x and a class s by max_k x' W_k s, with maps W_k trained so that the own class comes first.

    A subclass has a `loss`, the `optimizer` of its paper, and the options `margin`, `learning_rate` and `epochs`; it
    may have `n_maps`, K, which is 1 elsewhere. Training stops early instead of shrinking the weights: how many epochs
    there are is chosen on validation classes, in one training for all of the epochs tried.
    """

    choices: ClassVar[Grid] = {"features": SCALES, "learning_rate": LEARNING_RATES, "epochs": EPOCHS}
    optimizer: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.SGD

    def __init__(
        self,
        *,
        margin: float = 1.0,
        features: Scale | None = None,
        learning_rate: float | None = None,
        epochs: int | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.margin = margin
        self.features = features
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.seen_bias = seen_bias

    def loss(self, violations: Tensor) -> Tensor:
        """Return each clip's loss (B,) of its violations (B, C): by how much a class comes within the margin, or 0."""
        raise NotImplementedError

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every setting; one training yields those of all its epochs."""
        once = {name: values for name, values in grid.items() if name != "epochs"}
        for settings in settings_of(once):
            for epoch, maps in self._train(seen, settings, max(grid["epochs"]), context):
                if epoch in grid["epochs"]:
                    yield {**settings, "epochs": epoch}, _scorer(maps)

    def _train(
        self, seen: Seen, settings: dict[str, Any], epochs: int, context: Context
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield the number of each epoch and the maps (K, D, E) after it."""
        x, labels, vectors = (part.to(context.device) for part in (seen.features, seen.labels, seen.vectors))
        shape = (settings.get("n_maps", 1), x.shape[1], vectors.shape[1])
        start = torch.randn(shape, generator=context.generator("weights")) / x.shape[1] ** 0.5
        maps = start.to(context.device).requires_grad_()
        optimizer = self.optimizer([maps], lr=settings["learning_rate"])
        order = context.generator("batches")
        for epoch in range(1, epochs + 1):
            for batch in torch.randperm(len(x), generator=order).to(context.device).split(BATCH_SIZE):
                optimizer.zero_grad()
                scores = compatibility(x[batch], vectors, maps)
                self.loss(violations(scores, labels[batch], self.margin)).mean().backward()
                optimizer.step()
            yield epoch, maps.detach().cpu().clone()


def compatibility(x: Tensor, vectors: Tensor, maps: Tensor) -> Tensor:
    """Return max_k x' W_k s (B, C) for clips (B, D), class vectors (C, E) and maps (K, D, E)."""
    # The same product in the order that costs less.
    scores = x @ (maps @ vectors.T) if len(vectors) < len(x) else x @ maps @ vectors.T
    return scores.amax(0)


def violations(scores: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Return max(0, margin + score - score of the own class) (B, C), 0 for the own class (B,)."""
    own = scores.gather(1, labels[:, None])
    return (margin + scores - own).clamp(min=0).scatter(1, labels[:, None], 0.0)


def _scorer(maps: Tensor) -> Scorer:
    return lambda features, vectors: compatibility(features, vectors, maps)

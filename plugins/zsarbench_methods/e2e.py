"""E2E on frozen features: regression of clips to the text vectors of their classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsarbench.interfaces import Context
from zsarbench.utils.seeding import fork_rng
from zsarbench_methods.learnt import SCALES, LearntMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

BATCH_SIZE = 128  # clips; the paper's 22 videos are what fits a GPU while the whole network is trained
DECAYED_AT = (0.4, 0.8)  # shares of the epochs: 60 and 120 of the paper's 150, to a tenth each time


class E2E(LearntMethod):
    """Regresses clips to the vectors of their classes by one linear layer, and takes the nearest class by cosine.

    Source: Brattoli, Tighe, Zhdanov, Perona and Chalupka, Rethinking Zero-Shot Video Classification: End-to-End
    Training for Realistic Applications, CVPR 2020, section 3 and the public code's `fixconvs`: mean features, dropout,
    a linear layer, length 1; mean squared error to the class vector; Adam at 1e-3. The paper's point, training the
    visual network too, is not done here: this is its frozen form.

    Expects one vector a class; the paper takes the mean word2vec vector of its name. Learns from labelled clips of
    seen classes. learning_rate, epochs and features: None chooses them on validation classes; see `LearntMethod`.
    """

    name = "e2e"
    choices: ClassVar[Grid] = {"features": SCALES, "learning_rate": (1e-3, 1e-2), "epochs": (10, 40)}

    def __init__(
        self,
        *,
        dropout: float = 0.05,
        features: Scale | None = None,
        learning_rate: float | None = None,
        epochs: int | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.dropout = dropout
        self.features = features
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.seen_bias = seen_bias

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every setting."""
        for settings in settings_of(grid):
            yield settings, _scorer(self._train(seen, settings["learning_rate"], settings["epochs"], context))

    def _train(self, seen: Seen, learning_rate: float, epochs: int, context: Context) -> nn.Linear:
        x, labels, vectors = (part.to(context.device) for part in (seen.features, seen.labels, seen.vectors))
        order = context.generator("batches")
        with fork_rng(context.generator("weights")):
            linear = nn.Linear(x.shape[1], vectors.shape[1]).to(context.device)
            optimizer = torch.optim.Adam(linear.parameters(), lr=learning_rate, fused=True)
            milestones = [max(1, round(share * epochs)) for share in DECAYED_AT]
            schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones)
            for _ in range(epochs):
                for batch in torch.randperm(len(x), generator=order).to(context.device).split(BATCH_SIZE):
                    optimizer.zero_grad()
                    predicted = F.normalize(linear(F.dropout(x[batch], self.dropout)), dim=1)
                    F.mse_loss(predicted, vectors[labels[batch]]).backward()
                    optimizer.step()
                schedule.step()
        return linear.cpu().requires_grad_(False)


def _scorer(linear: nn.Linear) -> Scorer:
    def score(features: Tensor, vectors: Tensor) -> Tensor:
        return F.normalize(linear(features), dim=1) @ F.normalize(vectors, dim=1).T

    return score

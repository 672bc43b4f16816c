"""DEM: class texts are mapped into the visual space, where clips look for the nearest."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsarbench.interfaces import Context
from zsarbench.utils.seeding import fork_rng
from zsarbench_methods.learnt import SCALES, LearntMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

HIDDEN = 1024  # the paper sets its width for each data set, between 300 and 1600
LEARNING_RATE = 1e-3  # of Adam; the paper's 1e-4 is for batches of 64 clips, here every step sees all of them

Distance = Literal["euclidean", "cosine"]


class DEM(LearntMethod):
    """Maps class vectors into the visual space by a network of two layers, and takes the class nearest to the clip.

    Source: Zhang, Xiang and Gong, Learning a Deep Embedding Model for Zero-Shot Learning, CVPR 2017, Eq. 1 and 3: with
    f(s) = relu(W2 relu(W1 s)), the mean over clips of ||x - f(s)||^2 plus weight_decay (||W1||^2 + ||W2||^2) is
    minimised by Adam; one kind of class vector. For a class's clips the first term is, up to a constant, the distance
    of f(s) to their mean times their number: so each step sees all clips, at the cost of one row a class. The last
    ReLU is left out where features are negative, as they are not in the paper.

    Expects one vector a class; the paper takes attributes, word vectors and sentences. Learns from labelled clips of
    seen classes. weight_decay, steps, distance and features: None chooses them on validation classes.
    """

    name = "dem"
    choices: ClassVar[Grid] = {
        "features": SCALES,
        "weight_decay": (1e-3, 1e-4, 1e-5),
        "steps": (100, 300, 1000),
        "distance": ("euclidean", "cosine"),
    }

    def __init__(
        self,
        *,
        hidden: int = HIDDEN,
        learning_rate: float = LEARNING_RATE,
        features: Scale | None = None,
        weight_decay: float | None = None,
        steps: int | None = None,
        distance: Distance | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.features = features
        self.weight_decay = weight_decay
        self.steps = steps
        self.distance = distance
        self.seen_bias = seen_bias

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every setting; one training yields those of all its steps."""
        once = {name: values for name, values in grid.items() if name == "weight_decay"}
        for settings in settings_of(once):
            for steps, network in self._train(seen, settings["weight_decay"], grid["steps"], context):
                for distance in grid["distance"]:
                    yield {**settings, "steps": steps, "distance": distance}, _scorer(network, distance)

    def _train(
        self, seen: Seen, weight_decay: float, kept: Sequence[int], context: Context
    ) -> list[tuple[int, nn.Module]]:
        """Return the network after each of the kept numbers of steps."""
        counts = torch.bincount(seen.labels, minlength=len(seen.vectors)).float()
        sums = torch.zeros(len(counts), seen.features.shape[1]).index_add(0, seen.labels, seen.features)
        present = counts > 0
        vectors = seen.vectors[present].to(context.device)
        means = (sums / counts[:, None])[present].to(context.device)
        share = (counts / counts.sum())[present].to(context.device)
        negative = bool((seen.features < 0).any())
        with fork_rng(context.generator("weights")):
            network = _network(vectors.shape[1], self.hidden, means.shape[1], negative).to(context.device)
        named = list(network.named_parameters())
        # Adam adds weight_decay times a weight to its gradient, and the gradient of its square is twice the weight.
        decayed: dict[str, Any] = {
            "params": [one for name, one in named if name.endswith("weight")],
            "weight_decay": 2 * weight_decay,
        }
        free: dict[str, Any] = {"params": [one for name, one in named if not name.endswith("weight")]}
        optimizer = torch.optim.Adam([decayed, free], lr=self.learning_rate, fused=True)
        snapshots = []
        for step in range(1, max(kept) + 1):
            optimizer.zero_grad()
            (((network(vectors) - means) ** 2).sum(1) @ share).backward()
            optimizer.step()
            if step in kept:
                snapshots.append((step, _frozen(network)))
        return snapshots


def _network(text_dim: int, hidden: int, visual_dim: int, negative: bool) -> nn.Sequential:
    last = nn.Identity() if negative else nn.ReLU()
    return nn.Sequential(nn.Linear(text_dim, hidden), nn.ReLU(), nn.Linear(hidden, visual_dim), last)


def _frozen(network: nn.Module) -> nn.Module:
    """Return a copy of a network on the CPU that no further training changes."""
    return copy.deepcopy(network).cpu().eval().requires_grad_(False)


def _scorer(network: nn.Module, distance: Distance) -> Scorer:
    def score(features: Tensor, vectors: Tensor) -> Tensor:
        prototypes: Tensor = network(vectors)
        if distance == "cosine":
            return F.normalize(features, dim=1) @ F.normalize(prototypes, dim=1).T
        # ||x - p||^2 less ||x||^2, which is the same for all classes
        return 2 * features @ prototypes.T - (prototypes**2).sum(1)

    return score

"""Chooses hyper-parameters on classes held out of the seen ones; nothing of an unseen class can reach it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zsarbench.evaluation import metrics

_log = logging.getLogger(__name__)

DRAWN_SHARE = 0.2  # of the seen classes, held out where the protocol names no validation classes

Grid = Mapping[str, Sequence[Any]]
"""The values to try of each option; one value: the option is given."""
Settings = Mapping[str, Any]
"""One value of each option."""
Scorer = Callable[[Tensor, Tensor], Tensor]
"""Takes clips (N, D) and class vectors (C, E), returns scores (N, C), larger is better."""


@dataclass(frozen=True)
class Seen:
    """What a method learns from: features (N, D), labels (N,) int64 into the classes, class vectors (C, E), names."""

    features: Tensor
    labels: Tensor
    vectors: Tensor
    names: tuple[str, ...]

    def of_classes(self, kept: Tensor) -> Seen:
        """Return the clips and vectors of some of the classes, (C,) bool, labels renumbered."""
        clips = kept[self.labels]
        return Seen(
            self.features[clips],
            (kept.cumsum(0) - 1)[self.labels[clips]],
            self.vectors[kept],
            tuple(name for name, keep in zip(self.names, kept.tolist(), strict=True) if keep),
        )

    def joined(self, other: Seen) -> Seen:
        """Return these clips and classes, then those of another part."""
        return Seen(
            torch.cat([self.features, other.features]),
            torch.cat([self.labels, other.labels + len(self.names)]),
            torch.cat([self.vectors, other.vectors]),
            self.names + other.names,
        )


Candidates = Callable[[Seen, Grid], Iterator[tuple[Settings, Scorer]]]
"""Learns from seen classes and yields a scorer for every setting of a grid, sharing work between settings."""


def settings_of(grid: Grid) -> Iterator[dict[str, Any]]:
    """Yield every combination of a grid's values, the last option varying fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def choose(
    seen: Seen, grid: Grid, candidates: Candidates, validation: Sequence[str], rng: torch.Generator
) -> tuple[Settings, dict[str, Any]]:
    """Return the settings that recognise held-out seen classes best, and a record of the choice.

    The method learns from the clips of the other seen classes, and each setting is judged by per-class top-1 on the
    clips of the held-out classes, with these alone as candidates; the first of equals is taken.

    validation: names of the classes to hold out; where fewer than two are seen, a fifth of the classes is drawn.
    """
    first = {name: values[0] for name, values in grid.items()}
    if all(len(values) == 1 for values in grid.values()):
        return first, {"settings": first, "chosen_on": "given"}
    held = held_out(seen, validation, rng)
    if held is None:
        _log.warning("%d seen classes are too few to choose settings on; the first of each are taken", len(seen.names))
        return first, {"settings": first, "chosen_on": "too few seen classes"}
    rest, judged = seen.of_classes(~held), seen.of_classes(held)
    tried = [(dict(settings), per_class_top1(scorer, judged)) for settings, scorer in candidates(rest, grid)]
    settings, best = max(tried, key=lambda item: item[1])
    _log.info("chosen on %d validation classes: %s, top-1 %.4f", len(judged.names), settings, best)
    return settings, {
        "settings": settings,
        "chosen_on": list(judged.names),
        "validation_top1_per_class": best,
        "tried": _in_order_of(grid, tried),
    }


def _in_order_of(grid: Grid, tried: Sequence[tuple[Settings, float]]) -> dict[str, Any]:
    """Return the grid and the accuracy of every combination, in the order of `settings_of`: a record of small size."""
    reached = {tuple(settings[name] for name in grid): accuracy for settings, accuracy in tried}
    return {
        "grid": {name: list(values) for name, values in grid.items()},
        "validation_top1_per_class": [reached[tuple(settings.values())] for settings in settings_of(grid)],
    }


def held_out(seen: Seen, validation: Sequence[str], rng: torch.Generator) -> Tensor | None:
    """Return which seen classes to judge settings on, (C,) bool; None where too few would be left to learn from."""
    n_classes, names = len(seen.names), set(validation)
    held = torch.tensor([name in names for name in seen.names])
    with_clips = torch.bincount(seen.labels, minlength=n_classes) > 0
    held &= with_clips
    if held.sum() < 2:
        filled = with_clips.nonzero().flatten()
        drawn = filled[torch.randperm(len(filled), generator=rng)[: max(2, round(DRAWN_SHARE * len(filled)))]]
        held = torch.zeros(n_classes, dtype=torch.bool)
        held[drawn] = True
    return held if (with_clips & ~held).sum() >= 2 else None


def per_class_top1(scorer: Scorer, judged: Seen) -> float:
    """Return the mean over classes of each class's accuracy, ties counted in expectation."""
    scores = scorer(judged.features, judged.vectors).double().cpu().numpy()
    labels = judged.labels.numpy()
    return float(metrics.per_class(metrics.topk_expectation(scores, labels, 1), labels, len(judged.names)))

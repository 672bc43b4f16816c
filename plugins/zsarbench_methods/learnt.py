"""The frame of the methods that learn from seen classes: vectors in, settings chosen, scores out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, TrainSet
from zsarbench_methods.representation import Scale, Scaling, class_vectors, pooled, text_encoder
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, choose

SCALES: tuple[Scale, ...] = ("l2", "standardised")
"""What is tried of `features`, where nothing is given: feature scaling matters and no paper's choice fits all."""


class LearntMethod:
    """Learns from clips of seen classes, and scores clips against class vectors; the base of the methods here.

    A subclass has a `name`, the values to try of each option that is left at None (`choices`), and `learn`. The
    options `features` and `seen_bias` mean the same in all of them:

    features: "l2", clip vectors of length 1; "standardised", first less the mean and over the deviation of each
        feature on the clips learnt from.
    seen_bias: taken off the scores of seen classes (calibrated stacking, Chao et al. 2016, arXiv:1605.04253), in the
        generalised setting.
    """

    name: ClassVar[str]
    choices: ClassVar[Grid]
    learns_from: LearnsFrom = "seen-classes"
    class_independent = True
    seen_bias: float

    _scorer: Scorer | None = None
    _seen_names: frozenset[str] = frozenset()
    _record: Mapping[str, Any] = {}

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every setting of a grid, learnt from scaled features; see `selection.Candidates`."""
        raise NotImplementedError

    def clip_vectors(self, clips: ClipFeatures, context: Context) -> Tensor:
        """Return what this method sees of clips (N, D) float32; NaN for a clip that could not be read."""
        return pooled(clips)

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Choose the settings on validation classes, then learn from all seen ones; see `interfaces.Method`."""
        seen = judged_on = self._seen(train, context)
        if train is not None and train.validation_set is not None:
            judged_on = seen.joined(self._seen(train.validation_set, context))
        grid = {
            name: tuple(values) if getattr(self, name) is None else (getattr(self, name),)
            for name, values in self.choices.items()
        }

        def candidates(part: Seen, part_grid: Grid) -> Iterator[tuple[Settings, Scorer]]:
            return self._scaled(part, part_grid, context)

        validation = train.validation if train is not None else ()
        rng = context.generator("validation-classes")
        settings, self._record = choose(judged_on, grid, candidates, validation, rng)
        [(_, self._scorer)] = candidates(seen, {name: (value,) for name, value in settings.items()})
        self._seen_names = frozenset(seen.names)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return (N, C), larger is better; NaN for a clip that could not be read."""
        if self._scorer is None:
            raise ZsarbenchError(f"method '{self.name}' was called for scores before it was fitted")
        vectors = class_vectors(classes, text_encoder(context.parts, self.name))
        scores = self._scorer(self.clip_vectors(clips, context), vectors).float()
        seen = torch.tensor([described.name in self._seen_names for described in classes])
        return scores - self.seen_bias * seen

    def record(self) -> Mapping[str, Any]:
        """Return which settings the fit took, on which classes they were chosen, and what else was tried."""
        return dict(self._record)

    def _scaled(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield the scorers of `learn`, with features scaled in each of the ways of the grid where it names any."""
        if "features" not in grid:
            yield from self.learn(seen, grid, context)
            return
        rest = {name: values for name, values in grid.items() if name != "features"}
        for scale in grid["features"]:
            scaling = Scaling.of(seen.features, scale)
            scaled = Seen(scaling(seen.features), seen.labels, seen.vectors, seen.names)
            for settings, scorer in self.learn(scaled, rest, context):
                yield {"features": scale, **settings}, _after(scaling, scorer)

    def _seen(self, train: TrainSet | None, context: Context) -> Seen:
        """Return the readable clips of a training set."""
        if train is None or train.labels is None:
            raise ZsarbenchError(f"method '{self.name}' learns from clips of seen classes, and was given none")
        features = self.clip_vectors(train.clips, context)
        readable = ~features.isnan().any(1)
        if not readable.any():
            raise ZsarbenchError(f"method '{self.name}': no clip to learn from could be read")
        vectors = class_vectors(train.classes, text_encoder(context.parts, self.name))
        names = tuple(described.name for described in train.classes)
        return Seen(features[readable], train.labels[readable], vectors, names)


def _after(scaling: Scaling, scorer: Scorer) -> Scorer:
    return lambda features, vectors: scorer(scaling(features), vectors)

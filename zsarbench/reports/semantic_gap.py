"""The semantic gap of a run: where its clips and class sentences lie, before and after the method's joint space."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zsarbench.errors import UsageError
from zsarbench.evaluation.scores import Scores
from zsarbench.harness.fitting import fits, fitted
from zsarbench.harness.preparation import prepare
from zsarbench.harness.spec import RunSpec
from zsarbench.interfaces import ClipFeatures, Embeds, Progress
from zsarbench.plugins import Host
from zsarbench.utils import seeding

_log = logging.getLogger(__name__)
CLIPS_A_CLASS = 30  # drawn of each class: enough to see a cloud
TOLERANCE = 1e-3  # of a score; what other threads or kernels may change
READ_AT_ONCE = 256  # clips

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Points:
    """Clips (n, D), class sentences (S, E), and the class that each sentence is of, (S,)."""

    clips: Array
    sentences: Array
    owner: NDArray[np.int64]


@dataclass(frozen=True)
class Gap:
    """One round of a run: classes by name, the class of each clip (n,), the points before and after the joint space.

    before: mean features of the clips, and the sentences' vectors; shared_before: whether these lie in one space.
    difference: the largest one between the recorded scores and those of the repeated fit.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    before: Points
    after: Points
    shared_before: bool
    difference: float


def of_run(spec: RunSpec, host: Host, progress: Progress, scores: Scores, number: int) -> Gap:
    """Make the fit behind a round again, from its checkpoint where there is one, and embed the round's clips.

    scores: of the result; a warning is logged where the repeated fit gives others. number: position of the round there.

    Raises:
        UsageError: the method has no joint space.
        ZsarbenchError: the run cannot be repeated.
    """
    if not isinstance(host.registry.get("method", spec.what.method.name).load(), Embeds):
        raise UsageError(
            f"method '{spec.what.method.name}' has no joint space to show: it has no `embed`. Try a result of a "
            "method that embeds clips and sentences in one space"
        )
    prepared = prepare(spec, host.registry, progress)
    with prepared.compute.deterministic():
        fit, item = [(fit, item) for fit in fits(prepared) for item in fit.rounds][number]
        done = fitted(prepared, fit)
        method, context = done.method, done.context
        texts = [prepared.inputs.texts[name] for name in item.round.candidates]
        given, labels = scores.round(number)
        rows = _drawn(labels, np.flatnonzero(~np.isnan(given).any(axis=1)))
        clips = prepared.clips([item.test[row] for row in rows])
        difference = _difference(method.score(clips, texts, context).numpy(), given[rows])
        assert isinstance(method, Embeds)  # its class is
        joint, sentences, owner = method.embed(clips, texts, context)
        vectors = torch.zeros(len(owner), 0)
        if prepared.parts.text is not None:
            vectors = prepared.parts.text.encode([text for described in texts for text in described.texts])
        before_owner = np.repeat(np.arange(len(texts)), [len(described.texts) for described in texts])
        spaces = [part.space if part is not None else None for part in (prepared.parts.visual, prepared.parts.text)]
        return Gap(
            tuple(item.round.candidates),
            labels[rows],
            Points(_means(clips), vectors.numpy(), before_owner),
            Points(joint.numpy(), sentences.numpy(), owner.numpy()),
            spaces[0] is not None and spaces[0] == spaces[1],
            difference,
        )


def _drawn(labels: NDArray[np.int64], read: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of at most `CLIPS_A_CLASS` clips of each class among those that were read, in order."""
    rng = seeding.numpy_generator(0, "clips of a figure")
    order = rng.permutation(read)
    kept = [row for label in np.unique(labels) for row in order[labels[order] == label][:CLIPS_A_CLASS]]
    return np.array(sorted(kept), dtype=np.int64)


def _means(clips: ClipFeatures) -> Array:
    """Return the mean step (n, D) of each clip."""
    means = []
    for start in range(0, len(clips), READ_AT_ONCE):
        steps = clips.rows(range(start, min(len(clips), start + READ_AT_ONCE)))
        weights = steps.mask[..., None].float()
        means.append((steps.values * weights).sum(1) / weights.sum(1).clamp(min=1))
    found: Array = torch.cat(means).numpy()
    return found


def _difference(again: Array, recorded: Array) -> float:
    """Return the largest difference between scores, and warn of one that is more than arithmetic."""
    worst = float(np.nanmax(np.abs(again - recorded)))
    if worst > TOLERANCE:
        _log.warning(
            "the repeated fit gives other scores than the result, by up to %.2g: the figure shows the new fit. "
            "Threads, versions or data differ from those of the result",
            worst,
        )
    return worst

"""Scores reduced to what metrics depend on: of every clip its best classes, best first, and which of them tie.

A full matrix of many clips, classes and fits is too large for a repository. Of a clip, metrics depend on the classes
that reach the first `DEPTH` of a round it is tested in, ties at the border included, and where a round has seen and
unseen candidates on those that reach the first `DEPTH` of either kind. All others are behind the true class or wrong.
Their places and ties decide every accuracy; the area under the seen-unseen curve takes differences of scores, so there
the scores are kept. Read back, a class that was left out has minus infinity, and where places are kept the score is
minus the place. A row of NaN is a clip that was not read, as in full scores.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsarbench.evaluation.best_classes import Form
from zsarbench.evaluation.scores import Scores, positions

DEPTH = 5
"""The largest k of the top-k accuracies of any setting."""


def compacted(scores: Scores, form: Form) -> Scores:
    """Return scores that keep of every clip the best classes alone, by their "places" or with their "scores"."""
    blocks = []
    for number, block in enumerate(scores.blocks):
        kept = _kept(scores, number)
        unread = np.isnan(block.scores).any(axis=1)
        values = np.where(kept, block.scores, np.float32(-np.inf))
        if form == "places":
            values = _by_place(values, kept)
        values[unread] = np.nan
        blocks.append(replace(block, scores=values))
    return replace(scores, blocks=tuple(blocks), form=form)


def _kept(scores: Scores, number: int) -> NDArray[np.bool_]:
    """Return which scores (n, c) of a block a metric of one of its rounds can depend on."""
    block = scores.blocks[number]
    of_clip, of_class = positions(block.clips, len(scores.clip_ids)), positions(block.classes, len(scores.class_names))
    kept = np.zeros(block.scores.shape, dtype=np.bool_)
    for item in scores.rounds:
        if item.block != number:
            continue
        rows, columns = of_clip[item.clips], of_class[item.classes]
        kinds = [np.ones(len(columns), dtype=np.bool_)]
        if item.seen.any() and not item.seen.all():
            kinds += [item.seen, ~item.seen]
        for kind in kinds:
            place = np.ix_(rows, columns[kind])
            part = block.scores[place]
            k = min(DEPTH, part.shape[1])
            border = np.partition(part, -k, axis=1)[:, -k]
            kept[place] |= (part >= border[:, None]) & (part > -np.inf)
    return kept


def _by_place(values: NDArray[np.float32], kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return minus the place of each kept score in its row, 0 for the best, ties sharing the first of theirs."""
    order = np.argsort(-values, axis=1, kind="stable")
    inner = np.take_along_axis(values, order, axis=1)
    index = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    head = np.ones(values.shape, dtype=np.bool_)
    head[:, 1:] = inner[:, 1:] != inner[:, :-1]
    place = np.maximum.accumulate(np.where(head, index, 0), axis=1)
    places = np.empty_like(values)
    np.put_along_axis(places, order, -place.astype(np.float32), axis=1)
    return np.where(kept, places, np.float32(-np.inf))

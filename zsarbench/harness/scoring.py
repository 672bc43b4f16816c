"""Scores of test clips: one matrix per fit or round, checked for its shape, with NaN for clips that were not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from zsarbench.evaluation.scores import Block, RoundScores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.features.clips import ClipView
from zsarbench.harness.fitting import Fitted, controlled
from zsarbench.plugins.guarding import checked_tensor
from zsarbench.protocols import options_mask

if TYPE_CHECKING:
    from zsarbench.harness.inputs import RoundClips
    from zsarbench.harness.preparation import Prepared

Positions = NDArray[np.integer[Any]]


def score_block(prepared: Prepared, fitted: Fitted, rounds: Sequence[RoundClips]) -> tuple[Block, Mapping[str, str]]:
    """Return one score matrix over the clips and candidates of these rounds, and why clips that were read have NaN.

    The method sees no clip that was not read; its row is NaN, and where there is no other the method is not called. It
    sees no clip's id either: those of UCF-101 name the class.

    Raises:
        ZsarbenchError: the method returned something else than scores (N, C), or infinite ones.
    """
    method = prepared.spec.what.method
    who = f"method '{method.name}' of plugin '{method.plugin}'"
    data, features = prepared.inputs, prepared.features
    index, columns = _axes(prepared, rounds)
    texts = [data.texts[data.classes[number]] for number in columns]
    unread = np.array([features.ids[i] in prepared.unread for i in index], dtype=bool)
    read = np.flatnonzero(~unread)
    clips = controlled(prepared, features.subset(torch.from_numpy(index[read])), prepared.spec.what.seed, "test")
    clips = clips.nameless() if isinstance(clips, ClipView) else clips
    scores = np.full((len(index), len(columns)), -np.inf, dtype=np.float32)
    scores[unread] = np.nan
    for rows, among in _kinds(prepared, rounds, index[read], columns):
        if not len(rows):
            continue
        some = clips.subset(torch.from_numpy(rows))
        values = fitted.method.score(some, [texts[column] for column in among], fitted.context)
        kept = checked_tensor(values, who, "scores (N, C)", (len(rows), len(among)), nan=True)
        scores[np.ix_(read[rows], among)] = kept.numpy()
    if data.choices:
        allowed = options_mask(data.choices, [features.ids[i] for i in index], [data.classes[i] for i in columns])
        scored = ~np.asarray(np.isnan(scores).any(axis=1))
        scores[~allowed & scored[:, None]] = -np.inf
    without_score = index[np.isnan(scores).any(axis=1) & ~unread]
    reason = f"method '{method.name}' scored it NaN"
    return _block(index, columns, scores), {features.ids[position]: reason for position in without_score}


def block_without_scores(prepared: Prepared, rounds: Sequence[RoundClips]) -> tuple[Block, Mapping[str, str]]:
    """Return the matrix of rounds for which nothing could be learnt, all NaN, and why, for the clips that were read."""
    index, columns = _axes(prepared, rounds)
    scores = np.full((len(index), len(columns)), np.nan, dtype=np.float32)
    ids = [prepared.features.ids[position] for position in index]
    reason = "no training clip of its round can be read"
    return _block(index, columns, scores), dict.fromkeys(prepared.readable(ids), reason)


def share_a_matrix(prepared: Prepared, rounds: Sequence[RoundClips]) -> bool:
    """Return whether one score matrix serves these rounds: not where kinds compete apart, and differ between rounds."""
    apart = SETTINGS[prepared.spec.what.protocol.setting].own_kind_only
    return not apart or len({frozenset(item.round.seen) for item in rounds}) <= 1


def _axes(prepared: Prepared, rounds: Sequence[RoundClips]) -> tuple[Positions, Positions]:
    """Return the clips and the classes of these rounds, as positions among the features and in the data set."""
    index = sorted({prepared.positions[clip_id] for item in rounds for clip_id in item.test})
    candidates = {name for item in rounds for name in item.round.candidates}
    columns = [number for number, name in enumerate(prepared.inputs.classes) if name in candidates]
    return np.array(index, dtype=np.int64), np.array(columns, dtype=np.int64)


def _block(index: Positions, columns: Positions, scores: NDArray[np.float32]) -> Block:
    return Block(index.astype(np.int32), columns.astype(np.int32), scores)


def _kinds(
    prepared: Prepared, rounds: Sequence[RoundClips], index: Positions, columns: Positions
) -> list[tuple[Positions, Positions]]:
    """Return which rows of a score matrix compete among which of its columns: all, or each kind among its own."""
    if not SETTINGS[prepared.spec.what.protocol.setting].own_kind_only:
        return [(np.arange(len(index)), np.arange(len(columns)))]
    names = prepared.inputs.classes
    seen = {name for item in rounds for name in item.round.seen}
    of_seen = np.array([names[column] in seen for column in columns])
    labels = prepared.inputs.labels([prepared.features.ids[i] for i in index], names)
    rows_of_seen = np.isin(labels, columns[of_seen])
    return [(np.flatnonzero(rows_of_seen == kind), np.flatnonzero(of_seen == kind)) for kind in (True, False)]


def round_scores(prepared: Prepared, item: RoundClips, block: int) -> RoundScores:
    """Return which part of the score matrix at this position is a round."""
    number = {name: index for index, name in enumerate(prepared.inputs.classes)}
    seen = set(item.round.seen)
    return RoundScores(
        block=block,
        clips=np.array([prepared.positions[clip_id] for clip_id in item.test], dtype=np.int32),
        classes=np.array([number[name] for name in item.round.candidates], dtype=np.int32),
        seen=np.array([name in seen for name in item.round.candidates]),
        n_options=prepared.spec.what.protocol.n_options,
    )

"""The arrays that metrics are computed from, and what must hold of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import ZsarbenchError

Scores: TypeAlias = NDArray[np.floating[Any]]
Values: TypeAlias = NDArray[np.float64]
Index: TypeAlias = NDArray[np.integer[Any]]
Mask: TypeAlias = NDArray[np.bool_]


def checked(scores: Scores, labels: Index) -> tuple[Scores, Index]:
    """Return scores (N, C) and labels (N,), which index the columns, as arrays.

    Raises:
        ValueError: shapes or types are wrong, a label is not a column (-1 included), or there is no clip.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"scores must be (N, C) and labels (N,), got {scores.shape} and {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores must be floats and labels integers, got {scores.dtype} and {labels.dtype}")
    if len(labels) == 0:
        raise ValueError("there are no clips to average over")
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise ValueError(
            f"labels must index the {scores.shape[1]} columns of scores, got {labels.min()} to {labels.max()}"
        )
    return scores, labels


def checked_seen(seen: Mask, n_classes: int) -> Mask:
    """Return the mask (C,) of seen classes.

    Raises:
        ValueError: it is not a boolean array of this length.
    """
    seen = np.asarray(seen)
    if seen.dtype != np.bool_ or seen.shape != (n_classes,):
        raise ValueError(f"seen must be a boolean mask ({n_classes},), got {seen.dtype} {seen.shape}")
    return seen


def check_both_kinds(of_seen: Mask) -> None:
    """Check that a mask (N,) of clips of seen classes has clips of both kinds.

    Raises:
        ZsarbenchError: all clips are of seen classes, or none is.
    """
    if of_seen.all() or not of_seen.any():
        lacking = "unseen" if of_seen.all() else "seen"
        raise ZsarbenchError(f"a round with seen and unseen candidates needs test clips of both; none is {lacking}")


def unread(scores: Scores) -> Mask:
    """Return which clips (N,) were not read, or not scored: those whose row (C,) holds any NaN."""
    return np.asarray(np.isnan(scores).any(axis=1))

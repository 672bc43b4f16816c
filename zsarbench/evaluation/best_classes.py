"""The compact form of a score matrix in a file: of every clip its best classes, best first, and ties or scores.

A class that is not among them reads as minus infinity; where there are ties alone, a score reads as minus its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Form: TypeAlias = Literal["all", "scores", "places"]
"""Which scores a file holds: all; of each clip's best classes the scores; or of these their places alone."""


def to_arrays(number: int, scores: NDArray[np.float32], form: Form) -> dict[str, NDArray[Any]]:
    """Return the arrays of a compact block by their names in the file."""
    unread = np.asarray(np.isnan(scores).any(axis=1))
    kept = np.asarray((scores > -np.inf) & ~unread[:, None])
    order = np.argsort(-scores, axis=1, kind="stable")
    first = np.arange(order.shape[1])[None, :] < kept.sum(axis=1)[:, None]
    values = np.take_along_axis(scores, order, axis=1)
    ties = np.zeros(values.shape, dtype=np.bool_)
    ties[:, 1:] = values[:, 1:] == values[:, :-1]
    arrays = {
        "unread": unread,
        "counts": kept.sum(axis=1).astype(np.int32),
        "best": order[first].astype(np.uint8 if order.shape[1] <= 256 else np.uint16),
    }
    arrays |= {"ties": ties[first]} if form == "places" else {"values": values[first].astype(np.float32)}
    return {f"block{number}_{name}": array for name, array in arrays.items()}


def from_arrays(number: int, arrays: Mapping[str, NDArray[Any]], form: Form) -> NDArray[np.float32]:
    """Return the matrix (n, c) of a compact block.

    Raises:
        ValueError: an array does not go with the others.
    """
    clips, classes = arrays[f"block{number}_clips"], arrays[f"block{number}_classes"]
    counts, best = arrays[f"block{number}_counts"], arrays[f"block{number}_best"]
    unread = arrays[f"block{number}_unread"]
    given = arrays[f"block{number}_{'ties' if form == 'places' else 'values'}"]
    n, c = len(clips), len(classes)
    if len(counts) != n or len(unread) != n or (n and not 0 <= counts.min() <= counts.max() <= c):
        raise ValueError(f"block {number} states best classes of {len(counts)} clips, and holds {n} clips")
    if not len(best) == len(given) == int(counts.sum(dtype=np.int64)):
        raise ValueError(f"block {number} holds {len(best)} best classes, and states {int(counts.sum())}")
    if best.size and best.max() >= c:
        raise ValueError(f"best classes of block {number} point outside the {c} that there are")
    rows = np.repeat(np.arange(n), counts)
    start = np.repeat(np.cumsum(counts) - counts, counts)
    matrix = np.full((n, c), -np.inf, dtype=np.float32)
    if form == "places":
        index = np.arange(len(best))
        heads = np.where(~given | (index == start), index, 0)
        matrix[rows, best] = -(np.maximum.accumulate(heads) - start)
    else:
        matrix[rows, best] = given
    listed = np.zeros((n, c), dtype=np.bool_)
    listed[rows, best] = True
    if np.count_nonzero(listed) < len(best):
        raise ValueError(f"a best class of block {number} is listed twice for one clip")
    matrix[unread] = np.nan
    return matrix

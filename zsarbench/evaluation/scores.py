"""The scores of a result: a file of plain arrays from which every metric can be recomputed without a model."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import best_classes, metrics
from zsarbench.evaluation.best_classes import Form
from zsarbench.evaluation.metrics import Ranks
from zsarbench.utils.array_files import MAX_BYTES, ArrayForm, arrays_of
from zsarbench.utils.foreign import guarded, read_bytes

Index: TypeAlias = NDArray[np.int32]
Names: TypeAlias = NDArray[np.str_]

# The archive's bytes must depend on the arrays alone, so its date is fixed: the earliest that zip can hold.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Block:
    """One score matrix, which several rounds may share.

    clips: (n,) indices into all clips. classes: (c,) indices into all classes. scores: (n, c) float32, larger is
    better; a row of NaN is a clip that was not read.
    """

    clips: Index
    classes: Index
    scores: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class RoundScores:
    """The part of a block that is a round: clips (n,) and candidate classes (c,) as indices into all of them.

    seen: (c,) bool, the candidates that training clips belong to; all False where seen classes are not candidates.
    n_options: of a multiple choice, how many classes compete for a clip, all others having minus infinity; 0 where all
    candidates do.
    """

    block: int
    clips: Index
    classes: Index
    seen: NDArray[np.bool_]
    n_options: int = 0


@dataclass(frozen=True, kw_only=True)
class Scores:
    """All scores of one result; `rounds` are in the order of the result's `rounds`.

    clip_ids: (N,). groups: (N,) source videos. class_names: (C,). labels: (N,) indices into `class_names`, -1 where
    unknown. form: what is stored: "all" scores, or of each clip's best classes their "scores" or their "places" alone;
    see `zsarbench.evaluation.compact`.
    """

    clip_ids: Names
    groups: Names
    class_names: Names
    labels: Index
    blocks: tuple[Block, ...]
    rounds: tuple[RoundScores, ...]
    form: Form = "all"

    def round(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores (n, c) and labels (n,), indices into the columns, of the round at this position.

        The arrays may be those of the block, and are not to be changed.

        Raises:
            ZsarbenchError: the round has a clip or a class that its block lacks, or a clip of no candidate class.
        """
        item, labels = self.rounds[number], self.true_columns(number)
        block = self.blocks[item.block]
        if np.array_equal(block.clips, item.clips) and np.array_equal(block.classes, item.classes):
            return block.scores, labels  # the usual case: a round that shares its block with none
        rows = positions(block.clips, len(self.clip_ids))[item.clips]
        columns = positions(block.classes, len(self.class_names))[item.classes]
        if min(rows.min(initial=0), columns.min(initial=0)) < 0:
            raise ZsarbenchError(f"round {number} of the scores has a clip or class that its block lacks")
        return block.scores[np.ix_(rows, columns)], labels

    def true_columns(self, number: int) -> NDArray[np.int64]:
        """Return the labels (n,) of the round at this position, as indices into its classes.

        Raises:
            ZsarbenchError: a clip is of no candidate class.
        """
        item = self.rounds[number]
        labels = positions(item.classes, len(self.class_names))[self.labels[item.clips]]
        labels[self.labels[item.clips] < 0] = -1
        if labels.min(initial=0) < 0:
            raise ZsarbenchError(f"round {number} of the scores has a clip of no candidate class")
        return labels

    def ranks(self, number: int) -> Ranks:
        """Return the ranks of the true classes of the round at this position, computed when first requested.

        Raises:
            ZsarbenchError: see `round`.
        """
        if number not in self._ranks:
            self._ranks[number] = metrics.ranks(*self.round(number))
        return self._ranks[number]

    @functools.cached_property
    def _ranks(self) -> dict[int, Ranks]:
        return {}

    @functools.cached_property
    def by_id(self) -> NDArray[np.int64]:
        """The place (N,) of each clip in the order of ids."""
        return positions(np.argsort(self.clip_ids), len(self.clip_ids))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by their names in the file."""
        arrays: dict[str, NDArray[Any]] = {
            "clip_ids": np.asarray(self.clip_ids, dtype=np.str_),
            "groups": np.asarray(self.groups, dtype=np.str_),
            "class_names": np.asarray(self.class_names, dtype=np.str_),
            "labels": np.asarray(self.labels, dtype=np.int32),
        }
        whole = self.form == "all"
        for number, block in enumerate(self.blocks):
            arrays[f"block{number}_clips" if whole else f"block{number}_steps"] = _index(block.clips, whole)
            arrays[f"block{number}_classes"] = np.asarray(block.classes, dtype=np.int32)
            if whole:
                arrays[f"block{number}_scores"] = np.asarray(block.scores, dtype=np.float32)
            else:
                arrays |= best_classes.to_arrays(number, block.scores, self.form)
        for number, item in enumerate(self.rounds):
            arrays[f"round{number}_block"] = np.asarray(item.block, dtype=np.int32)
            arrays[f"round{number}_clips" if whole else f"round{number}_steps"] = _index(item.clips, whole)
            arrays[f"round{number}_classes"] = np.asarray(item.classes, dtype=np.int32)
            arrays[f"round{number}_seen"] = np.asarray(item.seen, dtype=np.bool_)
            if item.n_options:
                arrays[f"round{number}_options"] = np.asarray(item.n_options, dtype=np.int32)
        return arrays

    def to_bytes(self) -> bytes:
        """Return the bytes of the .npz file; they depend on the arrays alone."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, array in self.to_arrays().items():
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=ZIP_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                content = io.BytesIO()
                np.lib.format.write_array(content, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
                archive.writestr(entry, content.getvalue())
        return buffer.getvalue()


_FORMS = {
    "clip_ids": ArrayForm(1, "U"),
    "groups": ArrayForm(1, "U"),
    "class_names": ArrayForm(1, "U"),
    "labels": ArrayForm(1, "i", np.int32),
    "block_clips": ArrayForm(1, "i", np.int32),
    "block_classes": ArrayForm(1, "i", np.int32),
    "block_scores": ArrayForm(2, "f", np.float32),
    "block_steps": ArrayForm(1, "i", np.int32),
    "block_unread": ArrayForm(1, "b", np.bool_),
    "block_counts": ArrayForm(1, "i", np.int32),
    "block_best": ArrayForm(1, "u"),
    "block_ties": ArrayForm(1, "b", np.bool_),
    "block_values": ArrayForm(1, "f", np.float32),
    "round_block": ArrayForm(0, "i", np.int32),
    "round_clips": ArrayForm(1, "i", np.int32),
    "round_steps": ArrayForm(1, "i", np.int32),
    "round_classes": ArrayForm(1, "i", np.int32),
    "round_seen": ArrayForm(1, "b", np.bool_),
    "round_options": ArrayForm(0, "i", np.int32),
}


_OF_BLOCKS: Mapping[Form, tuple[str, ...]] = {
    "all": ("clips", "classes", "scores"),
    "scores": ("steps", "classes", "unread", "counts", "best", "values"),
    "places": ("steps", "classes", "unread", "counts", "best", "ties"),
}


def read(path: Path, sha256: str = "") -> Scores:
    """Return the scores of a file with the bytes of `Scores.to_bytes`.

    sha256: of these bytes, where it is known.

    Raises:
        ZsarbenchError: the file does not exist, is damaged or has another sha256; an array is missing, is not what it
            must be, or does not go with the others.
    """
    with guarded("scores file", path):
        if not path.exists():
            raise ZsarbenchError(
                f"scores file {path} does not exist; the result's command computes it again. One too large for git is "
                "committed in its compact form: zsarbench result compact"
            )
        content = read_bytes(path, "scores file", MAX_BYTES)
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise ZsarbenchError(f"scores file {path} is not the one that its result was written with (sha256 differs)")
        scores = _from_arrays(arrays_of(content, path, "scores file", _FORMS))
        _check(scores)
    return scores


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> Scores:
    form: Form = "all"
    if "block0_best" in arrays:
        form = "places" if "block0_ties" in arrays else "scores"
    n_blocks = sum(name.startswith("block") and name.endswith("_classes") for name in arrays)
    n_rounds = sum(name.startswith("round") and name.endswith("_block") for name in arrays)
    expected = {"clip_ids", "groups", "class_names", "labels"}
    expected |= {f"block{number}_{what}" for number in range(n_blocks) for what in _OF_BLOCKS[form]}
    clips = "clips" if form == "all" else "steps"
    expected |= {f"round{number}_{what}" for number in range(n_rounds) for what in ("block", clips, "classes", "seen")}
    expected |= {f"round{number}_options" for number in range(n_rounds) if f"round{number}_options" in arrays}
    if wrong := sorted(expected ^ set(arrays)):
        raise ValueError(f"array '{wrong[0]}' is {'missing' if wrong[0] in expected else 'of no block or round'}")
    if form != "all":
        cells = sum(len(arrays[f"block{b}_steps"]) * len(arrays[f"block{b}_classes"]) for b in range(n_blocks))
        if 4 * cells > MAX_BYTES:
            raise ValueError(f"its matrices have {cells:,} scores, more than are read")
        arrays = arrays | {
            name.replace("steps", "clips"): _summed(arrays[name]) for name in expected if "steps" in name
        }
    blocks = tuple(
        Block(
            arrays[f"block{b}_clips"],
            arrays[f"block{b}_classes"],
            arrays[f"block{b}_scores"] if form == "all" else best_classes.from_arrays(b, arrays, form),
        )
        for b in range(n_blocks)
    )
    rounds = tuple(
        RoundScores(
            block=int(arrays[f"round{r}_block"]),
            clips=arrays[f"round{r}_clips"],
            classes=arrays[f"round{r}_classes"],
            seen=arrays[f"round{r}_seen"],
            n_options=int(arrays.get(f"round{r}_options", 0)),
        )
        for r in range(n_rounds)
    )
    whole = {name: arrays[name] for name in ("clip_ids", "groups", "class_names", "labels")}
    return Scores(**whole, blocks=blocks, rounds=rounds, form=form)


def _check(scores: Scores) -> None:
    """Check that all indices point into what they index and that lengths agree.

    Raises:
        ValueError: one does not; the message says which.
    """
    n_clips, n_classes = len(scores.clip_ids), len(scores.class_names)
    if len(scores.groups) != n_clips or len(scores.labels) != n_clips:
        raise ValueError(f"{n_clips} clips have {len(scores.groups)} groups and {len(scores.labels)} labels")
    for what, names in (("clip", scores.clip_ids), ("class", scores.class_names)):
        if len(set(names.tolist())) < len(names):
            raise ValueError(f"a {what} is listed twice")
    _check_index("labels", scores.labels, n_classes, lowest=-1)
    for number, block in enumerate(scores.blocks):
        if block.scores.shape != (len(block.clips), len(block.classes)):
            raise ValueError(
                f"block {number} has scores {block.scores.shape} for {len(block.clips)} clips and "
                f"{len(block.classes)} classes"
            )
        _check_index(f"clips of block {number}", block.clips, n_clips, distinct=True)
        _check_index(f"classes of block {number}", block.classes, n_classes, distinct=True)
    for number, item in enumerate(scores.rounds):
        if not 0 <= item.block < len(scores.blocks):
            raise ValueError(f"round {number} is of block {item.block}; there are {len(scores.blocks)}")
        _check_index(f"clips of round {number}", item.clips, n_clips, distinct=True)
        _check_index(f"classes of round {number}", item.classes, n_classes, distinct=True)
        if item.n_options and not 2 <= item.n_options <= len(item.classes):
            raise ValueError(f"round {number} has {item.n_options} options of {len(item.classes)} classes")
        if len(item.seen) != len(item.classes) or not len(item.clips):
            raise ValueError(
                f"round {number} has {len(item.clips)} clips, {len(item.classes)} classes and {len(item.seen)} marks "
                "of seen ones"
            )


def _check_index(what: str, index: Index, length: int, *, lowest: int = 0, distinct: bool = False) -> None:
    if index.size and not (lowest <= index.min() and index.max() < length):
        raise ValueError(f"{what} point outside the {length} that exist")
    if distinct and np.bincount(index, minlength=1).max() > 1:
        raise ValueError(f"{what} are listed twice")


def _index(clips: Index, whole: bool) -> Index:
    """Return clips as indices, or as the steps between them, which take a fraction of the bytes."""
    index = np.asarray(clips, dtype=np.int32)
    return index if whole else np.diff(index, prepend=np.int32(0))


def _summed(steps: Index) -> Index:
    """Return the indices whose steps these are; -1 for what no index can be, which is then refused as such."""
    sums = np.cumsum(steps, dtype=np.int64)
    return np.where((sums < 0) | (sums > np.iinfo(np.int32).max), -1, sums).astype(np.int32)


def positions(index: NDArray[np.integer[Any]], length: int) -> NDArray[np.int64]:
    """Return the position of each of `length` items in `index`, -1 where it is not in it."""
    where = np.full(length, -1, dtype=np.int64)
    where[index] = np.arange(len(index))
    return where

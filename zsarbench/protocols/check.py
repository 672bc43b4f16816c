"""Counts what a protocol comes to on a data set as it is here, and tells what is wrong with it or missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zsarbench import protocols
from zsarbench.errors import ZsarbenchError

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.interfaces import Dataset, Round
    from zsarbench.protocols import FileProtocol


@dataclass(frozen=True)
class Counts:
    """Classes and clips of one round: seen ones, validation classes that are not seen, candidates."""

    round: int
    seen: int
    seen_clips: int
    for_choosing: int
    for_choosing_clips: int
    candidates: int
    test_clips: int
    duplicate_of: int | None


@dataclass(frozen=True)
class Findings:
    """What a check found: rounds with their counts, what does not hold, and what will not run as one may expect.

    hash: of the protocol; None where its lists of classes do not hold. rounds: those whose clips could be counted.
    """

    hash: str | None
    rounds: tuple[Counts, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def check(protocol: FileProtocol, dataset: Dataset, manifest: pd.DataFrame) -> Findings:
    """Return the counts of every round and all that is wrong with any, by the clips of the data set's manifest.

    Raises:
        ZsarbenchError: the data set has no list of a name that the protocol takes clips from, or it cannot be had.
    """
    try:
        protocol.named(dataset)
    except ZsarbenchError as error:
        return Findings(None, (), tuple(str(error).splitlines()), ())
    labels = dict(zip(manifest["clip_id"], manifest["label"], strict=True))
    counts, problems = [], []
    rounds_of: dict[str, list[int]] = defaultdict(list)
    for item in protocol.checked(dataset):
        try:
            train, test = protocols.round_clips(item, manifest)
        except ZsarbenchError as error:
            problems.append(str(error))
            continue
        if problem := protocols.miscounted(protocol, item.index, len(test)):
            problems.append(problem)
        given = [labels[clip] for clip in train]
        n_seen, n_classes = sum(label in set(item.seen) for label in given), len(item.given) - len(item.seen)
        counts.append(
            Counts(
                item.index, len(item.seen), n_seen, n_classes, len(given) - n_seen, len(item.candidates), len(test),
                protocol.duplicates.get(item.index),
            )
        )  # fmt: skip
        for warning in _warnings(item, set(given)):
            rounds_of[warning].append(item.index)
    warnings = (f"{_rounds(numbers, protocol)}: {warning}" for warning, numbers in rounds_of.items())
    return Findings(protocol.hash(dataset), tuple(counts), tuple(problems), tuple(warnings))


def _warnings(item: Round, with_clips: set[str]) -> list[str]:
    warnings = []
    bare = [name for name in item.seen if name not in with_clips]
    if item.seen and len(bare) == len(item.seen):
        warnings.append(
            f"none of the {len(item.seen)} seen classes has a clip here: a method that learns from them is refused"
        )
    elif bare:
        warnings.append(f"{len(bare)} of {len(item.seen)} seen classes have no clip to learn from, e.g. '{bare[0]}'")
    apart = item.given[len(item.seen) :]
    if apart and not set(apart) & with_clips:
        warnings.append(
            f"none of the {len(apart)} validation classes has a clip here: methods choose on seen classes held out"
        )
    return warnings


def _rounds(numbers: Sequence[int], protocol: FileProtocol) -> str:
    if len(numbers) == len(protocol.listed_rounds) > 1:
        return "every round"
    return ("round " if len(numbers) == 1 else "rounds ") + ", ".join(map(str, numbers))

"""Checks a protocol against a data set: the counts of every round, what is wrong, and what a run will lack."""

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
    from zsarbench.protocols import Protocol


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of classes and clips of one round.

    seen and seen_clips: to learn from. for_choosing and for_choosing_clips: of validation classes that are not seen.
    candidates and test_clips: to test. duplicate_of: index of the earlier round that it equals.
    """

    round: int
    seen: int
    seen_clips: int
    for_choosing: int
    for_choosing_clips: int
    candidates: int
    test_clips: int
    duplicate_of: int | None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a check found.

    hash: of the protocol; None where its lists of classes do not hold. rounds: those whose clips could be counted.
    problems: mismatches with the data set. warnings: what will not run as expected.
    """

    hash: str | None
    rounds: tuple[Counts, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def check(protocol: Protocol, dataset: Dataset, manifest: pd.DataFrame) -> Findings:
    """Return the counts of every round and all that is wrong with any, by the clips of the data set's manifest.

    Raises:
        ZsarbenchError: the data set has no list of a name that the protocol takes clips from, or cannot read its lists.
    """
    try:
        protocol.with_official_names(dataset)
    except ZsarbenchError as error:
        return Findings(hash=None, rounds=(), problems=tuple(str(error).splitlines()), warnings=())
    clips = manifest.set_index("clip_id")
    labels = clips["label"].to_dict()
    counts, problems = [], []
    rounds_of: dict[str, list[int]] = defaultdict(list)
    for item in protocol.on(dataset):
        try:
            train, test = protocols.round_clips(item, manifest)
        except ZsarbenchError as error:
            problems.append(str(error))
            continue
        if problem := protocols.miscounted(protocol, item.index, len(test)):
            problems.append(problem)
        if protocol.listed_choices:
            try:
                protocols.check_choices(protocol.choices_on(dataset), test, item.candidates, labels)
            except ZsarbenchError as error:
                problems.append(f"round {item.index}: {error}")
        given = [labels[clip] for clip in train]
        n_seen_clips = sum(label in set(item.seen) for label in given)
        counts.append(
            Counts(
                round=item.index,
                seen=len(item.seen),
                seen_clips=n_seen_clips,
                for_choosing=len(item.given) - len(item.seen),
                for_choosing_clips=len(given) - n_seen_clips,
                candidates=len(item.candidates),
                test_clips=len(test),
                duplicate_of=protocol.rounds[item.index].duplicate_of,
            )
        )
        for warning in [*_warnings(item, set(given)), *_shared_sources(item, train, test, clips)]:
            rounds_of[warning].append(item.index)
    warnings = (f"{_rounds(numbers, protocol)}: {warning}" for warning, numbers in rounds_of.items())
    return Findings(
        hash=protocol.hash(dataset), rounds=tuple(counts), problems=tuple(problems), warnings=tuple(warnings)
    )


def _warnings(item: Round, with_clips: set[str]) -> list[str]:
    warnings = []
    bare = [name for name in item.seen if name not in with_clips]
    if item.seen and len(bare) == len(item.seen):
        warnings.append(
            f"none of the {len(item.seen)} seen classes has a clip here, so methods that learn from them are refused"
        )
    elif bare:
        warnings.append(f"{len(bare)} of {len(item.seen)} seen classes have no clip to learn from, e.g. '{bare[0]}'")
    for_choosing = item.given[len(item.seen) :]
    if for_choosing and not set(for_choosing) & with_clips:
        warnings.append(
            f"none of the {len(for_choosing)} validation classes has a clip here: "
            "methods choose settings on held-out seen classes"
        )
    return warnings


def _shared_sources(item: Round, train: Sequence[str], test: Sequence[str], clips: pd.DataFrame) -> list[str]:
    shared, tested = protocols.sharing_a_source(item, train, test, clips)
    if not shared:
        return []
    return [
        f"{len(shared)} of {len(tested)} test clips of seen classes share a source video with training clips, "
        f"e.g. '{shared[0]}'"
    ]


def _rounds(numbers: Sequence[int], protocol: Protocol) -> str:
    if len(numbers) == len(protocol.rounds) > 1:
        return "every round"
    return ("round " if len(numbers) == 1 else "rounds ") + ", ".join(map(str, numbers))

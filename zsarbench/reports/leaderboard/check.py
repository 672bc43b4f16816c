"""What is wrong with the committed results and leaderboard; nothing, where both can be published as they are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zsarbench import protocols, results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.summary import STD_KIND
from zsarbench.harness.datasets import dataset_named
from zsarbench.interfaces import Round
from zsarbench.plugins.registry import Registry
from zsarbench.reports.leaderboard.board import UNPLACED
from zsarbench.reports.leaderboard.digests import digest_problems
from zsarbench.results import RunResult
from zsarbench.results.compaction import MAX_FILE_BYTES
from zsarbench.results.reported import ReportedRow
from zsarbench.utils.schema import plain

MAX_FOLDER_BYTES = 20_000_000
"""What git can carry of all results."""
TOLERANCE = 1e-9
"""Of a result's numbers against those of its scores: both come from the same arithmetic."""


@dataclass(frozen=True)
class KnownProtocol:
    """A registered protocol as results must agree with it: its hash, and its rounds by index with `duplicate_of`."""

    hash: str
    rounds: Mapping[int, tuple[Round, int | None]]


def known_protocol(registry: Registry, name: str) -> KnownProtocol:
    """Return a registered protocol on its data set.

    Raises:
        ZsarbenchError: there is no protocol of this name, or it does not hold on its data set.
    """
    protocol = protocols.load(registry, name)
    dataset = dataset_named(registry, protocol.dataset)
    rounds = zip(protocol.with_official_names(dataset), protocol.rounds, strict=True)
    of_index = {item.index: (item, listed.duplicate_of) for item, listed in rounds}
    return KnownProtocol(protocol.hash(dataset), of_index)


def result_problems(folder: Path, protocol_of: Callable[[str], KnownProtocol]) -> list[str]:
    """Return what is wrong with the results under a folder: format, digests, protocol, spec, what scores give, sizes.

    Args:
        protocol_of: returns a registered protocol, or raises ZsarbenchError.
    """
    sound, unsound = results.read_all(folder)
    problems = list(unsound.values())
    known: dict[str, KnownProtocol | ZsarbenchError] = {}
    for path, result in sound.items():
        name = result.protocol.name
        if name not in known:
            try:
                known[name] = protocol_of(name)
            except ZsarbenchError as error:
                known[name] = error
        own = [*_protocol_problems(result, known[name]), *_spec_problems(path, result), *_scores_problems(path, result)]
        problems += [f"result file {path}: {problem}" for problem in own]
    try:
        problems += digest_problems(folder)
    except ZsarbenchError as error:
        problems.append(str(error))
    return problems + list(_size_problems(folder))


def reported_problems(rows: Iterable[ReportedRow], protocols: Collection[str]) -> list[str]:
    """Return a problem for each protocol of reported figures that is not registered."""
    names = {row.protocol for row in rows if not row.protocol.endswith(UNPLACED)}
    return [
        f"reported figures are on '{name}', which is not a registered protocol"
        for name in sorted(names - set(protocols))
    ]


def stale_problems(path: Path, text: str) -> list[str]:
    """Return what is wrong with a committed leaderboard: that it does not exist, or is not what the results give."""
    if not path.is_file():
        return [f"leaderboard {path} does not exist. Try: zsarbench leaderboard build --out site/ --markdown {path}"]
    if path.read_bytes() != text.encode():
        return [f"leaderboard {path} is stale. Try: zsarbench leaderboard build --out site/ --markdown {path}"]
    return []


def _protocol_problems(result: RunResult, known: KnownProtocol | ZsarbenchError) -> Iterator[str]:
    """Yield where a result disagrees with the registered protocol of its name."""
    if isinstance(known, ZsarbenchError):
        yield f"its protocol cannot be checked: {known}"
        return
    if result.protocol.hash != known.hash:
        yield (
            f"its {result.protocol.name} (version {result.protocol.version}, hash {result.protocol.hash[:8]}) is no "
            f"longer the registered one (hash {known.hash[:8]}); measure it again: {result.command}"
        )
        return
    expected = [(number, seed) for seed in result.seeds for number in sorted(known.rounds)]
    if (stated := [(item.round, item.seed) for item in result.rounds]) and sorted(stated) != sorted(expected):
        yield f"rounds are (round, seed) {_short(sorted(stated))}, but the protocol has {_short(sorted(expected))}"
        return
    for item in result.rounds:
        of_protocol, duplicate_of = known.rounds[item.round]
        values = {
            "n_seen": len(of_protocol.seen),
            "duplicate_of": duplicate_of,
            "n_classes": len(of_protocol.candidates),
            "candidates_sha256": results.names_sha256(of_protocol.candidates),
        }
        for name, value in values.items():
            if getattr(item, name) != value:
                yield f"{name} of round {item.round} is {getattr(item, name)}, but the protocol gives {value}"
    if (audit := result.contamination) is not None:
        unseen = {name for of_protocol, _ in known.rounds.values() for name in of_protocol.unseen}
        if audit.n_overlapping + audit.n_clean != len(unseen):
            yield (
                f"contamination counts {audit.n_overlapping} overlapping and {audit.n_clean} clean classes, but the "
                f"protocol has {len(unseen)} unseen ones"
            )
        if strays := sorted({item.candidate for item in audit.overlapping} - unseen):
            yield f"contamination lists {_short(strays)}, which the protocol has not among its unseen classes"


def _spec_problems(path: Path, result: RunResult) -> Iterator[str]:
    """Yield which fields repeat the spec and differ from it, and whether the file has another name than its result."""
    spec = result.spec
    stated: dict[str, Any] = {
        "method": {"name": result.method.name, "options": result.method.options},
        "parts": {kind: {"name": part.name, "options": part.options} for kind, part in result.parts.items()},
        "dataset": {"name": result.dataset.name, "options": result.dataset.options},
        "protocol": result.protocol.name,
        "protocol_hash": result.protocol.hash,
        "denominator": result.denominator,
        "control": result.control,
        "limit": result.limit,
        "seed": result.seed,
        "seeds": len(result.seeds),
        "dtype": result.environment.dtype,
    }
    for name, value in stated.items():
        if name in spec and plain(value, name) != spec[name]:
            yield f"{name} is {_short(plain(value, name))}, but the spec holds {_short(spec[name])}"
    if isinstance(form := spec.get("class_text"), str):
        form = Path(form).name if Path(form).suffix else form
        if result.class_text.form != form:
            yield f"class_text is '{result.class_text.form}', but the spec holds '{form}'"
    if "train_dataset" in spec:
        other = spec["train_dataset"]
        expected = "none" if result.method.learns_from == "nothing" else "seen" if other is None else _name_of(other)
        if result.train_on != expected:
            yield f"train_on is '{result.train_on}', but the spec gives '{expected}'"
    if result.seeds != tuple(range(result.seed, result.seed + len(result.seeds))):
        yield f"seeds are {_short(list(result.seeds))}, which do not count up from {result.seed}"
    if wrong := {item.std_kind for item in result.summary.values()} - {STD_KIND}:
        yield f"std_kind is '{min(wrong)}', but spreads are '{STD_KIND}'"
    if not re.fullmatch(rf"{re.escape(result.stem)}(-\d+)?", path.stem):
        yield f"its name is not that of its method, spec and date: {result.stem}.json"


def _name_of(part: Any) -> str:
    return str(part.get("name")) if isinstance(part, Mapping) else str(part)


def _scores_problems(path: Path, result: RunResult) -> list[str]:
    """Return where a result differs from what the scores next to it give; [] if there are none, which may be."""
    try:
        if not results.has_scores(result, path):
            return []
        scores = results.read_scores(path)
        right = results.recompute(path, scores)
    except ZsarbenchError as error:
        return [str(error)]
    problems = []
    for number, (item, of_scores) in enumerate(zip(result.rounds, right.rounds, strict=True)):
        for name, stated, given in _differences(item, of_scores):
            problems.append(f"{name} of round {item.round}, seed {item.seed} is {stated}, but the scores give {given}")
        if len(scores.rounds[number].clips) != item.n_expected:
            problems.append(f"round {item.round} has {len(scores.rounds[number].clips)} clips in its scores")
    for name in sorted({*result.summary, *right.summary}):
        for field, stated, given in _differences(result.summary.get(name), right.summary.get(name)):
            problems.append(f"{field} of {name} is {stated}, but the scores give {given}")
    for field, stated, given in _differences(result.contamination, right.contamination):
        problems.append(f"contamination.{field} is {stated}, but the scores give {given}")
    if strays := _without_scores(scores) - {failure.clip_id for failure in result.failures}:
        problems.append(f"clip '{min(strays)}' has no scores, but is not among the failures")
    return problems


def _differences(stated: Any, given: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields in which two data classes differ, numbers by more than `TOLERANCE`, with both values."""
    if stated is None or given is None:
        if stated is not given:
            yield "", stated, given
        return
    for field in dataclasses.fields(given):
        pair = getattr(stated, field.name), getattr(given, field.name)
        if not _close(*pair):
            yield field.name, *pair


def _close(stated: Any, given: Any) -> bool:
    if isinstance(stated, Mapping) and isinstance(given, Mapping):
        return stated.keys() == given.keys() and all(_close(stated[key], given[key]) for key in given)
    if isinstance(stated, Sequence) and not isinstance(stated, str) and isinstance(given, Sequence):
        return len(stated) == len(given) and all(map(_close, stated, given))
    if isinstance(stated, float) and isinstance(given, float):
        return abs(stated - given) <= TOLERANCE
    return bool(stated == given)


def _without_scores(scores: Scores) -> set[str]:
    """Return the clips that a matrix holds no scores of."""
    return {
        str(scores.clip_ids[clip])
        for block in scores.blocks
        for clip in block.clips[np.isnan(block.scores).any(axis=1)]
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _size_problems(folder: Path) -> Iterable[str]:
    sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    for path, size in sizes.items():
        if size > MAX_FILE_BYTES:
            yield (
                f"{path} is {size / 1e6:.1f} MB; a file in git may be {MAX_FILE_BYTES / 1e6:g} MB. Try: zsarbench "
                f"result compact {folder}"
            )
    if (whole := sum(sizes.values())) > MAX_FOLDER_BYTES:
        yield f"{folder} holds {whole / 1e6:.1f} MB; committed results may be {MAX_FOLDER_BYTES / 1e6:g} MB in all"

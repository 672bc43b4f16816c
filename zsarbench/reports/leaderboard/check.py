"""What is wrong with the committed results and leaderboard; nothing, where both can be published as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

from zsarbench import protocols, results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.evaluation.summary import STD_KIND
from zsarbench.harness.datasets import dataset_named
from zsarbench.interfaces import Round
from zsarbench.plugins.registry import Registry
from zsarbench.predictions import identity
from zsarbench.reports.leaderboard.agreement import Facts, FactsOfDataset, disagreements, facts_of
from zsarbench.reports.leaderboard.board import UNPLACED
from zsarbench.reports.leaderboard.commands import command_problems, name_of
from zsarbench.reports.leaderboard.digests import digest_problems
from zsarbench.reports.leaderboard.training import training_problems
from zsarbench.results import RunResult
from zsarbench.results.compaction import MAX_FILE_BYTES
from zsarbench.results.controls import leak
from zsarbench.results.problems import Problem
from zsarbench.results.reported import ReportedRow
from zsarbench.results.verification import scores_problems, shortened
from zsarbench.utils.schema import plain

MAX_FOLDER_BYTES = 20_000_000
"""What git can carry of all results."""


@dataclass(frozen=True, kw_only=True)
class KnownProtocol:
    """A registered protocol as results must agree with it.

    rounds: by index, with `duplicate_of`. n_options: of a multiple choice, else 0.
    """

    hash: str
    version: int
    rounds: Mapping[int, tuple[Round, int | None]]
    n_options: int = 0


def known_protocol(registry: Registry, name: str) -> KnownProtocol:
    """Return a registered protocol on its data set.

    Raises:
        ZsarbenchError: there is no protocol of this name, or it does not hold on its data set.
    """
    protocol = protocols.load(registry, name)
    dataset = dataset_named(registry, protocol.dataset)
    rounds = zip(protocol.with_official_names(dataset), protocol.rounds, strict=True)
    of_index = {item.index: (item, listed.duplicate_of) for item, listed in rounds}
    return KnownProtocol(
        hash=protocol.hash(dataset), version=protocol.version, rounds=of_index, n_options=protocol.n_options
    )


def result_problems(
    folder: Path, protocol_of: Callable[[str], KnownProtocol], registry: Registry | None = None
) -> list[str]:
    """Return what is wrong with the results under a folder: format, digests, protocol, spec, what scores give, sizes.

    Args:
        protocol_of: returns a registered protocol, or raises ZsarbenchError.
        registry: what methods and parts must be registered in; None: that is not looked at.
    """
    sound, unsound = results.read_all(folder)
    problems = [*unsound.values(), *starmap(text_of, of_results(sound, protocol_of, registry))]
    try:
        problems += digest_problems(folder)
    except ZsarbenchError as error:
        problems.append(str(error))
    return problems + list(_size_problems(folder))


def of_results(
    sound: Mapping[Path, RunResult],
    protocol_of: Callable[[str], KnownProtocol],
    registry: Registry | None = None,
    reference: Mapping[Path, RunResult] | None = None,
    of_dataset: FactsOfDataset | None = None,
) -> list[tuple[Path, Problem]]:
    """Return what is wrong with results that could be read, each with its file; see `result_problems`.

    reference: committed results, with which these must agree in data, clips and class texts; see `agreement`, also for
    `of_dataset`. None: they must agree with each other.
    """
    problems: list[tuple[Path, Problem]] = []
    known: dict[str, KnownProtocol | ZsarbenchError] = {}
    facts: dict[Path, tuple[RunResult, Facts]] = {}
    for path, result in sound.items():
        name = result.protocol.name
        if name not in known:
            try:
                known[name] = protocol_of(name)
            except ZsarbenchError as error:
                known[name] = error
        own = [*_protocol_problems(result, known[name]), *_spec_problems(path, result)]
        if registry is not None:
            own += [*_unregistered(result, registry), *training_problems(result, registry, _unseen(known[name]))]
        scores = None
        try:
            scores = results.read_scores(path)
        except ZsarbenchError as error:
            own.append(Problem("predictions", f"has no predictions that its figures follow from: {error}"))
        else:
            own += scores_problems(path, result, scores)
            own += [Problem("predictions", text) for text in identity.problems(result, scores)]
            own += list(_side_problems(result, scores, known[name]))
            own += list(_kind_problems(result, scores))
            own += [Problem("leak", text)] if (text := leak(result, scores)) else []
        if not any(problem.name == "protocol" for problem in own):  # else no other row is to be compared with
            facts[path] = result, facts_of(result, scores)
        problems += [(path, problem) for problem in own]
    others = [
        (result, facts_of(result, results.scores_or_none(path, result) if result.protocol.name in known else None))
        for path, result in (reference or {}).items()
    ]
    return [*problems, *disagreements(facts, others, of_dataset)]


def text_of(path: Path, problem: Problem) -> str:
    """Return a problem with its file."""
    return f"result file {path}: {problem.text}"


def reported_problems(rows: Iterable[ReportedRow], protocols: Collection[str]) -> list[str]:
    """Return a problem for each protocol of reported figures that is not registered."""
    names = {row.protocol for row in rows if not row.protocol.endswith(UNPLACED)}
    return [
        f"reported figures are on '{name}', which is not a registered protocol"
        for name in sorted(names - set(protocols))
    ]


def stale_problems(path: Path, folder: Path, text: str) -> list[str]:
    """Return what is wrong with the leaderboard of a folder's results: that it is missing, or not what they give."""
    state = "does not exist" if not path.is_file() else "is stale" if path.read_bytes() != text.encode() else ""
    command = f"zsarbench leaderboard build --out site/ --results {folder} --markdown {path}"
    return [f"leaderboard {path} {state}. Try: {command}"] if state else []


def _protocol_problems(result: RunResult, known: KnownProtocol | ZsarbenchError) -> Iterator[Problem]:
    """Yield where a result disagrees with the registered protocol of its name."""
    if isinstance(known, ZsarbenchError):
        yield Problem("protocol", f"its protocol cannot be checked: {known}")
        return
    if result.protocol.hash != known.hash:
        yield Problem(
            "protocol",
            f"its {result.protocol.name} (version {result.protocol.version}, hash {result.protocol.hash[:8]}) is no "
            f"longer the registered one (hash {known.hash[:8]}); measure it again: {result.command}",
        )
        return
    if result.protocol.version != known.version:
        text = f"its protocol has version {result.protocol.version}, but the registered one version {known.version}"
        yield Problem("protocol", text)
    expected = [(number, seed) for seed in result.seeds for number in sorted(known.rounds)]
    if (stated := [(item.round, item.seed) for item in result.rounds]) and sorted(stated) != sorted(expected):
        both = shortened(sorted(stated)), shortened(sorted(expected))
        yield Problem("protocol", f"rounds are (round, seed) {both[0]}, but the protocol has {both[1]}")
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
                text = f"{name} of round {item.round} is {getattr(item, name)}, but the protocol gives {value}"
                yield Problem("protocol", text)
    if (audit := result.contamination) is not None:
        unseen = _unseen(known)
        if audit.n_overlapping + audit.n_clean != len(unseen):
            yield Problem(
                "contamination",
                f"contamination counts {audit.n_overlapping} overlapping and {audit.n_clean} clean classes, but the "
                f"protocol has {len(unseen)} unseen ones",
            )
        if strays := sorted({item.candidate for item in audit.overlapping} - unseen):
            text = f"contamination lists {shortened(strays)}, which the protocol has not among its unseen classes"
            yield Problem("contamination", text)


def _unseen(known: KnownProtocol | ZsarbenchError) -> set[str]:
    """Return the unseen classes of all rounds; none of a protocol that is not known."""
    rounds = known.rounds.values() if isinstance(known, KnownProtocol) else ()
    return {name for of_protocol, _ in rounds for name in of_protocol.unseen}


def _side_problems(result: RunResult, scores: Scores, known: KnownProtocol | ZsarbenchError) -> Iterator[Problem]:
    """Yield where scores state other options or seen classes than the protocol has: chance and sides follow from them.

    Where no seen class is a candidate, none may be marked as one.
    """
    if not isinstance(known, KnownProtocol):
        return
    if (stated := {item.n_options for item in scores.rounds}) != {known.n_options}:
        text = f"its scores are among {max(stated)} options of a clip, but the protocol has {known.n_options}"
        yield Problem("protocol", text)
    among = SETTINGS[result.protocol.setting].seen_are_candidates
    for item, of_scores in zip(result.rounds, scores.rounds, strict=False):
        marked = set(scores.class_names[of_scores.classes[of_scores.seen]])
        if item.round in known.rounds and marked != (set(known.rounds[item.round][0].seen) if among else set()):
            yield Problem(
                "protocol", f"its scores of round {item.round} mark other classes as seen than the protocol does"
            )


def _kind_problems(result: RunResult, scores: Scores) -> Iterator[Problem]:
    """Yield in which rounds a clip has scores of the other kind of classes, though only its own kind competes.

    Its figures leave them out, but intervals and paired tests would not.
    """
    if not SETTINGS[result.protocol.setting].own_kind_only:
        return
    for number, item in enumerate(scores.rounds):
        try:
            matrix, labels = scores.round(number)
        except ZsarbenchError:
            return  # which is a problem of its own
        if (matrix[item.seen[labels][:, None] != item.seen[None, :]] > -np.inf).any():
            text = f"round {number} of its scores has scores of seen classes for clips of unseen ones, or the reverse"
            yield Problem("predictions", text)


def _spec_problems(path: Path, result: RunResult) -> Iterator[Problem]:
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
            text = f"{name} is {shortened(plain(value, name))}, but the spec holds {shortened(spec[name])}"
            yield Problem("spec", text)
    for text in command_problems(result):
        yield Problem("spec", text)
    if isinstance(form := spec.get("class_text"), str):
        form = Path(form).name if Path(form).suffix else form
        if result.class_text.form != form:
            yield Problem("spec", f"class_text is '{result.class_text.form}', but the spec holds '{form}'")
    if "train_dataset" in spec:
        other = spec["train_dataset"]
        expected = "none" if result.method.learns_from == "nothing" else "seen" if other is None else name_of(other)
        if result.train_on != expected:
            yield Problem("spec", f"train_on is '{result.train_on}', but the spec gives '{expected}'")
    if result.seeds != tuple(range(result.seed, result.seed + len(result.seeds))):
        text = f"seeds are {shortened(list(result.seeds))}, which do not count up from {result.seed}"
        yield Problem("spec", text)
    if wrong := {item.std_kind for item in result.summary.values()} - {STD_KIND}:
        yield Problem("metrics", f"std_kind is '{min(wrong)}', but spreads are '{STD_KIND}'")
    if not re.fullmatch(rf"{re.escape(result.stem)}(-\d+)?", path.stem):
        yield Problem("file-name", f"its name is not that of its method, spec and date: {result.stem}.json")


def _unregistered(result: RunResult, registry: Registry) -> Iterator[Problem]:
    """Yield the method and the parts that no plugin registers; a plugin may have been renamed since."""
    stated = [("method", result.method.name, result.method.plugin)]
    if identity.is_of_predictions(result):
        if result.method.name in registry.names("method"):
            yield Problem("plugin", f"its predictions are named as the registered method '{result.method.name}'")
        stated = []
    stated += [(kind, part.name, part.plugin) for kind, part in sorted(result.parts.items())]
    for kind, name, plugin in stated:
        if name not in registry.names(kind):
            text = f"{kind} '{name}' of plugin '{plugin}' is registered by no plugin that is installed here"
            yield Problem("plugin", text)


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

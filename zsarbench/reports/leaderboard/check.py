"""What is wrong with the committed results and leaderboard; nothing, where both can be published as they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsarbench import protocols, results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.summary import STD_KIND
from zsarbench.harness.datasets import dataset_named
from zsarbench.interfaces import Round
from zsarbench.plugins.registry import Registry
from zsarbench.predictions import identity
from zsarbench.reports.leaderboard.board import UNPLACED
from zsarbench.reports.leaderboard.digests import digest_problems
from zsarbench.results import RunResult
from zsarbench.results.compaction import MAX_FILE_BYTES
from zsarbench.results.reported import ReportedRow
from zsarbench.results.verification import scores_problems, shortened
from zsarbench.utils.schema import plain

MAX_FOLDER_BYTES = 20_000_000
"""What git can carry of all results."""


@dataclass(frozen=True)
class KnownProtocol:
    """A registered protocol as results must agree with it.

    rounds: by index, with `duplicate_of`. n_options: of a multiple choice, else 0.
    """

    hash: str
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
    return KnownProtocol(protocol.hash(dataset), of_index, protocol.n_options)


def result_problems(
    folder: Path, protocol_of: Callable[[str], KnownProtocol], registry: Registry | None = None
) -> list[str]:
    """Return what is wrong with the results under a folder: format, digests, protocol, spec, what scores give, sizes.

    Args:
        protocol_of: returns a registered protocol, or raises ZsarbenchError.
        registry: what methods and parts must be registered in; None: that is not looked at.
    """
    sound, unsound = results.read_all(folder)
    problems = [*unsound.values(), *of_results(sound, protocol_of, registry)]
    try:
        problems += digest_problems(folder)
    except ZsarbenchError as error:
        problems.append(str(error))
    return problems + list(_size_problems(folder))


def of_results(
    sound: Mapping[Path, RunResult], protocol_of: Callable[[str], KnownProtocol], registry: Registry | None = None
) -> list[str]:
    """Return what is wrong with results that could be read, each with its file; see `result_problems`."""
    problems: list[str] = []
    known: dict[str, KnownProtocol | ZsarbenchError] = {}
    tested: dict[Path, tuple[str, ...]] = {}
    for path, result in sound.items():
        name = result.protocol.name
        if name not in known:
            try:
                known[name] = protocol_of(name)
            except ZsarbenchError as error:
                known[name] = error
        own = [*_protocol_problems(result, known[name]), *_spec_problems(path, result)]
        own += list(_unregistered(result, registry)) if registry is not None else []
        try:
            scores = results.read_scores(path)
        except ZsarbenchError as error:
            own.append(f"has no predictions that its figures follow from: {error}")
        else:
            own += [*scores_problems(path, result, scores), *identity.problems(result, scores)]
            own += list(_option_problems(scores, known[name]))
            tested[path] = _tested(result, scores)
        problems += [f"result file {path}: {problem}" for problem in own]
    return [*problems, *_other_clips({path: (sound[path], clips) for path, clips in tested.items()})]


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
        both = shortened(sorted(stated)), shortened(sorted(expected))
        yield f"rounds are (round, seed) {both[0]}, but the protocol has {both[1]}"
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
            yield f"contamination lists {shortened(strays)}, which the protocol has not among its unseen classes"


def _option_problems(scores: Scores, known: KnownProtocol | ZsarbenchError) -> Iterator[str]:
    """Yield whether scores state another number of options than the protocol has, from which chance follows."""
    stated = {item.n_options for item in scores.rounds}
    if isinstance(known, KnownProtocol) and stated != {known.n_options}:
        yield f"its scores are among {max(stated)} options of a clip, but the protocol has {known.n_options}"


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
            yield f"{name} is {shortened(plain(value, name))}, but the spec holds {shortened(spec[name])}"
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
        yield f"seeds are {shortened(list(result.seeds))}, which do not count up from {result.seed}"
    if wrong := {item.std_kind for item in result.summary.values()} - {STD_KIND}:
        yield f"std_kind is '{min(wrong)}', but spreads are '{STD_KIND}'"
    if not re.fullmatch(rf"{re.escape(result.stem)}(-\d+)?", path.stem):
        yield f"its name is not that of its method, spec and date: {result.stem}.json"


def _name_of(part: Any) -> str:
    return str(part.get("name")) if isinstance(part, Mapping) else str(part)


def _unregistered(result: RunResult, registry: Registry) -> Iterator[str]:
    """Yield the method and the parts that no plugin registers; a plugin may have been renamed since."""
    stated = [("method", result.method.name, result.method.plugin)]
    if identity.is_of_predictions(result):
        if result.method.name in registry.names("method"):
            yield f"its predictions are named as the registered method '{result.method.name}'"
        stated = []
    stated += [(kind, part.name, part.plugin) for kind, part in sorted(result.parts.items())]
    for kind, name, plugin in stated:
        if name not in registry.names(kind):
            yield f"{kind} '{name}' of plugin '{plugin}' is registered by no plugin that is installed here"


def _tested(result: RunResult, scores: Scores) -> tuple[str, ...]:
    """Return a digest of the test clips and their labels for each round under the first seed, by index."""
    digests: dict[int, str] = {}
    for item, of_round in zip(result.rounds, scores.rounds, strict=False):
        labels = [scores.class_names[label] if label >= 0 else "" for label in scores.labels[of_round.clips]]
        lines = [f"{clip}\t{label}" for clip, label in zip(scores.clip_ids[of_round.clips], labels, strict=True)]
        digests.setdefault(item.round, results.names_sha256(lines))
    return tuple(digests[number] for number in sorted(digests))


def _other_clips(tested: Mapping[Path, tuple[RunResult, tuple[str, ...]]]) -> Iterator[str]:
    """Yield the results whose predictions are of other clips or labels than those of the same protocol and data.

    No data set is read for it: the clips that most of its results have count, in a draw those of the oldest.
    """
    by_data: dict[tuple[str, str, str], dict[Path, tuple[str, ...]]] = {}
    for path, (result, clips) in tested.items():
        if result.limit is None:
            key = (result.protocol.name, result.protocol.hash, result.dataset.revision)
            by_data.setdefault(key, {})[path] = clips
    for (name, _, _), of_data in by_data.items():
        oldest = sorted(of_data, key=lambda path: (tested[path][0].created, path))
        shared = Counter(of_data[path] for path in oldest)
        expected = max(shared, key=lambda clips: shared[clips])
        for path, clips in of_data.items():
            if clips != expected:
                yield f"result file {path}: its predictions are of other clips, or labels, than other rows of {name}"


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

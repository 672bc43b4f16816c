"""Whether results are on the same data as others: its revision, the clips with their labels, and the class texts.

A result states these by digest. What they must be is what the reference rows have, that is the committed ones; where
none of them is on the same data, what the data set itself gives; where that is unavailable, what most results have.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from zsarbench import protocols, results
from zsarbench.data import class_texts
from zsarbench.data.manifest import checked_manifest
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.harness.resolve import resolve_parts
from zsarbench.interfaces import Dataset
from zsarbench.plugins.building import build_dataset
from zsarbench.plugins.registry import Registry
from zsarbench.predictions.identity import is_of_predictions
from zsarbench.protocols import Protocol
from zsarbench.protocols.clips import round_clips
from zsarbench.results import RunResult
from zsarbench.results.problems import Problem, ProblemName
from zsarbench.utils.schema import plain

Value: TypeAlias = str | tuple[str, ...]

_log = logging.getLogger(__name__)


class Fact(NamedTuple):
    """What results must agree in: `name` of the problem where they do not, and what they must share to be compared."""

    name: ProblemName
    of: tuple[str, ...]


Facts: TypeAlias = Mapping[Fact, Value]
FactsOfDataset: TypeAlias = Callable[[RunResult, Collection[Fact]], Facts]
_TEXTS: Mapping[ProblemName, str] = {
    "data": "its data are of another revision",
    "clips": "its predictions are of other clips, or labels,",
    "class-text": "its class texts are others",
}
_UNCHECKED: Mapping[ProblemName, str] = {
    "data": "the revision of its data",
    "clips": "the clips and labels of its predictions",
    "class-text": "its class texts",
}


def facts_of(result: RunResult, scores: Scores | None) -> Facts:
    """Return what a result says of its data; without scores, nothing of the clips."""
    dataset, protocol = result.dataset, result.protocol
    options = json.dumps(dict(dataset.options), sort_keys=True, default=str)
    facts: dict[Fact, Value] = {Fact("data", (protocol.name, protocol.hash, options)): dataset.revision}
    form, rule = class_texts.parse(result.class_text.form)
    if not Path(form).suffix and not is_of_predictions(result):
        chosen_by = result.parts["text"].name if rule is not None and "text" in result.parts else ""
        of = (dataset.name, dataset.revision, result.class_text.form, chosen_by)
        facts[Fact("class-text", of)] = result.class_text.sha256
    if scores is not None and result.limit is None:
        facts[Fact("clips", (protocol.name, protocol.hash, dataset.revision))] = _tested(result, scores)
    return facts


def facts_of_dataset(registry: Registry, result: RunResult, lacking: Collection[Fact]) -> Facts:
    """Return those of some facts that the data set of a result gives, as far as they are available here."""
    found: dict[Fact, Value] = {}
    try:
        protocol = protocols.load(registry, result.protocol.name)
        parts, roots = resolve_parts(registry, {"dataset": protocol.dataset}, protocol=protocol)
        if parts["dataset"].identity()["options"] != plain(result.dataset.options, "options"):
            return found
        dataset = build_dataset(parts["dataset"], roots, registry)
        for fact in lacking:
            if fact.name == "data":
                found[fact] = dataset.revision
            elif fact.name == "clips" and dataset.revision == result.dataset.revision:
                found[fact] = _of_manifest(protocol, dataset)
            elif fact.name == "class-text" and class_texts.parse(result.class_text.form)[1] is None:
                found[fact] = class_texts.digest(class_texts.load(dataset, result.class_text.form))
    except ZsarbenchError as error:
        _log.warning("the data of %s are not available here: %s", result.protocol.name, error)
    return found


def _of_manifest(protocol: Protocol, dataset: Dataset) -> tuple[str, ...]:
    manifest = checked_manifest(dataset, protocol.dataset)
    label_of = dict(zip(manifest["clip_id"], manifest["label"], strict=True))
    digests = []
    for item in protocol.on(dataset):
        tested = round_clips(item, manifest)[1]
        digests.append(clips_digest(tested, [label_of[clip] for clip in tested]))
    return tuple(digests)


def disagreements(
    rows: Mapping[Path, tuple[RunResult, Facts]],
    reference: Sequence[tuple[RunResult, Facts]] = (),
    of_dataset: FactsOfDataset | None = None,
) -> Iterator[tuple[Path, Problem]]:
    """Yield where rows are not on the data that they must be on.

    of_dataset: returns the facts that no reference row has, as far as it can; what it lacks is yielded as unchecked.
    None: rows must then agree with each other.
    """
    expected = dict(_most(reference))
    for result, facts in rows.values():
        if of_dataset is not None and (lacking := facts.keys() - expected.keys()):
            expected |= of_dataset(result, lacking)
    others = _most(list(rows.values()))
    for path, (_, facts) in rows.items():
        for fact, value in facts.items():
            if value != expected.get(fact, others[fact]):
                yield path, Problem(fact.name, f"{_TEXTS[fact.name]} than other rows of {fact.of[0]} have")
            elif of_dataset is not None and fact not in expected:
                text = f"{_UNCHECKED[fact.name]} cannot be checked: no other row of {fact.of[0]} is on the same data"
                yield path, Problem("unchecked", text)


def _most(rows: Sequence[tuple[RunResult, Facts]]) -> Facts:
    """Return each fact as most rows have it, in a draw the oldest of them."""
    values: dict[Fact, list[Value]] = {}
    for _, facts in sorted(rows, key=lambda row: (row[0].created, row[0].stem)):
        for fact, value in facts.items():
            values.setdefault(fact, []).append(value)
    return {fact: Counter(found).most_common(1)[0][0] for fact, found in values.items()}


def _tested(result: RunResult, scores: Scores) -> tuple[str, ...]:
    """Return a digest of the test clips and their labels for each round under the first seed, by index."""
    digests: dict[int, str] = {}
    names = np.append(scores.class_names, "")  # the label of an unknown class is -1
    for item, of_round in zip(result.rounds, scores.rounds, strict=False):
        if item.round not in digests:
            clips = of_round.clips
            digests[item.round] = clips_digest(scores.clip_ids[clips].tolist(), names[scores.labels[clips]].tolist())
    return tuple(digests[number] for number in sorted(digests))


def clips_digest(clip_ids: Sequence[str], labels: Sequence[str]) -> str:
    """Return the digest of clips with their labels, whatever their order."""
    return results.names_sha256([f"{clip}\t{label}" for clip, label in zip(clip_ids, labels, strict=True)])

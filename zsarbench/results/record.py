"""The result of a run: one typed record, written as JSON beside its scores, read back only when it is sound.

The data classes are the schema: every field is required unless it has a default here, and no other is allowed.
Accuracies and chance are fractions in [0, 1].
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import metrics
from zsarbench.evaluation import scores as scores_module
from zsarbench.evaluation.contamination import Contamination
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import Setting
from zsarbench.evaluation.summary import RoundResult, Summary, round_problems, summary_problems
from zsarbench.interfaces import Control, Denominator, LearnsFrom, Sampling
from zsarbench.results.flags import Flag
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.schema import build, plain, problems_of

SCHEMA = 1

Json: TypeAlias = dict[str, Any]

UPGRADES: dict[int, Callable[[Json], Json]] = {}
"""For each older schema, what turns its JSON into the next one's; there is no older one yet."""


# --- what a result holds ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MethodInfo:
    """Names the method and what it was run with.

    options: every constructor argument. trained_on: label sets seen in training before this run; None is unknown.
    record: what the fit chose and measured, in the method's own words.
    """

    name: str
    plugin: str
    summary: str
    source: str
    options: Mapping[str, Any]
    learns_from: LearnsFrom
    trained_on: tuple[str, ...] | None
    record: Mapping[str, Any]


@dataclass(frozen=True)
class PartInfo:
    """Names a part (visual, text, negatives, loss).

    options: every constructor argument. fingerprint: what its output depends on besides them, `weights_sha256` where
    it has weights. parameters: how many numbers the weights are; None where it has none or does not say.
    trained_on: label sets seen in training; None is unknown.
    """

    name: str
    plugin: str
    options: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    parameters: int | None
    trained_on: tuple[str, ...] | None


@dataclass(frozen=True)
class ProtocolInfo:
    """Names the protocol; two results share a table only where `hash` is equal."""

    name: str
    version: int
    hash: str
    setting: Setting
    summary: str
    source: str


@dataclass(frozen=True)
class DatasetInfo:
    """Names the data set that was tested on; `revision` identifies its manifest and texts."""

    name: str
    revision: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class ClassTextInfo:
    """Says what described the classes: the form (name, sentence, sentences, a file) and the sha256 of the texts."""

    form: str
    sha256: str


@dataclass(frozen=True)
class ClipFailure:
    """A clip that could not be read or scored, and why."""

    clip_id: str
    reason: str


@dataclass(frozen=True)
class Environment:
    """Where the run took place; commit and dirty are None outside a git checkout."""

    python: str
    torch: str
    zsarbench: str
    platform: str
    device: str
    dtype: str
    threads: int
    commit: str | None
    dirty: bool | None


@dataclass(frozen=True)
class Predictions:
    """The scores file beside the result, by name and sha256."""

    file: str
    sha256: str


@dataclass(frozen=True)
class RunResult:
    """One method on one protocol, all rounds.

    parts: by kind, those that the method uses. sampling: which frames were read; None where none were. views: how many
    views of a clip were averaged. train_on: "none", "seen" or a data set. denominator: "survivors" leaves unread clips
    out, as some papers do. limit: clips a class, None for all. seed: the first of `seeds`. objections: why plugins
    hold that the row must not be ranked. flags: why the row is not what the protocol asks for, for readers.
    seconds: by stage. created: UTC, ISO 8601. spec: all that identifies the run; spec_id: first 8 hex digits of its
    sha256. command: what reproduces the run. contamination: which unseen classes were trained on; None: not audited.
    """

    method: MethodInfo
    parts: Mapping[str, PartInfo]
    sampling: Sampling | None
    views: int
    protocol: ProtocolInfo
    dataset: DatasetInfo
    train_on: str
    class_text: ClassTextInfo
    denominator: Denominator
    control: Control
    limit: int | None
    seed: int
    seeds: tuple[int, ...]
    rounds: tuple[RoundResult, ...]
    summary: Mapping[str, Summary]
    failures: tuple[ClipFailure, ...]
    objections: tuple[str, ...]
    flags: tuple[Flag, ...]
    environment: Environment
    seconds: Mapping[str, float]
    created: str
    spec: Mapping[str, Any]
    spec_id: str
    command: str
    contamination: Contamination | None = None
    predictions: Predictions | None = None
    schema: int = SCHEMA

    @property
    def stem(self) -> str:
        """The file name without its ending, `<method>-<spec8>-<UTC>`: the id of the result."""
        return f"{_file_name(self.method.name)}-{self.spec_id}-{re.sub('[-:]', '', self.created)}"

    def to_json(self) -> Json:
        """Return the result in JSON types.

        Raises:
            ZsarbenchError: a free field (options, record, spec) holds what JSON has no word for.
        """
        content: Json = plain(self, "result")
        return content

    @classmethod
    def from_json(cls, content: Json) -> RunResult:
        """Return the result of JSON, upgraded where it is of an older schema.

        Raises:
            ZsarbenchError: it is of a newer schema, or not sound; the message lists every problem.
        """
        content = _upgraded(content)
        if problems := validate(content):
            raise ZsarbenchError("it is no sound result:\n  " + "\n  ".join(problems))
        result: RunResult = build(cls, content)
        return result


# --- making one -------------------------------------------------------------------------------------------------------


def spec_id(spec: Mapping[str, Any]) -> str:
    """Return the first 8 hex digits of the sha256 of a spec's canonical JSON."""
    text = json.dumps(plain(spec, "spec"), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def names_sha256(names: Sequence[str]) -> str:
    """Return the sha256 of a set of names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def utc_now() -> str:
    """Return the time as results keep it.

    >>> len(utc_now()) == len("2026-01-31T12:00:00Z")
    True
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- checking one -----------------------------------------------------------------------------------------------------


def validate(content: Json) -> list[str]:
    """Return what is wrong with a result's JSON of the present schema: fields, types, ranges, sums; [] when sound."""
    if problems := problems_of(RunResult, content, ""):
        return problems
    result = build(RunResult, content)
    problems = [
        f"round {item.round}: {problem}"
        for item in result.rounds
        for problem in round_problems(item, result.protocol.setting)
    ]
    if result.schema != SCHEMA:
        problems.append(f"schema is {result.schema}, not {SCHEMA}")
    if not result.rounds:
        return [*problems, "rounds: there is none"]
    if {item.seed for item in result.rounds} != set(result.seeds):
        problems.append(f"seeds are {list(result.seeds)}, but those of the rounds differ")
    if result.spec_id != (expected := spec_id(result.spec)):
        problems.append(f"spec_id is '{result.spec_id}', but the spec's is '{expected}'")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result.created):
        problems.append(f"created is '{result.created}', not of the form 2026-01-31T12:00:00Z")
    if any(item.n_failed for item in result.rounds) and not result.failures:
        problems.append("failures: rounds count failed clips, but none is listed")
    return problems + summary_problems(result.rounds, result.summary) + _contamination_problems(result.contamination)


def _contamination_problems(audit: Contamination | None) -> list[str]:
    if audit is None:
        return []
    problems = [
        f"contamination: {name} on {side} classes is {value}, not in [0, 1]"
        for side, values in audit.accuracy.items()
        for name, value in values.items()
        if not 0 <= value <= 1
    ]
    if (listed := len({item.candidate for item in audit.overlapping})) != audit.n_overlapping:
        problems.append(f"contamination: n_overlapping is {audit.n_overlapping}, but {listed} classes are listed")
    return problems


def recompute(path: Path) -> list[dict[str, float]]:
    """Return the metrics of each of a result's rounds, computed anew from the scores file alone.

    Raises:
        ZsarbenchError: the scores file is missing, damaged, or not the one whose sha256 the result holds.
    """
    result, scores = read(path), read_scores(path)
    if len(scores.rounds) != len(result.rounds):
        raise ZsarbenchError(f"scores of {path} hold {len(scores.rounds)} rounds, but the result {len(result.rounds)}")
    return [
        metrics.evaluate(
            *scores.round(number),
            setting=result.protocol.setting,
            seen=scores.rounds[number].seen,
            denominator=result.denominator,
            metrics=tuple(item.metrics),
        )
        for number, item in enumerate(result.rounds)
    ]


# --- files ------------------------------------------------------------------------------------------------------------


def write(result: RunResult, scores: Scores, folder: Path) -> Path:
    """Write `<folder>/<protocol>/<method>-<spec8>-<UTC>.json` and, first, the `.npz` beside it; return the JSON's path.

    Nothing is ever overwritten: a second result of the same second gets `-2` at its end.

    Raises:
        ZsarbenchError: the result is not sound.
    """
    place = folder / _file_name(result.protocol.name)
    place.mkdir(parents=True, exist_ok=True)
    content = scores.to_bytes()
    target = _reserve(place, result.stem)
    try:
        predictions = Predictions(f"{target.stem}.npz", hashlib.sha256(content).hexdigest())
        record = dataclasses.replace(result, predictions=predictions).to_json()
        if problems := validate(record):
            raise ZsarbenchError(f"the result {target.stem} is not sound:\n  " + "\n  ".join(problems))
        text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomic(target.with_suffix(".npz"), content)
        write_atomic(target, text.encode())
    except BaseException:
        target.with_suffix(".npz").unlink(missing_ok=True)
        raise
    return target


def read(path: Path) -> RunResult:
    """Return the result of a file.

    Raises:
        ZsarbenchError: it is not there, no JSON, of a newer schema, or not sound; the message names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZsarbenchError(f"result file {path} is not there") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ZsarbenchError(f"result file {path} is no JSON, perhaps cut short: {error}") from error
    try:
        return RunResult.from_json(content)
    except ZsarbenchError as error:
        raise ZsarbenchError(f"result file {path}: {error}") from error


def read_scores(path: Path) -> Scores:
    """Return the scores of a result file.

    Raises:
        ZsarbenchError: the scores file is missing, damaged, or not the one whose sha256 the result holds.
    """
    predictions = read(path).predictions
    if predictions is None:
        raise ZsarbenchError(f"result file {path} names no scores file")
    file = path.parent / Path(predictions.file).name
    if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != predictions.sha256:
        raise ZsarbenchError(f"scores file {file} is not the one that {path.name} was written with (sha256 differs)")
    return scores_module.read(file)


def find(folder: Path) -> list[Path]:
    """Return the result files under a folder, sorted; [] where there is no such folder."""
    return sorted(folder.rglob("*.json"))


def read_all(*places: Path) -> tuple[dict[Path, RunResult], dict[Path, str]]:
    """Return the results of files and of all files under folders, and why others could not be read, each by path."""
    sound: dict[Path, RunResult] = {}
    problems: dict[Path, str] = {}
    for path in dict.fromkeys(path for place in places for path in ([place] if place.is_file() else find(place))):
        try:
            sound[path] = read(path)
        except ZsarbenchError as error:
            problems[path] = str(error)
    return sound, problems


def _upgraded(given: Any) -> Json:
    content: Json = given
    if not isinstance(content, dict) or type(content.get("schema")) is not int:
        raise ZsarbenchError("it is no result: it has no field 'schema' with a number")
    while content["schema"] in UPGRADES:
        content = UPGRADES[content["schema"]](content)
    if content["schema"] > SCHEMA:
        raise ZsarbenchError(
            f"it is of schema {content['schema']}, but this zsarbench reads up to {SCHEMA}. "
            "Try: pip install --upgrade zsarbench"
        )
    return content


def _file_name(name: str) -> str:
    """Return a registry name, or one from a user's file, as a safe name of a file or folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"


def _reserve(place: Path, stem: str) -> Path:
    """Return a JSON path that is free, and hold it against other processes by creating the empty .npz."""
    number = 1
    while True:
        target = place / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        if not target.exists():
            try:
                target.with_suffix(".npz").open("xb").close()
                return target
            except FileExistsError:
                pass
        number += 1

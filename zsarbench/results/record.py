"""The result of a run as one typed record. The data classes are the schema of result files.

A field is required unless it has a default here, and no other is allowed. Accuracies and chance are fractions in
[0, 1].
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeAlias

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import scores
from zsarbench.evaluation.by_class import by_class
from zsarbench.evaluation.contamination import Contamination
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import Setting
from zsarbench.evaluation.summary import RoundResult, Summary
from zsarbench.interfaces import Control, Denominator, LearnsFrom, Sampling
from zsarbench.interfaces.lazy import Lazy
from zsarbench.plugins.distributions import Distribution
from zsarbench.results import views
from zsarbench.results.coverage import Coverage
from zsarbench.results.flags import Flag
from zsarbench.utils.schema import STRICT, Count, Positive, Rule, plain

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = Lazy("pandas")

SCHEMA: Final[Literal[1]] = 1

Json: TypeAlias = dict[str, Any]

Date = Annotated[str, Rule("of the form 2026-01-31T12:00:00Z", {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"})]


@dataclass(frozen=True)
class MethodInfo:
    """The method and what it was run with.

    name: as registered. plugin: the plugin that registered it. summary: one sentence. source: paper, address, licence.
    options: every constructor argument. learns_from: what it is trained on in this run, if anything. trained_on: label
    sets seen in training before this run; null is unknown. record: what the fit chose and measured, as the method
    states it.
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
    """A part of the run: visual encoder, text encoder, negative sampler or loss.

    name: as registered. plugin: the plugin that registered it. options: every constructor argument. fingerprint: what
    its output depends on besides the options, `weights_sha256` where it has weights. parameters: the number of its
    weights; null where it has none or does not say. trained_on: label sets seen in training; null is unknown.
    """

    name: str
    plugin: str
    options: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    parameters: Count | None
    trained_on: tuple[str, ...] | None


@dataclass(frozen=True)
class ProtocolInfo:
    """The protocol; two results share a table only where `hash` is equal.

    name: as its file states it. version: rises when the protocol changes. hash: sha256 of all that decides the
    comparison: version, setting, and every list of every round. setting: which classes are seen, and which compete.
    summary: one sentence. source: where its lists come from.
    """

    name: str
    version: int
    hash: str
    setting: Setting
    summary: str
    source: str


@dataclass(frozen=True)
class DatasetInfo:
    """The data set that was tested on.

    name: as registered. revision: identifies its manifest, captions and lists. options: those that were set.
    """

    name: str
    revision: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class ClassTextInfo:
    """The texts that described the classes.

    form: name, sentence, sentences, documents or the name of a file. sha256: of the texts of all classes.
    """

    form: str
    sha256: str


@dataclass(frozen=True)
class ClipFailure:
    """A clip that could not be read or scored.

    clip_id: as in the manifest. reason: why it could not. missing: nothing of it was there: no file, no captions, no
    features.
    """

    clip_id: str
    reason: str
    missing: bool = False


@dataclass(frozen=True)
class Environment:
    """The machine and the software of the run.

    python: version. torch: version. zsarbench: version. platform: operating system and architecture. device: kind and
    model of the processor that computed. dtype: of model weights and features. threads: that it computed with.
    commit: of the checkout that zsarbench ran from; null outside one. dirty: whether that checkout had changes; null
    outside one.
    """

    python: str
    torch: str
    zsarbench: str
    platform: str
    device: str
    dtype: str
    threads: Positive
    commit: str | None
    dirty: bool | None


@dataclass(frozen=True)
class Predictions:
    """The file of scores next to the result.

    file: its name. sha256: of its bytes.
    """

    file: str
    sha256: str

    def read(self, result: Path) -> Scores:
        """Return the scores of a result file, next to which they lie.

        Raises:
            ZsarbenchError: the scores file is missing, damaged, or another one than the result was written with.
        """
        return scores.read(self.next_to(result), self.sha256)

    def next_to(self, result: Path) -> Path:
        """Return where the scores of a result file are."""
        return result.parent / Path(self.file).name


@dataclass(frozen=True, repr=False)
class RunResult:
    """One method on one protocol, all rounds.

    method: with its options. parts: by kind, those that the method uses. sampling: which frames were read; null where
    none were. views: how many views of a clip were averaged. protocol: with its hash. dataset: with its revision.
    train_on: "none", "seen" or a data set. class_text: what described the classes. denominator: "all" counts an unread
    clip as wrong, "survivors" leaves it out, as some papers do. control: what was shuffled, to show what a method owes
    to it. limit: clips per class; null for all. seed: the first of `seeds`. seeds: the training seeds. rounds: every
    round under every seed. summary: by metric, over all rounds. failures: clips that could not be read or scored.
    objections: why plugins hold that the row must not be ranked. flags: how the run departs from the protocol or the
    defaults, for readers. environment: where it ran. seconds: by stage. created: UTC, ISO 8601. spec: all that
    identifies the run. spec_id: the first 8 hex digits of the sha256 of `spec` as JSON with sorted keys. command: what
    reproduces the run. contamination: which unseen classes were trained on; null where that was not audited.
    predictions: the scores; null where they were not kept. coverage: how much of the clips was there and was read; null
    in results that do not state it. distributions: whose components took part, with version and commit, which decide
    nothing of `spec`; null in results that do not state it. schema: the version of this format.
    """

    __pydantic_config__ = STRICT

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
    limit: Positive | None
    seed: int
    seeds: tuple[int, ...]
    rounds: Annotated[tuple[RoundResult, ...], Rule(constraints={"min_length": 1})]
    summary: Mapping[str, Summary]
    failures: tuple[ClipFailure, ...]
    objections: tuple[str, ...]
    flags: tuple[Flag, ...]
    environment: Environment
    seconds: Mapping[str, float]
    created: Date
    spec: Mapping[str, Any]
    spec_id: str
    command: str
    contamination: Contamination | None = None
    predictions: Predictions | None = None
    coverage: Coverage | None = None
    distributions: tuple[Distribution, ...] | None = None
    schema: Literal[1] = SCHEMA

    _path: ClassVar[Path | None] = None  # of this object, not of the record

    @property
    def path(self) -> Path | None:
        """Its file; None where it was neither read from one nor written to one."""
        return self._path

    def at(self, path: Path) -> RunResult:
        """Return the result as that of a file."""
        placed = copy.copy(self)
        object.__setattr__(placed, "_path", path)
        return placed

    # --- in Python ---

    def __hash__(self) -> int:
        """Return the same number for equal results, so that sets and keys may hold them."""
        return hash(self.stem)

    def __repr__(self) -> str:
        """Return method, protocol and the metric that ranks, in one line."""
        name = views.ranking_metric(self.protocol.setting, self.summary)
        return f"RunResult({self.title}: {name} {views.in_percent(self.summary[name])} %, {self.spec_id})"

    def _repr_html_(self) -> str:
        """Return metrics and what belongs to them, for a notebook."""
        lines = [*map(str, self.flags), *(f"not ranked: {text}" for text in self.objections)]
        lines += [f"file: {self.path}"] if self.path is not None else []
        return views.as_html(self.title, self.summary, [*lines, self.command])

    @property
    def title(self) -> str:
        """Method, protocol and the number of rounds, e.g. "cezsar on ucf101/truze-v2 (1 round)"."""
        n_rounds = len({item.round for item in self.rounds})
        rounds = "1 round" if n_rounds == 1 else f"{n_rounds} rounds"
        seeds = f", {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        return f"{self.method.name} on {self.protocol.name} ({rounds}{seeds})"

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each round under each training seed.

        Columns: method, protocol, round, seed, fit, n_classes, n_seen, n_expected, n_scored, n_failed, duplicate_of,
        and the metrics by name, fractions in [0, 1].
        """
        frame = views.rounds_frame(self.rounds)
        frame.insert(0, "method", self.method.name)
        frame.insert(1, "protocol", self.protocol.name)
        return frame

    def per_class(self) -> pd.DataFrame:
        """Return the accuracy of each class over all its rounds, the best first; read from the scores file.

        Index: class. Columns: n_clips, n_rounds, top1 (a fraction, the mean over rounds), taken_for (the other class
        that its clips are most often taken for) and share (of its clips); in a generalised setting also seen.

        Raises:
            ZsarbenchError: the scores were not kept, or their file is missing or damaged.
        """
        if self.predictions is None or self.path is None:
            raise ZsarbenchError(
                f"the scores of {self.stem} were not kept, or it is of no file. Try: zsarbench.load_results(FOLDER), "
                f"or {self.command}"
            )
        return views.classes_frame(by_class(self.predictions.read(self.path), self.denominator))

    @functools.cached_property
    def stem(self) -> str:
        """The file name without its suffix, `<method>-<spec8>-<UTC>`: the id of the result."""
        return f"{file_name(self.method.name)}-{self.spec_id}-{re.sub('[-:]', '', self.created)}"

    def to_json(self) -> Json:
        """Return the result in JSON types.

        Raises:
            ZsarbenchError: a free field (options, record, spec) holds what JSON cannot.
        """
        content: Json = plain(self, "result")
        return content


def spec_id(spec: Mapping[str, Any]) -> str:
    """Return the first 8 hex digits of the sha256 of a spec's canonical JSON."""
    text = json.dumps(plain(spec, "spec"), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def names_sha256(names: Sequence[str]) -> str:
    """Return the sha256 of a set of names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def utc_now() -> str:
    """Return the time in the form that results keep it in.

    >>> len(utc_now()) == len("2026-01-31T12:00:00Z")
    True
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


MAX_FILE_NAME = 120
"""Characters of a name that become one of a file: file systems take 255 bytes."""


def file_name(name: str) -> str:
    """Return a registry name, or one from a user's file, as a safe name of a file or folder, with room for a suffix.

    >>> file_name("ucf101/truze-v2"), file_name("../../x y")
    ('ucf101-truze-v2', 'x-y')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:MAX_FILE_NAME].strip("-.") or "unnamed"

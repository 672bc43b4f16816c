"""From a predictions file to a result: read, matched to the protocol's clips and classes, measured and recorded."""

from __future__ import annotations

import re
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsarbench import results
from zsarbench.errors import UsageError, unknown
from zsarbench.evaluation.metrics import among_own_kind
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.plugins.guarding import named
from zsarbench.predictions.files import PredictionFile, form_of, read
from zsarbench.predictions.layouts import FIELDS, Reading
from zsarbench.predictions.mapping import mapped
from zsarbench.predictions.matching import Classes, Matched, clip_names, matched
from zsarbench.predictions.recording import Claim, Scored, record, side_by_side
from zsarbench.predictions.records import Prediction
from zsarbench.predictions.target import Target, target_of
from zsarbench.protocols import options_mask
from zsarbench.results import RunResult
from zsarbench.results.record import file_name
from zsarbench.utils import text_files
from zsarbench.utils.clip_names import ClipNames
from zsarbench.utils.targets import OUT, check_folder, expanded

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins import Host
    from zsarbench.plugins.registry import Registry

NOTHING = "nothing"
"""What `--trained-on` calls no training at all."""
DATASET_ORDER, SORTED_ORDER = "dataset", "sorted"
_INDEXED = re.compile(r"(?P<index>\d+)[\s,;:]+(?P<name>.+)")


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """The options of `zsarbench score`, unchecked.

    protocol: None is the one that a plugin declares the default. class_order: what indices stand for: "dataset",
    "sorted" or a file of names. clip_order: a file of the clips that numbers of rows stand for. fields: "OURS=THEIRS"
    strings. trained_on: label sets, or "nothing"; () for unknown. words: what the file gives for a clip is an answer in
    words. text: the encoder of the mapping `nearest`.
    """

    file: Path
    name: str
    protocol: str | None = None
    class_order: str | None = None
    clip_order: Path | None = None
    fields: Sequence[str] = ()
    trained_on: Sequence[str] = ()
    train_on: str = "none"
    source: str = ""
    data_root: Sequence[str] = ()
    settings: Sequence[str] = ()
    words: bool = False
    text: str | None = None
    out: str = "results"

    def to_command(self) -> str:
        """Return the command line that scores the file again, elsewhere: without folders of this machine."""
        words = ["zsarbench", "score", self.file.name, *self.options()]
        return shlex.join(words + (["--words"] if self.words else []))

    def options(self) -> list[str]:
        """Return the words of a command line that say what the answers are and what is claimed of them."""
        single = (("--name", self.name), ("--protocol", self.protocol), ("--class-order", self.class_order),
                  ("--clip-order", self.clip_order and self.clip_order.name), ("--source", self.source),
                  ("--text", self.text))  # fmt: skip
        words = [word for flag, value in single if value for word in (flag, value)]
        many = (("--field", self.fields), ("--trained-on", self.trained_on), ("--set", self.settings))
        words += [word for flag, values in many for value in values for word in (flag, value)]
        return words + ([] if self.train_on == "none" else ["--train-on", self.train_on])

    @property
    def claim(self) -> Claim:
        """What the request states of the predictions."""
        trained_on = None if not self.trained_on else tuple(name for name in self.trained_on if name != NOTHING)
        return Claim(name=self.name, trained_on=trained_on, train_on=self.train_on, source=self.source)

    def check(self, registry: Registry) -> None:
        """Check what needs no file and no data, before either is read.

        Raises:
            UsageError: a label set, a data set or the text encoder is unknown.
        """
        self.claim.check(registry)
        if self.text is not None:
            registry.get("text", self.text)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The origin of a predictions file that zsarbench wrote itself.

    command: what repeats it. options: part of the result's identity. record: what was counted meanwhile.
    """

    command: str
    options: Mapping[str, Any]
    record: Mapping[str, Any]


def score(request: ScoreRequest, host: Host, origin: Origin | None = None) -> list[tuple[RunResult, Path]]:
    """Score a predictions file, write its results, notify the observers, and return the results and their paths.

    origin: None for a file of another program.

    Raises:
        UsageError: a name, a file or a field does not exist, classes have no order, or not one row is of a test clip.
        ZsarbenchError: the file is damaged, the data is malformed, or nothing can be written.
    """
    claim, registry, start = request.claim, host.registry, time.perf_counter()
    request.check(registry)
    form_of(request.file)  # before any data is fetched
    renamed = _renamed(request.fields)
    with named(registry):
        target = target_of(registry, request.protocol, data_root=request.data_root, settings=request.settings)
        check_folder(expanded(request.out) / file_name(target.protocol.name), "results", OUT)
        order = None if request.class_order is None else class_order(request.class_order, target.dataset)
        in_order = None if request.clip_order is None else tuple(text_files.names(request.clip_order, "order of clips"))
        classes = Classes(target.dataset.classes, target.dataset.aliases)
        reading = Reading(renamed, order, request.words, in_order, lambda name: classes.find(name) >= 0)
        file = read(request.file, reading)
        clips = clip_names(target.manifest)
        origin = origin or Origin(command=request.to_command(), options={}, record={})
        if target.choices and file.in_words:
            file = replace(file, predictions=tuple(_with_options(one, clips, target) for one in file.predictions))
        ways, left_out = mapped(file, classes, registry, request.text)
        rows, labels = [], target.labels
        for one in ways:
            found = matched(one.predictions, labels, target.candidates, clips, classes)
            found = replace(found, account=replace(found.account, not_read=file.not_read))
            _check_any(file, found, target)
            _check_not_true(file, found, target)
            scored = Scored(
                file=file,
                options={**one.options, **origin.options},
                record=origin.record,
                found=found,
                scores=_scores(found, target),
                command=origin.command,
                seconds=time.perf_counter() - start,
            )
            rows.append((record(scored, claim, target, registry), scored.scores))
        compared = side_by_side([row for row, _ in rows], left_out)
        written = []
        for result, (_, scores) in zip(compared, rows, strict=True):
            path = results.write_somewhere(result, scores, expanded(request.out))
            written.append((results.read(path), path))
    for result, path in written:
        host.call_each("zsarbench_run_finished", result=result, path=path)
    return written


def _with_options(prediction: Prediction, clips: ClipNames, target: Target) -> Prediction:
    """Return an answer with the options that the protocol has for its clip, where the file states none."""
    clip = clips.find(prediction.clip)
    if prediction.options or clip is None:
        return prediction
    return replace(prediction, options=target.choices.get(clip, ()))


def class_order(name: str, dataset: Dataset) -> tuple[str, ...]:
    """Return the names that indices stand for: "dataset", "sorted" (by bytes), or those of a file.

    A file has one name per line; or INDEX NAME, in any order, or a CSV header that names `name` and perhaps `id`. An
    index that it leaves out stands for no class.

    Raises:
        UsageError: the file does not exist, is empty, or has an index or a name twice.
    """
    if name == DATASET_ORDER:
        return tuple(dataset.classes)
    if name == SORTED_ORDER:
        return tuple(sorted(dataset.classes))
    lines = text_files.names(Path(name), "class order")
    if lines and (separator := next((char for char in ",;\t" if char in lines[0]), None)):
        header = [cell.strip().lower() for cell in lines[0].split(separator)]
        if "name" in header:
            rows = [row for _, row in text_files.rows(Path(name), "class order", ["name"])]
            lines = [f"{row['id']} {row['name']}" if "id" in header else row["name"] for row in rows]
    if not lines:
        raise UsageError(f"class order {name} is empty; it needs a name per line, or INDEX NAME")
    found = [_INDEXED.fullmatch(line) for line in lines]
    names = lines if not all(found) else [one["name"] for one in found if one is not None]
    if twice := next((name for name, times in Counter(names).items() if times > 1), None):
        raise UsageError(f"class order {name} has '{twice:.80}' twice; which class is the other one?")
    if not all(found):
        return tuple(lines)
    by_index = {int(one["index"]): one["name"] for one in found if one is not None}
    if len(by_index) < len(lines) or max(by_index) > 100 * len(lines):
        raise UsageError(f"class order {name} has an index twice, or one that is far above their number")
    return tuple(by_index.get(index, f"index {index}") for index in range(max(by_index) + 1))


def _renamed(fields: Sequence[str]) -> dict[str, str]:
    """Return the file's name of a field by ours.

    Raises:
        UsageError: a text is not OURS=THEIRS, or ours is unknown.
    """
    renamed = {}
    for text in fields:
        ours, equals, theirs = text.partition("=")
        if not equals or not theirs:
            raise UsageError(f"--field {text} is not OURS=THEIRS. Try: --field clip=video_path")
        if ours not in FIELDS:
            raise UsageError(unknown("field", ours, FIELDS))
        renamed[ours] = theirs
    return renamed


def _check_any(file: PredictionFile, found: Matched, target: Target) -> None:
    if not found.in_file.any():
        raise UsageError(
            f"predictions {file.path} have none of the {len(target.tested):,} test clips of '{target.protocol.name}', "
            f"such as '{target.tested[0]}'; they name clips such as '{file.predictions[0].clip:.80}'"
        )
    if not file.in_words and not found.account.n_predicted:
        reasons = "; ".join(found.account.lines()[1:])
        raise UsageError(f"predictions {file.path} name no class of '{target.protocol.dataset}': {reasons}")


def _check_not_true(file: PredictionFile, found: Matched, target: Target) -> None:
    """Check that labels are not the true ones, where they may be and the file has more than them.

    Raises:
        UsageError: every one is the class of its clip.
    """
    if not file.unsure or not file.not_read or not found.account.n_predicted:
        return
    labels = target.labels
    true = np.array([target.dataset.classes.index(labels[clip]) for clip in target.tested])
    given = ~np.isnan(found.scores).all(axis=1)
    if (found.scores[given].argmax(axis=1) == true[given]).all():
        ours = "answer" if file.in_words else "label"
        raise UsageError(
            f"predictions {file.path}: '{file.unsure}' is the true class of every clip, and {file.not_read[0]:.80} is "
            f"not read. Try: --field {ours}=NAME, or --field {ours}={file.unsure} if that is what was predicted"
        )


def _scores(found: Matched, target: Target) -> Scores:
    """Return the scores of one block that all rounds share.

    Where seen and unseen classes compete apart, rounds of the same seen classes share one.
    """
    names = target.dataset.classes
    number = {name: place for place, name in enumerate(names)}
    row = {clip: place for place, clip in enumerate(target.tested)}
    groups = target.manifest.set_index("clip_id")["group"]
    columns = np.array(sorted(target.candidates), dtype=np.int32)
    labels = np.array([number[label] for label in target.labels.values()], dtype=np.int32)
    matrix = found.scores[:, columns]
    if target.choices:
        allowed = options_mask(target.choices, target.tested, [names[column] for column in columns])
        matrix[~allowed & ~np.isnan(matrix)] = -np.inf
    apart = SETTINGS[target.protocol.setting].own_kind_only
    every, blocks, rounds = np.arange(len(target.tested), dtype=np.int32), dict[frozenset[str], Block](), []
    for item, clips in zip(target.rounds, target.test, strict=True):
        seen = frozenset(item.seen)
        kind = seen if apart else frozenset[str]()
        if kind not in blocks:
            of_seen = np.array([names[column] in seen for column in columns])
            scores = among_own_kind(matrix, np.searchsorted(columns, labels), of_seen) if apart else matrix
            blocks[kind] = Block(every, columns, scores)
        rounds.append(
            RoundScores(
                block=list(blocks).index(kind),
                clips=np.array([row[clip] for clip in clips], dtype=np.int32),
                classes=np.array([number[name] for name in item.candidates], dtype=np.int32),
                seen=np.array([name in seen for name in item.candidates]),
                n_options=target.protocol.n_options,
            )
        )
    return Scores(
        clip_ids=np.array(target.tested),
        groups=np.array(groups.loc[list(target.tested)].astype(str)),
        class_names=np.array(names),
        labels=labels,
        blocks=tuple(blocks.values()),
        rounds=tuple(rounds),
    )

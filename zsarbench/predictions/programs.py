"""What evaluation programs write of the samples of a task, known by its fields: what it says of a clip.

Sources: lmms-eval (EvolvingLMMs-Lab/lmms-eval 75571cf, lmms_eval/loggers/evaluation_tracker.py,
lmms_eval/evaluator.py and for likelihoods lmms_eval/api/task.py; v0.3.5 for samples with a `doc`), VLMEvalKit
(open-compass/VLMEvalKit e8e78f0, vlmeval/inference_video.py and vlmeval/smp/file.py) and MTEB
(embeddings-benchmark/mteb a905523, mteb/abstasks/abstask.py and mteb/abstasks/zeroshot_classification.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

import numpy as np

from zsarbench.errors import UsageError
from zsarbench.predictions.layouts import CLIP, OPTIONS, Reading
from zsarbench.predictions.options import lettered, listed
from zsarbench.predictions.records import Prediction

MTEB_FIELD: Final = "mteb_model_meta"
"""What a file of predictions of MTEB has beside its subsets."""
_FAILED: Final = "Failed to obtain answer"  # VLMEvalKit's own words where a model gave no answer


@dataclass(frozen=True)
class Program:
    """A program that writes records. fields: those by which a record is known; read: the prediction of one."""

    name: str
    fields: frozenset[str]
    read: Callable[[Mapping[str, Any], Reading, str], Prediction]


def program_of(names: Iterable[str], reading: Reading) -> Program | None:
    """Return which program writes records of these fields; None where none does, or the user names the answer."""
    if not {"answer", "label", "scores"}.isdisjoint(reading.renamed):
        return None
    given = frozenset(names)
    return next((program for program in PROGRAMS if program.fields <= given), None)


def mteb(content: Mapping[str, Any], reading: Reading, where: str) -> Iterator[Prediction]:
    """Yield the predictions of a file of MTEB's `prediction_folder`, which has the field `MTEB_FIELD`.

    Of every sample of a zero-shot task, in the order of its data set, it holds the similarities with the candidate
    labels, in the order of the data set's classes; it names neither.

    Raises:
        UsageError: there are several subsets or splits, no such similarities, or no order of the clips or the classes.
    """
    parts = {(subset, split): rows
             for subset, splits in content.items() if subset != MTEB_FIELD and isinstance(splits, dict)
             for split, rows in splits.items()}  # fmt: skip
    if len(parts) != 1:
        named = ", ".join(f"{subset:.40}/{split:.40}" for subset, split in parts) or "none"
        raise UsageError(f"{where} is of MTEB and must have the predictions of one split; it has {named}")
    [rows] = parts.values()
    if not isinstance(rows, list) or not all(_are_similarities(row) for row in rows):
        raise UsageError(
            f"{where} is of MTEB and holds no list of similarities for each sample, as its zero-shot tasks write them"
        )
    if reading.clips is None:
        raise UsageError(
            f"{where} is of MTEB and names no clip. "
            "Try: --clip-order FILE, the clips of the task's data set in its order"
        )
    if len(rows) != len(reading.clips):
        raise UsageError(f"{where} has {len(rows):,} rows, but the order of clips has {len(reading.clips):,}")
    for number, (clip, row) in enumerate(zip(reading.clips, rows, strict=True)):
        place = f"{where}, row {number}"
        scores = np.array(row, dtype=np.float64)
        yield Prediction(where=place, clip=clip, labels=reading.columns(len(row), place), scores=scores)


def _are_similarities(row: Any) -> bool:
    """Return whether a row is a list of floats, None for NaN; tasks that train on labels write whole numbers."""
    return isinstance(row, list) and bool(row) and all(one is None or isinstance(one, float) for one in row)


def _lmms_eval(sample: Mapping[str, Any], reading: Reading, where: str) -> Prediction:
    """Return the prediction of a sample of lmms-eval.

    Its clip is that of `doc_id` in the user's order of clips; without one, a field of the sample, of its `doc` (written
    before version 0.4) or of what a metric kept names it.

    Raises:
        UsageError: nothing names the clip, there are several responses that are no likelihoods, or nothing names the
            options that these are of.
    """
    doc = sample.get("doc")
    parts = [part for part in (doc, sample, *sample.values()) if isinstance(part, dict)]
    clip = reading.clip_at(sample["doc_id"], where) if reading.clips is not None else _clip_of(parts, reading)
    if clip is None:
        raise UsageError(
            f"{where} is a sample of lmms-eval in which no field names the clip; its doc_id is the number of a row. "
            "Try: --clip-order FILE, the clips of the task's data set in its order, or --field clip=NAME"
        )
    answer = sample["filtered_resps"]
    while isinstance(answer, list) and len(answer) == 1:
        [answer] = answer
    options = next((listed for part in parts if (listed := _listed(part, reading))), ())
    if not options and isinstance(prompt := sample.get("input"), str):
        options = lettered(prompt.splitlines())
    truth = _text(sample.get("target"))
    if likelihoods := _likelihoods(answer):
        return _of_likelihoods(Prediction(where=where, clip=clip, truth=truth), likelihoods, options, reading)
    if not isinstance(answer, str):
        raise UsageError(
            f"{where} has filtered_resps that are neither one text nor a likelihood for each option: {answer!r:.60}"
        )
    return Prediction(where=where, clip=clip, answer=answer, options=options, truth=_truth(truth, options))


def _likelihoods(responses: Any) -> list[float]:
    """Return the numbers of a question whose every option was a request: of pairs (number, whether it is greedy).

    [] where the responses are something else. A log has numbers and truth values as texts.
    """
    if not isinstance(responses, list) or len(responses) < 2:
        return []
    found = []
    for pair in responses:
        if not isinstance(pair, list) or len(pair) != 2 or str(pair[1]) not in ("True", "False"):
            return []
        try:
            found.append(float(pair[0]))
        except (TypeError, ValueError):
            return []
    return found


def _of_likelihoods(bare: Prediction, values: list[float], options: tuple[str, ...], reading: Reading) -> Prediction:
    """Return a prediction with scores of its options, or else of the classes in the user's order.

    lmms-eval's models give the loss of an option, the mean over its tokens, and its task takes the smallest; its
    interface asks for a log-likelihood, of which the largest is the best. A loss is never negative and a
    log-likelihood never positive, so of both the one nearest to zero is. With the metric `acc_mutual_info` each is
    followed by that of the option without the question, which is not read.

    Raises:
        UsageError: so many options are nowhere, or there are losses and log-likelihoods.
    """
    n_values = len(values)
    known = [one for one in (options, reading.order or ()) if one and n_values in (len(one), 2 * len(one))]
    if not known:
        raise UsageError(
            f"{bare.where} has {n_values} likelihoods, and the sample does not name {n_values} options; lmms-eval logs "
            "none since 0.4. Try: --class-order FILE, the options in their order, where all questions have the same"
        )
    names = known[0]
    values = values[:: n_values // len(names)]
    if min(values) < 0 < max(values):
        raise UsageError(f"{bare.where} has likelihoods below and above 0: losses and log-likelihoods in one")
    scores = -np.abs(np.array(values, dtype=np.float64))
    at = int(bare.truth) if bare.truth.isascii() and bare.truth.isdecimal() and bare.truth not in names else len(names)
    truth = names[at] if at < len(names) else _truth(bare.truth, names)
    return replace(bare, labels=names, scores=scores, truth=truth)


def _vlmevalkit(row: Mapping[str, Any], reading: Reading, where: str) -> Prediction:
    """Return the prediction of a row of VLMEvalKit, in which `answer` is the true class.

    Its options are the columns A, B, C and so on, or `candidates`, or lettered lines of the question.

    Raises:
        UsageError: no field names the clip.
    """
    clip = _clip_of([row], reading)
    if clip is None:
        raise UsageError(
            f"{where} is a row of VLMEvalKit in which no field names the clip, such as video. Try: --field clip=NAME"
        )
    cells = {str(name).lower(): cell for name, cell in row.items()}
    answer = _text(cells["prediction"])
    columns = [_text(cells.get(letter)) for letter in ascii_lowercase]
    options = tuple(takewhile(bool, columns))
    if len(options) < 2:
        options = _listed(row, reading) or lettered(_text(cells["question"]).splitlines())
    if answer.startswith(_FAILED):
        answer = ""
    truth = _truth(_text(cells.get("answer")), options)
    return Prediction(where=where, clip=clip, answer=answer, options=options, truth=truth)


PROGRAMS: Final = (
    Program("lmms-eval", frozenset({"doc_id", "filtered_resps"}), _lmms_eval),
    Program("VLMEvalKit", frozenset({"index", "question", "prediction"}), _vlmevalkit),
)
"""The programs whose records are known by their fields."""


def _clip_of(parts: Sequence[Mapping[str, Any]], reading: Reading) -> str | None:
    """Return what names the clip in the first of these records that says so; None where none does."""
    for part in parts:
        if (name := reading.field("clip", CLIP, tuple(part))) is not None and (clip := _text(part[name])):
            return clip
    return None


def _listed(record: Mapping[str, Any], reading: Reading) -> tuple[str, ...]:
    """Return the options that a field of a record lists; () where none does."""
    name = reading.field("options", (*OPTIONS, "candidates"), tuple(record))
    return () if name is None else listed(record[name])


def _truth(text: str, options: Sequence[str]) -> str:
    """Return the true class, which may be given by the letter of an option."""
    letter = text.strip("().").upper()
    place = ascii_uppercase.find(letter) if len(letter) == 1 else -1
    return options[place] if 0 <= place < len(options) else text


def _text(cell: Any) -> str:
    """Return a cell as text, a whole number by its digits; "" where it holds neither."""
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    return cell.strip() if isinstance(cell, str) else ""

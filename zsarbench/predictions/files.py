"""Reads files of predictions: JSON, JSON lines, CSV, npz, parquet and xlsx, in the forms that people keep them in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.predictions import foreign_results, programs, tables
from zsarbench.predictions.layouts import CLASSES, CLIP, LABELS, SCORES, TRUE_ANSWERS, Layout, Reading, layout_of
from zsarbench.predictions.records import Prediction, check_ranks, is_record, label_of, prediction_of, value_of
from zsarbench.utils import text_files
from zsarbench.utils.array_files import read_arrays
from zsarbench.utils.documents import RepeatedKeys, read_json, read_json_lines
from zsarbench.utils.foreign import check_file, guarded, sha256_of

WHAT = "predictions"
MAX_BYTES = 2**30
"""The largest file that is read: scores of 20,000 clips among 400 classes have 0.2 GB as text."""


@dataclass(frozen=True, kw_only=True)
class PredictionFile:
    """A file of predictions as it was read.

    form: its format, by its ending. sha256: of its bytes. not_read: fields that say nothing of a prediction. unsure:
    the field that was read as the predictions, and may by its name be the true classes; "" where there is none.
    """

    path: Path
    form: str
    sha256: str
    predictions: tuple[Prediction, ...]
    not_read: tuple[str, ...]
    unsure: str = ""

    @property
    def in_words(self) -> bool:
        """Whether it holds answers in words."""
        return any(prediction.answer is not None for prediction in self.predictions)


def read(path: Path, reading: Reading) -> PredictionFile:
    """Return the predictions of a file.

    Raises:
        UsageError: see `form_of`; it names no clips or no predictions, or classes have no order.
        ZsarbenchError: it is too large, damaged or malformed.
    """
    form = form_of(path)
    with guarded(WHAT, path):
        check_file(path, WHAT, MAX_BYTES)
        fields = _Fields()
        found = tuple(FORMATS[form](path, reading, fields))
        reading.check_indices(f"{WHAT} {path}")
    if not found:
        raise UsageError(f"{WHAT} {path} is empty")
    return PredictionFile(
        path=path,
        form=form,
        sha256=sha256_of(path, WHAT, MAX_BYTES),
        predictions=found,
        not_read=tuple(sorted(filter(None, fields.all - fields.read))),
        unsure=_unsure(fields.read, reading),
    )


def _unsure(read_fields: Iterable[str], reading: Reading) -> str:
    """Return which of the fields that were read may by its name hold true classes; "" where none, or the user says."""
    known = {"label": LABELS, "answer": TRUE_ANSWERS}
    maybe = {name for ours, names in known.items() if ours not in reading.renamed for name in names}
    return next((name for name in read_fields if name.lower() in maybe), "")


def form_of(path: Path) -> str:
    """Return the format of a file that exists, one of `FORMATS`.

    Raises:
        UsageError: it does not exist, or its ending is none of them.
    """
    form = path.suffix.lower().removeprefix(".")
    if form in OTHER_SPREADSHEETS:
        raise UsageError(f"{WHAT} {path}: of spreadsheets xlsx is read. Try: save it as xlsx, CSV or TSV")
    if form in PACKED:
        raise UsageError(f"{WHAT} {path} is packed. Try: unpack it")
    if form not in FORMATS:
        raise UsageError(f"{WHAT} {path}: " + unknown("ending", form, FORMATS))
    if not os.path.isfile(path):
        raise UsageError(f"{WHAT} {path} does not exist or is not a file")
    return form


class _Fields:
    """The fields of a file's records, and those of them that are read; each set of fields is laid out once."""

    def __init__(self) -> None:
        self.all: set[str] = set()
        self.read: set[str] = set()
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def layout(self, names: tuple[str, ...], reading: Reading, where: str) -> Layout:
        if names not in self._layouts:
            layout = self._layouts[names] = layout_of(names, reading, where)
            self.all.update(names)
            self.read.update(layout.read)
        return self._layouts[names]


def _from_records(
    records: Iterable[tuple[str, Mapping[str, Any]]], reading: Reading, fields: _Fields
) -> Iterator[Prediction]:
    """Yield the predictions of records; those of one clip by rank are joined, the first rank first.

    Records of a program that is known are read as it writes them.
    """
    ranked: dict[str, list[tuple[float, Prediction]]] = {}
    for where, record in records:
        if (program := programs.program_of(record, reading)) is not None:
            yield program.read(record, reading, where)
            continue
        layout = fields.layout(tuple(record), reading, where)
        prediction = prediction_of(record, layout, reading, where)
        if layout.rank is None:
            yield prediction
            continue
        try:
            rank = float(record[layout.rank])
        except (TypeError, ValueError):
            raise UsageError(f"{where} has the rank {record[layout.rank]!r:.40}, which is not a number") from None
        ranked.setdefault(prediction.clip, []).append((rank, prediction))
    for rows in ranked.values():
        rows.sort(key=lambda row: row[0])
        if len({rank for rank, _ in rows}) < len(rows):
            raise UsageError(f"{rows[0][1].where}: clip '{rows[0][1].clip}' has a rank twice")
        parts = [prediction for _, prediction in rows]
        scores = [part.scores for part in parts if part.scores is not None]
        joined = np.concatenate(scores) if len(scores) == len(parts) else None
        check_ranks(joined, parts[0].where)
        yield replace(parts[0], labels=tuple(label for part in parts for label in part.labels), scores=joined)


# --- formats ----------------------------------------------------------------------------------------------------------


def _json(path: Path, reading: Reading, fields: _Fields) -> Iterator[Prediction]:
    content, whole = read_json(path, WHAT, MAX_BYTES, repeated=True, nan=True), f"{WHAT} {path}"
    if isinstance(content, dict):
        inner = next((content[name] for name in WRAPPERS if _are_predictions(content.get(name))), None)
        content = content if inner is None else inner
    if isinstance(content, list):
        yield from _from_records(_objects(((f"{whole}, item {n}", item) for n, item in enumerate(content)), whole),
                                 reading, fields)  # fmt: skip
        return
    if not isinstance(content, dict):
        raise UsageError(f"{whole} is {content!r:.40}; it must be an object or a list")
    if (program := foreign_results.program_of(content)) is not None:
        raise UsageError(
            f"{whole} is a result of {program.name}, which holds figures and no prediction of any clip. "
            f"Try: zsarbench result import {path}"
        )
    if programs.MTEB_FIELD in content:
        yield from programs.mteb(content, reading, whole)
        return
    names = tuple(content)
    clips = reading.field("clip", CLIP, names)
    if clips is not None and isinstance(content[clips], list):
        yield from _of_lists(content, content[clips], reading, fields, whole)
        return
    pairs = content.pairs if isinstance(content, RepeatedKeys) else tuple(content.items())
    matrix = any(isinstance(one, float) for _, value in pairs if isinstance(value, list) for one in value)
    inside = replace(reading, renamed={ours: theirs for ours, theirs in reading.renamed.items() if ours != "clip"})
    for clip, value in pairs:
        where = f"{whole}, '{clip:.80}'"
        if is_record(value) and not reading.words:
            record = {"clip": clip, **value}
            yield prediction_of(record, fields.layout(tuple(record), inside, where), inside, where)
        else:
            yield value_of(clip, value, reading, where, matrix=matrix)


def _are_predictions(value: Any) -> bool:
    """Return whether a value is clips with their predictions, and not one prediction or a list of them."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) for one in value)
    return is_record(value)


def _json_lines(path: Path, reading: Reading, fields: _Fields) -> Iterator[Prediction]:
    return _from_records(_objects(read_json_lines(path, WHAT, nan=True), f"{WHAT} {path}"), reading, fields)


def _csv(path: Path, reading: Reading, fields: _Fields) -> Iterator[Prediction]:
    one_of = (reading.renamed["clip"].lower(),) if "clip" in reading.renamed else CLIP
    names = text_files.header(path, WHAT, one_of)
    clip = next(name for name in one_of if name in names)
    return _from_records(text_files.rows(path, WHAT, [clip]), reading, fields)


def _npz(path: Path, reading: Reading, fields: _Fields) -> Iterator[Prediction]:
    return _columns(read_arrays(path, WHAT), reading, fields, f"{WHAT} {path}")


def _parquet(path: Path, reading: Reading, fields: _Fields) -> Iterator[Prediction]:
    return _from_records(tables.parquet_rows(path, WHAT), reading, fields)


def _xlsx(path: Path, reading: Reading, fields: _Fields) -> Iterator[Prediction]:
    return _from_records(tables.spreadsheet_rows(path, WHAT), reading, fields)


FORMATS: Mapping[str, Callable[[Path, Reading, _Fields], Iterator[Prediction]]] = {
    "json": _json,
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "csv": _csv,
    "tsv": _csv,
    "npz": _npz,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
"""How a file is read, by the ending of its name."""
OTHER_SPREADSHEETS = ("xls", "ods")
PACKED = ("gz", "bz2", "xz", "zip", "zst")
WRAPPERS = ("results", "predictions", "preds", "outputs", "samples", "data")
"""Fields that hold all predictions of a JSON file, beside what else it states, e.g. in the results of ActivityNet."""


def _objects(items: Iterable[tuple[str, Any]], whole: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, item in items:
        if not isinstance(item, dict):
            raise UsageError(f"{where} is {item!r:.40}; {whole} must hold an object for each clip, or clips by name")
        if isinstance(item, RepeatedKeys):
            raise ZsarbenchError(f"{where} has a field twice")
        yield where, item


def _of_lists(
    content: Mapping[str, Any], clips: list[Any], reading: Reading, fields: _Fields, whole: str
) -> Iterator[Prediction]:
    """Yield the predictions of an object of lists: clips, and next to each its scores or labels; perhaps classes."""
    of_clips = [name for name, value in content.items() if isinstance(value, list) and len(value) == len(clips)]
    classes = reading.field("classes", CLASSES, tuple(content))
    if classes is not None and isinstance(content[classes], list):
        reading = replace(reading, order=tuple(map(str, content[classes])))
        of_clips = [name for name in of_clips if name != classes]
    records = (
        (f"{whole}, clip {number}", {name: content[name][number] for name in of_clips}) for number in range(len(clips))
    )
    yield from _from_records(records, reading, fields)
    fields.all.update(set(content) - {classes})


# --- arrays -----------------------------------------------------------------------------------------------------------


def _columns(arrays: Mapping[str, NDArray[Any]], reading: Reading, fields: _Fields, where: str) -> Iterator[Prediction]:
    """Yield the predictions of arrays next to each other: clips, and scores (N, C), labels (N,) or both (N, k)."""
    names = tuple(arrays)
    clips_in, classes_in = reading.field("clip", CLIP, names), reading.field("classes", CLASSES, names)
    if clips_in is None:
        raise UsageError(f"{where} has no array that names the clips, such as clips; it has {', '.join(names)}")
    clips = [str(clip) for clip in _of_length(arrays[clips_in], None, where, clips_in)]
    scores_in, labels_in = reading.field("scores", SCORES, names), reading.label_field(names, where)
    scores = None if scores_in is None else _of_length(arrays[scores_in], len(clips), where, scores_in)
    labels = None if labels_in is None else _of_length(arrays[labels_in], len(clips), where, labels_in)
    if scores is not None and scores.dtype.kind not in "iuf":
        raise UsageError(f"{where}: '{scores_in}' holds {scores.dtype}, not numbers")
    if scores is not None and (scores.ndim != 2 or labels is None or labels.shape != scores.shape):
        labels, labels_in = None, None  # of all classes: what is called labels is then the truth
    fields.all.update(names)
    fields.read.update(name for name in (clips_in, scores_in, labels_in) if name is not None)
    if labels is not None:
        for row, clip in enumerate(clips):
            own = (labels[row] if labels.ndim == 2 else labels[row : row + 1]).tolist()
            kept = [place for place, label in enumerate(own) if label != ""]
            names = tuple(label_of(own[place], reading, where) for place in kept)
            of_own = None if scores is None else np.asarray(scores[row], dtype=np.float64)[kept]
            yield Prediction(where=f"{where}, row {row}", clip=clip, labels=names, scores=of_own)
        return
    if scores is None or scores.ndim != 2:
        raise UsageError(f"{where} has neither scores (N, C) nor labels (N,) or (N, k); it has {', '.join(names)}")
    if classes_in is not None:
        fields.read.add(classes_in)
    if classes_in is None:
        columns = reading.columns(scores.shape[1], where)
    else:
        classes = _of_length(arrays[classes_in], scores.shape[1], where, classes_in)
        columns = tuple(label_of(name, reading, where) for name in classes.tolist())
    for row, clip in enumerate(clips):
        yield Prediction(where=f"{where}, row {row}", clip=clip, labels=columns, scores=scores[row].astype(np.float64))


def _of_length(array: NDArray[Any], length: int | None, where: str, name: str) -> NDArray[Any]:
    if array.ndim not in (1, 2) or (length is not None and len(array) != length):
        expected = "(N,) or (N, C)" if length is None else f"{length} rows"
        raise UsageError(f"{where}: '{name}' has shape {array.shape}; {expected} is expected")
    return array

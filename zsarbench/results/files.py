"""Result files: JSON with the scores next to it, written atomically, never overwritten, read only where valid."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import tempfile
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.results.problems import Problem
from zsarbench.results.record import Predictions, RunResult, file_name
from zsarbench.results.validation import from_json, problems_of, validate
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.documents import invalid, json_text, read_json
from zsarbench.utils.foreign import guarded
from zsarbench.utils.schema import DoesNotFit
from zsarbench.utils.targets import OUT, unwritable

_log = logging.getLogger(__name__)


def write(result: RunResult, scores: Scores, folder: Path) -> Path:
    """Write `<folder>/<protocol>/<method>-<spec8>-<UTC>.json` and, first, its `.npz`; return the JSON's path.

    Nothing is ever overwritten: a second result of the same second gets the suffix `-2`.

    Raises:
        ZsarbenchError: the result is not valid.
    """
    place = folder / file_name(result.protocol.name)
    place.mkdir(parents=True, exist_ok=True)
    content = scores.to_bytes()
    target = _reserve(place, result.stem)
    try:
        predictions = Predictions(f"{target.stem}.npz", hashlib.sha256(content).hexdigest())
        text = _text(dataclasses.replace(result, predictions=predictions), target)
        write_atomic(target.with_suffix(".npz"), content)
        write_atomic(target, text)
    except BaseException:
        target.with_suffix(".npz").unlink(missing_ok=True)
        raise
    return target


def write_somewhere(result: RunResult, scores: Scores, folder: Path) -> Path:
    """Write a result as `write` does, but elsewhere where the disk filled up while it was measured.

    Raises:
        ZsarbenchError: it is not where it was to be; the message says where it is.
    """
    try:
        return write(result, scores, folder)
    except OSError as error:
        problem = unwritable(folder, "results", error, OUT)
        try:
            kept = write(result, scores, Path(tempfile.gettempdir()) / "zsarbench-results")
        except OSError:
            raise problem from error
        raise ZsarbenchError(f"{problem}. The result is kept: {kept}") from error


def rewrite(result: RunResult, path: Path) -> None:
    """Write a result into its own file again, whose scores stay as they are.

    Raises:
        ZsarbenchError: the result is not valid.
    """
    write_atomic(path, _text(result, path))


def read(path: Path) -> RunResult:
    """Return the result of a file.

    Raises:
        ZsarbenchError: it does not exist, is not JSON, has a newer schema, or is not valid; the message names the file
            and lists every problem.
    """
    content = read_json(path, "result file")
    try:
        return from_json(content).at(path)
    except DoesNotFit as error:
        raise invalid("result file", path, error.problems) from error
    except ZsarbenchError as error:
        raise ZsarbenchError(f"result file {path} {error}") from error


def problems(path: Path) -> list[Problem]:
    """Return by name what is wrong with a result file on its own; [] where `read` returns its result."""
    try:
        return problems_of(read_json(path, "result file"))
    except ZsarbenchError as error:
        return [Problem("format", str(error))]


def read_scores(path: Path, result: RunResult | None = None) -> Scores:
    """Return the scores of a result file. result: of that file, where it was read already.

    Raises:
        ZsarbenchError: the scores file is missing, damaged, or not the one whose sha256 the result holds.
    """
    return _scores_of(result or read(path), path)


def has_scores(result: RunResult, path: Path) -> bool:
    """Return whether the scores file that the result of a file names lies next to it."""
    if result.predictions is None:
        return False
    with guarded("result file", path):
        return scores_file(path, result).is_file()


def scores_or_none(path: Path, result: RunResult) -> Scores | None:
    """Return the scores of the result of a file, None where they cannot be read."""
    try:
        return read_scores(path, result) if has_scores(result, path) else None
    except ZsarbenchError:
        return None


def scores_file(path: Path, result: RunResult) -> Path:
    """Return where the scores of the result of a file are, next to it.

    Raises:
        ZsarbenchError: it names no scores file.
    """
    if result.predictions is None:
        raise ZsarbenchError(f"result file {path} names no scores file")
    return result.predictions.next_to(path)


def find(folder: Path) -> list[Path]:
    """Return the result files under a folder, sorted; [] where the folder does not exist."""
    return sorted(path for path in folder.rglob("*.json") if not path.is_dir())


def read_all(*places: Path) -> tuple[dict[Path, RunResult], dict[Path, str]]:
    """Return the results of files and of all files under folders, and why others could not be read, each by path."""
    valid: dict[Path, RunResult] = {}
    problems: dict[Path, str] = {}
    for path in dict.fromkeys(path for place in places for path in ([place] if place.is_file() else find(place))):
        try:
            valid[path] = read(path)
        except ZsarbenchError as error:
            problems[path] = str(error)
    return valid, problems


def load(*places: Path | str) -> list[RunResult]:
    """Return the results of files and of all files under folders, by default of `./results`, the newest first.

    A file that cannot be read is left out, and the log says why.

    Raises:
        UsageError: a place is no path, does not exist, or no result is there.
    """
    if other := [place for place in places if not isinstance(place, str | Path)]:
        raise UsageError(f"{other[0]!r:.80} is no path. Try: zsarbench.load_results(FOLDER, FILE)")
    paths = [Path(place) for place in places or ("results",)]
    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"'{missing[0]}' does not exist; give result files or folders that hold them")
    found, problems = read_all(*paths)
    for path, problem in problems.items():
        _log.warning("%s is left out: %s", path, problem)
    if not found:
        raise UsageError("there is no result to load. Try: zsarbench run --method NAME")
    return sorted(found.values(), key=lambda result: (result.created, result.stem), reverse=True)


def _text(result: RunResult, path: Path) -> bytes:
    """Return the JSON of a result file.

    Raises:
        ZsarbenchError: the result is not valid.
    """
    record = result.to_json()
    if problems := validate(record):
        raise invalid("result file", path, problems)
    return (json_text(record) + "\n").encode()


def _scores_of(result: RunResult, path: Path) -> Scores:
    if result.predictions is None:
        raise ZsarbenchError(f"result file {path} names no scores file")
    return result.predictions.read(path)


def _reserve(place: Path, stem: str) -> Path:
    """Return a JSON path that is free, and reserve it against other processes by creating the empty .npz."""
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

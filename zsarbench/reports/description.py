"""A result in words: what was measured, its figures, and what its predictions show of how sure the method is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.calibration import Calibration, calibration
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import METRICS, heading
from zsarbench.predictions.recording import no_confidences
from zsarbench.protocols import rounds_in_words
from zsarbench.reports.notes import note_text, notes_of
from zsarbench.results import RunResult

NO_SCORES = "its predictions hold places and no scores (zsarbench result compact), which say nothing of confidence"


def describe(path: Path) -> dict[str, Any]:
    """Return a result file in JSON types: what was measured, figures, notes, and calibration or why there is none.

    Raises:
        ZsarbenchError: the file is not valid.
    """
    result = results.read(path)
    one_seed = [item for item in result.rounds if item.seed == result.rounds[0].seed]
    found, missing = None, ""
    try:
        found, missing = _calibration(result, results.read_scores(path))
    except ZsarbenchError as error:
        missing = str(error)
    return {
        "file": str(path),
        "method": result.method.name,
        "plugin": result.method.plugin,
        "parts": {kind: part.name for kind, part in sorted(result.parts.items())},
        "train_on": result.train_on,
        "class_text": result.class_text.form,
        "protocol": result.protocol.name,
        "protocol_hash": result.protocol.hash,
        "dataset": f"{result.dataset.name}, revision {result.dataset.revision}",
        "rounds": rounds_in_words(len(one_seed), sum(item.duplicate_of is None for item in one_seed)),
        "seeds": len(result.seeds),
        "clips": {key: sum(getattr(item, key) for item in one_seed) for key in ("n_expected", "n_scored")},
        "summary": {name: asdict(summary) for name, summary in result.summary.items()},
        "notes": [note_text(note) for note in notes_of(result)],
        "calibration": None if found is None else asdict(found),
        "no_calibration": missing,
        "distributions": [asdict(one) | {"text": str(one)} for one in result.distributions or ()],
        "created": result.created,
        "command": result.command,
    }


def lines_of(content: dict[str, Any]) -> Iterator[str]:
    """Yield a described result for readers, in percent."""
    parts = " / ".join(content["parts"].values()) or "no parts"
    yield f"{content['method']} ({parts}) on {content['protocol']}"
    for key in ("plugin", "train_on", "class_text", "protocol_hash", "dataset", "rounds", "seeds"):
        yield f"  {key.replace('_', ' ')}: {content[key]}"
    yield f"  scored: {content['clips']['n_scored']:,}/{content['clips']['n_expected']:,} clips"
    for name in [name for name in METRICS if name in content["summary"]]:
        summary = content["summary"][name]
        ends = summary["ci95"]
        interval = f" [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" if ends else ""
        spread = f" ± {100 * summary['std']:.1f}" if summary["std"] is not None else ""
        chance = f", chance {100 * summary['chance']:.1f}" if summary["chance"] is not None else ""
        yield f"  {heading(name)}: {100 * summary['mean']:.1f}{spread}{interval}{chance}"
    yield from _calibration_lines(content["calibration"], content["no_calibration"])
    yield from (f"  note: {note}" for note in content["notes"])
    if distributions := content["distributions"]:
        yield f"  code: {', '.join(one['text'] for one in distributions)}"
    yield f"  measured: {content['created']}"
    yield f"  command: {content['command']}"


def _calibration(result: RunResult, scores: Scores) -> tuple[Calibration | None, str]:
    if reason := no_confidences(result):
        return None, reason
    if scores.form == "places":
        return None, NO_SCORES
    numbers = [number for number, item in enumerate(result.rounds) if item.duplicate_of is None]
    rounds = [(*scores.round(number), scores.groups[scores.rounds[number].clips]) for number in numbers]
    try:
        return calibration(rounds, whole=scores.form == "all"), ""
    except ValueError as error:
        return None, str(error)


def _calibration_lines(found: dict[str, Any] | None, missing: str) -> Iterator[str]:
    if found is None:
        yield f"  calibration: none, {missing}"
        return
    if found["error"] is not None:
        scaled = found["scaled_error"]
        after = "" if scaled is None else f", {100 * scaled:.1f} after temperature scaling ({found['temperature']:.2g})"
        yield f"  expected calibration error: {100 * found['error']:.1f} with the softmax of its scores{after}"
    kept = ", ".join(f"{100 * value:.1f} on {100 * share:.0f} %" for share, value in found["accuracy_at"].items())
    yield f"  top-1/video on the clips it is surest of: {kept}"
    yield f"  area under the risk-coverage curve: {100 * found['area']:.1f} (at best {100 * found['best_area']:.1f})"

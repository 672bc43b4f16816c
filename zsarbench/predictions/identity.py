"""What identifies predictions: what metrics depend on in them, whatever file and form they came in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import metrics
from zsarbench.evaluation.compact import compacted
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Setting
from zsarbench.results import RunResult

KIND = "predictions"
"""What the spec of a result of predictions has as its kind, and what stands for the plugin of its method."""


def is_of_predictions(result: RunResult) -> bool:
    """Return whether a result is of another program's predictions; its method then belongs to no plugin."""
    return result.spec.get("kind") == KIND


def problems(result: RunResult, scores: Scores) -> list[str]:
    """Return where a result of predictions is not what its scores give; [] for every other result."""
    if not is_of_predictions(result):
        return []
    found = []
    if (stated := result.spec.get("predictions")) != (own := digest(scores, result.protocol.setting)):
        found.append(f"its spec is of the predictions {str(stated)[:8]}, but its scores are {own[:8]}")
    if result.method.plugin != KIND or result.parts:
        found.append(f"it is of {KIND}, but names the plugin '{result.method.plugin}' and {len(result.parts)} parts")
    missing = {failure.clip_id for failure in result.failures if failure.missing}
    here = np.array([str(clip) not in missing for clip in scores.clip_ids])
    stated, given = result.method.record.get("clips_in_file"), in_file(scores, here, result.protocol.setting)
    if isinstance(stated, Mapping) and not (stated.keys() == given.keys() and np.allclose(*_values(stated, given))):
        found.append(f"clips_in_file is {dict(stated)}, but its scores give {given}")
    return found


def _values(stated: Mapping[str, Any], given: Mapping[str, float]) -> tuple[list[Any], list[float]]:
    numbers = [one if isinstance(one, int | float) else np.nan for one in (stated[name] for name in given)]
    return numbers, list(given.values())


def in_file(scores: Scores, here: NDArray[np.bool_], setting: Setting) -> dict[str, float]:
    """Return the metrics over the clips of a file alone, as papers count them: the mean over rounds.

    {} where a round has none of its clips there, or none of a side that it compares. here: (N,) whether a clip is.
    """
    values = []
    for number, item in enumerate(scores.rounds):
        matrix, labels = scores.round(number)
        kept = here[item.clips]
        try:
            values.append(metrics.evaluate(matrix[kept], labels[kept], setting=setting, seen=item.seen))
        except (ZsarbenchError, ValueError):
            return {}
    return {name: float(np.mean([one[name] for one in values])) for name in values[0]}


def digest(scores: Scores, setting: Setting) -> str:
    """Return the sha256 of what metrics depend on in predictions, whatever file and form they came in.

    That is each clip's best classes and their ties, and where a metric takes differences of scores these too.
    """
    by_scores = any(metric.kind == "ausuc" for metric in SETTINGS[setting].metrics)
    arrays = compacted(scores, "scores" if by_scores else "places").to_arrays()
    whole = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        whole.update(f"{name}\n{values.dtype.str}\n{values.shape}\n".encode())
        whole.update(values.tobytes())
    return whole.hexdigest()

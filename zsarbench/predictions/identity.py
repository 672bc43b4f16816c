"""What identifies predictions: what metrics depend on in them, whatever file and form they came in."""

from __future__ import annotations

import hashlib

import numpy as np

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
    return found


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

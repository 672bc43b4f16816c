"""Makes the scores file of a result small: of each clip the classes alone that its metrics depend on."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.best_classes import Form
from zsarbench.evaluation.compact import compacted
from zsarbench.results.files import read, read_scores, rewrite, scores_file
from zsarbench.results.recomputation import recompute
from zsarbench.results.record import Predictions, RunResult
from zsarbench.utils.atomic import write_atomic

MAX_FILE_BYTES = 1_250_000
"""What git can carry of a single file."""
SUFFIX = ".best.npz"
"""Of a compact scores file; that of a full one is `.npz`."""
FORMS: tuple[Form, ...] = ("places", "scores")


def compact(path: Path) -> RunResult:
    """Replace the scores file of a result by a compact one from which everything follows to the last digit.

    The compact file is written under a name of its own, then the result names it, then the full file is removed: killed
    at any point, the result has its scores. What is compact already stays as it is.

    Raises:
        ZsarbenchError: the scores are missing, damaged or another result's, or the result does not follow from them.
    """
    result, scores = read(path), read_scores(path)
    if scores.form != "all":
        return result
    if recompute(path, scores) != result:
        raise ZsarbenchError(
            f"result file {path} does not follow from its scores. Try: zsarbench result recompute {path}"
        )
    small = next(
        found for form in FORMS if recompute(path, found := compacted(scores, form)) == result or form == FORMS[-1]
    )
    content = small.to_bytes()
    full, target = scores_file(path, result), path.with_suffix(SUFFIX)
    write_atomic(target, content)
    again = dataclasses.replace(result, predictions=Predictions(target.name, hashlib.sha256(content).hexdigest()))
    rewrite(again, path)
    if recompute(path) != again:
        rewrite(result, path)
        target.unlink()
        raise ZsarbenchError(f"result file {path} does not follow from compact scores, so its full ones are kept")
    full.unlink()
    return again

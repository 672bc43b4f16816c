"""Predictions that MTEB keeps: similarities of a zero-shot task, in the order of a data set that they do not name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from listed import NAMES, Place, clips_of, findings
from zsarbench.errors import UsageError
from zsarbench.results import RunResult

CLIPS = clips_of(2)
ORDER = sorted(CLIPS, reverse=True)
"""The clips in the order of MTEB's data set, which is not that of ours."""
CLASSES = [*NAMES[5:], *NAMES[:5]]
RIGHT = frozenset(ORDER[:15])


def similarities(clip: str) -> list[float]:
    """Return what `probs.tolist()` is of a sample, in the order of MTEB's candidate labels."""
    best = CLIPS[clip] if clip in RIGHT else NAMES[NAMES.index(CLIPS[clip]) - 1]
    return [0.75 if name == best else 0.25 + place / 100 for place, name in enumerate(CLASSES)]


def predictions(rows: Any = None, subset: str = "default", split: str = "test") -> dict[str, Any]:
    """Return a file as `_save_task_predictions` of mteb/abstasks/abstask.py writes it."""
    rows = [similarities(clip) for clip in ORDER] if rows is None else rows
    return {"mteb_model_meta": {"model_name": "openai/clip", "revision": "3d74acf"}, subset: {split: rows}}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.make(tmp_path, CLIPS)
    (place.path / "clips.txt").write_text("\n".join(f"{clip}.avi" for clip in ORDER))
    (place.path / "classes.txt").write_text("\n".join(CLASSES))
    return place


def scored(place: Place, content: Any, orders: Sequence[str] = ("clip", "class")) -> RunResult:
    file = place.write("KineticsZeroShot_predictions.json", content)
    listed = {"clip": "clips.txt", "class": "classes.txt"}
    words = [word for one in orders for word in (f"--{one}-order", str(place.path / listed[one]))]
    [result] = place.score(file, *words)
    return result


def test_similarities_are_scores_of_the_clips_and_classes_that_the_user_lists(place: Place) -> None:
    one = scored(place, predictions())
    assert (one.summary["top1_per_video"].mean, findings(one)) == (15 / 24, {})
    assert one.method.options["mapping"] == "labels"
    assert "--clip-order clips.txt" in one.command
    few = scored(place, predictions([[math.nan] * 12 if n < 3 else similarities(clip) for n, clip in enumerate(ORDER)]))
    assert (few.summary["top1_per_video"].mean, findings(few)) == (12 / 24, {"empty": 3})


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        (("class",), r"is of MTEB and names no clip\. Try: --clip-order FILE, the clips of the task's data set"),
        (("clip",), r"row 0 holds 12 scores and does not name their classes\. Try: --class-order FILE"),
    ],
)  # fmt: skip
def test_an_order_that_is_not_given_is_asked_for(place: Place, orders: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scored(place, predictions(), orders)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (predictions([similarities(clip) for clip in ORDER[:20]]), "has 20 rows, but the order of clips has 24"),
        (predictions([similarities(clip)[:9] for clip in ORDER]), "row 0 holds 9 scores, but the order has 12 classes"),
        (predictions([[0, 1, 1] for _ in ORDER]), "holds no list of similarities for each sample, as its zero-shot"),
        (predictions([0.5 for _ in ORDER]), "holds no list of similarities"),
        (predictions({"query": {"document": 0.5}}), "holds no list of similarities"),
        (predictions() | {"de": {"test": []}}, "must have the predictions of one split; it has default/test, de/test"),
        ({"mteb_model_meta": {"model_name": "m"}}, "must have the predictions of one split; it has none"),
    ],
    ids=["clips", "classes", "labels", "one a sample", "retrieval", "subsets", "nothing"],
)  # fmt: skip
def test_predictions_of_other_tasks_or_data_are_refused(place: Place, content: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scored(place, content)

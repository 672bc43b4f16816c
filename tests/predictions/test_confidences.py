"""`zsarbench result show` on predictions: calibration where they say how sure they are, else the reason for none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from listed import NAMES, Place, clips_of

CLIPS = clips_of(2)
RIGHT = frozenset(list(CLIPS)[:18])


def best(clip: str) -> str:
    return CLIPS[clip] if clip in RIGHT else NAMES[(NAMES.index(CLIPS[clip]) + 1) % 12]


def second(clip: str) -> str:
    return NAMES[(NAMES.index(CLIPS[clip]) + 2) % 12]


def shown(tmp_path: Path, name: str, content: Any) -> list[str]:
    """Return what is shown of the calibration of each result of a file."""
    place = Place.make(tmp_path, CLIPS)
    place.score(place.write(name, content))
    found = []
    for path in sorted((place.path / "out").rglob("*.json")):
        text = place.run("result", "show", str(path), options=False)
        found += [line.strip() for line in text.splitlines() if "calibration" in line or "surest" in line]
        assert json.loads(place.run("result", "show", str(path), "--json", options=False))["summary"]
    return found


def test_predictions_with_scores_are_surest_where_they_are_far_ahead(tmp_path: Path) -> None:
    scores = {clip: {best(clip): 2.0 if clip in RIGHT else 1.1, second(clip): 1.0} for clip in CLIPS}
    assert shown(tmp_path, "scores.json", scores) == [
        "top-1/video on the clips it is surest of: 75.0 on 100 %, 94.7 on 80 %, 100.0 on 50 %, 100.0 on 20 %"
    ]


def test_answers_in_words_have_no_confidence(tmp_path: Path) -> None:
    """An answer that names two classes would else be less sure than one that names one."""
    rows = [{"clip": clip, "answer": best(clip) if n % 2 else f"{best(clip)} or {second(clip)}",
             "options": [second(clip), best(clip)]} for n, clip in enumerate(CLIPS)]  # fmt: skip
    found = shown(tmp_path, "answers.jsonl", rows)
    assert found == ["calibration: none, no confidences: answers in words carry none"] * 3


@pytest.mark.parametrize(
    ("of_clip", "reason"),
    [
        (lambda clip: best(clip), "24 of 24 predictions are labels"),
        (lambda clip: [best(clip), second(clip)], "24 of 24 predictions are labels"),
        (lambda clip: [best(clip), second(clip)][: 1 + (clip in RIGHT)], "24 of 24 predictions are labels"),
        (lambda clip: {best(clip): 0.5} if clip in RIGHT else best(clip), "6 of 24 predictions are labels"),
        (lambda clip: {best(clip): 0.5}, "in every clip the best score is as far ahead of the second"),
        (lambda clip: dict.fromkeys(NAMES, 0.0) | {best(clip): 1.0}, "in every clip the best score is as far ahead"),
    ],
    ids=["one label", "two labels", "one or two labels", "some scored", "one score", "one-hot"],
)  # fmt: skip
def test_labels_without_scores_have_no_confidence(tmp_path: Path, of_clip: Any, reason: str) -> None:
    content: Mapping[str, Any] = {clip: of_clip(clip) for clip in CLIPS}
    [line] = shown(tmp_path, "labels.json", content)
    assert line.startswith(f"calibration: none, no confidences: {reason}")

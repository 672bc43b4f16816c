"""Which field of a file is the prediction: never the true class beside it, whatever the two are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from listed import NAMES, Place, clips_of, findings
from zsarbench.errors import UsageError

CLIPS = clips_of(2)
TRUE = list(CLIPS.values())
PREDICTED = [NAMES[(NAMES.index(name) + number % 3) % 12] for number, name in enumerate(TRUE)]
RIGHT = sum(one == other for one, other in zip(PREDICTED, TRUE, strict=True)) / len(TRUE)
SCORES = [{name: 0.9 if name == best else 0.1 for name in NAMES} for best in PREDICTED]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path, CLIPS)


def records(predicted: str, true: str) -> list[dict[str, object]]:
    rows = zip(CLIPS, PREDICTED, TRUE, strict=True)
    return [{"clip": clip, true: label, predicted: best} for clip, best, label in rows]


def table(place: Place, header: list[str], rows: list[list[object]]) -> str:
    (place.path / "a.csv").write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]))
    return "a.csv"


def accuracy(place: Place, file: str, *words: str) -> float:
    [result] = place.score(file, *words)
    return result.summary["top1_per_video"].mean


@pytest.mark.parametrize(
    ("predicted", "true"),
    [
        ("predicted_label", "label"), ("pred_class", "class"), ("y_pred", "y_true"), ("top1", "label"),
        ("PredictedClass", "label"), ("label1", "label"), ("hypothesis", "labels"), ("rank1_label", "label"),
        ("prediction", "answer"), ("response", "answer"), ("output", "answer"),
    ],
)  # fmt: skip
def test_what_is_called_a_prediction_is_read_and_the_true_class_is_not(predicted: str, true: str, place: Place) -> None:
    for result in place.score(place.write("a.json", records(predicted, true))):
        assert result.summary["top1_per_video"].mean == pytest.approx(RIGHT)
        assert result.method.record["account"]["not_read"] == [true]


def test_scores_by_class_come_before_a_label_and_numbers_of_rows_are_no_class(place: Place) -> None:
    rows = zip(CLIPS, TRUE, SCORES, strict=True)
    lines: list[list[object]] = [
        [number, clip, label, *scores.values()] for number, (clip, label, scores) in enumerate(rows)
    ]
    assert accuracy(place, table(place, ["", "clip", "label", *NAMES], lines)) == pytest.approx(RIGHT)
    assert accuracy(place, table(place, ["Unnamed: 0", "clip", "class", *NAMES], lines)) == pytest.approx(RIGHT)
    with pytest.raises(UsageError, match=r"columns that name no class: 'fps'"):
        accuracy(place, table(place, ["fps", "clip", "label", *NAMES], lines))
    order = place.path / "order.txt"
    order.write_text("\n".join(NAMES))
    numbered = table(place, ["", "clip", "label", *map(str, range(12))], lines)
    assert accuracy(place, numbered, "--class-order", str(order)) == pytest.approx(RIGHT)


def test_labels_that_are_all_true_beside_fields_that_are_not_read_are_asked_about(place: Place) -> None:
    rows: list[list[object]] = [[clip, label, label] for clip, label in CLIPS.items()]
    file = table(place, ["clip", "label", "verdict"], rows)
    with pytest.raises(UsageError, match="'label' is the true class of every clip, and verdict is not read"):
        accuracy(place, file)
    assert accuracy(place, file, "--field", "label=label") == 1.0
    assert accuracy(place, place.write("b.json", dict(CLIPS))) == 1.0
    rows = [[clip, "What happens?", label] for clip, label in CLIPS.items()]
    with pytest.raises(UsageError, match="Try: --field answer=NAME"):
        accuracy(place, table(place, ["clip", "question", "answer"], rows))


def test_several_fields_that_may_be_the_prediction_are_asked_about(place: Place) -> None:
    rows = [{**row, "model_pred": row["y_pred"], "pred_score": 0.5} for row in records("y_pred", "label")]
    file = place.write("a.json", rows)
    with pytest.raises(UsageError, match=r"several fields that may hold what was predicted: 'y_pred', 'model_pred'"):
        accuracy(place, file)
    assert accuracy(place, file, "--field", "label=y_pred") == pytest.approx(RIGHT)
    nested = {str(row.pop("clip")): row for row in rows}
    assert accuracy(place, place.write("b.json", nested), "--field", "label=y_pred") == pytest.approx(RIGHT)
    nothing: list[list[object]] = [[clip, "test"] for clip in CLIPS]
    with pytest.raises(UsageError, match=r"no field that is known to hold a prediction, .* it has 'split'"):
        accuracy(place, table(place, ["clip", "split"], nothing))


def test_objects_of_label_and_score_and_what_stands_around_all_predictions_are_read(place: Place) -> None:
    listed = {
        clip: [{"label": name, "score": score} for name, score in scores.items()]
        for clip, scores in zip(CLIPS, SCORES, strict=True)
    }
    file = place.write("a.json", {"version": "1", "results": listed, "external_data": {}})
    assert accuracy(place, file) == pytest.approx(RIGHT)
    assert accuracy(place, place.write("b.json", {"results": records("pred", "label")})) == pytest.approx(RIGHT)
    file = place.write("c.json", {"model": "m", "predictions": dict(zip(CLIPS, PREDICTED, strict=True))})
    assert accuracy(place, file) == pytest.approx(RIGHT)
    with pytest.raises(UsageError, match="an object without label and score"):
        accuracy(place, place.write("d.json", {clip: [{"name": "golf"}] for clip in CLIPS}))


def test_whole_numbers_are_indices_however_they_are_written_and_never_taken_for_scores(place: Place) -> None:
    order = place.path / "order.txt"
    order.write_text("\n".join(NAMES))
    rows: list[list[object]] = [[clip, f"{NAMES.index(best)}.0"] for clip, best in zip(CLIPS, PREDICTED, strict=True)]
    assert accuracy(place, table(place, ["clip", "label"], rows), "--class-order", str(order)) == pytest.approx(RIGHT)
    one_hot = {
        clip: [int(value) for value in np.eye(12)[NAMES.index(best)]]
        for clip, best in zip(CLIPS, PREDICTED, strict=True)
    }
    with pytest.raises(UsageError, match="scores, or indices of classes"):
        accuracy(place, place.write("a.json", one_hot), "--class-order", str(order))


def test_scores_that_contradict_their_ranks_are_asked_about(place: Place) -> None:
    numbered: list[list[object]] = [[clip, "golf", 0.1, "diving", 0.9] for clip in CLIPS]
    with pytest.raises(UsageError, match="higher score at a worse rank; are they distances"):
        accuracy(place, table(place, ["clip", "label1", "score1", "label2", "score2"], numbered))
    ranked: list[list[object]] = [
        [clip, rank, name, rank / 10] for clip in CLIPS for rank, name in enumerate(("golf", "diving"))
    ]
    with pytest.raises(UsageError, match="higher score at a worse rank; are they distances"):
        accuracy(place, table(place, ["clip", "rank", "label", "score"], ranked))


def test_options_are_read_in_every_form(place: Place) -> None:
    forms = (str, list, "|".join, lambda names: dict(zip("ABC", names, strict=True)),
             lambda names: [f"{letter}. {name}" for letter, name in zip("ABC", names, strict=True)])  # fmt: skip
    for form in forms:
        rows = [
            {"clip": clip, "answer": "B", "options": form([NAMES[NAMES.index(label) - 1], label, "none"])}
            for clip, label in CLIPS.items()
        ]
        result = next(
            one for one in place.score(place.write("a.jsonl", rows)) if one.method.options["mapping"] == "choice"
        )
        assert result.summary["top1_per_video"].mean == 1.0
        assert findings(result) == {}
    with pytest.raises(UsageError, match="not a list of two texts or more"):
        place.score(place.write("b.jsonl", [{"clip": clip, "answer": "B", "options": "golf"} for clip in CLIPS]))

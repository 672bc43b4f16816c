"""Figures of results: what they show, that they can be read, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zsarbench import plots
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.gap import Gap, Points

RNG = np.random.default_rng(0)


def scored(n_classes: int, per_class: int = 4) -> tuple[np.ndarray, np.ndarray, list[str]]:
    labels = np.repeat(np.arange(n_classes), per_class)
    scores = RNG.random((len(labels), n_classes)).astype(np.float32)
    scores[np.arange(len(labels)), labels] += 0.5
    return scores, labels, [f"Class{number:03d}" for number in range(n_classes)]


def gap_of(n_classes: int, shared: bool, dims: tuple[int, int] = (12, 12)) -> Gap:
    labels = np.repeat(np.arange(n_classes), 3)
    owner = np.arange(n_classes)
    sides = [
        Points(RNG.random((len(labels), clips)), RNG.random((n_classes, texts)), owner)
        for clips, texts in (dims, (5, 5))
    ]
    return Gap(tuple(f"Class{number:03d}" for number in owner), labels, *sides, shared)


@pytest.mark.parametrize("n_classes", [3, 101])
def test_a_confusion_matrix_names_every_class_on_both_sides(tmp_path: Path, n_classes: int) -> None:
    scores, labels, names = scored(n_classes)
    png, svg = plots.write(plots.confusion(scores, labels, names, "made"), tmp_path / "new", "confusion")
    assert png.read_bytes()[:4] == b"\x89PNG"
    text = svg.read_text()
    assert all(text.count(f">{name}<") == 2 for name in names)


def test_the_cells_are_percentages_of_the_class_and_unread_clips_are_in_none() -> None:
    scores = np.array([[1, 0], [1, 0], [0, 1], [np.nan, np.nan]])
    figure = plots.confusion(scores, np.array([0, 0, 1, 1]), ["a", "b"], "made")
    assert figure.axes[0].images[0].get_array().tolist() == [[100, 0], [0, 50]]
    assert "4 clips, 1 not read, top-1 per video 75.0 %" in figure.axes[0].get_title()


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    scores, labels, names = scored(4)
    first, second = (
        plots.write(plots.confusion(scores, labels, names, "made"), tmp_path / folder, "x") for folder in "ab"
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_training_draws_every_loss_of_every_fit_and_rings_the_kept_epoch() -> None:
    fits = [
        {"losses": [{"loss": 2.0, "validation_loss": 3.0}, {"loss": 1.0, "validation_loss": 3.5}], "best_epoch": 1},
        {"losses": [{"loss": 2.0, "validation_loss": "nan"}], "best_epoch": 0},
    ]
    axes = plots.training(fits, "made").axes[0]
    assert len(axes.lines) == 5
    assert list(axes.lines[2].get_xydata()[0]) == [1, 3]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:2] == ["training loss of fit 1", "validation loss of fit 1"]


def test_a_result_without_losses_is_told() -> None:
    with pytest.raises(ZsarbenchError, match="holds no losses"):
        plots.training([{"positives": "captions"}], "made")


@pytest.mark.parametrize(
    ("shared", "dims", "pictures"), [(True, (12, 12), 2), (False, (12, 12), 3), (False, (9, 4), 3)]
)
def test_before_the_joint_space_sides_share_a_picture_only_where_they_share_a_space(
    shared: bool, dims: tuple[int, int], pictures: int
) -> None:
    assert len(plots.semantic_gap(gap_of(4, shared, dims), "made").axes) == pictures


@pytest.mark.parametrize("n_classes", [2, 60])
def test_every_class_of_a_semantic_gap_is_named(n_classes: int) -> None:
    figure = plots.semantic_gap(gap_of(n_classes, True), "made")
    texts = [text.get_text() for holder in (figure, *figure.axes) for text in holder.texts]
    assert all(any(f"Class{number:03d}" in text for text in texts) for number in range(n_classes))


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZsarbenchError, match=r"cannot be written to .*file.*--out DIR"):
        plots.write(plots.confusion(*scored(2), "made"), tmp_path / "file", "x")


def test_a_round_that_is_not_there_is_named() -> None:
    from types import SimpleNamespace

    from zsarbench.cli import plot

    with pytest.raises(UsageError, match="has rounds 1 to 2, not 3"):
        plot._checked(3, SimpleNamespace(rounds=(1, 2)))  # type: ignore[arg-type]

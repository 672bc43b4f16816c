"""Figures of results: what they show, that they can be read, and what cannot be drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.summary import Summary
from zsarbench.reports import figures
from zsarbench.reports.semantic_gap import Gap, Points
from zsarbench.reports.sensitivity import Sensitivity
from zsarbench.utils import seeding

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
    return Gap(tuple(f"Class{number:03d}" for number in owner), labels, *sides, shared, 0.0)


@pytest.mark.parametrize("n_classes", [3, 101])
def test_a_confusion_matrix_names_every_class_on_both_sides(tmp_path: Path, n_classes: int) -> None:
    scores, labels, names = scored(n_classes)
    png, svg = figures.write_figure(
        figures.draw_confusion(scores, labels, names, "a title"), tmp_path / "new", "confusion"
    )
    assert png.read_bytes()[:4] == b"\x89PNG"
    text = svg.read_text()
    assert all(text.count(f">{name}<") == 2 for name in names)


def test_names_of_others_are_drawn_as_they_are(tmp_path: Path) -> None:
    names = [r"$\frac{$", "a$b$\x1b[2J\x07"]
    figure = figures.draw_confusion(np.eye(2), np.array([0, 1]), names, r"$\undefined$ <b>")
    svg = next(path for path in figures.write_figure(figure, tmp_path, "x") if path.suffix == ".svg").read_text()
    assert r"$\frac{$" in svg
    assert "\x1b" not in svg


def test_the_cells_are_percentages_of_the_class_and_unread_clips_are_in_none() -> None:
    scores = np.array([[1, 0], [1, 0], [0, 1], [np.nan, np.nan]])
    figure = figures.draw_confusion(scores, np.array([0, 0, 1, 1]), ["a", "b"], "a title")
    assert figure.axes[0].images[0].get_array().tolist() == [[100, 0], [0, 50]]
    assert "4 clips, 1 not read, top-1 per video 75.0 %" in figure.axes[0].get_title()


def test_a_clip_whose_best_scores_are_equal_counts_in_equal_parts() -> None:
    figure = figures.draw_confusion(np.array([[1.0, 1.0, 0.0], [0.5] * 3]), np.array([0, 1]), ["a", "b", "c"], "chance")
    shown = figure.axes[0].images[0].get_array()
    assert np.allclose(shown, [[50, 50, 0], [100 / 3] * 3, [0, 0, 0]])


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    scores, labels, names = scored(4)
    first, second = (
        figures.write_figure(figures.draw_confusion(scores, labels, names, "a title"), tmp_path / folder, "x")
        for folder in "ab"
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_training_draws_every_loss_of_every_fit_and_rings_the_kept_epoch() -> None:
    fits = [
        {"losses": [{"loss": 2.0, "validation_loss": 3.0}, {"loss": 1.0, "validation_loss": 3.5}], "best_epoch": 1},
        {"losses": [{"loss": 2.0, "validation_loss": "nan"}], "best_epoch": 0},
    ]
    axes = figures.draw_training(fits, "a title").axes[0]
    assert len(axes.lines) == 5
    assert list(axes.lines[2].get_xydata()[0]) == [1, 3]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:2] == ["training loss of fit 1", "validation loss of fit 1"]


def test_a_result_without_losses_is_reported() -> None:
    with pytest.raises(ZsarbenchError, match="holds no losses"):
        figures.draw_training([{"positives": "captions"}], "a title")


@pytest.mark.parametrize(
    ("shared", "dims", "pictures"), [(True, (12, 12), 2), (False, (12, 12), 3), (False, (9, 4), 3)]
)
def test_before_the_joint_space_sides_share_a_picture_only_where_they_share_a_space(
    shared: bool, dims: tuple[int, int], pictures: int
) -> None:
    assert len(figures.draw_semantic_gap(gap_of(4, shared, dims), "a title").axes) == pictures


@pytest.mark.parametrize("n_classes", [2, 60])
def test_every_class_of_a_semantic_gap_is_named(n_classes: int) -> None:
    figure = figures.draw_semantic_gap(gap_of(n_classes, True), "a title")
    texts = [text.get_text() for holder in (figure, *figure.axes) for text in holder.texts]
    assert all(any(f"Class{number:03d}" in text for text in texts) for number in range(n_classes))


@pytest.mark.parametrize(("n_classes", "last"), [(5, "Class004"), (101, "101")])
def test_every_picture_of_a_semantic_gap_tells_its_classes(n_classes: int, last: str) -> None:
    """Also that of the clips alone, where no star is."""
    figure = figures.draw_semantic_gap(gap_of(n_classes, False), "a title")
    for axes in figure.axes:
        texts = [text.get_text() for text in axes.texts]
        assert len(texts) == n_classes
        assert last in texts


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZsarbenchError, match=r"cannot be written to .*file.*--out DIR"):
        figures.write_figure(figures.draw_confusion(*scored(2), "a title"), tmp_path / "file", "x")


def sensitivity_of(numeric: bool, *values: str, **lines: dict[str, float]) -> Sensitivity:
    """Return accuracies by value for each line, whose intervals are 0.1 to either side but for those of 0.5."""
    summaries = {
        label: {
            value: Summary(mean, None, "", None if mean == 0.5 else (mean - 0.1, mean + 0.1), None, None)
            for value, mean in line.items()
        }
        for label, line in lines.items()
    }
    return Sensitivity(
        protocol="toy/half", option="loss.margin", metric="top-1/video", values=values, numeric=numeric,
        lines=summaries, chance=0.25, left_out=(),
    )  # fmt: skip


def test_numbers_have_their_places_on_an_axis_and_intervals_around_them() -> None:
    found = sensitivity_of(True, "1", "2", "8", a={"1": 0.3, "2": 0.4, "8": 0.5}, b={"1": 0.5, "8": 0.6})
    (axes,) = figures.draw_sensitivity(found).axes
    one, other, chance = axes.lines
    np.testing.assert_allclose(one.get_xydata(), [[1, 30], [2, 40], [8, 50]])
    np.testing.assert_allclose(other.get_xydata(), [[1, 50], [8, 60]])
    assert one.get_marker() != other.get_marker()
    assert [one.get_linestyle(), chance.get_linestyle()] == ["-", ":"]
    assert set(chance.get_ydata()) == {25.0}
    ends = [bar.get_segments()[0].tolist() for bar in axes.collections]
    np.testing.assert_allclose(ends, [[[1, 20], [1, 40]], [[2, 30], [2, 50]], [[8, 50], [8, 70]]])
    assert axes.get_xscale() == "linear"
    assert axes.get_title() == "toy/half; bars: 95 % intervals"


@pytest.mark.parametrize(
    ("values", "scale"),
    [(("1", "8"), "linear"), (("1", "8.1"), "log"), (("0", "9"), "linear"), (("-9", "9"), "linear")],
)
def test_an_axis_is_logarithmic_where_values_are_far_apart_and_above_zero(values: tuple[str, ...], scale: str) -> None:
    (axes,) = figures.draw_sensitivity(sensitivity_of(True, *values, a=dict.fromkeys(values, 0.5))).axes
    assert axes.get_xscale() == scale
    assert axes.get_title() == "toy/half; no intervals"
    assert [text.get_text() for text in axes.get_xticklabels()] == list(values)


def test_names_stand_side_by_side_with_half_of_the_room_between_them() -> None:
    line = {"x": 0.3, "y": 0.4}
    (axes,) = figures.draw_sensitivity(sensitivity_of(False, "x", "y", a=line, b=line)).axes
    np.testing.assert_allclose([one.get_xdata() for one in axes.lines[:2]], [[-0.125, 0.875], [0.125, 1.125]])
    assert axes.get_xlim() == (-0.5, 1.5)
    assert axes.lines[0].get_linestyle() == "None"


@pytest.mark.parametrize(("n_classes", "width", "height"), [(3, 6.7, 6.1), (30, 8.3, 7.7)])
def test_a_confusion_matrix_has_a_line_of_room_for_each_class(n_classes: int, width: float, height: float) -> None:
    figure = figures.draw_confusion(*scored(n_classes, 1), "a title")
    assert figure.get_size_inches() == pytest.approx((width, height))


@pytest.mark.parametrize(("n_classes", "numbered"), [(40, True), (41, False)])
def test_cells_of_few_classes_hold_their_percentage(n_classes: int, numbered: bool) -> None:
    labels = np.arange(n_classes)
    figure = figures.draw_confusion(np.eye(n_classes), labels, [f"c{label}" for label in labels], "a title")
    texts = figure.axes[0].texts
    assert len(texts) == numbered * n_classes
    assert not numbered or {(text.get_text(), text.get_color()) for text in texts} == {("100", "white")}
    assert not numbered or [text.get_position() for text in texts] == [(label, label) for label in labels]


def test_numbers_are_white_on_dark_cells_alone() -> None:
    scores = np.array([[1.0, 0.0]] * 3 + [[0, 1]] * 2 + [[1, 0]] * 2 + [[0, 1]] * 3)  # 60 % and 40 % of each class
    figure = figures.draw_confusion(scores, np.repeat([0, 1], 5), ["a", "b"], "a title")
    assert {text.get_color() for text in figure.axes[0].texts} == {"black"}


def test_few_fits_have_a_legend_and_one_fit_no_number() -> None:
    row = {"losses": [{"loss": 2.0}], "best_epoch": 0}
    for n_fits, labels in ((1, ["training loss"]), (6, [f"training loss of fit {n}" for n in range(1, 7)]), (7, None)):
        (axes,) = figures.draw_training([row] * n_fits, "a title").axes
        legend = axes.get_legend()
        assert (None if legend is None else [text.get_text() for text in legend.get_texts()]) == labels
        ends = "" if n_fits == 1 else "s"
        assert axes.get_title() == f"a title\n{n_fits} fit{ends}; ring: weights kept"
        assert len(axes.lines) == n_fits  # no ring where no epoch was kept


def test_validation_is_solid_and_its_loss_decides_where_the_ring_is() -> None:
    losses = [{"loss": 2.0, "validation_loss": 3.0, "other_loss": 1.0}, {"loss": 1.0, "validation_loss": 2.5}]
    (axes,) = figures.draw_training([{"losses": losses, "best_epoch": 2}], "a title").axes
    training, validation, other, ring = axes.lines
    assert [line.get_linestyle() for line in (training, validation, other)] == ["--", "-", "--"]
    assert other.get_label() == "other loss"
    assert np.isnan(other.get_ydata()[1])
    assert ring.get_xydata().tolist() == [[2.0, 2.5]]
    assert axes.get_ylim()[0] == 0
    assert "solid: validation, dashed: training" in axes.get_title()


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a plain projection in the place of t-SNE, and return what each was made with."""
    made: list[dict[str, Any]] = []

    class Plain:
        def __init__(self, **given: Any) -> None:
            made.append(given)

        def fit_transform(self, rows: np.ndarray) -> np.ndarray:
            return rows[:, :2]

    monkeypatch.setattr("sklearn.manifold.TSNE", Plain)
    return made


@pytest.mark.usefixtures("placed")
def test_fewer_points_than_t_sne_takes_lie_on_a_line() -> None:
    figure = figures.draw_semantic_gap(gap_of(1, False), "a title")
    clips, sentences, _ = figure.axes
    assert clips.collections[0].get_offsets().tolist() == [[0, 0], [1, 0], [2, 0]]
    assert sentences.collections[0].get_offsets().tolist() == [[0, 0]]
    assert [axes.get_title() for axes in figure.axes] == [
        "before: clips, features of the visual part (12)",
        "before: class sentences, vectors of the text part (12)",
        "after: joint space (5)",
    ]


def test_points_are_placed_by_their_directions(placed: list[dict[str, Any]]) -> None:
    gap = gap_of(4, True)
    figure = figures.draw_semantic_gap(gap, "a title")
    for axes, side in zip(figure.axes, (gap.before, gap.after), strict=True):
        for part, rows in zip(axes.collections, (side.clips, side.sentences), strict=True):
            unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            np.testing.assert_allclose(part.get_offsets(), unit[:, :2])
    seed = seeding.derive(0, "t-sne") % 2**32
    assert placed == [{"perplexity": 5.0, "init": "pca", "random_state": seed}] * 2  # a third of 15 other points
    figures.draw_semantic_gap(gap_of(23, True), "a title")
    assert [given["perplexity"] for given in placed[2:]] == [30.0, 30.0]


@pytest.mark.parametrize(("n_classes", "columns"), [(13, 1), (51, 1), (52, 2), (103, 3)])
@pytest.mark.usefixtures("placed")
def test_names_of_many_classes_are_listed_in_columns_of_at_most_51(n_classes: int, columns: int) -> None:
    figure = figures.draw_semantic_gap(gap_of(n_classes, True), "a title")
    places = [text.get_position() for text in figure.texts if "Class" in text.get_text()]
    assert len(places) == n_classes
    across = sorted({x for x, _ in places})
    assert len(across) == columns
    assert across[0] == 1
    assert np.diff(across) * figure.get_figwidth() == pytest.approx([1.9] * (columns - 1))  # inches
    of_first = [y for x, y in places if x == 1]
    assert of_first[0] == 0.95
    assert np.diff(of_first) == pytest.approx(-0.9 / 51)
    assert min(y for _, y in places) >= 0.05


# --- through the command line -----------------------------------------------------------------------------------------


def sampled(folder: Path, n_rounds: int = 1) -> Path:
    scores = sample_scores(n_rounds=n_rounds)
    return results.write(sample_result(scores), scores, folder)


def plot(*words: object) -> None:
    CliRunner().invoke(cli, ["plot", *map(str, words)], catch_exceptions=False)


def test_a_round_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has rounds 1 to 2, not 3"):
        plot("confusion", sampled(tmp_path, n_rounds=2), "--out", tmp_path / "plots", "--round", 3)


@pytest.mark.parametrize("what", ["confusion", "semantic-gap"])
def test_scores_that_are_not_the_results_own_are_not_drawn(tmp_path: Path, what: str) -> None:
    path = sampled(tmp_path)
    path.with_suffix(".npz").write_bytes(sample_scores(skill=0.5).to_bytes())
    with pytest.raises(ZsarbenchError, match="sha256 differs"):
        plot(what, path, "--out", tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


CLASSES = ("lift", "push", "turn", "open")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result file that a run of the command line wrote: CEZSAR on features of four classes, two of them seen."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "features").mkdir()
    clips = {f"{name}{number}": name for name in CLASSES for number in range(6)}
    for clip in clips:
        np.save(folder / "features" / f"{clip}.npy", RNG.random((4, 8), dtype=np.float32))
    (folder / "clips.csv").write_text("clip,label\n" + "".join(f"{clip}.mp4,{name}\n" for clip, name in clips.items()))
    head = 'name = "folder/few"\nversion = 1\ndataset = "folder"\nsetting = "zsl"\nclass_text = "name"\n'
    lists = f'[[rounds]]\nseen = ["lift", "push"]\ncandidates = {json.dumps(CLASSES[2:])}\n'
    (folder / "few.toml").write_text(f'{head}summary = "Few."\nsource = "This."\n{lists}')
    typed(
        "run", "--method", "cezsar", "--protocol", folder / "few.toml", "--out", folder, "--threads", "1",
        *("--visual", "feature-files", "--text", "hashed-words", "--negatives", "uniform"),
        *sets(f"dataset.annotations={folder / 'clips.csv'}", f"visual.folder={folder / 'features'}", "visual.dim=8"),
        *sets("method.d_model=8", "method.feedforward=8", "method.max_epochs=3", "method.n_negatives=1"),
    )  # fmt: skip
    (path,) = folder.rglob("cezsar-*.json")
    return path


def sets(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def typed(*words: object) -> None:
    from zsarbench.cli.main import main

    with pytest.raises(SystemExit) as done:
        main([str(word) for word in words])
    assert done.value.code == 0


@pytest.mark.parametrize(
    ("what", "name", "words"),
    [("confusion", "confusion-1", CLASSES[2:]), ("training", "training", ("epoch", "training loss"))],
)
def test_the_command_draws_a_result(
    result: Path, tmp_path: Path, what: str, name: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    typed("plot", what, result, "--out", tmp_path)
    png, svg = (tmp_path / f"{result.stem}-{name}.{ending}" for ending in ("png", "svg"))
    assert capsys.readouterr().out.split() == [str(png), str(svg)]
    assert png.stat().st_size > 5000
    assert all(f">{word}<" in svg.read_text() for word in words)


def test_the_command_makes_the_fit_of_a_semantic_gap_again(
    result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It replays the recorded command with the recorded threads, so the scores are the same to the bit."""
    from zsarbench.reports import semantic_gap as gap

    specs, gaps = [], []
    of_run = gap.of_run

    def noted(spec: Any, *more: Any) -> Gap:
        specs.append(spec)
        gaps.append(of_run(spec, *more))
        return gaps[-1]

    monkeypatch.setattr(gap, "of_run", noted)
    typed("plot", "semantic-gap", result, "--out", tmp_path)
    recorded = results.read(result)
    assert [(results.spec_id(spec.what.identity()), spec.where.threads, spec.where.refit) for spec in specs] == [
        (recorded.spec_id, 1, False)
    ]
    assert [gap.difference for gap in gaps] == [0]
    out = capsys.readouterr()
    assert "other scores" not in out.err
    svg = (tmp_path / f"{result.stem}-semantic-gap-1.svg").read_text()
    assert str(tmp_path / f"{result.stem}-semantic-gap-1.png") in out.out
    assert "points: 12 clips" in svg  # names with a halo are outlines, no text
    typed("plot", "semantic-gap", result, "--out", tmp_path, "--threads", "2")
    assert specs[-1].where.threads == 2

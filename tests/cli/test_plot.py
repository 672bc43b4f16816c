"""`zsarbench plot`: which files are drawn of a result, and what is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.cli.verbs.plot import drawing
from zsarbench.errors import UsageError

Drawn = dict[str, Any]


def plot(*words: object, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["plot", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of two rounds."""
    scores = sample_scores(n_rounds=2)
    return results.write(sample_result(scores), scores, tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """What is given to what draws, whose place is taken: names of figures with their titles, and written files."""
    given: Drawn = {"figures": [], "files": []}

    def draw(kind: str) -> Callable[..., str]:
        return lambda *content: given["figures"].append((kind, *content)) or kind

    def write_figure(figure: str, out: Path, name: str) -> list[Path]:
        given["files"].append((figure, out, name))
        return [out / f"{name}.png", out / f"{name}.svg"]

    kinds = {f"draw_{kind}": draw(kind) for kind in ("confusion", "training", "semantic_gap", "sensitivity")}
    instead = SimpleNamespace(write_figure=write_figure, **kinds)
    monkeypatch.setattr("zsarbench.cli.verbs.plot.drawing", lambda: instead)
    return given


def test_a_confusion_matrix_is_of_the_first_round_in_the_folder_plots(drawn: Drawn, result: Path) -> None:
    name = f"{result.stem}-confusion-1"
    assert plot("confusion", result).stdout == f"plots/{name}.png\nplots/{name}.svg\n"
    ((kind, matrix, labels, names, title),) = drawn["figures"]
    scores = results.read_scores(result)
    assert (kind, matrix.shape, len(labels)) == ("confusion", (32, 8), 32)
    assert names == [str(scores.class_names[index]) for index in scores.rounds[0].classes]
    assert title == "cezsar on toy/half, round 1 of 2"


def test_another_round_and_folder_can_be_named(drawn: Drawn, result: Path, tmp_path: Path) -> None:
    plot("confusion", result, "--round", 2, "--out", tmp_path)
    scores = results.read_scores(result)
    assert drawn["figures"][0][3] == [str(scores.class_names[index]) for index in scores.rounds[1].classes]
    assert drawn["figures"][0][4].endswith(", round 2 of 2")
    assert drawn["files"] == [("confusion", tmp_path, f"{result.stem}-confusion-2")]
    for number in (0, 3):
        with pytest.raises(UsageError, match=f"the result has rounds 1 to 2, not {number}"):
            plot("confusion", result, "--round", number)


def test_losses_are_drawn_of_all_fits_without_a_round(drawn: Drawn, result: Path) -> None:
    assert plot("training", result).stdout.startswith(f"plots/{result.stem}-training.png\n")
    assert drawn["figures"] == [("training", [], "cezsar on toy/half")]


def test_what_is_drawn_must_be_a_file_and_goes_to_a_folder(result: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (("confusion", tmp_path), ("confusion", tmp_path / "none"), ("sensitivity",),
                  ("confusion", result, "--out", tmp_path / "file"), ("sensitivity", tmp_path / "none")):  # fmt: skip
        assert "Error" in plot(*words, code=2).stderr


def test_sensitivity_is_drawn_of_folders_and_names_what_is_left_out(drawn: Drawn, tmp_path: Path) -> None:
    for dim in (8, 16):
        scores = sample_scores(skill=dim / 8)
        results.write(sample_result(scores, "cezsar", options={"dim": dim}), scores, tmp_path / "swept")
    scores = sample_scores()
    results.write(sample_result(scores, "cezsar", protocol="toy/other", options={"dim": 8}), scores, tmp_path / "more")
    done = plot("sensitivity", tmp_path / "swept", "--over", "method.dim", "--metric", "top5_per_video")
    ((_, found),) = drawn["figures"]
    assert (found.option, found.metric) == ("method.dim", "top-5/video")
    assert (done.stderr, drawn["files"][0][2]) == ("", "sensitivity-toy-half-method.dim")


def test_a_semantic_gap_repeats_the_fit_on_this_machine(
    drawn: Drawn, result: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="a fit needs torch")
    from zsarbench.reports import semantic_gap

    requests, rounds = [], []
    monkeypatch.setattr("zsarbench.harness.resolve.resolve_run", lambda request, host: requests.append(request))
    monkeypatch.setattr(semantic_gap, "of_run", lambda *given: rounds.append(given[-1]))
    plot("semantic-gap", result, "--round", 2, "--out", tmp_path)
    plot("semantic-gap", result, "--threads", 5, "--device", "cpu", "--data-root", "a=b", "--out", tmp_path)
    threads = results.read(result).environment.threads
    assert [(one.threads, one.device, tuple(one.data_root)) for one in requests] == [
        (threads, "auto", ()), (5, "cpu", ("a=b",)),
    ]  # fmt: skip
    assert rounds == [1, 0]
    assert drawn["files"][0] == ("semantic_gap", tmp_path, f"{result.stem}-semantic-gap-2")


def test_a_title_of_one_round_does_not_count_rounds(drawn: Drawn, tmp_path: Path) -> None:
    scores = sample_scores()
    plot("confusion", results.write(sample_result(scores), scores, tmp_path))
    assert drawn["figures"][0][4] == "cezsar on toy/half"


def test_without_matplotlib_it_is_said_what_to_install(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *of: None if name == "matplotlib" else find(name, *of)
    )
    with pytest.raises(UsageError, match=r"Try: pip install 'zsarbench\[plot\]'"):
        plot("confusion", result)


def test_with_matplotlib_the_figures_of_reports_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(name=name))
    assert drawing().__name__ == "zsarbench.reports.figures"


def test_the_page_states_the_defaults() -> None:
    text = " ".join(plot("semantic-gap", "--help").stdout.split())
    for default in ("plots", "1", "auto"):
        assert f"[default: {default}]" in text

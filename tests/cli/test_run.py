"""`zsarbench run`: what its options make, and what is printed of a plan, a result and a leak."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="a run needs torch")

from listed import Place, clips_of
from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import Session, cli, main
from zsarbench.errors import UsageError
from zsarbench.harness import runs
from zsarbench.plugins import load_plugins
from zsarbench.reports import comparison

HOST = load_plugins()
Typed = Callable[..., Result]


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The specs that are measured; the same result takes the place of each."""
    measured: list[Any] = []

    def run_once(spec: Any, *_: object) -> tuple[Any, Path]:
        measured.append(spec)
        scores = sample_scores(skill=3.0)
        path = results.write(sample_result(scores), scores, tmp_path / "out")
        return results.read(path), path

    monkeypatch.setattr(comparison, "render", lambda _, found, format_: f"{format_} of {len(found)}")
    monkeypatch.setattr(runs, "run_once", run_once)
    monkeypatch.setattr(runs, "plan", lambda *_: {"clips": 12_000, "bytes_to_read": 1_500_000, "minutes": "about 2"})
    return measured


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    place = Place.make(tmp_path, clips_of(1))
    words = ("--method", "nearest-text", "--visual", "captions", "--text", "hashed-words", "--protocol",
             str(tmp_path / "mine.toml"), "--data-root", f"folder={tmp_path}", "--set",
             f"dataset.annotations={place.path / 'clips.csv'}")  # fmt: skip
    return lambda *more: CliRunner().invoke(
        cli, ["run", *words, *more], obj={"session": Session((), HOST)}, catch_exceptions=False
    )


def test_a_plan_is_printed_with_units_and_nothing_is_measured(specs: list[Any], typed: Typed) -> None:
    assert typed("--plan").stdout == "clips: 12,000\nbytes to read: 1.5 MB\nminutes: about 2\n"
    assert json.loads(typed("--plan", "--json").stdout)["bytes_to_read"] == 1_500_000
    assert specs == []


def test_the_table_is_on_stdout_and_the_place_of_the_result_on_stderr(specs: list[Any], typed: Typed) -> None:
    done = typed("--format", "csv")
    assert done.exit_code == 0
    assert done.stdout == "csv of 1\n"
    (path,) = results.find(Path(done.stderr.strip().removeprefix("result: ")).parent)
    assert done.stderr == f"result: {path}\n"
    assert typed("--json").stdout in [found.read_text(encoding="utf-8") for found in results.find(path.parent)]
    with pytest.raises(UsageError, match="unknown reporter 'cvs'; did you mean 'csv'"):
        typed("--format", "cvs")
    assert len(specs) == 2


def test_a_name_too_long_for_any_folder_of_results_is_a_mistake_in_what_was_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--method", "chance", "--out", "x" * 300])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("File name too long. Try: a shorter one\n")


def test_a_control_above_chance_is_a_leak(
    specs: list[Any], typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scores = sample_scores(skill=3.0)
    path = results.write(sample_result(scores, control="shuffle-labels"), scores, tmp_path / "out")
    monkeypatch.setattr(runs, "run_once", lambda *_: (results.read(path), path))
    done = typed("--json")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: LEAK: ")
    assert done.stdout == path.read_text(encoding="utf-8")


def test_flags_and_numbers_reach_the_spec(specs: list[Any], typed: Typed) -> None:
    typed()
    typed("--refit", "--strict", "--partial", "--seeds", "2", "--seed", "3", "--limit", "5", "--threads", "4")
    plain, chosen = specs
    assert (plain.where.refit, plain.where.strict, plain.what.partial) == (False, False, False)
    assert (plain.what.seed, plain.what.seeds, plain.what.limit, plain.where.threads) == (0, 1, None, None)
    assert (chosen.where.refit, chosen.where.strict, chosen.what.partial) == (True, True, True)
    assert (chosen.what.seed, chosen.what.seeds, chosen.what.limit, chosen.where.threads) == (3, 2, 5, 4)
    typed("--refit", "--resume")
    assert specs[-1] == plain


def test_an_interrupted_run_says_what_it_leaves(
    specs: list[Any], typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: dict[str, Any] = {}

    def interrupted(*_: object) -> None:
        shared.update(click.get_current_context().obj)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run_once", interrupted)
    typed()
    assert "Type the same command again to continue" in shared["on_interrupt"]
    typed("--refit")
    assert "With --refit the fits begin again" in shared["on_interrupt"]

"""`zsarbench sweep`: what its options make of a grid or a file, and what is printed of the runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="a sweep needs torch")

from listed import Place, clips_of
from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import Session, cli
from zsarbench.harness import jobs, sweep
from zsarbench.harness.sweep import Cell, Done
from zsarbench.plugins import load_plugins
from zsarbench.reports import comparison
from zsarbench.reports import paired as differences

HOST = load_plugins()
TWO = ("--method", "nearest-text", "--grid", "text.dim=64,512")
Sweep = Callable[..., Result]


class Measured:
    """Takes the place of what measures: a cell has a result, or fails where its title holds a word."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failing = "fails"
        self.cells: list[Cell] = []
        self.given: tuple[Any, ...] = ()

    def done(self, cell: Cell, number: int) -> Done:
        self.cells.append(cell)
        if cell.spec is None or self.failing in cell.title:
            return Done(cell=cell, path=None, reason=cell.reason or "no memory", seconds=1.25)
        scores = sample_scores(skill=1.0 + number)
        result = sample_result(scores, f"m{number}", protocol=cell.spec.what.protocol.name)
        return Done(cell=cell, path=results.write(result, scores, self.folder), seconds=2.5)

    def one_by_one(self, cells: Sequence[Cell], out: Path, *_: object) -> Iterator[Done]:
        self.given = (out,)
        yield from (self.done(cell, number) for number, cell in enumerate(cells))

    def at_once(self, cells: Sequence[Cell], out: Path, n: int, blocked: Sequence[str]) -> Iterator[Done]:
        self.given = (out, n, blocked)
        done = [self.done(cell, number) for number, cell in enumerate(cells)]
        yield from reversed(done)  # as they end


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    instead = Measured(tmp_path / "out")
    monkeypatch.setattr(comparison, "render", lambda _, found, format_: f"{format_} of {len(found)}")
    monkeypatch.setattr(differences, "describe_differences", lambda files, against: f"to {against.name[:2]}")
    monkeypatch.setattr(sweep, "run", instead.one_by_one)
    monkeypatch.setattr(jobs, "run", instead.at_once)
    return instead


@pytest.fixture
def swept(tmp_path: Path) -> Sweep:
    place = Place.make(tmp_path, clips_of(1))
    place.add_protocol("other", ("archery", "golf"))
    words = ("--visual", "captions", "--text", "hashed-words", "--data-root", f"folder={tmp_path}", "--set",
             f"dataset.annotations={tmp_path / 'clips.csv'}", "--out", str(tmp_path / "out"))  # fmt: skip

    def run(*more: object, protocol: str = str(tmp_path / "mine.toml"), root: Sequence[str] = ()) -> Result:
        named = ("--protocol", protocol) if protocol else ()
        return CliRunner().invoke(
            cli,
            [*root, "sweep", *words, *named, *map(str, more)],
            obj={"session": Session((), HOST)},
            catch_exceptions=False,
        )

    return run


def test_a_grid_is_measured_in_order_and_compared_with_its_first(measured: Measured, swept: Sweep) -> None:
    done = swept(*TWO)
    assert done.exit_code == 0, done.output
    assert [cell.title for cell in measured.cells] == ["text.dim=64", "text.dim=512"]
    assert [cell.spec and cell.spec.where.threads for cell in measured.cells] == [None, None]
    assert done.stdout == "table of 2\n\nto m0\n"
    assert measured.given == (measured.folder,)


def test_further_axes_may_follow_the_first(measured: Measured, swept: Sweep) -> None:
    swept(*TWO, "class_text=name,sentence", "--plan")
    planned = swept(*TWO, "class_text=name,sentence", "--plan").stdout.splitlines()
    assert planned == [f"text.dim={dim}, class_text={form}: to measure" for dim in (64, 512)
                       for form in ("name", "sentence")]  # fmt: skip
    assert measured.cells == []


def test_each_protocol_has_a_table_and_one_result_no_differences(
    measured: Measured, swept: Sweep, tmp_path: Path
) -> None:
    axis = f"protocol={tmp_path / 'mine.toml'},{tmp_path / 'other.toml'}"
    done = swept("--method", "nearest-text", "--grid", axis, protocol="")
    assert done.exit_code == 0, done.output
    assert done.stdout == "table of 1\n\ntable of 1\n\n"


def test_json_of_several_protocols_is_one_document_and_all_else_goes_to_stderr(
    measured: Measured, swept: Sweep, tmp_path: Path
) -> None:
    axis = f"protocol={tmp_path / 'mine.toml'},{tmp_path / 'other.toml'}"
    done = swept("--method", "nearest-text", "--grid", axis, "text.dim=64,512", "--format", "json", protocol="")
    assert [len(table["rows"]) for table in json.loads(done.stdout)] == [2, 2]
    assert done.stderr.splitlines()[-2:] == ["to m0", "to m2"]


def test_a_run_that_fails_is_named_and_ends_with_1(measured: Measured, swept: Sweep) -> None:
    measured.failing = "64"
    done = swept(*TWO)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == "not measured: text.dim=64: no memory"
    listed = swept(*TWO, "--json")
    assert listed.exit_code == 1
    failed, sound = json.loads(listed.stdout)
    assert (failed["result"], failed["reason"], failed["label"]) == (None, "no memory", "text.dim=64")
    assert Path(sound["result"]).is_file()


def test_jobs_measure_with_one_thread_each_and_are_listed_in_order(measured: Measured, swept: Sweep) -> None:
    measured.failing = "512"
    done = swept(*TWO, "--jobs", "2", "--json", root=("--no-plugin", "nothing"))
    assert measured.given == (measured.folder, 2, ("nothing",))
    assert [cell.spec and cell.spec.where.threads for cell in measured.cells] == [1, 1]
    assert [item["label"] for item in json.loads(done.stdout)] == ["text.dim=64", "text.dim=512"]
    lines = [line for line in done.stderr.splitlines() if " of 2: " in line]
    assert lines[0] == "1 of 2: text.dim=512: no memory (1.2 s)"
    assert lines[1].startswith(f"2 of 2: text.dim=64: {measured.folder}")
    assert lines[1].endswith(" (2.5 s)")
    swept(*TWO, "--jobs", "1", "--threads", "3")
    assert measured.cells[-1].spec is not None
    assert measured.cells[-1].spec.where.threads == 3
    assert swept(*TWO, "--jobs", "0").exit_code == 2


def test_a_file_prints_one_table_of_all(measured: Measured, swept: Sweep, tmp_path: Path) -> None:
    rows = tmp_path / "rows.toml"
    rows.write_text(
        'protocols = ["none"]\n[[rows]]\nmethods = ["nearest-text"]\n[[rows]]\nmethods = ["chance"]\n'
        'label = "apart"\n[rows.not_on]\neverywhere = "is known"\n'
    )
    done = swept("--file", rows)
    assert done.exit_code == 0, done.output
    assert "| nearest-text |" in done.stdout
    assert "- chance apart on " in done.stdout
    assert ": is known" in done.stdout
    assert swept("--file", rows, "--plan").stdout.splitlines() == [
        f"nearest-text on {tmp_path / 'mine.toml'}: to measure",
        f"chance apart on {tmp_path / 'mine.toml'}: is known",
    ]

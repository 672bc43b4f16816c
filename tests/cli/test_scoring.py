"""What is printed of predictions that were scored: a table or JSON, and the account of every mapping."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from listed import Place, clips_of
from zsarbench import results
from zsarbench.cli.scoring import echo_scored, scoring_options
from zsarbench.plugins import load_plugins
from zsarbench.reports import comparison
from zsarbench.results import RunResult

HOST = load_plugins(loaders={})
Printed = Callable[..., Result]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """A result of predictions."""
    place = Place.make(tmp_path_factory.mktemp("scored"), clips_of(1))
    (result,) = place.score(place.write("right.json", place.clips))
    return result, next((place.path / "out").rglob("*.json"))


def mapped(result: RunResult, name: str) -> RunResult:
    method = dataclasses.replace(result.method, options={**result.method.options, "mapping": name})
    return dataclasses.replace(result, method=method)


@pytest.fixture
def printed(scored: tuple[RunResult, Path], monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Return what prints the result, or as many of it as there are mappings."""
    monkeypatch.setattr(comparison, "render", lambda _, found, format_: f"{format_} of {len(found)}")
    result, path = scored

    def of(*words: str, mappings: tuple[str, ...] = ()) -> Result:
        written = [(mapped(result, name), path.with_name(name)) for name in mappings] or [(result, path)]

        @click.command()
        @scoring_options
        def command(format_: str, as_json: bool, **_: object) -> None:
            echo_scored(HOST, written, format_, as_json)

        return CliRunner().invoke(command, words, catch_exceptions=False)

    return of


def test_one_result_is_a_table_and_its_account(printed: Printed, scored: tuple[RunResult, Path]) -> None:
    done = printed()
    assert done.stdout == "table of 1\n"
    assert done.stderr.endswith(f"result: {scored[1]}\n")
    assert "mapping" not in done.stderr
    assert printed("--format", "csv").stdout == "csv of 1\n"


def test_json_is_the_file_of_one_result_and_a_list_of_several(printed: Printed, scored: tuple[RunResult, Path]) -> None:
    assert printed("--json").stdout == scored[1].read_text(encoding="utf-8")
    several = json.loads(printed("--json", mappings=("exact", "nearest")).stdout)
    read = [results.from_json(one) for one in several]
    assert [one.method.options["mapping"] for one in read] == ["exact", "nearest"]


def test_the_account_of_each_mapping_has_its_name(printed: Printed) -> None:
    lines = printed(mappings=("exact", "nearest")).stderr.splitlines()
    assert lines[0] == "mapping exact:"
    assert lines.count("mapping nearest:") == 1
    assert sum(line.startswith("result: ") for line in lines) == 2


def test_the_page_states_the_defaults(printed: Printed) -> None:
    text = " ".join(printed("--help").stdout.split())
    for stated in ("learnt the task from. [default: none]", "Output folder. [default: results]", "[default: table]"):
        assert stated in text

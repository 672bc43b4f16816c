"""`zsarbench compare`: which results stand in which table, what is left out, and when differences are printed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError
from zsarbench.plugins import load_plugins
from zsarbench.reports import comparison
from zsarbench.reports import paired as differences

HOST = load_plugins(loaders={})
HALF, ONE = "table of toy/half: conse, sae by None", "table of toy/one: eszsl by None"


def compare(*words: object) -> Result:
    session = {"session": Session((), HOST)}
    return CliRunner().invoke(cli, ["compare", *map(str, words)], obj=session, catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two results under one protocol, and one under another."""
    place, scores = tmp_path_factory.mktemp("compared") / "results", sample_scores()
    for method, protocol in (("conse", "toy/half"), ("sae", "toy/half"), ("eszsl", "toy/one")):
        results.write(sample_result(scores, method, protocol=protocol), scores, place)
    return place


@pytest.fixture(autouse=True)
def _printed_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print what a table or a comparison is of, in place of it."""

    def render(host: object, found: dict[Path, results.RunResult], format_: str, *, rank_by: str | None = None) -> str:
        (protocol,) = {result.protocol.name for result in found.values()}
        names = sorted(result.method.name for result in found.values())
        return f"{format_} of {protocol}: {', '.join(names)} by {rank_by}"

    monkeypatch.setattr(comparison, "render", render)
    monkeypatch.setattr(differences, "describe_differences", lambda files, metric: f"{len(files)} compared by {metric}")


def test_each_protocol_has_a_table_and_an_empty_line_after_it(folder: Path) -> None:
    done = compare(folder)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{HALF}\n\n{ONE}\n\n", "")


def test_differences_are_printed_on_request_where_there_are_two_results(folder: Path) -> None:
    assert compare(folder, "--paired").stdout == f"{HALF}\n\n2 compared by None\n{ONE}\n\n"
    ranked = compare(folder, "--paired", "--protocol", "toy/half", "--rank-by", "top5_per_video").stdout
    assert ranked == f"{HALF.replace('None', 'top5_per_video')}\n\n2 compared by top5_per_video\n"


def test_a_result_alone_has_no_differences_and_one_that_cannot_be_paired_is_named_among_others(tmp_path: Path) -> None:
    scores = sample_scores()
    first = results.write(sample_result(scores, "conse"), scores, tmp_path)
    first.with_suffix(".npz").unlink()
    alone = compare(first, "--paired")
    assert (alone.stdout, alone.stderr) == ("table of toy/half: conse by None\n\n", "")
    results.write(sample_result(scores, "sae"), scores, tmp_path)
    two = compare(tmp_path, "--paired")
    assert two.stdout == f"{HALF}\n\n"
    assert two.stderr.startswith("warning: not paired: ")


def test_one_protocol_can_be_chosen(folder: Path) -> None:
    assert compare(folder, "--protocol", "toy/one").stdout == f"{ONE}\n\n"
    with pytest.raises(UsageError, match=r"unknown protocol among the results 'toy/hlf'; did you mean 'toy/half'\?"):
        compare(folder, "--protocol", "toy/hlf")


def test_single_files_and_other_formats(folder: Path) -> None:
    file = next(folder.rglob("sae-*.json"))
    assert compare(file, "--format", "latex").stdout == "latex of toy/half: sae by None\n\n"
    with pytest.raises(UsageError, match=r"unknown reporter 'cvs'; did you mean 'csv'"):
        compare(file, "--format", "cvs")


def test_the_folder_results_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(folder.parent)
    assert compare().stdout == f"{HALF}\n\n{ONE}\n\n"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"there is no result to compare\. Try: zsarbench run"):
        compare()


def test_what_is_no_result_is_left_out_with_a_warning(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    done = compare(folder, tmp_path)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"warning: {tmp_path / 'broken.json'} is left out: ")
    assert done.stdout == f"{HALF}\n\n{ONE}\n\n"
    with pytest.raises(UsageError, match=f"'{tmp_path / 'none'}' does not exist"):
        compare(folder, tmp_path / "none")


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_an_encoding_that_lacks_characters_of_a_table_ends_no_command(folder: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    words = [sys.executable, "-m", "zsarbench", "compare", str(folder), "--format"]

    def printed(form: str) -> str:
        return subprocess.run([*words, form], env=environment, capture_output=True, check=True).stdout.decode(encoding)

    shown = printed("table")
    assert all(f"\\u{ord(sign):04x}" in shown or sign in shown for sign in "·─")
    assert [table["rows"][0]["protocol"] for table in json.loads(printed("json"))] == ["toy/half", "toy/one"]


# --- documents for programs -------------------------------------------------------------------------------------------

MEASURED = [("conse", "toy/half"), ("eszsl", "toy/one"), ("sae", "toy/half")]


def test_json_of_several_protocols_is_one_list_and_of_one_protocol_its_table(folder: Path) -> None:
    tables = json.loads(compare(folder, "--format", "json").stdout)
    assert sorted((row["method"], row["protocol"]) for table in tables for row in table["rows"]) == MEASURED
    assert [table["title"].split()[0] for table in tables] == ["toy/half", "toy/one"]
    assert json.loads(compare(folder, "--format", "json", "--protocol", "toy/one").stdout) == tables[1]


def test_csv_of_several_protocols_is_one_table_with_a_column_protocol(folder: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(sample_result(sample_scores(), "clip", protocol="toy/two"), limit=4)
    results.write(other, sample_scores(), tmp_path)
    read = pd.read_csv(io.StringIO(compare(folder, tmp_path, "--format", "csv").stdout))
    assert sorted(zip(read["method"], read["protocol"], strict=True)) == [("clip", "toy/two"), *MEASURED]
    assert read["top1_per_video"].between(0, 1).all()
    alone = pd.read_csv(io.StringIO(compare(folder, "--format", "csv", "--protocol", "toy/one").stdout))
    assert list(zip(alone["method"], alone["protocol"], strict=True)) == [("eszsl", "toy/one")]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_differences_do_not_stand_in_a_document_for_programs(folder: Path, form: str) -> None:
    plain, paired = compare(folder, "--format", form), compare(folder, "--paired", "--format", form)
    assert paired.stdout == plain.stdout
    assert (plain.stderr, paired.stderr) == ("", "2 compared by None\n")

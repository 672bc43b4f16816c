"""`zsarbench compare`: which results stand in which table, what is left out, and when differences are printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError


def compare(*words: object) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, words)], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two results under one protocol, and one of them under another."""
    place = tmp_path_factory.mktemp("compared") / "results"
    weak, strong = sample_scores(skill=0.5), sample_scores(skill=3.0)
    results.write(sample_result(weak, "conse"), weak, place)
    results.write(sample_result(strong, "sae"), strong, place)
    results.write(sample_result(weak, "eszsl", protocol="toy/one"), weak, place)
    return place


@pytest.fixture(scope="module")
def whole(folder: Path) -> str:
    """What is printed of the folder."""
    done = compare(folder)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_each_protocol_has_a_table_and_an_empty_line_after_it(whole: str) -> None:
    first, second = whole.split("toy/one (")
    assert first.startswith("toy/half (")
    assert ("conse" in first, "sae" in first, "eszsl" in first) == (True, True, False)
    assert ("conse" in second, "eszsl" in second) == (False, True)
    assert first.endswith("\n\n")
    assert second.endswith("\n\n")
    assert "difference in" not in whole


def test_differences_are_printed_on_request_where_there_are_two_results(folder: Path) -> None:
    text = compare(folder, "--paired").stdout
    assert text.count("difference in top1_per_video to sae") == text.count("difference in") == 1
    assert text.index("difference in") < text.index("toy/one (")
    assert "difference in" not in compare(folder, "--paired", "--protocol", "toy/one").stdout
    ranked = compare(folder, "--paired", "--protocol", "toy/half", "--rank-by", "top5_per_video").stdout
    assert "difference in top5_per_video to sae" in ranked


def test_one_protocol_can_be_chosen(folder: Path) -> None:
    text = compare(folder, "--protocol", "toy/one").stdout
    assert text.startswith("toy/one (")
    assert "toy/half" not in text
    with pytest.raises(UsageError, match=r"unknown protocol among the results 'toy/hlf'; did you mean 'toy/half'\?"):
        compare(folder, "--protocol", "toy/hlf")


def test_single_files_and_other_formats(folder: Path) -> None:
    file = next(folder.rglob("sae-*.json"))
    lines = compare(file, "--format", "csv").stdout.strip().splitlines()
    assert len(lines) == 2
    assert "sae" in lines[1]
    with pytest.raises(UsageError, match=r"unknown reporter 'cvs'; did you mean 'csv'"):
        compare(file, "--format", "cvs")


def test_the_folder_results_is_the_default(
    folder: Path, whole: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(folder.parent)
    assert compare().stdout == whole
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"there is no result to compare\. Try: zsarbench run"):
        compare()


def test_what_is_no_result_is_left_out_with_a_warning(folder: Path, whole: str, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    done = compare(folder, tmp_path)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"warning: {tmp_path / 'broken.json'} is left out: ")
    assert done.stdout == whole
    with pytest.raises(UsageError, match=f"'{tmp_path / 'none'}' does not exist"):
        compare(folder, tmp_path / "none")

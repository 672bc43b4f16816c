"""Result files in folders: found, read together, and kept where the disk is full."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples import sample_result, sample_scores
from zsarbench import load_results, results
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.results import files

SCORES = sample_scores()


def written(folder: Path, method: str = "m", created: str = "2026-03-01T10:00:00Z") -> Path:
    """Write a result, and return its path."""
    return results.write(sample_result(SCORES, method, created=created), SCORES, folder)


def test_results_are_loaded_from_files_and_folders_the_newest_first_each_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = written(tmp_path, "old", "2026-01-01T10:00:00Z")
    written(tmp_path / "deep", "new", "2026-02-01T10:00:00Z")
    written(tmp_path, "middle", "2026-01-15T10:00:00Z")
    written(tmp_path, "a-middle", "2026-01-15T10:00:00Z")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "folder.json").mkdir()
    with caplog.at_level(logging.WARNING):
        loaded = load_results(old, tmp_path)
    assert [result.method.name for result in loaded] == ["new", "middle", "a-middle", "old"]
    assert [record.getMessage().split(" is left out")[0] for record in caplog.records] == [str(tmp_path / "other.json")]
    assert [result.method.name for result in load_results(str(old))] == ["old"]


def test_without_a_place_results_are_loaded_from_the_folder_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="'results' does not exist"):
        load_results()
    written(Path("results"))
    assert len(load_results()) == 1


def test_places_that_are_none_and_places_without_results_are_refused(tmp_path: Path) -> None:
    nothing: Any = 3
    with pytest.raises(UsageError, match="3 is no path"):
        load_results(tmp_path, nothing)
    with pytest.raises(UsageError, match="nowhere' does not exist"):
        load_results(tmp_path, tmp_path / "nowhere")
    with pytest.raises(UsageError, match="there is no result to load"):
        load_results(tmp_path)


def test_results_and_problems_are_read_by_path(tmp_path: Path) -> None:
    path, other = written(tmp_path), tmp_path / "other.json"
    other.write_text("{}")
    valid, problems = files.read_all(tmp_path)
    assert list(valid) == [path]
    assert list(problems) == [other]
    assert files.find(tmp_path / "nowhere") == []


def test_problems_of_a_file_on_its_own_are_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert files.problems(path) == []
    path.write_text("{")
    [problem] = files.problems(path)
    assert problem.name == "format"
    assert str(path) in problem.text


def test_scores_are_those_next_to_the_file_and_none_where_they_cannot_be_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    result = results.read(path)
    assert files.has_scores(result, path)
    found = files.scores_or_none(path, result)
    assert found is not None
    np.testing.assert_array_equal(found.blocks[0].scores, SCORES.blocks[0].scores)
    files.scores_file(path, result).write_bytes(b"damaged")
    assert files.has_scores(result, path)
    assert files.scores_or_none(path, result) is None
    files.scores_file(path, result).unlink()
    assert not files.has_scores(result, path)
    assert files.scores_or_none(path, result) is None


def test_a_result_that_names_no_scores_has_none(tmp_path: Path) -> None:
    result, path = sample_result(SCORES), tmp_path / "a.json"
    assert not files.has_scores(result, path)
    for read in (lambda: files.scores_file(path, result), lambda: files.read_scores(path, result)):
        with pytest.raises(ZsarbenchError, match=r"a\.json names no scores file"):
            read()


def test_a_measured_result_is_kept_elsewhere_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_to(folder: Path) -> Path:
        return files.write_somewhere(sample_result(SCORES), SCORES, folder)

    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "other"))
    assert written_to(tmp_path / "out").parent == tmp_path / "out" / "toy-half"
    (tmp_path / "file").write_text("")
    with pytest.raises(ZsarbenchError, match="The result is kept: ") as found:
        written_to(tmp_path / "file" / "out")
    kept = Path(str(found.value).split("The result is kept: ")[1])
    assert kept.is_relative_to(tmp_path / "other" / "zsarbench-results")
    assert results.read(kept).method.name == "cezsar"
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(ZsarbenchError) as found:
        written_to(tmp_path / "file" / "out")
    assert "The result is kept" not in str(found.value)


def test_places_that_another_process_reserved_are_left_free(tmp_path: Path) -> None:
    first = written(tmp_path)
    first.with_name(f"{first.stem}-2.npz").write_bytes(b"")
    assert written(tmp_path).stem == f"{first.stem}-3"

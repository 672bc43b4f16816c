"""zsarbench from Python: public calls are typed, results are read as objects, and the notebook runs as it stands."""

from __future__ import annotations

import collections.abc
import copy
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import types
import typing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import zsarbench
from locations import ROOT
from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.by_class import by_class
from zsarbench.harness.run_options import RunOptions
from zsarbench.harness.spec import RunRequest, request
from zsarbench.results import RunResult
from zsarbench_datasets import sketch_plans
from zsarbench_datasets.sketch import Sketch

NOTEBOOK = ROOT / "examples" / "results.ipynb"


def written(folder: Path, method: str = "cezsar", **about: Any) -> RunResult:
    """Return a result as it is read from its file."""
    scores = sample_scores(**about)
    path = results.write(sample_result(scores, method, setting=about.get("setting", "zsl")), scores, folder)
    return results.read(path)


def test_the_notebook_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = Sketch()
    for plan in sketch_plans.plans(drawn.seed, drawn.clips_per_class):  # nothing here looks at a clip
        file = sketch_plans.clip_path(drawn.folder, plan)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    matplotlib.use("agg")
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    result, chance = names["result"], names["chance"]
    assert result.summary["top1_per_video"].mean > chance.summary["top1_per_video"].mean
    assert len(names["by_class"]) == 72
    assert [len(axes.patches) for axes in names["figure"].axes] == [72]
    assert len(zsarbench.load_results("results")) == 2


def test_what_run_takes_is_what_a_request_has_with_its_types() -> None:
    kept, taken = typing.get_type_hints(RunRequest), typing.get_type_hints(RunOptions)
    path, texts = os.PathLike[str], collections.abc.Iterable[str]
    wider = {
        **dict.fromkeys(("protocol", "class_text", "out"), path),
        **dict.fromkeys(("seed", "seeds", "threads", "limit"), np.integer[Any]),
        **dict.fromkeys(("partial", "strict", "refit"), np.bool_),
    }
    expected = {item.name: kept[item.name] | wider.get(item.name, kept[item.name])
                for item in fields(RunRequest) if item.name != "method"}  # fmt: skip
    assert taken == expected | dict.fromkeys(("settings", "captions", "data_root"), texts)
    for name in expected:
        assert name in (inspect.getdoc(zsarbench.run) or "")


def test_what_run_takes_becomes_what_a_request_has(tmp_path: Path) -> None:
    """Every type that the options name."""
    samples = {str: "a", int: 2, bool: True, type(None): None, os.PathLike[str]: tmp_path, np.integer[Any]: np.int32(2),
               np.bool_: np.True_, collections.abc.Iterable[str]: {"a"}}  # fmt: skip
    plain = {os.PathLike[str]: str(tmp_path), np.integer[Any]: 2, np.bool_: True,
             collections.abc.Iterable[str]: ("a",)}  # fmt: skip
    for name, hint in typing.get_type_hints(RunOptions).items():
        for kind in typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,):
            given = getattr(request("chance", **{name: samples[kind]}), name)
            assert given == plain.get(kind, samples[kind])
            assert type(given) is type(plain.get(kind, samples[kind]))


@pytest.mark.parametrize("name", ["run", "load_results", "compare"])
def test_every_public_call_is_typed_and_documented(name: str) -> None:
    function = getattr(zsarbench, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(one.annotation is not inspect.Parameter.empty for one in signature.parameters.values())
    assert "Raises:" in (inspect.getdoc(function) or "")


def test_importing_zsarbench_loads_nothing_heavy() -> None:
    code = "import sys, zsarbench; print([name for name in ('torch', 'pandas', 'pydantic') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_result_is_one_line_and_a_table_in_a_notebook(tmp_path: Path) -> None:
    result = written(tmp_path, n_rounds=3)
    assert repr(result).startswith("RunResult(cezsar on ")
    assert len(repr(result)) < 160
    assert "\n" not in repr(result)
    assert str(result.path) in result._repr_html_()
    hostile = replace(result, method=replace(result.method, name="<script>"))
    assert "<script>" not in hostile._repr_html_()
    assert "&lt;script&gt;" in hostile._repr_html_()


def test_rounds_and_classes_are_tables_of_which_the_metrics_are_means(tmp_path: Path) -> None:
    result = written(tmp_path, n_rounds=1, unread=[3])
    frame = result.to_dataframe()
    assert frame["top1_per_class"].mean() == pytest.approx(result.summary["top1_per_class"].mean)
    classes = result.per_class()
    assert list(classes) == ["n_clips", "n_rounds", "top1", "taken_for", "share"]
    assert classes["top1"].is_monotonic_decreasing
    assert classes["top1"].mean() == pytest.approx(result.summary["top1_per_class"].mean)
    assert (classes["n_clips"] == 4).all()
    assert written(tmp_path, "general", setting="gzsl").per_class()["seen"].nunique() == 2


def test_a_class_is_taken_for_what_most_of_its_clips_score_best_and_ties_are_for_none() -> None:
    scores = sample_scores()
    block = scores.blocks[0]
    matrix = np.zeros_like(block.scores)
    matrix[0:3, 5] = 1  # three clips of class 0 are taken for class 5
    matrix[4, 1] = 1  # one of class 1 is right, the others tie
    found = {one.name: one for one in by_class(replace(scores, blocks=(replace(block, scores=matrix),)))}
    assert (found["Class0"].taken_for, found["Class0"].share) == ("Class5", 0.75)
    assert found["Class1"].taken_for == ""
    assert found["Class1"].top1 == pytest.approx((1 + 3 / 12) / 4)
    assert found["Class2"].top1 == pytest.approx(1 / 12)


def test_a_result_without_its_file_has_no_classes_and_says_what_to_do(tmp_path: Path) -> None:
    result = written(tmp_path)
    assert result.path is not None
    with pytest.raises(ZsarbenchError, match=r"Try: zsarbench\.load_results"):
        replace(result).per_class()
    results.scores_file(result.path, result).unlink()
    with pytest.raises(ZsarbenchError, match="does not exist"):
        result.per_class()


def test_results_are_loaded_with_their_files_and_compared_in_one_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for method, skill in (("cezsar", 1.0), ("eszsl", 2.0)):
        written(tmp_path, method, skill=skill)
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    loaded = zsarbench.load_results(tmp_path)
    assert {one.method.name for one in loaded} == {"cezsar", "eszsl"}
    assert all(one.path is not None for one in loaded)
    assert "other.json is left out" in caplog.text
    table = zsarbench.compare(loaded, reported=False)
    assert list(table.frame["method"]) == ["eszsl", "cezsar"]
    assert "2 rows by top1_per_video" in repr(table)
    assert table._repr_html_().count("<tr") == 3
    with pytest.raises(UsageError, match="there is no result to load"):
        zsarbench.load_results(tmp_path / "other.json")
    with pytest.raises(UsageError, match="'nowhere' does not exist"):
        zsarbench.load_results("nowhere")
    with pytest.raises(UsageError, match="unknown protocol among the results 'ucf'"):
        zsarbench.compare(loaded, protocol="ucf")
    with pytest.raises(UsageError, match="there is no result to compare"):
        zsarbench.compare([])


def test_results_rank_in_python_as_in_the_terminal(tmp_path: Path) -> None:
    for method, skill in (("cezsar", 1.0), ("eszsl", 1.6), ("dem", 2.2), ("sae", 3.0)):
        written(tmp_path, method, skill=skill, n_rounds=3)
    of_nothing = written(tmp_path, "stated", skill=4.0, n_rounds=3)
    assert of_nothing.path is not None
    results.scores_file(of_nothing.path, of_nothing).unlink()
    done = CliRunner().invoke(cli, ["compare", str(tmp_path), "--format", "csv"])
    printed = pd.read_csv(io.StringIO(done.output)).set_index("method")
    frame = zsarbench.compare(zsarbench.load_results(tmp_path)).frame.set_index("method")
    for name in ("rank", "rank_last", "top1_per_video"):
        assert frame[name].astype("Float64").to_dict() == printed[name].astype("Float64").to_dict()
    assert pd.isna(frame.loc["stated", "rank"])


def test_what_is_compared_may_be_anything_that_gives_results_and_nothing_else(tmp_path: Path) -> None:
    result = written(tmp_path)
    for given in (result, [result], {result}, (one for one in [result]), [result, result], {"own": result}.values()):
        assert len(zsarbench.compare(given, reported=False).frame) == 1  # type: ignore[arg-type]
    for given in ("results", [str(tmp_path)], tmp_path, None, 3, [None]):
        with pytest.raises(UsageError, match=r"is no result\. Try: zsarbench\.compare\(zsarbench\.load_results"):
            zsarbench.compare(given)  # type: ignore[arg-type]
    for place in (["results"], None, 3, b"results"):
        with pytest.raises(UsageError, match=r"is no path\. Try: zsarbench\.load_results"):
            zsarbench.load_results(place)  # type: ignore[arg-type]


def test_a_folder_whose_name_ends_as_that_of_a_result_is_looked_into(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path / "run.json")
    assert len(zsarbench.load_results(tmp_path)) == 1
    assert caplog.text == ""


def test_equal_results_are_one_key(tmp_path: Path) -> None:
    result, other = written(tmp_path), written(tmp_path, "other")
    again = pickle.loads(pickle.dumps(result))
    assert (again, again.path) == (result, result.path)
    assert {result, again, copy.deepcopy(result), other} == {result, other}

"""A grid of runs: all mistakes first, every combination once, what is measured is not measured again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError, UsageErrors
from zsarbench.harness import answers, sweep
from zsarbench.harness.sweep import Axis
from zsarbench.plugins import Host, load_plugins

WORDS = ["--visual", "captions", "--text", "hashed-words", "--set", "dataset.clips_per_class=1"]


@pytest.fixture(scope="module")
def host() -> Host:
    return load_plugins()


def swept(out: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["sweep", *WORDS, "--out", str(out), *words], obj={})


def test_an_axis_is_a_part_or_an_option() -> None:
    given = {"method": "cezsar", "settings": ["loss.margin=1"]}
    assert Axis.parse("loss=triplet, info-nce") == Axis("loss", ("triplet", "info-nce"))
    assert Axis.parse("class-text=name,sentence").apply(given, "name") == {**given, "class_text": "name"}
    assert Axis.parse("loss.p=1,2").apply(given, "2")["settings"] == ["loss.margin=1", "loss.p=2"]
    assert Axis.parse("loss.p=1,2").apply({}, "1") == {"settings": ["loss.p=1"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("loss", "not of the form"),
        ("loss=", "not of the form"),
        ("=1,2", "not of the form"),
        ("loss=triplet,,sigmoid", "not of the form"),
        ("loss=triplet,triplet", "names a value twice"),
        ("negative=uniform,hardest", "did you mean 'negatives'"),
        ("out=a,b", "unknown axis"),
    ],
)
def test_a_wrong_axis_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Axis.parse(text)


def test_the_last_axis_varies_fastest(host: Host) -> None:
    axes = [Axis("negatives", ("uniform", "hardest")), Axis("loss.margin", ("0.5", "1"))]
    cells = sweep.grid({"method": "cezsar"}, axes, host)
    assert [cell.label for cell in cells] == [
        "negatives=uniform, loss.margin=0.5",
        "negatives=uniform, loss.margin=1",
        "negatives=hardest, loss.margin=0.5",
        "negatives=hardest, loss.margin=1",
    ]
    assert [cell.spec and cell.spec.what.parts["negatives"].name for cell in cells] == ["uniform"] * 2 + ["hardest"] * 2
    assert [cell.spec and cell.spec.what.parts["loss"].options["margin"] for cell in cells] == [0.5, 1.0] * 2


def test_the_mistakes_of_all_combinations_come_at_once(host: Host) -> None:
    axes = [Axis("negatives", ("uniform", "hardst")), Axis("loss", ("triplet", "tripelt"))]
    with pytest.raises(UsageErrors) as caught:
        sweep.grid({"method": "cezsar"}, axes, host)
    assert len(caught.value.problems) == 2
    assert "did you mean 'hardest'" in str(caught.value)
    assert "did you mean 'triplet'" in str(caught.value)
    with pytest.raises(UsageError, match=r"no method was given\. Try: --method NAME"):
        sweep.grid({}, [Axis("loss", ("triplet",))], host)
    with pytest.raises(UsageError, match="names 'loss' twice"):
        sweep.grid({"method": "cezsar"}, [Axis("loss", ("triplet",)), Axis("loss", ("sigmoid",))], host)


def test_a_method_without_seen_classes_is_listed_and_the_others_run(host: Host) -> None:
    cells = sweep.grid({"protocol": "ucf101/all"}, [Axis("method", ("chance", "eszsl"))], host)
    assert cells[0].spec is not None
    assert cells[1].spec is None
    assert "no seen classes" in cells[1].reason
    with pytest.raises(UsageErrors, match="no seen classes"):
        sweep.grid({"protocol": "ucf101/all"}, [Axis("method", ("eszsl",))], host)


@pytest.mark.usefixtures("drawn_sketch")
def test_a_sweep_prints_a_table_with_differences_and_measures_nothing_twice(tmp_path: Path) -> None:
    line = ("--method", "nearest-text", "--grid", "text.dim=64,512", "class_text=sentence,name")
    first = swept(tmp_path, *line)
    assert first.exit_code == 0, first.output
    assert "top1_per_video to nearest-text text.dim=64" in first.stdout
    assert first.stdout.split("on the same clips, percentage points")[1].count("text.dim=") == 3
    files = results.find(tmp_path)
    assert len(files) == 4
    files[0].unlink()
    planned = swept(tmp_path, *line, "--plan")
    assert planned.stdout.count("to measure") == 1
    again = swept(tmp_path, *line, "--json")
    assert again.exit_code == 0
    assert len(results.find(tmp_path)) == 4
    assert [Path(item["result"]).is_file() for item in json.loads(again.stdout)] == [True] * 4


@pytest.mark.usefixtures("drawn_sketch")
def test_a_result_of_other_data_does_not_answer(tmp_path: Path, host: Host) -> None:
    line = ("--method", "chance", "--grid", "control=none", "--limit", "1")
    assert CliRunner().invoke(cli, ["sweep", "--set", "dataset.clips_per_class=1", "--out", str(tmp_path), *line],
                              obj={}).exit_code == 0  # fmt: skip
    given = {"method": "chance", "settings": ["dataset.clips_per_class=1"], "limit": 1}
    [cell] = sweep.grid(given, [Axis("control", ("none",))], host)
    (path,) = results.find(tmp_path)
    assert answers.measured(tmp_path) == {cell.key: path}
    old = results.read(path)
    content = replace(old, dataset=replace(old.dataset, revision="older")).to_json()
    path.write_text(json.dumps(content), encoding="utf-8")
    assert cell.key not in answers.measured(tmp_path)
    path.write_text("{", encoding="utf-8")
    assert answers.measured(tmp_path) == {}


@pytest.mark.usefixtures("drawn_sketch")
def test_a_combination_that_fails_is_listed_and_the_rest_go_on(tmp_path: Path) -> None:
    done = swept(tmp_path, "--grid", "method=objects2action,nearest-text")
    assert done.exit_code == 1
    assert "not measured: method=objects2action" in done.stdout
    assert "nearest-text" in done.stdout
    assert len(results.find(tmp_path)) == 1

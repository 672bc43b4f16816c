"""Plugins from outside: what `zsarbench plugin new` writes and the README's, installed with pip, found and checked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from locations import ROOT
from zsarbench.cli.main import VERBS, Session, cli
from zsarbench.errors import UsageError
from zsarbench.plugins import load_plugins


def readme_plugin() -> tuple[str, str]:
    """Return the code of the README's plugin, and the entry point that its first line asks for."""
    found = re.search(r"<!-- plugin -->\n```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    entry = re.search(r"\[options\.entry_points\]\s+zsarbench = (\S+ = \S+)", found[1].splitlines()[0])
    assert entry is not None
    return found[1], entry[1]


def write_readme_plugin(folder: Path) -> Path:
    """Write the package that the README describes: its module, and a setup.cfg with the entry point."""
    code, entry = readme_plugin()
    module = entry.split(" = ")[1]
    folder.mkdir()
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    (folder / "setup.cfg").write_text(
        f"[metadata]\nname = {entry.split(' = ')[0]}\nversion = 1\n[options]\npy_modules = {module}\n"
        f"[options.entry_points]\nzsarbench =\n    {entry}\n",
        encoding="utf-8",
    )
    (folder / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools"]\n', encoding="utf-8")
    return folder


def write_tutorial_plugin(folder: Path) -> Path:
    """Write the package that the tutorial describes: a new one with the files that it shows."""
    page = (ROOT / "docs/tutorials/own-method.md").read_text("utf-8")
    assert new(folder, "fast-zsl", "--method").exit_code == 0
    files = re.findall(r"<!-- file:fast-zsl/(\S+) -->\n```python\n(.*?)```", page, re.DOTALL)
    assert {name for name, _ in files} == {"fast_zsl/__init__.py", "fast_zsl/method.py"}
    for name, code in files:
        (folder / name).write_text(code, encoding="utf-8")
    return folder


ALL = ("method", "loss", "visual", "text", "negatives", "dataset", "protocol", "reporter")


def new(folder: Path, name: str, *options: str) -> Any:
    """Return the outcome of `zsarbench plugin new`."""
    return CliRunner().invoke(cli, ["plugin", "new", name, "--out", str(folder), *options])


class Outside:
    """A folder with the sources of plugins, all installed where this process finds them, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = load_plugins()

    def type(self, *arguments: str) -> Any:
        """Return what a command prints as JSON."""
        done = CliRunner().invoke(cli, [*arguments, "--json"], obj={"session": Session((), self.host)})
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Plugins written by `plugin new` and by hand, installed with pip."""
    pytest.importorskip("torch", reason="the plugins import torch")
    folder = tmp_path_factory.mktemp("outside")
    assert new(folder / "whole", "my-whole", *(f"--{kind}" for kind in ALL)).exit_code == 0
    packages = [
        folder / "whole",
        write_readme_plugin(folder / "readme"),
        write_tutorial_plugin(folder / "tutorial"),
    ]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", folder / "site", *packages], check=True, cwd=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "site")
        yield Outside(folder)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this file one cache: clips are drawn once."""
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "plugin-cache"))


def test_list_names_what_they_add(outside: Outside) -> None:
    assert not outside.host.failures
    found = {(row["kind"], row["name"]): row["plugin"] for row in outside.type("list")}
    for kind in set(ALL) - {"protocol"}:
        assert found[kind, "my-whole"] == "my-whole"
    assert found["protocol", "my-whole/unseen"] == "my-whole"
    assert found["loss", "soft-margin"] == "my-losses"


def test_check_finds_no_bug_in_the_readme_plugin(outside: Outside) -> None:
    outcomes = outside.type("check", "my-losses")
    assert {outcome["kind"] for outcome in outcomes} == {"loss"}
    assert [outcome for outcome in outcomes if outcome["problem"] or outcome["skipped"]] == []


def test_check_finds_no_bug_in_the_plugin_of_the_tutorial(outside: Outside) -> None:
    outcomes = outside.type("check", "fast-zsl")
    assert {outcome["kind"] for outcome in outcomes} == {"method"}
    assert [outcome for outcome in outcomes if outcome["problem"] or outcome["skipped"]] == []


def test_the_method_of_the_tutorial_stands_on_a_board_of_its_results(outside: Outside, tmp_path: Path) -> None:
    page = (ROOT / "docs/tutorials/own-method.md").read_text("utf-8")
    request = re.search(r"^zsarbench (run .*)$", page, re.MULTILINE)
    assert request is not None
    fewer = ("--set", "dataset.clips_per_class=1", "--out", str(tmp_path / "results"))
    outside.type(*request[1].split(), *fewer)
    words = ["leaderboard", "build", "--results", str(tmp_path / "results"), "--out", str(tmp_path / "board")]
    done = CliRunner().invoke(cli, words, obj={"session": Session((), outside.host)})
    assert done.exit_code == 0, done.output
    assert "| fast-zsl |" in (tmp_path / "board" / "LEADERBOARD.md").read_text("utf-8")


def test_the_tests_of_a_written_plugin_of_every_kind_pass(outside: Outside) -> None:
    class Counted:
        outcomes: tuple[str, ...] = ()

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.when == "call" or not report.passed:
                self.outcomes += (report.outcome,)

    tests, counted = outside.folder / "whole" / "tests", Counted()
    assert pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(tests), str(tests)], [counted]) == 0
    assert set(counted.outcomes) == {"passed"}
    assert len(counted.outcomes) > 80


def test_a_written_method_gives_a_row_without_an_edit(outside: Outside, tmp_path: Path) -> None:
    request = ("--protocol", "sketch/compositional", "--visual", "captions", "--limit", "1", "--text", "my-whole")
    fewer = ("--set", "dataset.clips_per_class=1")
    result = outside.type("run", "--method", "my-whole", *request, *fewer, "--out", str(tmp_path))
    assert result["protocol"]["name"] == "sketch/compositional"
    assert 0 <= result["summary"]["top1_per_class"]["mean"] <= 1
    assert result["method"]["plugin"] == "my-whole"


def test_without_a_kind_a_method_and_a_loss_are_written(tmp_path: Path) -> None:
    assert new(tmp_path / "default", "by-default").exit_code == 0
    text = (tmp_path / "default" / "by_default" / "__init__.py").read_text("utf-8")
    assert re.findall('registry.add\\(\n +"(.*)"', text) == ["method", "loss"]


def test_only_the_chosen_kinds_are_written(tmp_path: Path) -> None:
    assert new(tmp_path / "one", "my-loss", "--loss").exit_code == 0
    written = {path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*.*")}
    assert {"my_loss/__init__.py", "my_loss/loss.py", ".github/workflows/tests.yml", "pyproject.toml"} <= written
    assert not {"my_loss/method.py", "my_loss/data/clips.csv", "my_loss/protocols/unseen.toml"} & written
    text = (tmp_path / "one" / "my_loss" / "__init__.py").read_text("utf-8")
    assert text.count("registry.add") == 1
    assert not re.search("my-plugin|my_plugin|# <", "".join(read_all(tmp_path / "one")))


def read_all(folder: Path) -> list[str]:
    """Return the texts of all files."""
    return [path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()]


def test_a_folder_with_files_is_left_alone_and_an_empty_one_is_filled(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("ten years")
    refused = new(tmp_path / "full", "my-loss").exception
    assert isinstance(refused, UsageError)
    assert "exists and is not empty. Try: --out FOLDER" in str(refused)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    (tmp_path / "empty").mkdir()
    assert new(tmp_path / "empty", "my-loss").exit_code == 0


REFUSED = [
    "a" * 300,
    "tests",
    "conftest",
    "My-Plugin",
    "1st",
    "a--b",
    "class",
    "json",
    "zsarbench-x",
    "numpy",
    "cezsar",
    "none",
    "../up",
    "",
    "é",
]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    refused = new(tmp_path / "new", name, "--method", "--dataset").exception
    assert isinstance(refused, UsageError)
    assert "plugin name" in str(refused)
    assert not (tmp_path / "new").exists()


def test_every_command_of_a_written_readme_exists(tmp_path: Path) -> None:
    new(tmp_path / "whole", "my-whole", *(f"--{kind}" for kind in ALL))
    readme = (tmp_path / "whole" / "README.md").read_text("utf-8")
    used = set(re.findall(r"^zsarbench (\w+)", readme, re.MULTILINE))
    assert {"list", "check", "run", "compare", "data"} <= used <= set(VERBS)


def test_the_readme_plugin_is_as_short_as_it_says() -> None:
    code = [line for line in readme_plugin()[0].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(code) <= 15

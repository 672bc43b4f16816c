"""Plugins from outside: the template and the README's, each built, installed with pip and found by the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from locations import ROOT

TREE = ROOT
TEMPLATE = TREE / "plugins" / "zsarbench_template"
ZSARBENCH = Path(sysconfig.get_path("scripts")) / "zsarbench"


def readme_plugin() -> tuple[str, str]:
    """Return the code of the README's plugin, and the entry point that its first line asks for."""
    found = re.search(r"<!-- plugin -->\n```python\n(.*?)```", (TREE / "README.md").read_text("utf-8"), re.DOTALL)
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
    shutil.copy(TEMPLATE / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that both plugins were installed into."""
    folder = tmp_path_factory.mktemp("outside")
    template = shutil.copytree(TEMPLATE, folder / "template")  # a build leaves files in the tree
    for package in (template, write_readme_plugin(folder / "readme")):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*command, "--target", folder / "site", package], check=True, cwd=folder)
    return folder / "site"


def typed(site: Path, *arguments: str) -> Any:
    """Return what a command prints as JSON, with the plugins installed."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [ZSARBENCH, *arguments, "--json"], capture_output=True, text=True, env=environment, cwd=site.parent
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    return json.loads(done.stdout)


def test_list_names_what_they_add(site: Path) -> None:
    found = {(row["kind"], row["name"]): row["plugin"] for row in typed(site, "list")}
    assert found["method", "ridge-to-text"] == "zsarbench-template"
    assert found["loss", "squared-hinge"] == "zsarbench-template"
    assert found["loss", "soft-margin"] == "my-losses"


@pytest.mark.parametrize(("plugin", "kinds"), [("zsarbench-template", {"method", "loss"}), ("my-losses", {"loss"})])
def test_check_finds_no_bug_and_leaves_nothing_out(site: Path, plugin: str, kinds: set[str]) -> None:
    outcomes = typed(site, "check", plugin)
    assert {outcome["kind"] for outcome in outcomes} == kinds
    assert [outcome for outcome in outcomes if outcome["problem"] or outcome["skipped"]] == []


def test_the_readme_plugin_is_as_short_as_it_says() -> None:
    code = [line for line in readme_plugin()[0].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(code) <= 15


def test_the_template_is_short() -> None:
    for file in ("method.py", "loss.py"):
        lines = (TEMPLATE / "zsarbench_template" / file).read_text("utf-8").splitlines()
        assert 10 <= len([line for line in lines if line.strip()]) <= 40


def test_every_command_of_the_templates_readme_exists() -> None:
    from zsarbench.cli.main import VERBS

    readme = (TEMPLATE / "README.md").read_text("utf-8")
    used = re.findall(r"^zsarbench (\w+)", readme, re.MULTILINE)
    assert {"list", "check", "run", "compare"} <= set(used) <= set(VERBS)

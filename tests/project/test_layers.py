"""The house keeps its shape: who imports whom, what start-up loads, where every package comes from."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from locations import ROOT

HEAVY = {
    "torch",
    "matplotlib",
    "timm",
    "sentence_transformers",
    "pandas",
    "transformers",
    "torchvision",
    "av",
    "ray",
    "pydantic",
}


def test_imports_run_down_only_and_in_no_circle() -> None:
    """The contracts of `[tool.importlinter]` in pyproject.toml hold, imports for type checking included."""
    script = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(config_filename=sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT / "pyproject.toml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stderr.splitlines()}


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "protocol", "--json"], ["run", "--help"]])
def test_start_up_stays_light(arguments: list[str]) -> None:
    code = f"from zsarbench.cli.main import main\ntry: main({arguments})\nexcept SystemExit as end: assert not end.code"
    assert not HEAVY & loaded_by(code)


def test_a_decoding_process_starts_light() -> None:
    assert not HEAVY & loaded_by("import zsarbench.data.video.workers")


def test_plugins_hold_their_hooks_alone_at_the_door() -> None:
    assert not HEAVY & loaded_by("from zsarbench.plugins import load_plugins; assert not load_plugins().failures")


@pytest.mark.parametrize("package", ["zsarbench", "zsarbench_cezsar", "zsarbench_encoders", "zsarbench_baselines",
                                     "zsarbench_datasets", "zsarbench_ray", "zsarbench_methods",
                                     "zsarbench_benchmarks"])  # fmt: skip
def test_the_installed_packages_are_tested_and_not_the_tree(package: str) -> None:
    """A wheel that lacks a package or a data file passes every other test when the tree is what they import."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    site = Path(sysconfig.get_path("purelib")).resolve()
    installed = Path(found.origin).resolve()
    if ROOT in installed.parents and site not in installed.parents:
        pytest.skip("zsarbench is installed in place (pip install -e), as developers do")
    assert site in installed.parents

"""The house keeps its shape: who imports whom, what start-up loads, where every package comes from."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import zsarbench
from locations import ROOT

HOST = Path(zsarbench.__file__).parent
LAYERS = (
    {"errors", "registry", "names", "paths", "files", "seeding", "hookspecs", "progress", "records", "batching"},
    {"interfaces"},
    {"plugins", "builtin", "options", "protocols", "protocol", "assembly", "class", "spec", "resolve", "downloads",
     "video", "decoding", "workers", "survey", "scan", "features", "shards", "rows", "clips", "text_cache", "metrics",
     "statistics", "scores", "results", "summaries", "reported", "lint", "contamination", "objects"},
    {"inputs", "machine", "outcome", "encoding", "extract", "recording", "harness", "sweep", "gap", "testing"},
    {"display", "tables", "reporters", "paired", "plots", "leaderboard"},
    {"cli"},
)  # fmt: skip
HEAVY = {"torch", "matplotlib", "timm", "sentence_transformers", "pandas", "transformers", "torchvision", "av", "ray"}


def layer_of(module: str) -> int | None:
    for number, names in enumerate(LAYERS):
        if module in names or module.split("_")[0] in names:
            return number
    return None


def modules() -> list[Path]:
    return sorted(
        path for path in HOST.rglob("*.py") if path.parent.name != "__pycache__" and path != HOST / "__init__.py"
    )


def top(path: Path) -> str:
    return path.relative_to(HOST).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(HOST)))
def test_nothing_imports_upwards(path: Path) -> None:
    """Type-checking imports may point anywhere; what runs points sideways or down."""
    own = layer_of(top(path))
    assert own is not None, f"{path.name} stands in no layer: place it in LAYERS"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and id(node) not in typing_only
            and (node.module or "").startswith("zsarbench")
        ):
            package, _, inside = (node.module or "").partition(".")
            names = [inside.split(".")[0]] if inside else [alias.name for alias in node.names]
            for name in names:
                if package == "zsarbench" and layer_of(name) is not None:
                    assert layer_of(name) <= own, f"{path.name} imports {name}, a layer above its own"  # type: ignore[operator]
                assert package == "zsarbench", f"{path.name} knows the plugin package {package}"


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stderr.splitlines()}


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "protocol", "--json"], ["run", "--help"]])
def test_start_up_stays_light(arguments: list[str]) -> None:
    code = f"from zsarbench.cli.main import main\ntry: main({arguments})\nexcept SystemExit as end: assert not end.code"
    assert not HEAVY & loaded_by(code)


def test_plugins_hold_their_hooks_alone_at_the_door() -> None:
    assert not HEAVY & loaded_by("from zsarbench.plugins import load_plugins; assert not load_plugins().failures")


@pytest.mark.parametrize("package", ["zsarbench", "zsarbench_cezsar", "zsarbench_encoders", "zsarbench_baselines",
                                     "zsarbench_datasets", "zsarbench_ray", "zsarbench_rivals",
                                     "zsarbench_benchmarks"])  # fmt: skip
def test_the_installed_packages_are_tested_and_not_the_tree(package: str) -> None:
    """A wheel that lacks a package or a data file passes every other test when the tree is what they import."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    site = Path(sysconfig.get_path("purelib")).resolve()
    tree = ROOT
    installed = Path(found.origin).resolve()
    if tree in installed.parents and site not in installed.parents:
        pytest.skip("zsarbench is installed in place (pip install -e), as developers do")
    assert site in installed.parents

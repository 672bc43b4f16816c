"""The competing methods as a plugin: they register, load, take options, and know no data set by name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import zsarbench_methods
from zsarbench.interfaces import Method
from zsarbench.plugins import load_plugins, options
from zsarbench.plugins.registry import Entry

ENTRIES = tuple(load_plugins(loaders={"methods": lambda: zsarbench_methods}).registry)
METHODS = [entry for entry in ENTRIES if entry.kind == "method" and entry.plugin == "methods"]
FOLDER = Path(zsarbench_methods.__file__).parent
NAMES_OF_DATA = ("ucf", "hmdb", "kinetics", "activitynet", "olympic", "sketch", "truze", "half-e2e")


def test_all_are_there() -> None:
    expected = {"eszsl", "sae", "devise", "ale", "sje", "latem", "dem", "e2e", "er", "conse", "objects2action",
                "objsent", "zsarcap", "clip", "video-clip"}  # fmt: skip
    assert {entry.name for entry in METHODS} == expected


@pytest.mark.parametrize("entry", METHODS, ids=lambda entry: entry.name)
def test_a_method_loads_with_its_options_and_its_source(entry: Entry) -> None:
    target = entry.load()
    assert isinstance(target(), Method)
    given = options.options_of(target)
    component = target()
    assert all(getattr(component, name) == option.default for name, option in given.items())
    assert "Source:" in target.__doc__
    assert "Expects" in target.__doc__
    assert entry.source
    assert set(entry.defaults) == {"visual", "text"}
    if target.learns_from == "seen-classes":
        assert "seen_bias" in given
        assert all(given[name].default is None for name in target.choices)


def test_given_options_are_read_from_the_command_line() -> None:
    target = next(entry for entry in METHODS if entry.name == "latem").load()
    given = {"n_maps": "4", "features": "l2", "learning_rate": "none", "seen_bias": "0.1"}
    parsed, problems = options.check(target, "method latem", given)
    assert problems == []
    assert parsed == {"n_maps": 4, "features": "l2", "learning_rate": None, "seen_bias": 0.1}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_no_code_knows_a_data_set_or_protocol_by_name(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body[0] = ast.Pass()  # a docstring may name what a paper was tested on
        if isinstance(node, ast.keyword) and node.arg == "trained_on":
            node.value = ast.Constant(None)
    code = ast.unparse(tree).lower()
    assert [name for name in NAMES_OF_DATA if name in code] == []

"""The reference of the site, which is read from the source, says what the code says."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from locations import ROOT
from zsarbench.plugins import load_plugins
from zsarbench.plugins.building import members
from zsarbench.plugins.options import options_of
from zsarbench.testing.checks_constructors import INTERFACES

pytest.importorskip("griffe", reason="griffe reads the source: pip install -r requirements/tests.txt")


@pytest.fixture(scope="module")
def reference() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / ".ci"))
        return importlib.import_module("reference")


@pytest.mark.parametrize("kind", ["visual", "text", "negatives", "loss", "method", "dataset", "executor"])
def test_options_read_from_the_source_are_those_of_the_constructor(reference: Any, kind: str) -> None:
    entries = [entry for entry in load_plugins().registry if entry.kind == kind and entry.plugin != "ray"]
    for entry in entries:
        known = {name: str(option.default) for name, option in options_of(entry.load()).items()}
        read = {name: default.strip("'") for name, _, default in reference.options_of(entry.target)}
        assert read.keys() == known.keys(), entry.name
        assert all(read[name] == known[name] for name in known if "(" not in known[name]), (read, known)


def test_no_member_that_a_component_must_offer_is_left_out_of_the_site() -> None:
    [left_out] = re.findall(r'filters: \["!(.*)"\]', (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    offered = {member for interface in INTERFACES.values() for member in members(interface)}
    assert [member for member in sorted(offered) if re.search(left_out, member)] == []

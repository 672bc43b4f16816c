"""The examples of the pages are run as they stand, and print what the pages show."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from locations import ROOT


def examples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples", ROOT / ".ci" / "examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAM = examples()


@pytest.mark.parametrize("page", PROGRAM.PAGES)
def test_every_example_prints_what_the_page_shows(page: str) -> None:
    """Where it does not: python .ci/examples.py."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(PROGRAM.RUN.findall(text)) == text.count("<!-- run -->") > 0
    assert PROGRAM.rendered(text).splitlines() == text.splitlines()

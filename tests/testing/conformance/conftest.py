"""What the files of planted bugs share: a bug is found by its check, and no check is without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from zsarbench.testing import conformance

GENERAL = {"options-can-be-set", "options-are-stored", "interface-is-complete"}
"""Checks that all kinds share, tried on one."""


@pytest.fixture
def find() -> Callable[..., str]:
    """Return a function that gives what one check says of a component, "" where it finds nothing."""

    def run(kind: str, component: Any, check: str, seconds: float = 60.0) -> str:
        chosen = next(one for one in conformance.checks_for(kind) if one.name == check)
        problem = chosen.outcome(conformance.subject_of(component, kind), seconds).problem
        if problem is None:
            return ""
        assert problem.message.startswith("expected ")
        assert ", but " in problem.message
        assert problem.contract.startswith("zsarbench")
        return problem.message

    return run


@pytest.fixture
def unplanted() -> Callable[..., set[str]]:
    """Return a function that names the checks of some kinds which no planted bug (kind, component, check) tries."""

    def compare(kinds: Iterable[str], planted: Iterable[tuple[Any, ...]]) -> set[str]:
        tried = {(kind, check) for kind, _, check in planted}
        known = {(kind, check.name) for kind in kinds for check in conformance.checks_for(kind)}
        return {f"{kind} {check}" for kind, check in known - tried if check not in GENERAL}

    return compare

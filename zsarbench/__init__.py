"""zsarbench measures zero-shot action recognition: one harness, exact protocols, swappable methods and parts."""

from __future__ import annotations

from typing import Any

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("zsarbench")
"""Marks a function of a plugin as an implementation of a hook of `zsarbench.plugins.hookspecs`."""

__all__ = ["__version__", "hookimpl", "run"]


def run(method: str, **request: Any) -> Any:
    """Run one method under one protocol and return its `RunResult`; what `zsarbench run` does, from Python.

    Keyword arguments are the fields of `zsarbench.harness.spec.RunRequest`, which are the options of `zsarbench run`
    with underscores for hyphens.

    Raises:
        zsarbench.errors.ZsarbenchError: a name, option or protocol that does not exist, or a run that failed.
    """
    from zsarbench.harness.runs import run_request

    return run_request(method, **request)

"""The public conformance kit for plugin authors: `parametrize`, `run_checks`, `toys`, `videos`.

The checks import torch, and a `prepare` of `zsarbench.testing.videos` runs in decoding processes that do without it; so
what the kit offers is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsarbench.testing import toys, videos
    from zsarbench.testing.checking import Check, CheckOutcome, ComponentUnderTest, Problem
    from zsarbench.testing.conformance import Case, cases, checks_for, outcomes, parametrize, run_checks, subject_of

__all__ = [
    "Case", "Check", "CheckOutcome", "ComponentUnderTest", "Problem", "cases", "checks_for", "outcomes", "parametrize",
    "run_checks", "subject_of", "toys", "videos",
]  # fmt: skip
_SUBMODULES = ("toys", "videos")


def __getattr__(name: str) -> Any:
    """Import a name of `__all__` on its first use."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(f"{__name__}.conformance"), name)

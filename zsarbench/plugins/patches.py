"""Finds what a plugin replaced in modules that everybody computes with: numbers of other methods would change by it."""

from __future__ import annotations

import sys
from typing import Any

WATCHED = (
    "torch", "torch.Tensor", "torch.random", "torch.nn", "torch.nn.functional", "torch.cuda", "numpy", "numpy.random",
    "random", "builtins", "json",
)  # fmt: skip
"""Modules, and classes in them, whose members are looked at."""


def replaced_by(package: str) -> list[str]:
    """Return the watched members that are code of a package, such as "torch.softmax"; [] where it replaced none."""
    return [
        f"{name}.{member}"
        for name in WATCHED
        for member, value in _members(name).items()
        if _module_of(value).partition(".")[0] == package
    ]


def _members(name: str) -> dict[str, Any]:
    """Return the members of a module or class that was imported already."""
    owner, _, attribute = name.rpartition(".")
    found = sys.modules.get(name) or getattr(sys.modules.get(owner), attribute, None)
    return dict(vars(found)) if found is not None else {}


def _module_of(value: Any) -> str:
    """Return the module that a member's code was written in, whatever it gives itself out for (`functools.wraps`)."""
    scope = getattr(value, "__globals__", None)
    return str(scope.get("__name__", "") if isinstance(scope, dict) else getattr(value, "__module__", ""))

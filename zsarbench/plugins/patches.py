"""Finds what a plugin replaced in modules that everybody computes with: numbers of other methods would change by it."""

from __future__ import annotations

import operator
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
        if package in _packages_in(name)
        for member, value in _members(name).items()
        if _package_of(value) == package
    ]


def _packages_in(name: str) -> frozenset[str]:
    """Return the packages whose code is among the members; torch has thousands, so they are looked at once."""
    members = _members(name)
    before, packages = _looked_at.get(name, ({}, frozenset()))
    if before.keys() != members.keys() or not all(map(operator.is_, before.values(), members.values())):
        packages = frozenset(map(_package_of, members.values()))
        _looked_at[name] = members, packages
    return packages


_looked_at: dict[str, tuple[dict[str, Any], frozenset[str]]] = {}


def _members(name: str) -> dict[str, Any]:
    """Return the members of a module or class that was imported already."""
    owner, _, attribute = name.rpartition(".")
    found = sys.modules.get(name) or getattr(sys.modules.get(owner), attribute, None)
    return dict(vars(found)) if found is not None else {}


def _package_of(value: Any) -> str:
    """Return the package that a member's code was written in, whatever it gives itself out for (`functools.wraps`)."""
    scope = getattr(value, "__globals__", None)
    module = scope.get("__name__", "") if isinstance(scope, dict) else getattr(value, "__module__", "")
    return str(module).partition(".")[0]

"""Packages that take long to import, for annotations alone: what asks for types at run time finds them all the same."""

from __future__ import annotations

import importlib
from typing import Any


class Lazy:
    """Stands for a module, which is imported when a member of it is looked up, as by `typing.get_type_hints`.

    A module that others read its types of takes it where a type checker takes the real import.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, member: str) -> Any:
        """Return a member of the module."""
        return getattr(importlib.import_module(self._name), member)

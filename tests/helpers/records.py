"""Which records of a module take other values once they are made, and which take values by their place."""

from __future__ import annotations

import dataclasses
import inspect
from types import ModuleType


def changeable(module: ModuleType) -> list[str]:
    """Return the names of the data classes of a module whose instances take other values."""
    return [kind.__name__ for kind in _records(module) if not _is_frozen(kind)]


def positional(module: ModuleType) -> list[str]:
    """Return the names of the data classes of a module that may be made without naming their fields."""
    return [kind.__name__ for kind in _records(module) if any(not field.kw_only for field in dataclasses.fields(kind))]


def _records(module: ModuleType) -> list[type]:
    kinds = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    records = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    assert records, f"{module.__name__} has no data class"
    return records


def _is_frozen(kind: type) -> bool:
    one = object.__new__(kind)
    try:
        setattr(one, dataclasses.fields(kind)[0].name, None)
    except dataclasses.FrozenInstanceError:
        return True
    return False

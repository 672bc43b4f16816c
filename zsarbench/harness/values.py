"""Values of options in the forms that Python has, brought to the types that options are declared with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_LIKE: Mapping[type, tuple[type, ...]] = {str: (str, os.PathLike), int: (np.integer,), bool: (np.bool_,)}


def taken(value: Any, kind: type, *, multiple: bool) -> Any:
    """Return a value in the type of its option, where it is one in another form; else as it is, which is checked later.

    >>> taken(np.int64(3), int, multiple=False), taken((text for text in ["a", "b"]), str, multiple=True)
    (3, ('a', 'b'))
    """
    if multiple:
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return tuple(taken(one, kind, multiple=False) for one in value) if several else value
    return kind(value) if isinstance(value, _LIKE[kind]) else value

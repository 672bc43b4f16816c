"""Data frames of texts that people and file systems write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd


@contextmanager
def any_text() -> Iterator[None]:
    """Let new frames hold any text that Python does; a context and a decorator.

    Where pyarrow is installed, pandas keeps texts in its arrays, and these refuse a file name that is not UTF-8.
    """
    with pd.option_context("mode.string_storage", "python"):
        yield

"""Data frames of texts that people and file systems write."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pandas as pd


def any_text() -> AbstractContextManager[None]:
    """Return a context, or a decorator, in which new frames hold any text that Python does.

    Where pyarrow is installed, pandas keeps texts in its arrays, and these refuse a file name that is not UTF-8.
    """
    return pd.option_context("mode.string_storage", "python")

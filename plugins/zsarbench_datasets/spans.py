"""The seconds of a video that are a clip: how annotations write them, and how clip ids do."""

from __future__ import annotations

import math
import re
from typing import Any

from zsarbench.errors import UsageError

Span = tuple[float, float]
"""Start and end in seconds; an end that is NaN is the end of the file."""

MAX_SECONDS = 1e9  # no video has thirty years

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def read_span(start: str, end: str, where: str) -> Span | None:
    """Return the span of two cells; an empty start is the file's start, an empty end its end, both the whole file.

    Raises:
        UsageError: a cell is not a finite number, or the clip has no length or begins before the file; `where` names
            the file and its line.
    """
    if not start and not end:
        return None
    cells = [cell for cell in (start, end) if cell]
    if not all(_NUMBER.fullmatch(cell) and abs(float(cell)) < MAX_SECONDS for cell in cells):
        advice = f". Try: {start.replace(',', '.')} and {end.replace(',', '.')}" if "," in start + end else ""
        raise UsageError(f"{where}: start and end are seconds, not '{start:.40}' and '{end:.40}'{advice}")
    span = (float(start or 0), float(end or "nan"))
    if span[0] < 0 or span[1] <= span[0]:
        raise UsageError(f"{where}: a clip cannot go from {start or '0'} to {end} seconds")
    return span


def json_span(times: Any, where: str) -> Span | None:
    """Return the span of an annotated [start, end]; None where it has no length. A start before 0 is the start.

    Raises:
        UsageError: these are not two numbers of seconds.
    """
    if isinstance(times, list) and len(times) == 2 and all(type(time) in (int, float) for time in times):
        start, end = (max(0, time) for time in times)
        if max(start, end) < MAX_SECONDS:
            return (float(start), float(end)) if start < end else None
    raise UsageError(f"{where}: {times!s:.60} is not [start, end] in seconds")


def span_name(span: Span) -> str:
    """Return a span as clip ids end with it; spans that differ have names that differ.

    >>> span_name((1.5, 4.0)), span_name((4.0, float("nan"))), span_name((0.1234567, 1.0))
    ('1.5-4', '4-', '0.1234567-1')
    """
    start, end = span
    return f"{_short(start)}-{'' if math.isnan(end) else _short(end)}"


def _short(seconds: float) -> str:
    short = f"{seconds:g}"
    return short if float(short) == seconds else repr(seconds).removesuffix(".0")

"""Scripts that bring data to the page: one that was opened from a disk may load nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

from zsarbench.utils.output import visible

_ESCAPED = re.compile(r"\\[bfru]")  # how JSON writes control characters other than tabs and line feeds


class Encoded(str):
    """Text that `encoded` returned, which a script holds as it is."""

    __slots__ = ()


def script(call: str, *arguments: Any) -> str:
    """Return a script that hands values of JSON to a function of the page."""
    return f"zsarbench.{call}({','.join(map(encoded, arguments))});\n"


def encoded(value: Any) -> Encoded:
    """Return a value as JSON for a script.

    Control characters of others are shown, and no text can end the script or the string that it stands in.
    """
    if isinstance(value, Encoded):
        return value
    text = _compact(value)
    if _ESCAPED.search(text) or visible(text) != text:
        text = _compact(_shown(value))
    return Encoded(text.replace("<", "\\u003c"))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(key): _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value

"""The options of a question as files state them: lists, texts that show a list, and lines behind letters."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from string import ascii_uppercase
from typing import Any, Final

MAX_LISTED: Final = 20_000
"""Characters of a text that is read as a list of options: what is longer is none."""
_LETTERED = re.compile(r"\s*\(?(?P<letter>[A-Z])[.):]\s+(?P<text>\S.*?)\s*")


def listed(value: Any) -> tuple[str, ...]:
    """Return the options that a value lists, without letters before them; () where it lists fewer than two.

    >>> listed("golf|diving"), listed("['golf', 'diving']"), listed(["A. golf", "B. diving"])
    (('golf', 'diving'), ('golf', 'diving'), ('golf', 'diving'))
    """
    if isinstance(value, str) and len(value) <= MAX_LISTED:
        value = _in_text(value)
    if isinstance(value, Mapping) and list(value) == list(ascii_uppercase[: len(value)]):
        value = list(value.values())
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(text, str) for text in value):
        return ()
    texts = lettered(value)
    return texts if len(texts) == len(value) else tuple(text.strip() for text in value)


def lettered(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the options that lines give behind the letters A, B, C and so on; () for fewer than two.

    >>> lettered(["What happens?", "A. golf", "(B) horse riding", "Answer with the letter."])
    ('golf', 'horse riding')
    """
    found: list[str] = []
    for line in lines:
        match = _LETTERED.fullmatch(line)
        if match and match["letter"] == ascii_uppercase[len(found) % len(ascii_uppercase)]:
            found.append(match["text"])
    return tuple(found) if len(found) > 1 else ()


def _in_text(text: str) -> Any:
    """Return what a text lists: parts between bars, as pandas writes a list or an object, or lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, of a backslash in the text
        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text.split("|") if "|" in text else [line for line in text.splitlines() if line.strip()]

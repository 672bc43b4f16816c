"""How text looks on a terminal: lines broken between words, and colour that repeats what the words say.

Elsewhere, in a pipe or a file, text stays as it is: one line is one line, without colour.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import unicodedata
from typing import TextIO

PAGE_WIDTH = 80
"""Columns where no terminal is attached."""
_CODES = {"bold": "1", "error": "1;31", "warning": "1;33", "command": "36", "better": "34", "worse": "33"}
"""Styles by meaning. Each accompanies a word or a sign of the same meaning, so nothing depends on colour alone; blue
and yellow are distinguishable under every kind of colour vision."""
_LABEL = re.compile(r"^(error|warning):")
_ADVICE = re.compile(r"(?<=[.?!)]) (?=Try: )")


def is_styled(stream: TextIO) -> bool:
    """Return whether text on a stream may be styled: it is a terminal that can, and NO_COLOR is not set."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal."""
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def columns(stream: TextIO, default: int = PAGE_WIDTH) -> int:
    """Return the width of a stream's terminal, or of COLUMNS; `default` where there is neither."""
    try:
        if "COLUMNS" not in os.environ:
            return os.get_terminal_size(stream.fileno()).columns or default
    except (OSError, ValueError, AttributeError):
        return default
    return shutil.get_terminal_size((default, 24)).columns


def width_of(text: str) -> int:
    """Return how many columns a text takes: two for a wide character, none for one that joins the character before it.

    >>> width_of("abc"), width_of("跑步"), width_of("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def padded(text: str, width: int, *, left: bool) -> str:
    """Return a text with blanks up to a width in columns, at the left of its place or at the right."""
    blanks = " " * (width - width_of(text))
    return text + blanks if left else blanks + text


def styled(text: str, style: str, stream: TextIO) -> str:
    """Return text in a style (`bold`, `error`, `warning`, `command`, `better`, `worse`) where the stream shows it."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if text and is_styled(stream) else text


def wrapped(text: str, width: int, hang: int = 2) -> str:
    """Return text whose lines are broken between words; a word that is longer than the width stays whole.

    hang: blanks before the second line of a broken line, besides those that the line begins with.

    >>> print(wrapped("  error: unknown method 'cezzar'; did you mean 'cezsar'?", 40))
      error: unknown method 'cezzar'; did
        you mean 'cezsar'?
    """
    return "\n".join(_wrapped(line, width, hang) for line in text.split("\n"))


def _wrapped(line: str, width: int, hang: int) -> str:
    if len(line) <= width:
        return line
    start = len(line) - len(line.lstrip(" ")) + hang
    parts = textwrap.wrap(
        line, width, subsequent_indent=" " * start, break_long_words=False, break_on_hyphens=False,
        drop_whitespace=True, expand_tabs=False, replace_whitespace=False,
    )  # fmt: skip
    return "\n".join(parts)


def on_terminal(text: str, stream: TextIO, hang: int = 2) -> str:
    """Return text as a stream shows it: on a terminal broken between words, its "error:" or "warning:" styled.

    "Try:" of such a text begins a line of its own there, so that what is to be typed can be copied.
    """
    if not is_terminal(stream):
        return text
    labelled = _LABEL.match(text)
    if labelled:
        text = _ADVICE.sub("\n  ", text)
    text = wrapped(text, columns(stream), hang)
    if labelled:
        label = labelled[0]
        text = styled(label, labelled[1], stream) + text[len(label) :]
        text = re.sub(r"(?<=\n  )Try:", lambda found: styled(found[0], "command", stream), text)
    return text

"""Output to a terminal: results alone on stdout, and control characters in foreign text escaped."""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from contextvars import ContextVar
from typing import Any, TextIO

_CONTROL = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of text
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # further line ends, byte order mark, annotations
    "\ud800-\udfff"  # halves of characters
    "\U000e0000-\U000e007f"  # tags, which are not shown
)
_ACTING = re.compile(f"[{_CONTROL}]")
_reserved: ContextVar[TextIO | None] = ContextVar("reserved", default=None)


def visible(text: str) -> str:
    r"""Return text whose control characters, but for tabs and line feeds, are shown as `\x1b`.

    >>> print(visible("a\x1b[31mred\x07"))
    a\x1b[31mred\x07
    """
    if text.isprintable():  # as most texts are, which is known at once; nothing that acts is
        return text
    return _ACTING.sub(lambda found: _escape(found[0]), text)


def one_line(text: str) -> str:
    r"""Return text as `visible` does, on one line and with single blanks.

    >>> one_line("a\n  b\x1b")
    'a b\\x1b'
    """
    return visible(" ".join(text.split()))


def json_visible(text: str) -> str:
    r"""Return JSON in which the control characters of its strings are written as JSON writes them, as `\u009b`."""

    if text.isascii() and "\x7f" not in text:  # all others of ASCII are escaped already
        return text
    return _ACTING.sub(lambda found: _as_in_json(found[0]), text)


def _as_in_json(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return _as_in_json(error.object[error.start : error.end]), error.end


codecs.register_error("zsarbench", _escape_unencodable)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# --- stdout -----------------------------------------------------------------------------------------------------------


def stdout() -> TextIO:
    """Return where results are written: the stdout that `reserved_stdout` keeps, else `sys.stdout`."""
    return _reserved.get() or sys.stdout


def open_streams() -> None:
    r"""Let anything be written to stdout and stderr.

    A process that was started without one of them (`>&-`) gets one that swallows what is written. What the encoding of
    stdout lacks, as code pages of Windows and ASCII lack "≥", is written as JSON writes it, as `\u2265`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the lowest free descriptor is the closed one
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="zsarbench")


def give_up_stdout() -> None:
    """Send to stderr what is printed from now on, such as by what plugins do when a process ends."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(2, 1)


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Keep stdout for what is written to `stdout()`: all else that is printed inside, by plugins too, goes to stderr.

    That holds for programs and libraries that write to the file descriptor, where stdout is the process's own. What is
    closed or replaced inside, stdout or stderr, is restored afterwards.
    """
    with _kept_streams():
        if _reserved.get() is not None:
            yield
            return
        real = sys.stdout
        real.flush()
        kept = _second_of_process(real)
        token = _reserved.set(kept or real)
        stderr: Any = _Unclosable(sys.stderr)
        try:
            with redirect_stdout(stderr), redirect_stderr(stderr):
                yield
        finally:
            _reserved.reset(token)
            if kept is not None:
                kept.close()  # BrokenPipeError where nobody reads any more


@contextmanager
def _kept_streams() -> Iterator[None]:
    """Restore `sys.stdout`, `sys.stderr` and their descriptors afterwards, open as they were."""
    streams = {"stdout": sys.stdout, "stderr": sys.stderr}
    descriptors = {}
    for number in (1, 2):
        with suppress(OSError):
            descriptors[number] = os.dup(number)
    try:
        yield
    finally:
        for number, kept in descriptors.items():
            os.dup2(kept, number)
            os.close(kept)
        for number, (name, stream) in enumerate(streams.items(), start=1):
            if stream.closed:
                stream = os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)


class _Unclosable:
    """A stream that whoever prints to it cannot close."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return a member of the stream."""
        return getattr(self._stream, name)

    def close(self) -> None:
        """Leave the stream open."""


def _second_of_process(real: TextIO) -> TextIO | None:
    """Return another stream to the process's stdout, whose descriptor becomes stderr's; None for other streams."""
    try:
        if real.fileno() != 1:
            return None
        second = os.dup(1)
        os.dup2(2, 1)
    except (OSError, ValueError, AttributeError):
        return None
    return open(second, "w", encoding=real.encoding, errors=real.errors, buffering=1)

"""The single entry point for foreign files: sizes are checked before memory is allocated, and every error of a parser
names the file.

`zsarbench.utils.documents` reads JSON and TOML through it, `zsarbench.utils.array_files` arrays of numpy.
"""

from __future__ import annotations

import errno
import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zsarbench.errors import ZsarbenchError

MAX_SHOWN = 500  # characters of a path in messages
MAX_DEPTH = 100
"""Lists and objects inside each other; a result has ten."""
MAX_WHOLE = 2**63 - 1
"""The largest whole number, which is also the largest that numpy and pandas hold."""


@contextmanager
def guarded(what: str, path: Path) -> Iterator[None]:
    """Turn whatever is raised while a foreign file is read into an error that names the file.

    Parsers of libraries raise anything on damaged bytes: KeyError, TypeError, tokenize.TokenError and so on.

    what: names the file in messages, e.g. "scores file".

    Raises:
        ZsarbenchError: the file does not exist, cannot be read or is damaged.
    """
    try:
        yield
    except ZsarbenchError:
        raise
    except FileNotFoundError:
        raise ZsarbenchError(f"{what} {path} does not exist") from None
    except OSError as error:
        raise ZsarbenchError(
            f"{what} {shortened(path)} cannot be read: {error.strerror or first_line(error)}"
        ) from error
    except MemoryError as error:
        raise ZsarbenchError(f"{what} {path} needs more memory than is available") from error
    except Exception as error:
        raise ZsarbenchError(f"{what} {path} cannot be read: it is damaged: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Return what an error of a library says first, on one short line without a full stop; its type if nothing."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text[:200].rstrip(".") or type(error).__name__


def shortened(path: Path) -> str:
    """Return a path for a message, without the rest of a name that is too long for any file."""
    text = str(path)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def read_bytes(path: Path, what: str, max_bytes: int) -> bytes:
    """Return the bytes of a file that is not larger than it may be.

    Raises:
        ZsarbenchError: it does not exist, is not a file, is larger, or cannot be read.
    """
    with guarded(what, path):
        check_file(path, what, max_bytes)
        with path.open("rb") as file:
            return file.read(max_bytes + 1)[:max_bytes]  # it may have grown


def regular(path: Path) -> Path:
    """Return the path of a file that may be opened: a pipe, which would wait for ever, may not.

    Raises:
        OSError: it does not exist, or is a pipe, a socket or a device.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder says itself what it is
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return path


def sha256_of(path: Path, what: str, max_bytes: int) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        ZsarbenchError: see `read_bytes`.
    """
    with guarded(what, path):
        check_file(path, what, max_bytes)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, what: str, max_bytes: int) -> int:
    """Return the size of a file, without opening it: what is not a regular file might never end.

    Raises:
        ZsarbenchError: it does not exist, is a folder, pipe or device, or is larger than it may be.
    """
    with guarded(what, path):
        if "\0" in str(path):
            raise ZsarbenchError(f"{what} {str(path)!r} cannot be read: a name must not hold NUL")
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
            raise ZsarbenchError(f"{what} {path} cannot be read: it is {kind}")
        if state.st_size > max_bytes:
            raise ZsarbenchError(
                f"{what} {path} has {state.st_size:,} bytes; files of more than {max_bytes:,} are not read"
            )
        return state.st_size


# --- values of documents ----------------------------------------------------------------------------------------------


def unfit(content: Any) -> Iterator[str]:
    """Yield what in a document's content would break its readers: depth, huge numbers, halves of characters.

    Each is a clause such as "a.b[3] is a whole number of 401 digits"; nothing deeper than the limit is checked.
    """
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(content, ())]
    while waiting:
        value, place = waiting.pop()
        if len(place) == MAX_DEPTH and isinstance(value, dict | list):
            yield f"its lists or objects are nested too deeply, more than {MAX_DEPTH} times"
            return
        if isinstance(value, dict):
            waiting += [(item, (*place, key)) for key, item in value.items() if not _is_harmless(item)]
            value = "".join(value)
        elif isinstance(value, list):
            waiting += [(item, (*place, number)) for number, item in enumerate(value) if not _is_harmless(item)]
        if isinstance(value, str) and not _is_text(value):
            yield f"{_named(place)} holds half of a surrogate pair, which is not a character"
        elif isinstance(value, int) and abs(value) > MAX_WHOLE:
            yield f"{_named(place)} is a whole number above {MAX_WHOLE}"


def _is_harmless(value: Any) -> bool:
    """Return whether a value needs no closer look, as most do; it is called for every value of every document."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    return kind is float or kind is bool or value is None or (kind is int and -MAX_WHOLE <= value <= MAX_WHOLE)


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(place: tuple[Any, ...]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
    return steps.encode(errors="backslashreplace").decode()[:80] or "the document"

"""Checks that what a command will write can be written, before the work whose result it is."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError

__all__ = ["CACHE", "OUT", "TRYING", "check_file", "check_folder", "unwritable"]

TRYING = "Try: a folder that you can write to, on a disk with free space"
OUT = "Try: --out DIR, one that can be written, on a disk with free space"
CACHE = "Try: ZSARBENCH_CACHE=FOLDER, one that can be written, on a disk with free space"
PROBE_BYTES = 2**16  # a full disk still takes empty files
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def check_folder(folder: Path, what: str, advice: str = TRYING) -> None:
    """Make a folder and write a small file in it; what was not there is removed again.

    what: what will be written there, in the plural, e.g. "results".

    Raises:
        UsageError: it cannot be a folder, or may not be written.
        ZsarbenchError: the disk is full, or broken.
    """
    made = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    probe = folder / f".zsarbench-{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise unwritable(folder, what, error, advice) from error
    finally:
        for place in made:
            with contextlib.suppress(OSError, ValueError):  # another process may have written there already
                place.rmdir()


def check_file(path: Path, what: str, advice: str = TRYING) -> None:
    """Check that a file can be made or replaced; what is there stays.

    Raises:
        UsageError: it is a folder, its name is too long, or its folder may not be written.
        ZsarbenchError: the disk is full, or broken.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        os.stat(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise unwritable(path, what, error, advice) from error
    check_folder(path.parent, what, advice)


def unwritable(place: Path, what: str, error: Exception, advice: str = TRYING) -> ZsarbenchError:
    """Return the error that says that something cannot be written, and why."""
    code = error.errno if isinstance(error, OSError) else None
    kind = ZsarbenchError if code in _OF_THE_DISK else UsageError
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return kind(f"{what} cannot be written to {place}: {reason}. {advice}")

"""Checks that what a command will write can be written, before the work whose result it is."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError

__all__ = ["CACHE", "OUT", "TRYING", "check_file", "check_folder", "expanded", "unwritable"]

TRYING = "Try: a folder that you can write to, on a disk with free space"
OUT = "Try: --out DIR, one that can be written, on a disk with free space"
CACHE = "Try: ZSARBENCH_CACHE=FOLDER, one that can be written, on a disk with free space"
PROBE_BYTES = 2**16  # a full disk still takes empty files
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def expanded(place: str | os.PathLike[str]) -> Path:
    """Return a place that a user names, with `~` for the home folder: of --out=~/x a shell leaves it as it is.

    That of a user who does not exist is a name like any other.
    """
    return Path(os.path.expanduser(place))


def check_folder(folder: Path, what: str, advice: str = TRYING) -> None:
    """Check that files can be written in a folder, or in the nearest existing one, where it is not created yet.

    No folder is created, and so none removed: another process may be about to write there.

    what: what will be written there, in the plural, e.g. "results".

    Raises:
        UsageError: it cannot be a folder, or may not be written.
        ZsarbenchError: the disk is full, or broken.
    """
    try:
        existing = _nearest_folder(folder)
        probe = existing / f".zsarbench-{os.getpid()}-{threading.get_ident()}.tmp"
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise unwritable(folder, what, error, advice) from error


def _nearest_folder(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists.

    Raises:
        OSError, ValueError: what exists is not a folder, or a name cannot be that of one.
    """
    missing: list[str] = []
    for place in (folder, *folder.absolute().parents):
        if not _exists(place):
            missing.append(place.name)
            continue
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        for name in missing:
            _exists(place / name)  # a name that is too long is an error where it must be created
        return place
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _exists(place: Path) -> bool:
    """Return whether something exists, which may be created by another process at any time.

    Raises:
        OSError, ValueError: it cannot be looked up, or is a link that leads nowhere.
    """
    try:
        os.stat(place)
    except FileNotFoundError:
        if os.path.islink(place):
            raise
        return False
    return True


def check_file(path: Path, what: str, advice: str = TRYING) -> None:
    """Check that a file can be created or replaced; what exists stays.

    Raises:
        UsageError: it is a folder, its name is too long, or its folder may not be written.
        ZsarbenchError: the disk is full, or broken.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        os.stat(path)
    except FileNotFoundError:
        pass  # a link that leads nowhere is replaced like a file
    except (OSError, ValueError) as error:
        raise unwritable(path, what, error, advice) from error
    check_folder(path.parent, what, advice)


def unwritable(place: Path, what: str, error: Exception, advice: str = TRYING) -> ZsarbenchError:
    """Return the error that says that something cannot be written, and why."""
    code = error.errno if isinstance(error, OSError) else None
    kind = ZsarbenchError if code in _OF_THE_DISK else UsageError
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return kind(f"{what} cannot be written to {place}: {reason}. {advice}")

"""Names of files as text, and those that systems create for themselves."""

from __future__ import annotations

import os
import re
import unicodedata

VIDEO_SUFFIXES = frozenset({
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265",
    ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe",
    ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm",
    ".wmv", ".y4m",
})  # fmt: skip
"""The suffixes of video files, in lower case: those of formats that ffmpeg reads."""

_SYSTEM = frozenset(
    ("@eadir", "@recycle", "#recycle", "$recycle.bin", "__macosx", "lost+found", "system volume information")
)
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(path: str | os.PathLike[str]) -> str:
    r"""Return a path as text that every terminal, database and JSON file takes.

    File names are bytes on Linux. Those that are not UTF-8, and control characters, are written as numbers.

    >>> shown(os.fsdecode(b"bad\xe9\n.mp4"))
    'bad\\xe9\\x0a.mp4'
    """
    return _NO_TEXT.sub(_number, os.fspath(path))


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or one that a system keeps for itself, as `._a.mp4` and `@eaDir`."""
    return name.startswith(".") or name.lower() in _SYSTEM


def composed(name: str) -> str:
    """Return a name in the Unicode form that keyboards write; macOS keeps letter and accent of a file name apart."""
    return unicodedata.normalize("NFC", name)


def same_name(one: str, other: str) -> bool:
    """Return whether two names are equal but for the case of their ending and the Unicode form of their letters."""
    return _levelled(one) == _levelled(other)


def _levelled(name: str) -> tuple[str, str]:
    stem, ending = os.path.splitext(composed(name))
    return stem, ending.lower()


def _number(match: re.Match[str]) -> str:
    code = ord(match[0])
    code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0  # as Python keeps a byte that it cannot decode
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

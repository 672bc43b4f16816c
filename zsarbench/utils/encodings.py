"""Names the likely encoding of a file that is not UTF-8, from its bytes."""

from __future__ import annotations

import codecs
import re

Likeness = tuple[str, str]
"""What a file looks like, as a sentence, and the name that iconv has for its encoding, "" where it has none."""

CUT_OFF: Likeness = ("it ends inside a character, so it is cut off", "")
AROUND = 2**14  # bytes before and after a place, whose letters are looked at

_BEGINNINGS: dict[bytes, Likeness] = {
    codecs.BOM_UTF32_LE: ("it looks like UTF-32", "UTF-32"),  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: ("it looks like UTF-32", "UTF-32"),
    codecs.BOM_UTF16_LE: ("it looks like UTF-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("it looks like UTF-16", "UTF-16"),
    b"PK\x03\x04": ("it looks like a zip archive or an Excel workbook. Try: save it as CSV UTF-8", ""),
    b"\xd0\xcf\x11\xe0": ("it looks like an Excel workbook. Try: save it as CSV UTF-8", ""),
    b"\x1f\x8b": ("it looks like a gzip archive. Try: gunzip FILE", ""),
}
_WIDE = {"UTF-16LE": slice(1, None, 2), "UTF-16BE": slice(0, None, 2)}  # where the NULs of Latin letters are
_HIGH = re.compile(rb"[\x80-\xff]+")


def likeness(content: bytes, at: int | None) -> Likeness:
    """Return what a file looks like; at: its first byte that is not UTF-8; None: it holds a NUL somewhere.

    >>> likeness("capoéira".encode("latin-1"), 4)
    ('it looks like Windows-1252 or Latin-1', 'WINDOWS-1252')
    """
    for mark, found in _BEGINNINGS.items():
        if content.startswith(mark):
            return found
    for name, places in _WIDE.items():
        if len(content) > 3 and content[: 2 * AROUND][places].count(0) > min(len(content), 2 * AROUND) / 4:
            return f"it looks like {name}", name
    if at is None:
        return "it holds a NUL character", ""
    if 0 <= len(content) - at < 4 and _is_cut_off(content[at:]):
        return CUT_OFF
    runs = [len(run) for run in _HIGH.findall(content[max(0, at - AROUND) : at + AROUND])]
    if sum(run == 1 for run in runs) > len(runs) / 2:  # accents stand between plain letters
        return "it looks like Windows-1252 or Latin-1", "WINDOWS-1252"
    if all(run % 2 == 0 for run in runs):
        return "it looks like GB18030 or another encoding of two bytes a character", "GB18030"
    return "it is in another encoding. Try: save it as UTF-8", ""


def _is_cut_off(end: bytes) -> bool:
    """Return whether the last bytes of a file are the beginning of a character."""
    try:
        end.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False

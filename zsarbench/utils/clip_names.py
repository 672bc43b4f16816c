"""Clips by the names that others give them: ids, file names, and paths with other folders before them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from unicodedata import normalize

_ENDINGS = frozenset(
    (".avi", ".mp4", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v", ".wmv", ".flv", ".npy", ".npz", ".pt", ".h5",
     ".mat", ".jpg", ".png", ".txt", ".json")
)  # fmt: skip
"""Of files of a clip: another text behind a dot may be part of an id."""
_TIMES = re.compile(r"_\d{6}_\d{6}$")  # a clip's start and end in seconds, as Kinetics' files have them


class ClipNames:
    """Finds the clip that a text names.

    A text is the id of a clip, or another name of it; or it is the path of its file, with an ending or without, and
    with any folders before it, as long as no other clip can be meant. Times behind a name count only where the name
    with them belongs to no clip. Accents may be letters of their own or parts of letters, as file systems have them.
    """

    def __init__(self, ids: Iterable[str], others: Mapping[str, str] | None = None) -> None:
        """Take the ids of the clips; others: further names of clips by id, of which ambiguous ones are left out."""
        self._id_of = {clip_id: clip_id for clip_id in ids}
        self._by_stem: dict[str, list[str]] = {}
        for clip_id in self._id_of:
            self._by_stem.setdefault(PurePosixPath(clip_id).name, []).append(clip_id)
        named: dict[str, list[str]] = {}
        for clip_id, name in (others or {}).items():
            named.setdefault(name, []).append(clip_id)
        self._id_of |= {name: found[0] for name, found in named.items() if len(found) == 1 and name not in self._id_of}

    def find(self, text: str) -> str | None:
        """Return the id of the clip that a text names; None where it names none, or could be several.

        >>> ClipNames(["v_Archery_g01_c02", "a.b/x1"]).find("videos/Archery/v_Archery_g01_c02.avi")
        'v_Archery_g01_c02'
        >>> ClipNames(["a/x1", "b/x1"]).find("x1.mp4") is None
        True
        """
        path = text.strip().replace("\\", "/")
        spellings = (path,) if path.isascii() else (path, normalize("NFC", path), normalize("NFD", path))
        for form in dict.fromkeys(form for spelling in spellings for form in _forms(spelling)):
            if form in self._id_of:
                return self._id_of[form]
            if len(found := self._ending_alike(form)) == 1:
                return found[0]
        return None

    def _ending_alike(self, form: str) -> list[str]:
        """Return the clips of which the longer of id and path ends with the shorter, folder by folder."""
        parts = PurePosixPath(form).parts
        if not parts:
            return []
        if parts[-1] in self._id_of and parts[-1] not in self._by_stem:
            return [self._id_of[parts[-1]]]  # another name of a clip, in folders
        found = []
        for clip_id in self._by_stem.get(parts[-1], ()):
            longer, shorter = sorted((parts, PurePosixPath(clip_id).parts), key=len, reverse=True)
            if longer[-len(shorter) :] == shorter:
                found.append(clip_id)
        return found


def _forms(path: str) -> list[str]:
    """Return a path as it is, without the ending of a file, and without times."""
    whole = str(PurePosixPath(path)) if path else ""
    suffix = PurePosixPath(whole).suffix
    stem = whole.removesuffix(suffix) if suffix.lower() in _ENDINGS else whole
    return list(dict.fromkeys((whole, stem, _TIMES.sub("", stem))))

"""Clips by the names that others give them: ids, file names, and paths with other folders before them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from zsarbench.utils.file_names import VIDEO_SUFFIXES, composed

_ENDINGS = VIDEO_SUFFIXES | {".npy", ".npz", ".pt", ".h5", ".mat", ".jpg", ".png", ".txt", ".json"}
"""Of files of a clip: another text behind a dot may be part of an id."""
_TIMES = re.compile(r"_\d{6}_\d{6}$")  # a clip's start and end in seconds, as Kinetics' files have them


class ClipNames:
    """Finds the clip that a text names.

    A text is the id of a clip, or another name of it; or it is the path of its file, with an ending or without, and
    with any folders before it, as long as no other clip can be meant. Times behind a name count only where the name
    with them belongs to no clip, and the Unicode form of its letters only where it is needed to tell two clips apart.
    """

    def __init__(self, ids: Iterable[str], others: Mapping[str, str] | None = None) -> None:
        """Take the ids of the clips; others: further names of clips by id, of which ambiguous ones are left out."""
        self._id_of = {clip_id: clip_id for clip_id in ids}
        self._by_stem: dict[str, list[str]] = {}
        named: dict[str, set[str]] = {}
        for clip_id in self._id_of:
            self._by_stem.setdefault(PurePosixPath(composed(clip_id)).name, []).append(clip_id)
            named.setdefault(composed(clip_id), set()).add(clip_id)
        for clip_id, name in (others or {}).items():
            named.setdefault(composed(name), set()).add(clip_id)
        self._id_of |= {
            name: min(found) for name, found in named.items() if len(found) == 1 and name not in self._id_of
        }

    def find(self, text: str) -> str | None:
        """Return the id of the clip that a text names; None where it names none, or could be several.

        >>> ClipNames(["v_Archery_g01_c02", "a.b/x1"]).find("videos/Archery/v_Archery_g01_c02.avi")
        'v_Archery_g01_c02'
        >>> ClipNames(["a/x1", "b/x1"]).find("x1.mp4") is None
        True
        """
        path = text.strip()
        if path in self._id_of:
            return self._id_of[path]
        for form in _forms(composed(path).replace("\\", "/")):
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
            own = PurePosixPath(composed(clip_id)).parts
            longer, shorter = sorted((parts, own), key=len, reverse=True)
            if longer[-len(shorter) :] == shorter:
                found.append(clip_id)
        return found


def _forms(path: str) -> list[str]:
    """Return a path as it is, without the ending of a file, and without times."""
    whole = str(PurePosixPath(path)) if path else ""
    suffix = PurePosixPath(whole).suffix
    stem = whole.removesuffix(suffix) if suffix.lower() in _ENDINGS else whole
    return list(dict.fromkeys((whole, stem, _TIMES.sub("", stem))))

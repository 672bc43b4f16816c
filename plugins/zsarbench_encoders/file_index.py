"""Which file of a folder holds the features of a clip."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zsarbench.data.files import files_below
from zsarbench.errors import UsageError
from zsarbench.interfaces import ClipSource
from zsarbench.utils.file_names import shown

_PART = "visual 'feature-files'"


class Match(NamedTuple):
    """The file of a clip, by its name in the index. whole: it is of the clip alone, else of the clip's video."""

    name: str
    whole: bool


class FileIndex:
    """The `.npy` files in a folder and its folders, by path below it without ending.

    A file is that of a clip, or of the video that a clip is a span of, where its path and the clip's id are equal, or
    where the longer of them ends with the shorter one: `archery/a1` is the file `archery/a1.npy`, or
    `i3d/archery/a1.npy`, or `a1.npy` where no other clip can be that too; it is never `bowling/a1.npy`.
    """

    def __init__(self, folder: Path) -> None:
        """Find the files.

        Raises:
            UsageError: the folder does not exist, cannot be read, or holds no file.
        """
        if not os.path.isdir(folder):
            raise UsageError(f"{_PART}: folder {shown(folder)} does not exist. Try: --set visual.folder=FOLDER")
        found = files_below(folder, (".npy",))
        self.folder = folder
        self.files: Mapping[str, Path] = {
            PurePosixPath(shown(path.relative_to(folder))).with_suffix("").as_posix(): path for path in found.taken
        }
        if not self.files:
            others = found.others_in_words()
            raise UsageError(
                f"{_PART}: no .npy file is in {shown(folder)} or its folders{f', but {others}' if others else ''}"
            )
        self._by_stem: dict[str, list[str]] = {}
        for name in self.files:
            self._by_stem.setdefault(PurePosixPath(name).name, []).append(name)

    def find(self, source: ClipSource) -> Match | str:
        """Return the file of a clip, or why there is none."""
        for name, whole in ((source.clip_id, True), (source.video, False)):
            found = self._named(name) if name is not None else []
            if len(found) > 1:
                return f"several .npy files can be it: {', '.join(f'{one}.npy' for one in found[:3])}"
            if found:
                return Match(found[0], whole)
        return f"no .npy file of it is in {shown(self.folder)}"

    def check(self, sources: Sequence[ClipSource]) -> None:
        """Refuse clips of which none has a file, or of which two would be given the same one.

        Raises:
            UsageError: it is so.
        """
        clip_of: dict[str, str] = {}
        for source in sources:
            found = self.find(source)
            if isinstance(found, Match):
                of = source.clip_id if found.whole else source.video or source.clip_id
                if clip_of.setdefault(found.name, of) != of:
                    raise UsageError(
                        f"{_PART}: {found.name}.npy can be of '{clip_of[found.name]}' and of '{of}'. "
                        f"Try: {of}.npy, files in folders as the clips are"
                    )
        if sources and not clip_of:
            raise UsageError(
                f"{_PART}: none of {len(sources)} clips has a .npy file in {shown(self.folder)}, where for example "
                f"{min(self.files)}.npy is. Try: {sources[0].video or sources[0].clip_id}.npy, as the clips are called"
            )

    def _named(self, name: str) -> list[str]:
        """Return the files that a clip or video of this name can mean, by their names."""
        if name in self.files:
            return [name]
        parts = PurePosixPath(name).parts
        found = []
        for other in self._by_stem.get(parts[-1] if parts else "", ()):
            longer, shorter = sorted((parts, PurePosixPath(other).parts), key=len, reverse=True)
            if longer[-len(shorter) :] == shorter:
                found.append(other)
        return found

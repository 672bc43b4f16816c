"""Which array of which file holds the features of a clip: a folder of files, one file for all clips, or a list."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zsarbench.data.files import files_below
from zsarbench.errors import UsageError
from zsarbench.interfaces import ClipSource
from zsarbench.utils import text_files
from zsarbench.utils.file_names import VIDEO_SUFFIXES, composed, shown

from .array_formats import CONTAINERS, ENDINGS, open_arrays

_PART = "visual 'feature-files'"
LIST_ENDINGS = (".csv", ".tsv")


class Match(NamedTuple):
    """The file of a clip, by its name in the index. whole: it is of the clip alone, else of the clip's video."""

    name: str
    whole: bool


@dataclass(frozen=True)
class Place:
    """Where an array lies. array: its name in the file; None: the file holds one, or one of the right width."""

    path: Path
    array: str | None = None


class FileIndex:
    """The arrays of a place, by name: files by their path below the folder without ending, arrays by theirs in a file.

    An array is that of a clip, or of the video that a clip is a span of, where its name and the clip's id are equal, or
    where the longer of them ends with the shorter one: `archery/a1` is the file `archery/a1.npy`, or
    `i3d/archery/a1.npy`, or `a1.npy` where no other clip can be that too; it is never `bowling/a1.npy`. A name may be
    that of the video's file, `a1.mp4.npy`, have backslashes between folders, and letters of another Unicode form.
    """

    def __init__(self, place: Path) -> None:
        """Find the files of a folder, the arrays of a file, or the rows of a list with the columns clip and file.

        Raises:
            UsageError: the place does not exist, cannot be read, or holds nothing.
        """
        self.folder = place
        ending = place.suffix.lower()
        if os.path.isdir(place):
            self.files = _of_folder(place)
        elif not os.path.exists(place):
            raise UsageError(f"{_PART}: folder {shown(place)} does not exist. Try: --set visual.folder=FOLDER")
        elif ending in LIST_ENDINGS:
            self.files = _of_list(place)
        elif ending in CONTAINERS:
            self.files = _of_file(place)
        else:
            raise UsageError(
                f"{_PART} reads a folder of {', '.join(ENDINGS)} files, one such file with an array for each clip, or "
                f"a .csv list of clips and files, not {shown(place)}"
            )
        if not self.files:
            raise UsageError(f"{_PART}: {shown(place)} holds no array")
        self._by_stem: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in self.files:
            for path in _paths(name):
                self._by_stem.setdefault(path.name, []).append((path.parts, name))

    def label(self, name: str) -> str:
        """Return what a message calls an array of the index."""
        place = self.files[name]
        return name if place.array is not None else f"{name}{place.path.suffix}"

    def find(self, source: ClipSource) -> Match | str:
        """Return the array of a clip, or why there is none."""
        for name, whole in ((source.clip_id, True), (source.video, False)):
            found = self._named(name) if name is not None else []
            if len(found) > 1:
                return f"several feature files can be it: {', '.join(map(self.label, found[:3]))}"
            if found:
                return Match(found[0], whole)
        return f"no feature file of it is in {shown(self.folder)}"

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
                        f"{_PART}: {self.label(found.name)} can be of '{clip_of[found.name]}' and of '{of}'. "
                        f"Try: {of}{self._ending}, named as the clips are"
                    )
        if sources and not clip_of:
            raise UsageError(
                f"{_PART}: none of {len(sources)} clips has a feature file in {shown(self.folder)}, where for example "
                f"{self.label(min(self.files))} is. Try: {sources[0].video or sources[0].clip_id}{self._ending}, as "
                "the clips are called"
            )

    @property
    def _ending(self) -> str:
        place = self.files[min(self.files)]
        return "" if place.array is not None else place.path.suffix

    def _named(self, name: str) -> list[str]:
        """Return the arrays that a clip or video of this name can mean, by their names."""
        if name in self.files:
            return [name]
        parts = PurePosixPath(composed(name)).parts
        found = []
        for other_parts, other in self._by_stem.get(parts[-1] if parts else "", ()):
            longer, shorter = sorted((parts, other_parts), key=len, reverse=True)
            if longer[-len(shorter) :] == shorter:
                found.append(other)
        return found


def _paths(name: str) -> set[PurePosixPath]:
    """Return an array's name as the path of a clip, and without the ending where it is that of a video's file."""
    path = PurePosixPath(composed(name).replace("\\", "/"))
    return {path, path.with_suffix("")} if path.suffix.lower() in VIDEO_SUFFIXES and path.stem else {path}


def _of_folder(folder: Path) -> Mapping[str, Place]:
    found = files_below(folder, ENDINGS)
    files: dict[str, Place] = {}
    for path in found.taken:
        name = PurePosixPath(shown(path.relative_to(folder))).with_suffix("").as_posix()
        if name in files:
            raise UsageError(
                f"{_PART}: {name}{files[name].path.suffix} and {name}{path.suffix} in {shown(folder)} are of one clip. "
                "Try: a folder for each format"
            )
        files[name] = Place(path)
    if not files:
        others = found.others_in_words()
        raise UsageError(
            f"{_PART}: no feature file ({', '.join(ENDINGS)}) is in {shown(folder)} or its folders"
            f"{f', but {others}' if others else ''}"
        )
    return files


def _of_file(path: Path) -> Mapping[str, Place]:
    try:
        return {name: Place(path, name) for name in open_arrays(path)}
    except (OSError, ValueError) as error:
        raise UsageError(f"{_PART}: {shown(path)} cannot be read: {error}") from error


def _of_list(path: Path) -> Mapping[str, Place]:
    files: dict[str, Place] = {}
    clip_of: dict[Path, str] = {}
    for where, row in text_files.rows(path, "list of features", ("clip", "file")):
        clip, file = row["clip"], row["file"]
        if not clip or not file:
            raise UsageError(f"{where}: the {'file' if clip else 'clip'} is missing")
        if clip in files:
            raise UsageError(f"{where}: clip '{clip}' is listed twice")
        if Path(file).suffix.lower() not in ENDINGS:
            raise UsageError(f"{where}: '{file}' is none of {', '.join(ENDINGS)}")
        place = path.parent / Path(file.replace("\\", "/")).expanduser()
        if (other := clip_of.setdefault(place, clip)) != clip:
            raise UsageError(f"{where}: '{file}' is listed for '{other}' already, and is of one clip or video")
        files[clip] = Place(place)
    return files

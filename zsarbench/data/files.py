"""Finds the files of a kind below a user's folder: which are taken, and which are left out and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zsarbench.errors import UsageError
from zsarbench.utils.file_names import is_hidden, shown

HIDDEN = "hidden, or kept by a system for itself"


@dataclass(frozen=True)
class FoundFiles:
    """Files below a folder.

    taken: those of the kind, sorted; a broken link of such a name too, so that it is found missing when it is read.
    left_out: why hidden files and folders, and links that lead back, are not taken, by path. others: numbers of files
    of other kinds by their ending, in lower case, "" without one.
    """

    taken: tuple[Path, ...]
    left_out: Mapping[Path, str]
    others: Mapping[str, int]

    def others_in_words(self) -> str:
        """Return the files of other kinds as text, the most frequent endings first; "" where there are none."""
        counted = sorted(self.others.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {shown(ending) or 'without an ending'}" for ending, count in counted)


def files_below(folder: Path, endings: Collection[str], max_depth: int | None = None) -> FoundFiles:
    """Return the files with one of these endings in a folder and the folders in it.

    A link to a folder elsewhere is followed. One to a folder that holds the link, or that lies below the searched
    folder itself, is not: its files would be found twice, and under another name. endings: in lower case. max_depth: of
    the folders that are searched below the first; None: all.

    Raises:
        UsageError: a folder cannot be read.
    """
    taken: list[Path] = []
    left_out: dict[Path, str] = {}
    others: Counter[str] = Counter()
    for entry, problem in _entries(folder, max_depth):
        ending = os.path.splitext(entry.name)[1].lower()
        if problem:
            left_out[Path(entry.path)] = problem
        elif ending in endings and (os.path.isfile(entry.path) or not os.path.exists(entry.path)):
            taken.append(Path(entry.path))
        else:
            others[ending] += 1
    return FoundFiles(tuple(sorted(taken)), left_out, others)


def _entries(folder: Path, max_depth: int | None) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield each file with "", and what is left out with the reason."""
    waiting: list[tuple[str, int, tuple[str, ...]]] = [(os.fspath(folder), 0, (os.path.realpath(folder),))]
    while waiting:
        parent, depth, tops = waiting.pop()  # tops: the real folder below which the search began, and those of links
        for entry in _listed(parent):
            if is_hidden(entry.name):
                yield entry, HIDDEN
            elif not os.path.isdir(entry.path):
                yield entry, ""
            elif depth != max_depth:
                target = os.path.realpath(entry.path) if entry.is_symlink() else None
                if target is not None and any(_holds(target, top) or _holds(top, target) for top in tops):
                    above = _holds(target, os.path.realpath(parent))
                    yield entry, f"a link to {shown(target)}, {'a folder above it' if above else 'which is searched'}"
                else:
                    waiting.append((entry.path, depth + 1, tops if target is None else (*tops, target)))


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise UsageError(f"folder {shown(folder)} cannot be read: {error.strerror}") from error


def _holds(folder: str, other: str) -> bool:
    """Return whether a real folder is another one, or holds it."""
    return os.path.commonpath((folder, other)) == folder

"""Finds the clips of a data set that are missing, unreadable, truncated or damaged, and videos that belong to no clip.

Files are probed in processes; the probes are kept in the cache folder, so that the next inspection probes only files
whose path, size or time of change is new. A killed inspection loses the files it was probing and nothing else.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from zsarbench.data.files import files_below
from zsarbench.data.probe_cache import ProbeCache
from zsarbench.data.video.failures import FileState, file_state
from zsarbench.data.video.frames import decoder_version
from zsarbench.data.video.probe import Probe, ProbeFile
from zsarbench.data.video.workers import Lost, WorkerPool
from zsarbench.interfaces import Progress
from zsarbench.utils.class_names import normalise
from zsarbench.utils.file_names import VIDEO_SUFFIXES, shown

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
State = Literal["missing", "unreadable", "truncated", "damaged"]
SECONDS_PER_FILE = 120.0  # a file of hours is read in less, on a slow disk too
FILES_AHEAD = 4  # for each worker
NO_CLIP = "no clip of the data set"
MAX_NEAR = 50  # names that begin as a missing clip's are looked at
MIN_MISSING_SECONDS = 0.1  # annotated ends are not exact to a frame


@dataclass(frozen=True, kw_only=True)
class BadClip:
    """A clip that cannot be used, or not completely; path: where its file is expected, None where that is unknown."""

    clip_id: str
    state: State
    reason: str
    label: str | None
    path: str | None


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The result of an inspection.

    extra: why files, folders and links under the user's folder belong to no clip, by path, sorted. others: numbers of
    files there that are not videos, by ending. n_probed: files that were probed now. n_known: files that an earlier
    inspection had probed.
    """

    n_clips: int
    n_with_path: int
    bad: tuple[BadClip, ...]
    extra: Mapping[str, str]
    others: Mapping[str, int]
    n_probed: int
    n_known: int

    def counts(self) -> dict[str, int]:
        """Return the numbers of clips, of sound and bad ones by state, and of what belongs to no clip."""
        states = Counter(clip.state for clip in self.bad)
        return {
            "clips": self.n_clips,
            "with_path": self.n_with_path,
            "sound": self.n_with_path - len([clip for clip in self.bad if clip.path is not None]),
            **{state: states[state] for state in get_args(State)},
            "extra": len(self.extra),
        }

    def by_list(self, lists: Mapping[str, Collection[str]]) -> dict[str, dict[str, int]]:
        """Return for each list of clip ids the numbers of clips, of present (with a file), missing and sound ones.

        Some of the present ones may be unreadable, truncated or damaged; the sound ones are not.
        """
        missing = {clip.clip_id for clip in self.bad if clip.state == "missing"}
        bad = {clip.clip_id for clip in self.bad}
        return {
            name: {
                "clips": len(clips),
                "present": len(set(clips) - missing),
                "missing": len(missing.intersection(clips)),
                "sound": len(set(clips) - bad),
            }
            for name, clips in lists.items()
        }


def inspect_files(
    manifest: pd.DataFrame,
    root: Path | None,
    cache: ProbeCache,
    *,
    workers: int,
    progress: Progress,
    only: Collection[str] | None = None,
    seconds_per_file: float = SECONDS_PER_FILE,
    probe: Callable[[str], Probe] | None = None,
) -> Inspection:
    """Probe every file of a checked manifest that is not known yet, and judge every clip.

    root: the user's folder, which is searched for videos that belong to no clip; None: no folder was given. only: ids
    of the clips to judge; None: all. seconds_per_file: after this long a file counts as unreadable. probe: by default
    a `ProbeFile` as thorough as the cache.

    Raises:
        ZsarbenchError: the processes cannot start.
    """
    columns = manifest.loc[:, ["clip_id", "label", "path", "start", "end"]]
    if only is not None:
        columns = columns[columns["clip_id"].isin(set(only))]
    rows = list(columns.astype(object).where(columns.notna(), None).itertuples(index=False, name=None))
    paths = {path for _, _, path, _, _ in rows if path is not None}
    states = {path: state for path in paths if (state := file_state(path)) is not None}
    known = cache.read(states)
    new = {path: states[path] for path in sorted(set(states) - set(known))}
    probes = dict(known)
    with progress.task("probing video files", len(new)) as bar:
        work = probe or ProbeFile(cache.thorough)
        for path, result in _probe_files(work, new, cache, workers=workers, seconds_per_file=seconds_per_file):
            probes[path] = result
            bar.advance()
    extra, others = _of_no_clip(root, set(manifest["path"].dropna())) if root is not None else ({}, {})
    near = _NearFiles(root, extra)
    judged = (_judge(*row, probes=probes, has_root=root is not None, near=near) for row in rows)
    return Inspection(
        n_clips=len(rows),
        n_with_path=sum(path is not None for _, _, path, _, _ in rows),
        bad=tuple(clip for clip in judged if clip is not None),
        extra=extra,
        others=others,
        n_probed=len(new),
        n_known=len(known),
    )


def _probe_files(
    probe: Callable[[str], Probe],
    states: Mapping[str, FileState],
    cache: ProbeCache,
    *,
    workers: int,
    seconds_per_file: float,
) -> Iterator[tuple[str, Probe]]:
    """Probe files in processes and keep the probes, but those of files that hung or died, which are tried again."""
    if not states:
        return
    lost: dict[str, Probe] = {}

    def probes() -> Iterator[tuple[str, FileState, Probe]]:
        with WorkerPool(
            probe,
            workers=workers,
            what="probing",
            seconds_per_item=seconds_per_file,
            max_ahead=FILES_AHEAD * workers,
        ) as pool:
            for path, answer in pool.as_done(states):
                if isinstance(answer, Lost):
                    lost[path] = Probe(problem=answer.reason)
                else:
                    yield path, states[path], answer

    yield from cache.write(probes())
    yield from lost.items()


def _judge(
    clip_id: str,
    label: str | None,
    path: str | None,
    start: float | None,
    end: float | None,
    *,
    probes: Mapping[str, Probe],
    has_root: bool,
    near: _NearFiles,
) -> BadClip | None:
    """Return what is wrong with a clip, None where nothing is."""

    def bad(state: State, reason: str) -> BadClip:
        return BadClip(
            clip_id=clip_id, state=state, reason=reason, label=label, path=None if path is None else shown(path)
        )

    if path is None:
        return bad("missing", "no file is named") if has_root else None
    if path not in probes:
        return bad("missing", "missing file" + near.to(clip_id, path))
    probe = probes[path]
    if probe.problem is not None:
        return bad("unreadable", probe.problem)
    length = probe.seconds
    if start is not None and length is not None and start >= length:
        return bad("unreadable", f"ends at {length:.2f} s, before the clip's start at {start:.2f} s")
    if end is None and probe.truncated is not None:
        return bad("truncated", probe.truncated)
    if end is not None and length is not None and length < end - max(MIN_MISSING_SECONDS, end / 50):
        return bad("truncated", f"truncated: {length:.2f} s of {end:.2f} s")
    return bad("damaged", probe.damaged) if probe.damaged is not None else None


def _of_no_clip(root: Path, known: Collection[str]) -> tuple[dict[str, str], Mapping[str, int]]:
    """Return what is of no clip below a folder with the reason, sorted, and the numbers of other files by ending."""
    found = files_below(Path(root).expanduser().absolute(), VIDEO_SUFFIXES)
    extra = {path: NO_CLIP for path in map(str, found.taken) if path not in known}
    left_out = {str(path): reason for path, reason in found.left_out.items() if str(path) not in known}
    return dict(sorted((shown(path), reason) for path, reason in (extra | left_out).items())), found.others


class _NearFiles:
    """The videos of no clip, searched for one that a missing clip may be: a user should see what was not taken."""

    def __init__(self, root: Path | None, extra: Mapping[str, str]) -> None:
        self._root = "" if root is None else shown(Path(root).expanduser().absolute())
        videos = [path for path, reason in extra.items() if reason == NO_CLIP]
        self._by_stem = sorted((Path(path).stem, path) for path in videos)
        self._by_letters = {normalise(stem): path for stem, path in reversed(self._by_stem)}

    def to(self, clip_id: str, path: str) -> str:
        """Return "; near it is FILE" where a file's name begins with that of the clip, or has the same letters."""
        for name in dict.fromkeys((Path(path).stem, clip_id.rpartition("/")[2])):
            longer = self._by_stem[bisect_left(self._by_stem, (name, "")) :][:MAX_NEAR]
            begun = [near for stem, near in longer if stem.startswith(name) and not stem[len(name) :][:1].isalnum()]
            alike = self._by_letters.get(normalise(name) or name)
            if near := begun[0] if begun else alike:
                return f"; near it is {os.path.relpath(near, self._root)}"
        return ""


def report(inspection: Inspection, head: Sequence[str], root: Path | None, *, absolute: bool = False) -> str:
    """Return an inspection as a text for others: counts, then one tab-separated line for each bad clip or extra file.

    head: lines that state what was inspected and counted. Paths are relative to the user's folder, or with `absolute`
    complete.
    """
    top = Path(shown(Path(root).expanduser().absolute())) if root is not None else None

    def place(path: str | None) -> str:
        if path is None or absolute:
            return path or ""
        below = top is not None and Path(path).is_relative_to(top)
        return str(Path(path).relative_to(top)) if below and top is not None else Path(path).name

    rows: list[tuple[str, ...]] = [
        (clip.state, clip.clip_id, clip.label or "", place(clip.path), clip.reason) for clip in inspection.bad
    ]
    rows += [("extra", "", "", place(path), reason) for path, reason in inspection.extra.items()]
    table = ("\t".join(row) for row in [("state", "clip", "label", "file", "reason"), *rows])
    return "\n".join([*head, f"decoder: {decoder_version()}", "", *table]) + "\n"

"""Finds the clips of a data set that are missing, unreadable, truncated or damaged, and videos that belong to no clip.

Files are probed in processes; the probes are kept in the cache folder, so that the next inspection probes only files
whose path, size or time of change is new. A killed inspection loses the files it was probing and nothing else.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from zsarbench.data.probe_cache import ProbeCache
from zsarbench.data.video import VIDEO_SUFFIXES
from zsarbench.data.video.failures import FileState, file_state
from zsarbench.data.video.frames import decoder_version
from zsarbench.data.video.probe import Probe, ProbeFile
from zsarbench.data.video.workers import Lost, WorkerPool
from zsarbench.interfaces import Progress

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
State = Literal["missing", "unreadable", "truncated", "damaged"]
SECONDS_PER_FILE = 120.0  # a file of hours is read in less, on a slow disk too
FILES_AHEAD = 4  # for each worker
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

    extra: videos under the user's folder that belong to no clip, sorted. n_probed: files that were probed now. n_known:
    files that an earlier inspection had probed.
    """

    n_clips: int
    n_with_path: int
    bad: tuple[BadClip, ...]
    extra: tuple[str, ...]
    n_probed: int
    n_known: int

    def counts(self) -> dict[str, int]:
        """Return the numbers of clips, of sound and bad ones by state, and of videos that belong to no clip."""
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
    judged = (_judge(*row, probes=probes, has_root=root is not None) for row in rows)
    return Inspection(
        n_clips=len(rows),
        n_with_path=sum(path is not None for _, _, path, _, _ in rows),
        bad=tuple(clip for clip in judged if clip is not None),
        extra=tuple(videos_below(root, set(manifest["path"].dropna()))) if root is not None else (),
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
) -> BadClip | None:
    """Return what is wrong with a clip, None where nothing is."""

    def bad(state: State, reason: str) -> BadClip:
        return BadClip(clip_id=clip_id, state=state, reason=reason, label=label, path=path)

    if path is None:
        return bad("missing", "no file is named") if has_root else None
    if path not in probes:
        return bad("missing", "missing file")
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


def videos_below(root: Path, known: Collection[str]) -> list[str]:
    """Return the video files below a folder that are not among the known paths, sorted."""
    top = Path(root).expanduser().absolute()
    videos = (
        os.path.join(folder, name)
        for folder, _, names in os.walk(top)
        for name in names
        if os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES
    )
    return sorted(set(videos) - set(known))


def report(inspection: Inspection, head: Sequence[str], root: Path | None, *, absolute: bool = False) -> str:
    """Return an inspection as a text for others: counts, then one tab-separated line for each bad clip or extra file.

    head: lines that state what was inspected and counted. Paths are relative to the user's folder, or with `absolute`
    complete.
    """
    top = Path(root).expanduser().absolute() if root is not None else None

    def shown(path: str | None) -> str:
        if path is None or absolute:
            return path or ""
        below = top is not None and Path(path).is_relative_to(top)
        return str(Path(path).relative_to(top)) if below and top is not None else Path(path).name

    rows: list[tuple[str, ...]] = [
        (clip.state, clip.clip_id, clip.label or "", shown(clip.path), clip.reason) for clip in inspection.bad
    ]
    rows += [("extra", "", "", shown(path), "no clip of the data set") for path in inspection.extra]
    table = ("\t".join(row) for row in [("state", "clip", "label", "file", "reason"), *rows])
    return "\n".join([*head, f"decoder: {decoder_version()}", "", *table]) + "\n"

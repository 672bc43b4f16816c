"""Finds the clips of a data set that are missing, unreadable, truncated or damaged, and videos that belong to no clip.

Files are surveyed in processes; what was found is kept in the cache folder, so that the next scan looks only at files
whose path, size or time of change is new. A killed scan loses the files at hand and nothing else.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from zsarbench.data.video.failures import FileState, file_state
from zsarbench.data.video.frames import decoder_version
from zsarbench.data.video.probe import Look, Survey
from zsarbench.data.video.workers import Lost, WorkerPool
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Progress
from zsarbench.utils.cache import VIDEO_ENDINGS

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
State = Literal["missing", "unreadable", "truncated", "damaged"]
SECONDS_PER_FILE = 120.0  # a file of hours is read through in less, on a slow disk too
FILES_AHEAD = 4  # for each worker
LEAST_LACK = 0.1  # seconds: annotated ends are not exact to a frame
BUSY_SECONDS = 120.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, decoder TEXT,
    thorough INTEGER, problem TEXT, truncated TEXT, damaged TEXT, seconds REAL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class BadClip:
    """A clip that cannot be used as it should be; path: where its file is or should be, if anyone says."""

    clip_id: str
    state: State
    reason: str
    label: str | None
    path: str | None


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    extra: videos under the user's folder that are no clip's file, sorted. n_surveyed: files that were looked at now.
    n_known: files that an earlier scan had looked at.
    """

    n_clips: int
    n_with_path: int
    bad: tuple[BadClip, ...]
    extra: tuple[str, ...]
    n_surveyed: int
    n_known: int

    def counts(self) -> dict[str, int]:
        """Return how many clips there are, of them sound or bad, and how many videos are no clip's."""
        states = Counter(clip.state for clip in self.bad)
        return {
            "clips": self.n_clips,
            "with_path": self.n_with_path,
            "sound": self.n_with_path - len([clip for clip in self.bad if clip.path is not None]),
            **{state: states[state] for state in get_args(State)},
            "extra": len(self.extra),
        }

    def by_list(self, lists: Mapping[str, Collection[str]]) -> dict[str, dict[str, int]]:
        """Return for each list of clip ids how many there are, present (there is a file) or missing, and of use.

        present: of these some may be unreadable, truncated or damaged; sound ones are not.
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


class ScanCache:
    """What is known of files, in an SQLite file; each finding is safe as soon as it is noted."""

    def __init__(self, path: Path, *, thorough: bool = False) -> None:
        """Remember where the file is; thorough: whether only findings of a thorough look count."""
        self.path = path
        self.thorough = thorough

    def read(self, states: Mapping[str, FileState]) -> dict[str, Survey]:
        """Return the findings that still hold, by path, of these files."""
        found = {}
        decoder = decoder_version()
        with closing(self._opened()) as index:
            for path, size, mtime_ns, by, thorough, *finding in index.execute("SELECT * FROM files"):
                if states.get(path) == (size, mtime_ns) and by == decoder and thorough >= self.thorough:
                    found[path] = Survey(*finding)
        return found

    def note(self, findings: Iterable[tuple[str, FileState, Survey]]) -> Iterator[tuple[str, Survey]]:
        """Keep each finding as it comes, and pass it on."""
        decoder = decoder_version()
        with closing(self._opened()) as index:
            for path, state, made in findings:
                finding = (made.problem, made.truncated, made.damaged, made.seconds)
                row = (path, *state, decoder, self.thorough, *finding)
                index.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                yield path, made

    def _opened(self) -> sqlite3.Connection:
        """Open the file, a new one where it is damaged: it holds nothing that cannot be found out again."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for last_try in (False, True):
                index = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
                try:
                    # Each finding is a transaction. A kill cannot undo one; after a power cut the file is made anew.
                    index.executescript("PRAGMA synchronous = OFF;" + _SCHEMA)
                    index.execute("SELECT COUNT(*) FROM files").fetchone()
                    return index
                except sqlite3.DatabaseError as error:
                    index.close()
                    if last_try or isinstance(error, sqlite3.OperationalError):
                        raise
                    _log.warning("%s is damaged (%s): all files are looked at again", self.path, error)
                    self.path.unlink()
            raise AssertionError
        except (OSError, sqlite3.Error) as error:
            raise ZsarbenchError(f"the findings of the scan cannot be kept in {self.path}: {error}") from error


def scan(
    manifest: pd.DataFrame,
    root: Path | None,
    cache: ScanCache,
    *,
    workers: int,
    progress: Progress,
    only: Collection[str] | None = None,
    seconds_per_file: float = SECONDS_PER_FILE,
) -> Scan:
    """Look at every file of a checked manifest that is not known yet, and judge every clip.

    root: the user's folder, in which videos of no clip are looked for; None: there is none. only: ids of the clips
    that are looked at and judged; None: all.
    """
    columns = manifest.loc[:, ["clip_id", "label", "path", "start", "end"]]
    if only is not None:
        columns = columns[columns["clip_id"].isin(set(only))]
    rows = list(columns.astype(object).where(columns.notna(), None).itertuples(index=False, name=None))
    paths = {path for _, _, path, _, _ in rows if path is not None}
    states = {path: state for path in paths if (state := file_state(path)) is not None}
    known = cache.read(states)
    new = sorted(set(states) - set(known))
    with progress.task("looking at video files", len(new)) as bar:
        found = dict(known)
        for path, made in _surveyed({path: states[path] for path in new}, cache, workers, seconds_per_file):
            found[path] = made
            bar.advance()
    judged = (_judged(*row, found=found, has_root=root is not None) for row in rows)
    return Scan(
        n_clips=len(rows),
        n_with_path=sum(path is not None for _, _, path, _, _ in rows),
        bad=tuple(clip for clip in judged if clip is not None),
        extra=tuple(videos_below(root, set(manifest["path"].dropna()))) if root is not None else (),
        n_surveyed=len(new),
        n_known=len(known),
    )


def _surveyed(
    states: Mapping[str, FileState], cache: ScanCache, workers: int, seconds_per_file: float
) -> Iterator[tuple[str, Survey]]:
    """Survey files in processes and keep what is found, but for those that hung or died: these are tried again."""
    if not states:
        return
    lost: dict[str, Survey] = {}

    def findings() -> Iterator[tuple[str, FileState, Survey]]:
        with WorkerPool(
            Look(cache.thorough), workers=workers, seconds_per_item=seconds_per_file, max_ahead=FILES_AHEAD * workers
        ) as pool:
            for path, answer in pool.as_done(states):
                if isinstance(answer, Lost):
                    lost[path] = Survey(answer.reason)
                else:
                    yield path, states[path], answer

    yield from cache.note(findings())
    yield from lost.items()


def _judged(
    clip_id: str,
    label: str | None,
    path: str | None,
    start: float | None,
    end: float | None,
    *,
    found: Mapping[str, Survey],
    has_root: bool,
) -> BadClip | None:
    """Return what is wrong with a clip, None where nothing is."""

    def bad(state: State, reason: str) -> BadClip:
        return BadClip(clip_id, state, reason, label, path)

    if path is None:
        return bad("missing", "no file is named") if has_root else None
    if path not in found:
        return bad("missing", "missing file")
    made = found[path]
    if made.problem is not None:
        return bad("unreadable", made.problem)
    length = made.seconds
    if start is not None and length is not None and start >= length:
        return bad("unreadable", f"ends at {length:.2f} s, before the clip's start at {start:.2f} s")
    if end is None and made.truncated is not None:
        return bad("truncated", made.truncated)
    if end is not None and length is not None and length < end - max(LEAST_LACK, end / 50):
        return bad("truncated", f"truncated: {length:.2f} s of {end:.2f} s")
    return bad("damaged", made.damaged) if made.damaged is not None else None


def videos_below(root: Path, known: Collection[str]) -> list[str]:
    """Return the video files below a folder that are not among the known paths, sorted."""
    top = Path(root).expanduser().absolute()
    found = (
        os.path.join(folder, name)
        for folder, _, names in os.walk(top)
        for name in names
        if os.path.splitext(name)[1].lower() in VIDEO_ENDINGS
    )
    return sorted(set(found) - set(known))


def report(found: Scan, head: Sequence[str], root: Path | None, *, absolute: bool = False) -> str:
    """Return a scan as a text to send to a colleague: counts, then one tab-separated line for each bad clip or file.

    head: the lines that tell what was scanned and counted. Paths are told from the user's folder on, or with `absolute`
    in full.
    """
    top = Path(root).expanduser().absolute() if root is not None else None

    def told(path: str | None) -> str:
        if path is None or absolute:
            return path or ""
        below = top is not None and Path(path).is_relative_to(top)
        return str(Path(path).relative_to(top)) if below and top is not None else Path(path).name

    rows: list[tuple[str, ...]] = [
        (clip.state, clip.clip_id, clip.label or "", told(clip.path), clip.reason) for clip in found.bad
    ]
    rows += [("extra", "", "", told(path), "no clip of the data set") for path in found.extra]
    table = ("\t".join(row) for row in [("state", "clip", "label", "file", "reason"), *rows])
    return "\n".join([*head, f"decoder: {decoder_version()}", "", *table]) + "\n"

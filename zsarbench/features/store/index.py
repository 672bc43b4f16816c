"""The index of stored features, an SQLite file: where the steps of each clip are, or why a clip has none.

Each function takes a connection inside a transaction of `open_index`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from zsarbench.data.video.failures import Failure
from zsarbench.errors import ZsarbenchError
from zsarbench.features.store.reader import RowTable
from zsarbench.features.store.shards import Sidecar

BUSY_SECONDS = 120.0  # how long to wait while another run writes
ROWS_PER_READ = 10_000  # all rows of a large data set at once would take ten times the memory of their table
_SCHEMA = """
CREATE TABLE IF NOT EXISTS shards (id INTEGER PRIMARY KEY, name TEXT UNIQUE, bytes INTEGER);
CREATE TABLE IF NOT EXISTS clips (clip_id TEXT PRIMARY KEY, shard INTEGER, position INTEGER, steps INTEGER,
    checksum INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sizes (clip_id TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flags (clip_id TEXT, flag TEXT, PRIMARY KEY (clip_id, flag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (clip_id TEXT PRIMARY KEY, reason TEXT, size INTEGER, mtime_ns INTEGER,
    lasting INTEGER) WITHOUT ROWID;
"""


class DamagedIndex(ZsarbenchError):
    """A file that is not a valid SQLite database; everything in it can be read from the sidecars again."""


@contextmanager
def open_index(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """Open an index inside one transaction, which is rolled back where the block raises.

    Raises:
        DamagedIndex: the file is damaged.
        ZsarbenchError: it cannot be read or written for another reason.
    """
    try:
        # A rollback journal, not WAL, which network file systems do not support.
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as index:
            index.executescript("PRAGMA synchronous = FULL;" + _SCHEMA)
            index.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield index
            except BaseException:
                index.rollback()
                raise
            index.commit()
    except sqlite3.OperationalError as error:
        raise ZsarbenchError(f"the feature index {path} cannot be used: {error}; is the disk full?") from error
    except sqlite3.DatabaseError as error:
        raise DamagedIndex(
            f"the feature index {path} is damaged: {error}. Try: zsarbench features verify --rebuild"
        ) from error


def add_shard(index: sqlite3.Connection, sidecar: Sidecar, damaged: Collection[str] = ()) -> None:
    """Add a shard, without its damaged clips; a clip stays with the first shard that has it.

    Features remove a failure of the same clip. Features or a failure of a file of another size, that is of a replaced
    one, replace what is stored of the clip.
    """
    index.execute("INSERT OR IGNORE INTO shards (name, bytes) VALUES (?, ?)", (sidecar.name, sidecar.bytes))
    (number,) = index.execute("SELECT id FROM shards WHERE name = ?", (sidecar.name,)).fetchone()
    for clip, position in sidecar.positions():
        if clip.clip_id in damaged:
            continue
        _drop_replaced(index, clip.clip_id, clip.size)
        row = (clip.clip_id, number, position, clip.steps, clip.checksum)
        index.execute("INSERT OR IGNORE INTO clips VALUES (?, ?, ?, ?, ?)", row)
        if clip.size is not None:
            index.execute("INSERT OR IGNORE INTO sizes VALUES (?, ?)", (clip.clip_id, clip.size))
        index.executemany("INSERT OR IGNORE INTO flags VALUES (?, ?)", [(clip.clip_id, flag) for flag in clip.flags])
        index.execute("DELETE FROM failures WHERE clip_id = ?", (clip.clip_id,))
    for clip_id, failure in sidecar.failures.items():
        size, mtime_ns = failure.state or (None, None)
        _drop_replaced(index, clip_id, size)
        index.execute(
            "INSERT OR REPLACE INTO failures SELECT ?1, ?2, ?3, ?4, ?5 "
            "WHERE NOT EXISTS (SELECT 1 FROM clips WHERE clip_id = ?1)",
            (clip_id, failure.reason, size, mtime_ns, failure.permanent),
        )


def _drop_replaced(index: sqlite3.Connection, clip_id: str, size: int | None) -> None:
    """Remove a clip whose features were computed from a file of another size."""
    held = index.execute("SELECT size FROM sizes WHERE clip_id = ?", (clip_id,)).fetchone()
    if held is not None and size is not None and held != (size,):
        for table in ("clips", "sizes", "flags"):
            index.execute(f"DELETE FROM {table} WHERE clip_id = ?", (clip_id,))


def remove_shard(index: sqlite3.Connection, name: str) -> int:
    """Remove a shard and its clips, and return the number of clips."""
    (number,) = index.execute("SELECT id FROM shards WHERE name = ?", (name,)).fetchone()
    for table in ("flags", "sizes"):
        index.execute(f"DELETE FROM {table} WHERE clip_id IN (SELECT clip_id FROM clips WHERE shard = ?)", (number,))
    index.execute("DELETE FROM shards WHERE id = ?", (number,))
    return index.execute("DELETE FROM clips WHERE shard = ?", (number,)).rowcount


def rebuild(index: sqlite3.Connection, intact: Sequence[tuple[Sidecar, Collection[str]]]) -> None:
    """Replace the content by that of sidecars, each given with the ids of its damaged clips."""
    for table in ("shards", "clips", "sizes", "flags", "failures"):
        index.execute(f"DELETE FROM {table}")
    for sidecar, damaged in intact:
        add_shard(index, sidecar, damaged)


def shard_sizes(index: sqlite3.Connection) -> dict[str, int]:
    """Return the size in bytes of every shard's data file, by name."""
    return dict(index.execute("SELECT name, bytes FROM shards"))


def shards_in_use(index: sqlite3.Connection) -> set[str]:
    """Return the names of the shards from which features of a clip are read."""
    return {name for (name,) in index.execute("SELECT name FROM shards WHERE id IN (SELECT shard FROM clips)")}


def stored_ids(index: sqlite3.Connection) -> set[str]:
    """Return the ids of all clips with features."""
    return {clip_id for (clip_id,) in index.execute("SELECT clip_id FROM clips")}


def file_sizes(index: sqlite3.Connection) -> dict[str, int]:
    """Return the size in bytes of the file behind each clip's features by id, where one was decoded."""
    return dict(index.execute("SELECT clip_id, size FROM sizes"))


def failures(index: sqlite3.Connection) -> dict[str, Failure]:
    """Return why clips have no features, by id."""
    return {
        clip_id: Failure(reason, None if size is None else (size, mtime_ns), bool(permanent))
        for clip_id, reason, size, mtime_ns, permanent in index.execute("SELECT * FROM failures")
    }


def flags(index: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Return the remarks on the files of clips, by id."""
    remarks: dict[str, tuple[str, ...]] = {}
    for clip_id, flag in index.execute("SELECT clip_id, flag FROM flags"):
        remarks[clip_id] = (*remarks.get(clip_id, ()), flag)
    return remarks


def row_table(index: sqlite3.Connection, ids: Sequence[str]) -> RowTable:
    """Return where the steps of N clips are; shard -1 and no steps for a clip without features."""
    place = {clip_id: number for number, clip_id in enumerate(ids)}
    columns = np.zeros((4, len(ids)), dtype=np.int64)
    columns[0] = -1
    cursor = index.execute("SELECT clip_id, shard, position, steps, checksum FROM clips")
    while rows := cursor.fetchmany(ROWS_PER_READ):
        known = [(place[row[0]], *row[1:]) for row in rows if row[0] in place]
        if known:
            number, *values = np.array(known, dtype=np.int64).T
            columns[:, number] = values
    names = dict(index.execute("SELECT id, name FROM shards"))
    number_of = {identity: number for number, identity in enumerate(names)}
    shard = np.array([number_of.get(identity, -1) for identity in columns[0].tolist()], dtype=np.int32)
    return RowTable(
        names=tuple(names.values()),
        shard=shard,
        position=columns[1],
        steps=columns[2],
        checksum=columns[3],
        verified=np.zeros(len(ids), dtype=bool),
    )


def counts(index: sqlite3.Connection) -> dict[str, int]:
    """Return the numbers of stored shards, clips, steps, failures and bytes."""
    queries = {
        "shards": "COUNT(*) FROM shards",
        "clips": "COUNT(*) FROM clips",
        "steps": "COALESCE(SUM(steps), 0) FROM clips",
        "failures": "COUNT(*) FROM failures",
        "bytes": "COALESCE(SUM(bytes), 0) FROM shards",
    }
    return {name: index.execute(f"SELECT {query}").fetchone()[0] for name, query in queries.items()}

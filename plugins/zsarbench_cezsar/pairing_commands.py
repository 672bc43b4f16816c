"""`zsarbench cezsar pairs`: looks at the table of a pairing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import click

from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import echo, echo_json, json_option
from zsarbench.errors import UsageError
from zsarbench.utils.cache import cache_dir
from zsarbench_cezsar import pairing_table
from zsarbench_cezsar.pairing_table import Row

MOST_FREQUENT = 8  # objects and sentences that the summary names


@click.command("pairs", short_help="Look at the sentences that CEZSAR paired clips with.")
@click.argument("table", required=False, type=Place())
@click.option("--clip", "clips", multiple=True, help="Show this clip; may be given several times.")
@click.option("--show", "n_shown", default=3, show_default=True, help="Number of clips to show where none is named.")
@json_option
def pairs(table: Path | None, clips: tuple[str, ...], n_shown: int, as_json: bool) -> None:
    """Print what became of a pairing, and some clips: windows, their objects, captions, sentences kept.

    TABLE is a `pairs.csv`; without one, the newest of the cache folder.

    \b
    Examples:
      zsarbench cezsar pairs
      zsarbench cezsar pairs pairs.csv --clip 'v_uqiMw7tQ1Cc#0-4.14'
    """
    path = table or _newest()
    found = _Counts()
    shown: dict[str, list[Row]] = {}
    for clip_id, of_clip in groupby(pairing_table.read(path), key=lambda row: row.clip_id):
        rows = list(of_clip)
        found.add(rows)
        if clip_id in clips or (not clips and len(shown) < n_shown):
            shown[clip_id] = rows
    if missing := [clip_id for clip_id in clips if clip_id not in shown]:
        has = f"which has {found.clips} clips. Try: zsarbench cezsar pairs"
        raise UsageError(f"clip '{missing[0]}' is not in {path}, {has}")
    if as_json:
        listed = {clip_id: [row._asdict() for row in rows] for clip_id, rows in shown.items()}
        counts = {"objects": dict(found.objects.most_common()), "sentences": dict(found.sentences.most_common())}
        echo_json({"table": str(path), "summary": found.summary(), **counts, "clips": listed})
        return
    echo(f"table: {path}")
    for key, value in found.summary().items():
        echo(f"{key}: {value}")
    for what, counted in (("objects", found.objects), ("sentences", found.sentences)):
        echo(f"most frequent {what}", bold=True)
        for name, count in counted.most_common(MOST_FREQUENT):
            echo(f"  {count:6d}  {name}")
    for clip_id, rows in shown.items():
        _show(clip_id, rows)


@dataclass
class _Counts:
    """What a table holds: clips, windows, how often each object and sentence occurs in it."""

    clips: int = 0
    windows: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)

    def add(self, rows: list[Row]) -> None:
        """Count the rows of a clip."""
        windows = {row.start: row.objects for row in rows}
        self.clips += 1
        self.windows += len(windows)
        self.objects.update(name.rpartition(" ")[0] for objects in windows.values() for name in objects.split(" | "))
        self.sentences.update(row.sentence for row in rows if row.sentence)

    def summary(self) -> dict[str, int]:
        """Return the counts as a reader wants them."""
        return {
            "clips": self.clips,
            "windows": self.windows,
            "sentences kept": self.sentences.total(),
            "distinct sentences": len(self.sentences),
        }


def _show(clip_id: str, rows: list[Row]) -> None:
    echo(clip_id, bold=True)
    for (start, end, objects), of_window in groupby(rows, key=lambda row: (row.start, row.end, row.objects)):
        echo(f"  {start:g} to {end:g} s: {objects}")
        for caption, kept in groupby(of_window, key=lambda row: row.caption):
            echo(f"    caption: {caption}")
            for row in kept:
                echo(f"      {row.cosine:.3f}  {row.sentence}" if row.sentence else "      none is long enough")


def _newest() -> Path:
    """Return the newest table of the cache.

    Raises:
        UsageError: no table exists.
    """
    folder = cache_dir() / "checkpoints"
    tables = sorted(folder.glob(f"*/pairing/{pairing_table.TABLE}"), key=lambda path: path.stat().st_mtime)
    if not tables:
        raise UsageError(
            f"no table of pairs is in {folder}: none is written where the visual part has no classifier, or with "
            "--set method.object_sentences=0. Try: zsarbench run --method cezsar --set method.object_sentences=2"
        )
    return tables[-1]

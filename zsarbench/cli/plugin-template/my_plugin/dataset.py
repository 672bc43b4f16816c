"""A data set: a table of clips with their classes, source videos and captions."""

import hashlib
from pathlib import Path

import pandas as pd
from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText

FILE = Path(__file__).parent / "data" / "clips.csv"


class Listed:
    """Reads clips from data/clips.csv, whose columns are clip_id, label, group and caption."""

    captions_trained_on = ()  # what wrote the captions was trained on these; () where people wrote them

    def __init__(self, *, root: Path | None = None):
        self.root = root  # filled by --data-root; the videos are looked for there
        self.aliases: dict[str, str] = {}  # other spellings of class names in public lists, to the official name
        self._table = pd.read_csv(FILE, dtype=str).sort_values("clip_id", ignore_index=True)
        self.classes = tuple(sorted(self._table["label"].unique()))
        self.revision = hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]  # another one for any other content

    def manifest(self):
        """Return one row per clip, sorted by clip_id."""
        frame = self._table[["clip_id", "label", "group"]].copy()
        frame["path"] = [None if self.root is None else str(self.root / f"{clip}.mp4") for clip in frame["clip_id"]]
        return frame.assign(start=float("nan"), end=float("nan"))

    def splits(self):
        """Return official lists of clip ids by name."""
        return {}

    def captions(self):
        """Return the sentences of each clip."""
        return {clip: (caption,) for clip, caption in zip(self._table["clip_id"], self._table["caption"], strict=True)}

    def class_texts(self, form):
        """Return one ClassText per class."""
        if form not in ("name", "sentence"):
            raise UsageError(f"there are no class texts of the form '{form}'; known: name, sentence")
        text = "{}" if form == "name" else "a person is {}"
        return [ClassText(name, (text.format(name),)) for name in self.classes]

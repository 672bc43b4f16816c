"""The user's own captions for the clips of any data set: a CSV or JSON file, whose content enters the revision."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, Dataset, HasRoot
from zsarbench.utils import text_files
from zsarbench.utils.clip_names import ClipNames
from zsarbench.utils.documents import read_json

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
WHAT = "captions"
MAX_BYTES = 2**30  # of a JSON file; a million clips with three sentences have 0.3 GB


class Captions:
    """The sentences of a captions file by its own names of clips, in the order of the file.

    sha256: of clips and sentences, whatever the format and the order of the clips.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            UsageError: it is neither CSV with the columns clip and caption nor JSON of clips with their sentences, or a
                sentence is empty.
            ZsarbenchError: it cannot be read.
        """
        self.path = path
        ending = path.suffix.lower()
        if ending not in (".csv", ".tsv", ".json"):
            raise UsageError(f"{WHAT} {path} is neither .csv, with the columns clip and caption, nor .json")
        self.by_name = _of_json(path) if ending == ".json" else _of_table(path)
        if not self.by_name:
            raise UsageError(f"{WHAT} {path} has no caption")
        digest = hashlib.sha256()
        for name, sentences in sorted(self.by_name.items()):
            digest.update("\n".join([name, *sentences, "", ""]).encode())
        self.sha256 = digest.hexdigest()

    def of(self, ids: Sequence[str], dataset: str) -> dict[str, tuple[str, ...]]:
        """Return the sentences by clip id; a file may call a clip by its id, or by the path of its file.

        Raises:
            UsageError: no caption is of a clip, or two names are of the same one.
        """
        names, found, strangers = ClipNames(ids), {}, []
        named: dict[str, str] = {}
        for name, sentences in self.by_name.items():
            clip_id = names.find(name)
            if clip_id is None:
                strangers.append(name)
            elif clip_id in found:
                raise UsageError(f"{WHAT} {self.path}: '{named[clip_id]}' and '{name}' are both clip '{clip_id}'")
            else:
                found[clip_id], named[clip_id] = sentences, name
        if not found:
            raise UsageError(
                f"{WHAT} {self.path} name no clip of {dataset}: '{strangers[0]:.60}'; its ids are like '{ids[0]}'"
                if ids
                else f"data set '{dataset}' has no clip to caption"
            )
        if strangers:
            _log.warning(
                "%s %s: %d of %d belong to no clip of %s, e.g. '%.60s'",
                WHAT, self.path, len(strangers), len(self.by_name), dataset, strangers[0],
            )  # fmt: skip
        return found


class Captioned:
    """A data set whose captions are replaced by the user's own; its revision says so."""

    def __init__(self, dataset: Dataset, captions: Captions, name: str) -> None:
        self._dataset, self._captions, self._name = dataset, captions, name
        self.classes = tuple(dataset.classes)
        self.aliases = dataset.aliases
        self.revision = f"{dataset.revision}+captions-{captions.sha256[:10]}"
        if isinstance(dataset, HasRoot):
            self.root = dataset.root

    def manifest(self) -> pd.DataFrame:
        """Return the data set's manifest."""
        return self._dataset.manifest()

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the data set's official lists."""
        return self._dataset.splits()

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return the captions of the file.

        Raises:
            UsageError: none is of a clip of the data set.
        """
        return self._captions.of([str(clip) for clip in self.manifest()["clip_id"]], self._name)

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the data set's texts of its classes."""
        return self._dataset.class_texts(form)


def _of_table(path: Path) -> dict[str, tuple[str, ...]]:
    by_name: dict[str, list[str]] = {}
    for where, row in text_files.rows(path, WHAT, ("clip", "caption")):
        if not row["clip"] or not row["caption"]:
            raise UsageError(f"{where}: the {'caption' if row['clip'] else 'clip'} is missing")
        by_name.setdefault(row["clip"], []).append(" ".join(row["caption"].split()))
    return {name: tuple(sentences) for name, sentences in by_name.items()}


def _of_json(path: Path) -> dict[str, tuple[str, ...]]:
    content = read_json(path, WHAT, MAX_BYTES)
    if isinstance(content, list):  # one object a clip or caption
        pairs = [_pair(item, path, number) for number, item in enumerate(content)]
    elif isinstance(content, dict):
        pairs = list(content.items())
    else:
        form = '{"clip": "caption" or ["caption", …]}, or a list of clip and caption'
        raise UsageError(f"{WHAT} {path} must be {form}")
    by_name: dict[str, list[str]] = {}
    for name, value in pairs:
        sentences = [value] if isinstance(value, str) else value
        if not isinstance(sentences, list) or not sentences or not all(_is_sentence(one) for one in sentences):
            raise UsageError(
                f"{WHAT} {path}: clip '{name:.60}' has {str(value)[:60]!r}, not a sentence or a list of sentences"
            )
        by_name.setdefault(name, []).extend(" ".join(sentence.split()) for sentence in sentences)
    return {name: tuple(sentences) for name, sentences in by_name.items()}


def _pair(item: Any, path: Path, number: int) -> tuple[str, Any]:
    if isinstance(item, dict) and isinstance(item.get("clip"), str):
        for key in ("caption", "captions"):
            if key in item:
                return item["clip"], item[key]
    raise UsageError(f"{WHAT} {path}: item {number + 1} has no clip and caption")


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())

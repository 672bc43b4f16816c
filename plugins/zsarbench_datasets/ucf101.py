"""UCF-101: 13,320 clips of 101 actions, from its official lists, with or without the videos."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from zsarbench.downloads import Download, fetch, read_downloads
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench.names import match

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

DATA = Path(__file__).parent / "data"
LISTS, CAPTIONS, SENTENCES = read_downloads(DATA / "ucf101_downloads.toml")
OBSERVERS = ("resnet152_4096", "resnet152_objectemb_1268", "resnet_objectemb_768")  # the order of a clip's captions
CLIP_ID = re.compile(r"v_\w+_(g\d\d)_c\d\d")


def _read_classes() -> tuple[str, ...]:
    lines = (DATA / "ucf101_classes.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


class UCF101:
    """UCF-101 with machine captions and class sentences; needs no video for text-only methods.

    A clip's label is the folder that the official lists put it in, never a part of its file name: 128 files are called
    `v_HandStandPushups_*` and belong to the class HandstandPushups.

    Source: Soomro et al., UCF101, arXiv:1212.0402; captions and sentences: valterlej/cezsar (MIT).
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = _read_classes()
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"Basketball Shooting": "Basketball", "Salsa Spins": "SalsaSpin"}  # as TruZe's lists spell them
    )
    downloads: ClassVar[tuple[Download, ...]] = (LISTS, CAPTIONS, SENTENCES)

    def __init__(self, *, root: Path | None = None) -> None:
        """Remember where the videos are.

        root: the folder of the user's videos, `<Class>/v_<Class>_gNN_cNN.avi`; None: there are none.
        """
        self.root = root

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clip ids, labels and the pinned captions; the same with and without videos."""
        manifest = self.manifest()
        lines = [f"{clip_id}\t{label}" for clip_id, label in zip(manifest["clip_id"], manifest["label"], strict=True)]
        lines += [file.sha256 for file in CAPTIONS.files]
        return f"{self.version}-{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:12]}"

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip of the official lists, sorted by clip_id.

        clip_id: the file name without its ending. label: an official class name. path: absolute, NA without `root`; a
        listed clip that is not on the disk keeps the path where it should be, so that it is found missing when it is
        read and stays in the denominator. start and end: NA, the whole file. group: the source video, `<label>/gNN`.

        Raises:
            ZsarbenchError: `root` is no folder of class folders, or the lists cannot be had.
        """
        import pandas as pd

        labels = self._labels()
        clip_ids = sorted(labels)
        paths = _paths(Path(self.root), labels) if self.root is not None else {}
        frame = pd.DataFrame(
            {
                "clip_id": clip_ids,
                "label": [labels[clip_id] for clip_id in clip_ids],
                "path": [paths.get(clip_id) for clip_id in clip_ids],
                "start": float("nan"),
                "end": float("nan"),
                "group": [f"{labels[clip_id]}/{_source_video(clip_id)}" for clip_id in clip_ids],
            }
        )
        return frame.astype(dict.fromkeys(("clip_id", "label", "path", "group"), "string"))

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of the official lists train1, test1 … train3, test3, in the lists' own order.

        The train and test list of one number share no clip and together hold all of them.
        """
        return {name: tuple(labels) for name, labels in self._lists().items()}

    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """Return three machine-made captions per clip, one from each observer, in the order of `OBSERVERS`."""
        folder = fetch(CAPTIONS) / "data" / "observers"
        observed = [json.loads(_text(folder / f"ucf101_{name}.json"))["results"] for name in OBSERVERS]
        return {
            clip_id: tuple(" ".join(segment["sentence"].strip() for segment in seen[clip_id]) for seen in observed)
            for clip_id in sorted(observed[0])
        }

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the texts of the classes, in their order: form "name" (spaced) or "sentence" (one each).

        Raises:
            UsageError: there are no texts of that form.
        """
        if form == "name":
            return [ClassText(name, (readable(name),)) for name in self.classes]
        if form == "sentence":
            sentences = self._sentences()
            return [ClassText(name, (sentences[name],)) for name in self.classes]
        raise UsageError(
            f"ucf101 has no class texts of the form '{form}'; it has: name, sentence. Try --class-text name"
        )

    def _labels(self) -> dict[str, str]:
        """Return the label of each clip id: list 1's two halves hold every clip."""
        lists = self._lists()
        return lists["train1"] | lists["test1"]

    def _lists(self) -> dict[str, dict[str, str]]:
        """Return the labels by clip id of each official list."""
        folder = fetch(LISTS) / "data" / "ucfTrainTestlist"
        names = [(f"{half}{number}", f"{half}list0{number}.txt") for number in (1, 2, 3) for half in ("train", "test")]
        return {name: _read_list(folder / file) for name, file in names}

    def _sentences(self) -> dict[str, str]:
        """Return the sentence of each class by official name."""
        folder = fetch(SENTENCES)
        files = [folder / file.path for file in SENTENCES.files if file.path.endswith(".txt")]
        texts = {match(file.stem, self.classes, self.aliases): _text(file) for file in files}
        return {name: texts[name] for name in self.classes}


def readable(name: str) -> str:
    """Return a class name as words.

    >>> readable("ApplyEyeMakeup")
    'Apply Eye Makeup'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _text(path: Path) -> str:
    """Return a file's text: UTF-8 with bad bytes dropped, stripped."""
    return path.read_bytes().decode("utf-8", errors="ignore").strip()


def _read_list(path: Path) -> dict[str, str]:
    """Return labels by clip id of one list, whose lines are `<Class>/<clip>.avi`, in train lists with a number."""
    entries = (line.split()[0].split("/") for line in _text(path).splitlines())
    return {file.removesuffix(".avi"): label for label, file in entries}


def _source_video(clip_id: str) -> str:
    """Return the number of the source video, g01 to g25, which counts within the class."""
    found = CLIP_ID.fullmatch(clip_id)
    if found is None:
        raise ZsarbenchError(f"ucf101: '{clip_id}' in the official lists is not named v_<Class>_gNN_cNN")
    return found[1]


def _paths(root: Path, labels: Mapping[str, str]) -> dict[str, str]:
    """Return where each listed clip is, or should be; files that no list knows are left out and logged."""
    root = root.expanduser().absolute()
    if not root.is_dir():
        raise UsageError(f"ucf101: there is no folder {root}. Try --data-root ucf101=FOLDER")
    folders = {
        match(path.name, UCF101.classes, UCF101.aliases): path for path in sorted(root.iterdir()) if path.is_dir()
    }
    found = {name: path for name, path in folders.items() if name is not None}
    if not found:
        raise UsageError(
            f"ucf101: {root} holds no class folder such as {root / UCF101.classes[0]}. Try --data-root ucf101=FOLDER"
        )
    paths = {clip: str(found.get(label, root / label) / f"{clip}.avi") for clip, label in labels.items()}
    there = {str(file) for folder in found.values() for file in folder.iterdir() if file.is_file()}
    unlisted = sorted(there - set(paths.values()))
    log.info("ucf101: %d of %d listed clips are under %s", len(there) - len(unlisted), len(paths), root)
    if unlisted:
        log.warning("ucf101: %d files are in no official list and are left out: %s", len(unlisted), unlisted[:3])
    return paths

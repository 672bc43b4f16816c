"""UCF-101: 13,320 clips of 101 actions, from its official lists, with or without the videos."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from zsarbench.data.downloads import Download, fetch, read_downloads
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import match, readable
from zsarbench_datasets import common
from zsarbench_datasets.locating import locate

if TYPE_CHECKING:
    import pandas as pd

DOWNLOADS = read_downloads(common.DATA / "ucf101_downloads.toml")
LISTS, CAPTIONS, SENTENCES, BASE_TO_NOVEL, DOCUMENTS = DOWNLOADS
OBSERVERS = ("resnet152_4096", "resnet152_objectemb_1268", "resnet_objectemb_768")  # the order of a clip's captions
CLIP_ID = re.compile(r"v_\w+_(g\d\d)_c\d\d")


class UCF101:
    """UCF-101 with machine captions and class sentences; needs no video for text-only methods.

    A clip's label is the folder that the official lists put it in, never a part of its file name: 128 files are called
    `v_HandStandPushups_*` and belong to the class HandstandPushups.

    Source: Soomro et al., UCF101, arXiv:1212.0402; captions and sentences: valterlej/cezsar (MIT).
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = common.read_names("ucf101_classes.txt")
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"Basketball Shooting": "Basketball", "Salsa Spins": "SalsaSpin"}  # as TruZe's lists spell them
    )
    downloads: ClassVar[tuple[Download, ...]] = DOWNLOADS

    def __init__(self, *, root: Path | None = None) -> None:
        """Remember where the videos are.

        root: the folder of the user's videos, `<Class>/v_<Class>_gNN_cNN.avi`; None: none.
        """
        self.root = root

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clip ids, labels and the pinned captions; the same with and without videos."""
        return common.revision(self.version, self._labels(), CAPTIONS)

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip of the official lists, sorted by clip_id.

        clip_id: the file name without its ending. label: an official class name. path: absolute, NA without `root`; a
        listed clip that is not on the disk keeps the path where it should be, so that it is found missing when it is
        read and stays in the denominator. start and end: NA, the whole file. group: the source video, `<label>/gNN`.

        Raises:
            ZsarbenchError: `root` is not a folder or holds no video, or the lists are unavailable.
        """
        labels = self._labels()
        paths = {}
        if self.root is not None:
            paths = locate(
                "ucf101", self.root, labels, self.aliases, clip_of=str, file_of=lambda clip_id: f"{clip_id}.avi"
            )
        groups = {clip_id: f"{label}/{_source_video(clip_id)}" for clip_id, label in labels.items()}
        return common.manifest(labels, groups, paths)

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of the official lists train1, test1 … train3, test3, in the lists' own order.

        The train and test list of one number share no clip and together hold all of them. base-s1, base-s2 and base-s3
        are 16 training clips for each of the 51 base classes of `base-to-novel`, in three draws.
        """
        folder = fetch(BASE_TO_NOVEL) / "datasets_splits" / "base2novel_splits" / "ucf_splits"
        few = {f"base-s{seed}": common.rows(folder / f"fs_base_s{seed}_train.txt") for seed in (1, 2, 3)}
        lists = {name: tuple(labels) for name, labels in self._lists().items()}
        return lists | {name: tuple(row[0].removesuffix(".avi") for row in rows) for name, rows in few.items()}

    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """Return three machine-made captions per clip, one from each observer, in the order of `OBSERVERS`."""
        folder = fetch(CAPTIONS) / "data" / "observers"
        observed = [json.loads(common.read_released(folder / f"ucf101_{name}.json"))["results"] for name in OBSERVERS]
        return {
            clip_id: tuple(" ".join(segment["sentence"].strip() for segment in seen[clip_id]) for seen in observed)
            for clip_id in sorted(observed[0])
        }

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the texts of the classes, in their order: form "name" (spaced), "sentence" (one each) or "documents".

        A document is the web pages that were gathered for a class; see `--class-text documents:nearest-10`.

        Raises:
            UsageError: the data set has no texts of that form.
        """
        if form == "name":
            return [ClassText(name, (readable(name),)) for name in self.classes]
        if form == "sentence":
            return self._texts_of(SENTENCES)
        if form == "documents":
            return self._texts_of(DOCUMENTS)
        raise UsageError(
            f"ucf101 has no class texts of the form '{form}'; it has: name, sentence, documents. Try --class-text name"
        )

    def _labels(self) -> dict[str, str]:
        """Return the label of each clip id: list 1's two halves hold every clip."""
        lists = self._lists(numbers=(1,))
        return lists["train1"] | lists["test1"]

    def _lists(self, numbers: Sequence[int] = (1, 2, 3)) -> dict[str, dict[str, str]]:
        """Return the labels by clip id of each official list."""
        folder = fetch(LISTS) / "data" / "ucfTrainTestlist"
        names = [(f"{half}{number}", f"{half}list0{number}.txt") for number in numbers for half in ("train", "test")]
        return {name: _read_list(folder / file) for name, file in names}

    def _texts_of(self, download: Download) -> list[ClassText]:
        """Return the text of each class from a download of one file a class."""
        folder = fetch(download)
        files = [folder / file.path for file in download.files if file.path.endswith(".txt")]
        texts = {match(file.stem, self.classes, self.aliases): common.read_released(file) for file in files}
        return [ClassText(name, (texts[name],)) for name in self.classes]


def _read_list(path: Path) -> dict[str, str]:
    """Return labels by clip id of one list, whose lines are `<Class>/<clip>.avi`, in train lists with a number."""
    entries = (row[0].split("/") for row in common.rows(path))
    return {file.removesuffix(".avi"): label for label, file in entries}


def _source_video(clip_id: str) -> str:
    """Return the number of the source video, g01 to g25, which counts within the class."""
    match = CLIP_ID.fullmatch(clip_id)
    if match is None:
        raise ZsarbenchError(f"ucf101: '{clip_id}' in the official lists is not named v_<Class>_gNN_cNN")
    return match[1]

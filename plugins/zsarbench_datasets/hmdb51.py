"""HMDB-51: 6,766 clips of 51 actions, from public copies of its lists, with or without the videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from zsarbench.data.downloads import Download, fetch, read_downloads
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench_datasets import common
from zsarbench_datasets.locating import locate

if TYPE_CHECKING:
    import pandas as pd

LISTS, BASE_TO_NOVEL = read_downloads(common.DATA / "hmdb51_downloads.toml")
CLIP_ID = re.compile(r"(?P<what>.+)_[a-z]_(cm|nm)_np\d+_[a-z]{2}_[a-z]{3}_\d+")
"""Source and action, then visible body parts, camera motion, people, view, quality and number."""


class HMDB51:
    """HMDB-51; classes are called as its folders are.

    Source: Kuehne et al., HMDB: A Large Video Database for Human Motion Recognition, ICCV 2011; lists: whwu95/Text4Vis
    (MIT).
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = common.read_names("hmdb51_classes.txt")
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"Swing Basketball": "swing_baseball"}  # as TruZe's list spells it
    )
    downloads: ClassVar[tuple[Download, ...]] = (LISTS, BASE_TO_NOVEL)

    def __init__(self, *, root: Path | None = None) -> None:
        """Remember where the videos are.

        root: the folder of the user's videos, `<class>/<clip>.avi` or flat; None: none.
        """
        self.root = root

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clip ids and labels; the same with and without videos."""
        return common.revision(self.version, self._labels())

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip, sorted by clip_id, the file name without its ending.

        path: absolute, NA without `root`; a listed clip that is not on the disk keeps the path where it should be.
        start and end: NA, the whole file. group: the source video, which a film's clips of several classes share.

        Raises:
            ZsarbenchError: `root` is not a folder or holds no video, or the lists are unavailable.
        """
        labels = self._labels()
        paths = {}
        if self.root is not None:
            paths = locate(
                "hmdb51", self.root, labels, self.aliases, clip_of=str, file_of=lambda clip_id: f"{clip_id}.avi"
            )
        return common.manifest(labels, {clip: source_video(clip, label) for clip, label in labels.items()}, paths)

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of the official lists train1, test1 … train3, test3: 70 and 30 clips of each class.

        base-s1, base-s2 and base-s3 are 16 training clips for each of the 26 base classes of `base-to-novel`.
        """
        folder = fetch(LISTS) / "lists" / "hmdb51"
        files = {
            f"{half}{n}": f"{'val' if half == 'test' else half}_rgb_split_{n}.txt"
            for n in (1, 2, 3)
            for half in ("train", "test")
        }
        lists = {
            name: tuple(row[0].split("/")[1] for row in common.rows(folder / file)) for name, file in files.items()
        }
        folder = fetch(BASE_TO_NOVEL) / "datasets_splits" / "base2novel_splits" / "hmdb_splits"
        few = {f"base-s{n}": common.rows(folder / f"fs_base_s{n}_train.txt") for n in (1, 2, 3)}
        return lists | {name: tuple(row[0].removesuffix(".avi") for row in rows) for name, rows in few.items()}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return nothing: no captions of HMDB-51 are public under a licence."""
        return {}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the names of the classes as words (form "name").

        Raises:
            UsageError: the data set has no texts of that form.
        """
        return common.name_texts("hmdb51", form, self.classes)

    def _labels(self) -> dict[str, str]:
        """Return the label of each clip id, which is its folder."""
        rows = common.rows(fetch(LISTS) / "lists" / "hmdb51" / "hmdb_full_for_zeroshot.txt")
        return {clip: label for label, clip in (row[0].split("/") for row in rows)}


def source_video(clip_id: str, label: str) -> str:
    """Return the source video of a clip: its name up to the action.

    >>> source_video("AmericanGangster_drink_u_nm_np1_fr_bad_12", "drink")
    'AmericanGangster'

    Raises:
        ZsarbenchError: the clip is not named as HMDB-51's are.
    """
    match = CLIP_ID.fullmatch(clip_id)
    if match is None or not match["what"].endswith(f"_{label}"):
        raise ZsarbenchError(
            f"hmdb51: '{clip_id}' is not named <source>_{label}_<body>_<camera>_np<n>_<view>_<quality>_<n>"
        )
    return match["what"].removesuffix(f"_{label}")

"""Kinetics-400 and Kinetics-600 as test data, from public clip lists and from the official CSV files a user has.

A clip is named by its YouTube id: within either data set no video gives two clips. Clips vanish from the web, so every
public list is another part of what was annotated; the manifest holds all of them, and a protocol names its list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from zsarbench.data.downloads import Download, fetch, read_downloads
from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import match
from zsarbench_datasets import common
from zsarbench_datasets.kinetics_files import manifest
from zsarbench_datasets.kinetics_lists import Lists, read_indexed, read_own, revision, union

if TYPE_CHECKING:
    import pandas as pd

K400_TEXT4VIS, K400_CEZSAR, K400_OST, K400_SENTENCES = read_downloads(common.DATA / "kinetics400_downloads.toml")
K600_TEXT4VIS, K600_OST, K600_DEFINITIONS = read_downloads(common.DATA / "kinetics600_downloads.toml")


class Kinetics400:
    """Kinetics-400: the clips of three public validation lists and of three few-shot training lists.

    Source: Kay et al., The Kinetics Human Action Video Dataset, arXiv:1705.06950; lists: whwu95/Text4Vis,
    valterlej/cezsar and tomchen-ctj/OST (MIT); sentences: valterlej/cezsar.
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = common.read_names("kinetics400_classes.txt")
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    downloads: ClassVar[tuple[Download, ...]] = (K400_TEXT4VIS, K400_CEZSAR, K400_OST, K400_SENTENCES)

    def __init__(self, *, root: Path | None = None, annotations: Path | None = None, trimmed: bool = True) -> None:
        """Remember where the videos and the user's own lists are.

        root: a folder with the user's videos, flat or in class folders, `<youtube_id>_<start>_<end>.mp4` or
        `<youtube_id>.mp4`. annotations: an official CSV file, or a folder of them, whose clips are added. trimmed:
        whether a file named by the id alone holds the annotated seconds only; one named with its times always does.
        """
        self.root = root
        self.annotations = annotations
        self.trimmed = trimmed

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clips, labels, spans and lists; the user's own count, the videos do not."""
        return revision(self.version, self._lists)

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip of any list, sorted by clip_id, the YouTube id.

        path: absolute, NA without `root`; a clip that is not on the disk keeps the path where it should be. start and
        end: seconds in an untrimmed file, NA in a trimmed one. group: the clip itself.

        Raises:
            ZsarbenchError: `root` is not a folder or holds no video, or a list is unavailable or malformed.
        """
        return manifest("kinetics400", union(self._lists), self.root, self.trimmed)

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of each list.

        text4vis-19796, cezsar-18035, ost-19877: what three repositories hold of the validation set, by count.
        base-s1 to base-s3: 16 training clips for each base class of `base-to-novel`. train, val, test: the clips of
        the user's own CSV files, where given.
        """
        return {name: tuple(clips) for name, clips in self._lists.items()}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return nothing: no captions of Kinetics-400 are fetched."""
        return {}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the texts of the classes, in their order: form "name" or "sentence" (one each).

        Raises:
            UsageError: the data set has no texts of that form.
        """
        return _class_texts("kinetics400", form, self.classes, self._sentences)

    @cached_property
    def _lists(self) -> Lists:
        text4vis, ost = fetch(K400_TEXT4VIS) / "lists", fetch(K400_OST)
        splits = ost / "datasets_splits" / "base2novel_splits" / "k400_splits"
        cezsar = fetch(K400_CEZSAR) / "data" / "datasets" / "kinetics400" / "validate.csv"
        base = ost / "labels" / "kinetics_400_base_labels.csv"
        lists = {
            # The two lists that say where a clip starts come first: the third does not.
            "ost-19877": read_indexed(
                ost / "datasets_splits" / "k400_splits" / "val.txt", ost / "labels" / "kinetics_400_labels.csv"
            ),
            "cezsar-18035": read_own(cezsar, self.classes, self.aliases)["val"],
            "text4vis-19796": read_indexed(
                text4vis / "k400" / "kinetics_video_val_se320.txt", text4vis / "kinetics_400_labels.csv"
            ),
        }
        few = {f"base-s{seed}": read_indexed(splits / f"fs_base_s{seed}_train.txt", base) for seed in (1, 2, 3)}
        return lists | few | read_own(self.annotations, self.classes, self.aliases)

    def _sentences(self) -> dict[str, str]:
        folder = fetch(K400_SENTENCES)
        files = [folder / file.path for file in K400_SENTENCES.files if file.path.endswith(".txt")]
        return {match(file.stem, self.classes, self.aliases) or "": common.read_released(file) for file in files}


class Kinetics600:
    """Kinetics-600: the test clips of the zero-shot splits of Elaborative Rehearsal, as two repositories hold them.

    The classes are the 600 and the 20 of Kinetics-400 that Kinetics-600 no longer has, 620 as in Elaborative Rehearsal;
    Kinetics-400's names of the 11 classes that were renamed are aliases.

    Source: Carreira et al., A Short Note about Kinetics-600, arXiv:1808.01340; splits and definitions:
    DeLightCMU/ElaborativeRehearsal; lists: whwu95/Text4Vis and tomchen-ctj/OST (all MIT).
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = common.read_names("kinetics600_classes.txt")
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "baby waking up": "waking up",
            "balloon blowing": "inflating balloons",
            "changing wheel": "changing wheel (not on bike)",
            "cooking sausages": "cooking sausages (not on barbeque)",
            "dying hair": "dyeing hair",
            "garbage collecting": "person collecting garbage",
            "hugging": "hugging (not baby)",
            "making bed": "making the bed",
            "opening bottle": "opening bottle (not wine)",
            "throwing ball": "throwing ball (not baseball or American football)",
            "tying tie": "tying necktie",
        }
    )
    downloads: ClassVar[tuple[Download, ...]] = (K600_TEXT4VIS, K600_OST, K600_DEFINITIONS)

    def __init__(self, *, root: Path | None = None, annotations: Path | None = None, trimmed: bool = True) -> None:
        """Remember where the videos and the user's own lists are; see `Kinetics400`.

        annotations: official CSV files of Kinetics-600 or Kinetics-400; those of `train` are what a method learns from.
        """
        self.root = root
        self.annotations = annotations
        self.trimmed = trimmed

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clips, labels, spans and lists; the user's own count, the videos do not."""
        return revision(self.version, self._lists)

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip of any list, sorted by clip_id; see `Kinetics400.manifest`."""
        return manifest("kinetics600", union(self._lists), self.root, self.trimmed)

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of each list.

        text4vis-s1 to text4vis-s3, ost-s1 to ost-s3: the test clips of each zero-shot split, as two repositories hold
        them. train: the training clips of the user's own CSV files; empty without them, for no list here has any.
        """
        return {"train": ()} | {name: tuple(clips) for name, clips in self._lists.items()}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return nothing: Kinetics-600 has no captions."""
        return {}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the texts of the classes: form "name", or "sentence", Elaborative Rehearsal's definitions.

        Raises:
            UsageError: the data set has no texts of that form.
        """
        return _class_texts("kinetics600", form, self.classes, self._sentences)

    @cached_property
    def _lists(self) -> Lists:
        text4vis, ost = fetch(K600_TEXT4VIS) / "lists" / "k600", fetch(K600_OST)
        lists = {}
        for split in (1, 2, 3):
            lists[f"text4vis-s{split}"] = read_indexed(
                text4vis / f"test_split{split}_exist.txt", text4vis / f"k160_labels_split{split}.csv"
            )
            lists[f"ost-s{split}"] = read_indexed(
                ost / "datasets_splits" / "k600_splits" / f"ZS_split{split}_K600_eval_filtered.txt",
                ost / "labels" / f"ZS_split{split}_K600.csv",
            )
        return lists | read_own(self.annotations, self.classes, self.aliases)

    def _sentences(self) -> dict[str, str]:
        folder = fetch(K600_DEFINITIONS) / "datasets" / "Kinetics" / "zsl220"
        entries = json.loads((folder / "classes620_label_defn.json").read_text(encoding="utf-8"))
        return {match(entry["word"], self.classes, self.aliases) or "": entry["defn"].strip() for entry in entries}


def _class_texts(
    dataset: str, form: str, classes: Sequence[str], sentences: Callable[[], Mapping[str, str]]
) -> list[ClassText]:
    if form == "name":
        return [ClassText(name, (name,)) for name in classes]
    if form == "sentence":
        texts = sentences()
        return [ClassText(name, (texts[name],)) for name in classes]
    raise UsageError(
        f"{dataset} has no class texts of the form '{form}'; it has: name, sentence. Try --class-text name"
    )

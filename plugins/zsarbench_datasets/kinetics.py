"""Kinetics-400 and Kinetics-600 as test data, from public clip lists and from the official CSV files a user has.

A clip is named by its YouTube id: within either data set no video gives two clips. Clips vanish from the web, so every
public list is another part of what was annotated; the manifest holds all of them, and a protocol names its list.
"""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from zsarbench.data.downloads import Download, fetch, read_downloads
from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import match
from zsarbench_datasets import common

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

K400_TEXT4VIS, K400_CEZSAR, K400_OST, K400_SENTENCES = read_downloads(common.DATA / "kinetics400_downloads.toml")
K600_TEXT4VIS, K600_OST, K600_DEFINITIONS = read_downloads(common.DATA / "kinetics600_downloads.toml")
FILE_NAME = re.compile(r"(?P<id>[\w-]{11})(?:_(?P<start>\d+)_(?P<end>\d+))?")
COLUMNS = ("label", "youtube_id", "time_start", "time_end")


class Annotation(NamedTuple):
    """The label of a clip and its span in the video, in seconds; None where a list does not say."""

    label: str
    span: tuple[float, float] | None


Lists = dict[str, dict[str, Annotation]]
"""Annotations by list name, then by YouTube id."""


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
        return _revision(self.version, self._lists)

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip of any list, sorted by clip_id, the YouTube id.

        path: absolute, NA without `root`; a clip that is not on the disk keeps the path where it should be. start and
        end: seconds in an untrimmed file, NA in a trimmed one. group: the clip itself.

        Raises:
            ZsarbenchError: `root` is not a folder or holds no video, or a list is unavailable or malformed.
        """
        return _manifest("kinetics400", _union(self._lists), self.root, self.trimmed)

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
            "ost-19877": _read_indexed(
                ost / "datasets_splits" / "k400_splits" / "val.txt", ost / "labels" / "kinetics_400_labels.csv"
            ),
            "cezsar-18035": {clip: item for _, clip, item in _read_csv(cezsar, self.classes, self.aliases)},
            "text4vis-19796": _read_indexed(
                text4vis / "k400" / "kinetics_video_val_se320.txt", text4vis / "kinetics_400_labels.csv"
            ),
        }
        few = {f"base-s{seed}": _read_indexed(splits / f"fs_base_s{seed}_train.txt", base) for seed in (1, 2, 3)}
        return lists | few | _read_own(self.annotations, self.classes, self.aliases)

    def _sentences(self) -> dict[str, str]:
        folder = fetch(K400_SENTENCES)
        files = [folder / file.path for file in K400_SENTENCES.files if file.path.endswith(".txt")]
        return {match(file.stem, self.classes, self.aliases) or "": common.read_text(file) for file in files}


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
        return _revision(self.version, self._lists)

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip of any list, sorted by clip_id; see `Kinetics400.manifest`."""
        return _manifest("kinetics600", _union(self._lists), self.root, self.trimmed)

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
            lists[f"text4vis-s{split}"] = _read_indexed(
                text4vis / f"test_split{split}_exist.txt", text4vis / f"k160_labels_split{split}.csv"
            )
            lists[f"ost-s{split}"] = _read_indexed(
                ost / "datasets_splits" / "k600_splits" / f"ZS_split{split}_K600_eval_filtered.txt",
                ost / "labels" / f"ZS_split{split}_K600.csv",
            )
        return lists | _read_own(self.annotations, self.classes, self.aliases)

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


def _read_indexed(path: Path, labels: Path) -> dict[str, Annotation]:
    """Read a list: `[folder/]<id>[_<start>_<end>].mp4 <index>` and the label file that its indices count in."""
    with labels.open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    indexed = {}
    for name, index in common.rows(path):
        clip, span = _parse(Path(name).stem)
        if clip is None:
            raise ZsarbenchError(f"{path}: '{name}' is not named <youtube_id>_<start>_<end>.mp4")
        indexed[clip] = Annotation(names[int(index)], span)
    return indexed


def _parse(stem: str) -> tuple[str | None, tuple[float, float] | None]:
    """Return the YouTube id and the span that a file name without its ending says."""
    match = FILE_NAME.fullmatch(stem)
    if match is None:
        return None, None
    return match["id"], (float(match["start"]), float(match["end"])) if match["start"] else None


def _read_own(path: Path | None, classes: Sequence[str], aliases: Mapping[str, str]) -> Lists:
    """Read the user's official CSV files: lists by what their split column says, or by the file's name."""
    if path is None:
        return {}
    path = Path(path).expanduser()
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UsageError(f"annotations: {path} is neither a CSV file nor a folder of them")
    lists: Lists = {}
    for file in files:
        for split, clip, item in _read_csv(file, classes, aliases):
            lists.setdefault({"validate": "val"}.get(split, split), {})[clip] = item
    return lists


def _read_csv(path: Path, classes: Sequence[str], aliases: Mapping[str, str]) -> Iterator[tuple[str, str, Annotation]]:
    """Yield split, YouTube id and annotation of each line of an official CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise ZsarbenchError(
                f"{path} lacks the columns {', '.join(missing)}; an official CSV file has {', '.join(COLUMNS)}"
            )
        official: dict[str, str | None] = {}
        for row in reader:
            name = row["label"]
            if name not in official:
                official[name] = match(name, classes, aliases)
            label = official[name]
            if label is None:
                raise ZsarbenchError(f"{path}: " + unknown("class", name, classes))
            span = (float(row["time_start"]), float(row["time_end"]))
            yield row.get("split") or path.stem, row["youtube_id"], Annotation(label, span)


def _revision(version: str, lists: Lists) -> str:
    listed: dict[str, list[str]] = {}
    for name, clips in lists.items():
        for clip in clips:
            listed.setdefault(clip, []).append(name)
    return common.revision(
        version, {clip: common.fields_text(*item, sorted(listed[clip])) for clip, item in _union(lists).items()}
    )


def _union(lists: Lists) -> dict[str, Annotation]:
    """Return every clip of any list: the label that the first says, the span that the first that has one says."""
    union: dict[str, Annotation] = {}
    for name, clips in lists.items():
        other = 0
        for clip, item in clips.items():
            known = union.setdefault(clip, item)
            other += known.label != item.label
            if known.span is None:
                union[clip] = Annotation(known.label, item.span)
        if other:
            log.warning(
                "list %s labels %d clips otherwise than the lists before it, whose labels are kept", name, other
            )
    return union


def _manifest(dataset: str, clips: Mapping[str, Annotation], root: Path | None, trimmed: bool) -> pd.DataFrame:
    labels = {clip: item.label for clip, item in clips.items()}
    groups = {clip: clip for clip in clips}
    if root is None:
        return common.manifest(labels, groups, {})

    def file_of(clip: str) -> str:
        span = clips[clip].span
        return f"{clip}_{int(span[0]):06d}_{int(span[1]):06d}.mp4" if trimmed and span else f"{clip}.mp4"

    paths = common.locate(dataset, root, labels, {}, clip_of=lambda stem: _parse(stem)[0], file_of=file_of)
    whole = {clip for clip, path in paths.items() if trimmed or _parse(Path(path).stem)[1] is not None}
    spans = {clip: span for clip, item in clips.items() if clip not in whole and (span := item.span) is not None}
    if unknown_spans := [clip for clip in clips if clip not in whole and clip not in spans]:
        log.warning(
            "%s: no list says where %d untrimmed clips start; they count as missing", dataset, len(unknown_spans)
        )
        paths = {clip: path for clip, path in paths.items() if clip not in unknown_spans}
    return common.manifest(labels, groups, paths, spans)

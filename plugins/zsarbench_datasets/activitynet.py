"""ActivityNet 1.3: 14,950 untrimmed videos of 200 activities, whole or by their annotated segments."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from zsarbench.data.downloads import Download, fetch, read_downloads
from zsarbench.errors import UsageError, unknown
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import match
from zsarbench.utils.documents import read_json
from zsarbench_datasets import common
from zsarbench_datasets.locating import locate
from zsarbench_datasets.spans import Span, json_span

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

(LISTS,) = read_downloads(common.DATA / "activitynet_downloads.toml")
SUBSETS = {"training": "train", "validation": "val"}  # the official names of the annotated subsets


class Segment(NamedTuple):
    """One clip: its video, label and list, and its span in seconds; None is the whole video."""

    video: str
    label: str
    subset: str
    span: tuple[float, float] | None = None


class ActivityNet:
    """ActivityNet 1.3 with one label per video, or with the segments of the official annotations.

    Source: Caba Heilbron et al., ActivityNet, CVPR 2015; list: whwu95/Text4Vis (MIT).
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = common.read_names("activitynet_classes.txt")
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    downloads: ClassVar[tuple[Download, ...]] = (LISTS,)

    def __init__(self, *, root: Path | None = None, annotations: Path | None = None) -> None:
        """Remember where the videos and the annotations are.

        root: a folder with the user's whole videos, `v_<youtube_id>.mp4` or `<youtube_id>.mp4`, flat or in folders.
        annotations: the official activity_net.v1-3.min.json; its segments are then the clips. None: whole videos are.
        """
        self.root = root
        self.annotations = annotations

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clips, labels, subsets and spans; the annotations count, the videos do not."""
        return common.revision(self.version, {clip: common.fields_text(*item) for clip, item in self._segments.items()})

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip, sorted by clip_id: `v_<youtube_id>`, or `v_<youtube_id>_<n>` for its segment n.

        path: absolute, NA without `root`; a video that is not on the disk keeps the path where it should be. start and
        end: seconds of a segment, NA for a whole video. group: the video.

        Raises:
            ZsarbenchError: `root` is not a folder or holds no video, or list or annotations are missing or malformed.
        """
        clips = self._segments
        labels = {clip: item.label for clip, item in clips.items()}
        groups = {clip: item.video for clip, item in clips.items()}
        paths = {}
        if self.root is not None:
            files = locate_videos("activitynet", self.root, {item.video: item.label for item in clips.values()})
            paths = {clip: files[item.video] for clip, item in clips.items()}
        spans = {clip: item.span for clip, item in clips.items() if item.span is not None}
        return common.manifest(labels, groups, paths, spans, videos=groups)

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of the official subsets train and val; those of test were never labelled."""
        return {
            name: tuple(clip for clip, item in self._segments.items() if item.subset == name)
            for name in SUBSETS.values()
        }

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return nothing: this data set is for its classes, not for ActivityNet Captions."""
        return {}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the names of the classes (form "name").

        Raises:
            UsageError: the data set has no texts of that form.
        """
        return common.name_texts("activitynet", form, self.classes, text_of=str)

    @cached_property
    def _segments(self) -> dict[str, Segment]:
        return self._whole_videos() if self.annotations is None else self._annotated(Path(self.annotations))

    def _whole_videos(self) -> dict[str, Segment]:
        """Return the videos of the public list; lines are `<folder of frames>/<youtube_id> <frames> <index>`."""
        segments = {}
        for name, _, index in common.rows(fetch(LISTS) / "lists" / "anet" / "anet_full_for_zeroshot.txt"):
            video = f"v_{name.rpartition('/')[2]}"
            subset = "val" if name.startswith("activitynet_val") else "train"
            segments[video] = Segment(video, self.classes[int(index)], subset)
        return segments

    def _annotated(self, path: Path) -> dict[str, Segment]:
        """Return the segments of the official annotations; those without length are left out and logged."""
        segments: dict[str, Segment] = {}
        empty = []
        for identifier, entry in sorted(_database(path.expanduser()).items()):
            for number, (subset, name, span) in enumerate(_entries(path, identifier, entry)):
                label = match(name, self.classes, self.aliases)
                if label is None:
                    raise UsageError(f"{path}: " + unknown("class", name, self.classes))
                video = f"v_{identifier}"
                if span is None:
                    empty.append(f"{video}_{number}")
                else:
                    segments[f"{video}_{number}"] = Segment(video, label, SUBSETS.get(subset, subset), span)
        if empty:
            log.warning("%s: %d segments without length are left out: %s", path, len(empty), empty[:3])
        return segments


def _database(path: Path) -> dict[str, Any]:
    """Return the videos of the official annotations, by YouTube id."""
    content = read_json(path, "annotations")
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict):
        raise UsageError(f"annotations {path} are not the official activity_net.v1-3.min.json: no table 'database'")
    return database


def _entries(path: Path, video: str, entry: Any) -> list[tuple[str, str, Span | None]]:
    """Return subset, class and span of each segment of a video; None: a span without length."""
    where = f"annotations {path}, video '{video}'"
    try:
        subset = entry["subset"]
        found = [(subset, item["label"], json_span(item["segment"], where)) for item in entry["annotations"]]
    except (TypeError, KeyError) as error:
        raise UsageError(f"{where}: its entry is not of the official form: {type(error).__name__}: {error}") from error
    if not all(isinstance(text, str) for _, name, _ in found for text in (subset, name)):
        raise UsageError(f"{where}: its subset or a label is not text")
    return found


def locate_videos(dataset: str, root: Path, labels: Mapping[str, str]) -> dict[str, str]:
    """Return where each video is, or should be, under the user's folder; see `zsarbench_datasets.locating.locate`.

    labels: class by video, `v_<youtube_id>`; an empty name where it has none.
    """
    return locate(dataset, root, labels, {}, clip_of=_video_of, file_of="{}.mp4".format)


def _video_of(stem: str) -> str:
    """Return the video that a file is of, called with or without `v_`; an id may begin with these letters itself."""
    return stem if stem.startswith("v_") and len(stem) == len("v_") + 11 else f"v_{stem}"

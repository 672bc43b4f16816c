"""ActivityNet Captions: segments of ActivityNet's videos with the sentences that people wrote about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from zsarbench.data.downloads import Download, fetch, read_downloads
from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import ClassText
from zsarbench.utils.documents import read_json
from zsarbench_datasets import common
from zsarbench_datasets.activitynet import locate_videos
from zsarbench_datasets.spans import Span, json_span, span_name

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

(ANNOTATIONS,) = read_downloads(common.DATA / "activitynet_captions_downloads.toml")
LISTS = ("train", "val_1", "val_2")  # val_1 and val_2 describe the same videos, by different people


class Segment(NamedTuple):
    """One clip: a span of a video in seconds, its sentences, and the lists that contain it."""

    video: str
    span: tuple[float, float]
    sentences: tuple[str, ...]
    lists: tuple[str, ...]


class ActivityNetCaptions:
    """ActivityNet Captions in its own annotation format: `video id -> duration, timestamps, sentences`.

    A clip is a segment; the same span of a video in two lists is one clip with several sentences. Segments have no
    class: the data set is for methods that learn from captions (`--train-on activitynet-captions`).

    Source: Krishna et al., Dense-Captioning Events in Videos, ICCV 2017, arXiv:1705.00754; val_1 and val_2:
    valterlej/cezsar (MIT).
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = ()
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    downloads: ClassVar[tuple[Download, ...]] = (ANNOTATIONS,)
    captions_trained_on: ClassVar[tuple[str, ...]] = ()  # people wrote them

    def __init__(self, *, root: Path | None = None, train: Path | None = None, lists: tuple[str, ...] = LISTS) -> None:
        """Remember where the videos and the annotations are.

        root: a folder with the user's whole videos, `v_<youtube_id>.mp4` or `<youtube_id>.mp4`, flat or in folders.
        train: the official train.json; None: the validation lists alone.
        lists: which of train, val_1 and val_2 to read.
        """
        self.root = root
        self.train = train
        self.lists = lists
        if not lists or not set(lists) <= set(LISTS):
            stranger = next((name for name in lists if name not in LISTS), "")
            raise UsageError(unknown("list of activitynet-captions", stranger, LISTS))
        if train is None and lists == ("train",):
            raise UsageError(
                "activitynet-captions: the list train is your own file. Try: --set train_dataset.train=train.json; "
                "or with --dataset activitynet-captions: --set dataset.train=train.json"
            )

    @cached_property
    def revision(self) -> str:
        """The version and a hash over clips, spans, sentences and lists; the videos do not count."""
        return common.revision(self.version, {clip: common.fields_text(*item) for clip, item in self._clips.items()})

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip, sorted by clip_id: `<video id>#<start>-<end>`.

        label: NA. path: absolute, NA without `root`; a video that is not on the disk keeps the path where it should
        be. start and end: seconds. group and video: the video id.

        Raises:
            ZsarbenchError: `root` is not a folder or holds no video, or the annotations are unavailable or malformed.
        """
        clips = self._clips
        videos = {clip: item.video for clip, item in clips.items()}
        paths = {}
        if self.root is not None:
            files = locate_videos("activitynet-captions", self.root, dict.fromkeys(videos.values(), ""))
            paths = {clip: files[video] for clip, video in videos.items()}
        spans = {clip: item.span for clip, item in clips.items()}
        return common.manifest(dict.fromkeys(clips), videos, paths, spans, videos=videos)

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids of each list that was read; val_1 and val_2 share the clips that they cut alike."""
        return {
            name: tuple(sorted(clip for clip, item in self._clips.items() if name in item.lists))
            for name in LISTS
            if any(name in item.lists for item in self._clips.values())
        }

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return the sentences of each clip, in the order of the lists."""
        return {clip: item.sentences for clip, item in self._clips.items()}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Refuse: the data set has no classes.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"activitynet-captions has no classes, so no class texts of the form '{form}'; it serves for learning "
            "only. Try: --train-on activitynet-captions"
        )

    @cached_property
    def _clips(self) -> dict[str, Segment]:
        """Return the segments by clip id; equal spans of a video are one."""
        clips: dict[str, Segment] = {}
        for name, path in self._files():
            for segment in _segments(path):
                clip = f"{segment.video}#{span_name(segment.span)}"
                known = clips.get(clip, segment._replace(sentences=(), lists=()))
                clips[clip] = segment._replace(
                    sentences=tuple(dict.fromkeys((*known.sentences, *segment.sentences))),
                    lists=tuple(dict.fromkeys((*known.lists, name))),
                )
        if not clips:
            raise ZsarbenchError(f"activitynet-captions: the lists {', '.join(self.lists)} hold no segment")
        return clips

    def _files(self) -> Iterator[tuple[str, Path]]:
        for name in LISTS:
            if name == "train" and name in self.lists:
                if self.train is None:
                    log.info("activitynet-captions: no train.json was given; the validation lists alone are read")
                else:
                    yield name, Path(self.train).expanduser()
            elif name in self.lists:
                yield name, fetch(ANNOTATIONS) / "data" / "datasets" / "acnet_cap" / f"{name}.json"


def _segments(path: Path) -> Iterator[Segment]:
    """Yield the segments of one annotation file; what has no length or no words is left out and logged.

    Raises:
        UsageError: the file cannot be read or is of another format.
    """
    videos = read_json(path, "annotations of activitynet-captions")
    left_out = []
    for video, entry in videos.items() if isinstance(videos, dict) else [("", None)]:
        for span, sentence in _entries(path, video, entry):
            if span is not None and sentence:
                yield Segment(video, span, (sentence,), ())
            else:
                left_out.append(video)
    if left_out:
        log.warning("%s: %d segments without length or words are left out: %s", path, len(left_out), left_out[:3])


def _entries(path: Path, video: str, entry: Any) -> list[tuple[Span | None, str]]:
    """Return span and sentence of each segment of a video; a span without length is None."""
    where = f"annotations of activitynet-captions {path}, video '{video}'"
    try:
        spans = [json_span(times, where) for times in entry["timestamps"]]
        sentences = [sentence.strip() for sentence in entry["sentences"]]
        return list(zip(spans, sentences, strict=True))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{where}: the file is not of the form "
            '{"v_<id>": {"duration": seconds, "timestamps": [[start, end], …], "sentences": [text, …]}} '
            f"with as many timestamps as sentences ({type(error).__name__}: {error})"
        ) from error

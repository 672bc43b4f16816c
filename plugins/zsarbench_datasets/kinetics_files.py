"""The files of Kinetics' clips: a file is a clip where its id and its times are the annotated ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.utils.file_names import shown
from zsarbench_datasets import common
from zsarbench_datasets.kinetics_lists import Annotation, parse_name
from zsarbench_datasets.locating import first_of, locate
from zsarbench_datasets.spans import Span, span_name

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def manifest(dataset: str, clips: Mapping[str, Annotation], root: Path | None, trimmed: bool) -> pd.DataFrame:
    """Return the manifest of clips by YouTube id, with the files of a user; see `Kinetics400.manifest`."""
    labels = {clip: item.label for clip, item in clips.items()}
    groups = {clip: clip for clip in clips}
    videos = {clip: _timed_name(clip, item.span) for clip, item in clips.items()}
    if root is None:
        return common.manifest(labels, groups, {}, videos=videos)
    choice = _Choice(clips, trimmed)
    paths = locate(
        dataset,
        root,
        labels,
        {},
        clip_of=lambda stem: parse_name(stem)[0],
        file_of=lambda clip: f"{videos[clip] if trimmed else clip}.mp4",
        choose=choice.file_of,
    )
    choice.log(dataset)
    whole = {clip for clip, path in paths.items() if trimmed or parse_name(Path(path).stem)[1] is not None}
    spans = {clip: span for clip, item in clips.items() if clip not in whole and (span := item.span) is not None}
    if unknown_spans := [clip for clip in clips if clip not in whole and clip not in spans]:
        log.warning(
            "%s: no list says where %d untrimmed clips start; they count as missing", dataset, len(unknown_spans)
        )
        paths = {clip: path for clip, path in paths.items() if clip not in unknown_spans}
    return common.manifest(labels, groups, paths, spans, videos=videos)


class _Choice:
    """Chooses the file of a clip among those that are named by its id, and keeps what a user should know."""

    def __init__(self, clips: Mapping[str, Annotation], trimmed: bool) -> None:
        self._clips = clips
        self._trimmed = trimmed
        self._other_times: list[str] = []
        self._unchecked: list[str] = []

    def file_of(self, clip: str, paths: Sequence[Path]) -> Path | None:
        """Return the file that has the annotated times, or else none but the id, if it can be no other clip."""
        span = self._clips[clip].span
        times = {path: parse_name(path.stem)[1] for path in paths}
        exact = [path for path in paths if span is not None and _agree(times[path], span)]
        bare = [path for path in paths if times[path] is None]
        others = [path for path in paths if path not in exact + bare]
        found = exact
        if not exact and not (others and self._trimmed):
            found = bare  # an untrimmed video holds the clip, whatever other clips of it there are
        if not found and span is None and not bare and len({times[path] for path in others}) == 1:
            found = others  # no list has times of this clip, and the archive has one
        if not found:
            annotated = f"annotated is {span_name(span)}" if span else "no list says which times"
            self._other_times.append(f"{shown(paths[0].name)} ({annotated})")
            return None
        if found is not exact and self._trimmed:
            self._unchecked.append(shown(found[0].name))
        return first_of(clip, found)

    def log(self, dataset: str) -> None:
        """Log the files that are not the clips of their ids, and those whose times could not be compared."""
        if self._other_times:
            log.warning(
                "%s: the files of %d clips are named with other times, so these clips are missing: %s",
                dataset,
                len(self._other_times),
                ", ".join(self._other_times[:3]),
            )
        if self._unchecked:
            log.info(
                "%s: of %d files the name or the list has no times; they are taken for the annotated seconds, e.g. %s. "
                "Try: --set dataset.trimmed=false where they are whole videos",
                dataset,
                len(self._unchecked),
                self._unchecked[0],
            )


def _agree(times: Span | None, span: Span) -> bool:
    """Return whether the times of a file name, which are whole seconds, are those of an annotation."""
    return times is not None and all(abs(one - other) < 1 for one, other in zip(times, span, strict=True))


def _timed_name(clip: str, span: Span | None) -> str:
    """Return what the public archives call the file of a clip, without its ending."""
    return f"{clip}_{int(span[0]):06d}_{int(span[1]):06d}" if span else clip

"""Extracts features: plans what is missing, has an executor compute shards of it, and adds them to the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from zsarbench.errors import ZsarbenchError
from zsarbench.features.extraction.encoding import Settings
from zsarbench.features.extraction.task import EncoderPart, EncodeTask
from zsarbench.features.store.clips import StoredClips
from zsarbench.features.store.feature_set import FeatureSet
from zsarbench.features.store.makers import CodeChange
from zsarbench.features.store.origins import Reads
from zsarbench.features.store.shards import sidecar_path
from zsarbench.features.store.store import FeatureStore
from zsarbench.interfaces import ClipSource, Executor, ExtractionTask, Progress, Shard, ShardReport

__all__ = ["EncodeTask", "EncoderPart", "Extraction", "LocalExecutor", "Settings", "Share", "compute", "ensure", "plan"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What to extract and how: clips of a data set, a visual part, and who encodes.

    options: of the data set. strict: whether a clip that cannot be read is an error.
    """

    dataset: str
    revision: str
    sources: Sequence[ClipSource]
    encoder: EncoderPart
    executor: Executor
    settings: Settings = field(default_factory=Settings)
    strict: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def clip_ids(self) -> list[str]:
        """The ids of the clips, in order."""
        return [source.clip_id for source in self.sources]


@dataclass(frozen=True)
class Share:
    """One process's share of an extraction: every shard whose index leaves the remainder `index` modulo `count`."""

    index: int = 0
    count: int = 1

    def contains(self, shard: Shard) -> bool:
        """Return whether this process computes the shard."""
        return shard.index % self.count == self.index


@dataclass(frozen=True, kw_only=True)
class Computed:
    """The result of an extraction: the set with its features, counts, and failures by clip id.

    n_before: clips whose features were stored before. n_computed: clips whose features were computed now. n_left: clips
    of other processes' shares. changes: what is installed in another version or commit than the one that computed
    stored features of the clips.
    """

    stored: FeatureSet
    n_before: int
    n_computed: int
    n_left: int
    failures: Mapping[str, str]
    changes: tuple[CodeChange, ...]


def ensure(extraction: Extraction, store: FeatureStore, progress: Progress) -> StoredClips:
    """Return the features of an extraction's clips, computing those that the store lacks; see `compute`."""
    done = compute(extraction, store, progress)
    sources, encoder = extraction.sources, extraction.encoder
    clips = done.stored.clips(
        extraction.clip_ids,
        captions=tuple(source.captions for source in sources) if any(source.captions for source in sources) else None,
        captions_in_steps=encoder.captions_in_steps,
    )
    clips.code_changes = done.changes
    _log.info(
        "features of %s by %s: %s %d clips, %d already stored, %d failed",
        extraction.dataset,
        encoder.name,
        "decoded" if encoder.decodes else "encoded",
        done.n_computed,
        done.n_before,
        len(clips.failures),
    )
    if extraction.strict:
        _refuse(clips.failures)
    return clips


def compute(extraction: Extraction, store: FeatureStore, progress: Progress, share: Share = Share()) -> Computed:
    """Compute the features of a share of an extraction's clips that the store lacks.

    Shards are added to the store as they are finished, so that a killed run continues where it was; a clip's features
    depend on that clip alone, so they are the same as without interruption.

    Raises:
        ZsarbenchError: the disk is full, the encoder broke its contract or refuses the clips, or, with `strict`, a
            clip cannot be read.
    """
    ids, encoder, settings = extraction.clip_ids, extraction.encoder, extraction.settings
    if len(set(ids)) < len(ids):
        raise ZsarbenchError(f"{len(ids) - len(set(ids))} clips of dataset '{extraction.dataset}' are listed twice")
    encoder.check(extraction.sources)
    stored = store.open(encoder.key(extraction.dataset, extraction.revision, extraction.options), encoder.dim)
    planned = plan(extraction.sources, stored, settings.clips_per_shard, encoder.reads)
    shards = [shard for shard in planned if share.contains(shard)]
    lacking = {clip.clip_id for shard in planned for clip in shard.clips}
    n_before, n_own, n_computed = len(stored.stored_ids().intersection(ids) - lacking), _n_clips(shards), 0
    failures: dict[str, str] = {}
    if shards:
        stored.check_writable(n_own)
        _log.info("features of %s by %s: %d of %d clips to compute", extraction.dataset, encoder.name, n_own, len(ids))
        reports = extraction.executor.map(EncodeTask(encoder, stored, settings), shards)
        with progress.task(f"features of {extraction.dataset}", n_own) as bar, _closing(reports):
            for report in reports:
                _adopt(stored, report)
                n_computed += len(report.clip_ids)
                failures |= report.failures
                bar.advance(len(report.clip_ids) + len(report.failures))
                if extraction.strict:
                    _refuse(report.failures)
        stored.save()
    changes = stored.code_changes(ids)
    for change in changes:
        _log.warning("%s. %s", change, change.advice)
    return Computed(
        stored=stored,
        n_before=n_before,
        n_computed=n_computed,
        n_left=len(lacking) - n_own,
        failures=failures,
        changes=changes,
    )


def plan(
    sources: Sequence[ClipSource], stored: FeatureSet, clips_per_shard: int, reads: Reads = "frames"
) -> list[Shard]:
    """Return the missing clips in shards.

    Boundaries are those of the whole list, whatever of it is missing: so several processes agree on their shares of the
    shards while each of them finishes some.
    """
    missing = {source.clip_id for source in stored.missing(sources, reads)}
    shards = []
    for index, start in enumerate(range(0, len(sources), clips_per_shard)):
        clips = tuple(source for source in sources[start : start + clips_per_shard] if source.clip_id in missing)
        if clips:
            shards.append(Shard(index, clips))
    return shards


class LocalExecutor:
    """An executor in this process, with decoding processes ahead of the model."""

    def map(self, task: ExtractionTask, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        """Yield a report for every shard, in order."""
        yield from task.run(shards)


def _adopt(stored: FeatureSet, report: ShardReport) -> None:
    if not sidecar_path(stored.shards, report.file).is_file():
        raise ZsarbenchError(
            f"shard {report.file} was written but is not in {stored.shards}: the cache folder must be one that all "
            "machines share. Try: ZSARBENCH_CACHE=FOLDER, the same on each"
        )
    stored.adopt(report.file)


def _n_clips(shards: Sequence[Shard]) -> int:
    return sum(len(shard.clips) for shard in shards)


def _refuse(failures: Mapping[str, str]) -> None:
    if failures:
        clip_id, reason = next(iter(failures.items()))
        raise ZsarbenchError(
            f"{len(failures)} clips cannot be used, e.g. '{clip_id}': {reason}; without --strict they count as wrong"
        )


@contextmanager
def _closing(reports: Iterator[ShardReport]) -> Iterator[None]:
    """Close a generator of reports at the end of the block, so that its processes end there too."""
    try:
        yield
    finally:
        if hasattr(reports, "close"):
            reports.close()

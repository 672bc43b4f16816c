"""Extracts features: plans what is missing, has an executor make shards of it, and enters them into the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.clips import StoredClips
from zsarbench.features.extraction.encoding import Settings
from zsarbench.features.extraction.task import EncoderPart, EncodeTask
from zsarbench.features.store.shards import sidecar_path
from zsarbench.interfaces import ClipSource, Executor, ExtractionTask, Progress, Shard, ShardReport

__all__ = ["EncodeTask", "EncoderPart", "LocalExecutor", "Settings", "compute", "ensure", "plan"]
_log = logging.getLogger(__name__)


def ensure(
    dataset: str,
    revision: str,
    sources: Sequence[ClipSource],
    encoder: EncoderPart,
    store: FeatureStore,
    *,
    executor: Executor,
    progress: Progress,
    settings: Settings = Settings(),  # noqa: B008 (it is frozen)
    strict: bool = False,
) -> StoredClips:
    """Return the features of these clips, computing those that the store lacks; see `compute`."""
    done = compute(
        dataset,
        revision,
        sources,
        encoder,
        store,
        executor=executor,
        progress=progress,
        settings=settings,
        strict=strict,
    )
    clips = done.stored.clips(
        [source.clip_id for source in sources],
        captions=tuple(source.captions for source in sources) if any(source.captions for source in sources) else None,
        captions_in_steps=encoder.captions_in_steps,
    )
    _log.info(
        "features of %s by %s: %s %d clips, %d already stored, %d failed",
        dataset, encoder.name, "decoded" if encoder.decodes else "encoded", done.n_made, done.n_before,
        len(clips.failures),
    )  # fmt: skip
    if strict:
        _refuse(clips.failures)
    return clips


@dataclass(frozen=True)
class Computed:
    """What became of a plan: the set its features are in, clips whose features were there or were made, failures.

    n_left: clips that are other processes' to compute.
    """

    stored: FeatureSet
    n_before: int
    n_made: int
    n_left: int
    failures: Mapping[str, str]


def compute(
    dataset: str,
    revision: str,
    sources: Sequence[ClipSource],
    encoder: EncoderPart,
    store: FeatureStore,
    *,
    executor: Executor,
    progress: Progress,
    settings: Settings = Settings(),  # noqa: B008 (it is frozen)
    strict: bool = False,
    part: tuple[int, int] = (0, 1),
) -> Computed:
    """Compute the features that the store lacks of these clips.

    Shards enter the store as they are finished, so that a killed run goes on where it was; a clip's features depend on
    that clip alone, so they are the same as if nothing had happened.

    part: (i, n), only every n-th shard from number i on, for one of n processes that share the work.

    Raises:
        ZsarbenchError: there is no room, the encoder broke its contract, or, with `strict`, a clip cannot be read.
    """
    ids = [source.clip_id for source in sources]
    if len(set(ids)) < len(ids):
        raise ZsarbenchError(f"{len(ids) - len(set(ids))} clips of dataset '{dataset}' are listed twice")
    stored = store.open(encoder.key(dataset, revision), encoder.dim)
    planned = plan(sources, stored, settings.clips_per_shard)
    shards = [shard for shard in planned if shard.index % part[1] == part[0]]
    lacking = {clip.clip_id for shard in planned for clip in shard.clips}
    n_before, n_mine, n_made = len(stored.stored_ids().intersection(ids) - lacking), _n_clips(shards), 0
    failures: dict[str, str] = {}
    if shards:
        _log.info("features of %s by %s: %d of %d clips to compute", dataset, encoder.name, n_mine, len(ids))
        reports = executor.map(EncodeTask(encoder, stored, settings), shards)
        with progress.task(f"features of {dataset}", n_mine) as bar, _closed(reports):
            for report in reports:
                _adopt(stored, report)
                n_made += len(report.clip_ids)
                failures |= report.failures
                bar.advance(len(report.clip_ids) + len(report.failures))
                if strict:
                    _refuse(report.failures)
    return Computed(stored, n_before, n_made, len(lacking) - n_mine, failures)


def _adopt(stored: FeatureSet, report: ShardReport) -> None:
    if not sidecar_path(stored.shards, report.file).is_file():
        raise ZsarbenchError(
            f"shard {report.file} was made but is not in {stored.shards}: the cache folder must be one that all "
            "machines share. Try: ZSARBENCH_CACHE=FOLDER, the same on each"
        )
    stored.adopt(report.file)


def _n_clips(shards: Sequence[Shard]) -> int:
    return sum(len(shard.clips) for shard in shards)


def plan(sources: Sequence[ClipSource], stored: FeatureSet, clips_per_shard: int) -> list[Shard]:
    """Return the missing clips in shards.

    Boundaries are those of the whole list, whatever of it is missing: so several drivers that take every n-th shard
    agree on whose a clip is while each of them finishes some.
    """
    missing = {source.clip_id for source in stored.missing(sources)}
    shards = []
    for index, start in enumerate(range(0, len(sources), clips_per_shard)):
        clips = tuple(source for source in sources[start : start + clips_per_shard] if source.clip_id in missing)
        if clips:
            shards.append(Shard(index, clips))
    return shards


class LocalExecutor:
    """Extracts in this process, with decoding processes ahead of the model."""

    def map(self, task: ExtractionTask, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        """Yield a report for every shard, in order."""
        yield from task.run(shards)


def _refuse(failures: Mapping[str, str]) -> None:
    if failures:
        clip_id, reason = next(iter(failures.items()))
        raise ZsarbenchError(
            f"{len(failures)} clips cannot be used, e.g. '{clip_id}': {reason}; without --strict they count as wrong"
        )


@contextmanager
def _closed(reports: Iterator[ShardReport]) -> Iterator[None]:
    """Close a generator of reports at the end of the block, so that its processes end there too."""
    try:
        yield
    finally:
        if hasattr(reports, "close"):
            reports.close()

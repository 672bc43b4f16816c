"""What processes do that tests stop: an extraction that is killed at a given call, hangs or waits; a full disk."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from prepares import MisbehavingPrepare

from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.extraction.plan import EncoderPart, Extraction, LocalExecutor, Settings, compute, ensure
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.index import Index
from zsarbench.harness.extraction import share_of
from zsarbench.interfaces import ClipSource
from zsarbench.plugins.parts import PartSpec
from zsarbench.testing.videos import TinyEncoder
from zsarbench.utils.progress import LogProgress


def extract(videos: str, store: str, fault: str, when: int, shard: str) -> None:
    """Extract the features of all videos, or of a share, with one fault: the main of a process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    calls = 0

    def killed(call: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == when and before:
                os.kill(os.getpid(), signal.SIGKILL)
            value = call(*args, **kwargs)
            if calls == when:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        return wrapped

    def slow(features: FeatureSet, names: Any) -> None:
        adopt(features, names)
        print("ready", flush=True)
        time.sleep(60)

    encoder, adopt = TinyEncoder(), FeatureSet.adopt
    if fault == "before-replace":
        os.replace = killed(os.replace, before=True)
    if fault == "after-replace":
        os.replace = killed(os.replace, before=False)
    if fault == "in-index":
        Index.add = killed(Index.add, before=False)  # type: ignore[method-assign]
    if fault == "hang":
        encoder.prepare = MisbehavingPrepare([10], "hang")  # type: ignore[method-assign, assignment]
        print("ready", flush=True)
    if fault == "wait":
        FeatureSet.adopt = slow  # type: ignore[method-assign, assignment]
    part = EncoderPart(PartSpec("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", "test"), encoder)
    extraction = Extraction(
        dataset="made", revision="r1", encoder=part, executor=LocalExecutor(),
        sources=[ClipSource(path.stem, str(path)) for path in sorted(Path(videos).glob("*.mp4"))],
        settings=Settings(threads=1, decoders=2, clips_per_shard=4),
    )  # fmt: skip
    if shard == "whole":
        ensure(extraction, FeatureStore(Path(store)), LogProgress())
    else:
        compute(extraction, FeatureStore(Path(store)), LogProgress(), share_of(shard))


def fill(store: str, limit: int, size: int) -> None:
    """Write rows (1, 8) of two clips and `size` rows of a third where no file may have over `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    stored = FeatureStore(Path(store)).open(FeatureKey("made", "r1", {"name": "tiny", "options": {}}, {}), 8)
    for number in range(3):
        stored.adopt(stored.write({f"{number}": torch.ones(size if number == 2 else 1, 8)}))

"""Measures the peak memory of extraction at 1,000 and at 20,000 clips: it must not grow with their number.

Each size is extracted by a fresh process with a small encoder over one-second clips, all of them copies of a few files
by PyAV (hard links, so that 20,000 take no room). Printed is the peak of the process that runs the model and holds
the frames that wait for it; decoding processes live for one clip at a time.

    python benchmarks/speed/extraction_memory.py
    python benchmarks/speed/extraction_memory.py --sizes 200 2000

Exit code 1 where the larger size takes 10 % more memory than the smaller one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

DISTINCT = 20
GOAL_GROWTH = 1.1


def extract_alone(videos: Path, store: Path, n_clips: int) -> None:
    """Extract the first clips in this fresh process and print what it took, as JSON."""
    from zsarbench.features import FeatureStore
    from zsarbench.features.extraction.plan import EncoderPart, Extraction, LocalExecutor, ensure
    from zsarbench.interfaces import ClipSource
    from zsarbench.plugins.parts import PartSpec
    from zsarbench.testing.videos import TinyEncoder
    from zsarbench.utils.progress import LogProgress

    part = PartSpec("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", "made")
    sources = [ClipSource(f"{number:06}", str(videos / f"{number:06}.mp4")) for number in range(n_clips)]
    start = time.perf_counter()
    encoder = EncoderPart(part, TinyEncoder())
    extraction = Extraction(dataset="made", revision="r1", sources=sources, encoder=encoder, executor=LocalExecutor())
    clips = ensure(extraction, FeatureStore(store), LogProgress())
    assert len(clips) == n_clips
    assert not clips.failures
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps([time.perf_counter() - start, peak]))


def write_clips(folder: Path, n_clips: int) -> None:
    from zsarbench.testing.videos import write_video

    for number in range(n_clips):
        path = folder / f"{number:06}.mp4"
        if number < DISTINCT:
            write_video(path, 11 + number % 5, size=(320, 240))
        else:
            os.link(folder / f"{number % DISTINCT:06}.mp4", path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=2, default=[1_000, 20_000], help="clips, the smaller number first")
    parser.add_argument("--alone", nargs=2, type=Path, metavar=("VIDEOS", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        videos, store = options.alone
        extract_alone(videos, store, options.sizes[0])
        return 0
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        videos = Path(name) / "videos"
        videos.mkdir()
        write_clips(videos, max(options.sizes))
        for size in options.sizes:
            command = [sys.executable, __file__, "--alone", str(videos), str(Path(name) / f"store{size}"), "--sizes"]
            done = subprocess.run([*command, str(size), "0"], check=True, stdout=subprocess.PIPE)
            seconds, peak = json.loads(done.stdout)
            peaks.append(peak)
            print(f"{size:6,} clips  {seconds:7.1f} s  peak {peak:6.0f} MB")
    growth = peaks[1] / peaks[0]
    print(f"growth {growth:.2f}: " + ("goal met" if growth < GOAL_GROWTH else "GOAL MISSED"))
    return 0 if growth < GOAL_GROWTH else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Damages every kind of stored file in one process with small parts, and counts what came of it.

Each trial copies a cache in which everything is stored, damages one file of one kind (a flipped bit, a cut, zeros,
other content, another file of its kind, nothing), and repeats the command that reads it. What it gives must be what it
gave before; or it says in one line that it cannot, and then its advice and the same command must. Bits of the index of
a feature set are flipped one by one.

    python tests/campaigns/damage.py                 # 5,000 damages, about ten minutes on two cores
    python tests/campaigns/damage.py --n 60 --seed 3

Exit code 1 where anything was lost, changed in silence, ended in a traceback or hung.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsarbench.data.downloads import Download

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
OUTCOMES = ("handled", "lost", "silent", "traceback", "hang")
SECONDS = 60  # after which a trial hangs
LISTS = {f"{number}.txt": f"list {number}\n".encode() * (50 + number) for number in range(3)}  # that are downloaded


class Hang(BaseException):
    """A trial that does not end."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: how often it is tried of a hundred, the files of a cache, the command, what it must give."""

    name: str
    share: int
    files: Callable[[Path], list[Path]]
    run: Callable[[Path], object]


def command(*arguments: str) -> tuple[int, str]:
    """Return exit code and output of a command line."""
    from zsarbench.cli.main import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main([str(word) for word in arguments])
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    raise AssertionError


class Refused(Exception):
    """A command that failed with one line that says why."""


def measured(cache: Path, *arguments: str) -> str:
    """Return a digest of the scores of a run, and run it again after the advice where it refuses."""
    out = cache / "out"
    shutil.rmtree(out, ignore_errors=True)
    code, text = command("run", *arguments, "--protocol", str(cache / "small.toml"), "--out", str(out))
    if code:
        raise Refused(text)
    from zsarbench import results

    (path,) = out.rglob("*.json")
    scores = results.read_scores(path)
    digest = hashlib.sha256(b"".join(block.scores.tobytes() for block in scores.blocks))
    result = results.read(path)
    summary = (sorted(result.flags), [item.metrics for item in result.rounds], len(result.failures))
    return digest.hexdigest() + str(summary)


def under(*patterns: str) -> Callable[[Path], list[Path]]:
    return lambda cache: sorted(path for pattern in patterns for path in cache.glob(pattern) if path.is_file())


def _videos(cache: Path) -> object:
    """Return what is stored of two clips of frames."""
    code, text = command(
        "features", "extract", "--dataset", "folder", "--visual", "tiny", "--threads", "1",
        "--data-root", f"folder={cache / 'videos'}",
    )  # fmt: skip
    if code:
        raise Refused(text)
    return _rows("folder")


def _rows(dataset: str) -> object:
    from zsarbench.features import FeatureStore
    from zsarbench.utils.cache import cache_dir

    found = {}
    for stored in FeatureStore(cache_dir() / "features").sets():
        if stored.folder.name.startswith(dataset):
            ids = sorted(stored.stored_ids())
            clips = stored.clips(ids)
            found = {
                clip_id: (clips.rows([number]).values.numpy().tobytes(), clips.flags.get(clip_id))
                for number, clip_id in enumerate(ids)
            }
    return found


def fetched(cache: Path) -> object:
    from zsarbench.data.downloads import fetch

    folder = fetch(small_download())
    return sorted((path.name, path.read_bytes()) for path in folder.glob("*.txt"))


def small_download() -> Download:
    from zsarbench.data.downloads import Download, RemoteFile

    pins = tuple(RemoteFile(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in LISTS.items())
    return Download(name="toy", files=pins, source="someone/some-repo/0123abcd", licence="MIT", summary="A toy.")


def _probes(cache: Path) -> object:
    code, text = command("data", "verify", "folder", "--data-root", f"folder={cache / 'videos'}", "--json")
    return code, "\n".join(line for line in text.splitlines() if "probed" not in line and "damaged" not in line)


def _drawn(cache: Path) -> object:
    from zsarbench_datasets.sketch import Sketch

    manifest = Sketch(clips_per_class=1).manifest()
    return [Path(path).read_bytes() for path in manifest["path"]]


KINDS = (
    Kind("index, bit by bit", 40, under("features/small-*/index.bin"), lambda cache: _rows("small")),
    Kind("rows, sidecars, keys", 14, under("features/small-*/shards/*", "features/small-*/*.json"),
         lambda cache: measured(cache, *_nearest())),
    Kind("features of frames", 6, under("features/folder-*/shards/*", "features/folder-*/*"), _videos),
    Kind("sentences", 10, under("features/sentences-*/shards/*", "features/sentences-*/*"),
         lambda cache: measured(cache, *_nearest())),
    Kind("checkpoints", 12, under("checkpoints/*/*/*"), lambda cache: measured(cache, *_cezsar(), "--resume")),
    Kind("downloads", 8, under("downloads/toy/*.txt", "downloads/toy/*.part"), fetched),
    Kind("probes", 5, under("scans/*"), _probes),
    Kind("drawn clips", 5, under("datasets/*/clips.json", "datasets/*/*/*.mp4"), _drawn),
)  # fmt: skip


def _nearest() -> tuple[str, ...]:
    import small

    return small.NEAREST


def _cezsar() -> tuple[str, ...]:
    import small

    return small.CEZSAR


def damage(path: Path, others: list[Path], rng: random.Random, bit: int | None = None) -> str:
    """Damage a file, and say how."""
    content = path.read_bytes()
    how = "bit" if bit is not None else rng.choice(["bit", "bit", "cut", "zeros", "noise", "swap", "gone", "more"])
    if not content and how in ("bit", "cut", "zeros"):
        how = "noise"
    if how == "bit":
        place = rng.randrange(8 * len(content)) if bit is None else bit % (8 * len(content))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        _write(path, bytes(flipped))
        return f"bit {place}"
    if how == "gone":
        path.unlink()
    elif how == "cut":
        _write(path, content[: rng.randrange(len(content))])
    elif how == "zeros":
        start = rng.randrange(len(content))
        _write(path, content[:start] + bytes(min(64, len(content) - start)) + content[start + 64 :])
    elif how == "more":
        _write(path, content + rng.randbytes(rng.randrange(1, 99)))
    elif how == "noise":
        _write(path, rng.randbytes(max(8, len(content))))
    else:
        _write(path, rng.choice([other for other in others if other.suffix == path.suffix] or [path]).read_bytes())
    return how


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # it may be a hard link to the file of the cache that is copied
    path.write_bytes(content)


def outcome(kind: Kind, cache: Path, expected: object) -> tuple[str, str]:
    """Return what came of a damage, and why."""
    try:
        with _limited():
            try:
                found = kind.run(cache)
            except Exception as error:
                if not _is_reported(error):
                    raise
                command("features", "verify", "--rebuild")
                try:
                    found = kind.run(cache)
                except Exception as again:
                    if not _is_reported(again):
                        raise
                    return "lost", str(again)
                return ("handled", "") if found == expected else ("lost", str(error))
    except Hang:
        return "hang", ""
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return ("handled", "") if found == expected or _is_gone(found, expected) else ("silent", f"{found}"[:200])


def _is_reported(error: Exception) -> bool:
    from zsarbench.errors import ZsarbenchError

    return isinstance(error, (ZsarbenchError, Refused))


def _is_gone(found: object, expected: object) -> bool:
    """Return whether rows are missing, which the next extraction computes again, and the others are as they were."""
    return isinstance(found, dict) and isinstance(expected, dict) and found.items() < expected.items()


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def prepare(cache: Path) -> None:
    """Fill a cache with everything that the kinds read."""
    import small

    from zsarbench.plugins import loading
    from zsarbench.testing.videos import write_video

    points = small.entry_points()
    loading.entry_points = lambda: points  # type: ignore[assignment]
    small.write_protocol(cache)
    write_mirror(cache)
    os.environ["ZSARBENCH_MIRROR"] = str(cache / "mirror")
    for name in ("jump/a", "sit/b", "sit/c"):
        path = cache / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, 12)
    for kind in KINDS:
        kind.run(cache)


def write_mirror(folder: Path) -> None:
    """Write the files of the download into a folder that is a mirror."""
    place = folder / "mirror" / small_download().source
    place.mkdir(parents=True)
    for name, content in LISTS.items():
        (place / name).write_bytes(content)


def copied(source: Path, target: Path) -> None:
    """Copy a cache, by hard links but for the file that is appended to; what else is written replaces them."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        source, target, copy_function=lambda old, new: shutil.copy2(old, new) if "scans" in old else os.link(old, new)
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5000, help="damages in all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng, counts, began = random.Random(options.seed), Counter[tuple[str, str]](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        sound, cache = Path(folder) / "sound", Path(folder) / "cache"
        sound.mkdir()
        os.environ["ZSARBENCH_CACHE"] = str(sound)
        prepare(sound)
        os.environ["ZSARBENCH_CACHE"] = str(cache)
        copied(sound, cache)
        expected = {kind.name: kind.run(cache) for kind in KINDS}
        for kind in KINDS:
            for number in range(max(1, options.n * kind.share // 100)):
                copied(sound, cache)
                files = kind.files(cache)
                path = rng.choice(files)
                bit = number * 7919 + options.seed if kind.name.startswith("index") else None
                how = damage(path, files, rng, bit)
                result, why = outcome(kind, cache, expected[kind.name])
                counts[kind.name, result] += 1
                if result != "handled":
                    print(f"{result}: {kind.name}, {how} of {path.relative_to(cache)}: {why}", flush=True)
    show(counts, time.monotonic() - began)
    return 1 if any(counts[kind.name, result] for kind in KINDS for result in OUTCOMES[1:]) else 0


def show(counts: Counter[tuple[str, str]], seconds: float) -> None:
    """Print the counts as a table."""
    print("| kind | tried | " + " | ".join(OUTCOMES) + " |")
    print("|---" * (2 + len(OUTCOMES)) + "|")
    for kind in dict.fromkeys(name for name, _ in counts):
        row = [counts[kind, result] for result in OUTCOMES]
        print(f"| {kind} | {sum(row)} | " + " | ".join(map(str, row)) + " |")
    print(f"{sum(counts.values())} damages in {seconds:.0f} s")


if __name__ == "__main__":
    raise SystemExit(main())

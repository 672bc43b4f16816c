"""Kills commands that write, at random times, again and again, and counts what was lost by it.

A chain begins from a prepared folder: the command is begun in a fork of a process that has everything loaded, and
killed (KILL, TERM or INT) after a random part of the time that it takes, up to three times. Then it runs undisturbed,
and what it leaves must be what it leaves without kills: the same rows, scores and files, and a sound store.

    python tests/campaigns/kills.py                  # 1,000 kills, about ten minutes on two cores
    python tests/campaigns/kills.py --n 20 --seed 3
    python tests/campaigns/kills.py --n 30 --real    # with the encoders of the extra `offline`, about a minute a chain

Exit code 1 where anything was lost, changed in silence, ended in a traceback or hung.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers")]

from damage import OUTCOMES, copied, fetched, measured, show, write_mirror  # noqa: E402 (of this folder)

SECONDS = 120.0  # after which a command hangs


@dataclass(frozen=True)
class Verb:
    """A command that writes.

    before: what it finds. run: the command. left: what it must leave, from its folder. seconds: after which it hangs.
    """

    name: str
    before: Callable[[Path], None]
    run: Callable[[Path], None]
    left: Callable[[Path], object]
    seconds: float = SECONDS


def call(*arguments: object) -> None:
    """Run a command line to its end; `SystemExit` is raised."""
    from zsarbench.cli.main import main

    main([str(word) for word in arguments])


def parts(*names: str) -> tuple[str, ...]:
    import small

    return tuple(word for name in names for word in getattr(small, name))


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


def scores(folder: Path) -> object:
    """Return what all results of the folder say, one of each spec, and the state of the store."""
    from zsarbench import results

    found = {}
    for path in sorted((folder / "out").rglob("*.json")):
        values = [block.scores.tobytes() for block in results.read_scores(path).blocks]
        found[results.read(path).spec_id] = values
    return found, rows(folder)


def rows(folder: Path) -> object:
    """Return the rows of every set of the store, which must be sound."""
    from zsarbench.features import FeatureStore
    from zsarbench.features.store.verification import verify
    from zsarbench.utils.cache import cache_dir

    found: dict[str, object] = {}
    for stored in FeatureStore(cache_dir() / "features").sets():
        assert verify(stored).problems == (), verify(stored).problems
        ids = sorted(stored.stored_ids())
        found[stored.folder.name] = (ids, stored.clips(ids).rows(range(len(ids))).values.numpy().tobytes())
    return found


def extract(folder: Path, *more: object) -> None:
    """Extract features of captions, in shards of a few clips."""
    call("features", "extract", "--dataset", "small", *parts_of_extraction(), *more)


def parts_of_extraction() -> tuple[str, ...]:
    return ("--visual", "captions", "--text", "toy", "--threads", "1")


def with_orphans(folder: Path) -> None:
    """Store features twice, so that shards are superseded, and let them age."""
    quietly(lambda: extract(folder))
    from zsarbench.features import FeatureStore
    from zsarbench.features.store.shards import read_sidecar
    from zsarbench.utils.cache import cache_dir

    for stored in FeatureStore(cache_dir() / "features").sets():
        (name, *_) = stored.shard_names()
        clips = read_sidecar(stored.shards, name).clips
        values = stored.clips([clip.clip_id for clip in clips])
        for number, clip in enumerate(clips[:6]):
            steps = values.rows([number])
            stored.adopt(stored.write({clip.clip_id: steps.values[0][steps.mask[0]]}, provenance={"n": number}))
        stored.save()
        long_ago = time.time() - 1e5
        for path in stored.shards.iterdir():
            os.utime(path, (long_ago, long_ago))


def with_other_store(folder: Path) -> None:
    """Store features in another cache folder, in many shards."""
    with_orphans(folder)
    (folder / "cache" / "features").rename(folder / "features")


def tree(place: str) -> Callable[[Path], object]:
    """Return the function that gives the bytes of all files below a place, but hidden ones that a kill left."""

    def left(folder: Path) -> object:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted((folder / place).rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }

    return left


def shard_files(folder: Path) -> object:
    """Return the names of the files of all shards but for what a kill left, and the rows."""
    names = sorted(path.name for path in folder.rglob("shards/*") if path.suffix != ".tmp")
    return names, rows(folder)


def run(folder: Path, which: str, *more: object) -> None:
    call("run", *parts(which), "--protocol", folder / "small.toml", "--out", folder / "out", *more)


def sweep(folder: Path) -> None:
    call(
        "sweep", "--grid", "loss.margin=0.5,1", *parts("CEZSAR"), "--protocol", folder / "small.toml",
        "--out", folder / "out",
    )  # fmt: skip


def get(folder: Path) -> None:
    fetched(folder)
    raise SystemExit(0)


VERBS = (
    Verb("run", nothing, lambda folder: run(folder, "NEAREST"), scores),
    Verb("run --resume", nothing, lambda folder: run(folder, "CEZSAR", "--resume"), scores),
    Verb("extract", nothing, extract, rows),
    Verb("merge", with_other_store, lambda folder: call("features", "merge", folder / "features"), shard_files),
    Verb("gc", with_orphans, lambda folder: call("features", "gc", "--yes"), shard_files),
    Verb("sweep", nothing, sweep, scores),
    Verb("data get", nothing, get, tree("cache/downloads")),
    Verb("leaderboard build", nothing,
         lambda folder: call("leaderboard", "build", "--results", folder / "board", "--out", folder / "site"),
         tree("site")),
)  # fmt: skip


def run_real(folder: Path, *words: object) -> None:
    """Run a method on real encoders and one clip of each class of the drawn data set."""
    few = ("--set", "dataset.clips_per_class=1", "--set", "visual.max_steps=2", "--threads", "1", "--resume")
    call("run", "--visual", "efficientnet-lite0", "--text", "minilm-l6", *few, "--out", folder / "out", *words)


CEZSAR = ("--method", "cezsar", *(word for option in ("max_epochs=3", "d_model=64", "feedforward=64")
                                  for word in ("--set", f"method.{option}")))  # fmt: skip
REAL_SECONDS = 300.0
REAL = (
    Verb("run eszsl, real", nothing, lambda folder: run_real(folder, "--method", "eszsl"), scores, REAL_SECONDS),
    Verb("run cezsar, real", nothing, lambda folder: run_real(folder, *CEZSAR), scores, REAL_SECONDS),
)


def quietly(act: Callable[[], None]) -> None:
    """Run a command in this process without its output; it must succeed."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            act()
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"exit code {end.code}") from end


def begun(verb: Verb, folder: Path, log: Path) -> int:
    """Begin a command in a fork, its output in a log, and return the process."""
    # An interrupt that comes before the `try` would end the fork in the frames of its parent, and remove its folder.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process = os.fork()
    if process:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return process
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        logging.getLogger().handlers.clear()  # of this process
        os.setpgid(0, 0)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        verb.run(folder)
    except SystemExit as end:
        code = int(end.code or 0)
    except KeyboardInterrupt:  # before the command line began, or in a function that is none
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def ended(process: int, seconds: float) -> int | None:
    """Return the exit code of a process, None where it hangs: where it takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(process, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def chain(verb: Verb, folder: Path, expected: object, seconds: float, rng: random.Random) -> tuple[str, str, int]:
    """Kill a command up to three times, let it end, and return what came of it, why, and the number of kills."""
    log, kills = folder / "log", 0
    for _ in range(rng.randint(1, 3)):
        process = begun(verb, folder, log)
        time.sleep(rng.uniform(0, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        code = ended(process, verb.seconds)
        kills += code != 0
        if code is None:
            return "hang", log.read_text(), kills
    code = ended(begun(verb, folder, log), verb.seconds)
    text = log.read_text()
    if code is None:
        return "hang", text, kills
    if re.search(r"^Traceback", text, re.MULTILINE):
        return "traceback", text[-2000:], kills
    if code:
        return "lost", text[-500:], kills
    try:
        found = verb.left(folder)
    except Exception as error:
        return "lost", f"{type(error).__name__}: {error}", kills
    return ("handled", "", kills) if found == expected else ("silent", text[-500:], kills)


def fresh(sound: Path, folder: Path, verb: Verb) -> None:
    """Prepare the folder of a chain."""
    copied(sound, folder)
    os.environ["ZSARBENCH_CACHE"] = str(folder / "cache")
    verb.before(folder)


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="kills in all, at least one a verb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true", help="runs with real encoders, in place of all other commands")
    options = parser.parse_args(arguments)
    verbs = REAL if options.real else VERBS
    rng, counts, kills, start = random.Random(options.seed), Counter[tuple[str, str]](), 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        sound, folder = Path(place) / "sound", Path(place) / "chain"
        sound.mkdir()
        prepare_real(sound) if options.real else prepare(sound)
        for number, verb in enumerate(verbs):
            fresh(sound, folder, verb)
            quietly(lambda verb=verb: verb.run(folder))  # type: ignore[misc]
            expected = verb.left(folder)
            fresh(sound, folder, verb)
            began = time.monotonic()
            assert ended(begun(verb, folder, folder / "log"), verb.seconds) == 0, (folder / "log").read_text()
            seconds = time.monotonic() - began
            while kills < options.n * (number + 1) // len(verbs) or not any(name == verb.name for name, _ in counts):
                fresh(sound, folder, verb)
                result, why, killed = chain(verb, folder, expected, seconds, rng)
                kills += killed
                counts[verb.name, result] += 1
                if result != "handled":
                    print(f"{result}: {verb.name}: {why}", flush=True)
    show(counts, time.monotonic() - start)
    print(f"{kills} kills in {sum(counts.values())} chains")
    return 1 if any(counts[verb.name, result] for verb in verbs for result in OUTCOMES[1:]) else 0


def prepare(sound: Path) -> None:
    """Write what all chains begin with, and load all modules that the commands use."""
    import small
    import torch

    from zsarbench.plugins import loading

    torch.set_num_threads(1)
    points = small.entry_points()
    loading.entry_points = lambda: points  # type: ignore[assignment]
    small.write_protocol(sound)
    write_mirror(sound)
    os.environ["ZSARBENCH_MIRROR"] = str(sound / "mirror")
    warm = sound.parent / "warm"
    shutil.copytree(sound, warm)
    os.environ["ZSARBENCH_CACHE"] = str(warm / "cache")
    measured(warm, *parts("NEAREST"))
    shutil.copytree(warm / "out", sound / "board")
    shutil.copytree(warm / "out", warm / "board")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for verb in VERBS:
            with contextlib.suppress(SystemExit):
                verb.run(warm)
    shutil.rmtree(warm)


def prepare_real(sound: Path) -> None:
    """Draw the clips that all chains begin with, and load all modules that the commands use."""
    import sentence_transformers  # noqa: F401
    import timm  # noqa: F401
    import torch

    import zsarbench.harness.runs  # noqa: F401
    from zsarbench_datasets.sketch import Sketch

    torch.set_num_threads(1)
    os.environ["ZSARBENCH_CACHE"] = str(sound / "cache")
    Sketch(clips_per_class=1).manifest()


if __name__ == "__main__":
    raise SystemExit(main())

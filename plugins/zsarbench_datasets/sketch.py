"""`sketch`, the embedded data set: short drawn clips of a person doing a motion with a prop in a place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.targets import CACHE, check_folder
from zsarbench_datasets import sketch_drawing, sketch_plans, sketch_words
from zsarbench_datasets.sketch_drawing import ClipPlan

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MAX_PROCESSES = 8
DIGESTS = "clips.json"  # size and sha256 of each drawn clip


class Sketch:
    """81 classes, nine motions with nine props, drawn and encoded as H.264 in MP4 on first use.

    Every clip is a function of (seed, class, number), so a larger set holds the smaller ones and takes their files.
    `raise` and `lower` show the same poses and differ in their order alone: a method without order in time confuses
    them by construction.
    """

    version = "1"
    classes: ClassVar[tuple[str, ...]] = tuple(sketch_plans.CLASSES)
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    captions_trained_on: ClassVar[tuple[str, ...]] = ()  # they are written from what is drawn

    def __init__(self, *, clips_per_class: int = 5, seed: int = 0) -> None:
        """Remember the options.

        clips_per_class: clips of each of the 81 classes. seed: of everything that is drawn and written.

        Raises:
            UsageError: fewer than one clip per class was requested.
        """
        if clips_per_class < 1:
            raise UsageError(f"sketch needs at least one clip per class, not dataset.clips_per_class={clips_per_class}")
        self.clips_per_class = clips_per_class
        self.seed = seed

    @cached_property
    def _drawn(self) -> str:
        """A hash of what a clip shows and how it is encoded, from the first clip of every class.

        It is taken of shapes and words, not of files: another release of libx264 or Pillow may give other bytes for the
        same drawing, while the revision must be the same on every machine.
        """
        digest = hashlib.sha256(json.dumps([self.version, self.seed, sketch_drawing.ENCODING]).encode())
        for name in self.classes:
            plan = sketch_plans.plan(self.seed, name, 0)
            shapes = sketch_drawing.background(plan) + sketch_drawing.foreground(plan, 1.0)
            rounded = [([[f"{v:.2f}" for v in point] for point in p], colour, f"{w:.2f}") for p, colour, w in shapes]
            texts = (self._captions(plan), sketch_words.class_sentences(plan.motion, plan.prop))
            digest.update(json.dumps([rounded, texts]).encode())
        return digest.hexdigest()[:12]

    @cached_property
    def revision(self) -> str:
        """The version, a hash of what is drawn, written and encoded, and the number of clips per class."""
        return f"{self.version}-{self._drawn}-{self.clips_per_class}"

    @property
    def folder(self) -> Path:
        """Where the clips lie; sets that differ in `clips_per_class` alone share it."""
        return cache_dir() / "datasets" / f"sketch-{self.version}-{self._drawn}"

    def manifest(self) -> pd.DataFrame:
        """Draw the clips that are missing and return one row per clip, sorted by clip_id.

        path: absolute. start and end: NA, the whole file. group: the source, `<label>/gNN`, whose clips share actor,
        clothes, place and scenery.

        Raises:
            ZsarbenchError: a clip could not be written.
        """
        import pandas as pd

        draw_missing(self.folder, self.seed, self.clips_per_class)
        rows = [
            (
                plan.clip_id,
                sketch_plans.class_name(plan.motion, plan.prop),
                str(sketch_plans.clip_path(self.folder, plan)),
                float("nan"),
                float("nan"),
                plan.group,
            )
            for plan in sketch_plans.plans(self.seed, self.clips_per_class)
        ]
        frame = pd.DataFrame(sorted(rows), columns=["clip_id", "label", "path", "start", "end", "group"])
        return frame.astype(dict.fromkeys(("clip_id", "label", "path", "group"), "string"))

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return nothing: the rounds of its protocols are lists of classes."""
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return three sentences per clip, generated from what the clip shows."""
        return {plan.clip_id: self._captions(plan) for plan in sketch_plans.plans(self.seed, self.clips_per_class)}

    def _captions(self, plan: ClipPlan) -> tuple[str, ...]:
        return sketch_words.captions(plan, sketch_plans.rng(self.seed, "captions", plan.clip_id))

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the texts of the classes, in their order: "name", one "sentence", or nine "sentences".

        Raises:
            UsageError: the data set has no texts of that form.
        """
        if form not in ("name", "sentence", "sentences"):
            raise UsageError(
                f"sketch has no class texts of the form '{form}'; it has: name, sentence, sentences. "
                "Try --class-text sentence"
            )
        if form == "name":
            return [ClassText(name, (name,)) for name in self.classes]
        first = 1 if form == "sentence" else None
        return [
            ClassText(name, sketch_words.class_sentences(motion, prop)[:first])
            for name, (motion, prop) in sketch_plans.CLASSES.items()
        ]


FIRST_UNSEEN = (1, 4, 6)  # the first unseen diagonal of each round; diagonal 0 is in no test
DIAGONALS_UNSEEN = 3  # of nine: a third of the combinations


def compositional(index: int) -> dict[str, tuple[str, ...]]:
    """Return the seen, learnt, validation and unseen classes of round 0, 1 or 2 of the protocol `sketch/compositional`.

    With d = (number of the prop - number of the motion) mod 9, the classes of d = 0 are the validation classes of every
    round, so a setting chosen on them was chosen on classes that no round tests. The unseen ones are three neighbouring
    d (1 to 3, 4 to 6, 6 to 8), the seen ones all others; learnt are the seen ones that are not for validation. Each
    motion and each prop is unseen with three partners and seen with six, one of these for validation.
    """
    first = FIRST_UNSEEN[index]
    lists: dict[str, list[str]] = {"seen": [], "learnt": [], "validation": [], "unseen": []}
    for number, name in enumerate(sketch_plans.CLASSES):
        motion, prop = divmod(number, 9)
        d = (prop - motion) % 9
        if first <= d < first + DIAGONALS_UNSEEN:
            lists["unseen"].append(name)
            continue
        lists["seen"].append(name)
        lists["learnt" if d else "validation"].append(name)
    return {key: tuple(names) for key, names in lists.items()}


def draw_missing(folder: Path, seed: int, clips_per_class: int) -> None:
    """Draw and encode the clips that are missing or changed, and note their sizes and sha256.

    They are drawn in plain processes that import neither torch nor the main module.

    Raises:
        ZsarbenchError: a clip could not be written.
    """
    noted = _read_digests(folder / DIGESTS)
    plans = sketch_plans.plans(seed, clips_per_class)
    found = {
        name: _digest_of(folder / name)
        for name in (str(sketch_plans.clip_path(folder, plan).relative_to(folder)) for plan in plans)
    }
    # A clip that is not noted is whole too: a drawing that was killed leaves such, and one that goes on elsewhere.
    lacking = [name for name, digest in found.items() if digest is None or noted.get(name, digest) != digest]
    if lacking:
        check_folder(folder, f"{len(lacking)} drawn clips of sketch", CACHE)
        if damaged := [name for name in lacking if found[name] is not None]:
            log.warning("sketch: %d clips are damaged and drawn again, e.g. %s", len(damaged), folder / damaged[0])
        for name in damaged:
            (folder / name).unlink(missing_ok=True)
        _draw(folder, seed, clips_per_class, len(lacking))
        found |= {name: _digest_of(folder / name) for name in lacking}
    if any(noted.get(name) != digest for name, digest in found.items()):
        with contextlib.suppress(OSError):  # it may be on a disk that is only read
            write_atomic(folder / DIGESTS, json.dumps(noted | found, sort_keys=True).encode())


def _digest_of(path: Path) -> list[int | str] | None:
    """Return size and sha256 of a file, None where there is none."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return [len(content), hashlib.sha256(content).hexdigest()]


def _read_digests(path: Path) -> dict[str, Any]:
    """Return size and sha256 of clips by name, {} where they cannot be read."""
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return digests if isinstance(digests, dict) else {}


def _draw(folder: Path, seed: int, clips_per_class: int, lacking: int) -> None:
    """Draw the missing clips.

    Raises:
        ZsarbenchError: a clip could not be written.
    """
    began = time.monotonic()
    log.info("sketch: drawing %d clips into %s", lacking, folder)
    parts = min(os.cpu_count() or 1, MAX_PROCESSES, lacking)
    command = [sys.executable, "-P", "-m", "zsarbench_datasets.sketch_video", str(folder), str(seed)]
    workers: list[subprocess.Popen[str]] = []
    try:
        for part in range(parts):
            arguments = [*command, str(clips_per_class), str(part), str(parts)]
            workers.append(subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, encoding="utf-8"))
        for worker in workers:
            errors = worker.communicate()[1].strip()
            if worker.returncode:
                reason = errors.splitlines()[-1] if errors else f"exit status {worker.returncode}"
                raise ZsarbenchError(f"sketch: drawing clips into {folder} failed: {reason}")
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    log.info("sketch: drew %d clips in %.1f s", lacking, time.monotonic() - began)

"""Which clips of a collection exist, before any of them is read: a user's collection is seldom complete."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClipSource, FindsClips, HasRoot, VisualEncoder
from zsarbench.results.coverage import MIN_SHARE, Coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zsarbench.harness.spec import RunSpec
    from zsarbench.interfaces import Dataset

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Side:
    """The clips of one data set that a run tests, or that it may learn from, and those of them that are absent."""

    dataset: str
    clips: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    def unreadable(self, failures: Mapping[str, str]) -> frozenset[str]:
        """Return the clips that exist and could not be read; failures: why clips were not, by id."""
        return self.clips.intersection(failures) - self.absent


@dataclass(frozen=True, kw_only=True)
class Presence:
    """The clips that a run tests, and those that it may learn from; needs: what of them its visual part reads."""

    tested: Side
    learnt: Side
    needs: str = ""

    def coverage(
        self, failures: Mapping[str, str] | None = None, failures_learnt: Mapping[str, str] | None = None
    ) -> Coverage:
        """Return the counts, before anything is read, or after it with what could not be read of either data set."""
        tested, learnt = self.tested, self.learnt
        return Coverage(
            n_test=len(tested.clips),
            n_test_missing=len(tested.absent),
            n_test_unreadable=len(tested.unreadable(failures or {})),
            n_train=len(learnt.clips),
            n_train_missing=len(learnt.absent),
            n_train_unreadable=len(learnt.unreadable(failures_learnt or {})),
        )


def absent_clips(sources: Iterable[ClipSource], visual: VisualEncoder) -> frozenset[str]:
    """Return the ids of the clips of which nothing exists that the visual part could read."""
    is_there = _finder(visual)
    return frozenset(source.clip_id for source in sources if not is_there(source))


def _finder(visual: VisualEncoder) -> Callable[[ClipSource], bool]:
    if isinstance(visual, FindsClips):
        return visual.finds
    if visual.needs == "frames":
        return lambda source: source.path is not None and os.path.exists(source.path)
    if visual.needs == "captions":
        return lambda source: any(caption.strip() for caption in source.captions)
    return lambda source: True


def announce(presence: Presence, spec: RunSpec) -> None:
    """Log in one line how many of the protocol's clips exist, and which command lists the rest."""
    whole = not presence.tested.absent and not presence.learnt.absent
    _log.log(logging.INFO if whole else logging.WARNING, "%s%s", describe(presence, spec), _lister(presence, spec))


def describe(presence: Presence, spec: RunSpec) -> str:
    """Return in words how many of a run's clips exist, each counted once, and how many of them for which purpose."""
    have, sides = presence.coverage(), (presence.tested, presence.learnt)
    clips = {(side.dataset, clip) for side in sides for clip in side.clips}
    absent = {(side.dataset, clip) for side in sides for clip in side.absent}
    what = "have captions" if presence.needs == "captions" else "are there"
    text = f"{len(clips) - len(absent):,} of {len(clips):,} clips of {spec.what.protocol.name} {what}"
    if not have.n_train:
        return text
    learnt = f"{have.n_train_read:,} of {have.n_train:,} to learn from"
    return f"{text} ({have.n_test_read:,} of {have.n_test:,} to test, {learnt})"


def require(presence: Presence, spec: RunSpec) -> None:
    """Stop before any work where no clip exists, or too few for what a user expects of the protocol.

    Raises:
        UsageError: no test clip exists, or none to learn from; or too few do, and the run is not `partial`.
    """
    have, protocol = presence.coverage(), spec.what.protocol.name
    if have.n_test and not have.n_test_read:
        raise UsageError(f"no test clip of protocol '{protocol}' can be read: {_why(presence.tested, presence, spec)}")
    if have.n_train and not have.n_train_read:
        raise UsageError(
            f"no clip that protocol '{protocol}' learns from can be read: {_why(presence.learnt, presence, spec)}"
        )
    if have.is_partial and not spec.what.partial:
        raise UsageError(
            f"{describe(presence, spec)}: below {100 * MIN_SHARE:.0f} % a row is shown, but not ranked. "
            f"Try: --partial, to measure it all the same{_lister(presence, spec)}"
        )


def _why(side: Side, presence: Presence, spec: RunSpec) -> str:
    """Return why none of some clips exists, and what to type."""
    other = "Try: --visual NAME, a part that reads what exists (zsarbench list visual)"
    if presence.needs == "captions":
        any_captions = bool(_built(side.dataset, spec).captions())
        return f"{side.dataset} has no captions{' of them' if any_captions else ''}; captions are what is read. {other}"
    if presence.needs == "frames":
        if _has_folder(side.dataset, spec):
            return f"none of their files is in the folder of {side.dataset}{_lister(presence, spec)}"
        return f"no folder of {side.dataset} is named. Try: --data-root {side.dataset}=DIR"
    return f"the visual part finds nothing of the clips of {side.dataset}. {other}"


def _built(dataset: str, spec: RunSpec) -> Dataset:
    """Return the data set of this name that the run reads."""
    is_tested = spec.data.learnt is None or dataset == spec.what.dataset.name
    return spec.data.tested if is_tested or spec.data.learnt is None else spec.data.learnt


def _has_folder(dataset: str, spec: RunSpec) -> bool:
    built = _built(dataset, spec)
    return dataset in spec.where.data_root or (isinstance(built, HasRoot) and built.root is not None)


def _lister(presence: Presence, spec: RunSpec) -> str:
    """Return a command that lists which files are missing; "" where no files are read."""
    if presence.needs != "frames":
        return ""
    sides = [side.dataset for side in (presence.tested, presence.learnt) if side.absent]
    commands = []
    for name in dict.fromkeys(sides):
        words = ["zsarbench", "data", "verify", name]
        if name == spec.what.dataset.name:
            words += ["--protocol", spec.what.protocol.name]
        if name in spec.where.data_root:
            words += ["--data-root", f"{name}={spec.where.data_root[name]}"]
        commands.append(f"`{shlex.join(words)}`")
    return f"; {' and '.join(commands)} lists them" if commands else ""

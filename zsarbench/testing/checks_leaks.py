"""Checks of leaks: a method learns nothing from ids of clips, nor from the clips and candidates that it scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import Recording
from zsarbench.testing import toys
from zsarbench.testing.checking import Check, ComponentUnderTest, close, expect, farthest
from zsarbench.testing.checks_methods import METHOD, fit, fitted, scored, unseen_clips
from zsarbench.utils import seeding

if TYPE_CHECKING:
    from zsarbench.interfaces import ClipFeatures


SPELLINGS: Mapping[str, Callable[[str, int], str]] = {
    "as it is": lambda name, number: f"{name} {number}",
    "with hyphens": lambda name, number: f"{name.replace(' ', '-')}-{number}",
    "with underscores": lambda name, number: f"{name.replace(' ', '_')}_{number}",
    "as UCF-101 does": lambda name, number: f"v_{name.title().replace(' ', '')}_g{number:02}_c01",
    "in one word": lambda name, number: f"{name.replace(' ', '')}{number}",
    "in capitals": lambda name, number: f"{name.upper()}/{number}",
    "as a folder": lambda name, number: f"{name}/{number}.mp4",
}
"""How ids of data sets name a class."""
NUDGE = 0.01
"""Added to the features of clips that decide settings: too little to decide otherwise, enough to be learnt."""


def clip_alone(subject: ComponentUnderTest) -> None:
    """A clip's scores depend on no other test clip, scored with it or before: else the method learns from these."""
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    whole = scored(fitted(subject), clips, classes)
    kept = list(range(0, len(clips), 3))
    fresh = fit(subject)
    part = scored(fresh, clips.subset(kept), classes)
    difference = f"with {len(kept)} of {len(clips)} clips {farthest(part, whole[kept])}"
    expect(close(part, whole[kept]), "scores that do not depend on the other test clips", difference)
    again = scored(fresh, clips, classes)
    expect(close(again, whole), "scores that do not depend on what was scored before", farthest(again, whole))


def choices_are_of_the_fit(subject: ComponentUnderTest) -> None:
    """`record`, where the method has it, is the same before and after `score`: all choices are made in `fit`."""
    fitted_method = fit(subject)
    method = fitted_method.method
    if not isinstance(method, Recording):
        return
    before = dict(method.record())
    scored(fitted_method, unseen_clips(), toys.class_texts(toys.UNSEEN))
    after = dict(method.record())
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    expect(not changed, "the record of a fit to be the same after `score`", f"{changed} changed: chosen on test clips")


def ids_say_nothing(subject: ComponentUnderTest) -> None:
    """Clips under other ids get the same scores: a data set's ids often name the class."""
    classes = toys.class_texts(toys.UNSEEN)
    whole = scored(fitted(subject), unseen_clips(), classes)
    train = toys.train_set()
    refitted = fit(subject, train=replace(train, clips=_renamed(train.clips)))
    renamed = scored(refitted, _renamed(unseen_clips()), classes)
    expect(close(renamed, whole), "ids of clips not to matter", f"under other ids {farthest(renamed, whole)}")
    clips = unseen_clips()
    for how, spelt in SPELLINGS.items():
        for of in (0, 1):  # its own class, and the next one
            names = [spelt(toys.UNSEEN[(number // 4 + of) % 4], number) for number in range(len(clips))]
            named = scored(fitted(subject), _renamed(clips, names), classes)
            whose = "their own class" if of == 0 else "another class"
            actual = f"under ids such as '{names[0]}', which name {whose} {how}, {farthest(named, whole)}"
            expect(close(named, whole), "ids of clips not to matter", actual)


def seen_candidates_too(subject: ComponentUnderTest) -> None:
    """Where seen classes are candidates too, a clip's scores depend on no other clip, its id or its place either."""
    classes = toys.class_texts((*toys.SEEN, *toys.UNSEEN))
    clips = toys.clips((*toys.SEEN, *toys.UNSEEN), name="test")
    whole = scored(fitted(subject), clips, classes)
    shape = (len(clips), len(classes))
    expect(tuple(whole.shape) == shape, f"scores {shape}", f"they are {tuple(whole.shape)}")
    n_seen, everything = 4 * len(toys.SEEN), list(range(len(clips)))
    cases = {
        "every third clip": everything[::3],
        "the clips of unseen classes": everything[n_seen:],
        "the clips of seen classes": everything[:n_seen],
        "the clips in reverse": everything[::-1],
    }
    for what, kept in cases.items():
        part = scored(fitted(subject), clips.subset(kept), classes)
        actual = f"with {what} alone {farthest(part, whole[kept])}"
        expect(close(part, whole[kept]), "scores that depend on the clip alone, seen classes being candidates", actual)
    names = [f"{classes[number // 4].name}-{number}" for number in everything]
    named = scored(fitted(subject), _renamed(clips, names), classes)
    actual = f"under ids that name the class {farthest(named, whole)}"
    expect(close(named, whole), "ids of clips not to matter, seen classes being candidates", actual)


def validation_set_decides_only(subject: ComponentUnderTest) -> None:
    """With each clip of the validation set twice, or moved a little, `fit` chooses the same settings, as `record` says.

    Scores then differ only where the validation set is learnt from.
    """
    if subject.component.learns_from == "nothing":
        return
    train = toys.train_set(apart=True)
    validation_set = train.validation_set
    assert validation_set is not None
    assert validation_set.labels is not None
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    first = fit(subject, train=train)
    once = scored(first, clips, classes)
    doubled = replace(
        validation_set,
        clips=_twice(validation_set.clips),
        labels=validation_set.labels.repeat(2),
        groups=(*validation_set.groups, *validation_set.groups),
    )
    twice = scored(fit(subject, train=replace(train, validation_set=doubled)), clips, classes)
    expect(
        close(twice, once),
        "a validation set to decide settings and nothing else",
        f"with each of its clips twice {farthest(twice, once)}",
    )
    nudged = replace(validation_set, clips=_nudged(validation_set.clips))
    other = fit(subject, train=replace(train, validation_set=nudged))
    records = [dict(one.method.record()) if isinstance(one.method, Recording) else {} for one in (first, other)]
    if records[0] != records[1]:
        return  # another setting was chosen, and it says so
    moved = scored(other, clips, classes)
    actual = f"with its features moved by {NUDGE}, and the same record, {farthest(moved, once)}"
    expect(close(moved, once), "a validation set to decide settings and nothing else", actual)


def _nudged(clips: ClipFeatures) -> MemoryClips:
    steps: Any = clips.rows(range(len(clips)))
    noise = torch.randn(steps.values.shape, generator=seeding.generator(0, "conformance", "nudge"))
    return MemoryClips(clips.ids, steps.values + NUDGE * noise, steps.mask, captions=clips.captions)


def _twice(clips: ClipFeatures) -> MemoryClips:
    steps: Any = clips.rows([*range(len(clips)), *range(len(clips))])
    captions = None if clips.captions is None else [*clips.captions, *clips.captions]
    ids = [*clips.ids, *(f"{clip_id}-again" for clip_id in clips.ids)]
    return MemoryClips(ids, steps.values, steps.mask, captions=captions)


def _renamed(clips: ClipFeatures, ids: Sequence[str] | None = None) -> MemoryClips:
    """Return the clips under other ids, by default uninformative ones."""
    steps: Any = clips.rows(range(len(clips)))
    ids = [f"renamed{number:03}" for number in range(len(clips))] if ids is None else ids
    return MemoryClips(ids, steps.values, steps.mask, captions=clips.captions)


def leak_checks() -> tuple[Check, ...]:
    """Return the checks of methods that this file holds."""
    return (
        Check("method", "clip-alone", f"{METHOD}.score", clip_alone),
        Check("method", "choices-are-of-the-fit", METHOD, choices_are_of_the_fit),
        Check("method", "validation-set-decides-only", f"{METHOD}.fit", validation_set_decides_only),
        Check("method", "ids-say-nothing", f"{METHOD}.score", ids_say_nothing),
        Check("method", "seen-candidates-too", f"{METHOD}.score", seen_candidates_too),
    )

"""Checks of what a method must not learn from: names of clips, and the clips and candidates that it scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import Recording
from zsarbench.testing import toys
from zsarbench.testing.checking import Check, ComponentUnderTest, close, expect, farthest
from zsarbench.testing.checks_methods import METHOD, fit, fitted, scored, unseen_clips

if TYPE_CHECKING:
    from zsarbench.interfaces import ClipFeatures


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
    refitted = fit(subject, train=replace(train, clips=_renamed(train.clips, "learnt")))
    renamed = scored(refitted, _renamed(unseen_clips(), "tested"), classes)
    expect(close(renamed, whole), "ids of clips not to matter", f"under other ids {farthest(renamed, whole)}")


def validation_set_decides_only(subject: ComponentUnderTest) -> None:
    """Each clip of the validation set twice decides the same settings: scores differ only if more is learnt from it."""
    if subject.component.learns_from == "nothing":
        return
    train = toys.train_set(apart=True)
    judged = train.validation_set
    assert judged is not None
    assert judged.labels is not None
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    once = scored(fit(subject, train=train), clips, classes)
    doubled = replace(
        judged, clips=_twice(judged.clips), labels=judged.labels.repeat(2), groups=(*judged.groups, *judged.groups)
    )
    twice = scored(fit(subject, train=replace(train, validation_set=doubled)), clips, classes)
    expect(
        close(twice, once),
        "a validation set to decide settings and nothing else",
        f"with each of its clips twice {farthest(twice, once)}",
    )


def _twice(clips: ClipFeatures) -> MemoryClips:
    steps: Any = clips.rows([*range(len(clips)), *range(len(clips))])
    captions = None if clips.captions is None else [*clips.captions, *clips.captions]
    ids = [*clips.ids, *(f"{clip_id}-again" for clip_id in clips.ids)]
    return MemoryClips(ids, steps.values, steps.mask, captions=captions)


def _renamed(clips: ClipFeatures, name: str) -> MemoryClips:
    steps: Any = clips.rows(range(len(clips)))
    ids = [f"{name}{number:03}" for number in range(len(clips))]
    return MemoryClips(ids, steps.values, steps.mask, captions=clips.captions)


def leak_checks() -> tuple[Check, ...]:
    """Return the checks of methods that this file holds."""
    return (
        Check("method", "clip-alone", f"{METHOD}.score", clip_alone),
        Check("method", "choices-are-of-the-fit", METHOD, choices_are_of_the_fit),
        Check("method", "validation-set-decides-only", f"{METHOD}.fit", validation_set_decides_only),
        Check("method", "ids-say-nothing", f"{METHOD}.score", ids_say_nothing),
    )

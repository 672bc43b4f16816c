"""Checks of what a method learns: what can be learnt, from labels, texts and every step, and of this fit alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import UsageError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, ClipFeatures, TrainSet
from zsarbench.testing import toys
from zsarbench.testing.checking import Check, ComponentUnderTest, Unavailable, close, expect, farthest, same_bits
from zsarbench.testing.checks_methods import METHOD, Fitted, fit, fitted, scored, toy_context, unseen_clips
from zsarbench.testing.randomness import RandomnessWatch
from zsarbench.utils import seeding

if TYPE_CHECKING:
    from torch import Tensor

PER_CLASS = 4
MIN_LEARNT, MIN_LEARNT_SEEN = 0.25, 0.5
"""Accuracies that count as learnt: among the twelve held-out classes, where chance is 0.08, or else among the six seen
ones. Noise of its own for each clip reaches neither once in 10,000 methods."""
MAX_WITHOUT = 0.34
"""Mean accuracy over the shuffles that luck does not reach: a class is right or wrong as a whole, with odds of 1 in 12,
and 9 of 24 are right once in 10,000 methods."""
N_SHUFFLES = 2


def uses(subject: ComponentUnderTest, kind: str) -> bool:
    """Return whether a method has a part of this kind; one that was given without an entry may have all."""
    return subject.entry is None or kind in subject.entry.defaults


def _accuracy(
    fitted_method: Fitted, classes: Sequence[str] = toys.HELD_OUT, dim: int = toys.DIM
) -> tuple[float, Tensor]:
    """Return the accuracy on other clips of these classes among these, and the scores."""
    clips = toys.clips(classes, PER_CLASS, name="test", dim=dim)
    scores = scored(fitted_method, clips, toys.class_texts(classes))
    return toys.accuracy(scores, PER_CLASS), scores


def learns_what_can_be_learnt(subject: ComponentUnderTest) -> None:
    """A method fitted on toys, whose unseen classes share words with seen ones, recognises unseen or seen classes.

    A pre-trained method that learns nothing knows other features than those of the toys, and is not tried.
    """
    trained = subject.entry is not None and subject.entry.trained_on != ()
    learns = subject.component.learns_from != "nothing"
    if not uses(subject, "text") or (trained and not learns):
        return
    accuracy, scores = _accuracy(fitted(subject))
    if not learns and bool((scores == scores[0, 0]).all()):
        return  # what guessing reaches, as a baseline
    of_seen = _accuracy(fitted(subject), toys.SEEN)[0]
    expect(
        accuracy >= MIN_LEARNT or of_seen >= MIN_LEARNT_SEEN,
        f"an accuracy of {MIN_LEARNT} among 12 unseen classes of the toys, or {MIN_LEARNT_SEEN} among 6 seen ones",
        f"it is {accuracy:.2f}, where chance is 0.08, and {of_seen:.2f}, where chance is 0.17",
    )


def shuffled_labels_teach_nothing(subject: ComponentUnderTest) -> None:
    """Fitted on shuffled labels and captions, a method recognises unseen classes at chance.

    Clips have a space of their own here, so that nothing but labels and captions joins them with texts.
    """
    if subject.component.learns_from == "nothing":
        return
    dim = 24
    visual = toys.ToyVisual(dim=dim)
    visual.space = None
    parts = {"visual": visual, "text": toys.ToyText(), "negatives": toys.ToyNegatives(), "loss": toys.ToyLoss()}
    parts = {kind: part for kind, part in parts.items() if uses(subject, kind)}
    reached = []
    for number in range(N_SHUFFLES):
        try:
            fitted_method = fit(subject, train=_shuffled(toys.train_set(dim=dim), number), parts=parts)
            reached.append(_accuracy(fitted_method, dim=dim)[0])
        except UsageError as error:
            raise Unavailable(f"it takes no clips of a space of their own: {error}") from error
    mean = sum(reached) / len(reached)
    expect(
        mean <= MAX_WITHOUT,
        "an accuracy near chance, 0.08, after learning from shuffled labels and captions",
        f"it is {mean:.2f}: the method knows the classes of test clips from elsewhere",
    )


def _shuffled(train: TrainSet, number: int) -> TrainSet:
    """Return a training set whose labels and captions are those of other clips."""
    order = torch.randperm(len(train.clips), generator=seeding.generator(number, "conformance", "shuffle"))
    steps: Any = train.clips.rows(range(len(train.clips)))
    captions = None if train.clips.captions is None else [train.clips.captions[i] for i in order]
    clips = MemoryClips(train.clips.ids, steps.values, steps.mask, captions=captions)
    return replace(train, clips=clips, labels=None if train.labels is None else train.labels[order])


def texts_decide(subject: ComponentUnderTest) -> None:
    """Classes of the same names get other scores with other texts, even where only the last text differs.

    The texts of seen classes count too where labels are learnt from.
    """
    if not uses(subject, "text"):
        return
    method, clips = fitted(subject, 3), unseen_clips()
    classes = toys.class_texts(toys.UNSEEN, 3)
    whole = scored(method, clips, classes)
    if subject.component.learns_from == "nothing" and bool((whole == whole[0, 0]).all()):
        return  # what guessing reaches, as a baseline
    turned = [*classes[1:], classes[0]]
    cases = {
        "with the texts of another class": [
            ClassText(own.name, other.texts) for own, other in zip(classes, turned, strict=True)
        ],
        "with another last text": [
            ClassText(own.name, (*own.texts[:-1], other.texts[-1])) for own, other in zip(classes, turned, strict=True)
        ],
    }
    for how, others in cases.items():
        changed = scored(method, clips, others)
        expect(not close(changed, whole), "scores that follow the texts of a class", f"{how} they stay the same")
    if subject.component.learns_from != "seen-classes":
        return
    train = toys.train_set(sentences=3)
    turned = [*train.classes[1:], train.classes[0]]
    last = tuple(
        ClassText(own.name, (*own.texts[:-1], other.texts[-1]))
        for own, other in zip(train.classes, turned, strict=True)
    )
    refitted = scored(fit(subject, 3, train=replace(train, classes=last)), clips, classes)
    actual = "fitted on another last text of each they stay the same"
    expect(not close(refitted, whole), "scores that follow the texts of seen classes", actual)


def every_step_counts(subject: ComponentUnderTest) -> None:
    """A clip whose last step shows something else gets other scores, and so does every clip where training clips do."""
    clips = unseen_clips()
    whole = scored(fitted(subject), clips, toys.class_texts(toys.UNSEEN))
    if not uses(subject, "visual") or bool((whole == whole[0, 0]).all()):
        return
    other, long = _with_other_last_steps(clips)
    changed = scored(fitted(subject), other, toys.class_texts(toys.UNSEEN))
    actual = f"with another last step {len(long)} clips keep theirs"
    expect(not close(changed[long], whole[long]), "scores that follow every step of a clip", actual)
    if subject.component.learns_from == "nothing":
        return
    train = toys.train_set()
    refitted = fit(subject, train=replace(train, clips=_with_other_last_steps(train.clips)[0]))
    changed = scored(refitted, clips, toys.class_texts(toys.UNSEEN))
    actual = "fitted on clips with other last steps it gives the same"
    expect(not close(changed, whole), "scores that follow every step of training clips", actual)


def _with_other_last_steps(clips: ClipFeatures) -> tuple[MemoryClips, list[int]]:
    """Return clips whose last step is twice the first of another clip where they have several, and which these are."""
    steps = clips.rows(range(len(clips)))
    long = [number for number in range(len(clips)) if int(steps.mask[number].sum()) > 1]
    values = steps.values.clone()
    for number in long:
        last = int(steps.mask[number].sum()) - 1
        values[number, last] = 2 * steps.values[(number + PER_CLASS) % len(clips), 0]
    return MemoryClips(clips.ids, values, steps.mask, captions=clips.captions, captions_in_steps="none"), long


def every_class_teaches(subject: ComponentUnderTest) -> None:
    """Fitted without the clips of the last class, whose settings others decide, a method gives other scores."""
    if subject.component.learns_from == "nothing":
        return
    clips, classes, train = unseen_clips(), toys.class_texts(toys.UNSEEN), toys.train_set(apart=True, per_class=12)
    whole = scored(fit(subject, train=train), clips, classes)
    without = scored(fit(subject, train=toys.lacking(train, [train.classes[-1].name])), clips, classes)
    actual = f"without those of '{train.classes[-1].name}', the last, they are the same"
    expect(not same_bits(without, whole), "scores that follow all clips of the training set", actual)


def fits_stand_alone(subject: ComponentUnderTest) -> None:
    """A fit of another instance, on other labels, leaves the scores of the first as they were."""
    if subject.component.learns_from == "nothing":
        return
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    first = fitted(subject)
    before = scored(first, clips, classes)
    scored(fit(subject, train=_shuffled(toys.train_set(), 0)), clips, classes)
    after = scored(first, clips, classes)
    actual = f"after another instance was fitted {farthest(after, before)}"
    expect(same_bits(after, before), "the scores of a fit to stay", actual)


def another_seed_another_draw(subject: ComponentUnderTest) -> None:
    """A method that draws random numbers when it learns gives other scores under another seed of the run."""
    if subject.component.learns_from == "nothing":
        return
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    one = scored(fitted(subject), clips, classes)  # the toys' own vectors are drawn by now
    train, other = toys.train_set(), Fitted(subject.make(), None, toy_context(subject, seed=1))
    with RandomnessWatch() as watch:
        other.method.fit(train, other.context)
    actual = f"it draws ({watch.drew}), and seeds 0 and 1 give the same bits"
    expect(
        not watch.drew or not same_bits(one, scored(other, clips, classes)), "other scores from another seed", actual
    )


def learning_checks() -> tuple[Check, ...]:
    """Return the checks of methods that this file holds."""
    texts, seeds = "zsarbench.interfaces.ClassText", "zsarbench.interfaces.Context.generator"
    return (
        Check("method", "learns-what-can-be-learnt", f"{METHOD}.fit", learns_what_can_be_learnt),
        Check("method", "shuffled-labels-teach-nothing", f"{METHOD}.fit", shuffled_labels_teach_nothing),
        Check("method", "texts-decide", texts, texts_decide),
        Check("method", "every-step-counts", "zsarbench.interfaces.Steps", every_step_counts),
        Check("method", "every-class-teaches", "zsarbench.interfaces.TrainSet", every_class_teaches),
        Check("method", "fits-stand-alone", f"{METHOD}.fit", fits_stand_alone),
        Check("method", "another-seed-another-draw", seeds, another_seed_another_draw),
    )

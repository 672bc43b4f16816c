"""Checks of methods: what they learn from, what their scores mean, randomness, and what they leave alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import UsageError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ChecksParts, ClassText, ClipFeatures, Recording, TrainSet
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.testing import checks_constructors, toys
from zsarbench.testing.checking import (
    Check,
    ComponentUnderTest,
    ContractViolation,
    close,
    expect,
    expect_unchanged,
    farthest,
    same_bits,
    shape_of,
)
from zsarbench.testing.randomness import RandomnessWatch, global_states, other_randomness
from zsarbench.utils import schema, seeding

if TYPE_CHECKING:
    from torch import Tensor

METHOD = "zsarbench.interfaces.Method"
N_UNREAD = 1100
"""Clips in a row that could not be read: more than methods take at once."""


@dataclass(frozen=True)
class Fitted:
    """A fitted method with what it was fitted on."""

    method: Any
    train: TrainSet | None
    context: Any


def toy_context(subject: ComponentUnderTest, **changed: Any) -> Any:
    """Return a context with the parts that the method's entry names; all four where it was given without an entry."""
    context = toys.context(device=subject.device, **changed)
    if subject.entry is not None and "parts" not in changed:
        parts: dict[str, Any] = {
            kind: getattr(context.parts, kind) for kind in PART_KINDS if kind in subject.entry.defaults
        }
        context = toys.context(device=subject.device, parts=parts, **changed)
    return context


def fit(subject: ComponentUnderTest, sentences: int = 1, train: TrainSet | None = None, **context: Any) -> Fitted:
    """Return a new instance, fitted as the harness does: with None where it learns from nothing."""
    method = subject.make()
    if method.learns_from != "nothing":
        train = train or toys.train_set(sentences=sentences)
    fitted_method = Fitted(method, train, toy_context(subject, **context))
    method.fit(train, fitted_method.context)
    return fitted_method


def fitted(subject: ComponentUnderTest, sentences: int = 1) -> Fitted:
    """Return the instance, fitted on toys, that checks share which need scores alone."""
    return subject.once(("fitted", sentences), lambda: fit(subject, sentences))  # type: ignore[no-any-return]


def scored(fitted_method: Fitted, clips: ClipFeatures, classes: Sequence[ClassText]) -> Tensor:
    """Return the scores of clips, on the CPU."""
    scores: Tensor = fitted_method.method.score(clips, classes, fitted_method.context)
    return scores.cpu() if isinstance(scores, torch.Tensor) else scores


def unseen_clips(**changed: Any) -> MemoryClips:
    """Return clips of the unseen classes."""
    return toys.clips(toys.UNSEEN, name="test", **changed)


def gives_scores(subject: ComponentUnderTest) -> None:
    """`score` gives (N, C) finite numbers for clips that were read, for one or several sentences a class.

    There may be one clip alone, and one class.
    """
    everything = unseen_clips(unread=2)
    for sentences in (1, 3):
        classes = toys.class_texts(toys.UNSEEN, sentences)
        for clips, candidates in ((everything, classes), (everything.subset([1]), classes), (everything, classes[:1])):
            scores = scored(fitted(subject, sentences), clips, candidates)
            expect_scores(scores, clips, candidates, n_read=min(len(clips), len(everything) - 2))


def expect_scores(scores: Tensor, clips: ClipFeatures, classes: Sequence[ClassText], n_read: int) -> None:
    shape = (len(clips), len(classes))
    fits = isinstance(scores, torch.Tensor) and tuple(scores.shape) == shape and scores.is_floating_point()
    expect(fits, f"scores {shape} of floats, (N, C)", shape_of(scores))
    bad = int(scores[:n_read].isnan().any(1).sum())
    expect(not bad, "no NaN for a clip that was read", f"{bad} of {n_read} clips have one")
    expect(not bool(scores[:n_read].isinf().any()), "finite scores", "some are infinite")


def fits_without_classes(subject: ComponentUnderTest) -> None:
    """A method that learns from captions needs neither labels nor classes, which other data sets may not have."""
    if subject.component.learns_from != "captions":
        return
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    scores = scored(fit(subject, train=toys.train_set(labelled=False)), clips, classes)
    shape = (len(clips), len(classes))
    expect(tuple(scores.shape) == shape, f"scores {shape} after learning from clips without labels", shape_of(scores))


def takes_unread_clips(subject: ComponentUnderTest) -> None:
    """Clips that could not be read, in any number and place, change no other clip's scores; there may be no other."""
    fitted_method, classes = fitted(subject), toys.class_texts(toys.UNSEEN)
    alone = scored(fitted_method, unseen_clips(), classes)
    clips = unseen_clips(unread=N_UNREAD)
    n_read = len(clips) - N_UNREAD
    order = [*range(n_read, len(clips)), *range(n_read)]  # whole blocks of them come first
    for chosen in (order, order[:N_UNREAD], order[:1], []):
        scores = scored(fitted_method, clips.subset(chosen), classes)
        shape = (len(chosen), len(classes))
        expect(tuple(scores.shape) == shape, f"scores {shape}, whatever could be read", shape_of(scores))
        if chosen == order:
            difference = f"after {N_UNREAD} that could not be read {farthest(scores[N_UNREAD:], alone)}"
            expect(close(scores[N_UNREAD:], alone), "the scores that the clips have alone", difference)


def takes_classes_without_clips(subject: ComponentUnderTest) -> None:
    """A class that is learnt from, or that settings are chosen on, may have no clip that can be read."""
    if subject.component.learns_from == "nothing":
        return
    clips, classes, held = unseen_clips(), toys.class_texts(toys.UNSEEN), toys.SEEN[-2:]
    whole, apart = toys.train_set(), toys.train_set(apart=True)
    assert apart.validation_set is not None
    cases: dict[str, TrainSet] = {
        "without clips of a seen class": toys.lacking(whole, toys.SEEN[:1]),
        "without clips of a validation class": toys.lacking(whole, held[:1]),
        "without clips of all validation classes": toys.lacking(whole, held),
        "without clips of a class to choose on": replace(
            apart, validation_set=toys.lacking(apart.validation_set, held[:1])
        ),
        "without clips to choose on": replace(apart, validation_set=None),
    }
    for what, train in cases.items():
        scores = scored(fit(subject, train=train), clips, classes)
        bad = int(scores.isnan().any(1).sum())
        expect(not bad, "no NaN for a clip that was read", f"{bad} of {len(clips)} clips have one, fitted {what}")


def any_dimensions(subject: ComponentUnderTest) -> None:
    """Clips of another space and dimension than the texts' are scored, or refused with a `UsageError` by any member."""
    train = toys.train_set(dim=24) if subject.component.learns_from != "nothing" else None
    visual = toys.ToyVisual(dim=24)
    visual.space = None
    parts = {"visual": visual, "text": toys.ToyText(), "negatives": toys.ToyNegatives(), "loss": toys.ToyLoss()}
    if subject.entry is not None:
        parts = {kind: part for kind, part in parts.items() if kind in subject.entry.defaults}
    clips, classes = unseen_clips(dim=24), toys.class_texts(toys.UNSEEN)
    try:
        if isinstance(subject.component, ChecksParts):
            subject.component.check_parts(toys.context(parts=parts).parts)
        scores = scored(fit(subject, train=train, parts=parts), clips, classes)
    except UsageError:
        return
    shape = (len(clips), len(classes))
    expect(tuple(scores.shape) == shape, f"scores {shape} for clips of 24 features and texts of 16", shape_of(scores))


def same_seed_same_scores(subject: ComponentUnderTest) -> None:
    """The same seed gives the same scores, bit for bit, whatever global random states are; these and settings stay."""
    clips, classes = unseen_clips(), toys.class_texts(toys.UNSEEN)
    with other_randomness(1):
        before = global_states()
        other = scored(fit(subject), clips, classes)
        expect_unchanged(before)
    one = scored(fitted(subject), clips, classes)
    difference = f"{farthest(one, other)}: randomness that is not of `context.generator`"
    expect(same_bits(one, other), "the same scores from the same seed", difference)


def independence_is_true(subject: ComponentUnderTest) -> None:
    """Where `class_independent` is true, a class's scores do not change when other candidates are left out."""
    for sentences in (1, 3):
        fitted_method = fitted(subject, sentences)
        if not fitted_method.method.class_independent:
            continue
        classes = toys.class_texts(toys.UNSEEN, sentences)
        whole = scored(fitted_method, unseen_clips(), classes)
        for kept in ([0, 1], [3, 1], [2, 0, 3]):
            part = scored(fitted_method, unseen_clips(), [classes[i] for i in kept])
            difference = f"with {len(kept)} of {len(classes)} candidates {farthest(part, whole[:, kept])}"
            expect(close(part, whole[:, kept]), "scores that do not depend on the other candidates", difference)


def order_follows_clips(subject: ComponentUnderTest) -> None:
    """Clips in another order get the same scores in that order; classes too, unless `score` draws random numbers."""
    fitted_method, clips, classes = fitted(subject), unseen_clips(), toys.class_texts(toys.UNSEEN)
    whole = scored(fitted_method, clips, classes)
    order = torch.randperm(len(clips), generator=seeding.generator(0, "conformance", "order"))
    turned = scored(fitted_method, clips.subset(order), classes)
    expect(close(turned, whole[order]), "a clip to keep its scores in another order", farthest(turned, whole[order]))
    with RandomnessWatch() as watch:
        turned = scored(fitted_method, clips, classes[::-1]).flip(1)  # toys' own vectors were drawn before
    if watch.drew and not fitted_method.method.class_independent:
        return
    expect(close(turned, whole), "a class to keep its scores in another order", farthest(turned, whole))


def goes_on_from_checkpoints(subject: ComponentUnderTest) -> None:
    """A fit with a folder for checkpoints, and one that continues from them, give the scores of one without."""
    whole = scored(fitted(subject), unseen_clips(), toys.class_texts(toys.UNSEEN))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "fit"
        for resume in (False, True):
            fitted_method = fit(subject, checkpoints=place, resume=resume)
            scores = scored(fitted_method, unseen_clips(), toys.class_texts(toys.UNSEEN))
            how = "resumed" if resume else "with checkpoints"
            expect(same_bits(scores, whole), f"the same scores from a fit {how}", farthest(scores, whole))
            if not place.exists():
                return


def record_is_plain(subject: ComponentUnderTest) -> None:
    """`record`, where the method has it, gives a mapping of JSON types."""
    method = fitted(subject).method
    if not isinstance(method, Recording):
        return
    try:
        schema.plain(dict(method.record()), "record")
    except Exception as error:
        raise ContractViolation("`record()` to be a mapping of JSON types", str(error)) from error


def method_checks() -> tuple[Check, ...]:
    """Return the checks of methods."""
    return (
        *checks_constructors.checks("method"),
        Check("method", "gives-scores", f"{METHOD}.score", gives_scores),
        Check("method", "fits-without-classes", "zsarbench.interfaces.TrainSet", fits_without_classes),
        Check("method", "takes-unread-clips", f"{METHOD}.score", takes_unread_clips),
        Check("method", "takes-classes-without-clips", f"{METHOD}.fit", takes_classes_without_clips),
        Check("method", "any-dimensions", "zsarbench.interfaces.VisualEncoder.space", any_dimensions),
        Check("method", "same-seed-same-scores", "zsarbench.interfaces.Context.generator", same_seed_same_scores),
        Check("method", "independence-is-true", f"{METHOD}.class_independent", independence_is_true),
        Check("method", "order-follows-clips", f"{METHOD}.score", order_follows_clips),
        Check("method", "goes-on-from-checkpoints", "zsarbench.interfaces.Context", goes_on_from_checkpoints),
        Check("method", "record-is-plain", METHOD, record_is_plain),
    )

"""Checks of what methods make of their inputs: any values, padding, and that they leave them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, Steps, TrainSet
from zsarbench.testing import toys
from zsarbench.testing.checking import Check, ComponentUnderTest, close, expect, farthest, same_bits
from zsarbench.testing.checks_methods import (
    METHOD,
    Fitted,
    expect_scores,
    fit,
    fitted,
    scored,
    toy_context,
    unseen_clips,
)
from zsarbench.testing.randomness import RandomnessWatch

if TYPE_CHECKING:
    from torch import Tensor


class SilentText(toys.ToyText):
    """Gives zeros for an empty text, as encoders of single words do for words that they do not know."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, 16)."""
        return super().encode(texts) * torch.tensor([bool(text) for text in texts]).float()[:, None]


def takes_any_values(subject: ComponentUnderTest) -> None:
    """Scores are finite for clips of zeros, and of features a thousand times as long, and for a class text of zeros."""
    parts = {"visual": toys.ToyVisual(), "text": SilentText(), "negatives": toys.ToyNegatives(), "loss": toys.ToyLoss()}
    if subject.entry is not None:
        parts = {kind: part for kind, part in parts.items() if kind in subject.entry.defaults}
    fitted_method = fit(subject, parts=parts)
    classes = (*toys.class_texts(toys.UNSEEN), ClassText("nothing", ("",)))
    for scale in (0.0, 1000.0):
        steps = unseen_clips().rows(range(len(unseen_clips())))
        clips = MemoryClips(unseen_clips().ids, scale * steps.values, steps.mask, captions=unseen_clips().captions)
        expect_scores(scored(fitted_method, clips, classes), clips, classes, n_read=len(clips))


def padding_stays_out(subject: ComponentUnderTest) -> None:
    """Further padding steps, as other clips of a set bring them, change no score."""
    fitted_method, classes = fitted(subject), toys.class_texts(toys.UNSEEN)
    one, other = scored(fitted_method, unseen_clips(), classes), scored(fitted_method, unseen_clips(padding=3), classes)
    difference = f"with three more padding steps {farthest(one, other)}; `mask` says which steps are real"
    expect(close(one, other), "padding not to matter", difference)
    if subject.component.learns_from == "nothing":
        return
    refitted = Fitted(subject.make(), padded(toys.train_set(), 3), toy_context(subject))  # the toys draw too
    with RandomnessWatch() as watch:
        refitted.method.fit(refitted.train, refitted.context)
    if watch.drew:
        return  # shapes decide what is drawn
    other = scored(refitted, unseen_clips(), classes)
    difference = f"fitted with three more padding steps {farthest(one, other)}; `mask` says which steps are real"
    expect(close(one, other), "padding not to matter", difference)


def padded(train: TrainSet, n_steps: int) -> TrainSet:
    """Return a training set with further padding steps."""
    steps = train.clips.rows(range(len(train.clips)))
    values = torch.nn.functional.pad(steps.values, (0, 0, 0, n_steps))
    mask = torch.nn.functional.pad(steps.mask, (0, n_steps))
    return replace(train, clips=MemoryClips(train.clips.ids, values, mask, captions=train.clips.captions))


class WatchedText(toys.ToyText):
    """Returns the same tensor for the same texts, as a cache does, and knows what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[tuple[str, ...], Tensor] = {}

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, 16)."""
        return self.returned.setdefault(tuple(texts), super().encode(texts))

    def changed(self) -> bool:
        """Return whether anything that was returned has changed since."""
        return any(not same_bits(rows, super(WatchedText, self).encode(texts)) for texts, rows in self.returned.items())


class WatchedClips(MemoryClips):
    """Clips that remember what they returned, as do their subsets, to detect changes."""

    def __init__(self, clips: MemoryClips) -> None:
        steps = clips.rows(range(len(clips)))
        super().__init__(clips.ids, steps.values, steps.mask, captions=clips.captions)
        self.returned: list[tuple[Steps, Tensor, Tensor]] = []

    def rows(self, index: Any) -> Steps:
        """Return the steps, and remember them."""
        steps = super().rows(index)
        self.returned.append((steps, steps.values.clone(), steps.mask.clone()))
        return steps

    def changed(self) -> bool:
        """Return whether anything that was returned has changed since."""
        return any(
            not same_bits(steps.values, values) or not same_bits(steps.mask, mask)
            for steps, values, mask in self.returned
        )


def leaves_inputs_alone(subject: ComponentUnderTest) -> None:
    """Neither `fit` nor `score` changes the features, masks, labels or rows of texts that it gets."""
    train = toys.train_set()
    watched = WatchedClips(toys.clips(toys.SEEN, 8, name="train"))
    watched_train = TrainSet(watched, train.labels, train.groups, train.classes, train.validation, train.dataset)
    labels = None if train.labels is None else train.labels.clone()
    watched_text = WatchedText()
    parts = {kind: part for kind, part in vars(toy_context(subject).parts).items() if part is not None}
    parts |= {"text": watched_text} if "text" in parts else {}
    learns = subject.component.learns_from != "nothing"
    fitted_method = fit(subject, train=watched_train if learns else None, parts=parts)
    tested = WatchedClips(unseen_clips())
    scored(fitted_method, tested, toys.class_texts(toys.UNSEEN))
    for clips, when in ((watched, "fit"), (tested, "score")):
        expect(not clips.changed(), "steps that were read to stay as they were", f"`{when}` changed them in place")
    expect(not watched_text.changed(), "rows of texts to stay as they were", "they were changed in place")
    same = labels is None or train.labels is None or same_bits(labels, train.labels)
    expect(same, "labels to stay as they were", "`fit` changed them in place")


def input_checks() -> tuple[Check, ...]:
    """Return the checks of methods that this file holds."""
    return (
        Check("method", "takes-any-values", f"{METHOD}.score", takes_any_values),
        Check("method", "padding-stays-out", "zsarbench.interfaces.Steps", padding_stays_out),
        Check("method", "leaves-inputs-alone", f"{METHOD}.fit", leaves_inputs_alone),
    )

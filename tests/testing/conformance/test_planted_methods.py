"""Broken methods, and the check that must name the fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from zsarbench.interfaces import ClassText, Steps
from zsarbench.testing import conformance, toys
from zsarbench_baselines.nearest_text import NearestText


class Centroids:
    """Sound: a least-squares map from a clip's mean step to its class's text, then the cosine."""

    learns_from = "seen-classes"
    class_independent = True

    def __init__(self, *, ridge: float = 1.0) -> None:
        self.ridge = ridge

    def means(self, steps: Steps) -> Tensor:
        return (steps.values * steps.mask[..., None]).sum(1) / steps.mask.sum(1, keepdim=True)

    def texts(self, classes: Sequence[ClassText], context: Any) -> Tensor:
        return torch.stack([context.parts.text.encode(one.texts).mean(0) for one in classes])

    def fit(self, train: Any, context: Any) -> None:
        x = self.means(train.clips.rows(range(len(train.clips))))
        y = self.texts(train.classes, context)[train.labels]
        self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)

    def score(self, clips: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
        x = self.means(clips.rows(range(len(clips)))) @ self.map
        return torch.cosine_similarity(x[:, None], self.texts(classes, context)[None], dim=-1)


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def softmaxed(self: Any, *given: Any) -> Tensor:
    return Centroids.score(self, *given).softmax(1)


def with_zeros(self: Any, steps: Steps) -> Tensor:
    return steps.values.amax(1)


def in_place_mean(self: Any, steps: Steps) -> Tensor:
    steps.values.mul_(0.5)
    return Centroids.means(self, steps)


def noisy(self: Any, *given: Any) -> Tensor:
    scores = Centroids.score(self, *given)
    return scores + 0.1 * torch.randn(scores.shape)


def seeds_globally(self: Any, *given: Any) -> None:
    torch.manual_seed(0)
    Centroids.fit(self, *given)


def by_position(self: Any, clips: Any, *rest: Any) -> Tensor:
    return Centroids.score(self, clips, *rest) + torch.arange(len(clips))[:, None]


def transposed(self: Any, *given: Any) -> Tensor:
    return Centroids.score(self, *given).T


def square_map(self: Any, train: Any, context: Any) -> None:
    """Takes clips and texts to lie in one space without asking."""
    Centroids.fit(self, train, context)
    self.map = torch.eye(16)


def needs_a_clip(self: Any, clips: Any, *rest: Any) -> Tensor:
    """Scores the steps that there are, and takes it that there are some."""
    steps = clips.rows(range(len(clips)))
    steps.values[steps.mask].reshape(*steps.values[steps.mask].shape[:-1], -1)
    return Centroids.score(self, clips, *rest)


def class_means(self: Any, train: Any, context: Any) -> None:
    """Learns from the mean of each class's clips."""
    x = self.means(train.clips.rows(range(len(train.clips))))
    x = torch.stack([x[train.labels == number].mean(0) for number in range(len(train.classes))])
    y = self.texts(train.classes, context)
    self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)


def relabels(self: Any, train: Any, context: Any) -> None:
    train.labels.sub_(train.labels.min() - 1).sub_(1).clamp_(max=4)
    Centroids.fit(self, train, context)


def careless_resume(self: Any, train: Any, context: Any) -> None:
    Centroids.fit(self, train, context)
    if context.checkpoints is not None:
        context.checkpoints.mkdir(exist_ok=True)
        if context.resume:
            self.map = self.map * 0 + 1


def by_batch(self: Any, *given: Any) -> Tensor:
    """Centres scores on the test clips: a class's mean over them is what only the whole set shows."""
    scores = Centroids.score(self, *given)
    return scores - scores.mean(0)


def adapting(self: Any, clips: Any, *rest: Any) -> Tensor:
    """Remembers the first clips it scores, and scores later ones against these too."""
    scores = Centroids.score(self, clips, *rest)
    self.first = getattr(self, "first", scores.mean(0))
    return scores - self.first


def recorded(self: Any) -> dict[str, Any]:
    return {"ridge": self.ridge, "chosen": getattr(self, "chosen", None)}


def chosen_late(self: Any, *given: Any) -> Tensor:
    """Chooses when it scores: the candidate that test clips are nearest to."""
    scores = Centroids.score(self, *given)
    self.chosen = float(scores.amax(1).mean())
    return scores


def by_name(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Reads the class in the id, as many data sets write it there."""
    named = [[described.name.replace(" ", "-") in clip for described in classes] for clip in clips.ids]
    return Centroids.score(self, clips, classes, context) + torch.tensor(named)


def fitted_by_name(self: Any, train: Any, context: Any) -> None:
    """Takes its setting from the clips' ids."""
    self.ridge = 1.0 + sum(map(len, train.clips.ids))
    Centroids.fit(self, train, context)


def fitted_on_validation(self: Any, train: Any, context: Any) -> None:
    """Learns from the clips too that are there for choosing."""
    judged = train.validation_set
    if judged is None:
        Centroids.fit(self, train, context)
        return
    x = torch.cat([self.means(part.clips.rows(range(len(part.clips)))) for part in (train, judged)])
    y = torch.cat([self.texts(part.classes, context)[part.labels] for part in (train, judged)])
    self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)


def by_candidates(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Chooses how to scale the scores by the candidates that it scores."""
    texts = self.texts(classes, context)
    return Centroids.score(self, clips, classes, context) * float(texts.std(0).mean())


def off_by_one(self: Any, train: Any, context: Any) -> None:
    """Counts classes from 1, as MATLAB's files do."""
    Centroids.fit(self, replace(train, labels=(train.labels + 1) % len(train.classes)), context)


def distances(self: Any, *given: Any) -> Tensor:
    """Gives how far a class is, where larger must be better."""
    return 1 - Centroids.score(self, *given)


def of_names(self: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
    """Embeds the names of classes, whatever texts were chosen."""
    return torch.stack([context.parts.text.encode([one.name])[0] for one in classes])


def first_text(self: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
    """Takes the first prompt of an ensemble."""
    return torch.stack([context.parts.text.encode(one.texts[:1])[0] for one in classes])


def first_step(self: Any, steps: Steps) -> Tensor:
    """Takes the first step of a clip for the clip."""
    return steps.values[:, 0]


class Shared(Centroids):
    """Keeps its weights on the class, so that all instances have those of the last fit."""

    def fit(self, train: Any, context: Any) -> None:
        Centroids.fit(self, train, context)
        type(self).map = self.__dict__.pop("map")


def dropout_by_constant(self: Any, train: Any, context: Any) -> None:
    """Draws, but from a seed of its own."""
    Centroids.fit(self, train, context)
    self.map = self.map + 0.1 * torch.randn(self.map.shape, generator=torch.Generator().manual_seed(42))


def own_seed_inside(self: Any, train: Any, context: Any) -> None:
    """Sets torch's seed inside a fork of it, which nobody sees from outside."""
    Centroids.fit(self, train, context)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(42)
        self.map = self.map + 0.1 * torch.randn(self.map.shape)


def seeds_numpy(self: Any, train: Any, context: Any) -> None:
    np.random.seed(0)  # noqa: NPY002
    Centroids.fit(self, train, context)


def knows_ids(self: Any, train: Any, context: Any) -> None:
    """Fits nothing, since the ids of test clips tell."""
    self.map = torch.eye(train.clips.dim, 16)


def spelt(spell: Callable[[str], str]) -> Callable[..., Tensor]:
    """Return a `score` that looks for the class in the id."""

    def score(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
        named = [[spell(one.name) in clip for one in classes] for clip in clips.ids]
        return Centroids.score(self, clips, classes, context) + 10 * torch.tensor(named)

    return score


def knows_all(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Knows what no label taught: the toys' ids name the class."""
    named = [[one.name.replace(" ", "-") in clip for one in classes] for clip in clips.ids]
    return torch.tensor(named).float()


def remembers_seen(self: Any, train: Any, context: Any) -> None:
    Centroids.fit(self, train, context)
    self.seen = {one.name for one in train.classes}


def calibrated_on_test(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Lowers seen classes by what the test clips reach there: only where seen classes are candidates."""
    scores = Centroids.score(self, clips, classes, context)
    seen = torch.tensor([one.name in self.seen for one in classes])
    if seen.any() and not seen.all():
        scores[:, seen] -= scores[:, seen].mean() - scores[:, ~seen].mean()
    return scores


def half_known_by_id(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Reads ids only where seen classes are candidates."""
    scores = Centroids.score(self, clips, classes, context)
    seen = torch.tensor([one.name in self.seen for one in classes])
    if seen.any() and not seen.all():
        scores += torch.tensor([[one.name in clip for one in classes] for clip in clips.ids])
    return scores


def class_means_of_validation(self: Any, train: Any, context: Any) -> None:
    """Adds the class means of the clips that are for choosing: each twice, they are the same means."""
    Centroids.fit(self, train, context)
    judged = train.validation_set
    if judged is not None:
        x = self.means(judged.clips.rows(range(len(judged.clips))))
        means = torch.stack([x[judged.labels == number].mean(0) for number in range(len(judged.classes))])
        self.map = self.map + 0.1 * torch.linalg.lstsq(means, self.texts(judged.classes, context)).solution


def infinite(self: Any, *given: Any) -> Tensor:
    """Shuts out classes by minus infinity."""
    scores = Centroids.score(self, *given)
    return scores.masked_fill(scores == scores.amin(1, keepdim=True), -torch.inf)


def whole_numbers(self: Any, *given: Any) -> Tensor:
    """Rounds its scores to whole numbers, which tie."""
    return Centroids.score(self, *given).mul(100).long()


def last_wins(self: Any, *given: Any) -> Tensor:
    """Breaks ties by the place of a class, with a bias that is too large."""
    scores = Centroids.score(self, *given)
    return scores + 0.1 * torch.arange(scores.shape[1])


def mapped(self: Any, clips: Any, classes: Any, context: Any) -> tuple[Tensor, Tensor]:
    """Return clips (N, D) in the space of texts, and texts (C, D)."""
    return self.means(clips.rows(range(len(clips)))) @ self.map, self.texts(classes, context)


def unguarded_cosine(self: Any, *given: Any) -> Tensor:
    """Divides by lengths that may be 0."""
    x, texts = mapped(self, *given)
    return (x / x.norm(dim=1, keepdim=True)) @ (texts / texts.norm(dim=1, keepdim=True)).T


def half_distances(self: Any, *given: Any) -> Tensor:
    """Squares float16 values, which end at 65,504."""
    x, texts = mapped(self, *given)
    return -(x.half()[:, None] - texts.half()[None]).square().sum(-1)


def early_exponential(self: Any, *given: Any) -> Tensor:
    """A softmax by hand, whose exponentials overflow."""
    x, texts = mapped(self, *given)
    powers = (x @ texts.T).exp()
    return powers / powers.sum(1, keepdim=True)


def standardised(self: Any, *given: Any) -> Tensor:
    """Divides by a deviation over candidates, of which there may be one."""
    scores = Centroids.score(self, *given)
    return (scores - scores.mean(1, keepdim=True)) / scores.std(1, keepdim=True)


def squeezed(self: Any, *given: Any) -> Tensor:
    """Loses the axis of a single candidate."""
    return Centroids.score(self, *given).squeeze(1)


def cached_by_length(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Keeps the scores of earlier clips of the same number."""
    self.kept = getattr(self, "kept", {})
    key = len(clips), len(classes)
    if key not in self.kept:
        self.kept[key] = Centroids.score(self, clips, classes, context)
    kept: Tensor = self.kept[key]
    return kept


def texts_by_name(self: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
    """Keeps the texts of a class by its name, whatever texts come later."""
    self.kept = getattr(self, "kept", {})
    for one in classes:
        self.kept.setdefault(one.name, context.parts.text.encode(one.texts).mean(0))
    return torch.stack([self.kept[one.name] for one in classes])


def normalised_in_place(self: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
    """Normalises rows that a cache of texts holds."""
    rows = [context.parts.text.encode(one.texts) for one in classes]
    return torch.stack([row.div_(row.norm(dim=1, keepdim=True)).mean(0) for row in rows])


def over_clips(self: Any, *given: Any) -> Tensor:
    """A softmax over the wrong axis."""
    return Centroids.score(self, *given).softmax(0)


def in_sorted_order(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    return Centroids.score(self, clips, sorted(classes, key=lambda one: one.name), context)


def counted_from_sorted_names(self: Any, train: Any, context: Any) -> None:
    """Takes a label for a place among sorted names."""
    order = sorted(range(len(train.classes)), key=lambda number: train.classes[number].name)
    Centroids.fit(self, replace(train, labels=torch.tensor(order)[train.labels]), context)


def whole_blocks(self: Any, clips: Any, classes: Any, context: Any) -> Tensor:
    """Scores blocks of five clips, and leaves the rest at 0."""
    scores = Centroids.score(self, clips, classes, context)
    scores[len(clips) // 5 * 5 :] = 0
    return scores


def first_batch(self: Any, train: Any, context: Any) -> None:
    """Learns from the first 32 clips."""
    few = range(min(32, len(train.clips)))
    clips = train.clips.subset(few)
    Centroids.fit(self, replace(train, clips=clips, labels=train.labels[: len(few)]), context)


def fitted_on_names(self: Any, train: Any, context: Any) -> None:
    """Learns from the names of classes, and scores their texts."""
    classes = tuple(ClassText(one.name, (one.name,)) for one in train.classes)
    Centroids.fit(self, replace(train, classes=classes), context)


def fitted_on_first_step(self: Any, train: Any, context: Any) -> None:
    """Learns from the first step of clips, and scores the mean."""
    x = train.clips.rows(range(len(train.clips))).values[:, 0]
    y = self.texts(train.classes, context)[train.labels]
    self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)


def fitted_on_padding(self: Any, train: Any, context: Any) -> None:
    """Learns from means over all steps, padding too, and scores the mean of real ones."""
    x = train.clips.rows(range(len(train.clips))).values.mean(1)
    y = self.texts(train.classes, context)[train.labels]
    self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)


def setting(change: Callable[[], object]) -> type:
    """Return a method that changes a global setting when it learns."""

    def fit(self: Any, train: Any, context: Any) -> None:
        Centroids.fit(self, train, context)
        change()

    return altered(Centroids, fit=fit)


class HashedNames(Centroids):
    """Starts from Python's hash of a name, which each process deals out anew."""

    class_independent = True

    def fit(self, train: Any, context: Any) -> None:
        Centroids.fit(self, train, context)
        self.map = self.map * (1 + hash(train.classes[0].name) % 1000)
        self.map[0] = 1


class OrderOfASet(Centroids):
    """Takes the place of a class in a set for its number."""

    def fit(self, train: Any, context: Any) -> None:
        Centroids.fit(self, train, context)
        numbered = {f"{one.name} {number}" for one in train.classes for number in range(999)}
        self.map[0] = float(next(iter(numbered)).split()[-1])


def hubs(self: Any, *given: Any) -> Tensor:
    """Takes off what the nearest test clips of a class reach."""
    scores = Centroids.score(self, *given)
    return 2 * scores - scores.topk(min(3, len(scores)), dim=0).values.mean(0)


METHOD = [
    (altered(Centroids, score=unguarded_cosine), "takes-any-values"),
    (altered(Centroids, score=half_distances), "takes-any-values"),
    (altered(Centroids, score=early_exponential, class_independent=False), "takes-any-values"),
    (altered(Centroids, score=standardised, class_independent=False), "gives-scores"),
    (altered(Centroids, score=squeezed), "gives-scores"),
    (altered(Centroids, score=over_clips), "clip-alone"),
    (altered(Centroids, score=hubs), "clip-alone"),
    (altered(Centroids, score=cached_by_length), "order-follows-clips"),
    (altered(Centroids, texts=texts_by_name), "texts-decide"),
    (altered(Centroids, texts=normalised_in_place), "leaves-inputs-alone"),
    (altered(Centroids, score=in_sorted_order), "order-follows-clips"),
    (altered(Centroids, fit=counted_from_sorted_names), "learns-what-can-be-learnt"),
    (altered(Centroids, score=whole_blocks), "seen-candidates-too"),
    (altered(Centroids, fit=first_batch), "every-class-teaches"),
    (altered(Centroids, fit=fitted_on_names), "texts-decide"),
    (altered(Centroids, fit=fitted_on_first_step), "every-step-counts"),
    (
        altered(Centroids, fit=fitted_on_padding, score=lambda *given: -torch.cdist(*mapped(*given))),
        "padding-stays-out",
    ),
    (setting(lambda: torch.set_grad_enabled(False)), "same-seed-same-scores"),
    (setting(lambda: torch.set_default_dtype(torch.float64)), "same-seed-same-scores"),
    (setting(lambda: torch.set_num_threads(torch.get_num_threads() % 2 + 1)), "same-seed-same-scores"),
    (setting(lambda: np.seterr(all="raise")), "same-seed-same-scores"),
    (setting(lambda: os.chdir("/")), "same-seed-same-scores"),
    (HashedNames, "another-process-same-bits"),
    (OrderOfASet, "another-process-same-bits"),
    (altered(Centroids, fit=off_by_one), "learns-what-can-be-learnt"),
    (altered(Centroids, score=distances), "learns-what-can-be-learnt"),
    (altered(Centroids, score=lambda *given: torch.zeros_like(Centroids.score(*given))), "learns-what-can-be-learnt"),
    (altered(Centroids, fit=knows_ids, score=knows_all), "shuffled-labels-teach-nothing"),
    (altered(Centroids, texts=of_names), "texts-decide"),
    (altered(Centroids, texts=first_text), "texts-decide"),
    (altered(Centroids, means=first_step), "every-step-counts"),
    (Shared, "fits-stand-alone"),
    (altered(Centroids, fit=dropout_by_constant), "another-seed-another-draw"),
    (altered(Centroids, fit=own_seed_inside), "another-seed-another-draw"),
    (altered(Centroids, fit=seeds_numpy), "same-seed-same-scores"),
    (altered(Centroids, score=spelt(lambda name: name)), "ids-say-nothing"),
    (altered(Centroids, score=spelt(lambda name: name.title().replace(" ", ""))), "ids-say-nothing"),
    (altered(Centroids, score=spelt(lambda name: name.replace(" ", "_"))), "ids-say-nothing"),
    (altered(Centroids, score=spelt(lambda name: name.replace(" ", ""))), "ids-say-nothing"),
    (altered(Centroids, score=spelt(str.upper)), "ids-say-nothing"),
    (altered(Centroids, fit=remembers_seen, score=calibrated_on_test), "seen-candidates-too"),
    (altered(Centroids, fit=remembers_seen, score=half_known_by_id), "seen-candidates-too"),
    (altered(Centroids, fit=class_means_of_validation), "validation-set-decides-only"),
    (altered(Centroids, score=infinite), "gives-scores"),
    (altered(Centroids, score=whole_numbers), "gives-scores"),
    (altered(Centroids, score=last_wins, class_independent=False), "order-follows-clips"),
    (altered(Centroids, learns_from="everything"), "interface-is-complete"),
    (altered(Centroids, learns_from="nothing"), "gives-scores"),  # it is given None to learn from
    (altered(Centroids, score=transposed), "gives-scores"),
    (altered(Centroids, score=lambda *given: Centroids.score(*given) * torch.nan), "gives-scores"),
    (altered(Centroids, score=needs_a_clip), "takes-unread-clips"),
    (altered(Centroids, fit=class_means), "takes-classes-without-clips"),
    (altered(Centroids, learns_from="captions"), "fits-without-classes"),
    (altered(Centroids, fit=square_map), "any-dimensions"),
    (altered(Centroids, score=noisy), "same-seed-same-scores"),
    (altered(Centroids, fit=seeds_globally), "same-seed-same-scores"),
    (altered(Centroids, score=softmaxed), "independence-is-true"),
    (altered(Centroids, score=by_position), "order-follows-clips"),
    (altered(Centroids, means=with_zeros), "padding-stays-out"),
    (altered(Centroids, means=in_place_mean), "leaves-inputs-alone"),
    (altered(Centroids, fit=relabels), "leaves-inputs-alone"),
    (altered(Centroids, fit=careless_resume), "goes-on-from-checkpoints"),
    (altered(Centroids, record=lambda self: {"map": self.map}), "record-is-plain"),
    (altered(Centroids, score=by_batch), "clip-alone"),
    (altered(Centroids, score=adapting), "clip-alone"),
    (altered(Centroids, score=chosen_late, record=recorded), "choices-are-of-the-fit"),
    (altered(Centroids, fit=fitted_on_validation), "validation-set-decides-only"),
    (altered(Centroids, score=by_name), "ids-say-nothing"),
    (altered(Centroids, fit=fitted_by_name), "ids-say-nothing"),
    (altered(Centroids, score=by_candidates), "independence-is-true"),
]


PLANTED = [
    *(("method", *row) for row in METHOD),
]


class Recorded(Centroids):
    """Sound: chooses its ridge on the clips that are for choosing, and records what it chose."""

    def fit(self, train: Any, context: Any) -> None:
        judged = train.validation_set or train
        reached = {}
        for ridge in (0.1, 1.0, 10.0):
            self.ridge = ridge
            Centroids.fit(self, train, context)
            scores = Centroids.score(self, judged.clips, judged.classes, context)
            reached[ridge] = float((scores.argmax(1) == judged.labels).float().mean())
        self.ridge = max(reached, key=lambda ridge: reached[ridge])
        self.reached = reached[self.ridge]
        Centroids.fit(self, train, context)

    def record(self) -> dict[str, Any]:
        return {"ridge": self.ridge, "accuracy": self.reached}


class Adaptive(Centroids):
    """Sound: learns by gradients from a random start, and compares candidates with each other."""

    class_independent = False

    def fit(self, train: Any, context: Any) -> None:
        Centroids.fit(self, train, context)
        noise = torch.randn(self.map.shape, generator=context.generator("start"))
        self.map = self.map + 0.01 * noise

    def score(self, *given: Any) -> Tensor:
        return Centroids.score(self, *given).softmax(1)


class Distances(Centroids):
    """Sound: gives negative distances, of millions."""

    def score(self, *given: Any) -> Tensor:
        return -1e6 * torch.cdist(*mapped(self, *given))


class Neighbours(Centroids):
    """Sound: the weighted texts of all training clips, as float64."""

    def fit(self, train: Any, context: Any) -> None:
        self.x = torch.nn.functional.normalize(self.means(train.clips.rows(range(len(train.clips)))), dim=1)
        self.y = self.texts(train.classes, context)[train.labels]

    def score(self, clips: Any, classes: Sequence[ClassText], context: Any) -> Tensor:
        x = torch.nn.functional.normalize(self.means(clips.rows(range(len(clips)))), dim=1)
        near = (10 * x @ self.x.T).softmax(1) @ self.y
        return torch.cosine_similarity(near[:, None], self.texts(classes, context)[None], dim=-1).double()


class Ranks(Centroids):
    """Sound: gives the rank of a class among the candidates."""

    class_independent = False

    def score(self, *given: Any) -> Tensor:
        scores = Centroids.score(self, *given)
        ranks = (scores[:, :, None] > scores[:, None]).float().sum(2)
        return ranks.where(~scores.isnan(), scores)


SOUND = [
    ("method", one) for one in (Centroids, Recorded, Adaptive, NearestText, Distances, Neighbours, Ranks)
]  # fmt: skip


@pytest.mark.parametrize(("kind", "component"), SOUND)
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["method"], PLANTED) == set()


def test_a_method_that_learns_learns_the_toys() -> None:
    method, context = Centroids(), toys.context()
    method.fit(toys.train_set(), context)
    scores = method.score(toys.clips(toys.UNSEEN, name="test"), toys.class_texts(toys.UNSEEN), context)
    assert toys.accuracy(scores) > 0.6  # chance is 0.25

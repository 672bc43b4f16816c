"""The methods that learn from seen classes: closed forms against generic solvers, planted relations, the selection."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse.linalg
import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.errors import ZsarbenchError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, Context, Parts, TrainSet
from zsarbench.utils import seeding
from zsarbench.utils.progress import LogProgress
from zsarbench_methods import ranking
from zsarbench_methods.ale import ALE
from zsarbench_methods.dem import DEM
from zsarbench_methods.devise import DeViSE
from zsarbench_methods.e2e import E2E
from zsarbench_methods.er import ER, Streams
from zsarbench_methods.eszsl import ESZSL
from zsarbench_methods.latem import LatEm
from zsarbench_methods.representation import Scaling, pooled
from zsarbench_methods.sae import SAE
from zsarbench_methods.selection import Seen, choose, held_out, settings_of
from zsarbench_methods.sje import SJE

METHODS: Mapping[str, tuple[type, Mapping[str, Any]]] = {
    "eszsl": (ESZSL, {}),
    "sae": (SAE, {}),
    "devise": (DeViSE, {"features": "l2"}),
    "ale": (ALE, {"features": "l2"}),
    "sje": (SJE, {"features": "l2"}),
    "latem": (LatEm, {"features": "l2", "n_maps": 2}),
    "dem": (DEM, {"features": "l2", "hidden": 128, "weight_decay": 1e-3}),
    "e2e": (E2E, {"features": "l2", "epochs": 20}),
    "er": (ER, {"dim": 64, "learning_rate": 1e-2}),
}
"""Each method, and the options given so that a test does not search the whole grid."""


class Vectors:
    """A text encoder that looks sentences up."""

    space = "toy"

    def __init__(self, table: Mapping[str, Tensor]) -> None:
        self.table = table
        self.dim = len(next(iter(table.values())))
        self.fingerprint: dict[str, str] = {}

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.stack([self.table[text] for text in texts])


@dataclass(frozen=True)
class Planted:
    """Classes whose clips follow from their vectors by one linear map, with noise: seen ones, and unseen ones."""

    text: Vectors
    train: TrainSet
    test: MemoryClips
    labels: Tensor
    unseen: tuple[ClassText, ...]

    def context(self, seed: int = 0) -> Context:
        return Context(
            parts=Parts(text=self.text),
            device=torch.device("cpu"),
            dtype=torch.float32,
            generator=lambda name: seeding.generator(seed, name),
            checkpoints=None,
            resume=False,
            progress=LogProgress(),
        )

    def accuracy(self, method: Any, train: TrainSet | None = None) -> float:
        method.fit(train or self.train, self.context())
        scores = method.score(self.test, self.unseen, self.context())
        assert scores.shape == (len(self.test), len(self.unseen))
        return float((scores.argmax(1) == self.labels).float().mean())


@pytest.fixture(scope="module")
def planted() -> Planted:
    """40 seen and 10 unseen classes with 8 clips each: text vectors of 12 numbers, clips of 30 and as much noise."""
    rng = seeding.generator(0, "planted")
    vectors = F.normalize(torch.randn(50, 12, generator=rng), dim=1)
    labels = torch.arange(50).repeat_interleave(8)
    values = vectors[labels] @ torch.randn(12, 30, generator=rng) + 0.5 * torch.randn(400, 30, generator=rng)
    classes = tuple(ClassText(f"class{i}", (f"text{i}",)) for i in range(50))
    text = Vectors({f"text{i}": vector for i, vector in enumerate(vectors)})
    seen = labels < 40
    clips = MemoryClips([f"clip{i}" for i in range(400)], values[:, None])
    train = TrainSet(
        clips.subset(seen.nonzero().flatten()), labels[seen], tuple(f"g{i}" for i in range(320)), classes[:40],
        tuple(described.name for described in classes[:10]), "toy",
    )  # fmt: skip
    return Planted(text, train, clips.subset((~seen).nonzero().flatten()), labels[~seen] - 40, classes[40:])


def random_seen(n: int = 60, d: int = 9, c: int = 7, e: int = 5) -> Seen:
    rng = np.random.default_rng(3)
    labels = torch.from_numpy(np.concatenate([np.arange(c), rng.integers(c, size=n - c)]))
    return Seen(
        torch.from_numpy(rng.normal(size=(n, d))).float(),
        labels,
        torch.from_numpy(rng.normal(size=(c, e))).float(),
        tuple(f"class{i}" for i in range(c)),
    )


# --- closed forms ---


def minimum(objective: Callable[[Tensor], Tensor], shape: tuple[int, int]) -> Tensor:
    """Return where a quadratic objective has no gradient, by conjugate gradients that see the objective alone."""

    def gradient(values: np.ndarray) -> np.ndarray:
        point = torch.from_numpy(values.reshape(shape)).requires_grad_()
        objective(point).backward()
        return point.grad.numpy().ravel()

    size = shape[0] * shape[1]
    offset = gradient(np.zeros(size))
    hessian = scipy.sparse.linalg.LinearOperator((size, size), lambda values: gradient(values) - offset, dtype=float)
    found, _ = scipy.sparse.linalg.cg(hessian, -offset, rtol=1e-14, maxiter=5000)
    assert np.abs(gradient(found)).max() < 1e-10 * max(1, np.abs(offset).max())
    return torch.from_numpy(found.reshape(shape))


@pytest.mark.parametrize(("targets", "others"), [("0/1", 0.0), ("-1/+1", -1.0)])
@pytest.mark.parametrize(("gamma", "lam"), [(0.3, 2.0), (5.0, 0.1), (1.0, 1.0)])
def test_eszsl_minimises_its_objective(gamma: float, lam: float, targets: str, others: float) -> None:
    seen = random_seen()
    x, s = seen.features.double().T, seen.vectors.double().T
    y = torch.where(F.one_hot(seen.labels) == 1, 1.0, others).double()

    def objective(v: Tensor) -> Tensor:
        squared = [(x.T @ v @ s - y), gamma**0.5 * (v @ s), lam**0.5 * (x.T @ v), (gamma * lam) ** 0.5 * v]
        return sum((term**2).sum() for term in squared)

    expected = minimum(objective, (9, 5))
    grid = {"targets": (targets,), "gamma": (gamma,), "lam": (lam,)}
    [(settings, scorer)] = ESZSL().learn(seen, grid, None)
    assert settings == {"targets": targets, "gamma": gamma, "lam": lam}
    torch.testing.assert_close(scorer(torch.eye(9), torch.eye(5)), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("lam", [0.05, 1.0, 20.0])
def test_sae_solves_its_sylvester_equation_and_minimises_its_objective(lam: float) -> None:
    seen = random_seen()
    x, s = seen.features.double().T, seen.vectors.double()[seen.labels].T
    w = scipy.linalg.solve_sylvester((s @ s.T).numpy(), (lam * x @ x.T).numpy(), ((1 + lam) * s @ x.T).numpy())
    expected = torch.from_numpy(w)
    minimiser = minimum(lambda w: ((x - w.T @ s) ** 2).sum() + lam * ((w @ x - s) ** 2).sum(), (5, 9))
    torch.testing.assert_close(minimiser, expected, rtol=1e-6, atol=1e-6)
    new_x, new_s = torch.randn(20, 9).double(), torch.randn(6, 5).double()
    for compare, clips, classes in (("text", new_x @ expected.T, new_s), ("visual", new_x, new_s @ expected)):
        [(_, scorer)] = SAE().learn(seen, {"lam": (lam,), "compare": (compare,)}, None)
        cosine = F.normalize(clips, dim=1) @ F.normalize(classes, dim=1).T
        torch.testing.assert_close(scorer(new_x, new_s), cosine, rtol=1e-6, atol=1e-6)


def test_sae_has_a_finite_solution_where_it_is_not_unique() -> None:
    seen = random_seen(n=8, d=30)  # fewer clips than features, fewer classes than text features
    [(_, scorer)] = SAE().learn(seen, {"lam": (1.0,), "compare": ("text",)}, None)
    assert scorer(seen.features, seen.vectors).isfinite().all()


def test_one_grid_gives_what_single_settings_give() -> None:
    seen, grid = random_seen(), {"targets": ("0/1", "-1/+1"), "gamma": (0.1, 10.0), "lam": (1.0, 3.0)}
    for settings, scorer in ESZSL().learn(seen, grid, None):
        [(_, alone)] = ESZSL().learn(seen, {name: (value,) for name, value in settings.items()}, None)
        assert torch.equal(scorer(seen.features, seen.vectors), alone(seen.features, seen.vectors))


# --- ranking ---


def loss_by_hand(kind: str, scores: list[float], own: int, margin: float) -> float:
    """Return a clip's loss as the papers write it, class by class."""
    violated = [margin + score - scores[own] for j, score in enumerate(scores) if j != own]
    positive = [value for value in violated if value > 0]
    if kind == "sje":
        return max([0.0, *violated])
    if kind == "ale" and positive:
        return sum(1 / (i + 1) for i in range(len(positive))) / len(positive) * sum(positive)
    return sum(positive)


@pytest.mark.parametrize("name", ["devise", "ale", "sje", "latem"])
def test_ranking_losses_are_those_of_the_papers(name: str) -> None:
    method = METHODS[name][0]()
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=(40, 6)), rng.integers(6, size=40)
    scores[0, labels[0]] = 99.0  # no class comes near
    scores[1, labels[1]] = -99.0  # all do
    given = method.loss(ranking.violations(torch.from_numpy(scores), torch.from_numpy(labels), method.margin))
    expected = [loss_by_hand(name, list(row), int(own), method.margin) for row, own in zip(scores, labels, strict=True)]
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-6, atol=1e-12)


def test_compatibility_is_the_best_of_the_maps() -> None:
    x, s, maps = torch.randn(4, 5), torch.randn(3, 2), torch.randn(6, 5, 2)
    expected = [[max(float(clip @ w @ text) for w in maps) for text in s] for clip in x]
    torch.testing.assert_close(ranking.compatibility(x, s, maps), torch.tensor(expected))


def test_the_epochs_of_one_training_are_those_of_shorter_ones(planted: Planted) -> None:
    seen = planted.train
    part = Seen(pooled(seen.clips), seen.labels, planted.text.encode([c.texts[0] for c in seen.classes]), ())
    grid = {"learning_rate": (1.0,), "epochs": (1, 3)}
    for settings, scorer in ALE().learn(part, grid, planted.context()):
        alone = {name: (value,) for name, value in settings.items()}
        [(_, shorter)] = ALE().learn(part, alone, planted.context())
        assert torch.equal(scorer(part.features, part.vectors), shorter(part.features, part.vectors))


# --- networks ---


def test_dem_steps_down_the_loss_over_all_clips(planted: Planted) -> None:
    """One row a class stands for all its clips: the gradient is that of the mean over clips."""
    rng = seeding.generator(2, "dem")
    x, s, labels = torch.rand(30, 6, generator=rng), torch.randn(4, 3, generator=rng), torch.arange(30) % 3
    w1, w2 = torch.randn(5, 3, generator=rng).requires_grad_(), torch.randn(6, 5, generator=rng).requires_grad_()

    def prototypes(vectors: Tensor) -> Tensor:
        return F.relu(F.relu(vectors @ w1.T) @ w2.T)

    over_clips = ((x - prototypes(s[labels])) ** 2).sum(1).mean()
    counts = torch.bincount(labels, minlength=4)
    means = torch.stack([x[labels == c].mean(0) for c in range(3)])
    over_classes = ((prototypes(s[:3]) - means) ** 2).sum(1) @ (counts[:3] / 30)
    for a, b in zip(
        torch.autograd.grad(over_clips, [w1, w2]), torch.autograd.grad(over_classes, [w1, w2]), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_dem_ranks_by_the_distance_it_names(planted: Planted) -> None:
    part = Seen(torch.rand(24, 6), torch.arange(24) % 4, torch.randn(4, 3), tuple("abcd"))
    grid = {"weight_decay": (1e-3,), "steps": (5,), "distance": ("euclidean", "cosine")}
    scorers = {settings["distance"]: scorer for settings, scorer in DEM(hidden=8).learn(part, grid, planted.context())}
    x, s = torch.rand(7, 6), torch.randn(5, 3)
    # The prototypes, read off the euclidean scores: 2 x p - p p at x = 0 and at the unit vectors.
    squares = -scorers["euclidean"](torch.zeros(1, 6), s)
    prototypes = ((scorers["euclidean"](torch.eye(6), s) + squares) / 2).T
    assert (prototypes >= 0).all()  # features are not negative, so the last layer rectifies
    near = torch.cdist(x, prototypes).argsort(1)
    assert torch.equal(scorers["euclidean"](x, s).argsort(1, descending=True), near)
    cosine = F.normalize(x, dim=1) @ F.normalize(prototypes, dim=1).T
    torch.testing.assert_close(scorers["cosine"](x, s), cosine, rtol=1e-4, atol=1e-4)


class Objects:
    """A visual part whose classifier knows six things, of which a clip shows those where its features are large."""

    labels = tuple((f"thing{i}", f"what thing {i} is") for i in range(6))

    def classify(self, features: Tensor) -> Tensor:
        return 9 * features[..., :6]


def with_objects(planted: Planted) -> Context:
    table = {f"thing{i}: what thing {i} is": torch.eye(12)[i] for i in range(6)}
    context = planted.context()
    return replace(context, parts=Parts(visual=Objects(), text=Vectors({**planted.text.table, **table})))


def test_er_takes_the_object_stream_where_there_is_a_classifier(planted: Planted) -> None:
    options = {"dim": 32, "learning_rate": 1e-3, "epochs": 2, "n_objects": 2}
    video, both, left_out = ER(**options), ER(**options), ER(**options, objects=False)
    video.fit(planted.train, planted.context())
    both.fit(planted.train, with_objects(planted))
    left_out.fit(planted.train, with_objects(planted))
    assert video.record()["streams"] == left_out.record()["streams"] == ["video"]
    assert both.record()["streams"] == ["video", "objects"]
    scores = [method.score(planted.test, planted.unseen, with_objects(planted)) for method in (video, both, left_out)]
    assert torch.equal(scores[0], scores[2])
    assert not torch.allclose(scores[0], scores[1])
    assert scores[1].isfinite().all()
    with pytest.raises(ZsarbenchError, match="and the run has no visual part"):
        ER(objects=True).fit(planted.train, planted.context())


def test_er_learns_from_objects_alone() -> None:
    """Features say nothing but which object there is; classes are those objects' own words."""
    rng = seeding.generator(4, "objects")
    labels = torch.arange(6).repeat_interleave(20)
    features = torch.cat([F.one_hot(labels, 6), torch.zeros(120, 2)], dim=1) + 0.05 * torch.rand(120, 8, generator=rng)
    numbers = labels[:, None].float()
    seen = Seen(torch.cat([features, numbers], dim=1), labels, torch.eye(6), tuple("abcdef"))
    options = ER(dim=16, dropout=0.0, n_objects=1)
    with seeding.fork_rng(rng):
        model = Streams(seen, torch.eye(6), 1, options).eval()
    # The object stream of a clip, ungated, is the text layer's embedding of its object.
    before = model.loss(seen.features, seen.vectors, labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model.loss(seen.features, seen.vectors, labels).backward()
        optimizer.step()
    assert model.loss(seen.features, seen.vectors, labels) < 0.5 * before
    assert torch.equal(model.scores(seen.features, seen.vectors).argmax(1), labels)


def test_er_loss_is_the_cross_entropies_of_the_paper() -> None:
    """Two clips, three classes, objects of which the batch shows three."""
    seen = Seen(torch.cat([torch.randn(2, 4), torch.tensor([[0.0, 3.0], [3.0, 1.0]])], dim=1), torch.tensor([2, 0]),
                torch.randn(3, 5), tuple("abc"))  # fmt: skip
    model = Streams(seen, torch.randn(4, 5), 2, ER(dim=8, rehearsal_weight=0.5)).eval()
    video, objects = model.embed_clips(seen.features)
    classes, things = model.embed_texts(seen.vectors), model.embed_texts(model.object_vectors[[0, 1, 3]])
    expected = 0.0
    for stream in (video, objects, video + objects):
        expected += F.cross_entropy(stream @ classes.T / 0.1, seen.labels)
        likely = (stream @ things.T / 0.1).softmax(1)
        own = torch.stack([likely[0, 0], likely[0, 2], likely[1, 2], likely[1, 1]])
        expected -= 0.5 * own.log().mean()
    torch.testing.assert_close(model.loss(seen.features, seen.vectors, seen.labels), expected)


# --- all of them ---


@pytest.mark.parametrize("name", METHODS)
def test_a_planted_relation_reaches_unseen_classes(planted: Planted, name: str) -> None:
    target, options = METHODS[name]
    assert planted.accuracy(target(**options)) > 0.7  # chance is 0.1


@pytest.mark.parametrize("name", METHODS)
def test_without_the_relation_nothing_is_reached(planted: Planted, name: str) -> None:
    target, options = METHODS[name]
    order = torch.randperm(320, generator=seeding.generator(5, "shuffled"))
    shuffled = replace(planted.train, labels=planted.train.labels[order])
    assert planted.accuracy(target(**options), shuffled) < 0.35


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_bits_and_classes_do_not_touch_each_other(planted: Planted, name: str) -> None:
    target, options = METHODS[name]
    scores = []
    for _ in range(2):
        method = target(**options)
        method.fit(planted.train, planted.context())
        scores.append(method.score(planted.test, planted.unseen, planted.context()))
    assert torch.equal(*scores)
    assert method.class_independent
    fewer = method.score(planted.test, planted.unseen[2:5], planted.context())
    torch.testing.assert_close(fewer, scores[0][:, 2:5])


@pytest.mark.parametrize("name", METHODS)
def test_unread_clips_are_left_out_and_score_nan(planted: Planted, name: str) -> None:
    target, options = METHODS[name]
    values = torch.cat([planted.train.clips.rows(range(320)).values, torch.zeros(1, 1, 30)])
    mask = torch.ones(321, 1, dtype=torch.bool)
    mask[320] = False
    with_unread = replace(
        planted.train,
        clips=MemoryClips([f"clip{i}" for i in range(321)], values, mask),
        labels=torch.cat([planted.train.labels, torch.tensor([7])]),
        groups=(*planted.train.groups, "g"),
    )
    method = target(**options)
    method.fit(with_unread, planted.context())
    scores = method.score(with_unread.clips, planted.unseen, planted.context())
    assert scores[:320].isfinite().all()
    assert scores[320].isnan().all()
    method.fit(planted.train, planted.context())
    torch.testing.assert_close(method.score(planted.train.clips, planted.unseen, planted.context()), scores[:320])


@pytest.mark.parametrize("name", METHODS)
def test_seen_bias_is_taken_off_seen_classes_alone(planted: Planted, name: str) -> None:
    target, given = METHODS[name]
    classes = (*planted.train.classes[:2], *planted.unseen[:2])
    scores = []
    for bias in ({}, {"seen_bias": 0.0}, {"seen_bias": 2.5}):
        method = target(**given, **bias)
        method.fit(planted.train, planted.context())
        scores.append(method.score(planted.test, classes, planted.context()))
    assert torch.equal(scores[0], scores[1])  # nothing is taken off unless requested
    difference = (scores[1] - scores[2]).mean(0)
    torch.testing.assert_close(difference, torch.tensor([2.5, 2.5, 0.0, 0.0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_to_learn_from_is_an_error(planted: Planted, name: str) -> None:
    target, _ = METHODS[name]
    with pytest.raises(ZsarbenchError, match="seen classes"):
        target().fit(None, planted.context())
    with pytest.raises(ZsarbenchError, match="before it was fitted"):
        target().score(planted.test, planted.unseen, planted.context())
    with pytest.raises(ZsarbenchError, match="--text"):
        target().fit(planted.train, replace(planted.context(), parts=Parts()))


# --- clips and classes as vectors ---


def test_padding_is_never_averaged_in() -> None:
    clips = MemoryClips(["a", "b"], [torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 4.0], [4.0, 0.0], [0.0, 2.0]])])
    assert torch.equal(pooled(clips), torch.tensor([[1.0, 3.0], [2.0, 2.0]]))


def test_standardising_copes_with_a_constant_feature() -> None:
    features = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    torch.testing.assert_close(Scaling.of(features, "standardised")(features), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))


def test_a_class_vector_is_the_mean_of_its_texts(planted: Planted) -> None:
    both = ClassText("both", ("text40", "text41"))
    mean = ClassText("mean", ("mean",))
    table = {**planted.text.table, "mean": planted.text.encode(["text40", "text41"]).mean(0) * 3}
    method = ESZSL(gamma=1.0, lam=1.0, targets="0/1", features="l2")
    method.fit(planted.train, planted.context())
    scores = method.score(planted.test, [both, mean], replace(planted, text=Vectors(table)).context())
    torch.testing.assert_close(scores[:, 0], scores[:, 1])


# --- the selection ---


def test_given_options_skip_the_selection(planted: Planted) -> None:
    method = ESZSL(gamma=1.0, lam=0.1, targets="-1/+1", features="standardised")
    method.fit(planted.train, planted.context())
    assert method.record() == {
        "settings": {"features": "standardised", "targets": "-1/+1", "gamma": 1.0, "lam": 0.1},
        "chosen_on": "given",
    }


def test_classes_of_the_validation_set_choose_the_settings_and_are_not_learnt_from(planted: Planted) -> None:
    whole = planted.train
    held = whole.labels < len(whole.validation)  # the first ten classes

    def part(kept: Tensor, classes: slice) -> TrainSet:
        groups = tuple(group for group, keep in zip(whole.groups, kept.tolist(), strict=True) if keep)
        clips, labels = whole.clips.subset(kept.nonzero().flatten()), whole.labels[kept] - (classes.start or 0)
        return TrainSet(clips, labels, groups, whole.classes[classes], (), whole.dataset)

    seen, choosing = part(~held, slice(10, None)), part(held, slice(None, 10))
    method = ESZSL()
    method.fit(replace(seen, validation=whole.validation, validation_set=choosing), planted.context())
    record = method.record()
    assert record["chosen_on"] == list(whole.validation)
    given = ESZSL(**record["settings"])
    given.fit(seen, planted.context())
    scores = [fitted.score(planted.test, planted.unseen, planted.context()) for fitted in (method, given)]
    assert torch.equal(*scores)


def test_settings_are_chosen_on_the_validation_classes_and_learnt_from_all_seen_ones(planted: Planted) -> None:
    learnt: list[tuple[str, ...]] = []

    class Spy(ESZSL):
        def learn(self, seen: Seen, grid: Any, context: Any) -> Any:
            learnt.append(seen.names)
            assert len(seen.features) == 8 * len(seen.names)
            return super().learn(seen, grid, context)

    method = Spy(features="l2")
    method.fit(planted.train, planted.context())
    seen = tuple(described.name for described in planted.train.classes)
    assert learnt == [seen[10:], seen]
    record = method.record()
    assert record["chosen_on"] == list(planted.train.validation)
    grid, reached = record["tried"]["grid"], record["tried"]["validation_top1_per_class"]
    assert len(reached) == math.prod(map(len, grid.values())) == 2 * 49  # both targets, seven of gamma and of lam
    assert record["validation_top1_per_class"] == max(reached)
    settings = list(settings_of(grid))[reached.index(max(reached))]
    assert settings == record["settings"]


def test_the_better_setting_on_validation_classes_is_taken() -> None:
    seen = Seen(torch.arange(6.0)[:, None], torch.arange(6) // 1, torch.eye(6), tuple("abcdef"))

    def candidates(part: Seen, grid: Any) -> Any:
        for good in grid["good"]:
            yield {"good": good}, lambda x, s, good=good: good * s[(x[:, 0].long() - x[:, 0].long().min())] @ s.T

    settings, record = choose(seen, {"good": (-1, 1, 0)}, candidates, ("e", "f"), torch.Generator())
    assert settings == {"good": 1}
    assert record["tried"] == {"grid": {"good": [-1, 1, 0]}, "validation_top1_per_class": [0.0, 1.0, 0.5]}


def test_classes_are_drawn_where_the_protocol_names_none() -> None:
    seen = random_seen(n=70, c=20)
    held = held_out(seen, (), torch.Generator().manual_seed(1))
    assert held is not None
    assert int(held.sum()) == 4
    assert not torch.equal(held, held_out(seen, (), torch.Generator().manual_seed(2)))
    assert held_out(seen, ("class1", "class3", "stranger"), torch.Generator()).nonzero().flatten().tolist() == [1, 3]


def test_too_few_classes_to_hold_any_out_take_the_first_settings() -> None:
    seen = random_seen(n=9, c=3)
    settings, record = choose(seen, {"a": (3, 4), "b": (1,)}, lambda *_: iter(()), (), torch.Generator())
    assert settings == {"a": 3, "b": 1}
    assert record["chosen_on"] == "too few seen classes"


def test_part_of_the_classes_renumbers_labels() -> None:
    seen = random_seen()
    part = seen.of_classes(torch.tensor([False, True, True, False, True, False, False]))
    assert part.names == ("class1", "class2", "class4")
    for number, name in enumerate(part.names):
        own = seen.features[seen.labels == int(name[-1])]
        assert torch.equal(part.features[part.labels == number], own)
        assert torch.equal(part.vectors[number], seen.vectors[int(name[-1])])

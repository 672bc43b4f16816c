"""The methods in text space: each against its paper's equation written as loops over toys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, Context, Parts
from zsarbench.utils import seeding
from zsarbench.utils.classifiers import Classifier
from zsarbench.utils.progress import LogProgress
from zsarbench_methods.conse import ConSE
from zsarbench_methods.objects import top_objects
from zsarbench_methods.objects2action import Objects2Action
from zsarbench_methods.objsent import ObjSent
from zsarbench_methods.zsarcap import ZSARCap, plain

LABELS = tuple((f"thing{i}", "" if i == 3 else f"what thing {i} is") for i in range(7))
CLASSES = (ClassText("rowing", ("rowing a boat", "moving oars")), ClassText("skiing", ("sliding on snow",)),
           ClassText("chess", ("moving pieces", "thinking")))  # fmt: skip


class Hashed:
    """A text encoder that gives each sentence a random vector of its own, of any length."""

    dim = 16
    space = "hashed"
    fingerprint: Mapping[str, str] = {}

    def encode(self, texts: Sequence[str]) -> Tensor:
        rows = [3 * torch.randn(self.dim, generator=seeding.generator(0, text)) for text in texts]
        return torch.stack(rows) if rows else torch.empty(0, self.dim)


class Sees:
    """A visual part with a linear classifier of seven things."""

    space = None
    labels = LABELS
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))

    def classify(self, features: Tensor) -> Tensor:
        return features @ self.weight


def context(visual: Any = None, text: Any = None, seed: int = 0) -> Context:
    return Context(
        parts=Parts(visual=visual, text=text or Hashed()),
        device=torch.device("cpu"),
        dtype=torch.float32,
        generator=lambda name: seeding.generator(seed, name),
        checkpoints=None,
        resume=False,
        progress=LogProgress(),
    )


def clips(captions: Sequence[tuple[str, ...]] | None = None, unread: int | None = None) -> MemoryClips:
    rng = torch.Generator().manual_seed(7)
    steps = [torch.randn(1 + i % 3, 5, generator=rng) for i in range(9)]
    if unread is not None:
        steps[unread] = torch.empty(0, 5)
    return MemoryClips([f"clip{i}" for i in range(9)], steps, captions=captions)


def probabilities(of: MemoryClips) -> list[list[float]]:
    """Return each clip's mean probability of each label, step by step."""
    steps = of.rows(range(len(of)))
    found = []
    for values, mask in zip(steps.values, steps.mask, strict=True):
        rows = []
        for step in values[mask]:
            exponents = [math.exp(float(value)) for value in Sees().classify(step)]
            rows.append([value / sum(exponents) for value in exponents])
        found.append([sum(column) / len(rows) for column in zip(*rows, strict=True)])
    return found


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def class_vector(described: ClassText) -> Tensor:
    return Hashed().encode(described.texts).mean(0)


def largest(values: Sequence[float], count: int) -> list[int]:
    return sorted(range(len(values)), key=lambda i: -values[i])[:count]


def object_scores(of: MemoryClips, per_class: int, per_clip: int, texts: Sequence[str]) -> Tensor:
    """Return the sum over objects of probability times similarity, by the definition."""
    similar = [[cosine(class_vector(c), Hashed().encode([text])[0]) for text in texts] for c in CLASSES]
    scores = [
        [sum(p[i] * row[i] for i in largest(p, per_clip) if i in largest(row, per_class)) for row in similar]
        for p in probabilities(of)
    ]
    return torch.tensor(scores)


# --- objects ---


def test_top_objects_are_the_mean_probabilities_of_the_steps() -> None:
    found = Classifier(LABELS, Sees().classify)
    top = top_objects(clips(), found, 3)
    for p, values, labels in zip(probabilities(clips()), top.probabilities, top.labels, strict=True):
        assert labels.tolist() == largest(p, 3)
        torch.testing.assert_close(values, torch.tensor([p[i] for i in largest(p, 3)]))
    assert top_objects(clips(), found, 99).labels.shape == (9, 7)


def test_an_object_is_described_as_requested() -> None:
    found = Classifier(LABELS, Sees().classify)
    assert found.texts("names")[2] == "thing2"
    assert found.texts("definitions")[2] == "what thing 2 is"
    assert found.texts("both")[2] == "thing2: what thing 2 is"
    assert found.texts("both")[3] == found.texts("definitions")[3] == "thing3"


@pytest.mark.parametrize("n_objects", [1, 3, 99])
def test_conse_is_the_convex_combination(n_objects: int) -> None:
    method = ConSE(n_objects=n_objects)
    scores = method.score(clips(), CLASSES, context(Sees()))
    names = F.normalize(Hashed().encode([name for name, _ in LABELS]), dim=1)
    for row, p in zip(scores, probabilities(clips()), strict=True):
        best = largest(p, n_objects)
        vector = sum(p[i] * names[i] for i in best) / sum(p[i] for i in best)
        expected = [cosine(vector, class_vector(described)) for described in CLASSES]
        torch.testing.assert_close(row, torch.tensor(expected))


@pytest.mark.parametrize(("per_class", "per_clip"), [(2, 3), (7, 7), (1, 7), (100, 100)])
def test_objects2action_is_the_sum_over_shared_objects(per_class: int, per_clip: int) -> None:
    method = Objects2Action(objects_per_class=per_class, objects_per_clip=per_clip)
    scores = method.score(clips(), CLASSES, context(Sees()))
    expected = object_scores(clips(), per_class, per_clip, [name for name, _ in LABELS])
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-6)


def shares(scores: Tensor) -> Tensor:
    positive = scores.clamp(min=0)
    return positive / positive.sum(1, keepdim=True)


def test_objsent_without_captions_is_objects_by_definition() -> None:
    texts = [definition or name for name, definition in LABELS]
    scores = ObjSent(objects_per_class=4, objects_per_clip=6).score(clips(), CLASSES, context(Sees()))
    torch.testing.assert_close(scores, shares(object_scores(clips(), 4, 6, texts)), rtol=1e-4, atol=1e-6)


def test_objsent_adds_what_captions_say_of_the_classes() -> None:
    """Captions that are class sentences are recognised; clip 4 has none and keeps its objects alone."""
    sentences = [CLASSES[i % 3].texts[0] for i in range(9)]
    captions = [() if i == 4 else (sentences[i],) for i in range(9)]
    options = {"objects_per_class": 4, "epochs": 200}
    fused = ObjSent(**options).score(clips(captions), CLASSES, context(Sees()))
    alone = ObjSent(**options, object_weight=0.0).score(clips(captions), CLASSES, context(Sees()))
    objects = ObjSent(**options).score(clips(), CLASSES, context(Sees()))
    others = [i for i in range(9) if i != 4]
    assert alone[others].argmax(1).tolist() == [i % 3 for i in others]
    torch.testing.assert_close(alone.sum(1), torch.ones(9))
    torch.testing.assert_close(fused[4], objects[4])
    torch.testing.assert_close(fused[others], 0.6 * objects[others] + 0.4 * alone[others])


def test_objsent_joins_captions_and_repeats_itself() -> None:
    two, one = [("a b", "c")] * 9, [("a b c",)] * 9
    runs = [ObjSent().score(clips(captions), CLASSES, context(Sees())) for captions in (two, one, two)]
    assert torch.equal(runs[0], runs[1])
    assert torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], ObjSent().score(clips(two), CLASSES, context(Sees(), seed=1)))


@pytest.mark.parametrize("target", [ConSE, Objects2Action, ObjSent])
def test_unread_clips_score_nan(target: type) -> None:
    captions = [("a",)] * 9
    method = target()
    method.fit(None, context(Sees()))
    scores = method.score(clips(captions, unread=2), CLASSES, context(Sees()))
    assert scores[2].isnan().all()
    kept = [i for i in range(9) if i != 2]
    assert scores[kept].isfinite().all()
    torch.testing.assert_close(scores[kept], method.score(clips(captions), CLASSES, context(Sees()))[kept])


class Unnamed(Sees):
    labels = None


@pytest.mark.parametrize("target", [ConSE, Objects2Action, ObjSent])
def test_a_visual_part_without_a_classifier_is_refused_by_name(target: type) -> None:
    parts = {None: "the run has no visual part", object(): "part object has none", Unnamed(): "part Unnamed has none"}
    for visual, problem in parts.items():
        with pytest.raises(UsageError, match=rf"method '\w+' reads .*{problem}\. Try: --visual NAME.* list visual"):
            target().fit(None, context(visual))


@pytest.mark.parametrize("target", [ConSE, Objects2Action])
def test_a_class_does_not_depend_on_the_others(target: type) -> None:
    assert target.class_independent
    every = target().score(clips(), CLASSES, context(Sees()))
    torch.testing.assert_close(target().score(clips(), CLASSES[1:2], context(Sees())), every[:, 1:2])


# --- zsarcap ---

DOCUMENT = (
    "Rowing is the act of moving a boat over water with oars in both hands. Short one. "
    "A crew of eight rows along the river while somebody in the stern calls the rhythm of the strokes! "
    "The boathouse sells coffee and cake to everybody who visits it on a warm Sunday afternoon in May."
)


class Counted(Hashed):
    """A text encoder whose vectors count some words."""

    words = ("rowing", "rows", "boat", "coffee", "snow")

    def encode(self, texts: Sequence[str]) -> Tensor:
        counts = [[float(text.lower().split().count(word)) for word in self.words] for text in texts]
        return torch.tensor(counts) + 0.1


def test_sentences_are_chosen_by_length_and_by_nearness_to_the_name() -> None:
    described = ClassText("Rowing", (DOCUMENT,))
    method = ZSARCap(min_words=12, max_sentences=2)
    chosen = method.choose(described, Counted())
    assert [sentence.split()[:3] for sentence in chosen] == [["rowing", "is", "the"], ["a", "crew", "of"]]
    assert all(sentence.endswith(" rowing") for sentence in chosen)
    assert not any("short" in sentence for sentence in chosen)
    assert not any(sentence.endswith(" rowing") for sentence in ZSARCap(append_name=False).choose(described, Counted()))


def test_a_class_without_a_long_sentence_keeps_its_texts() -> None:
    described = ClassText("ski_jump", ("Down it goes. And up.", "Snow."))
    assert sorted(ZSARCap().choose(described, Counted())) == ["Down it goes. And up. ski jump", "Snow. ski jump"]


def test_the_score_is_the_largest_cosine_to_the_mean_of_the_captions() -> None:
    classes = (ClassText("Rowing", (DOCUMENT,)), ClassText("Skiing", ("Sliding down on snow.",)))
    rng = torch.Generator().manual_seed(3)
    steps = [torch.randn(2, 5, generator=rng), torch.randn(3, 5, generator=rng), torch.empty(0, 5)]
    method = ZSARCap(min_words=8)
    scores = method.score(MemoryClips("abc", steps), classes, context(text=Counted()))
    for row, captions in zip(scores[:2], steps, strict=False):
        for value, described in zip(row, classes, strict=True):
            sentences = Counted().encode(method.choose(described, Counted()))
            expected = max(cosine(captions.mean(0), sentence) for sentence in sentences)
            assert float(value) == pytest.approx(expected, abs=1e-6)
    assert scores[2].isnan().all()


class Captions:
    space = "hashed"


def test_zsarcap_needs_clips_in_the_text_space() -> None:
    ZSARCap().fit(None, context(Captions()))
    for visual in (None, Sees()):
        with pytest.raises(UsageError, match="--visual captions"):
            ZSARCap().fit(None, context(visual))


def test_sentences_are_reduced_to_letters_and_marks() -> None:
    assert plain("Cafés (since 1900) serve, on request[1], flambé!") == "cafes since serve, on request , flambe!"

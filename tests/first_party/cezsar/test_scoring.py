"""CEZSAR's three modes, its prototypes, and what refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from zsarbench.errors import UsageError
from zsarbench.features import FeatureStore
from zsarbench.features.clips import MemoryClips
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.clips import StoredClips
from zsarbench.interfaces import ClassText, Context, Parts
from zsarbench.testing import toys
from zsarbench.utils import seeding
from zsarbench.utils.classifiers import Classifier
from zsarbench_cezsar import scoring
from zsarbench_cezsar.losses import Triplet
from zsarbench_cezsar.method import Cezsar
from zsarbench_cezsar.model import JointModel
from zsarbench_cezsar.negatives import Uniform
from zsarbench_cezsar.objects import ObjectTexts, clip_sentences
from zsarbench_cezsar.scoring import prototypes

SMALL: dict[str, Any] = {
    "d_model": 32, "feedforward": 32, "joint_dim": 16, "learning_rate": 3e-3, "batch_size": 48, "max_epochs": 15,
    "max_steps": toys.MAX_STEPS, "patience": 15,
}  # fmt: skip
WORDS = toys.LABELS[:5]  # of them every prop of the toys' classes


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class SeesProps(toys.ToyVisual):
    """Knows the props of the toy clips, whose features hold the vectors of their class's words."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = tuple((word, f"a {word} that a person may lift or push, so it seems") for word in WORDS)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return 3 * features @ toys.ToyText().encode(WORDS).T


class NamesProps(SeesProps):
    """Knows their names alone."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = tuple((word, "") for word in WORDS)


def context(visual: SeesProps | None = None, seed: int = 0) -> Context:
    parts = {"visual": visual or SeesProps(), "text": toys.ToyText(), "negatives": Uniform(), "loss": Triplet()}
    return toys.context(parts=parts, seed=seed)


def fitted(**options: Any) -> Cezsar:
    method = Cezsar(**SMALL | options)
    method.fit(toys.train_set(), context())
    return method


def scored(method: Cezsar, classes: tuple[ClassText, ...] = (), clips: MemoryClips | None = None) -> torch.Tensor:
    return method.score(clips or toys.clips(toys.UNSEEN), classes or toys.class_texts(toys.UNSEEN), context())


def test_the_modes_differ_and_each_beats_chance() -> None:
    """The toys' unseen classes have four different props, so that the likeliest object's name tells them apart.

    A toy has few clips, and one fit of it may miss all of two classes: the mean over four seeds is what counts.
    """
    n_seeds, reached, first = 4, dict.fromkeys(("visual", "object", "visual_object"), 0.0), {}
    for mode in reached:
        for seed in range(n_seeds):
            given = context(visual=NamesProps(), seed=seed)
            method = Cezsar(**SMALL, mode=mode, objects_per_clip=1)
            method.fit(toys.train_set(), given)
            scores = method.score(toys.clips(toys.UNSEEN), toys.class_texts(toys.UNSEEN), given)
            reached[mode] += toys.accuracy(scores) / n_seeds
            first.setdefault(mode, scores)
    assert all(accuracy > 0.4 for accuracy in reached.values()), reached  # chance is 0.25
    assert not torch.equal(first["visual"], first["object"])
    assert not torch.equal(first["visual"], first["visual_object"])


def test_fused_vectors_are_the_weighted_sum_of_both_sides() -> None:
    """Equation 9: 0.8 visual + 0.2 object, of vectors that are not scaled to unit length."""
    method, clips = fitted(object_sentences=0), toys.clips(toys.UNSEEN)
    assert method._fitted is not None
    sides = {}
    for mode in ("visual", "object", "visual_object"):
        options = replace(method._scoring_options(), mode=mode)
        with torch.inference_mode():
            sides[mode] = scoring.embed(method._fitted.model, clips, context(), options)
    torch.testing.assert_close(sides["visual_object"], 0.8 * sides["visual"] + 0.2 * sides["object"])
    whole = replace(method._scoring_options(), mode="visual_object", visual_weight=1.0)
    with torch.inference_mode():
        alone = scoring.embed(method._fitted.model, clips, context(), whole)
    torch.testing.assert_close(alone, sides["visual"])


def test_what_is_not_chosen_is_as_in_the_paper_and_its_release() -> None:
    chosen, method = scoring.Options(), Cezsar()
    assert (chosen.visual_weight, chosen.objects_per_clip, chosen.mode) == (0.8, 3, "visual")
    assert (method.visual_weight, method.objects_per_clip, method.mode) == (0.8, 3, "visual")
    assert (chosen.neighbours, chosen.prototypes, chosen.padding, chosen.normalise_at_test) == (
        None,
        None,
        "mask",
        True,
    )


def test_three_sentences_vote_where_a_class_has_several() -> None:
    model = JointModel(toys.DIM, toys.DIM, d_model=4, joint_dim=4, n_heads=1, feedforward=4).eval()

    def of(sentences: int) -> torch.Tensor:
        classes = toys.class_texts(toys.UNSEEN, sentences)
        return scoring.scores(model, toys.clips(toys.UNSEEN), classes, context(), scoring.Options())

    votes = of(2).floor().sum(1)
    assert torch.equal(votes, torch.full_like(votes, 3.0))
    assert (of(1) <= 1).all()  # a cosine, where each class has one


def test_arithmetic_is_below_float32_where_the_run_asks_for_it_alone() -> None:
    method, clips, classes = fitted(object_sentences=0), toys.clips(toys.UNSEEN), toys.class_texts(toys.UNSEEN)
    whole, half = (
        method.score(clips, classes, replace(context(), dtype=dtype)) for dtype in (torch.float32, torch.bfloat16)
    )
    assert not torch.equal(whole, half)
    torch.testing.assert_close(whole, half, rtol=0.0, atol=0.1)


@pytest.mark.parametrize("mode", ["object", "visual_object"])
def test_a_clip_that_was_not_read_scores_nan_in_every_mode(mode: str) -> None:
    clips = toys.clips(toys.UNSEEN, unread=2)
    scores = scored(fitted(mode=mode, max_epochs=1), clips=clips)
    assert scores[-2:].isnan().all()
    assert scores[:-2].isfinite().all()


def test_a_clips_objects_are_those_of_its_first_steps() -> None:
    values = torch.zeros(1, 6, 3)
    values[0, :2, 1], values[0, 2:, 2] = 5.0, 50.0
    clips = MemoryClips(["a"], values)
    found = Classifier((("cup", "for tea"), ("door", "of wood"), ("ball", "")), lambda features: features)
    texts = ObjectTexts(found.labels)
    assert clip_sentences(clips, torch.tensor([0]), found, texts, 1, 2) == ["door: of wood"]
    assert clip_sentences(clips, torch.tensor([0]), found, texts, 2, 6) == ["ball. door: of wood"]


def test_object_sentences_are_learnt_from_where_the_visual_part_names_objects() -> None:
    record = fitted(max_epochs=1).record()
    assert record["pairing"]["n_sentences_kept"] > 0
    assert record["n_pairs"] > fitted(max_epochs=1, object_sentences=0).record()["n_pairs"]
    blind = replace(context(), parts=replace(context().parts, visual=None))
    method = Cezsar(**SMALL | {"max_epochs": 1})
    method.fit(toys.train_set(), blind)
    assert method.record()["pairing"] == {}


@pytest.mark.parametrize("mode", ["visual", "visual_object"])
def test_steps_that_the_model_does_not_see_are_left_unread_and_change_nothing(tmp_path: Path, mode: str) -> None:
    """Stored clips are cut at `max_steps`; clips in memory, which cannot be, give the same bits."""
    train, test = toys.train_set(), toys.clips(toys.UNSEEN)
    scores = {}
    for kind in ("memory", "stored"):
        given = {}
        for name, clips in (("train", train.clips), ("test", test)):
            given[name] = stored(tmp_path / f"{kind}-{name}", clips) if kind == "stored" else clips
            assert given[name].max_steps == toys.MAX_STEPS
        method = Cezsar(**SMALL | {"max_steps": 3, "max_epochs": 2}, mode=mode)
        method.fit(replace(train, clips=given["train"]), context())
        scores[kind] = method.score(given["test"], toys.class_texts(toys.UNSEEN), context())
    assert torch.equal(scores["memory"], scores["stored"])


def stored(folder: Path, clips: MemoryClips) -> StoredClips:
    """Return the same clips from a store."""
    found = FeatureStore(folder).open(FeatureKey("toy", "1", {"name": "toy"}, {}), clips.dim)
    steps = clips.rows(range(len(clips)))
    rows = {clip: value[kept] for clip, value, kept in zip(clips.ids, steps.values, steps.mask, strict=True)}
    found.adopt(found.write(rows))
    return found.clips(clips.ids, captions=clips.captions)


@pytest.mark.parametrize("options", [{"mode": "object"}, {"mode": "visual_object"}, {"object_sentences": 2}])
def test_objects_of_a_visual_part_without_a_classifier_are_refused_before_anything_is_extracted(
    options: dict[str, Any],
) -> None:
    with pytest.raises(UsageError, match="and the run has no visual part"):
        Cezsar(**options).check_parts(Parts())
    Cezsar(**options).check_parts(Parts(visual=SeesProps()))
    Cezsar().check_parts(Parts())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"visual_weight": 1.5}, r"visual_weight=1.5 is not in \[0, 1\]"),
        ({"window_seconds": 0.0}, "window_seconds=0.0 is not above 0"),
        ({"object_sentences": -1}, "object_sentences=-1 is below 0"),
        ({"prototypes": 0}, "prototypes=0 is below 1"),
        ({"n_windows": 0}, "n_windows=0 is below 1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Cezsar(**options)


# --- prototypes -------------------------------------------------------------------------------------------------------


def bunches() -> tuple[torch.Tensor, torch.Tensor]:
    """Return two classes of 12 sentences in three tight bunches each, and a class of one sentence."""
    rng = torch.Generator().manual_seed(1)
    centres = F.normalize(torch.randn(6, 8, generator=rng), dim=1)
    rows = centres.repeat_interleave(4, 0) + 0.01 * torch.randn(24, 8, generator=rng)
    return torch.cat([rows, torch.randn(1, 8, generator=rng)]), torch.tensor([0] * 12 + [1] * 12 + [2])


def test_each_bunch_of_sentences_keeps_one() -> None:
    sentences, owner = bunches()
    kept = prototypes(sentences, owner, 3, seeding.generator(0))
    assert [int(row) // 4 for row in kept] == [0, 1, 2, 3, 4, 5, 6]
    assert torch.equal(kept, prototypes(sentences, owner, 3, seeding.generator(0)))


def test_a_class_keeps_the_same_prototypes_whichever_other_classes_there_are() -> None:
    sentences, owner = bunches()
    whole = prototypes(sentences, owner, 3, seeding.generator(0))
    alone = prototypes(sentences[owner == 1], owner[owner == 1], 3, seeding.generator(0))
    assert (alone + 12).tolist() == whole[owner[whole] == 1].tolist()


def test_few_and_equal_sentences_are_kept_once() -> None:
    sentences = torch.eye(3)[[0, 0, 1, 1, 1, 2]]
    assert prototypes(sentences, torch.tensor([0, 0, 0, 0, 0, 1]), 5, seeding.generator(0)).tolist() == [0, 2, 5]


def test_prototypes_of_many_sentences_recognise_too() -> None:
    many = toys.class_texts(toys.UNSEEN, sentences=3)
    scores = [scored(fitted(object_sentences=0, prototypes=n), many) for n in (None, 1)]
    assert toys.accuracy(scores[1]) > 0.4  # chance is 0.25
    assert not torch.equal(*scores)

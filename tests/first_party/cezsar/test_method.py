"""CEZSAR on a planted problem: it finds unseen classes, owes that to its captions, and goes on where it was cut off.

Run as a script, this file fits the toy with checkpoints in a folder; the test of a kill does that.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from zsarbench.errors import NoNegatives, UsageError, ZsarbenchError
from zsarbench.features import MemoryClips
from zsarbench.interfaces import ClassText, Context, NegativeDraw, Parts, Sampling, Steps, TrainSet
from zsarbench.utils.seeding import generator
from zsarbench_cezsar import checkpoints
from zsarbench_cezsar.batches import Corpus, shown
from zsarbench_cezsar.losses import HingeRank, InfoNCE, Sigmoid, Triplet
from zsarbench_cezsar.method import Cezsar
from zsarbench_cezsar.negatives import CosineWindow, Hardest, InBatch, SemiHard, Uniform
from zsarbench_cezsar.pairs import make_pairs
from zsarbench_cezsar.pretrained import load_model
from zsarbench_cezsar.scoring import nearest

MOTIONS, PROPS, CLIPS_A_CLASS, MAX_STEPS, DIM, TEXT_DIM = 6, 6, 6, 6, 48, 32
SMALL = {
    "d_model": 32, "feedforward": 32, "joint_dim": 16, "learning_rate": 3e-3, "batch_size": 48,
    "max_epochs": 20, "max_steps": MAX_STEPS,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute small things on one thread: several wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Clips:
    """Clip features held in memory."""

    def __init__(self, ids, values: Tensor, mask: Tensor, captions, captions_in_steps: str = "none") -> None:
        self.ids, self.values, self.mask = tuple(ids), values, mask
        self.captions, self.captions_in_steps = captions, captions_in_steps
        self.max_steps, self.dim = values.shape[1:]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Sequence[int] | Tensor) -> Steps:
        index = torch.as_tensor(index)
        return Steps(self.values[index], self.mask[index])

    def subset(self, index: Sequence[int] | Tensor) -> Clips:
        index = torch.as_tensor(index)
        captions = self.captions and tuple(self.captions[int(i)] for i in index)
        ids = [self.ids[int(i)] for i in index]
        return Clips(ids, self.values[index], self.mask[index], captions, self.captions_in_steps)


class Words:
    """Sums a fixed random vector per word."""

    dim, space, fingerprint = TEXT_DIM, None, {"weights_sha256": "words"}

    def encode(self, texts: Sequence[str]) -> Tensor:
        vectors = [sum(word_vector(word, TEXT_DIM) for word in text.split()) for text in texts]
        return torch.stack(vectors)


def word_vector(word: str, dim: int, space: str = "text") -> Tensor:
    return torch.randn(dim, generator=generator(0, space, word))


class Quiet:
    """Shows nothing, and may be given an action after some steps."""

    def __init__(self, after: int = -1, act=None) -> None:
        self.after, self.act, self.count = after, act, 0

    @contextmanager
    def task(self, description: str, total: int | None = None):
        yield self

    def advance(self, n: int = 1, note: str = "") -> None:
        self.count += n
        if self.count == self.after:
            self.act()


def toy() -> tuple[Clips, Tensor, tuple[str, ...], tuple[ClassText, ...]]:
    """Return clips of every motion with every prop, their labels, sources and class sentences.

    A step shows motion and prop as sums of fixed vectors in noise; captions name both, and something irrelevant.
    """
    rng = generator(0, "toy")
    values = torch.zeros(MOTIONS * PROPS * CLIPS_A_CLASS, MAX_STEPS, DIM)
    mask = torch.zeros(len(values), MAX_STEPS, dtype=torch.bool)
    captions, labels, groups, classes = [], [], [], []
    for motion in range(MOTIONS):
        for prop in range(PROPS):
            label = len(classes)
            classes.append(ClassText(f"{motion}-{prop}", (f"to motion{motion} a prop{prop}",)))
            shown = word_vector(f"motion{motion}", DIM, "video") + word_vector(f"prop{prop}", DIM, "video")
            for number in range(CLIPS_A_CLASS):
                row, n_steps = len(labels), int(torch.randint(2, MAX_STEPS + 1, (1,), generator=rng))
                values[row, :n_steps] = shown + 1.5 * torch.randn(n_steps, DIM, generator=rng)
                mask[row, :n_steps] = True
                captions.append(
                    (f"motion{motion} the prop{prop} by{number}", f"a prop{prop} motion{motion} at{row % 7}")
                )
                labels.append(label)
                groups.append(f"source{label}-{number // 2}")
    clips = Clips([f"clip{i:03d}" for i in range(len(labels))], values, mask, tuple(captions))
    return clips, torch.tensor(labels), tuple(groups), tuple(classes)


UNSEEN = torch.tensor([(label // PROPS + label % PROPS) % 3 == 0 for label in range(MOTIONS * PROPS)])


def split(clips: Clips, with_classes: bool = False) -> tuple[TrainSet, Clips, Tensor, list[ClassText]]:
    """Return the training set of the seen combinations, the test clips, their labels, and the unseen classes."""
    _, labels, groups, classes = toy()
    train, test = (~UNSEEN[labels]).nonzero().flatten(), UNSEEN[labels].nonzero().flatten()
    renumber = (~UNSEEN).cumsum(0) - 1
    seen = tuple(described for described, unseen in zip(classes, UNSEEN, strict=True) if not unseen)
    train_set = TrainSet(
        clips.subset(train),
        renumber[labels[train]] if with_classes else None,
        tuple(groups[int(i)] for i in train),
        seen if with_classes else (),
        (),
        "toy",
    )
    unseen = [described for described, is_unseen in zip(classes, UNSEEN, strict=True) if is_unseen]
    return train_set, clips.subset(test), (UNSEEN.cumsum(0) - 1)[labels[test]], unseen


def context(*, seed: int = 0, negatives=None, loss=None, folder: Path | None = None, resume=False, progress=None):
    parts = Parts(None, Words(), negatives or CosineWindow(high=1.0), loss or Triplet())
    return Context(
        parts, torch.device("cpu"), torch.float32, lambda name: generator(seed, name), folder, resume,
        progress or Quiet(),
    )  # fmt: skip


def accuracy(method: Cezsar, given: Context, clips: Clips, labels: Tensor, classes: list[ClassText]) -> float:
    return float((method.score(clips, classes, given).argmax(1) == labels).float().mean())


def fitted(train: TrainSet, given: Context, **options) -> Cezsar:
    method = Cezsar(**SMALL | options)
    method.fit(train, given)
    return method


@pytest.mark.parametrize(
    ("negatives", "loss"),
    [
        (CosineWindow(high=1.0), Triplet()),
        (CosineWindow(low_quantile=0.0, high_quantile=0.5), InfoNCE()),
        (Uniform(), Triplet()),
        (Hardest(), InfoNCE()),
        (SemiHard(), Triplet()),
        (InBatch(), Sigmoid()),
        (Uniform(), HingeRank()),
    ],
    ids=lambda part: type(part).__name__,
)
def test_unseen_combinations_are_recognised(negatives, loss):
    train, *test = split(toy()[0])
    given = context(negatives=negatives, loss=loss)
    method = fitted(train, given)
    assert accuracy(method, given, *test) > 0.4  # chance: 1 in 12
    losses = [row["loss"] for row in method.record()["losses"]]
    assert losses[-1] < losses[0] / 2


def test_shuffled_captions_lead_to_chance():
    clips = toy()[0]
    captions, found = clips.captions, []
    for seed in range(4):
        order = torch.randperm(len(clips), generator=generator(seed, "shuffle"))
        clips.captions = tuple(captions[int(i)] for i in order)
        train, *test = split(clips)
        given = context(seed=seed)
        found.append(accuracy(fitted(train, given, max_epochs=10), given, *test))
    # 12 classes that succeed or fail as a whole, four times: a standard error of 0.04 about 1 in 12
    assert sum(found) / len(found) < 0.08 + 3 * 0.04


def test_the_seed_decides_and_the_global_state_stays():
    train, clips, _, classes = split(toy()[0])
    before = torch.random.get_rng_state()
    scores = [
        fitted(train, context(seed=seed), max_epochs=2).score(clips, classes, context(seed=seed)) for seed in (0, 0, 1)
    ]
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_clip_s_score_depends_on_it_alone():
    train, clips, _, classes = split(toy()[0])
    given = context()
    method = fitted(train, given, max_epochs=2)
    scores = method.score(clips, classes, given)
    some = torch.tensor([40, 3, 71])
    torch.testing.assert_close(method.score(clips.subset(some), classes, given), scores[some], atol=1e-6, rtol=0)
    assert method.class_independent is False  # the training set names no classes, so nothing is known of their texts


def test_a_clip_without_steps_scores_nan_and_teaches_nothing():
    everything = toy()[0]
    everything.mask[4:8] = False  # two clips of an unseen class, two of a seen one
    everything.values[4:8] = torch.nan
    train, clips, _, classes = split(everything)
    given = context()
    method = fitted(train, given, max_epochs=2)
    scores = method.score(clips, classes, given)
    unread = ~clips.mask.any(1)
    assert int(unread.sum()) == 2
    assert scores[unread].isnan().all()
    assert scores[~unread].isfinite().all()


def test_no_readable_clip_is_an_error():
    everything = toy()[0]
    everything.mask[:] = False
    with pytest.raises(ZsarbenchError, match="no clip to learn from could be read"):
        fitted(split(everything)[0], context())


def test_infinite_features_are_an_error():
    everything = toy()[0]
    everything.values[:] = torch.inf
    with pytest.raises(ZsarbenchError, match=r"loss of epoch 1 is not finite.*learning_rate"):
        fitted(split(everything)[0], context())


# --- positives ---


def test_class_sentences_as_positives():
    train, *test = split(toy()[0], with_classes=True)
    given = context()
    method = fitted(train, given, positives="classes", n_negatives=5)
    assert accuracy(method, given, *test) > 0.5
    assert method.class_independent
    record = method.record()
    assert (record["positives"], record["n_sentences"], record["n_pairs"]) == ("classes", 24, 144)


def from_captions(how: str) -> Clips:
    """Return the toy with steps made from its captions."""
    clips = toy()[0]
    values = torch.stack([Words().encode(captions) for captions in clips.captions])
    mask = torch.ones(values.shape[:2], dtype=torch.bool)
    if how == "all":
        values, mask = values.mean(1, keepdim=True), mask[:, :1]
    return Clips(clips.ids, values, mask, clips.captions, how)


def test_where_steps_show_captions_the_positives_are_chosen_on_validation_classes():
    train, *test = split(from_captions("one-each"), with_classes=True)
    held = tuple(described.name for described in train.classes[::6])
    given = context()
    method = fitted(replace(train, validation=held), given, max_epochs=8)
    record = method.record()
    figures = record["positives_top1_on_validation_classes"]
    assert figures[record["positives"]] == max(figures.values())
    assert record["validation_classes"] == list(held)
    # fitted on all seen classes in the end, as if the choice had been the user's
    again = fitted(train, given, max_epochs=8, positives=record["positives"])
    assert torch.equal(method.score(test[0], test[2], given), again.score(test[0], test[2], given))


def test_held_out_seen_classes_choose_as_a_validation_set_of_them_does():
    train, *_ = split(from_captions("one-each"), with_classes=True)
    every = [described.name for described in train.classes]
    names, held = every[:8], every[1:8:4]

    def part(chosen: list[str]) -> TrainSet:
        kept = [row for row, label in enumerate(train.labels.tolist()) if every[label] in chosen]
        labels = torch.tensor([chosen.index(every[train.labels[row]]) for row in kept])
        classes = tuple(described for described in train.classes if described.name in chosen)
        groups = tuple(train.groups[row] for row in kept)
        return TrainSet(train.clips.subset(torch.tensor(kept)), labels, groups, classes, (), "toy")

    figures = [
        fitted(given, context(), max_epochs=1, n_negatives=1).record()["positives_top1_on_validation_classes"]
        for given in (
            replace(part(names), validation=tuple(held)),
            replace(part([name for name in names if name not in held]), validation_set=part(held)),
        )
    ]
    assert figures[0] == figures[1]
    assert len(set(figures[0].values())) == 2


def test_clips_of_a_validation_set_choose_the_positives_and_are_not_learnt_from():
    clips = from_captions("one-each")
    train, *test = split(clips, with_classes=True)
    choosing = TrainSet(test[0], test[1], tuple(test[0].ids), tuple(test[2]), (), "toy")
    given = context()
    method = fitted(replace(train, validation_set=choosing), given, max_epochs=2)
    record = method.record()
    assert record["validation_classes"] == [described.name for described in test[2]]
    again = fitted(train, given, max_epochs=2, positives=record["positives"])
    assert record["n_pairs"] == again.record()["n_pairs"]
    assert torch.equal(method.score(test[0], test[2], given), again.score(test[0], test[2], given))


def test_positives_without_negatives_are_not_chosen(caplog):
    train, *_ = split(from_captions("one-each"), with_classes=True)
    apart = tuple(ClassText(described.name, (f"word{i}",)) for i, described in enumerate(train.classes))
    given = context(negatives=CosineWindow(high=0.5))
    record = fitted(replace(train, classes=apart), given, max_epochs=1).record()
    assert record["positives"] == "captions"
    assert record["positives_top1_on_validation_classes"]["classes"] is None
    assert "'classes' cannot be tried" in caplog.text


def test_joined_captions_leave_the_class_sentences_only():
    train, *_ = split(from_captions("all"), with_classes=True)
    assert fitted(train, context(), max_epochs=1).record()["positives"] == "classes"


def test_without_names_validation_classes_are_drawn():
    train, *_ = split(from_captions("one-each"), with_classes=True)
    record = fitted(train, context(), max_epochs=1).record()
    assert len(record["validation_classes"]) == 5
    assert record["validation_classes"] == fitted(train, context(), max_epochs=1).record()["validation_classes"]


@pytest.mark.parametrize("in_order", [True, False])
def test_a_clip_made_of_captions_is_embedded_without_the_caption_it_is_aligned_with(in_order):
    """Every step that the video branch is given differs from the sentence that the clip is aligned with."""
    train, *_ = split(from_captions("one-each"))
    pairs = make_pairs(train, "captions", MAX_STEPS)
    embeddings = Words().encode(pairs.texts)
    corpus = Corpus(train.clips, pairs, embeddings)
    for batch in torch.arange(len(pairs)).split(SMALL["batch_size"]):
        read = shown(corpus, batch, MAX_STEPS, "mask", in_order=in_order)
        own = embeddings[pairs.text[batch]]
        same = ((read.values[read.of_pair] - own[:, None]).abs().amax(2) < 1e-6) & read.mask[read.of_pair]
        assert not same.any()
        assert read.mask.any()


# --- negatives within a batch ---


class Watched:
    """A sampler within batches that counts the anchors it draws for."""

    when = "batch"

    def __init__(self, sampler) -> None:
        self.sampler, self.record = sampler, sampler.record
        self.n_anchors = Counter()

    def sample(self, draw: NegativeDraw) -> Tensor:
        self.n_anchors["validation" if torch.is_inference_mode_enabled() else "training"] += len(draw.anchors)
        return self.sampler.sample(draw)


def crowded(n_sources: int, clips_a_source: int) -> TrainSet:
    """Return clips of few source videos, which follow each other, with two captions each."""
    train, *_ = split(toy()[0])
    clips = train.clips.subset(torch.arange(n_sources * clips_a_source))
    groups = tuple(f"source{i // clips_a_source}" for i in range(len(clips)))
    return replace(train, clips=clips, groups=groups)


@pytest.mark.parametrize("sampler", [Hardest(), SemiHard(), InBatch()], ids=lambda part: type(part).__name__)
def test_validation_pairs_find_negatives_where_their_source_fills_a_batch(sampler):
    """28 pairs a source, batches of 20: in the order of the corpus a batch would be of one source alone."""
    watched = Watched(sampler)
    record = fitted(crowded(10, 14), context(negatives=watched), max_epochs=2, batch_size=20, n_negatives=3).record()
    assert watched.n_anchors == {"training": 2 * 196, "validation": 2 * 84}  # all 280 pairs, in both epochs
    assert record["negatives"]["share_of_anchors_without_negatives"] == 0


def test_pairs_without_a_negative_in_their_batch_are_left_out_and_counted():
    """Two sources to train on and batches of 2: a batch of one source alone is nearly half of them."""
    given = context(negatives=Hardest())
    record = fitted(crowded(2, 12), given, max_epochs=3, batch_size=2, validation_fraction=0, n_negatives=3).record()
    assert 0.2 < record["negatives"]["share_of_anchors_without_negatives"] < 0.7
    assert record["negatives"]["share_of_anchors_with_fewer_than_k"] == 1


@pytest.mark.parametrize(("n_sources", "fraction", "which"), [(1, 0, "training"), (3, 0.3, "validation")])
def test_where_no_batch_has_negatives_the_error_says_what_to_type(n_sources, fraction, which):
    given = context(negatives=InBatch())
    with pytest.raises(
        NoNegatives, match=rf"none of the \d+ {which} pairs .*--negatives uniform.*method.batch_size=96"
    ):
        fitted(crowded(n_sources, 12), given, max_epochs=1, validation_fraction=fraction)


def test_what_a_sampler_measures_in_batches_is_a_mean_that_a_resumed_fit_continues(tmp_path):
    class Counts(InBatch):
        def record(self):
            self.n = getattr(self, "n", 0) + 1
            return {"calls": float(self.n)}

    train, *_ = split(toy()[0])
    record = fitted(train, context(negatives=Counts()), max_epochs=3, validation_fraction=0).record()
    assert record["negatives"]["calls"] == pytest.approx(9.5)  # six batches of 48 an epoch: the mean of 1 to 18
    given = {"max_epochs": 3, "batch_size": 20, "n_negatives": 3}
    whole = fitted(crowded(10, 14), context(negatives=Hardest()), **given).record()
    quiet = Quiet(after=25, act=interrupt)  # ten batches an epoch
    with pytest.raises(KeyboardInterrupt):
        fitted(crowded(10, 14), context(negatives=Hardest(), folder=tmp_path, progress=quiet), **given)
    resumed = fitted(crowded(10, 14), context(negatives=Hardest(), folder=tmp_path, resume=True), **given).record()
    assert resumed["negatives"] == whole["negatives"]
    assert resumed["losses"] == whole["losses"]


# --- several sentences per class ---


def test_neighbours_vote_and_the_nearer_breaks_ties():
    owner = torch.tensor([0, 0, 1, 1, 2])
    cosine = torch.tensor([[0.9, -0.5, 0.8, 0.7, 0.1], [0.9, 0.0, 0.8, 0.1, 0.7], [torch.nan] * 5])
    voted = nearest(cosine, owner, 3, 3)
    assert voted[0].argsort(descending=True).tolist() == [1, 0, 2]
    assert voted[1].argsort(descending=True).tolist() == [0, 1, 2]
    torch.testing.assert_close(nearest(cosine, owner, 3, 1)[:2], torch.tensor([[0.9, 0.8, 0.1], [0.9, 0.8, 0.7]]))
    assert voted[2].isnan().all()
    assert nearest(cosine, owner, 3, 1)[2].isnan().all()


@pytest.mark.parametrize(("neighbours", "independent"), [(None, False), (1, True), (3, False)])
def test_whether_a_class_stands_alone_depends_on_the_vote(neighbours, independent):
    train, clips, _, classes = split(toy()[0], with_classes=True)
    twice = tuple(ClassText(c.name, (*c.texts, c.texts[0] + " twice")) for c in classes)
    method = fitted(
        replace(train, classes=tuple(ClassText(c.name, c.texts * 2) for c in train.classes)),
        context(), max_epochs=1, neighbours=neighbours,
    )  # fmt: skip
    assert method.class_independent is independent
    whole, part = method.score(clips, twice, context()), method.score(clips, twice[:3], context())
    assert torch.allclose(whole[:, :3], part, atol=1e-6) is independent


# --- checkpoints ---


def run_toy(folder: Path | None, resume: bool, progress: Quiet | None = None) -> Tensor:
    """Fit the toy for eight epochs and return the scores of its test clips."""
    train, clips, _, classes = split(toy()[0])
    given = context(folder=folder, resume=resume, progress=progress, loss=Scaled())
    return fitted(train, given, max_epochs=8).score(clips, classes, given)


class Scaled(nn.Module):
    """A triplet loss with a learnt margin."""

    def __init__(self) -> None:
        super().__init__()
        self.margin = nn.Parameter(torch.ones(()))

    def forward(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return Triplet()(video * self.margin, positive, negative)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_fit_that_was_interrupted_continues_bit_for_bit(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    whole = run_toy(None, False)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path, True, Quiet(after=18, act=interrupt))  # five batches an epoch
    assert "checkpoint of epoch 3 is kept" in caplog.text
    assert torch.equal(run_toy(tmp_path, True), whole)
    assert "resuming at epoch 4" in caplog.text


def test_a_finished_fit_is_loaded_without_training(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    whole = run_toy(tmp_path, False)
    assert torch.equal(run_toy(tmp_path, True, Quiet(after=1, act=interrupt)), whole)
    assert "finished after epoch 8" in caplog.text
    assert [path.suffix for path in (tmp_path / "fit").iterdir()].count(".safetensors") == 1


def test_without_resume_the_fit_starts_again(tmp_path):
    run_toy(tmp_path, False)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path, False, Quiet(after=1, act=interrupt))


@pytest.mark.parametrize("change", ["options", "positions", "seed", "negatives", "captions"])
def test_a_checkpoint_of_something_else_is_not_used(tmp_path, caplog, change):
    train, *_ = split(toy()[0])
    fitted(train, context(folder=tmp_path), max_epochs=1)
    options, given = {"max_epochs": 1}, context(folder=tmp_path, resume=True)
    if change == "options":
        options["dropout"] = 0.1
    elif change == "positions":
        options["positions"] = "sinusoidal"
    elif change == "seed":
        given = context(folder=tmp_path, resume=True, seed=1)
    elif change == "negatives":
        given = context(folder=tmp_path, resume=True, negatives=CosineWindow(high=0.9))
    else:
        train.clips.captions = tuple(reversed(train.clips.captions))
    fitted(train, given, **options)
    assert "of other settings or data and is ignored" in caplog.text


def test_a_sampler_with_other_bounds_in_a_tuple_is_something_else(tmp_path, caplog):
    class Bounded(Uniform):
        def __init__(self, bounds: tuple[float, ...]) -> None:
            self.bounds = bounds

    train, *_ = split(toy()[0])
    fitted(train, context(folder=tmp_path, negatives=Bounded((0.1, 0.2))), max_epochs=1)
    for bounds, is_ignored in (((0.1, 0.2), False), ((0.1, 0.3), True)):
        caplog.clear()
        given = context(folder=tmp_path, resume=True, negatives=Bounded(bounds))
        fitted(train, given, max_epochs=1)
        assert ("of other settings or data and is ignored" in caplog.text) is is_ignored


def test_a_loss_whose_file_was_moved_finds_its_checkpoint(tmp_path, caplog):
    class Moved(Scaled):
        __module__, __qualname__ = "elsewhere", Scaled.__qualname__

    caplog.set_level(logging.INFO)
    train, *_ = split(toy()[0])
    fitted(train, context(folder=tmp_path, loss=Scaled()), max_epochs=1)
    fitted(train, context(folder=tmp_path, loss=Moved(), resume=True), max_epochs=1)
    assert "this fit finished after epoch 1; its weights are loaded" in caplog.text


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["best-*.safetensors", "checkpoint.json"])
def test_a_damaged_checkpoint_is_named_left_aside_and_trained_again(tmp_path, caplog, name):
    caplog.set_level(logging.INFO)
    whole = run_toy(tmp_path, False)
    flip(next((tmp_path / "fit").glob(name)), -1)
    assert torch.equal(run_toy(tmp_path, True), whole)
    assert "it is ignored, and training starts from the beginning" in caplog.text
    assert "this fit finished" not in caplog.text
    assert torch.equal(run_toy(tmp_path, True), whole)
    assert "this fit finished" in caplog.text


def test_no_flipped_bit_of_a_checkpoint_s_state_changes_what_is_read(tmp_path):
    tensors = {"best": {"a": torch.ones(2)}}
    checkpoints.write(tmp_path, tensors, {"best": "best-0001.safetensors"}, {"identity": "x", "history": {"loss": 0.5}})
    path, before = tmp_path / "checkpoint.json", checkpoints.read(tmp_path, "x")
    sound = path.read_bytes()
    for bit in range(8 * len(sound)):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        now = checkpoints.read(tmp_path, "x")
        assert now is None or now.state == before.state


@pytest.mark.parametrize(
    "files", [["best"], {"best": "../x"}, {"best": ["../x", ""]}, {"best": ["", ""]}, {"best": [1, 2]}, None, {}]
)
def test_a_checkpoint_that_does_not_name_files_of_its_folder_is_refused(tmp_path, files):
    state = {"schema": checkpoints.SCHEMA, "identity": "", "files": files, "sizes": {}}
    text = json.dumps({**state, "sha256": checkpoints.identity(state)})
    (tmp_path / "checkpoint.json").write_text(text)
    with pytest.raises(ZsarbenchError, match=r"(does not name its files|has no best weights).*method.weights=DIR"):
        load_model(tmp_path)
    assert files == {} or checkpoints.read(tmp_path, "") is None


def test_damaged_weights_of_a_pretrained_model_are_refused(tmp_path):
    run_toy(tmp_path, False)
    load_model(tmp_path / "fit")
    flip(next((tmp_path / "fit").glob("best-*.safetensors")), -1)
    with pytest.raises(ZsarbenchError, match=r"best-.*is damaged: it is not the file that was written"):
        load_model(tmp_path / "fit")


def test_a_checkpoint_of_other_features_of_the_same_clips_is_not_used(tmp_path, caplog):
    train, *_ = split(toy()[0])
    fitted(train, context(folder=tmp_path), max_epochs=1)
    steps = train.clips.rows(range(len(train.clips)))
    other = MemoryClips(train.clips.ids, 2 * steps.values, steps.mask, captions=train.clips.captions)
    fitted(replace(train, clips=other), context(folder=tmp_path, resume=True), max_epochs=1)
    assert "is of other settings or data and is ignored" in caplog.text


def test_a_loss_with_parameters_is_trained_counted_and_left_as_it_was():
    train, *_ = split(toy()[0])
    loss = Scaled()
    method = fitted(train, context(loss=loss), max_epochs=2)
    assert method.record()["parameters"]["loss"] == 1
    assert float(loss.margin.detach()) == 1  # the next fit starts from the same loss


def test_a_killed_fit_continues_to_the_same_scores(tmp_path):
    whole = run_toy(None, False)
    state = tmp_path / "fit" / "checkpoint.json"
    process = subprocess.Popen([sys.executable, __file__, str(tmp_path)])
    try:
        deadline = time.monotonic() + 120
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.05)  # into the next epoch
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert state.exists()
    assert torch.equal(run_toy(tmp_path, True), whole)


# --- the rest of the contract ---


def test_the_record_says_what_was_done():
    train, *_ = split(toy()[0])
    record = fitted(train, context(), max_epochs=30, patience=2).record()
    assert record["n_pairs"] == 288
    assert record["n_triplets"] == 2880
    assert record["epochs"] == len(record["losses"])
    assert record["epochs"] == 30 or record["epochs"] == record["best_epoch"] + 2
    validation = [row["validation_loss"] for row in record["losses"]]
    assert validation.index(min(validation)) + 1 == record["best_epoch"]
    assert 0 < record["negatives"]["acceptance_rate"] < 1
    assert record["flags"] == []
    assert record["positions"] == "none"


@pytest.mark.parametrize(
    ("name", "value"),
    [("attend_over", "batch"), ("normalise_at_test", False), ("split_by", "triplet"), ("padding", "zeros")],
)
def test_an_option_that_departs_as_the_release_does_flags_the_result(name, value):
    train, clips, _, classes = split(toy()[0])
    plain, departing = fitted(train, context(), max_epochs=1), fitted(train, context(), max_epochs=1, **{name: value})
    assert [flag.split("=")[0] for flag in departing.record()["flags"]] == [name]
    scores = [method.score(clips, classes, context()) for method in (plain, departing)]
    assert scores[1].isfinite().all()
    assert not torch.equal(*scores)


def test_frames_in_the_release_s_colour_order_flag_the_result():
    train, *_ = split(toy()[0])
    given = context()
    visual = SimpleNamespace(colour_order="bgr")
    method = fitted(train, replace(given, parts=replace(given.parts, visual=visual)), max_epochs=1)
    assert [flag.split(":")[0] for flag in method.record()["flags"]] == ["colour_order=bgr"]


@pytest.mark.parametrize(("max_steps", "flagged"), [(MAX_STEPS, True), (MAX_STEPS + 1, False)])
def test_windows_that_cannot_lie_anywhere_in_a_clip_flag_the_result(max_steps, flagged):
    train, *_ = split(toy()[0])
    given = context()
    visual = SimpleNamespace(
        sampling=Sampling(max_steps=max_steps), classify=lambda features: features[..., :2], fingerprint={},
        labels=(("cup", "a small open container for drinking"), ("door", "a barrier that closes off a room")),
    )  # fmt: skip
    method = fitted(train, replace(given, parts=replace(given.parts, visual=visual)), max_epochs=1)
    assert [flag.split(" in the ")[0] for flag in method.record()["flags"]] == ["pairing: windows lie"] * flagged


def test_without_validation_the_last_epoch_is_kept():
    train, *_ = split(toy()[0])
    record = fitted(train, context(), max_epochs=3, validation_fraction=0).record()
    assert record["best_epoch"] == 3
    assert "validation_loss" not in record["losses"][0]


def test_bfloat16_trains_too():
    train, *test = split(toy()[0])
    given = replace(context(), dtype=torch.bfloat16)
    assert accuracy(fitted(train, given), given, *test) > 0.5


@pytest.mark.parametrize("part", ["text", "negatives", "loss"])
def test_a_missing_part_is_named(part):
    train, *_ = split(toy()[0])
    given = context()
    with pytest.raises(ZsarbenchError, match=f"Try: --{part} "):
        fitted(train, replace(given, parts=replace(given.parts, **{part: None})))


def test_scores_before_a_fit_and_a_fit_without_data_are_refused():
    clips, *_ = toy()
    with pytest.raises(ZsarbenchError, match="before it was fitted"):
        Cezsar().score(clips, [], context())
    with pytest.raises(ZsarbenchError, match="no training set"):
        Cezsar().fit(None, context())


def test_captions_that_give_no_negative_are_an_error():
    train, *_ = split(toy()[0])
    with pytest.raises(NoNegatives, match="negatives uniform"):
        fitted(train, context(negatives=CosineWindow(high=1e-4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d_model": 15}, "d_model=15 is not a multiple of n_heads=2"),
        ({"patience": 0, "dropout": 1.0}, r"dropout=1.0 is not in \[0, 1\); patience=0 is below 1. Try: .*dropout=0.2"),
        ({"neighbours": 0}, "neighbours=0 is below 1. Try: --set method.neighbours=none"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0 is not above 0. Try: --set method.learning_rate=0.0001"),
        ({"learning_rate": float("nan")}, "learning_rate=nan is not above 0"),
        ({"betas": (0.9, 1.5)}, r"betas=0.9,1.5 are not both in \[0, 1\). Try: --set method.betas=0.9,0.99"),
        ({"weight_decay": -1e-3}, "weight_decay=-0.001 is below 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Cezsar(**options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.nice(5)  # leaves the parent time to kill it within an epoch
    run_toy(Path(sys.argv[1]), False, Quiet())

"""Batches: what a pair sees, whatever the order and the number of the steps that it does not."""

from __future__ import annotations

import pytest
import torch

from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import TrainSet
from zsarbench.utils.seeding import fork_rng, generator
from zsarbench_cezsar.batches import ClipsOnDevice, Corpus, read_ahead, shown
from zsarbench_cezsar.model import JointModel
from zsarbench_cezsar.pairs import make_pairs


def corpus() -> Corpus:
    """Clips made of three captions each, of which a pair's own is hidden from it."""
    rng = torch.Generator().manual_seed(0)
    captions = [("a", "b", "c"), ("d", "e", "d"), ("f", "g", "h")]
    clips = MemoryClips("xyz", torch.randn(3, 3, 8, generator=rng), captions=captions, captions_in_steps="one-each")
    pairs = make_pairs(TrainSet(clips, None, tuple("xyz"), (), (), "toy"), "captions", 16)
    return Corpus(clips, pairs, torch.randn(len(pairs.texts), 4, generator=rng))


def test_hidden_steps_are_left_out_where_the_place_of_a_step_says_nothing():
    pairs, batch = corpus(), torch.tensor([7, 0, 3, 4, 2])
    whole, short = (shown(pairs, batch, 16, "mask", in_order=in_order) for in_order in (True, False))
    assert (whole.values.shape[1], short.values.shape[1]) == (3, 2)
    for pair in range(len(batch)):
        seen = [part.values[part.of_pair[pair]][part.mask[part.of_pair[pair]]] for part in (whole, short)]
        assert torch.equal(*seen)
    with fork_rng(generator(0, "weights")):
        model = JointModel(8, 4, d_model=8, n_heads=2, feedforward=16, joint_dim=4).eval()
    assert not model.in_order
    embedded = [model.video(part.values, part.mask)[part.of_pair] for part in (whole, short)]
    torch.testing.assert_close(*embedded)


def test_clips_on_the_cpu_are_read_as_they_are():
    clips = corpus().clips
    index = torch.tensor([0, 2])
    on_device, plain = ClipsOnDevice(clips, torch.device("cpu")).rows(index), clips.rows(index)
    assert torch.equal(on_device.values, plain.values)
    assert torch.equal(on_device.mask, plain.mask)


def test_the_model_of_the_release_mixes_clips_at_the_same_place():
    assert JointModel(8, 4, d_model=8, n_heads=2, feedforward=16, joint_dim=4, attend_over="batch").in_order


def plain(n_steps: int = 3) -> Corpus:
    """Clips of two captions each, from which nothing is hidden."""
    rng = torch.Generator().manual_seed(0)
    captions = [("a", "b"), ("c", "d"), ("e", "f")]
    clips = MemoryClips("xyz", torch.randn(3, n_steps, 8, generator=rng), captions=captions)
    pairs = make_pairs(TrainSet(clips, None, tuple("xyz"), (), (), "toy"), "captions", 16)
    return Corpus(clips, pairs, torch.randn(len(pairs.texts), 4, generator=rng))


def test_a_clip_is_shown_once_to_all_its_pairs_where_nothing_is_hidden() -> None:
    corpus = plain()
    assert corpus.pairs.hidden is None
    batch = torch.tensor([5, 0, 4, 1])
    found = shown(corpus, batch, 16, "mask")
    clips = corpus.pairs.clip[batch]
    assert len(found.values) == len(clips.unique()) == 2
    assert torch.equal(found.values[found.of_pair, :3], corpus.clips.rows(clips).values)
    assert torch.equal(found.mask[found.of_pair, :3], corpus.clips.rows(clips).mask)


def test_steps_after_the_most_are_not_shown() -> None:
    corpus = plain()
    found = shown(corpus, torch.tensor([0, 5]), 2, "mask")
    assert found.values.shape[1] == found.mask.shape[1] == 2
    assert torch.equal(found.values, corpus.clips.rows(corpus.pairs.clip[torch.tensor([0, 5])]).values[:, :2])


def test_hidden_steps_stay_in_their_place_where_the_order_of_steps_counts() -> None:
    pairs, batch = corpus(), torch.tensor([7, 0, 3])
    hidden = pairs.pairs.hidden
    assert hidden is not None
    found = shown(pairs, batch, 16, "mask")
    rows = pairs.clips.rows(pairs.pairs.clip[batch])
    assert torch.equal(found.values, rows.values)
    assert torch.equal(found.mask, rows.mask & ~hidden[batch, :3])
    assert found.of_pair.tolist() == [0, 1, 2]


def test_the_next_batch_is_read_while_one_is_used() -> None:
    batches, asked = [torch.tensor([number]) for number in range(3)], []

    def read(batch: torch.Tensor) -> int:
        asked.append(int(batch))
        return 10 * int(batch)

    assert [(int(batch), content) for batch, content in read_ahead(read, batches)] == [(0, 0), (1, 10), (2, 20)]
    assert asked == [0, 1, 2]
    assert list(read_ahead(read, [])) == []


def test_what_cannot_be_read_ends_the_batches_where_it_is_needed() -> None:
    def read(batch: torch.Tensor) -> int:
        if int(batch):
            raise ValueError("damaged")
        return 7

    found = read_ahead(read, [torch.tensor(0), torch.tensor(1), torch.tensor(2)])
    assert next(found) == (torch.tensor(0), 7)
    with pytest.raises(ValueError, match="damaged"):
        next(found)

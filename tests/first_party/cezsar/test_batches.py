"""Batches: what a pair sees, whatever the order and the number of the steps that it does not."""

from __future__ import annotations

import torch

from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import TrainSet
from zsarbench.utils.seeding import fork_rng, generator
from zsarbench_cezsar.batches import ClipsOnDevice, Corpus, shown
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

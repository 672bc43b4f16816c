"""Clips of the store as they are read: memory that is used again never changes a batch that is held."""

from __future__ import annotations

import torch

from zsarbench.clips import Memory
from zsarbench.features import FeatureStore
from zsarbench.features_key import FeatureKey


def test_a_batch_that_is_held_keeps_its_rows_while_others_are_read(tmp_path):
    rows = {f"c{number}": torch.full((1 + number % 3, 4), float(number)) for number in range(12)}
    stored = FeatureStore(tmp_path).open(FeatureKey("made", "r1", {"name": "tiny"}, {}), 4)
    stored.adopt(stored.write(rows))
    clips = stored.clips(list(rows))
    held = clips.rows([1, 2]).values[1]  # a view is enough to hold it
    for start in range(9):
        assert clips.rows(range(start, start + 3)).values[:, 0, 0].tolist() == [start, start + 1, start + 2]
    assert held[:, 0].tolist() == [2, 2, 2]
    assert clips.rows([0]).values[0, 1:].abs().sum() == 0  # in used memory padding is zero too


def test_memory_of_a_batch_is_used_again_once_nothing_refers_to_it():
    memory = Memory()
    first = memory.lend(4, 2, 3)
    place = first.data_ptr()
    second = memory.lend(4, 2, 3)
    assert second.data_ptr() != place
    del first
    again = memory.lend(3, 2, 3)
    assert again.data_ptr() == place
    assert again.shape == (3, 2, 3)
    assert memory.lend(3, 2, 5).shape == (3, 2, 5)

"""Clips of the store as they are read: by several threads, from more shards than are kept open."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from zsarbench import shards
from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features_key import FeatureKey


def rows_of(n):
    return {f"c{number}": torch.full((1 + number % 3, 4), float(number)) for number in range(n)}


def stored_in_shards(folder, rows, clips_a_shard=1, dtype="float32") -> FeatureSet:
    stored = FeatureStore(folder).open(FeatureKey("made", "r1", {"name": "tiny"}, {}, dtype=dtype), 4)
    ids = list(rows)
    for start in range(0, len(ids), clips_a_shard):
        stored.adopt(stored.write({clip_id: rows[clip_id] for clip_id in ids[start : start + clips_a_shard]}))
    return stored


def wanted(name, position, out):
    return shards.Wanted(name, position, out, len(out), None)


def test_a_batch_that_is_held_keeps_its_rows_while_others_are_read(tmp_path):
    rows = rows_of(12)
    clips = stored_in_shards(tmp_path, rows, 12).clips(list(rows))
    held = clips.rows([1, 2]).values[1]
    for start in range(9):
        assert clips.rows(range(start, start + 3)).values[:, 0, 0].tolist() == [start, start + 1, start + 2]
    assert held[:, 0].tolist() == [2, 2, 2]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_threads_read_the_same_rows_with_few_files_open(tmp_path, monkeypatch, dtype):
    rows = rows_of(30)
    clips = stored_in_shards(tmp_path, rows, 2, dtype).clips(list(rows))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    expected = clips.rows(order)  # verified, so that the next ones are read without
    monkeypatch.setattr(shards, "MAX_OPEN_FILES", 4)
    monkeypatch.setattr(shards, "MIN_BYTES_OF_THREADS", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for _ in range(2):
            read = clips.rows(order)
            assert torch.equal(read.values, expected.values)
            assert torch.equal(read.mask, expected.mask)
    finally:
        torch.set_num_threads(before)
    assert [value[0, 0].item() for value in expected.values] == order.tolist()


def test_what_a_thread_cannot_read_is_told(tmp_path, monkeypatch):
    stored = stored_in_shards(tmp_path, rows_of(8), 8)
    [path] = stored.shards.glob("*.safetensors")
    monkeypatch.setattr(shards, "MIN_BYTES_OF_THREADS", 1)
    reader = shards.RowReader(stored.shards, 4, "float32")
    outs = [np.zeros((1, 4), dtype=np.float32) for _ in range(4)]
    size = path.stat().st_size
    beyond = [wanted(path.stem, size - 24 + 16 * number, out) for number, out in enumerate(outs)]
    with pytest.raises(ZsarbenchError, match="is too short: it was cut off"):
        reader.read_rows(beyond, 2)
    reader.read_rows([wanted(path.stem, size - 16, outs[0])], 2)
    assert outs[0].tobytes() == path.read_bytes()[-16:]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("cut", [False, True])
def test_threads_verify_what_is_read_first(tmp_path, monkeypatch, dtype, cut):
    rows = rows_of(9)
    stored = stored_in_shards(tmp_path, rows, 9, dtype)
    [path] = stored.shards.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in the last of the three steps of the last clip
    path.write_bytes(bytes(content))
    monkeypatch.setattr(shards, "MIN_BYTES_OF_THREADS", 1)
    clips = stored.clips(list(rows)).cut(1 if cut else 3)
    for _ in range(2):  # a clip whose bytes are wrong is not taken for verified
        with pytest.raises(ZsarbenchError, match="its checksum does not match"):
            clips.rows(range(9))
    assert clips.rows(range(8)).values[:, 0, 0].tolist() == list(range(8))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc, which is not here")
def test_a_reader_keeps_few_files_open(tmp_path, monkeypatch):
    stored = stored_in_shards(tmp_path, rows_of(12))
    names = [path.stem for path in stored.shards.glob("*.safetensors")]
    monkeypatch.setattr(shards, "MAX_OPEN_FILES", 3)
    reader = shards.RowReader(stored.shards, 4, "float32")
    before = len(os.listdir("/proc/self/fd"))
    reader.read_rows([wanted(name, 8, np.zeros((1, 4), dtype=np.float32)) for name in names], 1)
    assert len(os.listdir("/proc/self/fd")) - before == 3

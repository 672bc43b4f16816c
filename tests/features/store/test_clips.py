"""Clips of the store as they are read: by several threads, from more shards than are kept open."""

from __future__ import annotations

import os
import pickle
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.clips import CaptionView, MemoryClips
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.reader import RowReader, RowTable, default_max_open_files
from zsarbench.features.store.shards import checksum_of
from zsarbench.testing import toys


def rows_of(n):
    return {f"c{number}": torch.full((1 + number % 3, 4), float(number)) for number in range(n)}


def stored_in_shards(folder, rows, clips_a_shard=1, dtype="float32") -> FeatureSet:
    stored = FeatureStore(folder).open(FeatureKey("made", "r1", {"name": "tiny"}, {}, dtype=dtype), 4)
    ids = list(rows)
    for start in range(0, len(ids), clips_a_shard):
        stored.adopt(stored.write({clip_id: rows[clip_id] for clip_id in ids[start : start + clips_a_shard]}))
    return stored


def one_step_each(names, positions) -> RowTable:
    """Return a table of verified clips of one step, a clip a position, each of the shard of the same place."""
    n = len(positions)
    ones = np.ones(n, dtype=np.int64)
    return RowTable(
        names=tuple(names),
        shard=np.arange(n) % len(names),
        position=np.array(positions),
        steps=ones,
        checksum=0 * ones,
        verified=ones > 0,
    )


def test_a_batch_that_is_held_keeps_its_rows_while_others_are_read(tmp_path):
    rows = rows_of(12)
    clips = stored_in_shards(tmp_path, rows, 12).clips(list(rows))
    held = clips.rows([1, 2]).values[1]
    for start in range(9):
        assert clips.rows(range(start, start + 3)).values[:, 0, 0].tolist() == [start, start + 1, start + 2]
    assert held[:, 0].tolist() == [2, 2, 2]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_threads_read_the_same_rows_with_few_files_open(tmp_path, dtype):
    rows = rows_of(30)
    clips = stored_in_shards(tmp_path, rows, 2, dtype).clips(list(rows))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    expected = clips.rows(order)  # verified, so that the next ones are read without
    clips = pickle.loads(pickle.dumps(clips))  # with no file open
    clips.reader.max_open_files = 4
    clips.reader.min_bytes_per_thread = 1
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


def test_what_a_thread_cannot_read_is_an_error(tmp_path):
    stored = stored_in_shards(tmp_path, rows_of(8), 8)
    [path] = stored.shards.glob("*.safetensors")
    reader = RowReader(stored.shards, 4, "float32")
    reader.min_bytes_per_thread = 1
    out = np.zeros((4, 1, 4), dtype=np.float32)
    size = path.stat().st_size
    positions = [size - 16, size - 8]  # the other thread's clip alone goes beyond the file's end
    with pytest.raises(ZsarbenchError, match="is too short: it was cut off"):
        reader.read_batch(one_step_each([path.stem], positions), np.arange(2), out[:2], 2)
    reader.read_batch(one_step_each([path.stem], [size - 16]), np.arange(1), out[:1], 2)
    assert out[0].tobytes() == path.read_bytes()[-16:]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("cut", [False, True])
def test_threads_verify_what_is_read_first(tmp_path, dtype, cut):
    rows = rows_of(9)
    stored = stored_in_shards(tmp_path, rows, 9, dtype)
    [path] = stored.shards.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in the last of the three steps of the last clip
    path.write_bytes(bytes(content))
    clips = stored.clips(list(rows)).cut(1 if cut else 3)
    clips.reader.min_bytes_per_thread = 1
    for _ in range(2):  # a clip whose bytes are wrong is not marked as verified
        with pytest.raises(ZsarbenchError, match="its checksum does not match"):
            clips.rows(range(9))
    assert clips.rows(range(8)).values[:, 0, 0].tolist() == list(range(8))


@pytest.mark.parametrize("n_steps", [1, 3])
def test_a_batch_can_be_filled_with_the_bytes_as_they_are_stored(tmp_path, n_steps):
    rows = {f"c{number}": torch.arange(12.0).view(3, 4) + number for number in range(3)}
    stored = stored_in_shards(tmp_path, rows, 3, "bfloat16")
    [path] = stored.shards.glob("*.safetensors")
    content, steps, clip_bytes = path.read_bytes(), np.full(3, 3), 3 * 4 * 2
    starts = np.array([len(content) - (3 - number) * clip_bytes for number in range(3)])
    checksums = np.array([checksum_of(memoryview(content)[start : start + clip_bytes]) for start in starts])
    table = RowTable(
        names=(path.stem,),
        shard=np.zeros(3, dtype=np.int64),
        position=starts,
        steps=steps,
        checksum=checksums,
        verified=np.zeros(3, dtype=bool),
    )
    index = np.array([2, 0])
    for _ in range(2):  # the first time each clip is read whole and verified
        out = np.full((2, n_steps, 4), -1, dtype=np.int16)
        RowReader(stored.shards, 4, "bfloat16").read_batch(table, index, out, 1)
        values = torch.from_numpy(out).view(torch.bfloat16).float()
        assert torch.equal(values, stored.clips(list(rows)).cut(n_steps).rows(index).values)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc, which does not exist")
def test_a_reader_keeps_few_files_open(tmp_path):
    stored = stored_in_shards(tmp_path, rows_of(12))
    names = [path.stem for path in stored.shards.glob("*.safetensors")]
    reader = RowReader(stored.shards, 4, "float32")
    reader.max_open_files = 3
    before = len(os.listdir("/proc/self/fd"))
    reader.read_batch(one_step_each(names, [8] * 12), np.arange(12), np.zeros((12, 1, 4), dtype=np.float32), 1)
    assert len(os.listdir("/proc/self/fd")) - before == 3


def test_padding_is_zero_whatever_memory_held(tmp_path):
    rows = {"a": torch.ones(1, 4), "b": torch.ones(3, 4), "c": torch.ones(2, 4)}
    stored = stored_in_shards(tmp_path, rows, 3)
    [path] = stored.shards.glob("*.safetensors")
    starts = [path.stat().st_size - 6 * 16 + before * 16 for before in (0, 1, 4)]
    steps = np.array([1, 3, 0])  # the last one as a clip that could not be read
    table = RowTable(
        names=(path.stem,),
        shard=np.array([0, 0, -1]),
        position=np.array(starts),
        steps=steps,
        checksum=0 * steps,
        verified=steps >= 0,
    )
    out = np.full((3, 2, 4), np.nan, dtype=np.float32)
    RowReader(stored.shards, 4, "float32").read_batch(table, np.arange(3), out, 1)
    assert out[..., 0].tolist() == [[1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(("allowed", "most"), [(1024, 128), (2, 1), (10**6, 4096), (resource.RLIM_INFINITY, 4096)])
def test_an_eighth_of_the_files_a_process_may_open_is_kept_open(monkeypatch, allowed, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, allowed))
    assert default_max_open_files() == most


def test_no_thread_reads_on_after_an_error_was_raised(tmp_path):
    ended = []

    class SlowReader(RowReader):
        def fill(self, *arguments):
            if threading.current_thread() is threading.main_thread():
                raise ZsarbenchError("too short")
            time.sleep(0.2)
            ended.append(arguments)

    stored = stored_in_shards(tmp_path, rows_of(2), 2)
    [path] = stored.shards.glob("*.safetensors")
    reader = SlowReader(stored.shards, 4, "float32")
    reader.min_bytes_per_thread = 1
    with pytest.raises(ZsarbenchError, match="too short"):
        reader.read_batch(one_step_each([path.stem], [80, 96]), np.arange(2), np.zeros((2, 1, 4), np.float32), 2)
    assert len(ended) == 1


def test_several_threads_may_use_one_reader_that_keeps_few_files_open(tmp_path):
    clips = stored_in_shards(tmp_path, rows_of(12)).clips([f"c{number}" for number in range(12)])
    clips.reader.max_open_files = 2

    def firsts(start):
        index = [(start + number) % 12 for number in range(4)]
        return index == clips.rows(index).values[:, 0, 0].int().tolist()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(firsts, range(400)))


def test_clips_are_not_cut_to_nothing(tmp_path):
    clips = stored_in_shards(tmp_path, rows_of(1)).clips(["c0"])
    with pytest.raises(ValueError, match="at least 1"):
        clips.cut(0)


def test_other_captions_may_come_with_other_steps_and_stay_with_them_in_subsets():
    clips = MemoryClips(["a", "b", "c"], torch.arange(3.0).reshape(3, 1, 1), captions=[["A"], ["B"], ["C"]])
    assert [step.item() for step in CaptionView(clips, None).rows([2, 0]).values] == [2, 0]
    view = CaptionView(clips, (("x",), ("y",), ("z",)), torch.tensor([1, 2, 0]))
    for part in (view, view.subset([2, 1, 0]).subset(torch.tensor([2, 1, 0]))):
        assert (part.ids, part.captions) == (("a", "b", "c"), (("x",), ("y",), ("z",)))
        assert part.rows([0, 1, 2]).values.flatten().tolist() == [1, 2, 0]
    part = view.subset([2, 0])
    assert (part.ids, part.captions, len(part)) == (("c", "a"), (("z",), ("x",)), 2)
    assert part.rows(range(2)).values.flatten().tolist() == [0, 1]


def test_nameless_clips_are_the_same_under_ids_that_tell_nothing() -> None:
    clips = toys.clips(toys.UNSEEN).subset([3, 0, 5])
    nameless = clips.nameless()
    assert nameless.ids == ("clip0", "clip1", "clip2")
    assert nameless.captions == clips.captions
    assert torch.equal(nameless.rows([2, 1]).values, clips.rows([2, 1]).values)
    assert clips.ids[0].startswith("clip-pushing-ball")

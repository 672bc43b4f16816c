"""Groups of clips for the model: clips cut between steps give what whole ones give, and fail as whole ones do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zsarbench.data.video.decoding import Decoded
from zsarbench.data.video.failures import Failure
from zsarbench.features.extraction import encoding
from zsarbench.features.extraction.encoding import EncodedClip, Settings
from zsarbench.interfaces import Clips, ClipSource, Sampling, Steps
from zsarbench.testing.videos import TinyEncoder, write_video

SETTINGS = Settings(threads=2, decoders=2)


class Apart(TinyEncoder):
    """An encoder of independent steps that notes the steps of each pass and its threads."""

    independent_steps = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.passes: list[tuple[int, int]] = []
        self.in_threads: set[int] = set()

    def encode(self, clips: Clips) -> Steps:
        assert clips.mask is not None
        self.passes.append((int(clips.mask.sum()), torch.get_num_threads()))
        self.in_threads.add(threading.get_ident())
        return super().encode(clips)


class NotFinite(Apart):
    """Gives NaN for the first step of a clip in every pass but the first."""

    def encode(self, clips: Clips) -> Steps:
        steps = super().encode(clips)
        for row, clip_id in enumerate(clips.ids):
            if clip_id == "c1" and len(self.passes) > 1:
                steps.values[row, 0] = torch.nan
        return steps


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[ClipSource]:
    """Six clips of 1 to 6 seconds, of 10 frames a second, and one that does not exist."""
    folder = tmp_path_factory.mktemp("videos")
    clips = [ClipSource(f"c{i}", str(write_video(folder / f"{i}.mp4", 10 + 10 * (i * 5 % 6)))) for i in range(6)]
    return [*clips[:2], ClipSource("missing", str(folder / "none.mp4")), *clips[2:]]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def rows_of(outcomes: Sequence[EncodedClip]) -> dict[str, torch.Tensor]:
    return {each.source.clip_id: each.rows for each in outcomes if each.rows is not None}


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_clips_that_are_cut_have_the_features_of_whole_ones(sources: list[ClipSource], batch_size: int) -> None:
    encoder = Apart(batch_size=batch_size)
    whole = rows_of(list(encoding.encode_decoded(TinyEncoder(batch_size=batch_size), sources, SETTINGS)))
    outcomes = list(encoding.encode_decoded(encoder, sources, SETTINGS))
    assert [each.source for each in outcomes] == sources
    rows = rows_of(outcomes)
    assert rows.keys() == whole.keys() == {f"c{i}" for i in range(6)}
    assert all(torch.equal(rows[clip_id], whole[clip_id]) for clip_id in rows)
    n_steps = sum(map(len, rows.values()))
    full, last = divmod(n_steps, batch_size)
    assert sorted(size for size, _ in encoder.passes) == sorted([*[batch_size] * full, *([last] if last else [])])
    assert {threads for _, threads in encoder.passes} == {1}
    assert torch.get_num_threads() == 2


def test_an_encoder_that_does_not_promise_it_sees_whole_clips_in_one_thread(sources: list[ClipSource]) -> None:
    encoder = Apart(batch_size=1)
    encoder.independent_steps = False
    list(encoding.encode_decoded(encoder, sources, SETTINGS))
    assert encoder.in_threads == {threading.get_ident()}
    assert {threads for _, threads in encoder.passes} == {2}
    assert encoding.threads_per_pass(encoder, SETTINGS) == 2
    assert encoding.threads_per_pass(Apart(), SETTINGS) == 1
    assert encoding.threads_per_pass(Apart(), Settings(device="cuda", threads=2)) == 2


def consumed_in_first_pass(sources: list[ClipSource], device: str, at_least: int) -> int:
    """Return how many clips are consumed before the first forward pass ends, which waits for at least so many."""
    consumed: list[ClipSource] = []

    def counted() -> Iterator[ClipSource]:
        for source in sources:
            consumed.append(source)
            yield source

    class Waits(TinyEncoder):
        count = 0

        def encode(self, clips: Clips) -> Steps:
            deadline = time.monotonic() + 60
            while not self.count and len(consumed) < at_least:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            self.count = self.count or len(consumed)
            return super().encode(clips)

    encoder = Waits(batch_size=1)
    settings = Settings(device=device, threads=2, decoders=2, ahead_bytes=1)  # the encoder itself stays on the CPU
    assert [each.source for each in encoding.encode_decoded(encoder, counted(), settings)] == sources
    return encoder.count


def test_the_next_group_is_collected_while_a_gpu_encodes_one(sources: list[ClipSource]) -> None:
    on_cpu = consumed_in_first_pass(sources, "cpu", 0)
    assert consumed_in_first_pass(sources, "cuda", on_cpu + 1) > on_cpu


@pytest.mark.parametrize(("ahead_bytes", "batches"), [(256 * 2**20, encoding.MAX_BATCHES_PER_GROUP), (1, 1)])
def test_a_gpu_is_given_full_batches_by_two_threads(sources: list[ClipSource], ahead_bytes: int, batches: int) -> None:
    encoder = Apart(batch_size=2)
    whole = rows_of(list(encoding.encode_decoded(TinyEncoder(batch_size=2), sources, SETTINGS)))
    settings = Settings(device="cuda", threads=2, decoders=2, ahead_bytes=ahead_bytes)  # the encoder stays where it is
    outcomes = list(encoding.encode_decoded(encoder, sources, settings))
    assert [each.source for each in outcomes] == sources
    rows = rows_of(outcomes)
    assert rows.keys() == whole.keys()
    assert all(torch.equal(rows[clip_id], whole[clip_id]) for clip_id in rows)
    full, last = divmod(sum(map(len, rows.values())), 2 * batches)
    assert sorted(size for size, _ in encoder.passes) == sorted([*[2 * batches] * full, *([last] if last else [])])
    assert len(encoder.in_threads) <= encoding.GPU_PASSES


def test_a_clip_fails_where_any_of_its_pieces_does(sources: list[ClipSource]) -> None:
    encoder = NotFinite(batch_size=4)
    outcomes = {each.source.clip_id: each for each in encoding.encode_decoded(encoder, sources[:2], SETTINGS)}
    assert outcomes["c0"].failure is None
    assert outcomes["c1"].rows is None
    assert outcomes["c1"].failure is not None
    assert "not finite" in outcomes["c1"].failure.reason


def test_an_error_of_the_encoder_ends_the_extraction(sources: list[ClipSource], monkeypatch: Any) -> None:
    def broken(self: Apart, clips: Clips) -> Steps:
        raise MemoryError("no room for the maps")

    monkeypatch.setattr(Apart, "encode", broken)
    with pytest.raises(MemoryError, match="no room for the maps"):
        list(encoding.encode_decoded(Apart(), sources, SETTINGS))
    assert torch.get_num_threads() == 2


def decoded(lengths: Sequence[int]) -> list[Decoded]:
    """Return clips of these numbers of steps, 0 for one that could not be decoded; a step holds its own number."""
    clips, start = [], 0
    for number, length in enumerate(lengths):
        frames = np.arange(start, start + length) if length else None
        failure = None if length else Failure("no")
        clips.append(Decoded(source=ClipSource(f"c{number}"), frames=frames, failure=failure))
        start += length
    return clips


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 6))
def test_pieces_are_all_steps_in_order(lengths: list[int], n_steps: int) -> None:
    clips = decoded(lengths)
    groups = list(encoding.group_full_batches(clips, n_steps))
    pieces = [piece for group in groups for piece in group]
    assert [piece.clip for piece in pieces if piece.last] == clips
    steps = [step for piece in pieces if piece.frames is not None for step in piece.frames.tolist()]
    assert steps == list(range(sum(lengths)))
    for group in groups:
        names = [piece.clip.source.clip_id for piece in group]
        assert len(set(names)) == len(names) <= n_steps
        assert sum(len(piece.frames) for piece in group if piece.frames is not None) <= n_steps


class OfCaptions:
    """An encoder that reads captions, gives the length of each, and notes how many clips it is given at a time."""

    needs, dim, sampling = "captions", 2, Sampling(1.0, max_steps=3)

    def __init__(self) -> None:
        self.passes: list[int] = []

    def encode(self, clips: Clips) -> Steps:
        assert clips.captions is not None
        self.passes.append(len(clips.ids))
        values = torch.tensor([[[len(texts[0]), 1.0]] if texts else [[0.0, 0.0]] for texts in clips.captions])
        return Steps(values.float(), torch.tensor([[bool(texts)] for texts in clips.captions]))


@pytest.mark.parametrize(("ahead_bytes", "passes"), [(48, [2, 2, 1]), (47, [1] * 5), (1, [1] * 5), (2**20, [5])])
def test_clips_that_are_not_decoded_are_encoded_in_groups_that_fit(ahead_bytes: int, passes: list[int]) -> None:
    encoder, clips = OfCaptions(), [ClipSource(f"c{i}", captions=("x" * i,)) for i in range(1, 5)]
    clips.append(ClipSource("silent"))
    outcomes = list(encoding.encode_undecoded(encoder, clips, Settings(ahead_bytes=ahead_bytes)))  # type: ignore[arg-type]
    assert [each.source for each in outcomes] == clips
    assert [each.rows.tolist() for each in outcomes if each.rows is not None] == [[[i, 1.0]] for i in range(1, 5)]
    assert outcomes[-1].failure == Failure("the clip has no captions", permanent=False)
    assert encoder.passes == passes


def test_the_seconds_of_clips_are_those_that_their_encoding_took(sources: list[ClipSource]) -> None:
    encoder = Apart(batch_size=2)
    encoder.independent_steps = False  # one pass after the other
    start = time.perf_counter()
    outcomes = list(encoding.encode_decoded(encoder, sources[:1], SETTINGS))
    outcomes += encoding.encode_undecoded(OfCaptions(), [ClipSource("c", captions=("x",))], SETTINGS)  # type: ignore[arg-type]
    elapsed = time.perf_counter() - start
    assert 0 < sum(each.seconds.get("encode", 0.0) for each in outcomes) < elapsed

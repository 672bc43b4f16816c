"""Videos whose frames show their number, in any size and format, and the encoder of them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from zsarbench.interfaces import Clips, Sampling
from zsarbench.testing.videos import KeepFrame, TinyEncoder, numbered_frame, read_number, write_video


@pytest.mark.parametrize(("width", "height"), [(64, 48), (33, 17), (4, 2)])
def test_a_frame_shows_its_number_in_eight_fields(width: int, height: int) -> None:
    for number in (0, 1, 0b10010110, 255):
        frame = numbered_frame(number, width, height)
        assert (frame.shape, frame.dtype) == ((height, width, 3), np.uint8)
        assert set(np.unique(frame)) <= {0, 255}
        assert read_number(frame) == number
    top_left = numbered_frame(1, width, height)[: height // 2, : width // 4]
    assert top_left.size
    assert (top_left == 255).all()


@pytest.mark.parametrize(
    ("codec", "size", "pixels"),
    [
        ("libx264", (64, 48), "yuv420p"),
        ("libx264", (65, 48), "yuv444p"),  # half of its colours would be half a pixel
        ("libx264", (64, 49), "yuv444p"),
        ("mpeg4", (66, 48), "yuv420p"),
    ],
)
def test_a_video_has_the_frames_in_their_order_and_size(
    tmp_path: Path, codec: str, size: tuple[int, int], pixels: str
) -> None:
    path = write_video(tmp_path / "a.mp4", 3, size=size, codec=codec)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == pixels
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert [frame.shape for frame in frames] == [(size[1], size[0], 3)] * 3
    assert [read_number(frame) for frame in frames] == [0, 1, 2]


def test_frames_are_shown_at_a_rate_or_at_times_of_their_own(tmp_path: Path) -> None:
    def shown(path: Path) -> list[float]:
        with av.open(str(path)) as container:
            return [float(frame.time) for frame in container.decode(video=0) if frame.time is not None]

    assert shown(write_video(tmp_path / "a.mp4", 3, rate=20)) == pytest.approx([0.0, 0.05, 0.1])
    times = [0.0, 0.1, 0.75]
    assert shown(write_video(tmp_path / "b.mp4", 3, times=times)) == pytest.approx(times, abs=1e-3)


def test_a_frame_of_any_size_is_prepared_with_its_number() -> None:
    for width, height in ((64, 48), (128, 31)):
        prepared = KeepFrame()(numbered_frame(0b1011, width, height))
        assert prepared.shape == (3, 48, 64)
        assert read_number(prepared.transpose(1, 2, 0)) == 0b1011


def test_what_is_not_chosen_suits_the_tests_that_choose_nothing(tmp_path: Path) -> None:
    encoder = TinyEncoder()
    assert (encoder.dim, encoder.batch_size, encoder.sampling) == (8, 16, Sampling(1.0, 16, 1, 1))
    assert numbered_frame(0).shape == (48, 64, 3)
    with av.open(str(write_video(tmp_path / "a.mp4"))) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate, stream.frames) == (64, 48, 10, 10)


def test_a_step_of_the_tiny_encoder_is_the_mean_over_its_window() -> None:
    encoder = TinyEncoder(frames_per_step=2)
    prepared = [encoder.prepare(numbered_frame(number)) for number in (3, 200)]
    frames = torch.from_numpy(np.stack(prepared))[None, None]
    mask = torch.ones(1, 1, dtype=torch.bool)
    both = encoder.encode(Clips(("a",), frames=frames, mask=mask)).values
    single = TinyEncoder()
    alone = [single.encode(Clips(("a",), frames=frames[:, :, [n]], mask=mask)).values for n in (0, 1)]
    assert both.shape == (1, 1, encoder.dim)
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)
    assert not torch.equal(alone[0], alone[1])
    padded = encoder.encode(
        Clips(("a",), frames=frames.expand(1, 2, -1, -1, -1, -1), mask=torch.tensor([[True, False]]))
    )
    torch.testing.assert_close(padded.values[:, :1], both)
    assert (padded.values[:, 1] == 0).all()
    with pytest.raises(ValueError, match="frames and their mask are needed"):
        encoder.encode(Clips(("a",)))

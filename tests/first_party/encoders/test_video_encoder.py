"""Video models of torchvision: prepared, windowed and classified as torchvision does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torchvision.models import get_model, get_model_weights

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Clips, VisualEncoder
from zsarbench.utils.class_names import normalise
from zsarbench_datasets.kinetics import Kinetics400
from zsarbench_encoders.preparation import BilinearCrop
from zsarbench_encoders.video import CLASSIFIERS, TorchvisionVideo


def frames_of(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height + width).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def prepared(encoder: TorchvisionVideo, frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([encoder.prepare(frame) for frame in frames]))


@pytest.fixture(scope="module")
def r3d() -> TorchvisionVideo:
    return TorchvisionVideo(pretrained=False, frames_per_step=4, step_stride=4, batch_size=2)


@pytest.mark.parametrize("model", ["r3d_18", "s3d", "mvit_v2_s"])
@pytest.mark.parametrize("size", [(240, 320), (320, 240), (90, 123), (256, 256)])
def test_frames_are_prepared_as_torchvision_does(model: str, size: tuple[int, int]) -> None:
    """Rounding to whole pixel values may fall to the other side of a tie, nothing more."""
    transform = get_model_weights(model).KINETICS400_V1.transforms()
    resize = transform.resize_size[0] if len(transform.resize_size) == 1 else tuple(transform.resize_size)
    frames = frames_of(2, *size)
    ours = np.stack([BilinearCrop(resize, tuple(transform.crop_size))(frame) for frame in frames])
    mean, std = (torch.tensor(values).view(-1, 1, 1, 1) for values in (transform.mean, transform.std))
    theirs = transform(torch.from_numpy(frames).permute(0, 3, 1, 2)) * std + mean
    theirs = (theirs * 255).round().permute(1, 0, 2, 3).numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1
    assert (ours == theirs).mean() > 0.999


def test_classified_features_are_the_whole_model(r3d: TorchvisionVideo) -> None:
    """Features and classifier together give what torchvision's model gives in one piece."""
    assert isinstance(r3d, VisualEncoder)
    state = {name: value for name, value in r3d.network.state_dict().items() if "taken_off" not in name}
    state |= {f"fc.{name}": value for name, value in r3d.network.classifier_taken_off.state_dict().items()}
    whole = get_model("r3d_18").eval()
    whole.load_state_dict(state)
    frames = frames_of(8, 96, 128)
    windows = prepared(r3d, frames).reshape(1, 2, 4, 3, 112, 112)
    steps = r3d.encode(Clips(("a",), windows, None, torch.ones(1, 2, dtype=torch.bool)))
    transform = get_model_weights("r3d_18").KINETICS400_V1.transforms()
    with torch.inference_mode():
        expected = whole(transform(torch.from_numpy(frames).permute(0, 3, 1, 2).reshape(2, 4, 3, 96, 128)))
    assert steps.values.shape == (1, 2, 512)
    torch.testing.assert_close(r3d.classify(steps.values)[0], expected, rtol=1e-2, atol=1e-2)


def test_s3d_averages_before_its_classifier() -> None:
    """Its classifier is a convolution that torchvision averages after; both orders give the same logits."""
    encoder = TorchvisionVideo(model="s3d", pretrained=False, batch_size=1)
    whole = get_model("s3d").eval()
    taken = encoder.network.classifier_taken_off.state_dict()
    state = {name: value for name, value in encoder.network.state_dict().items() if "taken_off" not in name}
    whole.load_state_dict(state | {f"classifier.1.{name}": value for name, value in taken.items()})
    steps = torch.rand(1, 16, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = whole(steps.transpose(1, 2))
        torch.testing.assert_close(encoder._logits(encoder._features(steps)), expected, rtol=1e-4, atol=1e-5)


def test_a_row_depends_on_its_window_alone(r3d: TorchvisionVideo) -> None:
    windows = prepared(r3d, frames_of(12, 64, 64)).reshape(3, 4, 3, 112, 112)
    together = r3d.encode(Clips(("a",), windows[None], None, torch.ones(1, 3, dtype=torch.bool))).values[0]
    mask = torch.tensor([[True, False]])
    padded = torch.cat([windows[2:3], windows[:1]])[None]
    alone = r3d.encode(Clips(("b",), padded, None, mask)).values[0]
    assert torch.equal(alone[0], together[2])
    assert not alone[1].any()
    assert not torch.equal(together[0], together[2])


def test_labels_are_the_classes_of_kinetics(r3d: TorchvisionVideo) -> None:
    assert {normalise(name) for name, _ in r3d.labels} == {normalise(name) for name in Kinetics400.classes}
    assert all(len(get_model_weights(model).KINETICS400_V1.meta["categories"]) == 400 for model in CLASSIFIERS)


def test_weights_of_a_file_are_used(tmp_path: Path, r3d: TorchvisionVideo) -> None:
    state = {name: value.clone() for name, value in get_model("r3d_18").state_dict().items()}
    state["fc.bias"] = torch.arange(400.0)
    file = tmp_path / "r3d.safetensors"
    safetensors.torch.save_file(state, file)
    loaded = TorchvisionVideo(weights=str(file))
    assert torch.equal(loaded.network.classifier_taken_off.bias, torch.arange(400.0))
    assert loaded.fingerprint["weights_sha256"] != r3d.fingerprint["weights_sha256"]
    with pytest.raises(ZsarbenchError, match="does not fit model 'mc3_18'"):
        TorchvisionVideo(model="mc3_18", weights=str(file))


def test_weights_that_cannot_be_fetched_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(ZsarbenchError, match=r"cannot be fetched from https://\S+/r3d_18-\w+\.pth.*visual\.weights="):
        TorchvisionVideo()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "r3d"}, "unknown video model of torchvision 'r3d'.*r3d_18"),
        ({"model": "mvit_v2_s", "frames_per_step": 32}, "exactly 16 frames, not 32"),
        ({"model": "s3d", "frames_per_step": 8}, "at least 14 frames, not 8"),
    ],
)
def test_what_cannot_be_run_is_reported_before_it_is_built(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TorchvisionVideo(pretrained=False, **options)


def test_frames_are_prepared_without_torch() -> None:
    """Decoding processes hold no weights and start fast."""
    code = "import sys, zsarbench_encoders.preparation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

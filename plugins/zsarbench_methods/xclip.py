"""X-CLIP's two towers through transformers, as a visual and a text part that share one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer, VideoMAEImageProcessor, XCLIPModel

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Clips, Sampling, Steps
from zsarbench.utils.batching import in_fixed_batches
from zsarbench_encoders.preparation import ResizeCrop
from zsarbench_encoders.weights import pinned, state_dict_sha256

DEFAULT = "microsoft/xclip-base-patch32"
TEXTS_AT_ONCE = 32  # texts of every forward pass, all of the model's context length: other shapes give other bits


class XClipVideos:
    """Encodes clips with the video tower of an X-CLIP model; a step is as many frames as the model was trained with.

    Source: Ni et al., Expanding Language-Image Pretrained Models for General Video Recognition, ECCV 2022,
    arXiv:2208.02816; transformers (Apache-2.0). Frames attend to each other within a step. X-CLIP also shifts each text
    vector by what it sees in the video (its video-specific prompts), which no cosine of two separate towers can
    express: that is left out, so figures are not the paper's.

    model: a name on the Hugging Face hub, or a folder that holds a saved model with its processor and tokenizer.
    frames_per_second: of the frames in a step; steps follow each other without a gap.
    revision: the commit on the hub that is fetched; None: the newest.
    """

    needs: Literal["frames"] = "frames"

    def __init__(
        self,
        *,
        model: str = DEFAULT,
        revision: str | None = None,
        batch_size: int = 8,
        frames_per_second: float = 2.0,
        max_steps: int = 4,
    ) -> None:
        self.model = model
        self.revision = revision
        self.batch_size = batch_size
        self.frames_per_second = frames_per_second
        self.max_steps = max_steps
        commit = pinned("visual", model, revision)
        self.network, sha256 = load(model, commit)
        config = _from_hub(lambda: VideoMAEImageProcessor.from_pretrained(model, **_at(commit)).to_dict(), model)
        n_frames = int(self.network.config.vision_config.num_frames)
        self.prepare = preparation(config)
        self.sampling = Sampling(frames_per_second, max_steps, frames_per_step=n_frames, step_stride=n_frames)
        self.dim = int(self.network.config.projection_dim)
        self.space = f"x-clip {sha256[:12]}"
        self.fingerprint = {
            "weights_sha256": sha256,
            "preprocessing": f"{self.prepare}; mean {tuple(config['image_mean'])}; std {tuple(config['image_std'])}",
        }
        self._mean = torch.tensor(config["image_mean"]).view(-1, 1, 1)
        self._std = torch.tensor(config["image_std"]).view(-1, 1, 1)

    def to(self, device: torch.device | str) -> XClipVideos:
        """Move the model to where it computes; features come back to the CPU."""
        self.network.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        return self

    def encode(self, clips: Clips) -> Steps:
        """Return the features (N, T, D) float32 of frames (N, T, F, 3, H, W) uint8, 0 where the mask is False."""
        if clips.frames is None or clips.mask is None:
            raise ValueError("frames and their mask are needed")
        values = torch.zeros(*clips.mask.shape, self.dim)
        values[clips.mask] = in_fixed_batches(self._features, clips.frames[clips.mask], self.batch_size)
        return Steps(values, clips.mask)

    def _features(self, frames: Tensor) -> Tensor:
        with torch.inference_mode():
            images = (frames.to(self._mean.device).float() / 255 - self._mean) / self._std
            features: Tensor = self.network.get_video_features(images, return_dict=True).pooler_output
            return features.float().cpu()


class XClipTexts:
    """Encodes sentences with the text tower of an X-CLIP model; longer ones are cut at its context length.

    model, revision: as of `XClipVideos`; both parts must name the same.
    """

    def __init__(self, *, model: str = DEFAULT, revision: str | None = None) -> None:
        self.model = model
        self.revision = revision
        commit = pinned("text", model, revision)
        self.network, sha256 = load(model, commit)
        self._tokenizer = _from_hub(lambda: AutoTokenizer.from_pretrained(model, **_at(commit)), model)
        self._length = int(self.network.config.text_config.max_position_embeddings)
        self.dim = int(self.network.config.projection_dim)
        self.space = f"x-clip {sha256[:12]}"
        self.fingerprint = {"weights_sha256": sha256, "preprocessing": f"cut at {self._length} tokens"}

    def to(self, device: torch.device | str) -> XClipTexts:
        """Move the model to where it computes; vectors come back to the CPU."""
        self.network.to(device)
        return self

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32 on the CPU."""
        if not texts:
            return torch.empty(0, self.dim)
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self._length, return_tensors="pt"
        )
        rows = torch.stack([tokens["input_ids"], tokens["attention_mask"]], dim=1)  # (N, 2, tokens)
        return in_fixed_batches(self._vectors, rows, TEXTS_AT_ONCE)

    def _vectors(self, rows: Tensor) -> Tensor:
        tokens, mask = rows.to(self.network.device).unbind(1)
        with torch.inference_mode():
            vectors: Tensor = self.network.get_text_features(tokens, attention_mask=mask).pooler_output
            return vectors.float().cpu()


def load(model: str, revision: str | None = None) -> tuple[Any, str]:
    """Return an X-CLIP model, at a commit on the hub where one is given, and the SHA-256 of its weights.

    Raises:
        ZsarbenchError: it can neither be found in the cache nor fetched.
    """
    network = _from_hub(lambda: XCLIPModel.from_pretrained(model, **_at(revision)), model)
    return network.eval().requires_grad_(False), state_dict_sha256(network.state_dict())


def preparation(config: dict[str, Any]) -> ResizeCrop:
    """Return the frame preparation that a config of transformers' video processor stands for, up to the scale.

    Raises:
        ZsarbenchError: the config asks for something that is not supported.
    """
    size, crop = config.get("size", {}), config.get("crop_size", {})
    if "shortest_edge" not in size or "height" not in crop:
        raise ZsarbenchError(f"frames of size {size} and crop {crop} cannot be prepared; a shortest edge is needed")
    filter_name = Image.Resampling(config.get("resample", Image.Resampling.BILINEAR)).name.lower()
    return ResizeCrop(size["shortest_edge"], (crop["height"], crop["width"]), filter_name)


def _at(revision: str | None) -> dict[str, Any]:
    return {} if revision is None else {"revision": revision}


def _from_hub(read: Any, model: str) -> Any:
    try:
        return read()
    except (OSError, ValueError) as error:
        raise ZsarbenchError(
            f"X-CLIP model '{model}' cannot be found or fetched from the Hugging Face hub: {error}. With a folder that "
            "holds it: --set visual.model=FOLDER --set text.model=FOLDER"
        ) from error

"""The joint model: a video branch and a sentence branch into one space (stage 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zsarbench.interfaces import ClipFeatures, Cuttable

AttendOver = Literal["time", "batch"]
Positions = Literal["none", "sinusoidal"]

# Sizes of the published model; "release" is valterlej/cezsar, "paper" arXiv:2605.01165.
D_MODEL = 1024  # features inside the video branch; release, default of its training script
JOINT_DIM = 128  # features of the joint space; release
DROPOUT = 0.2  # share of activations dropped, outside the Transformer layer; release
N_HEADS = 2  # attention heads; release
FEEDFORWARD = 2048  # hidden features of the Transformer layer; release (torch's default)
ENCODER_DROPOUT = 0.1  # share of activations dropped inside the Transformer layer; release (torch's default)
LONGEST_WAVE = 10_000.0  # steps, over 2 pi; Vaswani et al. 2017, arXiv:1706.03762, section 3.5
MAX_STEPS = 16  # steps of a clip, one a second, so seconds; release, training call and test


class JointModel(nn.Module):
    """Embeds clips (B, T, D) and sentences (B, E) into one space (B, J).

    The order of the layers is the release's. `attend_over` says what the Transformer layer mixes: the steps of a clip
    ("time"), or, as in the release, the clips of a batch at the same step ("batch"). `positions`: "sinusoidal" encodes
    the order of steps in the layer's input; "none", as in the release, leaves it out. `sizes`:
    the constructor's arguments, which checkpoints keep.
    """

    def __init__(
        self,
        video_dim: int,
        text_dim: int,
        *,
        d_model: int = D_MODEL,
        joint_dim: int = JOINT_DIM,
        dropout: float = DROPOUT,
        n_heads: int = N_HEADS,
        feedforward: int = FEEDFORWARD,
        attend_over: AttendOver = "time",
        positions: Positions = "none",
    ) -> None:
        super().__init__()
        self.attend_over = attend_over
        self.positions = positions
        self.sizes = {
            "video_dim": video_dim, "text_dim": text_dim, "d_model": d_model, "joint_dim": joint_dim,
            "dropout": dropout, "n_heads": n_heads, "feedforward": feedforward, "attend_over": attend_over,
            "positions": positions,
        }  # fmt: skip
        self.video_in = nn.Sequential(nn.ReLU(), nn.Linear(video_dim, d_model), nn.Dropout(dropout))
        self.encoder = nn.TransformerEncoderLayer(
            d_model, n_heads, feedforward, ENCODER_DROPOUT, activation="relu", batch_first=True, norm_first=False
        )
        self.video_out = nn.Sequential(nn.Dropout(dropout), nn.ReLU(), nn.Linear(d_model, joint_dim))
        self.video_norm = nn.LayerNorm(joint_dim)
        self.sentence_in = nn.Sequential(nn.Dropout(dropout), nn.Linear(text_dim, joint_dim))
        self.sentence_norm = nn.LayerNorm(joint_dim)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)

    @property
    def in_order(self) -> bool:
        """Whether the place of a step among a clip's steps changes what comes out."""
        return self.attend_over == "batch" or self.positions != "none"

    def video(self, values: Tensor, mask: Tensor, *, normalise: bool = True, alone: bool = False) -> Tensor:
        """Embed clips: values (B, T, D), mask (B, T) bool, False on padding; return (B, J).

        A clip whose mask is False throughout gives zeros, or the norm's bias. `alone` keeps clips apart where
        `attend_over` is "batch": the release embeds one clip at a time at test.
        """
        hidden = self.video_in(values)
        if self.positions == "sinusoidal":
            hidden = hidden + sinusoids(*hidden.shape[1:]).to(hidden)
        hidden = self._attend(hidden, mask, alone)
        joint = self.video_out(hidden).masked_fill(~mask[:, :, None], 0.0)
        mean: Tensor = joint.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        if normalise:
            mean = self.video_norm(mean)
        return mean

    def sentence(self, embeddings: Tensor, *, normalise: bool = True) -> Tensor:
        """Embed sentences (B, E) into (B, J)."""
        joint: Tensor = self.sentence_in(embeddings)
        if normalise:
            joint = self.sentence_norm(joint)
        return joint

    def _attend(self, hidden: Tensor, mask: Tensor, alone: bool) -> Tensor:
        if self.attend_over == "batch":
            if alone:
                attended: Tensor = self.encoder(hidden.flatten(0, 1)[:, None])
                return attended.reshape(hidden.shape)
            hidden, mask = hidden.transpose(0, 1), mask.transpose(0, 1)
        # A row without any key has no softmax; its output is masked out afterwards.
        padding = ~(mask | ~mask.any(1, keepdim=True))
        hidden = self.encoder(hidden, src_key_padding_mask=padding)
        return hidden.transpose(0, 1) if self.attend_over == "batch" else hidden


def sinusoids(n_steps: int, n_features: int) -> Tensor:
    """Return the encodings of the first places (T, F): sines and cosines by turns, of waves that grow geometrically.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    """
    exponents = torch.arange(0, n_features, 2) / n_features
    angles = torch.arange(n_steps)[:, None] / LONGEST_WAVE**exponents
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :n_features]


def restored(sizes: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> JointModel:
    """Return a model of these sizes with these weights, in evaluation mode; nothing is drawn.

    Raises:
        TypeError, RuntimeError: the sizes, or the tensors, are not a model's.
    """
    with torch.device("meta"):
        model = JointModel(**sizes)
    model.load_state_dict(dict(tensors), assign=True)
    return model.eval()


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained numbers of a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def first_steps(clips: ClipFeatures, max_steps: int) -> ClipFeatures:
    """Return the clips without the steps that the model does not see, where these can be left unread."""
    return clips.cut(max_steps) if isinstance(clips, Cuttable) and clips.max_steps > max_steps else clips


def fit_steps(values: Tensor, mask: Tensor, max_steps: int, padding: Literal["mask", "zeros"]) -> tuple[Tensor, Tensor]:
    """Cut clips at `max_steps` steps; with padding "zeros", fill them up and let the filling count, as in the release.

    values (B, T, D) on any device, mask (B, T) on the CPU; a clip without any step keeps a mask of False.
    """
    values, mask = values[:, :max_steps], mask[:, :max_steps]
    if padding == "mask":
        return values, mask
    missing = max_steps - values.shape[1]
    values = torch.nn.functional.pad(values.masked_fill(~mask[:, :, None].to(values.device), 0.0), (0, 0, 0, missing))
    return values, mask.any(1, keepdim=True).expand(-1, max_steps)

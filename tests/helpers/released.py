"""The architecture of CEZSAR's public release, out of plain layers."""

from __future__ import annotations

import torch
from torch import nn


class Release(nn.Module):
    """The release's architecture as stage 5 gives it, out of plain layers; no mask, and attention across the batch."""

    def __init__(self, *, video: int, text: int, width: int = 16, joint: int = 8, hidden: int = 32) -> None:
        super().__init__()
        visual, sentence = nn.Module(), nn.Module()
        visual.visual_dim_reducing = nn.Linear(video, width)
        visual.transf_encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 2, hidden), 1, enable_nested_tensor=False
        )
        visual.video_joint_embedding = nn.Linear(width, joint)
        sentence.sentence_joint_embedding = nn.Linear(text, joint)
        self.visual_embedding, self.sentence_embedding = visual, sentence
        self.norm_vid, self.norm_sent = nn.LayerNorm(joint), nn.LayerNorm(joint)

    def video(self, x: torch.Tensor) -> torch.Tensor:
        layers = self.visual_embedding
        x = layers.transf_encoder(layers.visual_dim_reducing(torch.relu(x)))  # (B, T, D) where it takes (S, N, E)
        return layers.video_joint_embedding(torch.relu(x)).mean(1)

    def sentence(self, x: torch.Tensor) -> torch.Tensor:
        return self.sentence_embedding.sentence_joint_embedding(x)

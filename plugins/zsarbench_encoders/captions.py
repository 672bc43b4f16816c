"""Captions as the visual side: what observers wrote about a clip stands for the clip."""

from __future__ import annotations

from typing import Literal

from zsarbench.interfaces import Clips, Sampling, Steps, TextEncoder


class Captions:
    """Makes each caption of a clip one step: its embedding by the run's text encoder.

    Clips and class texts then lie in one space, as in ZSARCap (arXiv:2112.09976), whose observers write the captions.

    text_encoder: filled with the run's text part.
    join: join a clip's captions by one space into one sentence, so into one step.
    max_steps: captions of a clip after this many are not read.
    """

    needs: Literal["captions"] = "captions"

    def __init__(self, *, text_encoder: TextEncoder, join: bool = False, max_steps: int = 16) -> None:
        self.text_encoder = text_encoder
        self.join = join
        self.max_steps = max_steps
        self.dim = text_encoder.dim
        self.space = text_encoder.space
        self.fingerprint = dict(text_encoder.fingerprint)
        self.sampling = Sampling(max_steps=1 if join else max_steps)
        self.captions_in_steps: Literal["one-each", "all"] = "all" if join else "one-each"

    def encode(self, clips: Clips) -> Steps:
        """Return (N, T, D) float32, T the most captions of a clip; a clip without captions has a mask of False only."""
        import torch

        if clips.captions is None:
            raise ValueError("captions are needed")
        sentences = [list(captions[: self.max_steps]) for captions in clips.captions]
        if self.join:
            sentences = [[" ".join(captions)] if captions else [] for captions in sentences]
        counts = torch.tensor([len(captions) for captions in sentences])
        mask = torch.arange(max(1, int(counts.max()) if len(counts) else 0)) < counts[:, None]
        values = torch.zeros(*mask.shape, self.dim)
        values[mask] = self.text_encoder.encode([sentence for captions in sentences for sentence in captions])
        return Steps(values, mask)

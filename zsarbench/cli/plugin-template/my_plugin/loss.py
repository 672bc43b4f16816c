"""A loss: called with a batch of triplets, returns a scalar."""

import torch


class SquaredHinge:
    """The mean of max(0, margin + |v - p| - |v - n|) squared."""

    def __init__(self, *, margin: float = 1.0):
        self.margin = margin

    def __call__(self, video, positive, negative):
        """Return a scalar for video (B, D), positive (B, D) and negative (B, K, D)."""
        near = torch.nn.functional.pairwise_distance(video, positive)
        far = torch.nn.functional.pairwise_distance(video[:, None], negative)
        return (self.margin + near[:, None] - far).clamp(min=0).square().mean()

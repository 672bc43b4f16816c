"""A method: fits on the clips of seen classes, scores the clips of unseen ones."""

import torch


class RidgeToText:
    """Maps a clip's mean features to its class's text by ridge regression, and scores classes by the cosine."""

    learns_from = "seen-classes"
    class_independent = True  # a class's score does not depend on which others are candidates

    def __init__(self, *, ridge: float = 1.0):
        self.ridge = ridge

    def fit(self, train, context):
        """Learn from a TrainSet, in which nothing of an unseen class is."""
        x, y = mean_features(train.clips), class_vectors(train.classes, context)[train.labels]
        self.map = torch.linalg.solve(x.T @ x + self.ridge * torch.eye(x.shape[1]), x.T @ y)

    def score(self, clips, classes, context):
        """Return (N, C), larger is better; NaN for a clip that could not be read."""
        mapped = torch.nn.functional.normalize(mean_features(clips) @ self.map, dim=1)
        return mapped @ torch.nn.functional.normalize(class_vectors(classes, context), dim=1).T


def mean_features(clips, at_once=1024):
    """Return (N, D), each clip's mean over its steps; padding, where the mask is False, is left out."""
    parts = [clips.rows(index) for index in torch.arange(len(clips)).split(at_once)]
    return torch.cat([(part.values * part.mask[..., None]).sum(1) / part.mask.sum(1, keepdim=True) for part in parts])


def class_vectors(classes, context):
    """Return (C, E), the mean over each class's texts."""
    return torch.stack([context.parts.text.encode(described.texts).mean(0) for described in classes])

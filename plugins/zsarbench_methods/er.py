"""Elaborative Rehearsal on frozen features: a video and an object stream, contrasted with elaborated descriptions."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsarbench.interfaces import ClipFeatures, Context, TrainSet
from zsarbench.utils.classifiers import Classifier, classifier, find_classifier
from zsarbench.utils.seeding import fork_rng
from zsarbench_methods.learnt import LearntMethod
from zsarbench_methods.objects import top_objects
from zsarbench_methods.representation import Scaling, pooled, text_encoder
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

BATCH_SIZE = 128  # clips
GATE_DROPOUT = 0.5  # of the public code


class ER(LearntMethod):
    """Contrasts what a clip shows, and which objects are seen in it, with the descriptions of the seen classes.

    Source: Chen and Huang, Elaborative Rehearsal for Zero-Shot Action Recognition, ICCV 2021, arXiv:2108.02833,
    sections 3.2 to 3.4, on frozen features and frozen sentence vectors:

    - video stream: a linear layer on the mean features; text: a linear layer on sentence vectors; all of length 1;
    - object stream: the names and definitions of the n_objects likeliest objects through the text layer, their mean;
      each stream is gated by both (the multimodal channel attention, in the form of the public code
      DeLightCMU/ElaborativeRehearsal);
    - loss: cross-entropy of cosines over the temperature, against the descriptions of the seen classes, of the video
      stream, the object stream and their sum; and, times rehearsal_weight, the same against the objects of the batch,
      of which the clip's own are right (the rehearsal);
    - score: the sum of the streams' cosines.

    Where the visual part has no classifier there is the video stream alone, with neither objects nor rehearsal.

    objects: True demands the object stream, False leaves it out, None takes it where there is a classifier.
    Expects elaborated descriptions, as of `--class-text sentence`. Learns from labelled clips of seen classes.
    learning_rate and epochs: None chooses them on validation classes.
    """

    name = "er"
    choices: ClassVar[Grid] = {"learning_rate": (1e-4, 1e-3), "epochs": (2, 5, 10, 20)}

    def __init__(
        self,
        *,
        dim: int = 512,
        dropout: float = 0.1,
        temperature: float = 0.1,
        n_objects: int = 5,
        objects: bool | None = None,
        rehearsal_weight: float = 1.0,
        learning_rate: float | None = None,
        epochs: int | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.dim = dim
        self.dropout = dropout
        self.temperature = temperature
        self.n_objects = n_objects
        self.objects = objects
        self.rehearsal_weight = rehearsal_weight
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.seen_bias = seen_bias
        self._classifier: Classifier | None = None
        self._object_vectors = torch.empty(0, 0)

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Embed the objects' texts where there are objects, then learn; see `LearntMethod`."""
        self._classifier = self._wanted_classifier(context)
        if self._classifier is not None:
            self._object_vectors = self._classifier.vectors(text_encoder(context.parts, self.name), "both")
        super().fit(train, context)
        self._record = {**self._record, "streams": ["video", "objects"] if self._classifier else ["video"]}

    def clip_vectors(self, clips: ClipFeatures, context: Context) -> Tensor:
        """Return mean features, followed by the numbers of the likeliest objects where there is that stream."""
        features = pooled(clips)
        if self._classifier is None:
            return features
        return torch.cat([features, top_objects(clips, self._classifier, self.n_objects).labels.float()], dim=1)

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every setting; one training yields those of all its epochs."""
        for settings in settings_of({"learning_rate": grid["learning_rate"]}):
            for epochs, model in self._train(seen, settings["learning_rate"], grid["epochs"], context):
                yield {**settings, "epochs": epochs}, model.scores

    def _wanted_classifier(self, context: Context) -> Classifier | None:
        if self.objects is False:
            return None
        return classifier(context.parts.visual, self.name) if self.objects else find_classifier(context.parts.visual)

    def _train(
        self, seen: Seen, learning_rate: float, kept: Sequence[int], context: Context
    ) -> list[tuple[int, Streams]]:
        """Return the model after each of the kept numbers of epochs."""
        labels, vectors = seen.labels.to(context.device), seen.vectors.to(context.device)
        order, snapshots = context.generator("batches"), []
        with fork_rng(context.generator("weights")):
            model = Streams(seen, self._object_vectors, self.n_objects if self._classifier else 0, self)
            model.to(context.device).train()
            optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
            for epoch in range(1, max(kept) + 1):
                for batch in torch.randperm(len(labels), generator=order).split(BATCH_SIZE):
                    optimizer.zero_grad()
                    model.loss(seen.features[batch].to(context.device), vectors, labels[batch]).backward()
                    optimizer.step()
                if epoch in kept:
                    snapshots.append((epoch, copy.deepcopy(model).cpu().eval().requires_grad_(False)))
        return snapshots


class Streams(nn.Module):
    """The video and the object stream, and the text layer that class descriptions and objects share.

    Clips come as features (N, D) followed by n_objects columns of object numbers, rows of object_vectors (L, E).
    """

    mean: Tensor
    deviation: Tensor
    object_vectors: Tensor

    def __init__(self, seen: Seen, object_vectors: Tensor, n_objects: int, options: ER) -> None:
        super().__init__()
        dim, visual_dim = options.dim, seen.features.shape[1] - n_objects
        self.n_objects = n_objects
        self.temperature = options.temperature
        self.rehearsal_weight = options.rehearsal_weight
        scaling = Scaling.of(seen.features[:, :visual_dim], "standardised")
        self.register_buffer("mean", scaling.mean)
        self.register_buffer("deviation", scaling.deviation)
        self.register_buffer("object_vectors", object_vectors, persistent=False)
        self.dropout = nn.Dropout(options.dropout)
        self.video = nn.Linear(visual_dim, dim)
        self.text = nn.Linear(seen.vectors.shape[1], dim)
        if n_objects:
            self.video_gate, self.object_gate = _gate(dim), _gate(dim)

    def embed_texts(self, vectors: Tensor) -> Tensor:
        """Return sentence vectors (M, E) in the joint space (M, J), of length 1."""
        return F.normalize(self.text(self.dropout(vectors)), dim=-1)

    def embed_clips(self, clips: Tensor) -> list[Tensor]:
        """Return the streams of clips (B, D + n_objects), each (B, J) of length 1: the video's, and the objects'."""
        visual_dim = clips.shape[1] - self.n_objects
        features = Scaling(self.mean, self.deviation)(clips[:, :visual_dim])
        video = F.normalize(self.video(self.dropout(features)), dim=1)
        if not self.n_objects:
            return [video]
        # A clip that could not be read has NaN features; any objects will do, the gate makes them NaN too.
        objects = self.embed_texts(self.object_vectors[clips[:, visual_dim:].long()]).mean(1)
        both = torch.cat([video, objects], dim=1)
        return [
            F.normalize(self.video_gate(both) * video, dim=1),
            F.normalize(self.object_gate(both) * objects, dim=1),
        ]

    def loss(self, clips: Tensor, vectors: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch of clips (B, D + n_objects) with labels (B,) into class vectors (C, E)."""
        streams = self.embed_clips(clips)
        right = F.one_hot(labels, len(vectors)).bool()
        loss = self._contrast(streams, self.embed_texts(vectors), right)
        if not self.n_objects:
            return loss
        objects, numbers = clips[:, -self.n_objects :].long().unique(return_inverse=True)
        own = torch.zeros(len(clips), len(objects), dtype=torch.bool, device=clips.device).scatter(1, numbers, True)
        return loss + self.rehearsal_weight * self._contrast(
            streams, self.embed_texts(self.object_vectors[objects]), own
        )

    def _contrast(self, streams: list[Tensor], texts: Tensor, right: Tensor) -> Tensor:
        """Return the cross-entropy of each stream, and of their sum, against texts (M, J) of which (B, M) are right."""
        cosines = [stream @ texts.T for stream in streams]
        compared = cosines if len(cosines) == 1 else [*cosines, torch.stack(cosines).sum(0)]
        return -torch.stack([(cosine / self.temperature).log_softmax(1)[right].mean() for cosine in compared]).sum()

    def scores(self, clips: Tensor, vectors: Tensor) -> Tensor:
        """Return the sum of the streams' cosines (N, C)."""
        return torch.stack(self.embed_clips(clips)).sum(0) @ self.embed_texts(vectors).T


def _gate(dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2 * dim, dim), nn.ReLU(), nn.Dropout(GATE_DROPOUT), nn.Linear(dim, dim), nn.Sigmoid()
    )

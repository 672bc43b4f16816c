"""Scores of clips against class sentences in the joint space, by sight, by objects or by both (stages 7 to 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, TextEncoder
from zsarbench.utils.batching import in_fixed_batches
from zsarbench.utils.classifiers import classifier
from zsarbench_cezsar.model import MAX_STEPS, JointModel, first_steps, fit_steps
from zsarbench_cezsar.objects import ObjectTexts, clip_sentences, read_at_once
from zsarbench_cezsar.pairs import first_words

SCORE_BATCH = 64  # rows of every forward pass at test, the last one filled up: other shapes give other bits
NEIGHBOURS_OF_MANY = 3  # sentences that vote where a class has several; valterlej/cezsar, stage 9
VISUAL_WEIGHT = 0.8  # share of the visual side where both are fused, the rest being the objects'; paper, Eq. 9
OBJECTS_PER_CLIP = 3  # likeliest objects that describe a clip at test; valterlej/cezsar, stage 8
KMEANS_STARTS = 10  # of which the tightest clustering is taken

Mode = Literal["visual", "object", "visual_object"]


@dataclass(frozen=True)
class Options:
    """How to score; see the constants of this module, and the options of the method, which have the same names."""

    mode: Mode = "visual"
    visual_weight: float = VISUAL_WEIGHT
    objects_per_clip: int = OBJECTS_PER_CLIP
    neighbours: int | None = None
    prototypes: int | None = None
    max_steps: int = MAX_STEPS
    padding: Literal["mask", "zeros"] = "mask"
    normalise_at_test: bool = True


def scores(
    model: JointModel, clips: ClipFeatures, classes: Sequence[ClassText], context: Context, options: Options
) -> Tensor:
    """Return (N, C), the cosine to each class's nearest sentence, or votes; NaN for a clip that was not read."""
    embedded, sentences, owner = in_joint_space(model, clips, classes, context, options)
    cosine = F.normalize(embedded, dim=1) @ F.normalize(sentences, dim=1).T
    many = NEIGHBOURS_OF_MANY if len(owner) > len(classes) else 1
    return nearest(cosine, owner, len(classes), options.neighbours or many)


def in_joint_space(
    model: JointModel, clips: ClipFeatures, classes: Sequence[ClassText], context: Context, options: Options
) -> tuple[Tensor, Tensor, Tensor]:
    """Return clips (N, J), the classes' sentences (S, J), and the class that each sentence is of, (S,)."""
    texts = [first_words(text) for described in classes for text in described.texts]
    owner = torch.tensor([number for number, described in enumerate(classes) for _ in described.texts])
    with torch.inference_mode(), _precision(context):
        sentences = _sentences(model, texts, context, options)
        embedded = embed(model, clips, context, options)
    if options.prototypes is not None:
        kept = prototypes(sentences, owner, options.prototypes, context.generator("prototypes"))
        sentences, owner = sentences[kept], owner[kept]
    return embedded, sentences, owner


def embed(model: JointModel, clips: ClipFeatures, context: Context, options: Options) -> Tensor:
    """Return clips in the joint space (N, J) float32 by the side that the mode says, NaN for one that was not read.

    "visual_object" adds the two sides up as they come out of their branches, not scaled to unit length (Eq. 9).
    """
    if options.mode == "visual":
        return _by_sight(model, clips, context, options)
    objects = _by_objects(model, clips, context, options)
    if options.mode == "object":
        return objects
    return options.visual_weight * _by_sight(model, clips, context, options) + (1 - options.visual_weight) * objects


def nearest(cosine: Tensor, owner: Tensor, n_classes: int, neighbours: int) -> Tensor:
    """Return (N, C) from cosines to sentences (N, S) whose classes are `owner` (S,) (stage 9).

    One neighbour: the cosine to the nearest sentence of each class. Several: how many of the k nearest sentences a
    class owns, and among equals the nearer one first.
    """
    expanded = owner.expand(len(cosine), -1)
    best = cosine.new_full((len(cosine), n_classes), -torch.inf)
    best = best.scatter_reduce(1, expanded, cosine, "amax")
    if neighbours == 1:
        return best
    voters = expanded.gather(1, cosine.topk(min(neighbours, len(owner)), dim=1).indices)
    votes = torch.zeros_like(best).scatter_add(1, voters, torch.ones_like(voters, dtype=best.dtype))
    return votes + (best + 1) / 4  # less than one vote


def prototypes(sentences: Tensor, owner: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Return the positions of the sentences that stand for each class: those nearest to the centres of n clusters.

    sentences: (S, J) in the joint space. owner: (S,) classes. A class of n sentences or fewer keeps all of them. The
    same seed serves every class, so that a class's prototypes do not depend on the others.
    """
    from sklearn.cluster import KMeans

    seed = int(torch.randint(2**31 - 1, (1,), generator=rng))
    unit = F.normalize(sentences, dim=1).double().numpy()
    kept = []
    for number in owner.unique().tolist():
        own = (owner == number).nonzero().flatten().numpy()
        # Clusters are sought among distinct sentences alone: equal ones are indistinguishable.
        distinct = own[np.sort(np.unique(unit[own], axis=0, return_index=True)[1])]
        if len(distinct) > n:
            clusters = KMeans(n, n_init=KMEANS_STARTS, random_state=seed).fit(unit[distinct])
            distinct = distinct[np.unique(clusters.transform(unit[distinct]).argmin(0))]
        kept.append(distinct)
    return torch.from_numpy(np.concatenate(kept))


def embeddings(texts: Sequence[str], context: Context) -> Tensor:
    """Return the sentences (S, E) float32 by the run's text part.

    Raises:
        UsageError: the run has none.
    """
    encoder: TextEncoder | None = context.parts.text
    if encoder is None:
        raise UsageError("method 'cezsar' needs a text encoder. Try: --text minilm-l6")
    return encoder.encode(texts).detach().float().cpu()


def _sentences(model: JointModel, texts: Sequence[str], context: Context, options: Options) -> Tensor:
    """Return sentences in the joint space (S, J) float32."""
    return in_fixed_batches(
        lambda rows: model.sentence(rows.to(context.device), normalise=options.normalise_at_test).float().cpu(),
        embeddings(texts, context),
        SCORE_BATCH,
    )


def _by_sight(model: JointModel, clips: ClipFeatures, context: Context, options: Options) -> Tensor:
    """Return clips in the joint space by what they show, (N, J)."""
    embedded = []
    clips = first_steps(clips, options.max_steps)
    for index in torch.arange(len(clips)).split(SCORE_BATCH) if len(clips) else ():
        filled = torch.cat([index, index[:1].expand(SCORE_BATCH - len(index))])
        steps = clips.rows(filled)
        values, mask = fit_steps(steps.values, steps.mask, options.max_steps, options.padding)
        values, mask = values.to(context.device), mask.to(context.device)
        rows = model.video(values, mask, normalise=options.normalise_at_test, alone=True).float()
        embedded.append(rows.masked_fill(~mask.any(1, keepdim=True), torch.nan)[: len(index)].cpu())
    return torch.cat(embedded) if embedded else torch.empty(0, model.sentence_norm.normalized_shape[0])


def _by_objects(model: JointModel, clips: ClipFeatures, context: Context, options: Options) -> Tensor:
    """Return clips in the joint space by a sentence about their likeliest objects, (N, J)."""
    found = classifier(context.parts.visual, "cezsar")
    objects = ObjectTexts(found.labels)
    clips = first_steps(clips, options.max_steps)
    texts = [
        text
        for index in torch.arange(len(clips)).split(read_at_once(clips))
        for text in clip_sentences(clips, index, found, objects, options.objects_per_clip, options.max_steps)
    ]
    distinct = list(dict.fromkeys(text for text in texts if text))
    rows = _sentences(model, distinct, context, options)
    place = {text: number for number, text in enumerate(distinct)}
    nothing = torch.full((1, rows.shape[1]), torch.nan)
    return torch.cat([rows, nothing])[[place.get(text, len(rows)) for text in texts]]


def _precision(context: Context) -> torch.autocast:
    return torch.autocast(context.device.type, context.dtype, enabled=context.dtype != torch.float32)

"""The labels of ImageNet's subsets, which image models are trained on."""

from __future__ import annotations

from functools import partial

from timm.data.imagenet_info import ImageNetInfo

from zsarbench.evaluation.label_sets import LabelSet


def labels(subset: str) -> LabelSet:
    """Return the synsets of a subset by their first lemma, the others being aliases."""
    synsets = [description.split(", ") for description in ImageNetInfo(subset).label_descriptions()]
    aliases = {lemma: lemmas[0] for lemmas in synsets for lemma in lemmas[1:]}
    return LabelSet(subset, tuple(dict.fromkeys(lemmas[0] for lemmas in synsets)), aliases, actions=False)


imagenet_1k = partial(labels, "imagenet-1k")
imagenet_12k = partial(labels, "imagenet-12k")
imagenet_21k = partial(labels, "imagenet-21k")
imagenet_21k_goog = partial(labels, "imagenet-21k-goog")
imagenet_21k_miil = partial(labels, "imagenet-21k-miil")
imagenet_22k = partial(labels, "imagenet-22k")

"""Competing methods: implemented anew from their papers, one small module each."""

from __future__ import annotations

from typing import Any

from zsarbench import hookimpl

LEARNT = {"visual": "efficientnet-lite0", "text": "minilm-l6"}


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Add the methods."""
    registry.add(
        "method",
        "eszsl",
        "zsarbench_rivals.eszsl:ESZSL",
        summary="A bilinear map from clips to classes, by a regularised squared error in closed form.",
        source="Romera-Paredes and Torr, An Embarrassingly Simple Approach to Zero-Shot Learning, ICML 2015",
        trained_on=(),
        defaults=LEARNT,
    )
    registry.add(
        "method",
        "sae",
        "zsarbench_rivals.sae:SAE",
        summary="A linear autoencoder whose code is the class vector, in closed form.",
        source="Kodirov, Xiang and Gong, Semantic Autoencoder for Zero-Shot Learning, CVPR 2017, arXiv:1704.08345",
        trained_on=(),
        defaults=LEARNT,
    )
    registry.add(
        "method",
        "devise",
        "zsarbench_rivals.devise:DeViSE",
        summary="A linear map into the text space, trained by hinge rank loss over all classes.",
        source="Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NIPS 2013",
        trained_on=(),
        defaults=LEARNT,
    )
    registry.add(
        "method",
        "ale",
        "zsarbench_rivals.ale:ALE",
        summary="A bilinear map trained by ranking, weighted by the rank of the own class.",
        source="Akata, Perronnin, Harchaoui and Schmid, Label-Embedding for Image Classification, arXiv:1503.08677",
        trained_on=(),
        defaults=LEARNT,
    )
    registry.add(
        "method",
        "sje",
        "zsarbench_rivals.sje:SJE",
        summary="A bilinear map trained on the class that violates the margin most.",
        source="Akata et al., Evaluation of Output Embeddings for Fine-Grained Image Classification, arXiv:1409.8403",
        trained_on=(),
        defaults=LEARNT,
    )
    registry.add(
        "method",
        "latem",
        "zsarbench_rivals.latem:LatEm",
        summary="Several bilinear maps, of which each pair of clip and class takes the best.",
        source="Xian et al., Latent Embeddings for Zero-Shot Classification, CVPR 2016, arXiv:1603.08895",
        trained_on=(),
        defaults=LEARNT,
    )

"""Competing methods, implemented from their papers, one small module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar

OFFLINE = {"visual": "efficientnet-lite0", "text": "minilm-l6"}
CAPTIONS = {"visual": "captions", "text": "minilm-l6"}
METHODS = (
    (
        "eszsl", "eszsl:ESZSL", OFFLINE,
        "A bilinear map from clips to classes, by a regularised squared error in closed form.",
        "Romera-Paredes and Torr, An Embarrassingly Simple Approach to Zero-Shot Learning, ICML 2015",
    ),
    (
        "sae", "sae:SAE", OFFLINE,
        "A linear autoencoder whose code is the class vector, in closed form.",
        "Kodirov, Xiang and Gong, Semantic Autoencoder for Zero-Shot Learning, CVPR 2017, arXiv:1704.08345",
    ),
    (
        "devise", "devise:DeViSE", OFFLINE,
        "A linear map into the text space, trained by hinge rank loss over all classes.",
        "Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NIPS 2013",
    ),
    (
        "ale", "ale:ALE", OFFLINE,
        "A bilinear map trained by ranking, weighted by the rank of the own class.",
        "Akata, Perronnin, Harchaoui and Schmid, Label-Embedding for Image Classification, arXiv:1503.08677",
    ),
    (
        "sje", "sje:SJE", OFFLINE,
        "A bilinear map trained on the class that violates the margin most.",
        "Akata et al., Evaluation of Output Embeddings for Fine-Grained Image Classification, arXiv:1409.8403",
    ),
    (
        "latem", "latem:LatEm", OFFLINE,
        "Several bilinear maps, of which each pair of clip and class takes the best.",
        "Xian et al., Latent Embeddings for Zero-Shot Classification, CVPR 2016, arXiv:1603.08895",
    ),
    (
        "dem", "dem:DEM", OFFLINE,
        "Class texts mapped into the visual space by a small network; the class nearest to the clip.",
        "Zhang, Xiang and Gong, Learning a Deep Embedding Model for Zero-Shot Learning, arXiv:1611.05088",
    ),
    (
        "e2e", "e2e:E2E", OFFLINE,
        "Regression of frozen clip features to the text vectors of their classes; nearest by cosine.",
        "Brattoli et al., Rethinking Zero-Shot Video Classification, arXiv:2003.01455; its frozen form",
    ),
    (
        "er", "er:ER", OFFLINE,
        "Elaborative Rehearsal on frozen features: video and object streams against elaborated descriptions.",
        "Chen and Huang, Elaborative Rehearsal for Zero-Shot Action Recognition, ICCV 2021, arXiv:2108.02833",
    ),
    (
        "conse", "conse:ConSE", OFFLINE,
        "A clip is the mean of its likeliest objects' text vectors, weighted by probability.",
        "Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic Embeddings, arXiv:1312.5650",
    ),
    (
        "objects2action", "objects2action:Objects2Action", OFFLINE,
        "Object probabilities of a clip times the text similarity of objects and classes.",
        "Jain et al., Objects2action, ICCV 2015, arXiv:1510.06939",
    ),
    (
        "objsent", "objsent:ObjSent", OFFLINE,
        "Objects described by sentences, fused with a classifier of captions by class sentences.",
        "Estevam et al., Global Semantic Descriptors for Zero-Shot Action Recognition, arXiv:2209.12061",
    ),
    (
        "zsarcap", "zsarcap:ZSARCap", CAPTIONS,
        "Captions of a clip against the class's sentences nearest to its name; nearest neighbour.",
        "Estevam et al., Tell Me What You See, arXiv:2112.09976",
    ),
    (
        "clip", "clip:Clip", {"visual": "open-clip", "text": "open-clip"},
        "CLIP averaged over frames, with its authors' prompts for actions.",
        "Radford et al., Learning Transferable Visual Models From Natural Language, arXiv:2103.00020",
    ),
    (
        "video-clip", "clip:Clip", {"visual": "x-clip", "text": "x-clip"},
        "X-CLIP's video and text tower, with CLIP's prompts; without its video-specific prompts.",
        "Ni et al., Expanding Language-Image Pretrained Models for General Video Recognition, arXiv:2208.02816",
    ),
)  # fmt: skip
"""Each method: its name, module and class, default parts, summary and source. None of them was trained before."""


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the methods, and the towers of CLIP and of X-CLIP."""
    for name, target, defaults, summary, source in METHODS:
        registry.add(
            "method", name, f"zsarbench_methods.{target}", trained_on=(), summary=summary, source=source,
            defaults=defaults,
        )  # fmt: skip
    for kind, attribute in (("visual", "OpenClipImages"), ("text", "OpenClipTexts")):
        registry.add(
            kind,
            "open-clip",
            f"zsarbench_methods.towers:{attribute}",
            summary="One of CLIP's two towers, any model of open_clip; the other is the other part of this name.",
            source="Ilharco et al., OpenCLIP (MIT); Radford et al., arXiv:2103.00020",
            extra="clip",
        )
    for kind, attribute in (("visual", "XClipVideos"), ("text", "XClipTexts")):
        registry.add(
            kind,
            "x-clip",
            f"zsarbench_methods.xclip:{attribute}",
            summary="One of X-CLIP's two towers through transformers; the other is the other part of this name.",
            source="Ni et al., arXiv:2208.02816; microsoft/xclip-base-patch32 (MIT)",
            trained_on=("kinetics400",),
        )

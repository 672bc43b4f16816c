"""Competing methods: implemented anew from their papers, one small module each."""

from __future__ import annotations

from typing import Any

from zsarbench import hookimpl

OFFLINE = {"visual": "efficientnet-lite0", "text": "minilm-l6"}
CAPTIONS = {"visual": "captions", "text": "minilm-l6"}


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
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "sae",
        "zsarbench_rivals.sae:SAE",
        summary="A linear autoencoder whose code is the class vector, in closed form.",
        source="Kodirov, Xiang and Gong, Semantic Autoencoder for Zero-Shot Learning, CVPR 2017, arXiv:1704.08345",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "devise",
        "zsarbench_rivals.devise:DeViSE",
        summary="A linear map into the text space, trained by hinge rank loss over all classes.",
        source="Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NIPS 2013",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "ale",
        "zsarbench_rivals.ale:ALE",
        summary="A bilinear map trained by ranking, weighted by the rank of the own class.",
        source="Akata, Perronnin, Harchaoui and Schmid, Label-Embedding for Image Classification, arXiv:1503.08677",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "sje",
        "zsarbench_rivals.sje:SJE",
        summary="A bilinear map trained on the class that violates the margin most.",
        source="Akata et al., Evaluation of Output Embeddings for Fine-Grained Image Classification, arXiv:1409.8403",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "latem",
        "zsarbench_rivals.latem:LatEm",
        summary="Several bilinear maps, of which each pair of clip and class takes the best.",
        source="Xian et al., Latent Embeddings for Zero-Shot Classification, CVPR 2016, arXiv:1603.08895",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "dem",
        "zsarbench_rivals.dem:DEM",
        summary="Class texts mapped into the visual space by a small network; the class nearest to the clip.",
        source="Zhang, Xiang and Gong, Learning a Deep Embedding Model for Zero-Shot Learning, arXiv:1611.05088",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "e2e",
        "zsarbench_rivals.e2e:E2E",
        summary="Regression of frozen clip features to the text vectors of their classes; nearest by cosine.",
        source="Brattoli et al., Rethinking Zero-Shot Video Classification, arXiv:2003.01455; its frozen form",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "er",
        "zsarbench_rivals.er:ER",
        summary="Elaborative Rehearsal on frozen features: video and object streams against elaborated descriptions.",
        source="Chen and Huang, Elaborative Rehearsal for Zero-Shot Action Recognition, ICCV 2021, arXiv:2108.02833",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "conse",
        "zsarbench_rivals.conse:ConSE",
        summary="A clip is the mean of its likeliest objects' text vectors, weighted by probability.",
        source="Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic Embeddings, arXiv:1312.5650",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "objects2action",
        "zsarbench_rivals.objects2action:Objects2Action",
        summary="Object probabilities of a clip times the text similarity of objects and classes.",
        source="Jain et al., Objects2action, ICCV 2015, arXiv:1510.06939",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "objsent",
        "zsarbench_rivals.objsent:ObjSent",
        summary="Objects described by sentences, fused with a classifier of captions by class sentences.",
        source="Estevam et al., Global Semantic Descriptors for Zero-Shot Action Recognition, arXiv:2209.12061",
        trained_on=(),
        defaults=OFFLINE,
    )
    registry.add(
        "method",
        "zsarcap",
        "zsarbench_rivals.zsarcap:ZSARCap",
        summary="Captions of a clip against the class's sentences nearest to its name; nearest neighbour.",
        source="Estevam et al., Tell Me What You See, arXiv:2112.09976",
        trained_on=(),
        defaults=CAPTIONS,
    )
    registry.add(
        "method",
        "clip",
        "zsarbench_rivals.clip:Clip",
        summary="CLIP averaged over frames, with its authors' prompts for actions.",
        source="Radford et al., Learning Transferable Visual Models From Natural Language, arXiv:2103.00020",
        trained_on=(),
        defaults={"visual": "open-clip", "text": "open-clip"},
    )
    registry.add(
        "method",
        "video-clip",
        "zsarbench_rivals.clip:Clip",
        summary="X-CLIP's video and text tower, with CLIP's prompts; without its video-specific prompts.",
        source="Ni et al., Expanding Language-Image Pretrained Models for General Video Recognition, arXiv:2208.02816",
        trained_on=(),
        defaults={"visual": "x-clip", "text": "x-clip"},
    )
    for kind, attribute in (("visual", "OpenClipImages"), ("text", "OpenClipTexts")):
        registry.add(
            kind,
            "open-clip",
            f"zsarbench_rivals.towers:{attribute}",
            summary="One of CLIP's two towers, any model of open_clip; the other is the other part of this name.",
            source="Ilharco et al., OpenCLIP (MIT); Radford et al., arXiv:2103.00020",
            extra="clip",
        )
    for kind, attribute in (("visual", "XClipVideos"), ("text", "XClipTexts")):
        registry.add(
            kind,
            "x-clip",
            f"zsarbench_rivals.xclip:{attribute}",
            summary="One of X-CLIP's two towers through transformers; the other is the other part of this name.",
            source="Ni et al., arXiv:2208.02816; microsoft/xclip-base-patch32 (MIT)",
            trained_on=("kinetics-400",),
        )

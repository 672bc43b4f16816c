"""CLIP and X-CLIP: loaded and run for real, on tiny models with random weights that the tests make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer, VideoMAEImageProcessor, XCLIPConfig, XCLIPModel

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, Clips, Context, Parts, TextEncoder, VisualEncoder
from zsarbench.utils import seeding
from zsarbench_methods import clip, xclip
from zsarbench_methods.clip import TEMPLATES, Clip
from zsarbench_methods.xclip import XClipTexts, XClipVideos

CLASSES = (ClassText("Rowing", ("rowing",)), ClassText("SkiJump", ("ski jump", "a jump on skis")))
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def context(visual: Any, text: Any) -> Context:
    return Context(
        Parts(visual, text), torch.device("cpu"), torch.float32, torch.Generator, None, False, SimpleNamespace()
    )


def frames(*shape: int) -> Tensor:
    return torch.randint(0, 256, (*shape, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def towers() -> Any:
    """The module of CLIP's towers; the test skips where open_clip is not installed."""
    pytest.importorskip("open_clip", reason="open_clip is not installed; it comes with the extra `clip`")
    from zsarbench_methods import towers

    return towers


@pytest.fixture(scope="module")
def tiny(towers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Options that name a tiny model of open_clip and a file of its random weights."""
    import open_clip

    folder = tmp_path_factory.mktemp("open-clip")
    (folder / "zsarbench-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "zsarbench-tiny.json")
    with seeding.fork_rng(torch.Generator().manual_seed(0)):
        network = open_clip.create_model("zsarbench-tiny", load_weights=False)
    safetensors.torch.save_file(network.state_dict(), folder / "weights.safetensors")
    return {"model": "zsarbench-tiny", "weights": str(folder / "weights.safetensors")}


def model_of(tiny: dict[str, str]) -> Any:
    import open_clip

    network = open_clip.create_model(tiny["model"], load_weights=False).eval()
    network.load_state_dict(safetensors.torch.load_file(tiny["weights"]))
    return network


# --- CLIP ---


def test_the_towers_give_open_clips_own_features(towers: Any, tiny: dict[str, str]) -> None:
    import open_clip

    images, texts, network = towers.OpenClipImages(**tiny, batch_size=8), towers.OpenClipTexts(**tiny), model_of(tiny)
    assert isinstance(images, VisualEncoder)
    assert isinstance(texts, TextEncoder)
    assert images.space == texts.space
    assert images.dim == texts.dim == 16
    photo = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    transform = open_clip.image_transform(32, is_train=False, resize_mode="shortest", interpolation="bicubic")
    prepared = torch.from_numpy(images.prepare(photo))
    steps = images.encode(Clips(("a",), prepared[None, None, None], None, torch.ones(1, 1, dtype=torch.bool)))
    with torch.inference_mode():
        expected = network.encode_image(transform(Image.fromarray(photo))[None])
        torch.testing.assert_close(steps.values[0], expected, rtol=1e-4, atol=1e-5)
        sentences = ["a photo of rowing.", "ski", "word " * 50]
        expected = network.encode_text(open_clip.get_tokenizer(tiny["model"])(sentences))
        torch.testing.assert_close(texts.encode(sentences), expected, rtol=1e-4, atol=1e-5)
    assert texts.encode([]).shape == (0, 16)


def test_rows_depend_on_themselves_alone_and_padding_is_zero(towers: Any, tiny: dict[str, str]) -> None:
    images, texts = towers.OpenClipImages(**tiny, batch_size=8), towers.OpenClipTexts(**tiny)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    steps = images.encode(Clips(("a", "b", "c"), frames(3, 3, 1), None, mask))
    assert steps.values[~mask].abs().max() == 0
    alone = images.encode(Clips(("b",), frames(3, 3, 1)[1:2], None, mask[1:2]))
    assert torch.equal(alone.values[0], steps.values[1])
    sentences = [f"sentence {i}" for i in range(40)]
    assert torch.equal(texts.encode(sentences)[35], texts.encode(sentences[35:36])[0])


def test_clip_is_the_mean_over_frames_of_the_cosines_to_the_prompt_ensemble(towers: Any, tiny: dict[str, str]) -> None:
    images, texts = towers.OpenClipImages(**tiny), towers.OpenClipTexts(**tiny)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    steps = images.encode(Clips(("a", "b", "c"), frames(3, 3, 1), None, mask))
    clips = MemoryClips("abc", steps.values, steps.mask)
    method = Clip()
    method.fit(None, context(images, texts))
    scores = method.score(clips, CLASSES, context(images, texts))
    for column, described in zip(scores.T, CLASSES, strict=True):
        prompts = [template.format(text) for text in described.texts for template in TEMPLATES["actions"]]
        vector = F.normalize(texts.encode(prompts), dim=1).mean(0)
        for value, values, own in zip(column[:2], steps.values, mask, strict=False):
            cosines = [float(F.cosine_similarity(step, vector, dim=0)) for step in values[own]]
            assert float(value) == pytest.approx(sum(cosines) / len(cosines), abs=1e-5)
    assert scores[2].isnan().all()
    plain = Clip(prompts="none").score(clips, CLASSES, context(images, texts))
    assert not torch.allclose(plain[:2], scores[:2])
    torch.testing.assert_close(Clip().score(clips, CLASSES[1:], context(images, texts))[:2], scores[:2, 1:])


def test_the_action_prompts_are_the_authors_48() -> None:
    prompts = [template.format("rowing") for template in TEMPLATES["actions"]]
    assert len(set(prompts)) == 48
    assert prompts[0] == "a photo of a person rowing."
    assert prompts[-1] == "a demonstration of the person practicing rowing."
    assert "a example of a person during rowing." in prompts


def test_towers_of_different_weights_do_not_go_together(towers: Any, tiny: dict[str, str], tmp_path: Path) -> None:
    state = safetensors.torch.load_file(tiny["weights"])
    state["text_projection"] = state["text_projection"] + 1
    torch.save(state, tmp_path / "other.pt")
    images = towers.OpenClipImages(**tiny)
    other = towers.OpenClipTexts(model=tiny["model"], weights=str(tmp_path / "other.pt"))
    with pytest.raises(UsageError, match="--visual open-clip --text open-clip"):
        Clip().fit(None, context(images, other))


def test_wrong_names_and_files_are_reported(towers: Any, tiny: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'ViT-B-32'"):
        towers.OpenClipImages(model="ViT-B-33")
    with pytest.raises(UsageError, match="did you mean 'openai'"):
        towers.OpenClipTexts(pretrained="openia")
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "wrong.safetensors")
    with pytest.raises(ZsarbenchError, match="does not fit"):
        towers.OpenClipImages(model=tiny["model"], weights=str(tmp_path / "wrong.safetensors"))
    with pytest.raises(ZsarbenchError, match="does not exist"):
        towers.OpenClipImages(model=tiny["model"], weights=str(tmp_path / "missing.safetensors"))


def test_weights_that_cannot_be_fetched_name_the_way_out(towers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ZsarbenchError, match=r"ViT-B-32.*cannot be fetched.*[^.]\. With .*--set visual.weights=FILE"):
        towers.OpenClipImages()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": 224, "resize_mode": "shortest", "interpolation": "bicubic"}, (224, (224, 224))),
        ({"size": (64, 48), "resize_mode": "squash", "interpolation": "bilinear"}, ((64, 48), (64, 48))),
    ],
)
def test_preparation_follows_the_config(towers: Any, config: dict[str, Any], expected: tuple[Any, Any]) -> None:
    prepare = towers.preparation(config)
    assert (prepare.resize, prepare.crop) == expected
    with pytest.raises(ZsarbenchError, match="resize mode 'longest'"):
        towers.preparation({**config, "resize_mode": "longest"})


# --- X-CLIP ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A saved X-CLIP model of random weights with its processor and tokenizer."""
    folder = tmp_path_factory.mktemp("x-clip")
    sizes = {"intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    mit = {"mit_hidden_size": 8, "mit_intermediate_size": 16, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = XCLIPConfig(
        text_config={**sizes, **ends, "hidden_size": 16, "vocab_size": 60, "max_position_embeddings": 12},
        vision_config={**sizes, **mit, "hidden_size": 16, "image_size": 32, "patch_size": 8, "num_frames": 4},
        projection_dim=8,
    )
    with seeding.fork_rng(torch.Generator().manual_seed(0)):
        XCLIPModel(config).save_pretrained(folder)
    letters = [end for letter in "abcdefghijklmnopqrstuvwxyz.," for end in (letter, f"{letter}</w>")]
    vocabulary = {token: number for number, token in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    processor = VideoMAEImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32},
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    processor.save_pretrained(folder)
    return str(folder)


def test_x_clips_towers_give_its_own_features(folder: str) -> None:
    videos, texts = XClipVideos(model=folder), XClipTexts(model=folder)
    assert isinstance(videos, VisualEncoder)
    assert isinstance(texts, TextEncoder)
    assert videos.space == texts.space
    assert (videos.sampling.frames_per_step, videos.sampling.step_stride) == (4, 4)
    network = XCLIPModel.from_pretrained(folder).eval()
    shown = frames(2, 3, 4)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]], dtype=torch.bool)
    steps = videos.encode(Clips(("a", "b"), shown, None, mask))
    assert steps.values.shape == (2, 3, 8)
    assert steps.values[~mask].abs().max() == 0
    pixels = VideoMAEImageProcessor.from_pretrained(folder)([list(shown[1, 0])], return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = network.get_video_features(pixels, return_dict=True).pooler_output[0]
        torch.testing.assert_close(steps.values[1, 0], expected, rtol=1e-4, atol=1e-5)
        tokens = CLIPTokenizer.from_pretrained(folder)(["a jump"], return_tensors="pt")
        expected = network.get_text_features(**tokens, return_dict=True).pooler_output[0]
        torch.testing.assert_close(texts.encode(["a jump"])[0], expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(texts.encode(["b", "a jump"])[1], texts.encode(["a jump"])[0])
    method = Clip(prompts="photo")
    method.fit(None, context(videos, texts))
    scores = method.score(MemoryClips("ab", steps.values, steps.mask), CLASSES, context(videos, texts))
    assert scores.isfinite().all()


def test_an_x_clip_that_does_not_exist_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for model in ("microsoft/xclip-base-patch32", str(tmp_path)):
        with pytest.raises(ZsarbenchError, match=r"--set visual\.model=FOLDER"):
            XClipVideos(model=model)


def test_x_clips_preparation_needs_a_shortest_edge() -> None:
    with pytest.raises(ZsarbenchError, match="shortest edge"):
        xclip.preparation({"size": {"height": 8, "width": 8}, "crop_size": {}})


# --- parts that do not go together ---


def test_clip_refuses_parts_without_a_common_space() -> None:
    text = SimpleNamespace(space="a", encode=lambda texts: torch.zeros(len(texts), 2))
    with pytest.raises(UsageError, match="--method nearest-text"):
        clip.Clip().fit(None, context(SimpleNamespace(space="a", needs="captions"), text))
    for visual in (None, SimpleNamespace(space=None, needs="frames"), SimpleNamespace(space="b", needs="features")):
        with pytest.raises(UsageError, match="do not share a space"):
            clip.Clip().fit(None, context(visual, text))
    with pytest.raises(UsageError, match="--text"):
        clip.Clip().fit(None, replace(context(None, text), parts=Parts()))

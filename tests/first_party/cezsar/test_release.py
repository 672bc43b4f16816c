"""The public release: its forward pass out of plain layers, its state dicts converted, its pickles refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from released import Release
from torch import nn

from zsarbench.cli.main import main
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import ClassText, Context, Parts
from zsarbench.plugins import load_plugins
from zsarbench.utils.progress import LogProgress
from zsarbench.utils.seeding import fork_rng, generator
from zsarbench_cezsar.model import JointModel, fit_steps
from zsarbench_cezsar.pretrained import Pretrained, load_model
from zsarbench_cezsar.release import AS_RELEASED, convert, release_flags

VIDEO, TEXT, JOINT, STEPS = 24, 20, 8, 16


@pytest.fixture(scope="module")
def release() -> Release:
    with fork_rng(generator(0, "release")):
        model = Release(video=VIDEO, text=TEXT, joint=JOINT).eval()
        for name, parameter in model.named_parameters():
            if "norm" in name:  # a norm as it is initialised would not tell a weight from a bias
                nn.init.uniform_(parameter, 0.5, 1.5)
    return model


@pytest.fixture
def state_file(release: Release, tmp_path: Path) -> Path:
    torch.save(release.state_dict(), tmp_path / "state.pt")
    return tmp_path / "state.pt"


def clips(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return values (B, T, 24) with garbage on padding, and the mask."""
    values = torch.randn(len(lengths), max(lengths), VIDEO, generator=generator(1))
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    values[~mask] = 1e3
    return values, mask


def test_a_converted_state_dict_reproduces_the_release_forward_pass(release, state_file, tmp_path):
    convert(state_file, tmp_path / "out")
    ours, _ = load_model(tmp_path / "out")
    values, mask = clips([3, 5, 20])
    padded = torch.zeros(3, STEPS, VIDEO)
    padded[:, :] = values.masked_fill(~mask[:, :, None], 0.0)[:, :STEPS]
    given = fit_steps(values, mask, STEPS, "zeros")
    close = {"atol": 1e-5, "rtol": 0}
    # as in training: attention across the batch, both norms
    torch.testing.assert_close(ours.video(*given), release.norm_vid(release.video(padded)), **close)
    # at test: one clip at a time, and the branches without their norms
    alone = torch.cat([release.video(clip[None]) for clip in padded])
    torch.testing.assert_close(ours.video(*given, normalise=False, alone=True), alone, **close)
    sentences = torch.randn(7, TEXT, generator=generator(3))
    torch.testing.assert_close(ours.sentence(sentences), release.norm_sent(release.sentence(sentences)), **close)
    torch.testing.assert_close(ours.sentence(sentences, normalise=False), release.sentence(sentences), **close)


class Encoder:
    """A text or visual part of a given width."""

    space, fingerprint, colour_order = None, {}, "bgr"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, texts):
        return torch.stack([torch.randn(self.dim, generator=generator(0, text)) for text in texts])


def context(video: int = VIDEO, text: int = TEXT) -> Context:
    parts = Parts(Encoder(video), Encoder(text))
    return Context(
        parts, torch.device("cpu"), torch.float32, lambda name: generator(0, name), None, False, LogProgress()
    )


def test_the_scores_of_converted_weights_are_the_release_s_cosines(release, state_file, tmp_path):
    convert(state_file, tmp_path / "out")
    method = Pretrained(weights=str(tmp_path / "out"), padding="zeros", normalise_at_test=False)
    method.fit(None, context())
    values, mask = clips([3, 5, 9])
    classes = [ClassText(name, (f"to {name}",)) for name in ("run", "walk")]
    scores = method.score(MemoryClips(["a", "b", "c"], values, mask), classes, context())
    padded = nn.functional.pad(values.masked_fill(~mask[:, :, None], 0.0), (0, 0, 0, STEPS - 9))
    videos = torch.cat([release.video(clip[None]) for clip in padded])
    sentences = release.sentence(Encoder(TEXT).encode(["to run", "to walk"]))
    expected = torch.cosine_similarity(videos[:, None], sentences[None], dim=-1)
    torch.testing.assert_close(scores, expected.detach(), atol=1e-5, rtol=0)
    flags = method.record()["flags"]
    assert flags[0].startswith("weights trained outside this run")
    assert [flag.split("=")[0] for flag in flags[1:]] == ["attend_over", "normalise_at_test", "padding", "colour_order"]


def test_a_whole_module_is_refused_without_running_it(release, tmp_path):
    class Trap(dict):
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save(Trap(), tmp_path / "module.pt")
    message = (
        r"whole module.*is refused.*torch\.save\(m\.state_dict\(\).* zsarbench cezsar convert state\.pt --out DIR$"
    )
    with pytest.raises(ZsarbenchError, match=message):
        convert(tmp_path / "module.pt", tmp_path / "out")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


def test_what_is_not_the_release_is_named(release, tmp_path):
    torch.save({"head.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ZsarbenchError, match=r"its model has no tensor 'head\.weight'"):
        convert(tmp_path / "other.pt", tmp_path / "out")
    part = {name: value for name, value in release.state_dict().items() if "norm_vid" not in name}
    torch.save(part, tmp_path / "part.pt")
    with pytest.raises(ZsarbenchError, match=r"(?s)not a state dict of CEZSAR's release.*video_norm"):
        convert(tmp_path / "part.pt", tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(state_file, tmp_path):
    with pytest.raises(UsageError, match="is not empty"):
        convert(state_file, tmp_path)
    assert state_file.exists()


def test_the_command_converts(state_file, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["cezsar", "convert", str(state_file), "--out", str(tmp_path / "out")])
    assert not stopped.value.code
    assert "attend_over batch" in capsys.readouterr().out
    state = json.loads((tmp_path / "out" / "checkpoint.json").read_text())
    assert state["origin"]["file"] == "state.pt"
    assert state["sizes"]["joint_dim"] == JOINT


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"video": 25}, r"take 24 visual features, and the run's visual part gives 25"),
        ({"text": 21}, r"take 20 text features, and the run's text part gives 21"),
    ],
)
def test_parts_of_another_width_are_refused(state_file, tmp_path, given, message):
    convert(state_file, tmp_path / "out")
    with pytest.raises(UsageError, match=message):
        Pretrained(weights=str(tmp_path / "out")).check_parts(context(**given).parts)


def test_a_mode_that_needs_objects_is_refused_where_none_are_named(state_file, tmp_path):
    convert(state_file, tmp_path / "out")
    method = Pretrained(weights=str(tmp_path / "out"), mode="object")
    with pytest.raises(
        UsageError, match=r"method 'cezsar-pretrained' reads object scores.*the visual part \w+ has none"
    ):
        method.check_parts(context().parts)
    parts = context().parts
    parts.visual.labels, parts.visual.classify = (("cup", "for tea"),), lambda features: features[..., :1]
    method.check_parts(parts)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("neighbours", 0, "neighbours=0 is below 1. Try: --set method.neighbours=none"),
        ("visual_weight", 3.0, r"visual_weight=3.0 is not in \[0, 1\]. Try: --set method.visual_weight=0.8"),
        ("max_steps", 0, "max_steps=0 is below 1. Try: --set method.max_steps=16"),
        ("prototypes", 0, "prototypes=0 is below 1"),
        ("objects_per_clip", 0, "objects_per_clip=0 is below 1"),
    ],
)
def test_impossible_options_are_refused(option, value, message):
    with pytest.raises(UsageError, match=f"method 'cezsar-pretrained': {message}"):
        Pretrained(**{option: value})


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"has no weights. Try: --set method\.weights=DIR"):
        Pretrained().check_parts(context().parts)
    with pytest.raises(ZsarbenchError, match="holds no checkpoint"):
        Pretrained(weights=str(tmp_path)).check_parts(context().parts)
    (tmp_path / "checkpoint.json").write_text("{")
    with pytest.raises(ZsarbenchError, match="is not readable"):
        Pretrained(weights=str(tmp_path)).check_parts(context().parts)
    with pytest.raises(ZsarbenchError, match="before its weights were loaded"):
        Pretrained().score(MemoryClips(["a"], torch.zeros(1, 1, 2)), [], context())


def test_each_departure_flags_and_the_defaults_do_not():
    assert [flag.split("=")[0] for flag in release_flags(AS_RELEASED)] == list(AS_RELEASED)
    assert release_flags({"attend_over": "time", "normalise_at_test": True, "colour_order": None}) == []


def test_what_the_weights_were_trained_on_is_unknown():
    assert load_plugins().registry.get("method", "cezsar-pretrained").trained_on is None
    assert JointModel(4, 3, d_model=4, joint_dim=2).sizes["attend_over"] == "time"

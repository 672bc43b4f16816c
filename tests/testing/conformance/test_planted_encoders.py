"""Broken visual and text encoders, and the check that must name the fault."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from zsarbench.interfaces import Clips, Sampling, Steps
from zsarbench.testing import conformance
from zsarbench.testing.toys import ToyText, ToyVisual
from zsarbench_encoders.captions import Captions
from zsarbench_encoders.preparation import ResizeCrop


class Windows:
    """Sound: a visual encoder over windows of two frames; a step is the frames' mean colour."""

    needs = "frames"
    dim = 3
    space = None
    sampling = Sampling(2.0, 3, frames_per_step=2, step_stride=2)

    def __init__(self, *, scale: float = 1.0) -> None:
        self.scale = scale
        self.fingerprint = {"preprocessing": "8x8"}
        self.prepare: Any = ResizeCrop((8, 8), (8, 8), "nearest")

    def encode(self, clips: Clips) -> Steps:
        assert clips.frames is not None
        assert clips.mask is not None
        values = clips.frames.double().mean(dim=(2, 4, 5)).float() * self.scale
        return Steps(values * clips.mask[..., None], clips.mask)


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def stores_otherwise(self: Any, *, scale: float = 1.0) -> None:
    Windows.__init__(self, scale=2 * scale)


def takes_anything(self: Any, **options: Any) -> None:
    Windows.__init__(self)


def without_default(self: Any, *, scale: float) -> None:
    Windows.__init__(self)


def without_annotation(self: Any, *, scale=1.0) -> None:  # type: ignore[no-untyped-def]
    Windows.__init__(self, scale=scale)


def of_another_type(self: Any, *, scale: int = 0.5) -> None:  # type: ignore[assignment]
    Windows.__init__(self, scale=scale)


def whole_batch(self: Any, clips: Clips) -> Steps:
    made = Windows.encode(self, clips)
    return Steps((made.values - made.values.mean()) * made.mask[..., None], made.mask)


def with_padding(self: Any, clips: Clips) -> Steps:
    """Mixes all steps of a clip, padding too."""
    assert clips.frames is not None
    assert clips.mask is not None
    values = clips.frames.double().mean(dim=(1, 2, 4, 5)).float()[:, None]
    return Steps(values * clips.mask[..., None], clips.mask)


def with_other_steps(self: Any, clips: Clips) -> Steps:
    """Takes the mean of a clip's steps off each of them."""
    made = Windows.encode(self, clips)
    mean = made.values.sum(1, keepdim=True) / made.mask.sum(1)[:, None, None].clamp(min=1)
    return Steps((made.values - mean) * made.mask[..., None], made.mask)


class InOneThread(Windows):
    """Keeps its clips where another thread replaces them before they are read."""

    independent_steps = True

    def encode(self, clips: Clips) -> Steps:
        self.clips = clips
        time.sleep(0.05)
        return Windows.encode(self, self.clips)


def unmasked(self: Any, clips: Clips) -> Steps:
    assert clips.frames is not None
    assert clips.mask is not None
    return Steps(clips.frames.double().mean(dim=(2, 4, 5)).float() + 1, clips.mask)


def with_prepare(prepare: Any) -> Any:
    def init(self: Any, *, scale: float = 1.0) -> None:
        Windows.__init__(self, scale=scale)
        self.prepare = prepare

    return init


def as_it_comes(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def in_place(rgb: np.ndarray) -> np.ndarray:
    rgb[:] = 0
    return np.zeros((3, 8, 8), np.uint8)


def all_described(self: Any, clips: Clips) -> Steps:
    steps = Captions.encode(self, clips)
    return Steps(steps.values, torch.ones_like(steps.mask))


VISUAL = [
    (altered(Windows, __init__=takes_anything), "options-can-be-set"),
    (altered(Windows, __init__=without_default), "options-can-be-set"),
    (altered(Windows, __init__=without_annotation), "options-can-be-set"),
    (altered(Windows, __init__=of_another_type), "options-can-be-set"),
    (altered(Windows, __init__=stores_otherwise), "options-are-stored"),
    (altered(Windows, needs="frame"), "interface-is-complete"),
    (altered(Windows, batch_size=0), "interface-is-complete"),
    (altered(Windows, independent_steps="yes"), "interface-is-complete"),
    (altered(Windows, captions_in_steps="some"), "interface-is-complete"),
    (altered(Windows, colour_order="grb"), "interface-is-complete"),
    (altered(Windows, to="cuda"), "interface-is-complete"),
    (altered(Windows, space=""), "declares-itself"),
    (altered(Windows, sampling=None), "declares-itself"),
    (altered(Windows, __init__=with_prepare(as_it_comes)), "prepares-any-size"),
    (altered(Windows, __init__=with_prepare(in_place)), "prepares-any-size"),
    (altered(Windows, __init__=with_prepare(lambda rgb: rgb)), "prepare-travels"),
    (altered(Windows, dim=4), "gives-steps"),
    (altered(Windows, encode=unmasked), "gives-steps"),
    (altered(Windows, encode=lambda self, clips: Windows.encode(self, clips).values), "gives-steps"),
    (altered(Windows, encode=whole_batch), "clip-alone"),
    (altered(Windows, encode=with_padding), "padding-stays-out"),
    (altered(Windows, encode=with_other_steps, independent_steps=True), "steps-alone"),
    (InOneThread, "steps-alone"),
    (altered(Windows, labels=("cup",)), "classifies"),
    (altered(Windows, labels=(("cup", "a container"),)), "classifies"),
    (altered(Captions, encode=all_described), "gives-steps"),
    (altered(ToyVisual, classify=lambda self, features: features), "classifies"),
]


def beside_others(self: Any, texts: Sequence[str]) -> Tensor:
    return ToyText.encode(self, texts) + len(texts)


def refusing_empty(self: Any, texts: Sequence[str]) -> Tensor:
    rows = ToyText.encode(self, texts)
    rows[[not text for text in texts]] = torch.nan
    return rows


def narrow(self: Any, texts: Sequence[str]) -> Tensor:
    return ToyText.encode(self, texts)[:, :3]


class Remembering(ToyText):
    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.seen += len(texts)
        return ToyText.encode(self, texts) + self.seen


TEXT = [
    (altered(ToyText, encode=None, dim=0), "declares-itself"),
    (altered(ToyText, encode=narrow), "gives-rows"),
    (altered(ToyText, encode=refusing_empty), "gives-rows"),
    (altered(ToyText, encode=lambda self, texts: torch.stack([torch.ones(16) for _ in texts])), "gives-rows"),
    (altered(ToyText, encode=lambda self, texts: ToyText.encode(self, texts).double()), "gives-rows"),
    (altered(ToyText, encode=beside_others), "sentence-alone"),
    (Remembering, "sentence-alone"),
    (altered(ToyText, encode=lambda self, texts: torch.ones(len(texts), 16)), "tells-texts-apart"),
]


PLANTED = [
    *(("visual", *row) for row in VISUAL),
    *(("text", *row) for row in TEXT),
]


@pytest.mark.parametrize(
    ("kind", "component"), [("visual", Windows), ("visual", ToyVisual), ("visual", Captions), ("text", ToyText)]
)
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["visual", "text"], PLANTED) == set()


def test_every_check_that_all_kinds_share_has_a_planted_bug() -> None:
    tried = {check for _, _, check in PLANTED}
    assert {"options-can-be-set", "options-are-stored", "interface-is-complete"} <= tried


def test_a_prepare_that_brings_torch_into_decoding_processes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, find: Callable[..., str]
) -> None:
    code = "import torch\n\n\ndef prepare(rgb):\n    return torch.zeros(3, 8, 8, dtype=torch.uint8).numpy()\n"
    (tmp_path / "heavy_preparation.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    prepare = importlib.import_module("heavy_preparation").prepare
    said = find("visual", altered(Windows, __init__=with_prepare(prepare)), "prepare-travels")
    assert "its module imports torch" in said

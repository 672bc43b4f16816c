"""Broken visual and text encoders, and the check that must name the fault."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor

from zsarbench.interfaces import Clips, Sampling, Steps, TextEncoder
from zsarbench.testing import conformance
from zsarbench.testing.toys import ToyText, ToyVisual
from zsarbench.testing.videos import TinyEncoder
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
    steps = Windows.encode(self, clips)
    return Steps((steps.values - steps.values.mean()) * steps.mask[..., None], steps.mask)


def with_padding(self: Any, clips: Clips) -> Steps:
    """Mixes all steps of a clip, padding too."""
    assert clips.frames is not None
    assert clips.mask is not None
    values = clips.frames.double().mean(dim=(1, 2, 4, 5)).float()[:, None]
    return Steps(values * clips.mask[..., None], clips.mask)


def with_other_steps(self: Any, clips: Clips) -> Steps:
    """Takes the mean of a clip's steps off each of them."""
    steps = Windows.encode(self, clips)
    mean = steps.values.sum(1, keepdim=True) / steps.mask.sum(1)[:, None, None].clamp(min=1)
    return Steps((steps.values - mean) * steps.mask[..., None], steps.mask)


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


# --- what loaders get wrong -------------------------------------------------------------------------------------------


def picture(change: Callable[[np.ndarray], np.ndarray], **members: Any) -> type:
    """Return an encoder whose preparation changes the prepared picture (3, 8, 8)."""
    return altered(Windows, __init__=with_prepare(lambda rgb: np.ascontiguousarray(change(PREPARED(rgb)))), **members)


PREPARED = ResizeCrop((8, 8), (8, 8), "nearest")


def reshaped(picture: np.ndarray) -> np.ndarray:
    """Gives (H, W, 3) the shape (3, H, W) without moving an axis."""
    return picture.transpose(1, 2, 0).reshape(3, 8, 8)


def wrapped(picture: np.ndarray) -> np.ndarray:
    """Normalises, and then keeps bytes."""
    return ((picture / 255 - 0.45) / 0.225).astype(np.int64).astype(np.uint8)


def augmented(picture: np.ndarray) -> np.ndarray:
    """Mirrors every other frame, as in training."""
    return picture[..., ::-1] if np.random.rand() < 0.5 else picture  # noqa: NPY002


def augmented_by_the_system(picture: np.ndarray) -> np.ndarray:
    """Takes its chance from the system, which no seed holds still."""
    return picture[..., ::-1] if SystemRandom().random() < 0.5 else picture


def rows_of(change: Callable[[Tensor, Clips], Tensor]) -> type:
    """Return an encoder of other frames (N, T, F, 3, H, W) than it was given."""

    def encode(self: Any, clips: Clips) -> Steps:
        assert clips.frames is not None
        return Windows.encode(self, replace(clips, frames=change(clips.frames.float(), clips)))

    return altered(Windows, encode=encode)


def by_id(self: Any, clips: Clips) -> Steps:
    steps = Windows.encode(self, clips)
    offset = torch.tensor([crc32(clip.encode()) % 7 for clip in clips.ids]).view(-1, 1, 1)
    return Steps((steps.values + offset) * steps.mask[..., None], steps.mask)


class AtRandom(Windows):
    """Has a projection whose weights were never loaded."""

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__(scale=scale)
        self.weights = torch.randn(3, 3)

    def encode(self, clips: Clips) -> Steps:
        steps = Windows.encode(self, clips)
        return Steps((steps.values[..., None, :] * self.weights).sum(-1), steps.mask)


class Learning(AtRandom):
    """Forgets to shut out gradients."""

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__(scale=scale)
        self.weights = torch.eye(3).requires_grad_()


class Seeding(AtRandom):
    """Makes its weights the same by seeding torch for all the others too."""

    def __init__(self, *, scale: float = 1.0) -> None:
        torch.manual_seed(0)
        super().__init__(scale=scale)


class Motion(Windows):
    """Sound: the difference of a window's frames, which their order decides."""

    frame_order_matters = True

    def encode(self, clips: Clips) -> Steps:
        assert clips.frames is not None
        assert clips.mask is not None
        means = clips.frames.double().mean(dim=(4, 5)).float()
        return Steps((2 * means[:, :, 1] - means[:, :, 0] + 1) * clips.mask[..., None], clips.mask)


class Blind(Windows):
    """Claims to see motion, and takes means."""

    frame_order_matters = True


def normalises_in_place(self: Any, clips: Clips) -> Steps:
    assert clips.frames is not None
    steps = Windows.encode(self, clips)
    clips.frames.mul_(0)
    return steps


class Flat(Windows):
    """Says that its frames are blue first, and feeds them red first."""

    colour_order = "bgr"


class Blue(Windows):
    """Says that its frames are red first, and reads them as OpenCV does."""

    colour_order = "rgb"

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__(scale=scale)
        self.prepare = ResizeCrop((8, 8), (8, 8), "nearest", "bgr")


def first_caption(self: Any, clips: Clips) -> Steps:
    assert clips.captions is not None
    return Captions.encode(self, replace(clips, captions=tuple(one[:1] * len(one) for one in clips.captions)))


class TwoCaptions(Captions):
    """Sound: reads two captions of a clip at most."""

    def __init__(self, *, text_encoder: TextEncoder, join: bool = False, max_steps: int = 2) -> None:
        super().__init__(text_encoder=text_encoder, join=join, max_steps=max_steps)


class OneCaption(Captions):
    """Sound: reads the first caption of a clip alone, and says so."""

    def __init__(self, *, text_encoder: TextEncoder, join: bool = False, max_steps: int = 1) -> None:
        super().__init__(text_encoder=text_encoder, join=join, max_steps=max_steps)


class Timed(Windows):
    """Has a time in what features are stored under."""

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__(scale=scale)
        self.fingerprint = {"made": str(time.time_ns())}


class LateFingerprint(Windows):
    """Knows its weights once it has encoded."""

    def encode(self, clips: Clips) -> Steps:
        self.fingerprint = {**self.fingerprint, "weights_sha256": "loaded"}
        return Windows.encode(self, clips)


class Hashed(Windows):
    """Draws its weights from Python's hash of a text."""

    def encode(self, clips: Clips) -> Steps:
        steps = Windows.encode(self, clips)
        return Steps(steps.values * (1 + hash("weights") % 1000), steps.mask)


def whole_batches(self: Any, clips: Clips) -> Steps:
    """Leaves steps at 0 that fill no batch of 32."""
    steps = Windows.encode(self, clips)
    places = steps.mask.nonzero()
    left = places[len(places) // 32 * 32 :] if len(places) > 32 else places[:0]
    steps.values[left[:, 0], left[:, 1]] = 0
    return steps


class Brightest:
    """Scales by the brightest pixel so far."""

    def __init__(self) -> None:
        self.brightest = 1.0

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.brightest = max(self.brightest, float(rgb.max()))
        return (PREPARED(rgb) / self.brightest).astype(np.float32)


class WithBrightest(Windows):
    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__(scale=scale)
        self.prepare = Brightest()


def seeded(picture: np.ndarray) -> np.ndarray:
    """Draws, with a seed that it sets for everybody."""
    np.random.seed(0)  # noqa: NPY002
    return picture


class GreenLast(Windows):
    """Says that its frames are red first, and has green and blue in each other's place."""

    colour_order = "rgb"

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__(scale=scale)
        self.prepare = lambda rgb: np.ascontiguousarray(PREPARED(rgb)[[0, 2, 1]])


def without_gradients(self: Any, clips: Clips) -> Steps:
    """Shuts out gradients, and leaves them shut out."""
    torch.set_grad_enabled(False)
    return Windows.encode(self, clips)


def read_captions(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> type:
    """Return an encoder of other captions than it was given."""

    def encode(self: Any, clips: Clips) -> Steps:
        assert clips.captions is not None
        return Captions.encode(self, replace(clips, captions=tuple(map(change, clips.captions))))

    return altered(Captions, encode=encode)


class Flow(Windows):
    """Sound: the difference of a window's frames alone, 0 where nothing moves."""

    frame_order_matters = True

    def encode(self, clips: Clips) -> Steps:
        assert clips.frames is not None
        assert clips.mask is not None
        means = clips.frames.double().mean(dim=(4, 5)).float()
        return Steps((means[:, :, 1] - means[:, :, 0]) * clips.mask[..., None], clips.mask)


class OneNumber(Windows):
    """Sound: rows of one feature, in half precision."""

    dim = 1

    def encode(self, clips: Clips) -> Steps:
        steps = Windows.encode(self, clips)
        return Steps((steps.values @ torch.tensor([[1.0], [2.0], [4.0]])).half(), steps.mask)


LOADER = [
    (Timed, "declares-itself"),
    (LateFingerprint, "two-instances-are-one"),
    (Hashed, "another-process-same-bits"),
    (altered(Windows, encode=whole_batches), "clip-alone"),
    (altered(Windows, encode=without_gradients), "two-instances-are-one"),
    (WithBrightest, "prepare-keeps-the-values"),
    (picture(seeded), "prepare-keeps-the-values"),
    (GreenLast, "prepare-keeps-the-picture"),
    (picture(lambda one: one[[0, 0, 0]]), "prepare-keeps-the-picture"),
    (rows_of(lambda frames, clips: frames[:, :, -1:]), "every-frame-counts"),
    (rows_of(lambda frames, clips: frames[:1].mean(1, keepdim=True).expand_as(frames)), "every-frame-counts"),
    (read_captions(lambda captions: captions[-1:] * len(captions)), "every-caption-counts"),
    (read_captions(lambda captions: tuple(" ".join(one.split()[:3]) for one in captions)), "every-caption-counts"),
    (read_captions(lambda captions: captions[::-1]), "every-caption-counts"),
    (read_captions(lambda captions: tuple(sorted(captions))), "every-caption-counts"),
    (picture(reshaped), "prepare-keeps-the-picture"),
    (picture(lambda one: one.transpose(0, 2, 1)), "prepare-keeps-the-picture"),
    (picture(lambda one: one[..., ::-1]), "prepare-keeps-the-picture"),
    (picture(lambda one: one[:, ::-1]), "prepare-keeps-the-picture"),
    (picture(lambda one: one * 0), "prepare-keeps-the-picture"),
    (Flat, "prepare-keeps-the-picture"),
    (Blue, "prepare-keeps-the-picture"),
    (picture(wrapped), "prepare-keeps-the-values"),
    (picture(lambda one: np.minimum(one, 128)), "prepare-keeps-the-values"),
    (picture(lambda one: one + np.uint8(100)), "prepare-keeps-the-values"),
    (picture(augmented), "prepare-keeps-the-values"),
    (picture(augmented_by_the_system), "prepare-keeps-the-values"),
    (rows_of(lambda frames, clips: frames / 255 / 255 + 100), "tells-contents-apart"),
    (rows_of(lambda frames, clips: frames.mean(3, keepdim=True).expand_as(frames)), "tells-contents-apart"),
    (rows_of(lambda frames, clips: frames[:, :, :1]), "every-frame-counts"),
    (rows_of(lambda frames, clips: frames[:, :1].expand_as(frames)), "every-frame-counts"),
    (rows_of(lambda frames, clips: frames.flip(1)), "every-frame-counts"),
    (Blind, "every-frame-counts"),
    (altered(Captions, encode=first_caption), "every-caption-counts"),
    (altered(TwoCaptions, encode=first_caption), "every-caption-counts"),
    (altered(Windows, encode=by_id), "other-ids-same-bits"),
    (AtRandom, "two-instances-are-one"),
    (Seeding, "two-instances-are-one"),
    (Learning, "two-instances-are-one"),
    (altered(Windows, encode=normalises_in_place), "leaves-inputs-alone"),
    (altered(Windows, sampling=Sampling(0.0, 3, 2, 2)), "declares-itself"),
]


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


def by_batch(self: Any, texts: Sequence[str]) -> Tensor:
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


class UnloadedText(ToyText):
    """Has a projection whose weights were never loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.randn(16)

    def encode(self, texts: Sequence[str]) -> Tensor:
        return ToyText.encode(self, texts) * self.weights


class LearningText(ToyText):
    """Forgets to shut out gradients."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        return ToyText.encode(self, texts) * torch.ones(16).requires_grad_()


def cut_off(self: Any, texts: Sequence[str]) -> Tensor:
    """Reads the first tokens of a text alone."""
    return ToyText.encode(self, [text[:12] for text in texts])


class UnitText(ToyText):
    """Sound: rows of unit length."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.nn.functional.normalize(ToyText.encode(self, texts), dim=-1)


class Characters(ToyText):
    """Sound: counts characters, by hand."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        rows = torch.zeros(len(texts), 16)
        for row, text in zip(rows, texts, strict=True):
            for place, char in enumerate(text):
                row[ord(char) % 16] += 1 + place / 1000
        return rows


class HashedWords(ToyText):
    """Counts words by Python's hash of them."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        rows = torch.zeros(len(texts), 16)
        for row, text in zip(rows, texts, strict=True):
            for place, word in enumerate(text.split()):
                row[place % 16] += hash(word) % 1000
        return rows


class ByLength(ToyText):
    """Keeps rows by the length of their text."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int, Tensor] = {}

    def encode(self, texts: Sequence[str]) -> Tensor:
        for text in texts:
            self.kept.setdefault(len(text), ToyText.encode(self, [text])[0])
        return torch.stack([self.kept[len(text)] for text in texts]) if texts else torch.zeros(0, 16)


class Keeping(ToyText):
    """Sound: keeps rows by their text."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Tensor] = {}

    def encode(self, texts: Sequence[str]) -> Tensor:
        for text in texts:
            self.kept.setdefault(text, ToyText.encode(self, [text])[0])
        return torch.stack([self.kept[text] for text in texts]) if texts else torch.zeros(0, 16)


class TimedText(ToyText):
    """Has its address in what vectors are stored under."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = [0]
        self.fingerprint = {"of": str(id(self.kept))}


def words_of(change: Callable[[list[str]], list[str]]) -> type:
    """Return an encoder of other words than its texts have."""
    return altered(
        ToyText, encode=lambda self, texts: ToyText.encode(self, [" ".join(change(t.split())) for t in texts])
    )


def whole_text_batches(self: Any, texts: Sequence[str]) -> Tensor:
    """Leaves rows at 0 that fill no batch of 32."""
    rows = ToyText.encode(self, texts)
    rows[len(texts) // 32 * 32 if len(texts) > 32 else len(texts) :] = 0
    return rows


TEXT = [
    (HashedWords, "another-process-same-bits"),
    (ByLength, "tells-texts-apart"),
    (words_of(lambda words: words[-1:]), "tells-texts-apart"),
    (words_of(lambda words: words[:16]), "tells-texts-apart"),
    (TimedText, "declares-itself"),
    (altered(ToyText, encode=lambda self, texts: ToyText.encode(self, sorted(texts, key=len))), "sentence-alone"),
    (altered(ToyText, encode=lambda self, texts: ToyText.encode(self, texts.copy())), "sentence-alone"),
    (altered(ToyText, encode=whole_text_batches), "sentence-alone"),
    (UnloadedText, "two-instances-are-one"),
    (LearningText, "two-instances-are-one"),
    (
        altered(ToyText, encode=lambda self, texts: ToyText.encode(self, [text[:12] for text in texts])),
        "tells-texts-apart",
    ),
    (altered(ToyText, encode=None, dim=0), "declares-itself"),
    (altered(ToyText, encode=narrow), "gives-rows"),
    (altered(ToyText, encode=refusing_empty), "gives-rows"),
    (altered(ToyText, encode=lambda self, texts: torch.stack([torch.ones(16) for _ in texts])), "gives-rows"),
    (altered(ToyText, encode=lambda self, texts: ToyText.encode(self, texts).double()), "gives-rows"),
    (altered(ToyText, encode=by_batch), "sentence-alone"),
    (Remembering, "sentence-alone"),
    (altered(ToyText, encode=lambda self, texts: torch.ones(len(texts), 16)), "tells-texts-apart"),
]


PLANTED = [
    *(("visual", *row) for row in (*VISUAL, *LOADER)),
    *(("text", *row) for row in TEXT),
]


@pytest.mark.parametrize(
    ("kind", "component"),
    [
        *(
            ("visual", one)
            for one in (Windows, Motion, Flow, OneNumber, ToyVisual, TinyEncoder, Captions, TwoCaptions, OneCaption)
        ),
        ("visual", altered(Windows, independent_steps=True)),
        *(("text", one) for one in (ToyText, UnitText, Characters, Keeping)),
    ],
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


def test_a_noisy_encoder_is_not_taken_for_one_that_depends_on_its_batch(find: Callable[..., str]) -> None:
    noisy = altered(ToyText, encode=lambda self, texts: ToyText.encode(self, texts) + torch.rand(1))
    assert "encoded again values differ" in find("text", noisy, "sentence-alone")
    assert "in another batch values differ" in find("text", altered(ToyText, encode=by_batch), "sentence-alone")


def test_a_prepare_that_brings_torch_into_decoding_processes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, find: Callable[..., str]
) -> None:
    code = "import torch\n\n\ndef prepare(rgb):\n    return torch.zeros(3, 8, 8, dtype=torch.uint8).numpy()\n"
    (tmp_path / "heavy_preparation.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    prepare = importlib.import_module("heavy_preparation").prepare
    message = find("visual", altered(Windows, __init__=with_prepare(prepare)), "prepare-travels")
    assert "its module imports torch" in message

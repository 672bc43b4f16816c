"""Components from their parts: what constructors get, and what is said of those that cannot be built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Dataset, Loss, TextEncoder
from zsarbench.plugins.building import (
    build_dataset,
    build_loss,
    build_parts,
    build_text,
    build_visual,
    construct,
    has_member,
    load_target,
    members,
)
from zsarbench.plugins.parts import PartSpec
from zsarbench.plugins.registry import Registry
from zsarbench.testing.toys import ToyNegatives, ToyText, ToyVisual


class Reads:
    """A data set in a folder."""

    revision, classes, aliases = "1", ("a",), {}
    manifest = splits = captions = class_texts = lambda self: None

    def __init__(self, root: Path | None = None, scale: int = 1) -> None:
        self.root, self.scale = root, scale


class ReadsNone(Reads):
    """A data set without a folder."""

    def __init__(self) -> None:
        super().__init__()


class WithText(ToyVisual):
    """A visual encoder that reads the text part, and knows where it is."""

    device = "cpu"

    def __init__(self, *, text_encoder: TextEncoder | None = None) -> None:
        super().__init__()
        self.text_encoder = text_encoder

    def to(self, device: Any) -> None:
        """Move."""
        self.device = device


class NegativesWithText(ToyNegatives):
    """A sampler that reads the text part."""

    def __init__(self, *, text_encoder: TextEncoder | None = None) -> None:
        self.text_encoder = text_encoder


class Lazy(ToyText):
    """A text encoder whose width is read from a file when it is asked for."""

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Fail."""
        raise AssertionError("it was read")


TARGETS = {
    "dataset": (Reads, ReadsNone), "visual": (ToyVisual, WithText), "text": (ToyText,),
    "negatives": (ToyNegatives, NegativesWithText),
}  # fmt: skip


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registrar: Any = registry.registrar("test")
    for kind, targets in TARGETS.items():
        for target in targets:
            known = {"trained_on": ()} if kind in ("visual", "text") else {}
            registrar.add(kind, target.__name__.lower(), f"{target.__module__}:{target.__name__}", summary="s", **known)
    return registry


def part(kind: str, target: type, **options: Any) -> PartSpec:
    """Return a part of this class."""
    return PartSpec(kind, target.__name__.lower(), f"{target.__module__}:{target.__name__}", "test", options)


@pytest.mark.parametrize("options", [{"max_steps": 0}, {"max_steps": -2}, {"frames_per_second": 0.0}])
def test_a_visual_part_that_takes_no_step_of_a_clip_is_refused(options: dict[str, float]) -> None:
    part = PartSpec("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", "test", options)
    ((name, value),) = options.items()
    with pytest.raises(UsageError, match=rf"'tiny' takes no step of a clip .* visual\.{name}={value}"):
        build_visual(part, None, "cpu", None)


def test_a_visual_part_is_built_with_the_text_part_where_it_takes_one_and_moved_where_it_can_be() -> None:
    text = ToyText()
    built = build_visual(part("visual", WithText), None, "cuda", text)
    assert isinstance(built, WithText)
    assert (built.text_encoder, built.device) == (text, "cuda")
    built = build_visual(part("visual", WithText), None, "cpu", None)
    assert isinstance(built, WithText)
    assert built.text_encoder is None
    assert isinstance(build_visual(part("visual", ToyVisual, dim=4), None, "cuda", text), ToyVisual)
    assert isinstance(build_text(part("text", ToyText), None, "cuda"), ToyText)


def test_a_data_set_gets_the_folder_of_its_name_and_one_that_reads_none_is_told_so(registry: Registry) -> None:
    built: Any = build_dataset(part("dataset", Reads, scale=2), {"reads": "videos", "other": "x"}, registry)
    assert (built.root, built.scale) == (Path("videos"), 2)
    built = build_dataset(part("dataset", Reads), {"other": "x"}, registry)
    assert built.root is None
    build_dataset(part("dataset", ReadsNone), {"other": "x"}, registry)
    with pytest.raises(ZsarbenchError, match="'readsnone' reads no folder; leave out --data-root readsnone="):
        build_dataset(part("dataset", ReadsNone), {"readsnone": "videos"}, registry)


def test_the_parts_of_a_run_share_the_text_part_with_its_cache(registry: Registry) -> None:
    cached = ToyText()
    wanted = {
        "visual": part("visual", WithText),
        "text": part("text", ToyText),
        "negatives": part("negatives", NegativesWithText),
    }
    built: Any = build_parts(wanted, registry, lambda text: cached, "cpu")
    assert built.text is built.visual.text_encoder is built.negatives.text_encoder is cached
    assert built.loss is None
    alone = build_parts({"visual": part("visual", WithText)}, registry, lambda text: cached, "cpu")
    assert (alone.text, alone.negatives) == (None, None)
    assert isinstance(alone.visual, WithText)
    assert build_parts({}, registry, lambda text: cached, "cpu").visual is None
    built = build_parts({"negatives": part("negatives", ToyNegatives)}, registry, lambda text: cached, "cpu")
    assert isinstance(built.negatives, ToyNegatives)


def fails(error: BaseException) -> Callable[[], None]:
    """Return a constructor that raises."""

    def build() -> None:
        raise error

    return build


def test_a_constructor_that_raises_is_named_unless_the_error_is_one_for_users() -> None:
    with pytest.raises(
        ZsarbenchError, match=rf"loss 'own' of {__name__.partition('.')[0]} cannot be built: ValueError: no room"
    ):
        construct(fails(ValueError("no room")), "loss", "own", {})
    for error in (ZsarbenchError("no file"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            construct(fails(error), "loss", "own", {})
        assert caught.value is error


def test_what_an_object_lacks_of_its_interface_is_listed_and_properties_are_not_read() -> None:
    with pytest.raises(ZsarbenchError, match=r"text 'own' lacks dim, encode, fingerprint, space of zsarbench.*Encoder"):
        construct(object, "text", "own", {})
    with pytest.raises(ZsarbenchError, match="loss 'own' lacks __call__ of zsarbench"):
        construct(object, "loss", "own", {})
    assert construct(Lazy, "text", "own", {}).space == ToyText.space
    assert has_member(Lazy(), "dim")
    assert members(Loss) == ["__call__"]
    assert members(Dataset) == ["aliases", "captions", "class_texts", "classes", "manifest", "revision", "splits"]


def test_a_target_is_the_attribute_of_a_module_and_a_loss_is_moved(registry: Registry) -> None:
    assert load_target("zsarbench.testing.toys:ToyText") is ToyText
    registrar: Any = registry.registrar("torch")
    registrar.add("loss", "distance", f"{__name__}:Distance", summary="s")
    loss = build_loss(part("loss", Distance), registry, "meta")
    assert isinstance(loss, Distance)
    assert loss.weight.is_meta


class Distance(torch.nn.Linear):
    """A loss with weights."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    def forward(self, *embeddings: Sequence[Any]) -> Any:
        """Return nothing."""

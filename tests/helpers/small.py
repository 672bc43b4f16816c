"""A plugin with a data set of captions and small parts, on which a run takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from zsarbench import hookimpl
from zsarbench.cli.main import main
from zsarbench.interfaces import ClassText
from zsarbench.plugins import loading

Run = Callable[..., str]
VERBS, THINGS = ("lifting", "pushing", "turning"), ("a cup", "a door", "a wheel")
CLIPS_PER_CLASS = 4


class Small:
    """Nine classes, three motions with three things, of four clips with two captions each."""

    classes: ClassVar[tuple[str, ...]] = tuple(f"{verb} {thing}" for verb in VERBS for thing in THINGS)
    aliases: ClassVar[Mapping[str, str]] = {}
    captions_trained_on: ClassVar[tuple[str, ...]] = ()
    revision = "1"

    def __init__(self, *, phrase: str = "a person is") -> None:
        self.phrase = phrase

    def manifest(self) -> pd.DataFrame:
        """Return four clips of each class, each of its own source video."""
        rows = [(f"{name.replace(' ', '-')}-{number}", name) for name in self.classes for number in range(4)]
        frame = pd.DataFrame(rows, columns=["clip_id", "label"])
        return frame.assign(path=None, start=float("nan"), end=float("nan"), group=frame["clip_id"])

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return nothing."""
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return two sentences of every clip."""
        rows = self.manifest()
        return {
            clip_id: (f"{self.phrase} {label}", f"{self.phrase} {label} in room {number}")
            for number, (clip_id, label) in enumerate(zip(rows["clip_id"], rows["label"], strict=True))
        }

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the names of the classes as their texts."""
        return [ClassText(name, (name,)) for name in self.classes]


class SmallPlugin:
    """Brings the data set, a text encoder and a visual one."""

    @hookimpl
    def zsarbench_register(self, registry: Any) -> None:
        """Register them."""
        registry.add("dataset", "small", "small:Small", summary="A small data set.")
        registry.add("visual", "captions", "zsarbench_encoders.captions:Captions", summary="Captions.", trained_on=())
        registry.add("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", summary="Frames.", trained_on=())
        registry.add("text", "toy", "zsarbench.testing.toys:ToyText", summary="Toy text.", trained_on=())


def entry_points() -> dict[str, Any]:
    """Return the plugin and those first-party ones that it is used with."""
    real = loading.entry_points()
    return {"small": SmallPlugin, **{name: real[name] for name in ("baselines", "cezsar", "datasets")}}


def write_protocol(folder: Path) -> Path:
    """Write a protocol of the data set with one round, and return its path."""
    path = folder / "small.toml"
    names = [f'"{name}"' for name in Small.classes]
    path.write_text(
        'name = "small/one"\nversion = 1\ndataset = "small"\nsummary = "Three unseen classes."\nsource = "none"\n'
        f'setting = "zsl"\nclass_text = "name"\n[[rounds]]\nseed = 0\nseen = [{", ".join(names[:6])}]\n'
        f"candidates = [{', '.join(names[6:])}]\n"
    )
    return path


NEAREST = ("--method", "nearest-text", "--visual", "captions", "--text", "toy", "--threads", "1")
CEZSAR = (
    "--method", "cezsar", "--visual", "captions", "--text", "toy", "--threads", "1", "--negatives", "uniform",
    "--set", "method.d_model=8", "--set", "method.joint_dim=4", "--set", "method.feedforward=8",
    "--set", "method.max_epochs=3", "--set", "method.positives=captions",
)  # fmt: skip


def command_line(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line, checks its exit code and returns what it printed."""

    def run(*arguments: object, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in arguments])
        printed = capsys.readouterr()
        text = printed.out + printed.err
        assert end.value.code == code, text
        return text

    return run

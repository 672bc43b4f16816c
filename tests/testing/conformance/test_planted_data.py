"""Broken data sets and protocols, and the check that must name the fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from zsarbench.errors import UsageError
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.interfaces import ClassText
from zsarbench.plugins.registry import Registry
from zsarbench.testing import conformance


class Pair:
    """Sound: a data set of four clips in two classes."""

    classes: tuple[str, ...] = ("run", "sit")
    aliases: Mapping[str, str] = {"jog": "run"}
    revision: Any = "1"

    def __init__(self, *, root: Path | None = None) -> None:
        self.root = root

    def manifest(self) -> pd.DataFrame:
        labels = ["run", "run", "sit", None]
        whole = [float("nan")] * 4
        return pd.DataFrame(
            {
                "clip_id": list("abcd"),
                "label": labels,
                "path": None,
                "start": whole,
                "end": whole,
                "group": list("1123"),
            }
        )

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"train": ["a"], "test": ["b", "c"]}

    def captions(self) -> Mapping[str, Sequence[str]]:
        return {"a": ("somebody runs",)}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        if form != "name":
            raise UsageError(f"no form {form}")
        return [ClassText(name, (name,)) for name in self.classes]


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def manifest(**changed: Any) -> type:
    return altered(Pair, manifest=lambda self: Pair.manifest(self).assign(**changed))


def counted(self: Any) -> str:
    self.count = getattr(self, "count", 0) + 1
    return str(self.count)


def two_names(self: Any, form: str) -> Sequence[ClassText]:
    return [ClassText(text.name, text.texts * 2) for text in Pair.class_texts(self, form)]


def any_form(self: Any, form: str) -> Sequence[ClassText]:
    return Pair.class_texts(self, "name")


class Shuffled(Pair):
    """Deals its clips out again for each instance."""

    def __init__(self, *, root: Path | None = None) -> None:
        super().__init__(root=root)
        self.order = np.random.permutation(3)  # noqa: NPY002

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"train": [list("abc")[i] for i in self.order]}


class Captioned(Pair):
    """Sound: every clip has captions."""

    def captions(self) -> Mapping[str, Sequence[str]]:
        return {clip: (f"somebody in {clip}", "it is warm") for clip in "abcd"}


class Spans(Pair):
    """Sound: clips are spans of videos."""

    def manifest(self) -> pd.DataFrame:
        return Pair.manifest(self).assign(path="/a.mp4", start=[0.0, 1.0, 2.0, 3.0], end=[1.0, 2.0, 3.0, 4.0])


class Shrinking(Pair):
    """Changes its table when it is read."""

    def manifest(self) -> pd.DataFrame:
        self.n_read = getattr(self, "n_read", 0) + 1
        return super().manifest().iloc[: 4 if self.n_read == 1 else 3]


class HashedRevision(Pair):
    """Has Python's hash of a text for its revision."""

    revision = str(hash("two classes"))


class InASet(Pair):
    """Has its classes in the order of a set."""

    classes = tuple({f"run {number}" for number in range(50)} | {"run", "sit"})


def moves_away(self: Any) -> pd.DataFrame:
    os.chdir("/")
    return Pair.manifest(self)


def in_a_generator(self: Any, form: str) -> Any:
    return (text for text in Pair.class_texts(self, form))


def one_text(self: Any, form: str) -> Sequence[ClassText]:
    return [ClassText(text.name, ("an action",)) for text in Pair.class_texts(self, form)]


DATASET = [
    (Shrinking, "two-instances-are-one"),
    (altered(Pair, manifest=moves_away), "two-instances-are-one"),
    (HashedRevision, "another-process-same-bits"),
    (InASet, "another-process-same-bits"),
    (altered(Pair, aliases={"S-I-T": "run"}), "classes-are-named"),
    (manifest(path="a.mp4"), "manifest-is-sound"),
    (manifest(clip_id=["a", "b", "c", "d\n"]), "manifest-is-sound"),
    (altered(Pair, splits=lambda self: {"train": "ab"}), "lists-name-clips"),
    (altered(Pair, class_texts=in_a_generator), "texts-describe-classes"),
    (altered(Pair, class_texts=one_text), "texts-describe-classes"),
    (altered(Pair, revision=" "), "revision-is-stable"),
    (altered(Pair, revision="1\n2"), "revision-is-stable"),
    (Shuffled, "two-instances-are-one"),
    (altered(Pair, aliases={"sit": "run"}), "classes-are-named"),
    (altered(Pair, classes=("run ", "sit")), "classes-are-named"),
    (manifest(start=[-1.0, 0.0, 0.0, 0.0], end=[1.0, 4.0, 1.0, 1.0]), "manifest-is-sound"),
    (altered(Pair, classes=("run", "sit", "run")), "classes-are-named"),
    (altered(Pair, aliases={"jog": "jogging"}), "classes-are-named"),
    (manifest(clip_id=list("aabc")), "manifest-is-sound"),
    (manifest(clip_id=list("dcba")), "manifest-is-sound"),
    (manifest(label=["run", "run", "sit", "swim"]), "manifest-is-sound"),
    (manifest(group=["1", "1", "2", None]), "manifest-is-sound"),
    (manifest(start=[0.0, 5.0, 0.0, 0.0], end=[1.0, 4.0, 1.0, 1.0]), "manifest-is-sound"),
    (manifest(start=[0.0, 4.0, 0.0, 0.0], end=[1.0, 4.0, 1.0, 1.0]), "manifest-is-sound"),
    (altered(Pair, manifest=lambda self: Pair.manifest(self).drop(columns="end")), "manifest-is-sound"),
    (altered(Pair, splits=lambda self: {"train": ["a", "z"]}), "lists-name-clips"),
    (altered(Pair, captions=lambda self: {"z": ("somebody",)}), "lists-name-clips"),
    (altered(Pair, captions=lambda self: {"a": "somebody"}), "lists-name-clips"),
    (altered(Pair, class_texts=lambda self, form: Pair.class_texts(self, form)[::-1]), "texts-describe-classes"),
    (altered(Pair, class_texts=two_names), "texts-describe-classes"),
    (altered(Pair, class_texts=any_form), "refuses-other-forms"),
    (altered(Pair, revision=property(counted)), "revision-is-stable"),
    (altered(Pair, revision=property(lambda self: str(id(self)))), "revision-is-stable"),
]


PLANTED = [
    *(("dataset", *row) for row in DATASET),
]


@pytest.mark.parametrize(("kind", "component"), [("dataset", one) for one in (Pair, Captioned, Spans)])
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["dataset"], PLANTED) == set()


PROTOCOL = """
name = "toy/pair"
version = 1
dataset = "pair"
setting = "zsl"
summary = "Two classes."
source = "This test."
n_clips = 3
[[rounds]]
candidates = ["run", "sit"]
"""
PROTOCOL_BUGS = {
    "states-itself": [
        ("This test.", " "),
        ("[[rounds]]", "[options.text.toy-text]\nscale = 2\n[[rounds]]"),
        ("[[rounds]]", '[parts]\ntext = "no-such"\n[[rounds]]'),
        ("[[rounds]]", "[[rounds"),
    ],
    "rounds-fit-the-classes": [
        ('"sit"]', '"swim"]'),
        ('"sit"]', '"sit"]\nseen = ["run"]'),
        ('dataset = "pair"', 'dataset = "trio"'),
    ],
    "rounds-fit-the-clips": [
        ("n_clips = 3", "n_clips = 4"),
        ('"sit"]', '"sit"]\ntest_clips = ["a", "z"]'),
        ('"sit"]', '"sit"]\ntest_clips = ["a", "b"]'),
    ],
}


def checked(path: Path, text: str) -> dict[str, conformance.CheckOutcome]:
    """Return what each check says of a protocol over `Pair`."""
    path.write_text(text, encoding="utf-8")
    registry = Registry()
    registry.registrar("toy").add("dataset", "pair", f"{__name__}:Pair", summary="A toy.")
    registry.registrar("toy").add("text", "toy-text", "zsarbench.testing.toys:ToyText", summary="A toy.")
    subject = conformance.subject_of(path, "protocol", registry=registry)
    return {found.check: found for found in conformance.outcomes(subject)}


SOUND_PROTOCOLS = [("", ""), ("n_clips = 3\n", ""), ('"sit"]', '"sit"]\nseed = 3')]


@pytest.mark.parametrize(("old", "new"), SOUND_PROTOCOLS)
def test_a_sound_protocol_passes(old: str, new: str, tmp_path: Path) -> None:
    found = checked(tmp_path / "p.toml", PROTOCOL.replace(old, new) if old else PROTOCOL)
    assert [one.problem or one.skipped for one in found.values()] == [None] * 3


@pytest.mark.parametrize(
    ("check", "old", "new"), [(check, *bug) for check, bugs in PROTOCOL_BUGS.items() for bug in bugs]
)
def test_a_protocol_bug_is_found(check: str, old: str, new: str, tmp_path: Path) -> None:
    assert old in PROTOCOL
    found = checked(tmp_path / "p.toml", PROTOCOL.replace(old, new))[check]
    assert found.problem is not None


def test_every_check_of_protocols_has_a_planted_bug() -> None:
    assert {check.name for check in conformance.checks_for("protocol")} == set(PROTOCOL_BUGS)


def labels(*names: object, **aliases: str) -> Callable[[], LabelSet]:
    return lambda: LabelSet("toys", names, aliases)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "component",
    [
        labels(),
        labels("cup", " "),
        labels("cup", 3),
        labels("cup", "cup"),
        labels("cup", mug="beaker"),
        lambda: ("cup",),
    ],
)
def test_a_bug_of_labels_is_found(component: Any, find: Callable[..., str]) -> None:
    assert [check.name for check in conformance.checks_for("labels")] == ["labels-are-named"]
    assert find("labels", component, "labels-are-named")
    assert conformance.run_checks(labels("cup", "ball", mug="cup"), "labels") == []

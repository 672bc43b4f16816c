"""`zsarbench data lint`: what is printed of class texts and captions, and exit codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="texts are compared by torch")

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench.plugins import load_plugins

CLASSES = ("archery", "golf", "rowing")


class Clips:
    """Three classes of which the texts and the captions can be chosen."""

    classes: ClassVar[tuple[str, ...]] = CLASSES
    aliases: ClassVar[Mapping[str, str]] = {}
    revision = "1"
    texts: ClassVar[Sequence[str]] = ("one draws a bow", "one hits a ball", "one pulls oars")
    sentences: ClassVar[Mapping[str, Sequence[str]]] = {}
    is_missing = False

    def manifest(self) -> pd.DataFrame:
        frame = pd.DataFrame({"clip_id": [f"c{n}" for n in range(6)], "label": CLASSES * 2})
        return frame.assign(path=None, start=float("nan"), end=float("nan"), group=frame["clip_id"])

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        if self.is_missing:
            raise ZsarbenchError("the captions are nowhere")
        return self.sentences

    def class_texts(self, form: str) -> Sequence[ClassText]:
        return [ClassText(name, (text,)) for name, text in zip(CLASSES, self.texts, strict=True)]


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Register the data set and a text encoder."""
    registry.add("dataset", "clips", f"{__name__}:Clips", summary="Clips.", trained_on=())
    registry.add("text", "toy", "zsarbench.testing.toys:ToyText", summary="Toy text.", trained_on=())


def lint(*words: str) -> Result:
    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    session = Session((), load_plugins(loaders={"toys": lambda: plugin}))
    return CliRunner().invoke(cli, ["data", "lint", "clips", *words], obj={"session": session}, catch_exceptions=False)


def test_sound_texts_end_with_0_and_what_was_not_searched_is_said() -> None:
    done = lint()
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "dataset: clips", "class text: sentence", "classes: 3", "texts: 3", "text encoder: None",
        "unrelated texts were not searched for: the extra `offline` is not installed. Try: --text NAME", "0 findings",
    ]  # fmt: skip
    assert "not searched" not in lint("--text", "toy").stdout
    assert "text encoder: toy\n" in lint("--text", "toy").stdout


def test_findings_end_with_1_and_long_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for length, shown in ((100, "x" * 100), (101, "x" * 99 + "…")):
        monkeypatch.setattr(Clips, "texts", ("x" * length, "x" * length, " "))
        done = lint()
        assert done.exit_code == 1
        lines = done.stdout.splitlines()
        assert lines[-1].endswith(" findings")
        assert lines[-1] != "0 findings"
        assert f"    {shown}" in lines
        assert any(line.startswith("empty rowing: ") for line in lines)
    content = json.loads(lint("--json").stdout)
    assert {found["problem"] for found in content["findings"]} == {"empty", "duplicate"}
    assert content["captions"]["findings"] == []


def test_captions_that_give_the_class_away_are_a_finding_with_five_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clips, "sentences", {f"c{n}": (f"{CLASSES[n % 3]} {'y' * 120}",) for n in range(6)})
    done = lint()
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "captions: 6, of which 6 name the class of their clip" in lines
    assert lines[-6].startswith("finding: 6 of 6 captions name the class of their clip")
    assert [line.partition(":")[0] for line in lines[-5:]] == [f"    c{n} ({CLASSES[n % 3]})" for n in range(5)]
    assert len(lines[-1].partition(": ")[2]) == 100
    assert len(json.loads(lint("--json").stdout)["captions"]["findings"]) == 6


def test_captions_that_say_something_else_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clips, "sentences", {f"c{n}": ("somebody outside",) for n in range(6)})
    done = lint()
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (
        0, "captions: 6, of which 0 name the class of their clip",
    )  # fmt: skip


def test_captions_that_cannot_be_read_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clips, "is_missing", True)
    done = lint()
    assert (done.exit_code, done.stderr) == (
        0, "warning: the captions of clips were not checked: the captions are nowhere\n",
    )  # fmt: skip

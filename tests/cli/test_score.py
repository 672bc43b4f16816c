"""`zsarbench score`: which request its options make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError
from zsarbench.plugins import load_plugins
from zsarbench.predictions import scoring
from zsarbench.predictions.scoring import ScoreRequest

HOST = load_plugins(loaders={})


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[ScoreRequest]:
    """The requests that are scored; each ends with an error, so that nothing is printed."""
    made: list[ScoreRequest] = []

    def score(request: ScoreRequest, host: Any) -> None:
        made.append(request)
        raise UsageError("noted")

    monkeypatch.setattr(scoring, "score", score)
    return made


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli, ["score", *words], obj={"session": Session((), HOST)})


def test_without_options_the_request_has_its_own_defaults(requests: list[ScoreRequest]) -> None:
    typed("a.json", "--name", "M")
    assert requests == [
        ScoreRequest(file=Path("a.json"), name="M", protocol=None, class_order=None, clip_order=None, fields=(),
                     trained_on=(), train_on="none", source="", data_root=(), settings=(), words=False, text=None,
                     out="results")
    ]  # fmt: skip


def test_options_reach_the_request(requests: list[ScoreRequest]) -> None:
    typed(
        "a.csv", "--name", "M", "--protocol", "p", "--class-order", "sorted", "--clip-order", "clips.txt", "--field",
        "clip=video", "--field", "label=answer", "--words", "--trained-on", "a", "--trained-on", "b", "--train-on",
        "seen", "--text", "t", "--source", "A paper", "--set", "dataset.fold=1", "--set", "dataset.x=2", "--data-root",
        "ucf101=/a", "--out", "there",
    )  # fmt: skip
    assert requests == [
        ScoreRequest(file=Path("a.csv"), name="M", protocol="p", class_order="sorted", clip_order=Path("clips.txt"),
                     fields=("clip=video", "label=answer"), trained_on=("a", "b"), train_on="seen", source="A paper",
                     data_root=("ucf101=/a",), settings=("dataset.fold=1", "dataset.x=2"), words=True, text="t",
                     out="there")
    ]  # fmt: skip


def test_a_file_and_a_name_are_needed_and_the_reporter_must_exist(requests: list[ScoreRequest]) -> None:
    assert "Missing option '--name'" in typed("a.json").stderr
    assert "Missing argument 'FILE'" in typed("--name", "M").stderr
    assert "did you mean 'csv'" in str(typed("a.json", "--name", "M", "--format", "cvs").exception)
    assert requests == []

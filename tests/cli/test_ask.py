"""`zsarbench ask`: which request its options make, and what is printed of the answers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from listed import Place, clips_of
from zsarbench import results
from zsarbench.cli.main import Session, cli
from zsarbench.plugins import load_plugins
from zsarbench.predictions.asking import asking
from zsarbench.predictions.asking.asking import AskRequest
from zsarbench.predictions.scoring import ScoreRequest
from zsarbench.reports import comparison
from zsarbench.results import RunResult

HOST = load_plugins(loaders={})
COUNTS = {"clips": 1200, "new": 1100, "retries": 20, "prompt_tokens": 120_000, "completion_tokens": 3600}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """A result of predictions."""
    place = Place.make(tmp_path_factory.mktemp("asked"), clips_of(1))
    (result,) = place.score(place.write("right.json", place.clips))
    return result, next((place.path / "out").rglob("*.json"))


@pytest.fixture
def asked(scored: tuple[RunResult, Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[AskRequest, Result]]:
    """Return what types `zsarbench ask`, and returns the request and what is printed."""

    def typed(*words: object, dollars: float | None = None, code: int = 0) -> tuple[AskRequest, Result]:
        requests = []
        counts: dict[str, Any] = COUNTS if dollars is None else {**COUNTS, "dollars": dollars}
        record = {**scored[0].method.record, "questions": counts}
        result = dataclasses.replace(scored[0], method=dataclasses.replace(scored[0].method, record=record))

        def ask(request: AskRequest, *_: object) -> list[tuple[RunResult, Path]]:
            requests.append(request)
            return [(result, scored[1])]

        monkeypatch.setattr(asking, "ask", ask)
        monkeypatch.setattr(comparison, "render", lambda _, found, format_: f"{len(found)} result as {format_}")
        session = {"session": Session((), HOST)}
        done = CliRunner().invoke(cli, ["ask", *map(str, words)], obj=session, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return (requests or [None])[0], done

    return typed


def test_without_options_the_request_has_its_own_defaults(asked: Callable[..., tuple[AskRequest, Result]]) -> None:
    request, _ = asked("--model", "m-1")
    assert request.question == {
        "model": "m-1", "max_frames": 8, "frames_per_second": 1.0, "image_size": 448, "temperature": 0.0,
        "max_tokens": 64,
    }  # fmt: skip
    assert request.scoring == ScoreRequest(file=Path("answers"), name="m-1", fields=request.scoring.fields)
    assert request == AskRequest(
        scoring=request.scoring, question=request.question, prompt=None, offers=True, endpoint=None, concurrency=8,
        seconds=120.0, attempts=6, price=None, partial=False,
    )  # fmt: skip


def test_options_reach_the_request(asked: Callable[..., tuple[AskRequest, Result]], tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("What is in {frames} frames?\n\n", encoding="utf-8")
    request, _ = asked(
        "--model", "m", "--name", "Mine", "--open", "--prompt", tmp_path / "prompt.txt", "--endpoint", "http://x/v1",
        "--concurrency", 2, "--timeout", 0.5, "--attempts", 1, "--price", 2.5, 10, "--partial", "--frames", 3,
        "--trained-on", "a", "--trained-on", "b", "--train-on", "seen", "--text", "t", "--source", "here",
    )  # fmt: skip
    assert (request.offers, request.prompt, request.endpoint) == (False, "What is in {frames} frames?", "http://x/v1")
    assert (request.concurrency, request.seconds, request.attempts) == (2, 0.5, 1)
    assert (request.price, request.partial, request.question["max_frames"]) == ((2.5, 10.0), True, 3)
    assert (request.scoring.name, request.scoring.trained_on) == ("Mine", ("a", "b"))
    assert (request.scoring.train_on, request.scoring.text, request.scoring.source) == ("seen", "t", "here")


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--concurrency", ("0",)), ("--attempts", ("0",)), ("--timeout", ("0",)), ("--price", ("-1", "1")),
        ("--frames", ("0",)), ("--fps", ("0",)), ("--size", ("15",)), ("--temperature", ("-0.1",)),
        ("--max-tokens", ("0",)),
    ],
)  # fmt: skip
def test_numbers_have_a_least_value(
    asked: Callable[..., tuple[AskRequest, Result]], option: str, values: tuple[str, ...]
) -> None:
    request, done = asked("--model", "m", option, *values, code=2)
    assert request is None
    assert option in done.stderr


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--concurrency", ("1",)), ("--attempts", ("1",)), ("--timeout", ("0.1",)), ("--price", ("0", "0")),
        ("--frames", ("1",)), ("--fps", ("0.1",)), ("--size", ("16",)), ("--temperature", ("0",)),
        ("--max-tokens", ("1",)),
    ],
)  # fmt: skip
def test_the_least_value_is_taken(
    asked: Callable[..., tuple[AskRequest, Result]], option: str, values: tuple[str, ...]
) -> None:
    assert asked("--model", "m", option, *values)[0] is not None


def test_the_table_is_on_stdout_and_the_account_and_its_price_on_stderr(
    asked: Callable[..., tuple[AskRequest, Result]],
) -> None:
    _, done = asked("--model", "m", "--format", "csv")
    assert done.stdout == "1 result as csv\n"
    tokens = "120,000 + 3,600 tokens in all"
    counted = f"1,200 clips, 1,100 new questions, 20 attempts repeated; {tokens}"
    assert done.stderr.splitlines()[-1] == counted
    assert asked("--model", "m", dollars=0.276)[1].stderr.splitlines()[-1] == f"{counted}, 0.28 dollars"


def test_json_is_the_result_file(
    asked: Callable[..., tuple[AskRequest, Result]], scored: tuple[RunResult, Path]
) -> None:
    _, done = asked("--model", "m", "--json")
    assert results.from_json(json.loads(done.stdout)) == scored[0]
    assert f"result: {scored[1]}\n" in done.stderr
    assert "mapping" not in done.stderr


def test_the_page_states_the_defaults(asked: Callable[..., tuple[AskRequest, Result]]) -> None:
    text = " ".join(asked("--help")[1].stdout.split())
    for option, default in (
        ("--frames", "8"), ("--fps", "1.0"), ("--size", "448"), ("--temperature", "0.0"), ("--max-tokens", "64"),
        ("--concurrency", "8"), ("--timeout", "120.0"), ("--attempts", "6"), ("--train-on", "none"),
        ("--out", "results"), ("--format", "table"),
    ):  # fmt: skip
        assert f"[default: {default}" in text.partition(f" {option} ")[2].partition(" --")[0], option

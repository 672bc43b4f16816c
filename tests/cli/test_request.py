"""The options of a request on the command line: their defaults are those of its fields."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import click
import pytest
from click.testing import CliRunner

from zsarbench.cli.request import SectionedCommand, class_text_option, option_of, with_options_of
from zsarbench.harness.spec import ExtractionRequest, RunRequest


def parsed(request: type, *words: str, without: tuple[str, ...] = ("method",)) -> dict[str, Any]:
    """Return the arguments of a command that has the options of a request."""
    got: dict[str, Any] = {}

    @click.command()
    @with_options_of(request, without=without)
    def command(**given: Any) -> None:
        got.update(given)

    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return got


@pytest.mark.parametrize(("request_", "needs"), [(RunRequest, ()), (ExtractionRequest, ("--visual", "v"))])
def test_without_options_a_request_has_its_own_defaults(request_: type, needs: tuple[str, ...]) -> None:
    defaults = {item.name: item.default for item in fields(request_) if item.default is not MISSING}
    got = parsed(request_, *needs)
    assert {name: got[name] for name in defaults if name != "method"} == defaults


def test_options_take_numbers_texts_repeated_texts_and_flags() -> None:
    got = parsed(RunRequest, "--set", "a.b=1", "--set", "a.c=2", "--seeds", "3", "--text", "t", "--partial", "--refit")
    assert got["settings"] == ("a.b=1", "a.c=2")
    assert (got["seeds"], got["text"], got["partial"], got["refit"], got["strict"]) == (3, "t", True, True, False)
    assert parsed(RunRequest, "--refit", "--resume", "--strict")["refit"] is False
    assert "method" not in got
    assert parsed(RunRequest, "--method", "m", without=())["method"] == "m"


def test_what_a_request_requires_its_command_requires() -> None:
    for request, words, option in ((RunRequest, (), "method"), (ExtractionRequest, ("--dataset", "d"), "visual")):

        @click.command()
        @with_options_of(request, without=())
        def command(**given: Any) -> None:
            raise AssertionError(given)

        done = CliRunner().invoke(command, words)
        assert done.exit_code == 2
        assert f"Missing option '--{option}'" in done.output


def test_one_option_of_a_request_may_have_another_default() -> None:
    @click.command(cls=SectionedCommand)
    @option_of("train_on")
    @class_text_option("sentence")
    @option_of("out")
    @click.argument("places", nargs=-1)
    def command(train_on: str, class_text: str, out: str, places: tuple[str, ...]) -> None:
        click.echo(f"{train_on} {class_text} {out}")

    assert CliRunner().invoke(command, []).stdout == "seen sentence results\n"
    text = CliRunner().invoke(command, ["--help"]).stdout
    measured, machine = text.index("What is measured:"), text.index("How, on this machine:")
    assert measured < text.index("--train-on") < text.index("--class-text") < machine < text.index("--out")
    assert "[default: sentence]" in text


def test_a_default_of_none_is_not_shown_and_choices_are() -> None:
    @click.command()
    @with_options_of(RunRequest)
    def command(**given: Any) -> None:
        raise AssertionError(given)

    text = " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())
    assert "--visual TEXT Visual encoder in place of the default one. --text" in text
    assert "--dtype float32|bfloat16 Type of model weights and features. [default: float32]" in text
    assert "--seeds INTEGER Number of training seeds. [default: 1]" in text
    assert "--limit N " in text

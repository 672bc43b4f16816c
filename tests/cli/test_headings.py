"""Verbs on a terminal: headings are bold, and lists of names stay aligned where they are broken."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from listed import Place, clips_of
from samples import sample_result, sample_scores
from zsarbench import hookimpl, results
from zsarbench.cli.main import Session, cli
from zsarbench.plugins import load_plugins
from zsarbench.plugins.loading import entry_points

Shown = Callable[..., list[str]]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Part:
    """Is only named."""


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Register two losses and a visual encoder."""
    registry.add("loss", "near", f"{__name__}:Part", summary="Draws what is alike together.")
    registry.add("loss", "far", f"{__name__}:Part", summary="Short.")
    registry.add("visual", "eyes", f"{__name__}:Part", summary="Sees.", trained_on=())


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Return what shows the lines of a verb on a terminal of so many columns."""
    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    loaders = {"toys": lambda: plugin, "datasets": entry_points()["datasets"]}
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def lines(*words: object, columns: int = 200) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = Terminal()
        with redirect_stdout(screen), redirect_stderr(screen):
            session = Session((), load_plugins(loaders=loaders))
            cli.main([*map(str, words)], standalone_mode=False, obj={"session": session})
        return screen.getvalue().splitlines()

    return lines


def bold(line: str) -> bool:
    return line.startswith("\x1b[1m") and line.endswith("\x1b[0m")


def test_what_follows_a_name_is_broken_below_its_own_beginning(shown: Shown) -> None:
    assert shown("list", "loss", columns=24) == [
        "\x1b[1mloss\x1b[0m",
        "  \x1b[36mfar\x1b[0m   Short.",
        "  \x1b[36mnear\x1b[0m  Draws what is",
        "        alike together.",
    ]


def test_kinds_data_sets_and_names_are_headings(shown: Shown) -> None:
    assert [line for line in shown("list") if bold(line)] == [
        f"\x1b[1m{kind}\x1b[0m" for kind in ("dataset", "visual", "loss", "reporter", "executor")
    ]
    assert "\x1b[1mfolder\x1b[0m" in shown("data", "list")
    assert shown("show", "near")[0] == "\x1b[1mloss near\x1b[0m"


def test_protocols_results_and_audits_have_headings(shown: Shown, tmp_path: Path) -> None:
    place = Place.make(tmp_path, clips_of(1))
    data = ("--data-root", f"folder={tmp_path}", "--set", f"dataset.annotations={tmp_path / 'clips.csv'}")
    rounds = [line for line in shown("protocol", "show", place.path / "mine.toml", *data) if "round 0: " in line]
    assert list(map(bold, rounds)) == [True]
    audit = shown("contamination", "--protocol", place.path / "mine.toml", "--visual", "eyes", *data)
    assert audit == ["\x1b[1mmine/mine: 0 of 12 unseen classes overlap\x1b[0m"]
    scores = sample_scores()
    first, *others = shown("result", "show", results.write(sample_result(scores), scores, tmp_path / "out"))
    assert (bold(first), any(map(bold, others))) == (True, False)

"""Bars: what of them stays readable on a narrow terminal."""

from __future__ import annotations

import io
import re

import pytest

from zsarbench.utils.progress import TerminalProgress

STYLE = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize("width", [80, 120])
def test_a_bar_keeps_its_count_and_the_time_left_whatever_is_noted(width: int) -> None:
    from rich.console import Console

    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    with TerminalProgress(console).task("training cezsar", 720) as bar:
        for _ in range(3):
            bar.advance(16, "epoch 4/12, loss 6.72, validation 7.46, and a note that is far longer than any terminal")
    (*_, last) = [line for line in re.split(r"[\r\n]", STYLE.sub("", screen.getvalue())) if "48/720" in line]
    assert re.search(r" 48/720 (-:--:--|\d:\d\d:\d\d) epoch 4/12", last)
    assert "…" in last

"""Stdout that is kept for results, and text of others that cannot act on a terminal."""

from __future__ import annotations

import os
import sys

import pytest

from zsarbench.utils.output import json_visible, one_line, open_streams, reserved_stdout, stdout, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31m\x07", "\\x1b[31m\\x07"),
        ("\x7f\x9f\xa0", "\\x7f\\x9f\xa0"),
        ("\u202e\u2028", "\\u202e\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
    ],
)
def test_control_characters_are_shown_as_numbers(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_text_on_one_line_and_in_json() -> None:
    assert one_line(" a\n\n b\x1b ") == "a b\\x1b"
    assert json_visible('"\x9b\U000e0041"') == '"\\u009b\\udb40\\udc41"'


def test_what_others_print_goes_to_stderr_and_results_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert stdout() is sys.stdout
    with reserved_stdout():
        print("of a plugin", flush=True)
        print("a result", file=stdout(), flush=True)
        with reserved_stdout():
            print("of a plugin", flush=True)
            print("a result", file=stdout(), flush=True)
    assert stdout() is sys.stdout
    assert capfd.readouterr() == ("a result\na result\n", "of a plugin\nof a plugin\n")


def test_a_program_that_writes_to_the_descriptor_is_kept_from_results_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(1, "w", closefd=False) as own:
        monkeypatch.setattr(sys, "stdout", own)
        with reserved_stdout():
            os.write(1, b"of a program\n")
            print("a result", file=stdout(), flush=True)
        print("afterwards", flush=True)
    assert capfd.readouterr() == ("a result\nafterwards\n", "of a program\n")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_was_closed_inside_is_open_again_afterwards(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = os.fdopen(os.dup(1 if name == "stdout" else 2), "w")
    monkeypatch.setattr(sys, name, closed)
    with reserved_stdout():
        closed.close()
    print("again", file=getattr(sys, name), flush=True)
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == (("again\n", "") if name == "stdout" else ("", "again\n"))


def test_stderr_cannot_be_closed_by_whoever_prints_to_it(capfd: pytest.CaptureFixture[str]) -> None:
    with reserved_stdout():
        sys.stdout.close()
        sys.stderr.close()
        print("still there", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "still there\n"


def test_a_process_without_streams_gets_some_that_swallow(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.stdout
    monkeypatch.setattr(sys, "stderr", None)
    open_streams()
    assert sys.stdout is before
    with sys.stderr:
        print("swallowed", file=sys.stderr)

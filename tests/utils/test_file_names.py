"""Names of files as text."""

from __future__ import annotations

import json
import os

import pytest

from zsarbench.utils.file_names import is_hidden, same_name, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [(b"caf\xc3\xa9.mp4", "café.mp4"), (b"caf\xe9.mp4", "caf\\xe9.mp4"), (b"a\nb\x1b[1m", "a\\x0ab\\x1b[1m")],
)
def test_every_name_becomes_text_that_can_be_written(name: bytes, expected: str) -> None:
    assert shown(os.fsdecode(name)) == expected
    json.dumps(expected, ensure_ascii=False).encode()


def test_a_surrogate_that_is_not_a_byte_is_shown_too() -> None:
    assert shown("\ud800x") == "\\ud800x"


@pytest.mark.parametrize("name", ["._a.mp4", ".DS_Store", ".git", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "lost+found"])
def test_what_systems_keep_is_hidden(name: str) -> None:
    assert is_hidden(name)
    assert not is_hidden(f"a{name}")


def test_names_are_the_same_in_any_unicode_form_and_case_of_ending() -> None:
    assert same_name("cafe\u0301.MP4", "café.mp4")
    assert not same_name("A.mp4", "a.mp4")
    assert not same_name("a.avi", "a.mp4")

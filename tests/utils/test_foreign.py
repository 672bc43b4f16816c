"""Documents of others: what would break their reader is refused in one line that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.documents import read_json, read_toml
from zsarbench.utils.foreign import guarded, read_bytes, sha256_of


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 200_000, "nested too deeply"),
        ("[" * 101 + "]" * 101, "nested too deeply, more than 100 times"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested too deeply"),
        ("9" * 5000, "not valid JSON"),
        (f'{{"a": [0, {10**400}]}}', r"a\[1\] is a whole number above 9223372036854775807"),
        ("-9223372036854775809", "the document is a whole number above"),
        ('{"a": "\\ud800"}', "a holds half of a surrogate pair"),
        ('{"\\udfff": 1}', "the document holds half of a surrogate pair"),
        ("[NaN]", "NaN is not a number of JSON"),
        ("[-Infinity]", "Infinity is not a number of JSON"),
        ("[1e999]", "too large"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
        ("", "perhaps cut short"),
    ],
)
def test_json_that_breaks_readers_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ZsarbenchError, match=problem) as caught:
        read_json(path, "result file")
    assert f"result file {path}" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text", ["a = " + "9" * 5000, "a = " + "[" * 5000, f"a = {10**400}", ".".join("a" * 300) + " = 1"]
)
def test_toml_that_breaks_readers_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ZsarbenchError, match=r"protocol file .*a\.toml is not valid"):
        read_toml(path, "protocol file")


def test_pairs_of_surrogates_are_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('"\\ud83d\\ude00"')
    assert read_json(path, "file") == "😀"


def test_what_is_not_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path, reason in (
        (tmp_path / "pipe.json", "it is not a regular file"),
        (Path("/dev/zero"), "it is not a regular file"),
        (tmp_path, "it is a folder"),
        (tmp_path / "none", "does not exist"),
        (tmp_path / ("n" * 300), "cannot be read: File name too long"),
        (tmp_path / "a\0b", "must not hold NUL"),
    ):
        for read in (read_bytes, sha256_of):
            with pytest.raises(ZsarbenchError, match=reason):
                read(path, "file", 100)


def test_a_file_that_is_larger_than_it_may_be_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ZsarbenchError, match=r"file .*large has 1,099,511,627,776 bytes; files of more than 100"):
        read_bytes(tmp_path / "large", "file", 100)


def test_whatever_a_parser_raises_names_the_file(tmp_path: Path) -> None:
    for error in (KeyError("x"), RecursionError(), MemoryError(), AssertionError("first\nsecond"), OSError("odd")):
        with (
            pytest.raises(ZsarbenchError, match=r"weight file .*a\.pt") as caught,
            guarded("weight file", tmp_path / "a.pt"),
        ):
            raise error
        assert "\n" not in str(caught.value)
    with pytest.raises(KeyboardInterrupt), guarded("weight file", tmp_path):
        raise KeyboardInterrupt

"""JSON and TOML of others: which sizes are read, what is refused with its place, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.documents import RepeatedKeys, json_text, parse_json, read_json, read_json_lines, read_toml

MEGABYTES_32 = 32 * 2**20


def sparse(path: Path, size: int) -> Path:
    """Return a file of this size that takes no place on the disk."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.mark.parametrize("read", [read_json, read_toml])
def test_more_than_32_megabytes_are_not_read(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(UsageError, match=f"files of more than {MEGABYTES_32:,} are not read"):
        read(sparse(tmp_path / "large", MEGABYTES_32 + 1), "result file")


def test_a_reader_may_set_another_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1]")
    assert read_json(path, "list", 3) == [1]
    with pytest.raises(UsageError, match="files of more than 2 are not read"):
        read_json(path, "list", 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1", "x is not valid JSON, perhaps cut short"),
        ('{"a": 1, "a": 2}', "x is not valid JSON: "),
        ("[NaN]", "x is not valid JSON: "),
        ("[-Infinity]", "x is not valid JSON: "),
        ("[1e999]", "x is not valid JSON: "),
        (f"[{'9' * 5000}]", "x is not valid JSON: "),
        ("[" * 100_000, "x is not valid JSON: its lists or objects are nested too deeply"),
        ('["\\ud800"]', r"x is not valid:\n  .* holds half of a surrogate pair"),
    ],
)
def test_what_is_not_json_is_refused(text: str, says: str) -> None:
    with pytest.raises(ZsarbenchError, match=says):
        parse_json(text, "x")


def test_twenty_problems_are_listed() -> None:
    with pytest.raises(ZsarbenchError) as caught:
        parse_json(f"[{', '.join([str(10**30)] * 25)}]", "x")
    assert len(str(caught.value).splitlines()) == 1 + 20


def test_nan_and_repeated_keys_are_read_on_request() -> None:
    assert parse_json("[NaN, 1]", "x", nan=True) == [None, 1]
    read = parse_json('{"a": 1, "a": 2}', "x", repeated=True)
    assert isinstance(read, RepeatedKeys)
    assert read.pairs == (("a", 1), ("a", 2))


def test_lines_come_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("[1]\n\n[2]\n")
    assert list(read_json_lines(path, "list")) == [(f"list {path}, line 1", [1]), (f"list {path}, line 3", [2])]
    path.write_text("[1]\n[NaN]\n")
    assert [value for _, value in read_json_lines(path, "list", nan=True)] == [[1], [None]]
    with pytest.raises(ZsarbenchError, match="line 2 is not valid JSON"):
        list(read_json_lines(path, "list"))


def test_dates_of_toml_are_texts_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("a = [{ b = 2024-01-02 }]\n")
    with pytest.raises(ZsarbenchError, match=r"a\[0\]\.b is the date or time 2024-01-02; write it as text in quotes"):
        read_toml(path, "rows")
    path.write_text("a = ")
    with pytest.raises(ZsarbenchError, match="is not valid TOML"):
        read_toml(path, "rows")
    path.write_text('a = "2024-01-02"\n')
    assert read_toml(path, "rows") == {"a": "2024-01-02"}


def test_json_is_written_with_sorted_keys_and_without_nan() -> None:
    assert json_text({"b": 1, "a": "é\x9b"}).index('"a"') < json_text({"b": 1, "a": ""}).index('"b"')
    assert "\\u009b" in json_text(["\x9b"])
    with pytest.raises(ValueError, match="JSON"):
        json_text([float("nan")])

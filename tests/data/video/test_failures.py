"""Why clips could not be read: in words, and the state of their files."""

from __future__ import annotations

import os
from pathlib import Path

from records import changeable
from zsarbench.data.video import failures
from zsarbench.data.video.failures import MAX_REASONS, Failure, describe_failures, file_state


def test_the_state_of_a_file_is_its_size_and_time_and_none_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"abc")
    os.utime(path, ns=(7, 12))
    assert file_state(str(path)) == (3, 12)
    path.write_bytes(b"")
    os.utime(path, ns=(0, 0))
    assert file_state(str(path)) == (0, 0)
    for missing in (None, str(tmp_path / "b.mp4"), "a\0b", str(path / "c")):
        assert file_state(missing) is None


def test_a_failure_stands_until_the_file_changes_unless_it_is_said_otherwise() -> None:
    assert Failure("cut off").permanent
    assert changeable(failures) == []


def test_reasons_are_told_the_most_frequent_first_with_the_first_clip_of_each() -> None:
    assert describe_failures({}) == ""
    found = describe_failures({"c": "no file", "b": "cut off", "a": "cut off"})
    assert found == "2 × cut off (e.g. a); 1 × no file (e.g. c)"


def test_of_many_reasons_the_rest_is_counted() -> None:
    clips = {f"clip{number}-{reason}": f"reason {reason}" for reason in range(10) for number in range(10 - reason)}
    *told, last = describe_failures(clips).split("; ")
    assert len(told) == MAX_REASONS == 8
    assert (told[0], told[-1]) == ("10 × reason 0 (e.g. clip0-0)", "3 × reason 7 (e.g. clip0-7)")
    assert last == "3 × other reasons"
    eight = {name: reason for name, reason in clips.items() if reason < "reason 8"}
    assert "other reasons" not in describe_failures(eight)

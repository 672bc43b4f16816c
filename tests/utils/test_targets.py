from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zsarbench.errors import UsageError
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.targets import check_file, check_folder


def test_nothing_is_created_and_nothing_is_left(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b", "results")
    check_file(tmp_path / "a" / "b.txt", "the report")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b.txt").write_text("as it was")
    check_file(tmp_path / "b.txt", "the report")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
    assert (tmp_path / "b.txt").read_text() == "as it was"


def test_a_link_that_leads_nowhere_is_replaced_by_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.symlink_to(tmp_path / "gone")
    check_file(path, "the report")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "Not a directory"),
        ("file/below", "Not a directory"),
        ("nowhere", "No such file or directory"),
        ("nowhere/below", "No such file or directory"),
        ("x" * 300, "File name too long"),
        ("new/" + "x" * 300, "File name too long"),
        ("nul\0", "null"),
    ],
)
def test_what_can_be_no_folder_is_one_line(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match=f"results cannot be written to .*{reason}.*Try: "):
        check_folder(tmp_path / place, "results")


def test_a_folder_that_another_is_about_to_write_in_is_not_taken_away(tmp_path: Path) -> None:
    """Several processes of a sweep or an extraction check one place while others begin to write there."""

    def used(number: int) -> None:
        folder = tmp_path / str(number // 8) / "results"  # eight at a time meet in a folder that is new to all
        check_folder(folder, "results")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.json").write_text("{}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(used, range(800)))
    assert len(list(tmp_path.rglob("*.json"))) == 800

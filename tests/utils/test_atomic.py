"""Files are written atomically."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from zsarbench.utils.atomic import atomic_path, write_atomic


def test_what_a_block_wrote_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")

    def stopped() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        stopped()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_content_is_flushed_before_the_file_is_replaced_and_its_folder_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, flushed, replace = [], os.fsync, os.replace

    def noted(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        flushed(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    write_atomic(tmp_path / "a.txt", b"new")
    assert done == ["file", "replace", "folder"]


def test_a_file_system_that_cannot_flush_folders_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int) -> None:
        if kinds[stat.S_ISDIR(os.fstat(descriptor).st_mode)]:
            raise OSError(errno.EINVAL, "Invalid argument")

    kinds = {True: True, False: False}
    monkeypatch.setattr(os, "fsync", refused)
    write_atomic(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    kinds[False] = True
    with pytest.raises(OSError, match="Invalid argument"):
        write_atomic(tmp_path / "b.txt", b"new")
    assert os.listdir(tmp_path) == ["a.txt"]

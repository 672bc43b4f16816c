"""What data sets of other benchmarks hold at a revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from records import changeable, positional
from zsarbench.errors import ZsarbenchError
from zsarbench.results import revisions

ONE = """[[revisions]]
revision = "{revision}"
dataset = "mteb/Toy"
split = "{split}"
samples = "clips"
n_samples = 1944
n_classes = 51
source = "https://example.org"
"""


def written(folder: Path, *texts: str) -> Path:
    """Return a file of these revisions."""
    path = folder / "revisions.toml"
    path.write_text("\n".join(texts))
    return path


def test_a_split_is_found_by_revision_and_name(tmp_path: Path) -> None:
    kinds = [("0123456789abcdef", "test"), ("0123456789abcdef", "train"), ("ffff", "test")]
    path = written(tmp_path, *(ONE.format(revision=revision, split=split) for revision, split in kinds))
    found = revisions.find("0123456789abcdef", "train", path)
    assert found is not None
    assert (found.revision, found.split, found.notes) == ("0123456789abcdef", "train", "")
    assert found.in_words() == "mteb/Toy at revision 0123456789, 1,944 clips of 51 classes"
    assert revisions.find("ffff", "train", path) is None
    assert revisions.find("ffff", "test", written(tmp_path)) is None


def test_a_file_of_other_fields_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ONE.format(revision="ffff", split="test").replace("clips", "videos"))
    with pytest.raises(ZsarbenchError, match=r"file of revisions [^:]*is not valid"):
        revisions.find("ffff", "test", path)


def test_the_file_of_the_package_is_read() -> None:
    assert revisions.find("no such revision", "test") is None


def test_a_revision_cannot_be_changed() -> None:
    assert (changeable(revisions), positional(revisions)) == ([], ["_File"])

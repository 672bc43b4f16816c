"""Shards: what their sidecars hold, and that nothing half written, damaged or of another version is read."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import xxhash

from records import changeable, positional
from zsarbench.data.video.failures import Failure
from zsarbench.errors import ZsarbenchError
from zsarbench.features.store import shards
from zsarbench.features.store.origins import UNKNOWN, Origin
from zsarbench.features.store.shards import (
    Outdated,
    Sidecar,
    StoredClip,
    StoredFailure,
    checksum_of,
    copy_shard,
    data_path,
    id_checksum,
    joined,
    read_intact_sidecar,
    read_sidecar,
    sidecar_path,
    size_problem,
    write_shard,
)

ROWS = {"a": torch.arange(6.0).reshape(3, 2), "b": torch.ones(1, 2)}
ORIGIN = Origin("span", (7, 8), "file")
BROKEN = Failure("cut off", (3, 4), permanent=False)


def written(folder: Path, rows: dict[str, torch.Tensor] = ROWS, dtype: str = "float32", **about: Any) -> Sidecar:
    """Write a shard with a failure, flags of one clip and its origin."""
    fields: dict[str, Any] = {
        "flags": {"a": ["truncated"]}, "origins": {"a": ORIGIN, "c": Origin("captions")}, "failures": {"c": BROKEN},
        "provenance": {"seconds": 1.0},
    }  # fmt: skip
    return write_shard(folder, ("key", 2, dtype), rows, **fields | about)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_rows_of_a_clip_lie_where_its_sidecar_says(tmp_path: Path, dtype: str) -> None:
    sidecar = written(tmp_path, dtype=dtype)
    content = data_path(tmp_path, sidecar.name).read_bytes()
    assert sidecar.bytes == len(content)
    for (clip, position), (clip_id, rows) in zip(sidecar.positions(), ROWS.items(), strict=True):
        kept = rows.to(getattr(torch, dtype))
        raw = content[position : position + kept.nbytes]
        assert torch.equal(torch.frombuffer(bytearray(raw), dtype=kept.dtype).reshape(-1, 2), kept)
        assert (clip.clip_id, clip.steps) == (clip_id, len(rows))
        assert joined(clip.checksum, clip_id) == checksum_of(memoryview(raw))


def test_a_sidecar_is_read_as_it_was_written(tmp_path: Path) -> None:
    sidecar = written(tmp_path)
    assert read_sidecar(tmp_path, sidecar.name) == read_intact_sidecar(tmp_path, sidecar.name) == sidecar
    one, other = sidecar.clips
    assert (one.flags, one.origin, other.flags, other.origin) == (("truncated",), ORIGIN, (), UNKNOWN)
    assert sidecar.failures == {"c": StoredFailure(BROKEN, "captions")}
    assert sidecar.failures["c"].origin == Origin("captions", (3, 4))
    assert sidecar.provenance == {"seconds": 1.0}


def test_what_is_not_known_of_a_file_stays_unknown() -> None:
    for clip in (
        StoredClip(clip_id="a", steps=1, checksum=2),
        StoredClip(clip_id="a", steps=1, checksum=2, origin=ORIGIN),
    ):
        assert StoredClip.of_list(json.loads(json.dumps(clip.to_list()))) == clip
    for failed in (StoredFailure(Failure("r")), StoredFailure(BROKEN, "x")):
        assert StoredFailure.of_list(json.loads(json.dumps(failed.to_list()))) == failed


def test_the_name_depends_on_the_content_and_not_on_how_it_was_computed(tmp_path: Path) -> None:
    sidecar = written(tmp_path)
    assert written(tmp_path, provenance={"seconds": 2.0}).name == sidecar.name
    changed = [replace(sidecar, key="k"), replace(sidecar, bytes=1), replace(sidecar, failures={})]
    assert len({sidecar.name, *(one.name for one in changed)}) == 4


def test_a_shard_of_failures_alone_has_no_data_file(tmp_path: Path) -> None:
    sidecar = written(tmp_path, rows={})
    assert (sidecar.bytes, sidecar.data_start, sidecar.clips) == (0, 0, ())
    assert [path.name for path in tmp_path.iterdir()] == [f"{sidecar.name}.json"]
    assert read_intact_sidecar(tmp_path, sidecar.name) == sidecar
    (tmp_path / "copy").mkdir()
    copy_shard(tmp_path, tmp_path / "copy", sidecar)
    assert read_intact_sidecar(tmp_path / "copy", sidecar.name) == sidecar


def test_a_copy_has_the_times_of_its_files(tmp_path: Path) -> None:
    sidecar = written(tmp_path / "one")
    for path in (tmp_path / "one").iterdir():
        os.utime(path, ns=(10**18, 10**18 + 5))
    (tmp_path / "other").mkdir()
    copy_shard(tmp_path / "one", tmp_path / "other", sidecar)
    copies = sorted((tmp_path / "other").iterdir())
    assert [path.suffix for path in copies] == [".json", ".safetensors"]
    assert {path.stat().st_mtime_ns for path in copies} == {10**18 + 5}
    assert read_intact_sidecar(tmp_path / "other", sidecar.name) == sidecar
    (tmp_path / "file").write_text("")
    with pytest.raises(ZsarbenchError, match=r"features cannot be copied to .*file.*; finished shards are kept"):
        copy_shard(tmp_path / "one", tmp_path / "file" / "x", sidecar)


def test_a_folder_that_cannot_be_written_is_an_error_for_users(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZsarbenchError, match=r"features cannot be written to .*file.*; finished shards are kept"):
        written(tmp_path / "file")


def test_another_version_a_damaged_sidecar_and_a_missing_one_are_distinguished(tmp_path: Path) -> None:
    sidecar = written(tmp_path)
    path = sidecar_path(tmp_path, sidecar.name)
    text = path.read_text()
    assert json.loads(text)["schema"] == shards.SCHEMA == 2
    path.write_text(text.replace('"schema": 2', '"schema": 3'))
    with pytest.raises(Outdated, match="is of version 3 of the format, not 2"):
        read_sidecar(tmp_path, sidecar.name)
    path.write_text(text.replace('"a"', '"z"'))
    with pytest.raises(ZsarbenchError, match="is damaged: its content does not match its name"):
        read_sidecar(tmp_path, sidecar.name)
    lacking = json.loads(text)
    lacking["clips"][0].pop()
    path.write_text(json.dumps(lacking))
    with pytest.raises(ZsarbenchError, match="cannot be read"):
        read_sidecar(tmp_path, sidecar.name)
    path.unlink()
    with pytest.raises(ZsarbenchError, match="cannot be read"):
        read_sidecar(tmp_path, sidecar.name)


def test_a_data_file_of_another_size_is_named(tmp_path: Path) -> None:
    sidecar = written(tmp_path)
    path = data_path(tmp_path, sidecar.name)
    assert size_problem(tmp_path, sidecar.name, sidecar.bytes) is None
    path.write_bytes(path.read_bytes()[:-1])
    problem = f"{path} has {sidecar.bytes - 1} bytes, not {sidecar.bytes}"
    assert size_problem(tmp_path, sidecar.name, sidecar.bytes) == problem
    with pytest.raises(ZsarbenchError, match="bytes, not"):
        read_intact_sidecar(tmp_path, sidecar.name)
    path.unlink()
    assert size_problem(tmp_path, sidecar.name, sidecar.bytes) == f"{path} is missing"
    assert size_problem(tmp_path, sidecar.name, 0) is None


def test_checksums_are_signed_numbers_of_64_bits_and_join_both_ways() -> None:
    raw = [str(number).encode() for number in range(64)]
    sums = [checksum_of(memoryview(one)) for one in raw]
    assert [one % 2**64 for one in sums] == [xxhash.xxh3_64_intdigest(one) for one in raw]
    assert all(-(2**63) <= one < 2**63 for one in sums)
    assert min(sums) < 0 < max(sums)
    for number, one in enumerate(sums):
        both = joined(one, f"clip{number}")
        assert -(2**63) <= both < 2**63
        assert both != one
        assert joined(both, f"clip{number}") == one
    assert id_checksum("\udcff") == xxhash.xxh3_64_intdigest(b"\xed\xb3\xbf")


def test_records_cannot_be_changed() -> None:
    assert (changeable(shards), positional(shards)) == ([], ["StoredFailure"])

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.key import FeatureKey
from zsarbench.features.maintenance import garbage, merge, remove
from zsarbench.features.store.verification import verify

DIM = 4
KEY = FeatureKey("made", "r1", {"name": "tiny", "options": {}}, {"weights_sha256": "0"})


def rows_of(*ids: str) -> dict[str, torch.Tensor]:
    return {name: torch.full((2, DIM), float(sum(map(ord, name)))) for name in ids}


def store_with(root: Path, *shards: tuple[str, ...], adopt: bool = True) -> FeatureSet:
    stored = FeatureStore(root).open(KEY, DIM)
    for ids in shards:
        name = stored.write(rows_of(*ids))
        if adopt:
            stored.adopt(name)
    if adopt:
        stored.save()
    return stored


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("shards/*")}


def test_shards_of_other_processes_are_added_and_a_merge_may_be_repeated(tmp_path: Path) -> None:
    stored = store_with(tmp_path, ("a", "b"))
    store_with(tmp_path, ("c",), adopt=False)
    assert stored.stored_ids() == {"a", "b"}
    for number in range(3):
        (done,) = merge(FeatureStore(tmp_path))
        assert (done.clips, done.clips - done.clips_before, done.problems) == (3, 0 if number else 1, ())
    assert verify(stored).problems == ()


def test_stores_of_other_machines_are_copied_and_no_clip_is_stored_twice(tmp_path: Path) -> None:
    ours = store_with(tmp_path / "ours", ("a", "b"))
    store_with(tmp_path / "node1" / "features", ("a", "b"), ("c", "d"))
    store_with(tmp_path / "node2", ("d", "e"))
    others = [tmp_path / "node1", tmp_path / "node2", tmp_path / "ours"]  # a cache folder, a store, and itself
    (done,) = merge(FeatureStore(tmp_path / "ours"), others)
    assert (done.copied, done.clips_before, done.clips, done.problems) == (2, 2, 5, ())
    before = bytes_of(tmp_path / "ours")
    (again,) = merge(FeatureStore(tmp_path / "ours"), others)
    assert (again.copied, again.clips) == (0, 5)
    assert bytes_of(tmp_path / "ours") == before
    read = ours.clips(list("abcde")).rows(range(5)).values
    assert torch.equal(read, torch.stack(list(rows_of(*"abcde").values())))
    assert verify(ours).problems == ()


def test_another_store_is_copied_into_an_empty_one(tmp_path: Path) -> None:
    theirs = store_with(tmp_path / "theirs", ("a", "b"))
    (done,) = merge(FeatureStore(tmp_path / "ours"), [tmp_path / "theirs"])
    assert (done.name, done.clips) == (theirs.folder.name, 2)
    assert FeatureStore(tmp_path / "ours").open(KEY, DIM).stored_ids() == {"a", "b"}


def test_a_damaged_shard_of_another_store_is_left_out_and_reported(tmp_path: Path) -> None:
    theirs = store_with(tmp_path / "theirs", ("a",), ("b",), ("c",))
    flipped, cut = sorted(theirs.shards.glob("*.safetensors"))[:2]
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:-5])
    (done,) = merge(FeatureStore(tmp_path / "ours"), [tmp_path / "theirs"])
    assert (done.copied, done.clips, len(done.problems)) == (1, 1, 2)
    assert any("is damaged at byte" in problem for problem in done.problems)
    assert any("bytes, not" in problem for problem in done.problems)


def test_a_set_of_another_key_in_a_folder_of_that_name_is_left_out(tmp_path: Path) -> None:
    store_with(tmp_path / "ours", ("a",))
    theirs = store_with(tmp_path / "theirs", ("b",))
    other = FeatureSet(theirs.folder, "0" * 64, DIM, "float32")
    for path in theirs.shards.iterdir():
        path.unlink()
    other.write(rows_of("c"))
    (done,) = merge(FeatureStore(tmp_path / "ours"), [tmp_path / "theirs"])
    assert done.clips == 1
    assert "was written for another key" in done.problems[0]


def test_a_folder_without_features_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no features are stored in"):
        merge(FeatureStore(tmp_path / "ours"), [tmp_path])


def test_a_merge_into_what_is_not_a_folder_is_an_error(tmp_path: Path) -> None:
    store_with(tmp_path / "theirs", ("a",))
    ours = FeatureStore(tmp_path / "ours").open(KEY, DIM)
    ours.shards.rmdir()
    ours.shards.write_text("no folder")
    with pytest.raises(ZsarbenchError, match="cannot be stored in"):
        merge(FeatureStore(tmp_path / "ours"), [tmp_path / "theirs"])


def age(root: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in root.rglob("*"):
        os.utime(path, (then, then))


def test_shards_that_the_index_lacks_are_not_garbage(tmp_path: Path) -> None:
    store_with(tmp_path, ("a", "b"), adopt=False)
    age(tmp_path, 1e5)
    store = FeatureStore(tmp_path)
    assert garbage(store) == []
    assert store.open(KEY, DIM).stored_ids() == {"a", "b"}


def test_a_set_unused_for_days_is_removed_whole_on_request(tmp_path: Path) -> None:
    stored = store_with(tmp_path, ("a",))
    store = FeatureStore(tmp_path)
    age(tmp_path, 10 * 86_400)
    assert garbage(store, unused_days=11) == []
    (found,) = garbage(store, unused_days=9)
    assert (found.whole, found.name) == (True, stored.folder.name)
    store.open(KEY, DIM)  # is a use
    assert garbage(store, unused_days=9) == []
    age(tmp_path, 10 * 86_400)
    with next(stored.shards.glob("*.safetensors")).open("rb") as open_file:
        remove(*garbage(store, unused_days=9))
        assert len(open_file.read()) > 2 * DIM * 4  # unlinked, not cut
    assert not stored.folder.exists()


def test_an_interrupted_removal_can_be_continued(tmp_path: Path) -> None:
    store_with(tmp_path, ("a",), ("b",))
    store = FeatureStore(tmp_path)
    age(tmp_path, 10 * 86_400)
    (found,) = garbage(store, unused_days=9)
    for path in found.files[:3]:
        path.unlink()
    (rest,) = garbage(store, unused_days=9)
    remove(rest)
    assert not found.stored.folder.exists()


def test_a_set_is_removed_index_first_and_key_last(tmp_path: Path) -> None:
    """So that what an interrupted removal leaves is a set with its key, and no index names shards that are gone."""
    stored = store_with(tmp_path, ("a",), ("b",))
    age(tmp_path, 10 * 86_400)
    (found,) = garbage(FeatureStore(tmp_path), unused_days=9)
    kinds = ["index" if path.name.startswith("index.") else "key" if path.name == "key.json" else path.suffix
             for path in found.files]  # fmt: skip
    assert kinds == ["index", ".safetensors", ".safetensors", ".json", ".json", "key"]
    assert found.bytes == sum(path.stat().st_size for path in stored.folder.rglob("*") if path.is_file())

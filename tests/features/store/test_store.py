from __future__ import annotations

import errno
import logging
import os
import pickle
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from zsarbench.data.video.failures import Failure, file_state
from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.clips import MemoryClips
from zsarbench.features.key import FeatureKey
from zsarbench.features.maintenance import garbage, remove
from zsarbench.features.store.index import Index
from zsarbench.features.store.origins import Origin, origin_of, same
from zsarbench.features.store.reader import RowReader
from zsarbench.features.store.shards import data_path, read_sidecar, sidecar_path
from zsarbench.features.store.verification import verify
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.interfaces import ClipFeatures, ClipSource, Sampling
from zsarbench.plugins.distributions import Distribution
from zsarbench.plugins.parts import PartSpec
from zsarbench.testing.toys import ToyText

KEY = FeatureKey(
    "made", "r1", {"name": "tiny", "options": {"batch_size": 16}}, {"weights_sha256": "0"}, Sampling(), "pyav 1"
)
DIM = 4


def rows_of(lengths: Sequence[int], seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {f"c{i}": torch.randn(length, DIM, generator=generator) for i, length in enumerate(lengths)}


def stored_set(root: Path, rows: dict[str, torch.Tensor] | None = None) -> FeatureSet:
    """Return a set that holds these rows, by default those of four clips in two shards."""
    stored = FeatureStore(root).open(KEY, DIM)
    rows = rows or rows_of([3, 1, 2, 5])
    ids = list(rows)
    for part in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
        if part:
            stored.adopt(stored.write({clip_id: rows[clip_id] for clip_id in part}))
    stored.save()
    return stored


def test_whose_code_computed_the_features_of_a_clip_is_known_of_each_shard(tmp_path: Path) -> None:
    stored, rows = FeatureStore(tmp_path).open(KEY, DIM), rows_of([2, 1])
    by = [Distribution("encoder", version, ("encoder",), None, None) for version in ("1.0", "2.0")]
    for clip_id, one in zip(rows, by, strict=True):
        provenance = {"distributions": [asdict(one)]}
        stored.adopt(stored.write({clip_id: rows[clip_id]}, provenance=provenance))
    stored.save()
    index = FeatureStore(tmp_path).open(KEY, DIM).index
    assert [index.makers_of([clip_id]) for clip_id in rows] == [{(one,)} for one in by]
    assert index.makers_of([*rows, "another"]) == {(one,) for one in by}


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=9),
    data=st.data(),
    dtype=st.sampled_from(["float32", "bfloat16"]),
)
def test_rows_come_back_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], data: st.DataObject, dtype: str
) -> None:
    stored = FeatureStore(tmp_path_factory.mktemp("store")).open(replace(KEY, dtype=dtype), DIM)
    rows = rows_of(lengths)
    ids = list(rows)
    cut = data.draw(st.integers(0, len(ids)))
    for part in (ids[:cut], ids[cut:]):
        if part:
            stored.adopt(stored.write({clip_id: rows[clip_id] for clip_id in part}))
    clips = stored.clips(ids)
    index = data.draw(st.lists(st.integers(0, len(ids) - 1), max_size=6))
    for read in (clips.rows(index), clips.subset(index).rows(range(len(index))), clips.rows(torch.tensor(index))):
        assert read.values.shape == (len(index), max(lengths), DIM)
        assert read.values.dtype == torch.float32
        for value, mask, i in zip(read.values, read.mask, index, strict=True):
            assert mask.tolist() == [step < lengths[i] for step in range(max(lengths))]
            assert torch.equal(value[mask], rows[ids[i]].to(getattr(torch, dtype)).float())
            assert not value[~mask].any()


def test_stored_and_memory_clips_are_alike(tmp_path: Path) -> None:
    rows = rows_of([3, 1, 2, 5])
    captions = (("a",), (), ("b", "c"), ("d",))
    stored = stored_set(tmp_path, rows).clips(list(rows), captions=captions, captions_in_steps="all")
    memory = MemoryClips(tuple(rows), list(rows.values()), captions=captions, captions_in_steps="all")
    for clips in (stored, memory):
        assert isinstance(clips, ClipFeatures)
        part = clips.subset([3, 0])
        assert part.ids == ("c3", "c0")
        assert part.captions == (("d",), ("a",))
        assert (part.max_steps, part.dim, part.captions_in_steps, len(part)) == (5, DIM, "all", 2)
        assert len(clips.subset([])) == 0
    for index in ([0, 1, 2, 3], [2], []):
        assert torch.equal(stored.rows(index).values, memory.rows(index).values)
        assert torch.equal(stored.rows(index).mask, memory.rows(index).mask)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cut_clips_are_their_first_steps(tmp_path: Path, dtype: str) -> None:
    stored = FeatureStore(tmp_path).open(replace(KEY, dtype=dtype), DIM)
    rows = rows_of([3, 1, 2, 5])
    stored.adopt(stored.write(rows))
    for verified in (False, True):
        clips = stored.clips(list(rows))
        whole = stored.clips(list(rows)).rows(range(4))
        if verified:
            clips.rows(range(4))
        for cut in (clips.cut(2), clips.cut(4).cut(2), clips.cut(2).cut(9), clips.cut(2).subset(range(4))):
            read = cut.rows(range(4))
            assert cut.max_steps == 2
            assert torch.equal(read.values, whole.values[:, :2])
            assert torch.equal(read.mask, whole.mask[:, :2])
    assert clips.cut(9).max_steps == 5


def test_a_clip_is_verified_whole_though_its_first_steps_alone_are_wanted(tmp_path: Path) -> None:
    stored = stored_set(tmp_path, {"a": torch.ones(5, DIM)})
    path = next(stored.shards.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in the last step
    path.write_bytes(bytes(content))
    with pytest.raises(ZsarbenchError, match="its checksum does not match"):
        stored.clips(["a"]).cut(1).rows([0])


def test_memory_clips_take_a_padded_tensor_and_refuse_what_does_not_fit() -> None:
    values, mask = torch.ones(2, 3, DIM), torch.tensor([[True, False, False], [True, True, True]])
    clips = MemoryClips(["a", "b"], values, mask)
    assert clips.rows([0]).values.sum() == DIM
    with pytest.raises(ValueError, match="do not fit"):
        MemoryClips(["a"], values, mask)


def test_a_failed_clip_has_no_steps(tmp_path: Path) -> None:
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    stored.adopt(
        stored.write(rows_of([2]), failures={"bad": Failure("empty file")}, flags={"c0": ("truncated: 1 of 2",)})
    )
    clips = stored.clips(["bad", "c0"])
    assert clips.rows([0, 1]).mask.tolist() == [[False, False], [True, True]]
    assert clips.failures == {"bad": "empty file"}
    assert clips.flags == {"c0": ("truncated: 1 of 2",)}
    assert clips.subset([1]).failures == {}


def test_only_failures_make_a_set_too(tmp_path: Path) -> None:
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    stored.adopt(stored.write({}, failures={"bad": Failure("empty file")}))
    read = stored.clips(["bad"]).rows([0])
    assert (read.values.shape, read.mask.tolist()) == ((1, 1, DIM), [[False]])
    assert FeatureStore(tmp_path).sets()[0].info()["failures"] == 1


def test_a_failure_is_kept_until_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"broken")
    file, absent = ClipSource("a", str(path)), ClipSource("b", str(tmp_path / "b.mp4"))
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    assert stored.missing([file, absent]) == [file, absent]
    failures = {"a": Failure("cannot be decoded", file_state(file.path)), "b": Failure("missing file")}
    stored.adopt(stored.write({}, failures=failures))
    assert stored.missing([file, absent]) == []
    path.write_bytes(b"mended")
    os.utime(path, ns=(1, 1))
    assert stored.missing([file, absent]) == [file]
    Path(str(absent.path)).write_bytes(b"there now")
    assert stored.missing([file, absent]) == [file, absent]


def test_a_failure_that_is_not_the_files_fault_is_tried_again(tmp_path: Path) -> None:
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    stored.adopt(stored.write({}, failures={"a": Failure("cannot be prepared", permanent=False)}))
    assert stored.missing([ClipSource("a")]) == [ClipSource("a")]


def test_features_end_a_failure_and_a_later_failure_ends_no_features(tmp_path: Path) -> None:
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    rows = rows_of([2])
    stored.adopt(stored.write({}, failures={"c0": Failure("empty file")}))
    stored.adopt(stored.write(rows))
    stored.adopt(stored.write({}, failures={"c0": Failure("missing file")}))
    for _ in range(2):
        assert torch.equal(stored.clips(["c0"]).rows([0]).values[0], rows["c0"])
        assert stored.clips(["c0"]).failures == {}
        verify(stored, rebuild=True)


def test_the_first_to_bring_a_clip_counts(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    stored.adopt(stored.write(rows_of([3], seed=1)))
    assert torch.equal(stored.clips(["c0"]).rows([0]).values[0], rows_of([3])["c0"])
    assert stored.info()["clips"] == 4


def test_a_clip_without_rows_or_failure_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZsarbenchError, match=r"1 clips have no stored features in .*, e\.g\. 'other'"):
        stored_set(tmp_path).clips(["c0", "other"])


def test_every_field_of_the_key_matters_and_its_digest_is_the_same_everywhere(tmp_path: Path) -> None:
    others = [
        replace(KEY, dataset="other"),
        replace(KEY, revision="r2"),
        replace(KEY, part={"name": "tiny", "options": {"batch_size": 32}}),
        replace(KEY, fingerprint={"weights_sha256": "1"}),
        replace(KEY, sampling=Sampling(2.0)),
        replace(KEY, decoder="pyav 2"),
        replace(KEY, text={"name": "minilm-l6"}),
        replace(KEY, dtype="bfloat16"),
        replace(KEY, dataset_options={"captions": "long"}),
    ]
    assert len({key.digest for key in (KEY, *others)}) == 10
    reordered = replace(KEY, part={"options": {"batch_size": 16}, "name": "tiny"})
    assert reordered.digest == KEY.digest
    assert KEY.digest == "84872634a55f39e9f31d0a4360d6dd7d35f5ff1b9b880c06fcad5b70776880e1"
    with pytest.raises(ZsarbenchError, match="cannot be stored as float64, only as float32 or bfloat16"):
        FeatureStore(tmp_path).open(replace(KEY, dtype="float64"), DIM)


def test_shards_that_a_killed_run_left_are_taken_in(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    stored.write(rows_of([1, 1, 1, 1, 4]))  # never entered into the index
    (stored.shards / ".half.safetensors.1.2.tmp").write_bytes(b"half")
    (stored.shards / "0123.safetensors").write_bytes(b"data without a sidecar")
    found = FeatureStore(tmp_path).open(KEY, DIM)
    assert found.stored_ids() == {"c0", "c1", "c2", "c3", "c4"}
    assert torch.equal(found.clips(["c0"]).rows([0]).values[0], rows_of([3])["c0"])


def test_a_lost_index_is_rebuilt(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    before = stored.clips(["c0", "c1", "c2", "c3"]).rows(range(4))
    (stored.folder / "index.bin").unlink()
    found = FeatureStore(tmp_path).open(KEY, DIM)
    assert torch.equal(found.clips(["c0", "c1", "c2", "c3"]).rows(range(4)).values, before.values)


def test_a_damaged_index_is_named_and_built_again_from_the_sidecars(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = stored_set(tmp_path)
    (stored.folder / "index.bin").write_bytes(b"this is no index" * 100)
    assert any("is damaged" in problem and "--rebuild" in problem for problem in verify(stored).problems)
    (stored.folder / "index.bin").write_bytes(b"")
    (again,) = FeatureStore(tmp_path).sets()
    with caplog.at_level(logging.WARNING):
        assert again.info()["clips"] == 4
    assert "is damaged: it is not as it was written; it is built again from the sidecars" in caplog.text
    assert verify(again).problems == ()


ROWS_OF_FLIPS = rows_of([1, 2, 1, 3])


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    """Return a set of clips whose ids are one bit apart, with flags and a failure."""
    stored = FeatureStore(tmp_path_factory.mktemp("flips")).open(KEY, DIM)
    failures = {"c4": Failure("cannot be decoded", (3, 4))}
    stored.adopt(stored.write(ROWS_OF_FLIPS, failures=failures, flags={"c1": ("truncated",)}))
    stored.save()
    return stored


@settings(max_examples=200)
@given(data=st.data())
def test_no_flipped_bit_of_an_index_gives_a_clip_other_rows(indexed: FeatureSet, data: st.DataObject) -> None:
    path = indexed.folder / "index.bin"
    sound = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(sound) - 1))
    flipped = bytearray(sound)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    assert verify(FeatureStore(indexed.folder.parent).sets()[0]).problems
    path.write_bytes(flipped)
    clips = FeatureStore(indexed.folder.parent).open(KEY, DIM).clips([*ROWS_OF_FLIPS, "c4"])
    for number, rows in enumerate(ROWS_OF_FLIPS.values()):
        assert torch.equal(clips.rows([number]).values[0, : len(rows)], rows)
    assert (clips.failures, clips.flags) == ({"c4": "cannot be decoded"}, {"c1": ("truncated",)})
    assert path.read_bytes() == sound


def test_a_row_is_read_as_that_of_its_own_clip_alone(tmp_path: Path) -> None:
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    sidecar = read_sidecar(stored.shards, stored.write(rows_of([2, 2])))
    swapped = [
        replace(clip, clip_id=other.clip_id) for clip, other in zip(sidecar.clips, sidecar.clips[::-1], strict=True)
    ]
    stored.index.add(replace(sidecar, clips=tuple(swapped)))
    (stored.shards / f"{sidecar.name}.safetensors").rename(
        stored.shards / f"{replace(sidecar, clips=tuple(swapped)).name}.safetensors"
    )
    with pytest.raises(ZsarbenchError, match="its checksum does not match"):
        stored.clips(["c0"]).rows([0])


def test_verify_finds_an_index_that_says_other_than_the_sidecars(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    name = stored.shard_names()[0]
    sidecar = read_sidecar(stored.shards, name)
    other = Index(stored.key)
    other.add(replace(sidecar, clips=sidecar.clips[::-1]))
    # the index of other rows, under the name of this shard: as a fault of the program would write it
    written = stored.folder / "index.bin"
    other.save(written)
    content = written.read_bytes().replace(replace(sidecar, clips=sidecar.clips[::-1]).name.encode(), name.encode())
    body = content[len(b"zsarbench index 1\n") + 16 :]
    written.write_bytes(b"zsarbench index 1\n" + xxhash.xxh3_128_digest(body) + body)
    assert any("the index differs from the sidecar" in problem for problem in verify(stored).problems)
    assert verify(stored, rebuild=True).problems == ()
    assert verify(stored).problems == ()


def test_verify_finds_shards_of_the_index_that_are_gone(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    assert verify(stored).problems == ()
    name = stored.write(rows_of([1], seed=3))
    assert verify(stored).problems == ()  # whoever opens the set adds it
    sidecar_path(stored.shards, name).unlink()
    assert any("of the index is missing" in problem for problem in verify(stored).problems)
    assert verify(stored).problems == ()  # its clips are missing now, and computed again


def test_a_flipped_byte_is_found_when_read_and_by_verify_and_computed_again(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    for path in stored.shards.glob("*.safetensors"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1  # of the last clip of each shard: c1 and c3
        path.write_bytes(content)
    clips = stored.clips(["c0", "c1", "c2", "c3"])
    clips.rows([0, 2])
    with pytest.raises(ZsarbenchError, match=r"is damaged at byte .*features verify --rebuild"):
        clips.rows([1])
    assert {problem.split("'")[1] for problem in verify(stored).problems} == {"c1", "c3"}
    assert verify(stored, rebuild=True).clips == 2
    assert [source.clip_id for source in stored.missing(ClipSource(f"c{i}") for i in range(4))] == ["c1", "c3"]
    again = {clip_id: rows_of([3, 1, 2, 5])[clip_id] for clip_id in ("c1", "c3")}
    stored.adopt(stored.write(again))
    assert torch.equal(stored.clips(["c3"]).rows([0]).values[0], again["c3"])


def test_a_truncated_shard_is_let_go_when_the_store_is_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored = stored_set(tmp_path)
    open_clips = stored.clips(["c0", "c1", "c2", "c3"])
    path = next(stored.shards.glob("*.safetensors"))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 10)
    with pytest.raises(ZsarbenchError, match="too short"):
        open_clips.rows(range(4))
    with caplog.at_level(logging.WARNING):
        found = FeatureStore(tmp_path).open(KEY, DIM)
    assert f"has {size - 10} bytes, not {size}; 2 clips are computed again" in caplog.text
    assert len(found.stored_ids()) == 2
    found.adopt(
        found.write(
            {clip_id: row for clip_id, row in rows_of([3, 1, 2, 5]).items() if clip_id not in found.stored_ids()}
        )
    )
    read = found.clips(["c0", "c1", "c2", "c3"]).rows(range(4))
    for i, row in enumerate(rows_of([3, 1, 2, 5]).values()):
        assert torch.equal(read.values[i, : len(row)], row)
    assert verify(found).problems == ()


def test_a_damaged_sidecar_gives_itself_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    name = stored.write(rows_of([2]))
    path = sidecar_path(stored.shards, name)
    for damage in (path.read_text().replace('"c0"', '"c9"'), path.read_text()[:-20], "[]"):
        path.write_text(damage)
        with caplog.at_level(logging.WARNING):
            assert FeatureStore(tmp_path).open(KEY, DIM).stored_ids() == set()
        assert "its clips are computed again" in caplog.text


def test_a_sidecar_that_is_a_link_to_itself_is_one_damaged_shard_among_others(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    known, new = (sidecar_path(stored.shards, name) for name in (stored.shard_names()[0], "0" * 32))
    for path in (known, new):
        path.unlink(missing_ok=True)
        path.symlink_to(path.name)
    found = verify(FeatureStore(tmp_path).open(KEY, DIM))
    assert found.shards == 1
    assert all(any(str(path) in problem for problem in found.problems) for path in (known, new))
    assert garbage(FeatureStore(tmp_path)) == []  # both are young
    verify(stored, rebuild=True)
    assert verify(FeatureStore(tmp_path).open(KEY, DIM)).problems == ()


def test_the_same_work_makes_the_same_files(tmp_path: Path) -> None:
    first, second = (stored_set(tmp_path / name) for name in ("a", "b"))
    for one, other in zip(sorted(first.shards.iterdir()), sorted(second.shards.iterdir()), strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_garbage_is_unlinked_and_what_is_used_or_new_stays(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    stored.adopt(stored.write({}, failures={"bad": Failure("missing file")}))
    kept = set(stored.shards.iterdir())
    superseded = stored.write(rows_of([3], seed=9))
    stored.adopt(superseded)  # c0 was stored before
    half = stored.shards / ".x.safetensors.1.2.tmp"
    half.write_bytes(b"half")
    store = FeatureStore(tmp_path)
    assert garbage(store) == []
    long_ago = time.time() - 1e5
    for path in stored.shards.iterdir():
        os.utime(path, (long_ago, long_ago))
    size = sum(path.stat().st_size for path in set(stored.shards.iterdir()) - kept)
    (found,) = garbage(store)
    assert found.bytes == size
    assert half in found.files
    assert half.exists()
    remove(found)
    assert set(stored.shards.iterdir()) == kept
    assert data_path(stored.shards, superseded) not in kept
    assert verify(FeatureStore(tmp_path).open(KEY, DIM)).problems == ()


def test_clips_travel_to_other_processes(tmp_path: Path) -> None:
    clips = stored_set(tmp_path).clips(["c3", "c1"])
    expected = clips.rows([0, 1])
    assert torch.equal(pickle.loads(pickle.dumps(clips)).rows([0, 1]).values, expected.values)


class CountingText(ToyText):
    """A text encoder that records the texts it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        self.encoded += texts
        return super().encode(texts)


def cached(root: Path, **options: int) -> tuple[CachedTextEncoder, CountingText]:
    encoder = CountingText()
    return CachedTextEncoder(encoder, FeatureStore(root), PartSpec("text", "toy", "a:B", "test"), **options), encoder


def test_cached_text_is_the_encoder_bit_for_bit_and_asks_once(tmp_path: Path) -> None:
    texts = ["lifting cup", "pushing door", "lifting cup", "turning ball"]
    text, encoder = cached(tmp_path)
    assert torch.equal(text.encode(texts), ToyText().encode(texts))
    assert encoder.encoded == ["lifting cup", "pushing door", "turning ball"]
    assert torch.equal(text.encode(["turning ball", "throwing"]), ToyText().encode(["turning ball", "throwing"]))
    assert encoder.encoded[3:] == ["throwing"]
    later, other = cached(tmp_path)
    assert torch.equal(later.encode(texts), ToyText().encode(texts))
    assert other.encoded == []
    assert later.encode([]).shape == (0, text.dim)
    assert (text.dim, text.space, text.fingerprint) == (ToyText.dim, ToyText.space, encoder.fingerprint)


def test_a_corpus_of_sentences_is_read_from_the_store_each_time_and_not_kept_in_memory(tmp_path: Path) -> None:
    text, encoder = cached(tmp_path, max_kept=2)
    first = text.encode(["turning ball", "pushing door"])
    for texts in (["lifting cup", "pushing door", "throwing", "a"], ["a", "throwing", "a", "lifting cup", "throwing"]):
        assert torch.equal(text.encode(texts), ToyText().encode(texts))
    assert torch.equal(text.encode(["turning ball", "pushing door"]), first)
    assert encoder.encoded == ["turning ball", "pushing door", "lifting cup", "throwing", "a"]
    assert text.n_kept == 2


def test_cached_text_refuses_an_encoder_with_other_shapes(tmp_path: Path) -> None:
    text, encoder = cached(tmp_path)
    encoder.encode = lambda texts: torch.zeros(len(texts), 3)  # type: ignore[method-assign]
    with pytest.raises(ZsarbenchError, match=r"returned .*\(1, 3\).*not \(1, 16\)"):
        text.encode(["a"])


def origin(path: Path) -> Origin:
    return origin_of(ClipSource("c0", str(path)), "frames", file_state(str(path)))


@pytest.mark.parametrize("content", [b"another", b"two"], ids=["of another size", "of the same size"])
def test_a_replaced_file_is_read_again_and_its_features_take_the_place_of_the_old(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c0.mp4"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    source = ClipSource("c0", str(path))
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    old, new = rows_of([2], seed=1), rows_of([3], seed=2)
    stored.adopt(stored.write(old, origins={"c0": origin(path)}, flags={"c0": ("truncated",)}))
    assert stored.missing([source]) == []
    path.write_bytes(content)
    assert stored.missing([source]) == [source]
    assert "1 stored clips have another origin and are computed again, e.g. 'c0': its file" in caplog.text
    time.sleep(0.01)  # the age of a sidecar shows which of two files is newer
    stored.adopt(stored.write(new, origins={"c0": origin(path)}))
    stored.save()
    for _ in range(2):
        assert stored.missing([source]) == []
        assert torch.equal(stored.clips(["c0"]).rows([0]).values[0], new["c0"])
        assert stored.clips(["c0"]).flags == {}
        assert verify(stored, rebuild=True).problems == ()
    (stored.folder / "index.bin").unlink()
    assert torch.equal(FeatureStore(tmp_path / "store").open(KEY, DIM).clips(["c0"]).rows([0]).values[0], new["c0"])
    path.unlink()  # videos may be deleted once their features are stored
    assert stored.missing([source]) == []


def test_a_copy_of_a_file_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "c0.mp4"
    path.write_bytes(b"one")
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    stored.adopt(stored.write(rows_of([2]), origins={"c0": origin(path)}))
    os.utime(path, ns=(1, 1))
    assert stored.missing([ClipSource("c0", str(path))]) == []
    assert verify(stored).problems == ()


def test_another_span_or_other_captions_make_other_features(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    cut = ClipSource("c0", str(path), 1.0, 2.0)
    captioned = ClipSource("c1", captions=("a person jumps",))
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    origins = {"c0": origin_of(cut, "frames", file_state(str(path))), "c1": origin_of(captioned, "captions")}
    stored.adopt(stored.write(rows_of([2, 2]), origins=origins))
    assert stored.missing([cut]) == stored.missing([captioned], "captions") == []
    later, other = replace(cut, start=1.5), replace(captioned, captions=("a person sits",))
    assert stored.missing([later]) == [later]
    assert stored.missing([other], "captions") == [other]
    assert stored.missing([replace(cut, captions=("frames are read, not these",))]) == []


def test_a_failure_of_another_span_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    cut = ClipSource("c0", str(path), 90.0, 100.0)
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    state = file_state(str(path))
    failures = {"c0": Failure("the file ends before 90 s", state)}
    stored.adopt(stored.write({}, failures=failures, origins={"c0": origin_of(cut, "frames", state)}))
    assert stored.missing([cut]) == []
    assert stored.missing([replace(cut, start=1.0)]) == [replace(cut, start=1.0)]


def test_a_file_replaced_by_a_broken_one_has_no_features(tmp_path: Path) -> None:
    path = tmp_path / "c0.mp4"
    path.write_bytes(b"sound")
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    stored.adopt(stored.write(rows_of([2]), origins={"c0": origin(path)}))
    path.write_bytes(b"broken now")
    source = ClipSource("c0", str(path))
    stored.adopt(
        stored.write(
            {},
            failures={"c0": Failure("cannot be decoded", file_state(str(path)))},
            origins={"c0": origin(path)},
        )
    )
    assert stored.missing([source]) == []
    assert stored.clips(["c0"]).failures == {"c0": "cannot be decoded"}


def test_sets_of_another_version_of_the_format_are_named_not_read_and_removed_by_gc(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = stored_set(tmp_path)
    for path in old.shards.glob("*.json"):
        path.write_text(path.read_text().replace('"schema": 2', '"schema": 1'))
    store = FeatureStore(tmp_path)
    assert store.sets() == []
    store.open(replace(KEY, revision="r2"), DIM)
    assert "in the format of another version of zsarbench" in caplog.text
    (found,) = garbage(store)
    assert found.whole
    remove(found)
    assert not old.folder.exists()


def test_what_is_stored_is_read_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = stored_set(tmp_path)
    expected = stored.clips(["c0", "c1"]).rows([0, 1]).values

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("utime", "mkdir", "replace", "fsync", "unlink"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    for damage in (False, True):
        found = FeatureStore(tmp_path).open(KEY, DIM)
        assert torch.equal(found.clips(["c0", "c1"]).rows([0, 1]).values, expected)
        assert found.info()["clips"] == 4
        if not damage:
            with (stored.folder / "index.bin").open("r+b") as file:
                file.write(b"no index")
    absent = FeatureStore(tmp_path).open(replace(KEY, revision="r2"), DIM)
    assert absent.missing([ClipSource("c0")]) == [ClipSource("c0")]
    with pytest.raises(ZsarbenchError, match=r"features of 3 clips, .* cannot be written .*Read-only.*ZSARBENCH_CACHE"):
        absent.check_writable(3)


def test_the_place_of_one_clip_can_be_taken_among_others(tmp_path: Path) -> None:
    """The origins of the clips before and behind it stay theirs."""
    stored = FeatureStore(tmp_path).open(KEY, DIM)
    origins = {f"c{i}": Origin(content=f"{200 + i:032x}", state=(i, 10 + i), file=f"{100 + i:032x}") for i in range(3)}
    stored.adopt(stored.write(rows_of([1, 2, 3]), origins=origins))
    other = Origin(content=f"{9:032x}", state=(9, 9), file=f"{109:032x}")
    stored.adopt(stored.write({"c1": torch.ones(2, DIM)}, origins={"c1": other}))
    stored.save()
    for index in (stored.index, FeatureStore(tmp_path).open(KEY, DIM).index):
        assert {clip_id: index.origin(clip_id) for clip_id in origins} == {**origins, "c1": other}
        assert index.origin("c3") is None
    assert torch.equal(stored.clips(["c2"]).rows([0]).values[0], rows_of([1, 2, 3])["c2"])


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (Origin(), Origin("a", (1, 2), "f"), True),  # what is not known is not compared
        (Origin("a"), Origin("b"), False),
        (Origin("a"), Origin("a", (1, 2), "f"), True),
        (Origin("a", (1, 2), "f"), Origin("a", (1, 2), ""), True),
        (Origin("a", (1, 2), "f"), Origin("a", (1, 3), "f"), True),  # a copy
        (Origin("a", (1, 2), "f"), Origin("a", (1, 3), "g"), False),
        (Origin("a", (1, 2), ""), Origin("a", (1, 3), ""), False),
        (Origin("a", (1, 2), "f"), Origin("a", (2, 2), "f"), False),
    ],
)
def test_origins_are_alike_as_far_as_both_are_known(one: Origin, other: Origin, alike: bool) -> None:
    assert same(one, other) is same(other, one) is alike


def test_a_set_like_one_of_another_store_has_its_key_and_nothing_else(tmp_path: Path) -> None:
    theirs = stored_set(tmp_path / "theirs")
    ours = FeatureStore(tmp_path / "ours").like(theirs)
    assert (ours.folder.name, ours.key, ours.dim, ours.dtype) == (theirs.folder.name, theirs.key, DIM, "float32")
    assert ours.stored_ids() == set()
    assert (ours.folder / "key.json").read_bytes() == (theirs.folder / "key.json").read_bytes()
    (theirs.folder / "key.json").write_text("{}")
    assert theirs.key_problem() is not None
    again = FeatureStore(tmp_path / "again").like(theirs)
    assert not (again.folder / "key.json").exists(), "a key that is not that of the set is not copied"


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_reads_the_same(tmp_path: Path, threads: int) -> None:
    rows = rows_of([3, 1, 2, 5])
    stored = stored_set(tmp_path, rows)
    reader = RowReader(stored.shards, DIM, "float32")
    reader.min_bytes_per_thread = 0
    out = np.ones((4, 5, DIM), dtype=np.float32)
    reader.read_batch(stored.index.table(list(rows)), np.arange(4), out, threads)
    for values, clip in zip(out, rows.values(), strict=True):
        assert np.array_equal(values[: len(clip)], clip.numpy())
        assert not values[len(clip) :].any()

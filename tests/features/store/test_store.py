from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsarbench.data.video.failures import Failure, file_state
from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.clips import MemoryClips
from zsarbench.features.key import FeatureKey
from zsarbench.features.maintenance import garbage, remove
from zsarbench.features.store.shards import data_path, sidecar_path
from zsarbench.features.store.verification import verify
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.interfaces import ClipFeatures, ClipSource, Sampling
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
    return stored


@settings(deadline=None, max_examples=25)
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
    ]
    assert len({key.digest for key in (KEY, *others)}) == 9
    reordered = replace(KEY, part={"options": {"batch_size": 16}, "name": "tiny"})
    assert reordered.digest == KEY.digest
    assert KEY.digest == "07d835eb2a737d28d9a40db12d37bd64538c7bd6fbe4b2efd198c82005ccfd45"
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


def test_a_lost_index_is_made_again(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    before = stored.clips(["c0", "c1", "c2", "c3"]).rows(range(4))
    (stored.folder / "index.sqlite").unlink()
    found = FeatureStore(tmp_path).open(KEY, DIM)
    assert torch.equal(found.clips(["c0", "c1", "c2", "c3"]).rows(range(4)).values, before.values)


def test_a_damaged_index_says_what_to_type_and_is_rebuilt(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    (stored.folder / "index.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(ZsarbenchError, match="features verify --rebuild"):
        FeatureStore(tmp_path).open(KEY, DIM)
    (again,) = FeatureStore(tmp_path).sets()
    assert verify(again, rebuild=True).clips == 4
    assert FeatureStore(tmp_path).open(KEY, DIM).stored_ids() == {"c0", "c1", "c2", "c3"}


def test_verify_finds_the_index_and_the_shards_at_odds(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    assert verify(stored).problems == ()
    name = stored.write(rows_of([1], seed=3))
    assert any(f"{name} is not in the index" in problem for problem in verify(stored).problems)
    assert verify(stored, rebuild=True).problems == ()
    assert verify(stored).problems == ()
    sidecar_path(stored.shards, name).unlink()
    assert any("of the index is missing" in problem for problem in verify(stored).problems)


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
    assert garbage([stored]) == []
    long_ago = time.time() - 1e5
    for path in stored.shards.iterdir():
        os.utime(path, (long_ago, long_ago))
    size = sum(path.stat().st_size for path in set(stored.shards.iterdir()) - kept)
    (found,) = garbage(store.sets())
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
    with pytest.raises(ZsarbenchError, match=r"CountingText returned \(1, 3\) for 1 texts, not \(1, 16\)"):
        text.encode(["a"])


def test_a_replaced_file_is_read_again_and_its_features_take_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "c0.mp4"
    path.write_bytes(b"one")
    source = ClipSource("c0", str(path))
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    old, new = rows_of([2], seed=1), rows_of([3], seed=2)
    stored.adopt(stored.write(old, sizes={"c0": 3}, flags={"c0": ("truncated",)}))
    assert stored.missing([source]) == []
    path.write_bytes(b"another")
    assert stored.missing([source]) == [source]
    time.sleep(0.01)  # the age of a sidecar shows which of two files is newer
    stored.adopt(stored.write(new, sizes={"c0": 7}))
    for _ in range(2):
        assert stored.missing([source]) == []
        assert torch.equal(stored.clips(["c0"]).rows([0]).values[0], new["c0"])
        assert stored.clips(["c0"]).flags == {}
        assert verify(stored, rebuild=True).problems == ()
    (stored.folder / "index.sqlite").unlink()
    assert torch.equal(FeatureStore(tmp_path / "store").open(KEY, DIM).clips(["c0"]).rows([0]).values[0], new["c0"])
    path.unlink()  # videos may be deleted once their features are stored
    assert stored.missing([source]) == []


def test_a_file_replaced_by_a_broken_one_has_no_features(tmp_path: Path) -> None:
    path = tmp_path / "c0.mp4"
    path.write_bytes(b"broken now")
    source = ClipSource("c0", str(path))
    stored = FeatureStore(tmp_path / "store").open(KEY, DIM)
    stored.adopt(stored.write(rows_of([2]), sizes={"c0": 3}))
    stored.adopt(stored.write({}, failures={"c0": Failure("cannot be decoded", file_state(str(path)))}))
    assert stored.missing([source]) == []
    assert stored.clips(["c0"]).failures == {"c0": "cannot be decoded"}


def test_shards_without_sizes_are_read_as_before(tmp_path: Path) -> None:
    stored = stored_set(tmp_path)
    assert "null" not in sidecar_path(stored.shards, next(stored.shards.glob("*.json")).stem).read_text()
    path = tmp_path / "c0.mp4"
    path.write_bytes(b"of any size")
    assert stored.missing([ClipSource("c0", str(path))]) == []

"""`zsarbench features`: what is printed of extraction and of the store, and exit codes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="features need torch")

import numpy as np
import torch

from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.key import FeatureKey
from zsarbench.harness import extraction, resolve
from zsarbench.harness.spec import ExtractionRequest
from zsarbench.plugins import load_plugins

HOST = load_plugins(loaders={})
DIM = 4
DONE = {"dataset": "d", "revision": "1", "visual": "v", "features": "set-1", "clips": 5, "already_stored": 0, "made": 5,
        "left_to_others": 0, "failed": {}}  # fmt: skip


def features(*words: object, code: int = 0) -> Result:
    done = CliRunner().invoke(
        cli, ["features", *map(str, words)], obj={"session": Session((), HOST)}, catch_exceptions=False
    )
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def root() -> Path:
    return Path(os.environ["ZSARBENCH_CACHE"]) / "features"


def stored(root: Path, *ids: str, revision: str = "r1") -> FeatureSet:
    """Store two steps of each clip, all in one shard."""
    key = FeatureKey("made", revision, {"name": "tiny", "options": {}}, {"weights_sha256": "0"})
    one = FeatureStore(root).open(key, DIM)
    one.adopt(one.write({clip: torch.ones(2, DIM) for clip in ids}))
    one.save()
    return one


def flip(one: FeatureSet) -> None:
    """Change the last bit of a set's only shard."""
    (path,) = one.shards.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def age(root: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in root.rglob("*"):
        os.utime(path, (then, then))


# --- info and verify --------------------------------------------------------------------------------------------------


def test_what_is_stored_is_counted(root: Path) -> None:
    assert features("info").stdout == f"nothing is stored in {root}\n"
    assert json.loads(features("info", "--json").stdout) == []
    one, other = stored(root, "a", "b"), stored(root, "c", revision="r2")
    lines = features("info").stdout.splitlines()
    assert lines[0::2] == sorted([one.folder.name, other.folder.name])
    text = features("info", one.folder.name).stdout
    size = json.loads(features("info", one.folder.name, "--json").stdout)[0]["bytes"]
    assert text == f"{one.folder.name}\n  2 clips, 4 steps, 0 unreadable, 1 shards, {size / 1e6:.1f} MB\n"
    with pytest.raises(UsageError, match=f"did you mean '{one.folder.name}'"):
        features("info", f"{one.folder.name}x")


def test_sound_and_damaged_sets_are_told_apart(root: Path) -> None:
    sound, damaged = stored(root, "a", "b"), stored(root, "c", revision="r2")
    assert features("verify", sound.folder.name).stdout == f"{sound.folder.name}: 1 shards, 2 clips, sound\n"
    flip(damaged)
    lines = features("verify", code=1).stdout.splitlines()
    assert f"{sound.folder.name}: 1 shards, 2 clips, sound" in lines
    at = lines.index(f"{damaged.folder.name}: 1 shards, 1 clips, 1 problems")
    assert lines[at + 1].startswith("  ")
    content = json.loads(features("verify", damaged.folder.name, "--json", code=1).stdout)
    assert len(content[0]["problems"]) == 1
    features("verify", "--rebuild", code=1)
    assert features("verify", damaged.folder.name).stdout == f"{damaged.folder.name}: 1 shards, 0 clips, sound\n"


# --- merge and gc -----------------------------------------------------------------------------------------------------


def test_merged_clips_are_counted_and_damaged_shards_named(root: Path, tmp_path: Path) -> None:
    assert json.loads(features("merge", "--json").stdout) == []
    name = stored(root, "a").folder.name
    theirs = stored(tmp_path / "theirs", "a", "b")
    copied = "2 clips, 1 of them new, 1 shards copied, 0 unreadable"
    assert features("merge", tmp_path / "theirs").stdout == f"{name}: {copied}\n"
    flip(theirs)
    again = features("merge", tmp_path / "theirs").stdout
    assert again == f"{name}: 2 clips, 0 of them new, 0 shards copied, 0 unreadable\n"
    broken = stored(tmp_path / "broken", "x")
    flip(broken)
    lines = features("merge", tmp_path / "broken", code=1).stdout.splitlines()
    assert lines[0] == again.strip()
    assert "is damaged" in lines[1]
    assert json.loads(features("merge", tmp_path / "broken", "--json", code=1).stdout)[0]["problems"]


def test_nothing_is_removed_before_yes(root: Path) -> None:
    assert features("gc").stdout == "nothing to remove\n"
    one = stored(root, "a")
    age(root, 10 * 86_400)
    assert features("gc", "--unused-days", 11).stdout == "nothing to remove\n"
    listed = features("gc", "--unused-days", 9).stdout
    assert listed == f"{one.folder.name}: the whole set, 0.0 MB removable\nnothing was removed; --yes removes it\n"
    (item,) = json.loads(features("gc", "--unused-days", 9, "--json").stdout)
    assert (item["name"], item["whole"], item["removed"]) == (one.folder.name, True, False)
    assert item["files"] == sum(path.is_file() for path in one.folder.rglob("*"))
    assert one.folder.exists()
    removed = features("gc", "--unused-days", 9, "--yes").stdout
    assert removed == f"{one.folder.name}: the whole set, 0.0 MB removed\n"
    assert not one.folder.exists()


def test_leftovers_are_counted_as_files(root: Path) -> None:
    one = stored(root, "a")
    (one.shards / "half.tmp").write_bytes(b"0" * 2_000_000)
    age(root, 4000)
    assert features("gc", one.folder.name).stdout.startswith(f"{one.folder.name}: 1 files, 2.0 MB removable\n")
    (item,) = json.loads(features("gc", "--yes", "--json").stdout)
    assert (item["files"], item["bytes"], item["whole"], item["removed"]) == (1, 2_000_000, False, True)
    assert features("gc", "--unused-days", 0, "--json").exit_code == 0
    assert "Invalid value for '--unused-days'" in features("gc", "--unused-days", "-1", code=2).stderr


# --- extract ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, list[Any]]]:
    """Return what types `features extract` where extraction counts as given, and returns the request and the share."""

    def typed(*words: object, code: int = 0, **counts: Any) -> tuple[Result, list[Any]]:
        given: list[Any] = []
        monkeypatch.setattr(resolve, "resolve_extraction", lambda request, registry: given.append(request))
        monkeypatch.setattr(extraction, "run", lambda *_, share: given.append(share) or {**DONE, **counts})
        return features("extract", "--visual", "v", *words, code=code), given

    return typed


def test_counts_are_printed_with_the_failures(extracted: Callable[..., tuple[Result, list[Any]]]) -> None:
    done, (request, share) = extracted("--dataset", "d")
    assert done.stdout == "set-1: 5 clips, 0 already stored, 5 computed, 0 failed\n"
    assert request == ExtractionRequest(dataset="d", visual="v")
    assert (share.index, share.count) == (0, 1)
    done, (_, share) = extracted("--shard", "1/3", made=2, already_stored=1, left_to_others=1, failed={"a": "is cut"})
    assert done.stdout == ("set-1: 5 clips, 1 already stored, 2 computed, 1 failed, 1 left to others\n  a: is cut\n")
    assert (share.index, share.count) == (1, 3)


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({}, 0), ({"failed": {"a": "x"}, "made": 0}, 1), ({"failed": {"a": "x"}, "made": 1}, 0),
        ({"failed": {"a": "x"}, "made": 0, "already_stored": 1}, 0), ({"made": 0}, 0),
        ({"failed": {"a": "x"}, "made": 0, "left_to_others": 1}, 0),
        ({"failed": {"a": "x"}, "made": 0, "already_stored": 1, "left_to_others": 1}, 0),
    ],
)  # fmt: skip
def test_it_ends_with_1_where_no_clip_could_be_read(
    extracted: Callable[..., tuple[Result, list[Any]]], counts: dict[str, Any], code: int
) -> None:
    extracted(code=code, **counts)
    done, _ = extracted("--json", code=code, **counts)
    assert json.loads(done.stdout) == {**DONE, **counts}


@pytest.mark.parametrize("what", ["index.bin", "key.json", "shards/*.json", "shards/*.safetensors"])
def test_a_pipe_in_the_store_is_named_and_not_waited_for(root: Path, what: str) -> None:
    one = stored(root, "a", "b")
    (path,) = one.folder.glob(what)
    path.unlink()
    os.mkfifo(path)
    assert "made-" in features("verify", code=1).output
    for verb in ("info", "gc", "merge"):
        features(verb)
    again = stored(root, "a", "b")
    np.testing.assert_array_equal(again.clips(["a"]).rows([0]).values, np.ones((1, 2, DIM)))


@pytest.mark.parametrize("text", ["{not JSON", "[" * 10_000, '"a \n b"'])
def test_a_key_that_cannot_be_read_is_damaged_where_the_sidecars_are_too(root: Path, text: str) -> None:
    one = stored(root, "a")
    for path in (*one.shards.glob("*.json"), one.folder / "key.json"):
        path.write_text(text)
    assert "0 clips" in features("info").output
    assert "key.json is damaged" in features("verify", code=1).output

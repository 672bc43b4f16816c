"""What extraction survives: kills, another executor after them, a full disk, two runs at once; in own processes."""

from __future__ import annotations

import os
import re
import signal
import time
import uuid
from pathlib import Path

import pytest
import torch
from faulty_extraction import extract, fill
from forked import Forked

from zsarbench.features import FeatureStore
from zsarbench.features.store.shards import read_sidecar
from zsarbench.features.store.verification import verify
from zsarbench.testing.videos import write_video

pytestmark = pytest.mark.slow
N_CLIPS = 16
IDS = [f"{i:02}" for i in range(N_CLIPS)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for i, clip_id in enumerate(IDS):
        write_video(folder / f"{clip_id}.mp4", 11 + 10 * (i % 3))
    return folder


class Started:
    """A process that extracts; those that it starts are marked, so that they can be found."""

    def __init__(self, videos: Path, store: Path, fault: str = "none", when: int = 0, shard: str = "whole") -> None:
        name = str(uuid.uuid4())
        self.mark = f"ZSARBENCH_TEST_MARK={name}"
        self.process = Forked(
            store.parent / name, extract, str(videos), str(store), fault, when, shard,
            variables={"ZSARBENCH_TEST_MARK": name},
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        while self.process.stdout != "ready\n":
            assert self.process.code is None, self.process.stderr
            time.sleep(0.02)

    def end(self) -> tuple[int, str]:
        """Wait for the end and return exit code and log; nothing that was started may be left."""
        code = self.process.wait()
        deadline = time.monotonic() + 20
        while left := self.decoding():
            assert time.monotonic() < deadline, f"processes {left} outlive the run"
            time.sleep(0.05)
        return code, self.process.stderr

    def decoding(self) -> list[int]:
        """Return the processes that it started."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it is not ours, or it ended meanwhile
                continue
        return found


def features(store: Path) -> torch.Tensor:
    (found,) = FeatureStore(store).sets()
    return found.clips(IDS).rows(range(N_CLIPS)).values


def shards_of(store: Path) -> dict[str, bytes]:
    """Return the files of all shards; what a killed run had not yet given its name is none."""
    return {path.name: path.read_bytes() for path in store.rglob("shards/*") if path.suffix != ".tmp"}


@pytest.fixture(scope="module")
def undisturbed_store(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("undisturbed")
    code, log = Started(videos, store).end()
    assert code == 0, log
    assert "decoded 16 clips, 0 already stored, 0 failed" in log
    return store


@pytest.fixture(scope="module")
def undisturbed(undisturbed_store: Path) -> torch.Tensor:
    return features(undisturbed_store)


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")


@needs_proc
def test_a_run_killed_again_and_again_loses_one_shard_each_time(
    tmp_path: Path, videos: Path, undisturbed: torch.Tensor
) -> None:
    for fault, when in (
        ("before-replace", 4),  # the set has its key, the first shard is whole, the second has no name yet
        ("before-replace", 2),  # the second has its rows, but no sidecar
        ("after-replace", 2),  # the second is whole, but not in the index
        ("in-index", 1),  # it is about to be, at the start of this run
    ):
        code, log = Started(videos, tmp_path, fault, when).end()
        assert code == -signal.SIGKILL, log
    code, log = Started(videos, tmp_path).end()
    assert code == 0, log
    assert "decoded 8 clips, 8 already stored, 0 failed" in log
    assert torch.equal(features(tmp_path), undisturbed)
    (stored,) = FeatureStore(tmp_path).sets()
    assert verify(stored).problems == ()
    assert stored.info()["clips"] == N_CLIPS


@needs_proc
def test_what_killed_processes_of_a_shared_extraction_began_the_local_executor_finishes(
    tmp_path: Path, videos: Path, undisturbed_store: Path
) -> None:
    store = tmp_path / "store"
    for shard, when in (
        ("0/2", 4),  # the key and its first shard have their names, its second one has none yet
        ("1/2", 4),  # its first shard is whole, its second has rows, but no sidecar
    ):
        code, log = Started(videos, store, "before-replace", when, shard).end()
        assert code == -signal.SIGKILL, log
    code, log = Started(videos, store).end()
    assert code == 0, log
    assert "decoded 8 clips, 8 already stored, 0 failed" in log
    (stored,) = FeatureStore(store).sets()
    assert stored.stored_ids() == set(IDS)
    listed = [clip.clip_id for name in stored.shard_names() for clip in read_sidecar(stored.shards, name).clips]
    assert sorted(listed) == IDS  # none twice
    assert shards_of(store) == shards_of(undisturbed_store)
    assert torch.equal(features(store), features(undisturbed_store))
    assert verify(stored).problems == ()


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_a_run_that_is_stopped(
    tmp_path: Path, videos: Path, undisturbed: torch.Tensor, number: signal.Signals
) -> None:
    stopped = Started(videos, tmp_path, "wait")
    stopped.wait_until_ready()
    assert stopped.decoding()
    os.kill(stopped.process.pid, number)
    assert stopped.end()[0] == -number
    (stored,) = FeatureStore(tmp_path).sets()
    assert stored.info()["clips"] == 4


@needs_proc
def test_no_process_outlives_a_run_that_dies_while_it_decodes(tmp_path: Path, videos: Path) -> None:
    hanging = Started(videos, tmp_path, "hang")
    hanging.wait_until_ready()
    while len(hanging.decoding()) < 2:
        time.sleep(0.05)
    time.sleep(1.0)  # the decoders get to the frame that they hang on
    hanging.process.kill()
    assert hanging.end()[0] == -signal.SIGKILL


@needs_proc
def test_two_runs_at_once_leave_one_sound_store(tmp_path: Path, videos: Path, undisturbed: torch.Tensor) -> None:
    runs = [Started(videos, tmp_path), Started(videos, tmp_path)]
    for run in runs:
        code, log = run.end()
        assert code == 0, log
    assert torch.equal(features(tmp_path), undisturbed)
    (stored,) = FeatureStore(tmp_path).sets()
    assert verify(stored).problems == ()
    assert stored.info()["clips"] == N_CLIPS


def test_a_full_disk_is_reported_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    def run(limit: int) -> tuple[int, str]:
        process = Forked(tmp_path / str(limit), fill, str(tmp_path / "store"), limit, 10_000)
        return process.wait(), process.stderr

    code, log = run(200_000)
    assert code == 1
    last_line = log.strip().splitlines()[-1]
    assert last_line.startswith("zsarbench.errors.ZsarbenchError: ")
    assert re.search("features cannot be written to .*: File too large; finished shards are kept", last_line)
    assert not list(tmp_path.rglob("*.tmp"))
    (stored,) = FeatureStore(tmp_path / "store").sets()
    assert stored.stored_ids() == {"0", "1"}
    assert verify(stored).problems == ()
    assert run(10**9)[0] == 0
    (stored,) = FeatureStore(tmp_path / "store").sets()
    assert stored.stored_ids() == {"0", "1", "2"}
    assert verify(stored).problems == ()

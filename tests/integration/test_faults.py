"""What extraction survives: kills, another executor after them, a full disk, two runs at once; in own processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import torch

from locations import ROOT
from zsarbench.features import FeatureStore
from zsarbench.features.store.shards import read_sidecar
from zsarbench.features.store.verification import verify
from zsarbench.testing.videos import write_video

pytestmark = pytest.mark.slow
N_CLIPS = 16
HELPERS = str(ROOT / "tests" / "helpers")  # where the `prepare` is that hangs
IDS = [f"{i:02}" for i in range(N_CLIPS)]

SCRIPT = """
import logging, os, signal, sys, time
from pathlib import Path
from zsarbench.features.extraction.plan import EncoderPart, Extraction, LocalExecutor, Settings, compute, ensure
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.store.index import Index
from zsarbench.harness.extraction import share_of
from zsarbench.interfaces import ClipSource
from zsarbench.utils.progress import LogProgress
from zsarbench.plugins.parts import PartSpec
from prepares import MisbehavingPrepare
from zsarbench.testing.videos import TinyEncoder

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
logging.basicConfig(level=logging.INFO, format="%(message)s")
videos, store, fault, when, shard = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
calls = 0

def killed(call, *, before):
    def wrapped(*args, **kwargs):
        global calls
        calls += 1
        if calls == when and before:
            os.kill(os.getpid(), signal.SIGKILL)
        value = call(*args, **kwargs)
        if calls == when:
            os.kill(os.getpid(), signal.SIGKILL)
        return value
    return wrapped

if fault == "before-replace":
    os.replace = killed(os.replace, before=True)
if fault == "after-replace":
    os.replace = killed(os.replace, before=False)
if fault == "in-index":
    Index.add = killed(Index.add, before=False)
encoder = TinyEncoder()
if fault == "hang":
    encoder.prepare = MisbehavingPrepare([10], "hang")
    print("ready", flush=True)
if fault == "wait":
    adopt = FeatureSet.adopt
    def slow(*args):
        adopt(*args)
        print("ready", flush=True)
        time.sleep(60)
    FeatureSet.adopt = slow
sources = [ClipSource(path.stem, str(path)) for path in sorted(videos.glob("*.mp4"))]
part = EncoderPart(PartSpec("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", "test"), encoder)
extraction = Extraction(
    dataset="made", revision="r1", sources=sources, encoder=part, executor=LocalExecutor(),
    settings=Settings(threads=1, decoders=2, clips_per_shard=4),
)
if shard == "whole":
    ensure(extraction, FeatureStore(store), LogProgress())
else:
    compute(extraction, FeatureStore(store), LogProgress(), share_of(shard))
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for i, clip_id in enumerate(IDS):
        write_video(folder / f"{clip_id}.mp4", 11 + 10 * (i % 3))
    return folder


class Extraction:
    """A process that extracts, marked so that every process it starts can be found."""

    def __init__(self, videos: Path, store: Path, fault: str = "none", when: int = 0, shard: str = "whole") -> None:
        self.mark = f"ZSARBENCH_TEST_MARK={uuid.uuid4()}"
        path = os.pathsep.join(filter(None, [HELPERS, os.environ.get("PYTHONPATH")]))
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(videos), str(store), fault, str(when), shard],
            env=os.environ | {name: value, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_line(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> tuple[int, str]:
        """Wait for the end and return exit code and log; nothing that was started may be left."""
        _, log = self.process.communicate(timeout=300)
        deadline = time.monotonic() + 20
        while left := self.processes():
            assert time.monotonic() < deadline, f"processes {left} outlive the run"
            time.sleep(0.05)
        return self.process.returncode, log

    def processes(self) -> list[int]:
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
    code, log = Extraction(videos, store).end()
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
        code, log = Extraction(videos, tmp_path, fault, when).end()
        assert code == -signal.SIGKILL, log
    code, log = Extraction(videos, tmp_path).end()
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
        code, log = Extraction(videos, store, "before-replace", when, shard).end()
        assert code == -signal.SIGKILL, log
    code, log = Extraction(videos, store).end()
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
    stopped = Extraction(videos, tmp_path, "wait")
    stopped.wait_for_line()
    assert len(stopped.processes()) > 1
    stopped.process.send_signal(number)
    assert stopped.end()[0] == -number
    (stored,) = FeatureStore(tmp_path).sets()
    assert stored.info()["clips"] == 4


@needs_proc
def test_no_process_outlives_a_run_that_dies_while_it_decodes(tmp_path: Path, videos: Path) -> None:
    hanging = Extraction(videos, tmp_path, "hang")
    hanging.wait_for_line()
    while len(hanging.processes()) < 3:
        time.sleep(0.05)
    time.sleep(1.0)  # the decoders get to the frame that they hang on
    hanging.process.kill()
    assert hanging.end()[0] == -signal.SIGKILL


@needs_proc
def test_two_runs_at_once_leave_one_sound_store(tmp_path: Path, videos: Path, undisturbed: torch.Tensor) -> None:
    runs = [Extraction(videos, tmp_path), Extraction(videos, tmp_path)]
    for run in runs:
        code, log = run.end()
        assert code == 0, log
    assert torch.equal(features(tmp_path), undisturbed)
    (stored,) = FeatureStore(tmp_path).sets()
    assert verify(stored).problems == ()
    assert stored.info()["clips"] == N_CLIPS


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from zsarbench.features import FeatureStore
from zsarbench.features.key import FeatureKey

key = FeatureKey("made", "r1", {"name": "tiny", "options": {}}, {})
limit, size = int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
stored = FeatureStore(Path(sys.argv[1])).open(key, 8)
for number in range(3):
    stored.adopt(stored.write({f"{number}": torch.ones(size if number == 2 else 1, 8)}))
"""


def test_a_full_disk_is_said_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    def run(limit: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit), "10000"]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    full = run(200_000)
    assert full.returncode == 1
    last_line = full.stderr.strip().splitlines()[-1]
    assert last_line.startswith("zsarbench.errors.ZsarbenchError: ")
    assert re.search("features cannot be written to .*: File too large; finished shards are kept", last_line)
    assert not list(tmp_path.rglob("*.tmp"))
    (stored,) = FeatureStore(tmp_path).sets()
    assert stored.stored_ids() == {"0", "1"}
    assert verify(stored).problems == ()
    assert run(10**9).returncode == 0
    (stored,) = FeatureStore(tmp_path).sets()
    assert stored.stored_ids() == {"0", "1", "2"}
    assert verify(stored).problems == ()

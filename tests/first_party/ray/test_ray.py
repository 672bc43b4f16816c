"""The Ray executor on real clusters of this machine: two nodes, of which workers, one node and drivers are killed."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureStore
from zsarbench.features.extraction.plan import EncoderPart, Extraction, LocalExecutor, Settings, ensure
from zsarbench.features.store.verification import verify
from zsarbench.interfaces import ClipSource, Executor
from zsarbench.plugins.parts import PartSpec
from zsarbench.testing.videos import write_video
from zsarbench.utils.progress import LogProgress

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
cluster_utils = importlib.import_module("ray.cluster_utils")
RayExecutor = importlib.import_module("zsarbench_ray.executor").RayExecutor

pytestmark = pytest.mark.slow
N_CLIPS = 30
IDS = [f"{number:02}" for number in range(N_CLIPS)]
ENCODER = """
import os, time
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.testing.videos import TinyEncoder


class SlowEncoder(TinyEncoder):
    '''Tells in a file which worker on which node begins which clip, and takes its time.

    doomed: a folder. Where it holds a file named after the worker's node, with a number in it, the clip that is the
    node's so many-th is held until that file is gone: whoever is to die for it cannot have finished it.
    '''

    def __init__(
        self, *, log: str = "", seconds: float = 0.1, behaviour: str = "work", doomed: str = ""
    ) -> None:
        super().__init__()
        self.log, self.seconds, self.behaviour, self.doomed = log, seconds, behaviour, doomed

    def encode(self, clips):
        import ray

        if self.behaviour == "die":
            os._exit(1)
        if self.behaviour == "raise":
            raise ZsarbenchError("this encoder is a toy that raises")
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else "here"
        with open(self.log, "a") as log:
            log.write(f"{node} {os.getpid()} {clips.ids[0]}\\n")
        begun = {line.split()[2] for line in open(self.log) if line.startswith(node)}
        held = Path(self.doomed) / node
        while self.doomed and held.exists() and len(begun) >= int(held.read_text()):
            time.sleep(0.02)
        time.sleep(self.seconds)
        return super().encode(clips)
"""


@pytest.fixture(scope="module")
def encoder_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module of the encoder, in a folder on the module path of the nodes of the clusters started here."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "slow_encoder.py").write_text(ENCODER)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        patched.setenv("PYTHONPATH", str(folder))
        yield importlib.import_module("slow_encoder")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[ClipSource]:
    folder = tmp_path_factory.mktemp("videos")
    return [
        ClipSource(clip_id, str(write_video(folder / f"{clip_id}.mp4", 11 + 10 * (number % 3))))
        for number, clip_id in enumerate(IDS)
    ]


@pytest.fixture(scope="module", autouse=True)
def _workers_of_full_priority() -> Iterator[None]:
    """Start Ray's workers with normal priority: among other tests, nice workers wait for minutes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="module")
def head(encoder_module: Any, _workers_of_full_priority: None) -> Iterator[Any]:
    """A cluster whose head has one core; the tests that kill a driver stand last, since its workers die late."""
    started = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield started
    started.shutdown()


@pytest.fixture
def cluster(head: Any) -> Any:
    """The cluster, of two nodes with a core each; the second one is not the driver's."""
    if not head.worker_nodes:
        head.add_node(num_cpus=1)
    return head


def extracted(
    root: Path, module: Any, sources: Sequence[ClipSource], executor: Executor, *, threads: int = 1, **options: Any
) -> torch.Tensor:
    options = {"log": "", "seconds": 0.1, "behaviour": "work", "doomed": "", **options}
    spec = PartSpec("visual", "slow", f"{module.__name__}:SlowEncoder", "test", options)
    extraction = Extraction(
        dataset="made",
        revision="r1",
        sources=sources,
        encoder=EncoderPart(spec, module.SlowEncoder(**options)),
        executor=executor,
        settings=Settings(threads=threads, decoders=1, clips_per_shard=3),
    )
    clips = ensure(extraction, FeatureStore(root), LogProgress())
    return clips.rows(range(len(sources))).values


def test_no_cluster_says_what_to_type(
    tmp_path: Path, encoder_module: Any, sources: list[ClipSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where Ray notes the clusters of a machine
    with pytest.raises(ZsarbenchError, match=r"no Ray cluster can be joined at 'auto'.*Try: ray start --head") as error:
        extracted(tmp_path, encoder_module, sources, RayExecutor())
    assert ".." not in str(error.value)
    assert list(RayExecutor().map(None, [])) == []


def test_a_cluster_of_its_own_makes_the_same_bytes_and_has_no_dashboard(
    tmp_path: Path, encoder_module: Any, sources: list[ClipSource]
) -> None:
    log = str(tmp_path / "log")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    there = extracted(tmp_path / "ray", encoder_module, sources[:6], RayExecutor(address="local"), log=log, seconds=0.0)
    assert signal.getsignal(signal.SIGTERM) == on_sigterm  # which Ray replaces
    here = extracted(tmp_path / "here", encoder_module, sources[:6], LocalExecutor(), log=log, seconds=0.0)
    assert torch.equal(there, here)
    assert shards_of(tmp_path / "ray") == shards_of(tmp_path / "here")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


class Killer(threading.Thread):
    """Kills a worker of one node amid its first shard, and the other node amid its second; both shards are held."""

    def __init__(self, cluster: Any, log: Path, doomed: Path) -> None:
        super().__init__(daemon=True)
        self.cluster, self.log, self.doomed = cluster, log, doomed
        self.done = threading.Event()
        self.killed: dict[str, str] = {}  # the clip that was begun, by who died of it
        doomed.mkdir()
        self.head, self.other = cluster.head_node, next(iter(cluster.worker_nodes))
        (doomed / self.head.node_id).write_text("1")
        (doomed / self.other.node_id).write_text("2")

    def begun(self, node: Any) -> dict[str, int]:
        """Return the first clips of the shards that a node began, in order, with the worker of each."""
        lines = [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return {clip: int(pid) for there, pid, clip in lines if there == node.node_id}

    def run(self) -> None:
        while not self.done.wait(0.05) and len(self.killed) < 2:
            if "worker" not in self.killed and (here := self.begun(self.head)):
                self.killed["worker"], pid = next(iter(here.items()))
                os.kill(pid, signal.SIGKILL)
                (self.doomed / self.head.node_id).unlink()
            if "node" not in self.killed and len(there := self.begun(self.other)) >= 2:
                self.killed["node"] = list(there)[1]
                self.cluster.remove_node(self.other, allow_graceful=False)


def shards_of(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("shards/*")}


def test_a_worker_and_a_node_are_killed_and_nothing_is_lost_or_twice(
    tmp_path: Path, encoder_module: Any, sources: list[ClipSource], cluster: Any
) -> None:
    log, doomed = tmp_path / "log", tmp_path / "doomed"
    options = {"log": str(log), "doomed": str(doomed)}
    killer = Killer(cluster, log, doomed)
    killer.start()
    executor = RayExecutor(address=cluster.address)
    try:
        there = extracted(tmp_path / "ray", encoder_module, sources, executor, **options)
    finally:
        killer.done.set()
        killer.join()
    assert set(killer.killed) == {"worker", "node"}
    begun = Counter(line.split()[2] for line in log.read_text().splitlines())
    assert len(begun) == 10  # shards
    assert begun.total() >= 12  # two begun again, also where it is the same one twice
    assert all(begun[clip] >= 2 for clip in killer.killed.values())  # both were begun again
    log.unlink()
    here = extracted(tmp_path / "here", encoder_module, sources, LocalExecutor(), **options)
    assert torch.equal(there, here)
    assert shards_of(tmp_path / "ray") == shards_of(tmp_path / "here")
    (stored,) = FeatureStore(tmp_path / "ray").sets()
    assert stored.stored_ids() == set(IDS)
    assert stored.info()["clips"] == N_CLIPS
    assert verify(stored).problems == ()


def test_what_goes_wrong_is_reported(
    tmp_path: Path, encoder_module: Any, sources: list[ClipSource], cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**options: Any) -> str:
        with pytest.raises(ZsarbenchError) as error:
            extracted(tmp_path / "store", encoder_module, sources[:1], **options)
        return str(error.value)

    executor = RayExecutor(address=cluster.address, retries=1)
    assert refused(executor=executor, behaviour="raise") == "this encoder is a toy that raises"
    assert "could not be computed, its workers died 2 times" in refused(executor=executor, behaviour="die")
    assert "a worker takes 2 cpus, and the largest node of the Ray cluster has 1. Try: --threads 1, or " in refused(
        executor=executor, threads=2
    )
    (tmp_path / "only_here.py").write_text(ENCODER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(encoder_module, "__name__", "only_here")
    assert "cannot load what it needs: No module named 'only_here'" in refused(executor=executor)
    monkeypatch.undo()
    gpus = RayExecutor(address=cluster.address, gpus_per_worker=1.0)
    assert "a worker takes 1 gpus" in refused(executor=gpus)
    assert not ray.is_initialized()


DRIVER = """
import sys
from pathlib import Path

import slow_encoder
from zsarbench.features.extraction.plan import EncoderPart, Extraction, Settings, ensure
from zsarbench.features import FeatureStore
from zsarbench.interfaces import ClipSource
from zsarbench.utils.progress import LogProgress
from zsarbench.plugins.parts import PartSpec
from zsarbench_ray.executor import RayExecutor

address, store, videos, log, doomed = sys.argv[1:]
options = {"log": log, "seconds": 0.1, "behaviour": "work", "doomed": doomed}
spec = PartSpec("visual", "slow", "slow_encoder:SlowEncoder", "test", options)
extraction = Extraction(
    dataset="made",
    revision="r1",
    sources=[ClipSource(path.stem, str(path)) for path in sorted(Path(videos).glob("*.mp4"))],
    encoder=EncoderPart(spec, slow_encoder.SlowEncoder(**options)),
    executor=RayExecutor(address=address),
    settings=Settings(threads=1, decoders=1, clips_per_shard=3),
)
ensure(extraction, FeatureStore(Path(store)), LogProgress())
"""


def test_what_a_killed_driver_left_to_its_cluster_the_local_executor_finishes(
    tmp_path: Path, encoder_module: Any, sources: list[ClipSource], cluster: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log, doomed, store = tmp_path / "log", tmp_path / "doomed", tmp_path / "store"
    doomed.mkdir()
    for node in (cluster.head_node, *cluster.worker_nodes):
        (doomed / node.node_id).write_text("2")  # each node finishes a shard and is held amid its second
    videos = Path(str(sources[0].path)).parent
    command = [sys.executable, "-c", DRIVER, cluster.address, *map(str, (store, videos, log, doomed))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as driver:
        deadline = time.monotonic() + 300
        while len(list(store.rglob("shards/*.json"))) < 2:
            assert driver.poll() is None, driver.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        driver.kill()
    options = {"log": str(log), "doomed": str(doomed)}
    with caplog.at_level(logging.INFO):
        finished = extracted(store, encoder_module, sources, LocalExecutor(), **options)
    assert "decoded 24 clips, 6 already stored, 0 failed" in caplog.text
    here = extracted(tmp_path / "here", encoder_module, sources, LocalExecutor(), **options)
    assert torch.equal(finished, here)
    assert shards_of(store) == shards_of(tmp_path / "here")
    (stored,) = FeatureStore(store).sets()
    assert stored.stored_ids() == set(IDS)
    assert verify(stored).problems == ()

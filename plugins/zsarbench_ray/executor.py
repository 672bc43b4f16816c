"""Shards of features computed by the workers of a Ray cluster; README.md in this folder has the commands."""

from __future__ import annotations

import logging
import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
import ray.exceptions

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ExtractionTask, Shard, ShardReport
from zsarbench.utils.foreign import first_line

_log = logging.getLogger(__name__)
_tasks: dict[str, ExtractionTask] = {}  # of this worker process: its encoder is built once and not for each shard


class RayExecutor:
    """Runs each shard as one task of Ray, which is repeated on another worker where its own or its node dies.

    A shard that is computed twice gives the same file, and only the driver writes the index: a clip is in it once.
    A worker computes with the declared number of threads, so that its bits are those of the local executor.
    """

    def __init__(
        self,
        *,
        address: str = "auto",
        cpus_per_worker: int | None = None,
        gpus_per_worker: float = 0.0,
        retries: int = 5,
    ) -> None:
        """Store the options.

        address: "auto", the cluster that this machine joined by `ray start`; HOST:PORT of its head; or "local", one
        that is started for this run on this machine. cpus_per_worker: cores that a worker takes up; None: as many as
        it computes with. gpus_per_worker: GPUs, or a share of one. retries: deaths of its worker that a shard survives.
        """
        self.address = address
        self.cpus_per_worker = cpus_per_worker
        self.gpus_per_worker = gpus_per_worker
        self.retries = retries

    def map(self, task: ExtractionTask, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        """Yield a report for every shard, in the order in which they are finished.

        Raises:
            ZsarbenchError: no cluster was reached, none of its nodes is large enough, a shard's worker died again and
                again, or the task itself raised.
        """
        if not shards:
            return
        started = self._connect()
        try:
            make = ray.remote(_make).options(
                num_cpus=self._cpus(task),
                num_gpus=self.gpus_per_worker,
                max_retries=self.retries,
                scheduling_strategy="SPREAD",
            )
            self._check_room(self._cpus(task))
            name, shared = uuid.uuid4().hex, [ray.put(task)]
            pending = {make.remote(name, shared, shard): shard for shard in shards}
            try:
                while pending:
                    (done,), _ = ray.wait(list(pending))
                    yield self._report(done, pending.pop(done))
            finally:
                for left in pending:
                    ray.cancel(left, force=True)
        finally:
            if started:
                ray.shutdown()

    def _connect(self) -> bool:
        """Join the cluster, unless this process is part of one, and return whether it was joined here."""
        if ray.is_initialized():
            return False
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        local: dict[str, Any] = {"include_dashboard": False} if self.address == "local" else {}
        try:
            with _kept_sigterm():
                ray.init(address=self.address, log_to_driver=False, logging_level=logging.WARNING, **local)
        except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise ZsarbenchError(
                f"no Ray cluster can be joined at '{self.address}': {first_line(error)}. "
                "Try: ray start --head --include-dashboard=false --disable-usage-stats, "
                "or --set executor.address=local; where the cluster requires a token, RAY_AUTH_MODE=token"
            ) from error
        _log.info("Ray: %d nodes, %g cores", len(_alive()), ray.cluster_resources().get("CPU", 0))
        return True

    def _cpus(self, task: ExtractionTask) -> int:
        return task.threads if self.cpus_per_worker is None else self.cpus_per_worker

    def _check_room(self, cpus: int) -> None:
        """Raise where Ray would wait for ever for a node that is large enough."""
        for resource, required in (("cpus", cpus), ("gpus", self.gpus_per_worker)):
            most = max((node["Resources"].get(resource[:3].upper(), 0) for node in _alive()), default=0)
            if required > most:
                threads = f"--threads {int(most)}, or " if resource == "cpus" and most >= 1 else ""
                raise ZsarbenchError(
                    f"a worker takes {required:g} {resource}, and the largest node of the Ray cluster has {most:g}. "
                    f"Try: {threads}--set executor.{resource}_per_worker={most:g}"
                )

    def _report(self, done: Any, shard: Shard) -> ShardReport:
        try:
            report: ShardReport = ray.get(done)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ZsarbenchError):
                raise error.cause from None
            if isinstance(error.cause, ImportError):
                raise ZsarbenchError(
                    f"a worker of the Ray cluster cannot load what it needs: {error.cause}. "
                    "Install the same packages on every node"
                ) from error
            raise
        except ray.exceptions.RayError as error:
            raise ZsarbenchError(
                f"shard {shard.index} could not be computed, its workers died {self.retries + 1} times: "
                f"{first_line(error)}. What was finished is kept; type the same command to continue"
            ) from error
        return report


def _make(name: str, shared: list[Any], shard: Shard) -> ShardReport:
    """Compute a shard in a worker process."""
    if name not in _tasks:
        _tasks.clear()  # of an earlier run: its encoder is not needed any more
        _tasks[name] = ray.get(shared[0])
    (report,) = _tasks[name].run([shard])
    return report


@contextmanager
def _kept_sigterm() -> Iterator[None]:
    """Restore how the process ends on SIGTERM: Ray replaces it where it may, in the main thread."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]

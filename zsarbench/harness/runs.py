"""Runs a spec and writes its result, or estimates what it would cost."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench import results
from zsarbench.data.video.failures import describe_failures
from zsarbench.harness import presence, recording
from zsarbench.harness.answers import answer
from zsarbench.harness.execution import execute
from zsarbench.harness.fitting import fits
from zsarbench.harness.preparation import (
    Loaded,
    encoder_part,
    load,
    presence_of,
    read_features,
)
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunSpec, request
from zsarbench.plugins import Host, load_plugins
from zsarbench.plugins.guarding import named
from zsarbench.results import Predictions, RunResult
from zsarbench.results.record import file_name
from zsarbench.utils.progress import LogProgress
from zsarbench.utils.targets import OUT, check_folder, expanded

if TYPE_CHECKING:
    from zsarbench.harness.inputs import Inputs
    from zsarbench.interfaces import ClipSource, Progress

_log = logging.getLogger(__name__)
N_PROBED = 8  # clips that a plan extracts to estimate the rest; start-up of the decoders makes it an upper bound


def run(spec: RunSpec, host: Host, progress: Progress) -> tuple[RunResult, Path]:
    """Run a spec, write its result under `spec.where.out`, notify the observers, and return the result and its path.

    Raises:
        ZsarbenchError: the output cannot be written, or the run cannot be finished; what was extracted and
            checkpointed is kept.
    """
    out = expanded(spec.where.out)
    check_folder(out / file_name(spec.what.protocol.name), "results", OUT)
    with named(host.registry):
        outcome = execute(spec, host.registry, progress)
        result = recording.record(outcome)
    _warn_of_failures(result)
    path = results.write_somewhere(result, outcome.scores, out)
    scores = path.with_suffix(".npz")
    predictions = Predictions(file=scores.name, sha256=hashlib.sha256(scores.read_bytes()).hexdigest())
    # As in the file, which need not be read and checked again.
    result = replace(result, predictions=predictions).at(path)
    host.call_each("zsarbench_run_finished", result=result, path=path)
    return result, path


def run_once(spec: RunSpec, host: Host, progress: Progress) -> tuple[RunResult, Path]:
    """Return the result of a finished run and its path, which the log says, or run the spec as `run` does.

    Raises:
        ZsarbenchError: see `run`.
    """
    if (found := answer(spec)) is None:
        return run(spec, host, progress)
    result, path = found
    where = result.environment
    code = ", ".join(map(str, result.distributions or ())) or f"zsarbench {where.zsarbench}"
    _log.info(
        "measured before, on %s (%s, %s): %s\nIf code or data changed since, measure it again: --refit",
        result.created, code, where.device, path,
    )  # fmt: skip
    return result, path


def _warn_of_failures(result: RunResult) -> None:
    """Log how many clips have no score, missing ones apart from those that exist."""
    for missing, what in ((True, "are missing"), (False, "could not be read or scored")):
        found = {failure.clip_id: failure.reason for failure in result.failures if failure.missing is missing}
        if found:
            _log.warning("%d clips %s, and count as wrong: %s", len(found), what, describe_failures(found))


def run_request(method: str, *, progress: Progress | None = None, **arguments: Any) -> RunResult:
    """Run what a user names; see `zsarbench.run`."""
    host = load_plugins()
    result, _ = run_once(resolve_run(request(method, **arguments), host), host, progress or LogProgress())
    return result


def plan(spec: RunSpec, host: Host, progress: Progress) -> dict[str, Any]:
    """Return what a run would cost, without running it: clips, those to extract, their bytes, and minutes.

    Minutes are estimated by extracting a few clips, which are kept. Fitting is not included: its duration is
    unknown beforehand.
    """
    with named(host.registry):
        return _plan(spec, host, progress)


def _plan(spec: RunSpec, host: Host, progress: Progress) -> dict[str, Any]:
    loaded = load(spec, host.registry, progress)
    with loaded.compute.deterministic():
        used = [(loaded.inputs, loaded.inputs.used_clips())]
        if loaded.training is not None:
            used.append((loaded.training, list(loaded.training.manifest.index)))
        content: dict[str, Any] = {
            "rounds": len(loaded.inputs.rounds),
            "fits": len(fits(loaded)),
            "clips": sum(len(clip_ids) for _, clip_ids in used),
        }
        visual = loaded.parts.visual
        if visual is None:
            return content | {"clips_to_extract": 0}
        present = presence_of(loaded)
        presence.announce(present, spec)
        content["clips_there"] = content["clips"] - len(present.tested.absent | present.learnt.absent)
        if present.coverage().is_partial and not spec.what.partial:
            content["needs"] = "--partial"
        missing = [(data, source) for data, clip_ids in used for source in _missing(loaded, data, clip_ids)]
        paths = [Path(source.path) for _, source in missing if source.path is not None]
        content |= {
            "clips_to_extract": len(missing),
            "bytes_to_read": sum(path.stat().st_size for path in paths if path.is_file()),
            "bytes_to_store": 4 * len(missing) * visual.dim * visual.sampling.max_steps,
        }
        probed = missing[:: max(1, len(missing) // N_PROBED)][:N_PROBED]
        if probed:
            start = time.perf_counter()
            for data, _ in used:
                read_features(loaded, data, [source.clip_id for of, source in probed if of is data])
            seconds = (time.perf_counter() - start) * (len(missing) - len(probed)) / len(probed)
            content["minutes_to_extract"] = round(seconds / 60, 1)
        return content


def _missing(loaded: Loaded, data: Inputs, clip_ids: Sequence[str]) -> list[ClipSource]:
    """Return which of these clips the store lacks features of."""
    encoder = encoder_part(loaded)
    assert encoder is not None
    stored = loaded.store.open(encoder.key(data.dataset, data.revision, data.options), encoder.dim)
    return list(stored.missing(data.sources(clip_ids), encoder.reads))

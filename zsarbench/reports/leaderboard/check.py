"""What is wrong with the committed results and leaderboard; nothing is where both can be published as they stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.reports.leaderboard.board import UNPLACED
from zsarbench.results import RunResult
from zsarbench.results.reported import ReportedRow

MAX_FILE_BYTES = 1_000_000
MAX_FOLDER_BYTES = 20_000_000
"""What git can carry: larger scores files stay outside, the result holds their sha256."""
TOLERANCE = 1e-9
"""Between a result's metrics and those of its scores: both come from the same arithmetic."""


def result_problems(folder: Path, hash_of: Callable[[str], str]) -> list[str]:
    """Return what is wrong with the results under a folder: format, place, sums, scores, protocol, sizes.

    Args:
        hash_of: gives the hash of a registered protocol; raises ZsarbenchError where it has none.
    """
    problems: list[str] = []
    hashes: dict[str, str | ZsarbenchError] = {}
    for path in results.find(folder):
        try:
            result = results.read(path)
        except ZsarbenchError as error:
            problems.append(str(error))
            continue
        name = result.protocol.name
        if name not in hashes:
            try:
                hashes[name] = hash_of(name)
            except ZsarbenchError as error:
                hashes[name] = error
        found = [_protocol_problem(result, hashes[name]), _scores_problem(path, result)]
        problems += [f"result file {path}: {problem}" for problem in found if problem]
    return problems + list(_size_problems(folder))


def reported_problems(rows: Iterable[ReportedRow], protocols: Collection[str]) -> list[str]:
    """Return the protocols that reported figures name and that are not registered."""
    named = {row.protocol for row in rows if not row.protocol.endswith(UNPLACED)}
    return [
        f"reported figures are on '{name}', which is no registered protocol" for name in sorted(named - set(protocols))
    ]


def stale(path: Path, text: str) -> list[str]:
    """Return whether a committed leaderboard is not what the results give."""
    if not path.is_file():
        return [f"leaderboard {path} is not there. Try: zsarbench leaderboard build --out site/ --markdown {path}"]
    if path.read_bytes() != text.encode():
        return [f"leaderboard {path} is stale. Try: zsarbench leaderboard build --out site/ --markdown {path}"]
    return []


def _protocol_problem(result: RunResult, registered: str | ZsarbenchError) -> str | None:
    if isinstance(registered, ZsarbenchError):
        return f"its protocol cannot be checked: {registered}"
    if result.protocol.hash != registered:
        return (
            f"its {result.protocol.name} (version {result.protocol.version}, hash {result.protocol.hash[:8]}) is no "
            f"longer the registered one (hash {registered[:8]}); measure it anew: {result.command}"
        )
    return None


def _scores_problem(path: Path, result: RunResult) -> str | None:
    """Say where the scores beside a result are not the ones it was made from; they need not be there."""
    if result.predictions is None or not (path.parent / Path(result.predictions.file).name).is_file():
        return None
    try:
        measured: Sequence[dict[str, float]] = results.recompute(path)
    except ZsarbenchError as error:
        return str(error)
    for item, values in zip(result.rounds, measured, strict=True):
        for name, value in item.metrics.items():
            if not abs(value - values[name]) <= TOLERANCE:
                return f"{name} of round {item.round}, seed {item.seed} is {value}, but the scores give {values[name]}"
    return None


def _size_problems(folder: Path) -> Iterable[str]:
    sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    for path, size in sizes.items():
        if size > MAX_FILE_BYTES:
            yield f"{path} is {size / 1e6:.1f} MB; keep it out of git, a file may be {MAX_FILE_BYTES / 1e6:g} MB"
    if (whole := sum(sizes.values())) > MAX_FOLDER_BYTES:
        yield f"{folder} holds {whole / 1e6:.1f} MB; committed results may be {MAX_FOLDER_BYTES / 1e6:g} MB in all"

"""What is wrong with the committed results and leaderboard; nothing, where both can be published as they are."""

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
"""What git can carry: larger scores files are not committed, the result holds their sha256."""
TOLERANCE = 1e-9
"""Of a result's metrics against those of its scores: both come from the same arithmetic."""


def result_problems(folder: Path, hash_of: Callable[[str], str]) -> list[str]:
    """Return what is wrong with the results under a folder: format, sums, scores, protocol, sizes.

    Args:
        hash_of: returns the hash of a registered protocol, or raises ZsarbenchError.
    """
    sound, unsound = results.read_all(folder)
    problems = list(unsound.values())
    hashes: dict[str, str | ZsarbenchError] = {}
    for path, result in sound.items():
        name = result.protocol.name
        if name not in hashes:
            try:
                hashes[name] = hash_of(name)
            except ZsarbenchError as error:
                hashes[name] = error
        own = [_protocol_problem(result, hashes[name]), _scores_problem(path, result)]
        problems += [f"result file {path}: {problem}" for problem in own if problem]
    return problems + list(_size_problems(folder))


def reported_problems(rows: Iterable[ReportedRow], protocols: Collection[str]) -> list[str]:
    """Return a problem for each protocol of reported figures that is not registered."""
    names = {row.protocol for row in rows if not row.protocol.endswith(UNPLACED)}
    return [
        f"reported figures are on '{name}', which is not a registered protocol"
        for name in sorted(names - set(protocols))
    ]


def stale_problems(path: Path, text: str) -> list[str]:
    """Return what is wrong with a committed leaderboard: that it does not exist, or is not what the results give."""
    if not path.is_file():
        return [f"leaderboard {path} does not exist. Try: zsarbench leaderboard build --out site/ --markdown {path}"]
    if path.read_bytes() != text.encode():
        return [f"leaderboard {path} is stale. Try: zsarbench leaderboard build --out site/ --markdown {path}"]
    return []


def _protocol_problem(result: RunResult, registered: str | ZsarbenchError) -> str | None:
    if isinstance(registered, ZsarbenchError):
        return f"its protocol cannot be checked: {registered}"
    if result.protocol.hash != registered:
        return (
            f"its {result.protocol.name} (version {result.protocol.version}, hash {result.protocol.hash[:8]}) is no "
            f"longer the registered one (hash {registered[:8]}); measure it again: {result.command}"
        )
    return None


def _scores_problem(path: Path, result: RunResult) -> str | None:
    """Return where a result differs from the scores next to it; None if there are no scores, which may be."""
    if result.predictions is None or not (path.parent / Path(result.predictions.file).name).is_file():
        return None
    try:
        recomputed: Sequence[dict[str, float]] = results.recompute(path)
    except ZsarbenchError as error:
        return str(error)
    for item, values in zip(result.rounds, recomputed, strict=True):
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

"""The table of a sweep: a row for each method, a column for each protocol, and why cells are empty."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.reports.overview import overview


def done(method: str, protocol: str, path: Path | None = None, reason: str = "") -> Any:
    """Return the outcome of a cell of a sweep."""
    request = SimpleNamespace(method=method, protocol=protocol)
    return SimpleNamespace(cell=SimpleNamespace(label=method, request=request), path=path, reason=reason)


def written(folder: Path, **fields: Any) -> Path:
    """Write a result whose summaries have these values."""
    n_rounds, n_seeds = (1 if fields[name] is None else 2 for name in ("std", "seed_std"))
    scores = sample_scores(n_rounds=n_rounds, n_seeds=n_seeds)
    path = results.write(sample_result(scores, seeds=tuple(range(n_seeds))), scores, folder)
    return path


def test_every_method_and_protocol_has_a_cell_with_both_spreads(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / "several", std=0.1, seed_std=0.1),
        written(tmp_path / "one", std=None, seed_std=None),
    ]
    several, one = (results.read(path).summary["top1_per_video"] for path in paths)
    assert several.std is not None
    assert several.seed_std is not None
    table = overview([
        done("a|b", "toy/half", paths[0]), done("a|b", "toy/all", paths[1]),
        done("c", "toy/half", paths[1]), done("c", "toy/all", paths[1]),
    ])  # fmt: skip
    spreads = f"± {100 * several.std:.1f} (seeds ± {100 * several.seed_std:.1f})"
    assert table.splitlines() == [
        "| method | toy/half | toy/all |",
        "|---|---|---|",
        rf"| a\|b | {100 * several.mean:.1f} {spreads} | {100 * one.mean:.1f} |",
        f"| c | {100 * one.mean:.1f} | {100 * one.mean:.1f} |",
    ]


def test_equal_reasons_are_one_line_with_all_that_they_hold_for() -> None:
    def lacking(method: str, protocol: str) -> Any:
        reason = f"not applicable: method '{method}' needs seen classes, and protocol '{protocol}' has none. Try: x"
        return done(method, protocol, reason=reason)

    cells = [lacking(method, protocol) for method in ("a", "b") for protocol in ("p", "q")]
    lines = overview([*cells, done("c", "p", reason="stopped"), done("c", "q", reason="stopped")]).splitlines()
    assert lines[2:5] == ["| a | – | – |", "| b | – | – |", "| c | – | – |"]
    assert lines[5:] == ["", "- a, b on p, q: needs seen classes, and the protocol has none", "- c on p, q: stopped"]


def test_a_cell_is_of_the_metric_that_ranks_under_its_protocol(tmp_path: Path) -> None:
    scores = sample_scores(setting="gzsl")
    result = sample_result(scores, setting="gzsl")
    path = results.write(result, scores, tmp_path)
    assert f"| {100 * result.summary['harmonic_mean'].mean:.1f} |" in overview([done("a", "p", path)])
    assert dataclasses.asdict(result)["protocol"]["setting"] == "gzsl"

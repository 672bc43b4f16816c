"""What differs between two states of one result, in words."""

from __future__ import annotations

from zsarbench.evaluation.summary import Summary
from zsarbench.reports.cells import NOTHING
from zsarbench.results import RunResult


def changes(old: RunResult, new: RunResult) -> list[str]:
    """Return how the figures of a result moved; [] where none did."""
    found = []
    for name in sorted({*old.summary, *new.summary}):
        before, after = old.summary.get(name), new.summary.get(name)
        if before != after:
            own, other = _text(before), _text(after)
            found.append(f"{name} {own} -> {other}" if own != other else f"{name} in digits not shown")
    if old.rounds != new.rounds:
        found.append("rounds changed")
    if old.contamination != new.contamination:
        found.append("contamination changed")
    return found


def _text(summary: Summary | None) -> str:
    if summary is None:
        return NOTHING
    ends = f"[{', '.join(f'{100 * end:.2f}' for end in summary.ci95)}]" if summary.ci95 else f"[{NOTHING}]"
    return f"{100 * summary.mean:.2f} {ends}"

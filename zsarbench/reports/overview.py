"""The table of a sweep over several protocols: a row for each method, a column for each protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zsarbench import results
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.reports.escaping import markdown as escape

if TYPE_CHECKING:
    from zsarbench.harness.sweep import Done


def overview(done: Sequence[Done]) -> str:
    """Return the accuracies as Markdown, and below them why cells are empty.

    A cell is in percent and of the metric that ranks under its protocol, with its spreads over rounds and over seeds.
    """
    labels = list(dict.fromkeys(item.cell.label for item in done))
    protocols = list(dict.fromkeys(str(item.cell.request.protocol) for item in done))
    by_place = {(item.cell.label, str(item.cell.request.protocol)): item for item in done}
    lines = ["| method | " + " | ".join(map(escape, protocols)) + " |", "|---" * (len(protocols) + 1) + "|"]
    for label in labels:
        cells = [_accuracy(by_place[label, protocol]) for protocol in protocols]
        lines.append(f"| {escape(label)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_reasons(done)]).rstrip()


def _accuracy(item: Done) -> str:
    if item.path is None:
        return "–"
    result = results.read(item.path)
    value = result.summary[SETTINGS[result.protocol.setting].ranked_by.name]
    spread = f" ± {100 * value.std:.1f}" if value.std is not None else ""
    seeds = f" (seeds ± {100 * value.seed_std:.1f})" if value.seed_std is not None else ""
    return f"{100 * value.mean:.1f}{spread}{seeds}"


def _reasons(done: Sequence[Done]) -> list[str]:
    """Return a line for each reason why results are missing, with all rows and protocols that it holds for."""
    protocols: dict[tuple[str, str], list[str]] = {}
    for item in done:
        if item.path is None:
            protocols.setdefault((item.cell.label, _general(item)), []).append(str(item.cell.request.protocol))
    labels: dict[tuple[str, str], list[str]] = {}
    for (label, reason), names in protocols.items():
        labels.setdefault((", ".join(names), reason), []).append(label)
    return ["- " + escape(f"{', '.join(who)} on {where}: {why}") for (where, why), who in labels.items()]


def _general(item: Done) -> str:
    """Return a reason without the names of its method and protocol, so that it is one for all that it holds for."""
    reason = item.reason.removeprefix("not applicable: ").partition(". Try:")[0]
    method, protocol = item.cell.request.method, item.cell.request.protocol
    return reason.replace(f"method '{method}' ", "").replace(f"protocol '{protocol}'", "the protocol")

"""Where the committed results are: in a checkout, else in the package."""

from __future__ import annotations

import importlib.resources
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zsarbench.cli.places import Place
from zsarbench.errors import UsageError

if TYPE_CHECKING:
    from zsarbench.reports.leaderboard.predictions import Seen
    from zsarbench.results import RunResult
    from zsarbench.utils.processes import Processes

CHECKOUT = Path("benchmarks")

results_option = click.option(
    "--results",
    "folder",
    type=Place(),
    help="Folder of result files.  [default: benchmarks/results here, else those that ship with zsarbench]",
)


def results_folder(folder: Path | None) -> Path:
    """Return the folder that was named, else that of the checkout or of the package.

    Raises:
        UsageError: what was named does not exist or is no folder.
    """
    if folder is not None:
        if folder.is_file():
            raise UsageError(f"--results '{folder}' is a file. Try: --results {shlex.quote(str(folder.parent))}")
        if not folder.is_dir():
            raise UsageError(f"folder of results '{folder}' does not exist. Try: zsarbench run --method NAME")
        return folder
    if (CHECKOUT / "reported").is_dir():
        return CHECKOUT / "results"
    return _of_package()


def committed_results(
    folder: Path, processes: Processes, *, evidence: bool
) -> tuple[dict[Path, RunResult], dict[str, Seen] | None]:
    """Return the results of a folder, and what their predictions show, by id; None for those of the package, which
    comes without them.

    Rows that `cheap.toml` next to the folder lists are measured again by continuous integration. evidence: whether to
    compute what the page shows of predictions.

    Raises:
        ZsarbenchError: a result is not valid, or that list cannot be read.
    """
    from zsarbench.reports.backing import remeasured_rows
    from zsarbench.reports.leaderboard import build, predictions

    if folder == _of_package() and not any(folder.rglob("*.npz")):
        return build.read_results(folder), None
    found, seen = predictions.read(folder, processes, evidence=evidence)
    return found, predictions.remeasured(seen, remeasured_rows(folder.parent / "cheap.toml", found.values()))


def _of_package() -> Path:
    return Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "results"

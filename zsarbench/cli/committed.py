"""Where the committed results are: in a checkout, else in the package."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zsarbench.errors import UsageError

if TYPE_CHECKING:
    from zsarbench.reports.backing import Backing
    from zsarbench.results import RunResult

CHECKOUT = Path("benchmarks")

results_option = click.option(
    "--results",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of result files.  [default: benchmarks/results here, else those that ship with zsarbench]",
)


def results_folder(folder: Path | None) -> Path:
    """Return the folder that was named, else that of the checkout or of the package.

    Raises:
        UsageError: the folder that was named does not exist.
    """
    if folder is not None:
        if not folder.is_dir():
            raise UsageError(f"folder of results '{folder}' does not exist. Try: zsarbench run --method NAME")
        return folder
    if (CHECKOUT / "reported").is_dir():
        return CHECKOUT / "results"
    return _of_package()


def committed_backings(found: Mapping[Path, RunResult], folder: Path) -> dict[str, Backing] | None:
    """Return what backs each result of a folder; None for those of the package, which come without predictions.

    Rows that `cheap.toml` next to the folder lists are measured again by continuous integration.
    """
    from zsarbench.reports.backing import backings_of, remeasured_rows

    if folder == _of_package() and not any(folder.rglob("*.npz")):
        return None
    return backings_of(found, remeasured_rows(folder.parent / "cheap.toml", found.values()))


def _of_package() -> Path:
    return Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "results"

"""Where the committed results are: in a checkout, else in the package."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import click

from zsarbench.errors import UsageError

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
    return Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "results"

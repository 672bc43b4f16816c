"""The type of options and arguments that name a file or a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from zsarbench.utils.targets import expanded


class Place(click.Path):
    """A path, with `~` for the home folder: of --out=~/x a shell leaves it as it is; `checks` are those of click."""

    def __init__(self, **checks: Any) -> None:
        super().__init__(path_type=Path, **checks)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, expanded before it is looked up."""
        return super().convert(expanded(value), param, ctx)

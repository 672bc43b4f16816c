"""`zsarbench features`: what the feature store holds, and whether it is sound."""

from __future__ import annotations

import click

from zsarbench.cli.common import as_json, echo_json
from zsarbench.paths import cache_dir


@click.group("features", short_help="Inspect and verify stored features.")
def command() -> None:
    """Inspect the feature store of the cache folder (ZSARBENCH_CACHE).

    \b
    Examples:
      zsarbench features info
      zsarbench features verify --rebuild
    """

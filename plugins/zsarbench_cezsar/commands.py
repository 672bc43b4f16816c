"""`zsarbench cezsar`: what this plugin adds to the command line."""

from __future__ import annotations

from pathlib import Path

import click

from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import Group, echo
from zsarbench_cezsar.pairing_commands import pairs


@click.group("cezsar", cls=Group, short_help="Look at CEZSAR's pairs, convert its release's weights.")
def command() -> None:
    """Look at what the reference method learns from, and bring in weights of its release."""


command.add_command(pairs)


@command.command("convert")
@click.argument("file", type=Place(exists=True, dir_okay=False))
@click.option("--out", required=True, type=Place(file_okay=False), help="A new folder.")
def convert(file: Path, out: Path) -> None:
    """Turn FILE, a state dict of CEZSAR's public release, into a checkpoint that `cezsar-pretrained` runs.

    FILE is read without running any code in it; a whole module, as the release saves it, is refused.

    \b
    Example:
      zsarbench cezsar convert state.pt --out released
      zsarbench run --method cezsar-pretrained --set method.weights=released \\
          --protocol ucf101/truze-v2
    """
    from zsarbench_cezsar.model import count_parameters
    from zsarbench_cezsar.release import convert as converted

    model = converted(file, out)
    sizes = ", ".join(f"{name} {value}" for name, value in model.sizes.items())
    echo(f"{out}: {count_parameters(model):,} parameters, {sizes}")

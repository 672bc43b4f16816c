"""`zsarbench completion`: what makes a shell complete verbs, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from zsarbench.cli.toolkit import echo


@click.command("completion", short_help="Print a completion script for your shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes commands, options and registered names, such as those of --method.

    \b
    Examples, each for the end of the file that your shell reads when it starts:
      eval "$(zsarbench completion bash)"        ~/.bashrc
      eval "$(zsarbench completion zsh)"         ~/.zshrc
      zsarbench completion fish | source         ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root()
    echo(found.source_template % found(root.command, {}, "zsarbench", "_ZSARBENCH_COMPLETE").source_vars())

"""What commands are written with, in plugins too: shared options, the session's plugins, JSON on stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.errors import UsageError
from zsarbench.utils.documents import json_text
from zsarbench.utils.output import reserved_stdout, stdout, visible
from zsarbench.utils.terminal import on_terminal, styled

if TYPE_CHECKING:
    from zsarbench.plugins import Host

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts on stdout.")
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.OPTION=VALUE",
    help="An option of a part; see: zsarbench show NAME.",
)
data_root_option = click.option(
    "--data-root", multiple=True, metavar="DATASET=DIR", help="Your own files of a data set."
)

format_option = click.option(
    "--format",
    "format_",
    type=OF_OPTIONS["format_"],
    default="table",
    show_default=True,
    help="A reporter; see: zsarbench list reporter.",
)

INTERRUPTED = "on_interrupt"
"""Key of the session under which a command states what Ctrl-C and signals to end leave."""
CONTINUES = "interrupted; what was finished is kept. Type the same command again to continue"


class Group(click.Group):
    """A group of commands whose help lists each with its whole first sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their sentences, broken between words."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(command)) for name, command in commands if command and not command.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _first_sentence(command: click.Command) -> str:
    """Return what a list of commands says of one."""
    return command.get_short_help_str(limit=10_000)


def keeps(ctx: click.Context, text: str = CONTINUES) -> None:
    """State what a command leaves when it is interrupted, by default that the same command goes on."""
    ctx.obj[INTERRUPTED] = text


def host_of(ctx: click.Context) -> Host:
    """Return the plugins of the session that a command runs in.

    In a command of zsarbench's own, stdout then holds what `echo` prints alone: what plugins print goes to stderr.
    """
    if ctx.obj.get("own_verb"):
        ctx.with_resource(reserved_stdout())
    host: Host = ctx.obj["session"].host
    return host


def echo(
    message: object = "", *, err: bool = False, bold: bool = False, nl: bool = True, hang: int = 2, typed: str = ""
) -> None:
    """Print text on stdout, or on stderr, with control characters of foreign text escaped.

    On a terminal long lines are broken between words, and what follows is indented by `hang` blanks more.

    typed: a part of the text that can be typed, which a terminal shows in colour.
    """
    stream = sys.stderr if err else stdout()
    text = on_terminal(visible(str(message)), stream, hang)
    if typed:
        text = text.replace(typed, styled(typed, "command", stream), 1)
    print(styled(text, "bold", stream) if bold else text, file=stream, end="\n" if nl else "", flush=True)


def counted(number: int, what: str) -> str:
    """Return a number of things in words: "1 bug", "2 bugs"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def echo_rendered(text: str) -> None:
    """Print what a reporter rendered on stdout; it has cared for control characters, and uses its own."""
    click.echo(text, file=stdout())


def echo_json(content: Any) -> None:
    """Print JSON with sorted keys on stdout."""
    click.echo(json_text(content), file=stdout())


def write_text(path: Path, text: str) -> None:
    """Write a text file that the user named.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Try: another FILE") from error

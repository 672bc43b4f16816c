"""The command `zsarbench`: verbs are imported when they are used, errors are printed without a traceback."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import click

from zsarbench import __version__
from zsarbench.cli.verbs import VERBS
from zsarbench.errors import UsageErrors, ZsarbenchError, unknown
from zsarbench.plugins import Host, load_plugins


class Session:
    """What one invocation shares: the plugins, loaded on first use unless given."""

    def __init__(self, blocked: tuple[str, ...], host: Host | None = None) -> None:
        self._blocked = blocked
        self._host = host

    @property
    def host(self) -> Host:
        """The loaded plugins; those that failed are named on stderr once."""
        if self._host is None:
            self._host = load_plugins(self._blocked)
            for failure in self._host.failures:
                click.echo(f"warning: plugin '{failure.plugin}' is left out: {failure.reason}", err=True)
        return self._host


class Verbs(click.Group):
    """Finds a verb in its own module, or among the commands that plugins add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order a user meets them, then those of plugins."""
        return [*VERBS, *sorted(set(self._added(ctx)) - set(VERBS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command; unknown ones name the nearest."""
        if cmd_name in VERBS:
            command: click.Command = importlib.import_module(f"zsarbench.cli.verbs.{cmd_name}").command
            return command
        added = self._added(ctx)
        if cmd_name not in added:
            ctx.fail(unknown("command", cmd_name, [*VERBS, *added], "zsarbench --help"))
        return added[cmd_name]

    def _added(self, ctx: click.Context) -> dict[str, click.Command]:
        session = ctx.ensure_object(dict).get("session") or Session(tuple(ctx.params.get("no_plugin") or ()))
        ctx.obj["session"] = session
        group = click.Group()
        session.host.call_each("zsarbench_add_commands", group=group)
        return dict(group.commands)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="zsarbench")
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Do not import this plugin (may be repeated).")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors on stderr.")
@click.pass_context
def cli(ctx: click.Context, no_plugin: tuple[str, ...], quiet: bool) -> None:
    """Measure zero-shot action recognition: exact protocols, swappable methods and parts, comparable tables.

    \b
    First steps:
      zsarbench run --method cezsar              train and test the reference method on drawn clips
      zsarbench list                             all methods, parts, data sets and protocols
      zsarbench show ucf101/truze-v2             what a name stands for
    """
    ctx.ensure_object(dict).setdefault("session", Session(no_plugin))
    _log_to_stderr(logging.WARNING if quiet else logging.INFO)


def _log_to_stderr(level: int) -> None:
    """Show what zsarbench and its plugins log from this level, and of other packages warnings alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(lambda record: record.name.startswith("zsarbench") or record.levelno >= logging.WARNING)
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(level)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit: 0 done, 1 the run failed, 2 not there, 130 interrupted."""
    try:
        status = cli.main(arguments, prog_name="zsarbench", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was finished is kept. Type the same command again to go on", err=True)
        status = 130
    except ZsarbenchError as error:
        _show(error)
        status = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        status = 1
    except OSError as error:  # of a disk or of a place that a command did not foresee; what was finished is kept
        place = error.filename if error.filename is not None else "output"
        click.echo(f"error: {place}: {error.strerror or error}", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _show(error: ZsarbenchError) -> None:
    problems = error.problems if isinstance(error, UsageErrors) else (str(error),)
    for problem in problems:
        click.echo(f"error: {problem}", err=True)

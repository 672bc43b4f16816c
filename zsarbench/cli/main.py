"""The command `zsarbench`: verbs are imported when they are used, errors are printed without a traceback."""

from __future__ import annotations

import atexit
import errno
import importlib
import io
import logging
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import Any, TextIO, cast

import click

from zsarbench import __version__
from zsarbench.cli.toolkit import INTERRUPTED, Group, echo
from zsarbench.cli.verbs import VERBS
from zsarbench.errors import UsageError, UsageErrors, ZsarbenchError, unknown
from zsarbench.plugins import Host, load_plugins
from zsarbench.plugins.guarding import in_words, plugin_error
from zsarbench.utils.output import give_up_stdout, open_streams, reserved_stdout, visible
from zsarbench.utils.stop_signals import as_interrupts
from zsarbench.utils.terminal import on_terminal


class Session:
    """What one invocation shares: the plugins, loaded on first use unless given."""

    def __init__(self, blocked: tuple[str, ...], host: Host | None = None, *, silent: bool = False) -> None:
        self._blocked = blocked
        self._host = host
        self._silent = silent

    @property
    def host(self) -> Host:
        """The loaded plugins; those that failed are named on stderr once, unless the session is silent."""
        if self._host is None:
            with redirect_stderr(io.StringIO()) if self._silent else nullcontext(), reserved_stdout():
                self._host = load_plugins(self._blocked)
            for failure in () if self._silent else self._host.failures:
                echo(f"warning: {failure}", err=True)
        return self._host

    @property
    def loaded(self) -> Host | None:
        """The plugins where they were loaded already."""
        return self._host


class Verbs(Group):
    """Finds a verb in its own module, or among the commands that plugins add."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return a context with a session, where a shell asks for completions too."""
        ctx = super().make_context(info_name, args, parent, **extra)
        self._session(ctx)
        return ctx

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is invoked, and note whether it is one of zsarbench's own."""
        name, command, rest = super().resolve_command(ctx, args)
        ctx.ensure_object(dict)["own_verb"] = name in VERBS
        return name, command, rest

    def _added(self, ctx: click.Context) -> dict[str, click.Command]:
        host = self._session(ctx).host
        group = click.Group()
        with reserved_stdout():
            host.call_each("zsarbench_add_commands", group=group)
        return dict(group.commands)

    @staticmethod
    def _session(ctx: click.Context) -> Session:
        shared = ctx.ensure_object(dict)
        if "session" not in shared:
            shared["session"] = Session(tuple(ctx.params.get("no_plugin") or ()), silent=ctx.resilient_parsing)
        return cast("Session", shared["session"])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="zsarbench")
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Do not import this plugin (may be repeated).")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def cli(ctx: click.Context, no_plugin: tuple[str, ...], quiet: bool, debug: bool) -> None:
    """Measure zero-shot action recognition: exact protocols, swappable methods and parts, comparable tables.

    \b
    First steps:
      zsarbench run --method cezsar    train and test CEZSAR on drawn clips
      zsarbench list                   methods, parts, data sets, protocols
      zsarbench show ucf101/truze-v2   what a name stands for
    """
    ctx.obj["debug"] = debug
    _log_to_stderr(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)


def _log_to_stderr(level: int) -> None:
    """Show what zsarbench and its plugins log from this level, and of other packages warnings alone."""
    handler = _EchoHandler()
    handler.addFilter(_is_shown)
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(level)


def _is_shown(record: logging.LogRecord) -> bool:
    """Return whether a record is of zsarbench, or a warning of a package that does not print its own, as hubs do."""
    if record.name.startswith("zsarbench"):
        return True
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger.parent is not None:
        if any(isinstance(one, logging.StreamHandler) for one in logger.handlers):
            return False
        logger = logger.parent
    return record.levelno >= logging.WARNING


class _EchoHandler(logging.StreamHandler[TextIO]):
    """Prints what is logged as `echo` prints, where bars are drawn above them, and says which lines are warnings."""

    @property
    def stream(self) -> TextIO:
        """The stderr of this moment: a progress bar puts its own in place of the process's."""
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Keep none."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line, or on a terminal as lines."""
        text = visible(super().format(record))
        if record.levelno >= logging.WARNING and not text.startswith(("warning:", "error:")):
            text = f"warning: {text}"
        return on_terminal(text, self.stream)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit: 0 success, 1 the run failed, 2 a usage error, 130 interrupted by Ctrl-C.

    A command that SIGTERM or SIGHUP interrupts ends as after Ctrl-C, with 143 or 129, as shells report these signals.
    """
    open_streams()
    with as_interrupts() as signals:
        try:
            status = _run(arguments)
        except OSError:
            if not signals:
                raise
            status = 1  # nobody is told: the terminal itself is gone
    if arguments is None:  # of a process of its own: the last that is registered comes first
        atexit.register(give_up_stdout)
    sys.exit(128 + signals[-1] if signals and status else status)


def _run(arguments: list[str] | None) -> int:
    """Run the command line, print what is raised, and return the exit code."""
    shared: dict[str, Any] = {}
    try:
        status = cli.main(arguments, prog_name="zsarbench", standalone_mode=False, obj=shared)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        echo(error.format_message(), err=True, hang=0)
        status = error.exit_code
    except click.ClickException as error:
        _show(_of_click(error, sys.argv[1:] if arguments is None else arguments), shared)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo(shared.get(INTERRUPTED, "interrupted"), err=True)
        status = 130
    except ZsarbenchError as error:
        _show(error, shared)
        status = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        status = 1
    except BaseException as error:
        worded = _of_plugin(error, shared) or _of_system(error)
        if isinstance(error, SystemExit) and (worded is None or not shared.get("own_verb")):
            raise  # click's own, where nobody reads any more; and a command of a plugin's may end as it likes
        shown = worded or _bug(error)
        _show(shown, shared)
        status = shown.exit_code
    return status if isinstance(status, int) else 0


def _of_click(error: click.ClickException, arguments: Sequence[str]) -> ZsarbenchError:
    """Return an error of the command line's own form for what click says of arguments."""
    text = error.format_message()
    if not isinstance(error, click.UsageError) or "Try: " in text:
        return ZsarbenchError(text)
    verbs = [word for word in arguments[:1] if word in VERBS]  # all that is known where an option lacks its value
    command = error.ctx.command_path if error.ctx is not None else " ".join(["zsarbench", *verbs])
    stop = "" if text.endswith((".", "?", ")")) else "."
    return ZsarbenchError(f"{text}{stop} Try: {command} --help")


def _of_plugin(error: BaseException, shared: dict[str, Any]) -> ZsarbenchError | None:
    """Return an error that names the plugin whose code raised what nobody foresaw; None where none did."""
    session: Session | None = shared.get("session")
    host = session.loaded if session is not None else None
    return plugin_error(error, host.registry) if host is not None else None


def _of_system(error: BaseException) -> ZsarbenchError | None:
    """Return an error for a disk, a place or a package that no command foresaw; what was finished is kept."""
    worded: ZsarbenchError
    if isinstance(error, ModuleNotFoundError) and error.name:
        worded = ZsarbenchError(f"package '{error.name}' is not installed. Try: pip install {error.name}")
    elif isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        worded = UsageError(f"{error.filename or 'a path'}: {error.strerror}. Try: a shorter one")
    elif isinstance(error, OSError):
        worded = ZsarbenchError(f"{error.filename or 'output'}: {error.strerror or error}")
    else:
        return None
    worded.__cause__ = error
    return worded


def _bug(error: BaseException) -> ZsarbenchError:
    """Return an error for an unexpected exception."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    bug = ZsarbenchError(
        f"internal error: {in_words(error)} (in {place.name}, {Path(place.filename).name}, line "
        f"{place.lineno}). This is a bug of zsarbench, or of a plugin that returned an invalid value. Try: zsarbench "
        "--debug …, for the traceback"
    )
    bug.__cause__ = error
    return bug


def _show(error: ZsarbenchError, shared: dict[str, Any]) -> None:
    problems = error.problems if isinstance(error, UsageErrors) else (str(error),)
    if shared.get("debug"):
        echo("".join(traceback.format_exception(error)), err=True, nl=False)
    for problem in problems:
        echo(f"error: {problem}", err=True)

"""How a command line ends: exit codes, messages for whatever is raised, and what is logged on stderr."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import click
import pytest
from click.testing import CliRunner
from small import Run, command_line

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli, main
from zsarbench.cli.toolkit import keeps
from zsarbench.errors import UsageError, UsageErrors, ZsarbenchError
from zsarbench.plugins import load_plugins, loading

Capture = pytest.CaptureFixture[str]
Does = Callable[[Callable[[], Any]], None]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line(capsys)


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Does:
    """Return what gives `zsarbench act`, the command of the only plugin, something to do."""

    def install(action: Callable[..., Any]) -> None:
        @hookimpl
        def zsarbench_add_commands(group: click.Group) -> None:
            group.add_command(click.Command("act", callback=action, short_help="Act."))

        @hookimpl
        def zsarbench_register(registry: Any) -> None:
            registry.add("loss", "acts", f"{__name__}:raises", summary="Acts.")

        hooks = {"zsarbench_add_commands": zsarbench_add_commands, "zsarbench_register": zsarbench_register}
        plugin = type("plugin", (), {name: staticmethod(hook) for name, hook in hooks.items()})
        monkeypatch.setattr(loading, "entry_points", lambda: {"acting": lambda: plugin})

    return install


def raises(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_a_name_too_long_for_any_file_is_a_mistake_in_what_was_typed(run: Run) -> None:
    long = "x" * 300
    assert run("compare", long, code=2).endswith("File name too long. Try: a shorter one\n")


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3), ("done", 0)])
def test_a_number_that_a_command_returns_is_the_exit_code(does: Does, run: Run, returned: object, code: int) -> None:
    does(lambda: returned)
    assert run("act", code=code) == ""


def test_a_verb_that_does_what_it_should_ends_with_0(does: Does, run: Run) -> None:
    does(lambda: None)
    assert run("list", "method") == ""
    assert run("--version").startswith("zsarbench, version ")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ZsarbenchError("nothing can be read"), 1, "error: nothing can be read\n"),
        (UsageError("no such thing"), 2, "error: no such thing\n"),
        (UsageErrors(["no loss", "no text"]), 2, "error: no loss\nerror: no text\n"),
        (click.ClickException("as a file is"), 1, "error: as a file is\n"),
        (click.UsageError("as an option is"), 2, "error: as an option is. Try: zsarbench act --help\n"),
        (click.UsageError("is it there?"), 2, "error: is it there? Try: zsarbench act --help\n"),
        (click.UsageError("no. Try: this"), 2, "error: no. Try: this\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
    ],
)
def test_what_is_raised_is_printed_and_decides_the_exit_code(
    does: Does, run: Run, error: BaseException, code: int, says: str
) -> None:
    does(raises(error))
    assert run("act", code=code) == says


def test_an_option_without_its_value_names_the_verb_that_explains_it(does: Does, run: Run) -> None:
    does(lambda: None)
    assert run("list", "--josn", code=2).endswith("Try: zsarbench list --help\n")
    assert run("compare", "--protocol", code=2).endswith("Try: zsarbench compare --help\n")
    assert run("--no-plugin", code=2).endswith("Try: zsarbench --help\n")
    assert "did you mean 'list'" in run("lst", code=2)


@pytest.mark.parametrize("typed", [(), ("leaderboard",), ("result",)])
def test_a_command_alone_is_explained_and_no_error_of_its_own(typed: tuple[str, ...], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(list(typed))
    printed = capsys.readouterr()
    assert end.value.code == 2
    assert printed.out == ""
    assert printed.err.startswith(f"Usage: {' '.join(['zsarbench', *typed])} ")
    assert "Commands:" in printed.err


def test_where_nobody_reads_any_more_nothing_is_said(does: Does) -> None:
    does(raises(BrokenPipeError()))
    with redirect_stderr(io.StringIO()) as stderr, pytest.raises(SystemExit) as ended:
        main(["act"])
    assert (ended.value.code, stderr.closed) == (1, True)


def test_an_interrupted_command_says_what_it_leaves(does: Does, run: Run) -> None:
    @click.pass_context
    def act(ctx: click.Context) -> None:
        keeps(ctx)
        raise KeyboardInterrupt

    does(act)
    assert run("act", code=130).startswith("\ninterrupted; what was finished is kept. Type the same command again")


STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name) and os.name == "posix"]


@pytest.fixture(params=STOPPING)
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    """A signal that nobody ignores, as `nohup` makes all processes of a test run do."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_to_end_is_answered_as_ctrl_c_is(does: Does, run: Run, number: int) -> None:
    @click.pass_context
    def act(ctx: click.Context) -> None:
        keeps(ctx)
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # as where a process and its group are told
            ended.append(number)

    ended: list[int] = []
    does(act)
    said = "\ninterrupted; what was finished is kept. Type the same command again to continue\n"
    assert run("act", code=128 + number) == said
    assert ended == [number]
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored(does: Does, run: Run, number: int) -> None:
    does(lambda: os.kill(os.getpid(), number))
    signal.signal(number, signal.SIG_IGN)
    assert run("act") == ""
    assert signal.getsignal(number) == signal.SIG_IGN


class Gone(io.StringIO):
    """The stream of a terminal that was closed."""

    def write(self, text: str) -> int:
        """Fail as the system does."""
        raise OSError(errno.EIO, "Input/output error")


def test_a_signal_to_end_decides_the_exit_code_where_the_terminal_is_gone(does: Does, number: int) -> None:
    does(lambda: os.kill(os.getpid(), number))
    with redirect_stderr(Gone()), pytest.raises(SystemExit) as ended:
        main(["act"])
    assert ended.value.code == 128 + number


def test_an_error_of_a_plugin_names_it_and_debug_shows_where(does: Does, run: Run) -> None:
    does(raises(LookupError("no key")))
    short, long = run("act", code=1), run("--debug", "act", code=1)
    named = "error: plugin 'acting' failed in raises.<locals>.act (test_main.py, line "
    assert short.startswith(named)
    assert short.endswith("): LookupError: no key. Try: zsarbench --debug …, for the traceback\n")
    assert long.startswith("Traceback")
    assert long.endswith(short)


def test_what_a_plugin_ends_inside_a_verb_is_its_error(does: Does, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    does(lambda: None)
    monkeypatch.setattr("zsarbench.cli.verbs.show.distributions_of", lambda _: raises(SystemExit(3))())
    said = run("show", "acts", code=1)
    assert said.startswith("error: plugin 'acting' failed in ")
    assert "it tried to end the program (SystemExit: 3)" in said


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "error: /data/x: No space left on device\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "error: output: No space left on device\n"),
        (OSError("it is gone"), "error: output: it is gone\n"),
        (
            ModuleNotFoundError("No module", name="needed"),
            "error: package 'needed' is not installed. Try: pip install needed\n",
        ),
        (ModuleNotFoundError("No module"), "error: internal error: "),
        (ValueError("of no use"), "error: internal error: "),
    ],
)
def test_what_a_verb_did_not_foresee_is_said_without_a_traceback(
    does: Does, run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, says: str
) -> None:
    does(lambda: None)
    monkeypatch.setattr("zsarbench.reports.description.describe", lambda path: raises(error)())
    said = run("result", "show", "x.json", code=1)
    assert said.startswith(says), said
    if "internal" in says:
        assert " (in act, test_main.py, line " in said
        assert "This is a bug of zsarbench" in said


def test_a_command_of_a_plugin_may_end_the_process_as_it_likes(does: Does, run: Run) -> None:
    does(raises(SystemExit(7)))
    run("act", code=7)


@pytest.mark.parametrize(
    ("options", "logged"),
    [
        ((), "about\nwarning: care\nwarning: old\n"),
        (("--quiet",), "warning: care\nwarning: old\n"),
        (("-q",), "warning: care\nwarning: old\n"),
        (("--debug",), "detail\nabout\nwarning: care\nwarning: old\n"),
    ],
)
def test_what_is_logged_of_zsarbench_and_of_other_packages(
    does: Does, run: Run, options: tuple[str, ...], logged: str
) -> None:
    def act() -> None:
        own, other = logging.getLogger("zsarbench.acting"), logging.getLogger("some_package")
        own.debug("detail")
        own.info("about")
        own.warning("care")
        other.info("a detail of its own")
        other.warning("warning: old")

    does(act)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        assert run(*options, "act") == logged
    finally:
        root.handlers[:], root.level = before


def test_a_plugin_that_cannot_be_loaded_is_named_once_unless_it_is_blocked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "entry_points", lambda: {"broken": raises(ImportError("it lacks a part"))})
    assert run("list").count("warning: ") == 1
    assert "warning: " not in run("--no-plugin", "broken", "list")


def test_a_warning_of_a_package_is_shown_once_also_where_the_package_prints_it() -> None:
    stream = io.StringIO()
    hub, other = logging.getLogger("some_hub.files"), logging.getLogger("some_package")

    @click.command("warn")
    def warn() -> None:
        hub.warning("no network")
        other.warning("old format")
        other.info("a detail")

    @hookimpl
    def zsarbench_add_commands(group: click.Group) -> None:
        group.add_command(warn)

    plugin = type("plugin", (), {"zsarbench_add_commands": staticmethod(zsarbench_add_commands)})
    session, handler = Session((), load_plugins(loaders={"x": lambda: plugin})), logging.StreamHandler(stream)
    logging.getLogger("some_hub").addHandler(handler)
    try:
        done = CliRunner().invoke(cli, ["warn"], obj={"session": session})
    finally:
        logging.getLogger("some_hub").removeHandler(handler)
    assert done.exit_code == 0, done.output
    assert stream.getvalue() == "no network\n"
    assert done.stderr == "warning: old format\n"


def test_errors_tracebacks_and_warnings_are_on_stderr_alone(
    does: Does, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    does(raises(ZsarbenchError("no clip")))
    with pytest.raises(SystemExit):
        main(["--debug", "act"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("zsarbench.errors.ZsarbenchError: no clip\nerror: no clip\n")
    monkeypatch.setattr(loading, "entry_points", lambda: {"broken": raises(ImportError("it lacks a part"))})
    with pytest.raises(SystemExit):
        main(["list", "loss"])
    out, err = capsys.readouterr()
    assert (out, err.startswith("warning: ")) == ("", True)

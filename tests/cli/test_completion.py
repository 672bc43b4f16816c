"""What a shell offers after TAB: verbs, options, registered names, and files where a file may stand for a name."""

from __future__ import annotations

import pytest
from click.shell_completion import BashComplete, CompletionItem
from click.testing import CliRunner

from zsarbench.cli.main import Session, cli, main
from zsarbench.cli.verbs import VERBS
from zsarbench.plugins import load_plugins

HOST = load_plugins()


def offered(*words: str) -> list[CompletionItem]:
    """Return what is offered for the last word."""
    shell = BashComplete(cli, {"obj": {"session": Session((), HOST)}}, "zsarbench", "_ZSARBENCH_COMPLETE")
    return shell.get_completions(list(words[:-1]), words[-1])


def names(*words: str) -> list[str]:
    return [item.value for item in offered(*words)]


def test_verbs_and_their_own_verbs_are_offered() -> None:
    assert set(names("")) >= {*VERBS, "cezsar"}
    assert names("plugin", "n") == ["new"]
    assert names("run", "--cl") == ["--class-text"]


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--method", "method"), ("--visual", "visual"), ("--text", "text"), ("--negatives", "negatives"),
        ("--loss", "loss"), ("--executor", "executor"), ("--protocol", "protocol"), ("--format", "reporter"),
    ],
)  # fmt: skip
def test_an_option_offers_the_names_of_its_kind(option: str, kind: str) -> None:
    assert names("run", option, "") == HOST.registry.names(kind)
    assert offered("run", option, "")[0].help == next(entry.summary for entry in HOST.registry if entry.kind == kind)


def test_begun_names_and_other_words_are_completed() -> None:
    assert names("sweep", "--method", "near") == ["nearest-text"]
    assert names("run", "--train-on", "s") == ["seen", "sketch"]
    assert names("show", "tripl") == ["triplet"]
    assert names("protocol", "show", "sketch/c") == ["sketch/compositional"]
    assert names("list", "me") == ["method"]
    assert names("data", "lint", "ucf") == ["ucf101"]


def test_files_stand_for_protocols() -> None:
    (item,) = offered("run", "--protocol", "./mine")
    assert (item.value, item.type) == ("./mine", "file")


def test_a_plugin_that_fails_says_nothing_while_a_shell_completes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZSARBENCH_PLUGINS", "baselines,not-there")
    monkeypatch.setenv("_ZSARBENCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "zsarbench run --method near")
    monkeypatch.setenv("COMP_CWORD", "3")
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr() == ("plain,nearest-text\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert f"_ZSARBENCH_COMPLETE={shell}_complete" in done.stdout

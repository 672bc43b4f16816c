"""`zsarbench check`: which components are tried with which options, and how bugs are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.plugins import load_plugins


def sound() -> LabelSet:
    return LabelSet("sound", ("archery", "golf"))


def blank() -> LabelSet:
    return LabelSet("blank", ("archery", ""))


class Folder:
    """Stands for a data set whose constructor takes a root; it has no clip, so it cannot be tried."""

    def __init__(self, *, root: Path | None = None, fold: int = 1) -> None:
        raise UsageError(f"fold {fold} of {root} is not there")


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Register a sound label set, one with a bug, and a data set."""
    for name in ("sound", "blank"):
        registry.add("labels", name, f"{__name__}:{name}", summary="Labels.")
    registry.add("dataset", "lying", f"{__name__}:Folder", summary="A data set.", trained_on=())


def check(*words: object) -> Result:
    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    empty = type("empty", (), {"zsarbench_register": staticmethod(hookimpl(lambda registry: None))})

    def broken() -> None:
        raise ImportError("it lacks a part")

    host = load_plugins(loaders={"toys": lambda: plugin, "empty": lambda: empty, "broken": broken})
    session = {"session": Session((), host)}
    return CliRunner().invoke(cli, ["check", *map(str, words)], obj=session, catch_exceptions=False)


def test_a_sound_component_is_said_to_have_no_bug() -> None:
    pytest.importorskip("torch", reason="the checks need torch")
    done = check("sound")
    assert done.exit_code == 0, done.output
    assert (
        done.stdout == "labels sound: no bug (1 of 1 checks passed)\n1 check of 1 component: 0 bugs, 0 not tried here\n"
    )
    (outcome,) = json.loads(check("sound", "--json").stdout)
    assert (outcome["name"], outcome["problem"], outcome["skipped"]) == ("sound", None, None)


def test_a_bug_is_printed_with_its_rule_and_its_cause_and_ends_with_1() -> None:
    pytest.importorskip("torch", reason="the checks need torch")
    done = check("blank")
    assert done.exit_code == 1
    head, bug, rule, cause, contract, total = done.stdout.splitlines()
    assert head == "labels blank: 1 bug (0 of 1 checks passed)"
    assert bug.startswith("  labels-are-named: expected ")
    assert rule.startswith("    rule: ")
    assert cause == "    likely cause: blank lines of a file, or a label twice"
    assert contract == "    contract: zsarbench.evaluation.label_sets.LabelSet"
    assert total == "1 check of 1 component: 1 bug, 0 not tried here"
    listed = check("blank", "--json")
    assert listed.exit_code == 1
    assert json.loads(listed.stdout)[0]["problem"]["cause"] in cause


def test_all_that_a_plugin_registers_is_tried_and_the_rest_is_listed_with_the_reason(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the checks need torch")
    done = check("toys", "--data-root", f"lying={tmp_path}", "--set", "dataset.fold=3")
    assert "labels sound: no bug (1 of 1 checks passed)\n" in done.stdout
    assert "labels blank: 1 bug (0 of 1 checks passed)\n" in done.stdout
    assert f"fold 3 of {tmp_path} is not there" in done.stdout
    assert " checks of 3 components: " in done.stdout.splitlines()[-1]


def test_what_is_checked_must_exist() -> None:
    with pytest.raises(ZsarbenchError, match=r"plugin 'broken' cannot be loaded: .*it lacks a part"):
        check("broken")
    with pytest.raises(UsageError, match="plugin 'empty' registers nothing; there is nothing to check"):
        check("empty")
    with pytest.raises(UsageError, match="unknown plugin or name 'sond'; did you mean 'sound'"):
        check("sond")


def test_options_and_folders_must_fit_what_is_checked(tmp_path: Path) -> None:
    for name, root in (("lying", tmp_path / "none"), ("sound", tmp_path), ("lying", "")):
        with pytest.raises(UsageError, match="does not name a data set that is checked and an existing folder"):
            check("sound" if name == "sound" else "lying", "--data-root", f"lying={root}" if root else "lying")
    with pytest.raises(UsageError, match=r"--set dataset\.folds=3 is not an option of dataset lying"):
        check("lying", "--set", "dataset.folds=3")
    with pytest.raises(UsageError, match="fold"):
        check("lying", "--set", "dataset.fold=many")


def test_the_page_states_the_defaults() -> None:
    text = " ".join(check("--help").stdout.split())
    assert "Where components compute: cpu, cuda, cuda:1, … [default: cpu]" in text
    assert "How long one check may take. [default: 300.0]" in text

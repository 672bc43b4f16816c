"""Options and arguments that name a file or a folder: `~` is the home folder, as a shell leaves it in --out=~/x."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from zsarbench.cli.main import cli


def places(group: click.Group) -> Iterator[tuple[str, click.Parameter]]:
    """Yield the parameters of all commands below a group that name a place, with a name for each."""
    context = click.Context(group, obj={})
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                yield f"{name} {parameter.name}", parameter
        if isinstance(command, click.Group):
            yield from places(command)


def test_every_place_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").touch()
    found = dict(places(cli))
    assert len(found) > 20
    for name, parameter in found.items():
        folders_only = isinstance(parameter.type, click.Path) and not parameter.type.file_okay
        place = tmp_path if folders_only else tmp_path / "x"
        assert parameter.type.convert("~" if folders_only else "~/x", parameter, None) == place, name


def test_what_a_command_writes_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["plugin", "new", "own", "--method", "--out=~/own"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "home" / "own" / "own").is_dir()
    assert not (tmp_path / "~").exists()


def test_a_protocol_may_be_a_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = CliRunner().invoke(cli, ["protocol", "show", "~/none.toml"])
    assert str(tmp_path / "none.toml") in str(made.exception)

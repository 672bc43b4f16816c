"""`zsarbench list` and `zsarbench data list`: names by kind, the default marked, and what can be fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.data import downloads
from zsarbench.data.downloads import Download, RemoteFile
from zsarbench.errors import UsageError, UsageErrors
from zsarbench.plugins import load_plugins

FILES = tuple(RemoteFile(path=f"{n}.txt", sha256=f"{n}" * 64, size=size) for n, size in enumerate((1_200_000, 50_000)))
LISTS = Download(name="toy-lists", files=FILES, source="owner/repo/abc", licence="MIT", summary="Lists of toys.")


class Toys:
    """A data set with a download and an option."""

    downloads = (LISTS,)

    def __init__(self, *, fold: int = 1, depth: int = 2) -> None: ...


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Register two data sets and two protocols."""
    registry.add("dataset", "toys", f"{__name__}:Toys", summary="Some toys.", source="The shop")
    registry.add("dataset", "others", "json:JSONDecoder", summary="Others.")
    registry.add("protocol", "toys/all", "json:all.toml", summary="All.")
    registry.add("protocol", "toys/half", "json:half.toml", summary="Half.")
    registry.set_default_protocol("toys/half")


def typed(*words: str) -> Result:
    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    session = Session((), load_plugins(loaders={"shop": lambda: plugin}))
    return CliRunner().invoke(cli, list(words), obj={"session": session}, catch_exceptions=False)


def test_names_stand_under_their_kind_and_the_default_is_marked() -> None:
    assert typed("list", "protocol").stdout == ("protocol\n  toys/all   All.\n  toys/half  Half. (default)\n")
    whole = typed("list").stdout
    assert whole.startswith("dataset\n  others  Others.\n  toys    Some toys.\nprotocol\n")
    assert whole.count("(default)") == 1
    assert typed("list", "loss").stdout == ""
    with pytest.raises(UsageError, match="unknown kind 'los'; did you mean 'loss'"):
        typed("list", "los")


def test_json_lists_kind_name_plugin_and_summary() -> None:
    rows = json.loads(typed("list", "dataset", "--json").stdout)
    assert rows[1] == {"kind": "dataset", "name": "toys", "plugin": "shop", "summary": "Some toys."}
    assert len(rows) == 2


def test_data_sets_are_listed_with_their_downloads_and_options() -> None:
    first, second = typed("data", "list").stdout.split("toys\n")
    assert first.startswith("others\n  Others.\n  source: ")
    home = "https://github.com/owner/repo/tree/abc"
    assert second == f"  Some toys.\n  source: The shop\n  get toy-lists: 2 files, 1.2 MB, MIT, {home}\n"
    rows = json.loads(typed("data", "list", "--json").stdout)
    assert (rows[0]["name"], rows[0]["downloads"]) == ("others", {})
    assert rows[1] == {
        "name": "toys", "summary": "Some toys.", "source": "The shop", "options": ["depth", "fold"],
        "downloads": {"toy-lists": {"bytes": 1_250_000, "files": 2, "source": home, "licence": "MIT"}},
    }  # fmt: skip


def test_downloads_are_fetched_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "fetch", lambda download, progress: f"/cache/{download.name}")
    assert typed("data", "get", "toy-lists").stdout == (
        "toy-lists: Lists of toys.\n  source: https://github.com/owner/repo/tree/abc\n  licence: MIT\n"
        "  2 files in /cache/toy-lists\n"
    )
    with pytest.raises(UsageErrors, match="unknown download 'toy-list'; did you mean 'toy-lists'") as caught:
        typed("data", "get", "toy-list", "toy-lists", "others")
    assert len(caught.value.problems) == 2
    assert typed("data", "get").exit_code == 2

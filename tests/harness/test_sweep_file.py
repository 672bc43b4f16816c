"""A file of rows: its mistakes at once, options that replace those of the rows, and nothing measured twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from locations import ROOT
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageErrors
from zsarbench.harness import sweep_file
from zsarbench.plugins import Host, load_plugins

TABLE = """
protocols = ["sketch/compositional", "ucf101/all"]

[[rows]]
methods = ["chance"]
[rows.not_on]
"ucf101/all" = "is measured elsewhere"

[[rows]]
methods = ["eszsl", "sae"]
visual = "captions"
text = "hashed-words"
[rows.not_on]
"sketch/compositional" = "reads captions, and those of drawn clips are made from what was drawn"

[[rows]]
methods = ["zsarcap"]
label = "on documents"
[rows.not_on]
everywhere = "needs captions"
"""


@pytest.fixture(scope="module")
def host() -> Host:
    return load_plugins()


def written(folder: Path, text: str = TABLE) -> Path:
    path = folder / "rows.toml"
    path.write_text(text, encoding="utf-8")
    return path


def swept(*words: object) -> Result:
    return CliRunner().invoke(cli, ["sweep", *map(str, words)], obj={})


def test_every_row_is_measured_under_every_protocol_in_the_order_of_the_file(tmp_path: Path, host: Host) -> None:
    cells = sweep_file.read(written(tmp_path)).cells(host, seeds=2)
    assert [cell.title for cell in cells][:3] == [
        "chance on sketch/compositional", "chance on ucf101/all", "eszsl on sketch/compositional",
    ]  # fmt: skip
    assert [cell.label for cell in cells][-2:] == ["zsarcap on documents"] * 2
    assert cells[0].spec is not None
    assert cells[0].spec.what.seeds == 2
    assert [cell.reason for cell in cells[1:3]] == [
        "is measured elsewhere",
        "reads captions, and those of drawn clips are made from what was drawn",
    ]
    assert "has no seen classes" in cells[3].reason


def test_options_replace_those_of_the_rows_and_settings_add_to_them(tmp_path: Path, host: Host) -> None:
    table = (
        'protocols = ["ucf101/all"]\n[[rows]]\nmethods = ["nearest-text"]\nvisual = "captions"\ntext = "minilm-l6"\n'
    )
    file = sweep_file.read(written(tmp_path, table + 'settings = ["visual.join=true"]'))
    [cell] = file.cells(host, ["sketch/compositional"], text="hashed-words", settings=("text.dim=64",))
    assert cell.spec is not None
    assert cell.spec.what.protocol.name == "sketch/compositional"
    parts = cell.spec.what.parts
    assert (parts["text"].name, parts["text"].options["dim"]) == ("hashed-words", 64)
    assert parts["visual"].options["join"] is True


@pytest.mark.parametrize("name", ["ucf101.toml", "sketch.toml"])
def test_the_files_of_the_benchmark_are_sound(name: str, host: Host) -> None:
    assert any(cell.spec for cell in sweep_file.read(ROOT / "benchmarks" / name).cells(host, threads=1))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("rows = 3\nprotocol = 1", ("did you mean 'protocols'", "it has no rows", "protocols is not a list of names")),
        ('protocols = ["a"]\n[[rows]]\nmethod = "chance"', ("row 1: methods is not a list of names",)),
        ('protocols = ["a"]\n[[rows]]\nmethods = ["chance"]\nvisuals = "x"', ("row 1: ", "did you mean 'visual'")),
        (
            'protocols = ["a"]\n[[rows]]\nmethods = ["chance"]\nnot_on = "a"',
            ("row 1: not_on is not a table of reasons",),
        ),
        ('protocols = ["a"]\n[[rows]]\nmethods = ["chance", "chance"]', ("'chance' is the label of two rows",)),
        (
            'protocols = ["a"]\n[[rows]]\nmethods = ["chance"]\nlabel = 3\n'
            '[[rows]]\nmethods = ["chance"]\nlabel = " "\n[[rows]]\nmethods = ["chance"]\nlabel = "a\\nb"',
            ("row 1: label is not a text of one line", "row 2: label", "row 3: label"),
        ),
        (
            'protocols = ["a"]\n[[rows]]\nmethods = ["chance"]\nsettings = "loss.margin=1"',
            ('row 1: settings is not a list of texts. Try: settings = ["loss.margin=1"]',),
        ),
        (
            'protocols = ["a"]\n[[rows]]\nmethods = ["chance"]\nprotocol = "b"\n'
            '[[rows]]\nmethods = ["sae"]\nout = "elsewhere"',
            ("row 1: protocol is not a row's own", "row 2: out is not a row's own. Try: --out"),
        ),
        ("protocols = [", ("is not valid TOML",)),
    ],
)
def test_the_mistakes_of_a_file_come_at_once(table: str, says: tuple[str, ...], tmp_path: Path) -> None:
    done = swept("--file", written(tmp_path, table))
    assert done.exception is not None
    assert all(part in str(done.exception) for part in says), done.exception
    assert all(str(tmp_path / "rows.toml") in line for line in str(done.exception).splitlines())


def test_the_mistakes_of_all_rows_come_before_the_first_is_measured(tmp_path: Path, host: Host) -> None:
    table = TABLE + '[[rows]]\nmethods = ["chnce"]\n[[rows]]\nmethods = ["chance"]\nlabel = "often"\nseeds = "many"\n'
    with pytest.raises(UsageErrors) as caught:
        sweep_file.read(written(tmp_path, table)).cells(host)
    assert "did you mean 'chance'" in str(caught.value)
    assert "--seeds is 'many'; it takes a whole number" in str(caught.value)


def test_a_reason_for_a_misspelt_protocol_is_a_mistake(tmp_path: Path, host: Host) -> None:
    file = sweep_file.read(written(tmp_path, TABLE.replace('"ucf101/all" = "is', '"ucf101/al" = "is')))
    with pytest.raises(UsageErrors, match="row 'chance': unknown protocol in not_on 'ucf101/al'; did you mean"):
        file.cells(host)
    mine = sweep_file.read(written(tmp_path, TABLE.replace('"ucf101/all"', '"mine.toml"')))
    assert "mine.toml" in mine.protocols  # and so known, whatever is swept this time
    assert mine.cells(host, ["sketch/compositional"])


def test_what_a_file_decides_cannot_be_given_as_an_option_too(tmp_path: Path) -> None:
    file = written(tmp_path)
    for words, flag in ((("--grid", "loss=a,b"), "--grid"), (("--method", "chance"), "--method"),
                        (("--format", "csv"), "--format"), (("loss=a,b",), "NAME=VALUE,VALUE")):  # fmt: skip
        assert f"{flag} does not go with --file" in str(swept("--file", file, *words).exception)
    assert "nothing to sweep" in str(swept("--method", "chance").exception)
    assert "does not exist" in str(swept("--file", tmp_path / "no.toml").exception)


@pytest.mark.usefixtures("drawn_sketch")
def test_a_file_that_is_swept_again_measures_nothing(tmp_path: Path) -> None:
    words = ("--file", written(tmp_path), "--out", tmp_path / "out", "--protocol", "sketch/compositional",
             "--set", "dataset.clips_per_class=1")  # fmt: skip
    first = swept(*words)
    assert first.exit_code == 0, first.output
    [path] = results.find(tmp_path / "out")
    accuracy = results.read(path).summary["top1_per_video"].mean
    assert f"| chance | {100 * accuracy:.1f} ± 0.0 |" in first.stdout
    assert "| zsarcap on documents | – |" in first.stdout
    assert "- eszsl, sae on sketch/compositional: reads captions, and those of drawn clips" in first.stdout
    assert "- zsarcap on documents on sketch/compositional: needs captions" in first.stdout
    assert swept(*words).stdout == first.stdout
    assert f"chance on sketch/compositional: {path}" in swept(*words, "--plan").stdout
    listed = json.loads(swept(*words, "--json").stdout)
    assert [(item["label"], item["protocol"], item["result"]) for item in listed][:2] == [
        ("chance", "sketch/compositional", str(path)), ("eszsl", "sketch/compositional", None),
    ]  # fmt: skip
    assert results.find(tmp_path / "out") == [path]

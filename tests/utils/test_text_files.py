"""Text files as people, spreadsheets and other systems write them."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsarbench.errors import UsageError
from zsarbench.utils import text_files

COLUMNS = ("clip", "label")


def written(folder: Path, content: bytes | str) -> Path:
    (folder / "clips.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "clips.csv"


def table(folder: Path, content: bytes | str) -> list[tuple[int, str, str]]:
    """Return line, clip and label of each row."""
    found = text_files.rows(written(folder, content), "annotations", COLUMNS)
    return [(int(where.rpartition(" ")[2]), row["clip"], row["label"]) for where, row in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("clip,label\na,x\nb,y\n", [(2, "a", "x"), (3, "b", "y")]),
        ("\ufeffclip,label\r\na,x\r\n", [(2, "a", "x")]),  # a spreadsheet's UTF-8
        ("clip,label\ra,x\rb,y", [(2, "a", "x"), (3, "b", "y")]),  # line endings of old systems
        ("clip;label\na,1;x\n", [(2, "a,1", "x")]),
        ("clip\tlabel\na\tx\n", [(2, "a", "x")]),
        (" Label , CLIP \n x , a \n", [(2, "a", "x")]),
        ('clip,label\n"a, b" , "say ""x"""\n', [(2, "a, b", 'say "x"')]),
        ('clip,label\na,"x\r\ny"\nb,z\n', [(2, "a", "x\ny"), (4, "b", "z")]),
        ("clip,label\n\n,,,\na,x,,\n\n", [(4, "a", "x")]),  # rows of nothing, and empty cells at the end
        ("\n\nclip,label\na\n", [(4, "a", "")]),
        ("clip,label\n\ufeffa,\u200bx\u00a0\n", [(2, "a", "x")]),  # joined files, and blanks that nobody sees
        ("clip,label\na,x\u2028y\n", [(2, "a", "x\u2028y")]),  # a line separator inside a text ends no line
        ("clip,label\na," + "x" * 200_000 + "\n", [(2, "a", "x" * 200_000)]),
    ],
)
def test_a_table_is_read_however_it_is_written(tmp_path: Path, content: str, expected: list[tuple]) -> None:
    assert table(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "clip,label\na,capoéira\n".encode("cp1252"),
            "line 2 is not UTF-8 text: it looks like Windows-1252 or",
        ),
        ("clip,label\na,x\n".encode("utf-16"), "line 1 is not UTF-8 text: it looks like UTF-16.*iconv -f UTF-16 -t"),
        ("clip,label\na,x\n".encode("utf-16-be"), "line 1 is not UTF-8 text: it looks like UTF-16BE"),
        (codecs.BOM_UTF32_LE + "clip\n".encode("utf-32-le"), "line 1 is not UTF-8 text: it looks like UTF-32"),
        ("clip,label\na,跑步\n".encode("gb18030"), "line 2 is not UTF-8 text: it looks like GB18030"),
        ("clip,label\na,Привет\nb,мир ура\n".encode("cp1251"), "line 2 is not UTF-8 text: it is in another encoding"),
        (b"PK\x03\x04\x14\x00\x06\x00", "it looks like a zip archive or an Excel workbook. Try: save it as CSV"),
        (b"\x1f\x8b\x08\x00", "it looks like a gzip archive"),
        (b"clip,label\na,x\nb,y\0z\n", "line 3 is not UTF-8 text: it holds a NUL"),
        (b"clip,label\na,x\xc3", "line 2 is not UTF-8 text: it ends inside a character"),
        ("", r"lacks the columns clip, label; it is empty. Try: clip,label as its first line"),
        ("a,x\n", "lacks the columns clip, label; its first line is 'a,x'"),
        ("clip,label,Label\n", "has the column 'label' twice"),
        ("clip,label\na,x, y\n", "line 2 has 3 cells, but the first line has 2. Try: double quotes"),
        ('clip,label\na,x\nb,"y\nc,z\n', "line 3 is not a row of cells: unexpected end of data. Try: double quotes"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, content: bytes | str, message: str
) -> None:
    with pytest.raises(UsageError, match=r"annotations .*clips\.csv.*" + message):
        table(tmp_path, content)


def test_a_name_may_begin_as_a_comment_does(tmp_path: Path) -> None:
    path = written(tmp_path, "# clips of HMDB-51\n#\n#2_Gum_chew_h_nm_np1_fr_med_1\n#\tby name\n")
    assert text_files.names(path, "list") == ["#2_Gum_chew_h_nm_np1_fr_med_1"]


def test_a_list_has_no_blanks_and_comments(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff# classes\r\n  one \r\n\r\n two\u00a0words\r\n  # three\r\n")
    assert text_files.names(path, "list") == ["one", "two\u00a0words"]
    assert [where[-1] for where, _ in text_files.lines(path, "list")] == ["1", "2", "4", "5"]


@pytest.mark.once
def test_the_line_is_right_in_a_file_that_is_read_in_pieces(tmp_path: Path) -> None:
    content = b"x\n" * 1_500_000 + b"caf\xe9 latte\n" + b"x\n" * 10
    for read in (text_files.read_text, lambda path, what: list(text_files.lines(path, what))):
        with pytest.raises(UsageError, match="line 1500001 is not UTF-8 text: it looks like Windows-1252"):
            read(written(tmp_path, content), "list")


@pytest.mark.parametrize(
    "read", [text_files.read_text, lambda path, what: list(text_files.lines(path, what))], ids=["whole", "lines"]
)
def test_places_that_are_not_a_text_file_are_one_line(tmp_path: Path, read: Callable[[Path, str], object]) -> None:
    for place, message in (
        (tmp_path, "cannot be read: it is a folder"),
        (tmp_path / "none", "does not exist"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (tmp_path / "nul\0", "cannot be read: a name must not hold NUL"),
    ):
        with pytest.raises(UsageError, match=message):
            read(place, "list")


def message_of(read: Callable[[], object]) -> str:
    try:
        read()
    except UsageError as error:
        return str(error)
    return ""


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text('a",;\t\r\n\0é\ufeff #', max_size=30).map(str.encode))
def test_no_bytes_are_more_than_one_line_of_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    assert "\n" not in message_of(lambda: list(text_files.rows(path, "annotations", ("a",))))
    assert "\n" not in message_of(lambda: text_files.names(path, "list"))
    assert "\n" not in message_of(lambda: text_files.read_text(path, "list"))


cells = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])).map(text_files.bare)


@given(st.lists(st.tuples(cells.filter(bool), cells), max_size=5))
def test_what_a_spreadsheet_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, content: list[tuple[str, str]]
) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [COLUMNS, *content]]
    found = table(tmp_path_factory.getbasetemp(), "\r\n".join(quoted))
    assert [(clip, label) for _, clip, label in found] == content

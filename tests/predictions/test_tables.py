"""Predictions in tables: spreadsheets (.xlsx) and parquet, and what is damaged or hostile is refused in words."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from listed import NAMES, Place, clips_of, findings
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.predictions.tables import parquet_rows, spreadsheet_rows
from zsarbench.utils.foreign import guarded

openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
CLIPS = clips_of(2)
SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path, CLIPS)


def write(place: Place, rows: Sequence[Sequence[Any]], *more: Sequence[Sequence[Any]], name: str = "p.xlsx") -> str:
    """Write a spreadsheet, a sheet for each table, and return its name."""
    book = openpyxl.Workbook()
    for number, table in enumerate((rows, *more)):
        sheet = book.active if number == 0 else book.create_sheet()
        for row in table:
            sheet.append(list(row))
    book.save(place.path / name)
    return name


def changed(place: Place, name: str, part: str, change: Callable[[str], str]) -> str:
    """Change a part of a spreadsheet's archive, and return its name."""
    path = place.path / name
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in parts.items():
            archive.writestr(one, content)
    return name


def with_cell(sheet: str, name: str, cell: str) -> str:
    """Return the XML of a sheet with another cell in the place of one."""
    found, n_found = re.subn(rf'<c r="{name}".*?</c>', cell, sheet)
    assert n_found == 1
    return found


def labels() -> list[tuple[Any, ...]]:
    return [("Clip", "Label"), *CLIPS.items()]


def test_the_first_sheet_is_read_with_its_first_row_as_names_and_no_empty_row(place: Place) -> None:
    rows: list[tuple[Any, ...]] = [("Clip ", " LABEL", None, "made"), *((f" {clip}.mp4", name, None, date(2026, 1, 2))
                                                                       for clip, name in CLIPS.items())]  # fmt: skip
    file = write(place, [(), *rows[:9], (), (None, "  "), *rows[9:]], [("clip", "label"), ("a", "golf")])
    [one] = place.score(file, "--field", "label=label")  # which says that they are no true labels
    assert (one.summary["top1_per_video"].mean, findings(one)) == (1.0, {})
    assert one.method.record["account"]["not_read"] == ["made"]


def test_numbers_are_scores_and_indices_stand_for_classes(place: Place) -> None:
    scores = [("clip", *NAMES), *((clip, *(float(one == name) for one in NAMES)) for clip, name in CLIPS.items())]
    [one] = place.score(write(place, scores))
    assert one.summary["top1_per_video"].mean == 1.0
    numbers = [("clip", "prediction"), *((clip, NAMES.index(name)) for clip, name in CLIPS.items())]
    (place.path / "order.txt").write_text("\n".join(NAMES))
    [one] = place.score(write(place, numbers), "--class-order", str(place.path / "order.txt"))
    assert one.summary["top1_per_video"].mean == 1.0


def test_of_a_formula_the_stored_value_counts_and_without_one_it_is_refused(place: Place) -> None:
    file = write(place, [*labels()[:-1], (list(CLIPS)[-1], '=LOWER("Surfing")')])
    with pytest.raises(UsageError, match=r"row 25 has a formula without a value\. Try: .* save it as CSV"):
        place.score(file)
    stored = '<c r="B25" t="str"><f>LOWER("Surfing")</f><v>surfing</v></c>'
    changed(place, file, SHEET, lambda text: with_cell(text, "B25", stored))
    [one] = place.score(file)
    assert one.summary["top1_per_video"].mean == 1.0


def test_text_that_begins_like_a_formula_is_text(place: Place) -> None:
    """VLMEvalKit writes what a model answered with `strings_to_formulas` off."""
    cell = '<c r="B25" t="inlineStr"><is><t>=1+1</t></is></c>'
    file = changed(place, write(place, labels()), SHEET, lambda text: with_cell(text, "B25", cell))
    [one] = place.score(file)
    assert findings(one) == {"unknown-labels": 1, "foreign": 1}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"p\.xlsx is empty: its first sheet has no row"),
        ([("clip", "label")], r"p\.xlsx is empty$"),
        ([("film", "label"), ("a", "golf")], "row 2 has no field that names the clip, such as clip"),
        ([("clip",), ("a",)], r"row 2 has no field but 'clip'; what is predicted\?"),
        ([("clip", "label", "CLIP"), ("a", "golf", "b")], "row 1 has the column 'clip' twice"),
        ([("clip", "label"), ("a", "golf", "b")], "row 2 has 3 cells, but its first row names 2 columns"),
        ([("clip", "label"), (None, "golf")], "row 2 has no text in 'clip', which names the clip"),
        ([("clip", "label"), ("a", True)], "row 2 has a label that is neither a name nor an index: True"),
        ([("index", "question", "prediction"), (1, "What?", "golf")], "VLMEvalKit in which no field names the clip"),
    ],
)
def test_a_spreadsheet_of_something_else_is_one_clear_error(place: Place, rows: Any, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        place.score(write(place, rows))


def test_a_spreadsheet_that_is_large_when_unpacked_is_refused_by_what_it_states(place: Place) -> None:
    file = write(place, labels())
    with (
        zipfile.ZipFile(place.path / file, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/media/blank.bin", "w", force_zip64=True) as part,
    ):
        for _ in range(129):
            part.write(bytes(2**20))
    assert (place.path / file).stat().st_size < 2**20
    with pytest.raises(
        ZsarbenchError, match=r"when it is unpacked; spreadsheets of more than 134,217,728 are not read"
    ):
        place.score(file)


def test_an_archive_that_states_less_than_it_holds_is_damaged(place: Place) -> None:
    file = write(place, labels())
    content = (place.path / file).read_bytes()
    with zipfile.ZipFile(place.path / file) as archive:
        size = archive.getinfo(SHEET).file_size
    at = content.rindex(SHEET.encode()) - 46  # of the entry in the directory at the end
    assert int.from_bytes(content[at + 24 : at + 28], "little") == size
    (place.path / file).write_bytes(content[: at + 24] + (size // 2).to_bytes(4, "little") + content[at + 28 :])
    with pytest.raises(ZsarbenchError, match="cannot be read: it is damaged"):
        place.score(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('<row r="9"', '<row r="99999999999"'), "has more than 4,000,000 cells"),
        (
            lambda text: text.replace("</sheetData>", '<row><c r="XFD1"/></row>' * 300 + "</sheetData>"),
            "4,000,000 cells",
        ),
        (
            lambda text: text.replace("</sheetData>", f"<row>{'<c/>' * 4_000_000}</row></sheetData>"),
            "about a million cells",
        ),
        (lambda text: text.replace("<row ", "<row><", 1), "is damaged"),
        (lambda text: with_cell(text, "A2", '<c r="A2" t="s"><v>4000</v></c>'), "is damaged"),
        (lambda text: text.replace('r="A1"', 'r="ZZZZZZ1"'), "is damaged"),
        (lambda text: with_cell(text, "A2", '<c r="A2" t="str"><v>&none;</v></c>'), "is damaged"),
    ],
    ids=["row number", "column numbers", "tags", "no XML", "no such text", "column", "entity"],
)
def test_a_damaged_sheet_is_refused(place: Place, change: Callable[[str], str], message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        place.score(changed(place, write(place, labels()), SHEET, change))


def test_a_size_that_a_sheet_states_takes_no_memory(place: Place) -> None:
    file = changed(place, write(place, labels()), SHEET, lambda text: text.replace("A1:B25", "A1:XFD1048576"))
    [one] = place.score(file)
    assert one.summary["top1_per_video"].mean == 1.0


@pytest.mark.parametrize("content", [b"", b"PK", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
def test_what_is_no_archive_is_damaged(place: Place, content: bytes) -> None:
    (place.path / "p.xlsx").write_bytes(content)
    with pytest.raises(ZsarbenchError, match="is damaged: File is not a zip file"):
        place.score("p.xlsx")


def test_without_openpyxl_the_extra_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(place, labels())
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        UsageError, match=r"openpyxl, which is not installed\. Try: pip install 'zsarbench\[xlsx\]', or"
    ):
        place.score(file)


@pytest.mark.parametrize("ending", ["xls", "ods"])
def test_another_spreadsheet_is_refused_with_the_way_out(place: Place, ending: str) -> None:
    (place.path / f"p.{ending}").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"of spreadsheets xlsx is read\. Try: save it as xlsx, CSV or TSV"):
        place.score(f"p.{ending}")


@pytest.mark.parametrize(("size", "message"), [(2**27, "is damaged"), (2**27 + 1, "134,217,729 bytes when it is unp")])
def test_128_mebibytes_may_be_unpacked(tmp_path: Path, size: int, message: str) -> None:
    path = tmp_path / "p.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.xml", b"<a/>")
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02") + 24  # where the directory states the size of the part
    path.write_bytes(content[:at] + size.to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(ZsarbenchError, match=message), guarded("predictions", path):
        list(spreadsheet_rows(path, "predictions"))


def test_cells_of_a_data_frame_are_read_in_the_types_of_json(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    frame = pd.DataFrame(
        {"clip": ["a", None], "count": np.array([1, 2]), "score": [0.5, float("nan")], "list": [[1.0, 2.0], ["x"][:0]]}
    )
    frame.to_parquet(tmp_path / "p.parquet")
    (first, one), (second, other) = parquet_rows(tmp_path / "p.parquet", "predictions")
    assert one == {"clip": "a", "count": 1, "score": 0.5, "list": [1.0, 2.0]}
    assert other == {"clip": None, "count": 2, "score": None, "list": []}
    assert type(one["count"]) is int
    assert [first, second] == [f"predictions {tmp_path / 'p.parquet'}, row {number}" for number in (0, 1)]

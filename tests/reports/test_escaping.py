"""Whatever stands in a result of others, no format lets it act: properties of each escaping, and of whole tables."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from samples import sample_result, sample_scores
from zsarbench.reports import escaping, formats
from zsarbench.reports import table as tables
from zsarbench.reports.leaderboard import board, build, site
from zsarbench.results import RunResult
from zsarbench.utils.documents import json_text

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]"
)
PAYLOADS = (
    "a\nb\\input{/etc/passwd}\\immediate\\write18{id}",
    "%\n\\end{table}\\input{x}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) ![i](http://host/i.png)",
    "a\n\n# heading\n\n| a | b |",
    "=cmd|'/c calc'!A0",
    "\t=1+1",
    "@SUM(1)",
    "-2+3",
    "\r=1",
    "\uff1d1+1",
    "a\r\nb",
    '"a","b"\n"c',
    "\x1b[2J\x1b]8;;http://host\x07link\x1b]8;;\x07",
    "\x9b31m \x07",
    "abc\u202edcba\u2066",
    "[bold red]markup[/]",
    "\ud800",
    "`" * 40,
    "$\\alpha$ ab2§=§8yz",
)
ANY = st.one_of(st.sampled_from(PAYLOADS), st.text(alphabet=st.characters(), max_size=30))
HOSTILE = settings(max_examples=150)


@given(ANY)
@HOSTILE
def test_a_terminal_gets_one_line_without_control_characters(text: str) -> None:
    shown = escaping.terminal(text)
    assert not ACTING.search(shown)
    assert "\n" not in shown
    shown.encode()


def latex_shows(source: str) -> str:
    """Return what LaTeX sets for a source without commands but the escapes; fails where anything else would act."""
    named = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^"}
    shown, position = "", 0
    while position < len(source):
        found = re.compile(r"\\(?:(textbackslash|textasciitilde|textasciicircum)\{\}|([&%$#_{}]))").match(
            source, position
        )
        if found:
            shown += named[found[1]] if found[1] else found[2]
            position = found.end()
        else:
            assert source[position] not in "\\{}$&#^_~%\n\r", source
            shown += source[position]
            position += 1
    return shown


@given(ANY)
@HOSTILE
@example("\\%{")
def test_latex_sets_a_text_as_it_is(text: str) -> None:
    assert latex_shows(escaping.latex(text)) == escaping.terminal(text)


@given(ANY)
@HOSTILE
def test_no_spreadsheet_takes_a_cell_for_a_formula_and_csv_reads_it_back(text: str) -> None:
    cell = escaping.csv_cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert not cell.startswith(("\t", "\r", "\n"))
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow([cell, "next"])
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline=""), strict=True)) == [[cell, "next"]]
    cell.encode()


@given(
    st.recursive(ANY, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ANY, inner, max_size=2), max_leaves=4)
)
@HOSTILE
def test_json_shows_no_control_character_and_loads_as_it_was(value: Any) -> None:
    text = json_text(value)
    assert not ACTING.search(text)
    assert json.loads(text) == value


def hostile(text: str, **changes: Any) -> RunResult:
    """Return a result of others with a text in every field of free text."""
    result = sample_result(sample_scores(), "chance", **changes)
    replace = dataclasses.replace
    return replace(
        result,
        method=replace(result.method, name=text, summary=text, source=text, options={"option": text}),
        parts={kind: replace(part, name=text, plugin=text) for kind, part in result.parts.items()},
        protocol=replace(result.protocol, name=text, summary=text, source=text),
        dataset=replace(result.dataset, name=text, revision=text),
        train_on=text,
        class_text=replace(result.class_text, form=text),
        objections=(text,),
        command=text,
    )


def table_of(text: str) -> Any:
    other = dataclasses.replace(hostile(text), limit=None, spec_id="0" * 8, created="2020-01-01T00:00:00Z")
    apart = dataclasses.replace(other, dataset=dataclasses.replace(other.dataset, revision=f"2{text}"))
    return tables.build([hostile(text), apart], [], extra_columns=lambda _: {text: text} if text.strip() else {})


@pytest.mark.parametrize("text", PAYLOADS)
def test_no_table_lets_a_foreign_text_act(text: str) -> None:
    table = table_of(text)
    for reporter in (formats.Rich(120), formats.Markdown(), formats.Csv(), formats.Latex(), formats.Json()):
        rendered = reporter.render(table)
        assert not ACTING.search(rendered), type(reporter).__name__
    rows = list(csv.reader(io.StringIO(formats.Csv().render(table), newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]
    json.loads(formats.Json().render(table))


@pytest.mark.parametrize("text", PAYLOADS)
def test_markdown_of_tables_and_of_the_leaderboard_holds_no_element_of_a_foreign_text(text: str) -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    allowed = {
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "bullet_list",
        "list_item",
        "paragraph",
        "heading",
        "strong",
    }
    whole = build.markdown(board.build_board([hostile(text)], []))
    for source, n_headings in ((formats.Markdown().render(table_of(text)), 1), (whole, 3)):
        tokens = parser.parse(source)
        tokens += [child for token in tokens for child in token.children or ()]
        kinds = {re.sub("_(open|close)$", "", token.type) for token in tokens}
        assert kinds <= allowed | {"inline", "text", "text_special", "softbreak", "fence", "code_inline"}
        assert sum(token.type == "heading_open" for token in tokens) == n_headings


@pytest.mark.parametrize("text", PAYLOADS)
def test_latex_of_a_table_runs_no_command_of_a_foreign_text(text: str) -> None:
    own = r"\\(begin|end|centering|caption|toprule|midrule|bottomrule|par|footnotesize|text\w+)\b|\\[\\&%$#_{}]"
    for line in formats.Latex().render(table_of(text)).splitlines():
        if not line.startswith("% "):
            assert "\\" not in re.sub(own, "", line), line
            assert not re.search(r"(?<!\\)%", line)


@pytest.mark.parametrize("text", [text for text in PAYLOADS if text != "\ud800"])  # no result file holds that
def test_the_page_shows_control_characters_and_escapes_the_rest(text: str) -> None:
    page = site.page(board.build_board([hostile(text)], []))
    assert not ACTING.search(page)
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page

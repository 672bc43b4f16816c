"""Names and notes come out of Markdown as they went in, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from samples import sample_result, sample_scores
from zsarbench.reports import formats
from zsarbench.reports import table as tables
from zsarbench.reports.escaping import markdown as escape
from zsarbench.reports.leaderboard import board, build

SPECIAL = st.text(alphabet="\\\\`*_{}[]<>#|~!&$+-=.:;()1a b/", max_size=12)
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def leaves(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from leaves(token.children) if token.children else [token]


def shown(source: str, around: set[str]) -> str:
    """Return the text of parsed Markdown in which nothing but `around` is marked up."""
    tokens = PARSER.parse(source)
    marked = {token.type for token in leaves(tokens)} - {"inline"}
    assert marked <= around | {"text", "text_special"}, marked
    return "".join(token.content for token in leaves(tokens))


@given(SPECIAL)
@example("[a](b)")
@example("&amp;")
@example("1. one")
@example("- - -")
@example("a\\\\|b")
def test_text_in_a_list_and_in_a_cell_is_shown_as_it_is(text: str) -> None:
    in_list = {f"{name}_{end}" for name in ("bullet_list", "list_item", "paragraph") for end in ("open", "close")}
    in_table = {f"{name}_{end}" for name in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")}
    plain = " ".join(text.split())
    assert shown(f"- {escape(text)}", in_list) == plain
    assert shown(f"| head |\n|---|\n| {escape(text)} |", in_table) == f"head{plain}"


@pytest.mark.parametrize("name", ["a~b", "a{b}", "x#63", "a$b$c", "a!b", "a_b*c`d|e<f>g"])
def test_a_name_reads_the_same_in_a_table_and_on_the_leaderboard(name: str) -> None:
    result = sample_result(sample_scores(), name)
    table = formats.Markdown().render(tables.build([result]))
    whole = build.markdown(board.build_board([result], []))
    assert f" {escape(name)} " in table
    assert f" {escape(name)} " in whole

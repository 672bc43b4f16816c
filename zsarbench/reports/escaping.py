"""Text that others wrote, put into what is rendered so that it reads as it stands and nothing in it acts.

One function for each format; JSON is `zsarbench.utils.documents.json_text`, HTML is escaped by jinja2. All show control
characters as `zsarbench.utils.output.visible` does.
"""

from __future__ import annotations

import re

from zsarbench.utils.output import one_line, visible

_ALWAYS = r"[\\`*_{}<>|~!$]"
_IN_PLACE = r"&(?=#?\w+;)|#(?=\S)|\](?=[(\[:])"  # an entity, a heading or an issue's number, a link
_AT_START = r"^#(?=\s|$)|^[-+=](?=[\s=-]|$)|^\[(?=[ xX]\])"  # a heading, a list, a rule, a box to tick
_SPECIAL = re.compile(f"{_ALWAYS}|{_IN_PLACE}|{_AT_START}")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_LATEX = str.maketrans(
    {
        **{char: f"\\{char}" for char in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)
_FORMULA = re.compile(r"\s*[=+@＝＋－＠-]|[\t\r\n]")


def terminal(text: str) -> str:
    r"""Return text on one line that a terminal shows and does not obey.

    >>> print(terminal("a\x1b]8;;http://b\x07\n c"))
    a\x1b]8;;http://b\x07 c
    """
    return one_line(text)


def markdown(text: str) -> str:
    r"""Return text on one line that GitHub-flavoured Markdown shows as it is, in a table, a list or a heading.

    >>> markdown("a~b_c [49.0, 50.0] & co")
    'a\\~b\\_c [49.0, 50.0] & co'
    """
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", one_line(text)))


def latex(text: str) -> str:
    r"""Return text on one line that LaTeX sets as it is, in a caption, a comment or any cell but the first of a row.

    >>> print(latex("50 % of \\input{x}"))
    50 \% of \textbackslash{}input\{x\}
    """
    return one_line(text).translate(_LATEX)


def figure(text: str) -> str:
    r"""Return text on one line that matplotlib draws as it is, not as a formula.

    >>> print(figure("$\\frac$"))
    \$\frac\$
    """
    return one_line(text).replace("$", r"\$")


def csv_cell(text: str) -> str:
    r"""Return a text that no spreadsheet takes for a formula: one that could be is preceded by an apostrophe.

    >>> csv_cell("=1+1"), csv_cell("a=b")
    ("'=1+1", 'a=b')
    """
    return visible(f"'{text}" if _FORMULA.match(text) else text)

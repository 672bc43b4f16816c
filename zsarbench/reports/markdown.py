"""Text that others wrote, put into Markdown so that it reads as it stands."""

from __future__ import annotations

import re

_ALWAYS = r"[\\`*_{}<>|~!$]"
_IN_PLACE = r"&(?=#?\w+;)|#(?=\S)|\](?=[(\[:])"  # an entity, a heading or an issue's number, a link
_AT_START = r"^#(?=\s|$)|^[-+=](?=[\s=-]|$)"  # a heading, a list, a rule
_SPECIAL = re.compile(f"{_ALWAYS}|{_IN_PLACE}|{_AT_START}")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")


def escape(text: str) -> str:
    r"""Return text on one line that GitHub-flavoured Markdown shows as it is, in a table or a list.

    >>> escape("a~b_c [49.0, 50.0] & co")
    'a\\~b\\_c [49.0, 50.0] & co'
    """
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", " ".join(text.split())))

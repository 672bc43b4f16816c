"""Addresses that citations name: papers on arXiv, files and repositories on GitHub, pages."""

from __future__ import annotations

import re
from typing import NamedTuple


class Link(NamedTuple):
    """A link: what it shows and where it leads, always an https address."""

    label: str
    address: str


_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})(?!\d)")
_REPOSITORY = re.compile(
    r"(?<![\w./@-])([A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_][A-Za-z0-9._-]*)"  # owner/name
    r"(?: ([0-9a-f]{7,40})\b)?"
    r"(?:, ((?:[\w.-]+/)*[\w-]+\.\w{1,5})(?![\w/.]))?"  # a file in it
)
_PAGE = re.compile(r"(?<![\w./@-])(?:https://)?((?:[a-z0-9-]+\.)+(?:com|org|net|io|ai|edu)/[\w./~%-]*[\w/])")
_NEITHER = re.compile(r"(?i)\b(?:and/or|\d+/\d+)\b")


def links_in(text: str) -> tuple[Link, ...]:
    """Return the links that a citation names, papers first, each once.

    >>> for link in links_in("CEZSAR, arXiv:2605.01165; after the release valterlej/cezsar f3eef3e, data/a.json (MIT)"):
    ...     print(*link)
    arXiv:2605.01165 https://arxiv.org/abs/2605.01165
    valterlej/cezsar https://github.com/valterlej/cezsar/blob/f3eef3e/data/a.json
    """
    found = [Link(match[0], f"https://arxiv.org/abs/{match[1]}") for match in _ARXIV.finditer(text)]
    pages = [Link(match[1].split("/")[0], f"https://{match[1]}") for match in _PAGE.finditer(text)]
    rest = _PAGE.sub(" ", _NEITHER.sub(" ", text))
    found += [Link(match[1], _on_github(*match.groups())) for match in _REPOSITORY.finditer(rest) if _is_name(match)]
    return tuple(dict.fromkeys([*found, *pages]))


def _is_name(match: re.Match[str]) -> bool:
    """Return whether owner/name is a repository: with a commit or a file, or after words that say so."""
    before = match.string[: match.start()]
    return bool(match[2] or match[3] or re.search(r"(?:release|repository|of|\() ?$", before))


def _on_github(name: str, commit: str | None, file: str | None) -> str:
    address = f"https://github.com/{name}"
    if commit is None:
        return address
    return f"{address}/blob/{commit}/{file}" if file else f"{address}/tree/{commit}"

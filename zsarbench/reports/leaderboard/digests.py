"""The digests of committed results: what their scores do not give, such as texts and seconds, is as it was recorded.

`SHA256SUMS` in the folder of results has the form of `sha256sum`, so that `sha256sum --check SHA256SUMS` reads it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.documents import MAX_BYTES
from zsarbench.utils.foreign import sha256_of
from zsarbench.utils.text_files import read_text

FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def digest_problems(folder: Path) -> list[str]:
    """Return where results under a folder are not those that its `SHA256SUMS` lists; [] where there is no such file.

    Raises:
        ZsarbenchError: the list cannot be read.
    """
    if not (folder / FILE).exists():
        return []
    listed, found = _read(folder / FILE), _digests(folder)
    return [
        *(
            f"result file {folder / name} is not the one that {FILE} lists (sha256 differs); a repeated measurement is "
            "another file: put this one back, or delete both and measure again"
            for name in sorted(listed.keys() & found.keys())
            if listed[name] != found[name]
        ),
        *(f"result file {folder / name} is listed in {FILE} and does not exist" for name in _less(listed, found)),
        *(
            f"result file {folder / name} is not listed in {FILE}. Try: zsarbench leaderboard seal --results {folder}"
            for name in _less(found, listed)
        ),
    ]


def seal(folder: Path) -> tuple[list[str], list[str]]:
    """List the digests of results under a folder that are not listed yet; return the names added, and those dropped.

    A line of a result that does not exist any more is dropped; no line is ever changed.

    Raises:
        ZsarbenchError: a listed result is another one now, a result is not valid, or the list cannot be read.
    """
    path = folder / FILE
    listed = _read(path) if path.exists() else {}
    _, unsound = results.read_all(folder)
    found = _digests(folder)
    changed = [
        f"result file {folder / name} is not the one that {FILE} lists; its line is kept"
        for name in sorted(listed.keys() & found.keys())
        if listed[name] != found[name]
    ]
    if problems := [*unsound.values(), *changed]:
        raise ZsarbenchError("\n".join(problems))
    write_atomic(path, "".join(f"{found[name]}  {name}\n" for name in sorted(found)).encode())
    return _less(found, listed), _less(listed, found)


def _less(these: Iterable[str], those: Iterable[str]) -> list[str]:
    return sorted(set(these) - set(those))


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each result under a folder by its name in it."""
    return {
        path.relative_to(folder).as_posix(): sha256_of(path, "result file", MAX_BYTES) for path in results.find(folder)
    }


def _read(path: Path) -> Mapping[str, str]:
    lines = read_text(path, "list of digests").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    if None in found:
        number = found.index(None) + 1
        raise ZsarbenchError(f"list of digests {path}, line {number} is not a SHA-256, two blanks and a name")
    return {match[2]: match[1] for match in found if match is not None}

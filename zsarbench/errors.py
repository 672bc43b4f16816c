"""Errors whose message is meant for a user and is printed without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_SHOWN = 120  # characters of an unknown name


class ZsarbenchError(Exception):
    """An error for the user: what was requested, what is known, the nearest name and what to type.

    `exit_code` is what the command line returns: 1 the run failed, 2 the user requested something that does not exist.
    """

    exit_code = 1


class UsageError(ZsarbenchError):
    """A request for something that does not exist, or for things that do not go together (exit code 2)."""

    exit_code = 2


class NotGiven(UsageError):
    """A component that works only with what its user alone has, such as a file, without it."""


class UsageErrors(UsageError):
    """All mistakes of one command line, which are reported at once."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class NotApplicable(UsageErrors):
    """A method that cannot be run under a protocol, in a request that has no other mistake."""


class NoNegatives(ZsarbenchError):
    """A draw of negatives in which an anchor has no admissible text."""


def unknown(what: str, requested: str, known: Iterable[str], hint: str = "") -> str:
    """Return a message for an unknown name: what was requested, the nearest name, what is known, what to type.

    >>> unknown("method", "rigde", ["ridge", "chance"], "zsarbench list method")
    "unknown method 'rigde'; did you mean 'ridge'? Known: chance, ridge. Try: zsarbench list method"
    """
    names = sorted(known)
    if len(requested) > MAX_SHOWN:  # a damaged file may hold a name of any length
        requested = f"{requested[:MAX_SHOWN]}…"
    plain = {name.casefold(): name for name in reversed(names)}  # names are in small letters, but for some of metrics
    near = difflib.get_close_matches(requested.casefold(), plain, n=1, cutoff=0.5)
    guess = f"; did you mean '{plain[near[0]]}'?" if near else "."
    listed = ", ".join(names[:12]) + (f" … ({len(names)} in all)" if len(names) > 12 else "") if names else "none"
    return f"unknown {what} '{requested}'{guess} Known: {listed}." + (f" Try: {hint}" if hint else "")

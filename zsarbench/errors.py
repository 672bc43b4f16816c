"""Errors whose message is meant for a user and is printed without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZsarbenchError(Exception):
    """States what was asked, what is known, the nearest name and what to type.

    `exit_code` is what the command line returns: 1 the run failed, 2 the user asked for something that is not there.
    """

    exit_code = 1


class UsageError(ZsarbenchError):
    """Says that the user asked for something that does not exist or does not go together (exit code 2)."""

    exit_code = 2


class NotGiven(UsageError):
    """Says that a component works only with what its user alone has, such as a file, and that none was given."""


class UsageErrors(UsageError):
    """Holds all mistakes of one command line, so that they are reported at once."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class NotApplicable(UsageErrors):
    """Says that a method cannot be run under a protocol, in a request that has no other mistake."""


class NoNegatives(ZsarbenchError):
    """Says that a negative sampler has no admissible text for an anchor."""


def unknown(what: str, asked: str, known: Iterable[str], hint: str = "") -> str:
    """Return a message for an unknown name: what was asked, the nearest name, what is known, what to type.

    >>> unknown("method", "rigde", ["ridge", "chance"], "zsarbench list method")
    "unknown method 'rigde'; did you mean 'ridge'? Known: chance, ridge. Try: zsarbench list method"
    """
    names = sorted(known)
    near = difflib.get_close_matches(asked, names, n=1, cutoff=0.5)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    shown = ", ".join(names[:12]) + (f" … ({len(names)} in all)" if len(names) > 12 else "") if names else "none"
    return f"unknown {what} '{asked}'{guess} Known: {shown}." + (f" Try: {hint}" if hint else "")

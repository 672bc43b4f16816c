"""What campaigns share: a seed and a time limit for each trial, counts by kind, and how to repeat what failed."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

FAILURES = ("traceback", "wrong", "hang", "memory")
"""Outcomes that no trial may have; all others are handled."""
SHOWN = 12  # failures that are printed whole


class TooSlow(BaseException):
    """A trial that took longer than it may."""


@dataclass
class Campaign:
    """Trials by kind and outcome, and how to repeat those that failed."""

    name: str
    seed: int
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def rng(self, kind: str, number: int) -> random.Random:
        """Return the randomness of one trial: it depends on nothing but seed, kind and number."""
        return random.Random(f"{self.name} {self.seed} {kind} {number}")

    def note(self, kind: str, outcome: str, details: str = "") -> None:
        """Count a trial."""
        self.counts.setdefault(kind, Counter())[outcome] += 1
        if outcome in FAILURES:
            self.failures.append(f"{kind}: {outcome}: {details}")

    def trial(self, kind: str, number: int, run: Callable[[], str], *, seconds: float = 30.0) -> str:
        """Run one trial, whose `run` returns its outcome, and count it; whatever it raises is a failure."""
        try:
            with limited(seconds):
                outcome, details = run(), ""
        except TooSlow:
            outcome, details = "hang", f"more than {seconds:g} s"
        except KeyboardInterrupt:
            raise
        except BaseException:
            outcome, details = "traceback", traceback.format_exc(limit=-6)
        self.note(kind, outcome, f"repeat with --seed {self.seed} --only {kind} --first {number} --trials 1\n{details}")
        return outcome

    @property
    def n_failed(self) -> int:
        """How many trials failed."""
        return sum(counts[outcome] for counts in self.counts.values() for outcome in FAILURES)

    def table(self) -> str:
        """Return the counts as text."""
        outcomes = sorted({outcome for counts in self.counts.values() for outcome in counts}, key=_order)
        width = max(map(len, (*self.counts, "all"))) + 2
        total: Counter[str] = sum(self.counts.values(), Counter())
        lines = ["".ljust(width) + "".join(f"{name:>12}" for name in ("trials", *outcomes))]
        for kind, counts in (*self.counts.items(), ("all", total)):
            cells = (counts.total(), *(counts[outcome] for outcome in outcomes))
            lines.append(kind.ljust(width) + "".join(f"{cell:12,}" for cell in cells))
        seconds = time.monotonic() - self.started
        return "\n".join([*lines, f"{self.name}, seed {self.seed}: {self.n_failed} failed, {seconds:.0f} s"])

    def finish(self) -> int:
        """Print counts and failures; return the exit code."""
        print(self.table())
        for failure in self.failures[:SHOWN]:
            print(f"\n{failure}")
        if len(self.failures) > SHOWN:
            print(f"\n… and {len(self.failures) - SHOWN} more")
        return 1 if self.failures else 0


def _order(outcome: str) -> tuple[bool, str]:
    return outcome in FAILURES, outcome


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooSlow where a block takes longer; in the main thread alone."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def arguments(kinds: Sequence[str], trials: int) -> argparse.Namespace:
    """Return the options of a campaign program; trials: of all kinds together, unless given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=trials, help="of all kinds together, or of each of --only")
    parser.add_argument("--first", type=int, default=0, help="number of the first trial of each kind")
    parser.add_argument("--only", action="append", choices=kinds, help="kinds; may be repeated")
    return parser.parse_args(sys.argv[1:])

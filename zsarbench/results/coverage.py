"""How much of the clips that a run uses was there, and was read."""

from __future__ import annotations

from dataclasses import dataclass

from zsarbench.utils.schema import Count

MIN_SHARE = 0.9
"""Of the test clips, and of those that may be learnt from: a row with fewer does not count under its protocol.

An absent test clip counts as wrong, so at this share the collection takes up to a tenth of the accuracy: 3 to 5 points
at 30 to 50 %, which is about as far as the intervals of such rows reach to one side.
"""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many of the clips that a run uses existed and could be read.

    n_test: clips that some round tests. n_test_missing: of these, without a file, captions or features.
    n_test_unreadable: of these, existing ones that cannot be read. n_train: clips that may be learnt from; 0 where
    nothing is learnt. n_train_missing and n_train_unreadable: of these.
    """

    n_test: Count
    n_test_missing: Count
    n_test_unreadable: Count
    n_train: Count
    n_train_missing: Count
    n_train_unreadable: Count

    @property
    def n_test_read(self) -> int:
        """The number of test clips that could be read."""
        return self.n_test - self.n_test_missing - self.n_test_unreadable

    @property
    def n_train_read(self) -> int:
        """The number of clips that could be learnt from."""
        return self.n_train - self.n_train_missing - self.n_train_unreadable

    @property
    def is_partial(self) -> bool:
        """Whether so few clips could be read, to test or to learn from, that the row is shown and never ranked."""
        return self.n_test_read < MIN_SHARE * self.n_test or self.n_train_read < MIN_SHARE * self.n_train

    @property
    def lacks(self) -> str:
        """What could not be read, in words; "" where nothing.

        >>> Coverage(n_test=9, n_test_missing=2, n_test_unreadable=1, n_train=0, n_train_missing=0,
        ...          n_train_unreadable=0).lacks
        'of 9 test clips 2 are missing and 1 cannot be read'
        """
        sides = (
            (self.n_test, "test", self.n_test_missing, self.n_test_unreadable),
            (self.n_train, "training", self.n_train_missing, self.n_train_unreadable),
        )
        texts = []
        for n_clips, what, n_missing, n_unreadable in sides:
            found = [f"{n_missing:,} {'is' if n_missing == 1 else 'are'} missing"] if n_missing else []
            found += [f"{n_unreadable:,} cannot be read"] if n_unreadable else []
            if found:
                texts.append(f"of {n_clips:,} {what} clips {' and '.join(found)}")
        return "; ".join(texts)

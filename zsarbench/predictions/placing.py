"""Which protocol a figure is on, decided by the list of clips that it was measured on, never by a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zsarbench import protocols
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.predictions.matching import clip_names
from zsarbench.predictions.target import Target, target_of

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registry

SETTING: Final = "zsl"
"""The setting of protocols that a figure over all classes of its clips can be on."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a list of clips differs from the test clips of a protocol.

    n_tested: test clips of any round. n_missing: of these, not listed. n_others: listed, of the data set, not tested.
    n_unknown: listed names of no clip of the data set. alike: the rounds whose test clips are exactly the listed ones.
    n_candidates: of the first round.
    """

    protocol: str
    n_rounds: int
    n_tested: int
    n_missing: int
    n_others: int
    n_unknown: int
    alike: tuple[int, ...]
    n_candidates: int

    @property
    def same(self) -> bool:
        """Whether the listed clips are what every round tests."""
        return len(self.alike) == self.n_rounds

    def in_words(self) -> str:
        """Return how they differ."""
        if self.alike:
            several = (
                f"round {self.alike[0]} of '{self.protocol}' alone tests exactly these, and its figure is the mean"
            )
            return f"{several} over {self.n_rounds} rounds"
        return (
            f"'{self.protocol}' tests {self.n_tested:,} clips, of which {self.n_missing:,} are not listed; of those "
            f"listed {self.n_others:,} are not tested and {self.n_unknown:,} are not in its data set"
        )


def compare(listed: Sequence[str], target: Target) -> Comparison:
    """Return how a list of clips, by id, file name or path, differs from the test clips of a protocol."""
    names = clip_names(target.manifest)
    found = [names.find(clip) for clip in listed]
    clips, tested = {clip for clip in found if clip is not None}, set(target.tested)
    n_unknown = found.count(None)
    return Comparison(
        protocol=target.protocol.name,
        n_rounds=len(target.rounds),
        n_tested=len(tested),
        n_missing=len(tested - clips),
        n_others=len(clips - tested),
        n_unknown=n_unknown,
        alike=() if n_unknown else tuple(round_ for round_, test in enumerate(target.test) if set(test) == clips),
        n_candidates=len(target.rounds[0].candidates),
    )


def place(
    listed: Sequence[str],
    registry: Registry,
    *,
    protocol: str | None = None,
    n_classes: int | None = None,
    data_root: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> Comparison:
    """Return the comparison with the protocol whose test clips are exactly the listed ones.

    listed: distinct. protocol: the one to compare with; None: all registered ones whose files state as many test clips.
    n_classes: how many classes competed; None where unknown.

    Raises:
        UsageError: there is no such protocol, or there are several; the message has the counts by which others differ.
        ZsarbenchError: the data of the named protocol is malformed.
    """
    found, not_compared = [], []
    for name in [protocol] if protocol else _of_that_size(len(listed), registry):
        try:
            target = target_of(registry, name, data_root=data_root, settings=settings)
        except ZsarbenchError as error:
            if protocol:
                raise
            not_compared.append(f"'{name}' was not compared: {error}")
            continue
        if target.protocol.setting != SETTING:
            raise UsageError(
                f"protocol '{name}' is {target.protocol.setting}; a figure over all classes is on a {SETTING} one"
            )
        found.append(compare(listed, target))
    same = [one for one in found if one.same and n_classes in (None, one.n_candidates)]
    if len(same) == 1:
        return same[0]
    these = f"the {len(listed):,} listed clips"
    if same:
        names = " and ".join(f"'{one.protocol}'" for one in same)
        raise UsageError(f"{these} are the test clips of {names}. Try: --protocol {same[0].protocol}")
    reasons = [
        f"in '{one.protocol}' {one.n_candidates} classes compete, not {n_classes}" if one.same else one.in_words()
        for one in found
    ]
    if not reasons and not not_compared:
        reasons = [f"no registered {SETTING} protocol states so many. Try: --protocol NAME, for how its clips differ"]
    raise UsageError(f"{these} are the test clips of no protocol: {'; '.join([*reasons, *not_compared])}")


def _of_that_size(n_clips: int, registry: Registry) -> list[str]:
    """Return the names of protocols that state so many test clips of a round; a file's own count needs no data."""
    found = []
    for name in registry.names("protocol"):
        protocol = protocols.load(registry, name)
        if protocol.setting == SETTING and n_clips in {item.n_clips for item in protocol.rounds}:
            found.append(name)
    return found

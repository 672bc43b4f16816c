"""Whose code computed stored rows, and whether another version of it is installed now.

A change of code seldom changes features, and extraction is expensive: so such rows are read as before, and who reads
them is informed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from zsarbench.plugins.distributions import Distribution, distributions_of
from zsarbench.utils.schema import DoesNotFit, parse

Makers: TypeAlias = tuple[Distribution, ...]
"""The distributions of a visual part and of the text part it reads through, or of a text part alone."""


@dataclass(frozen=True)
class CodeChange:
    """A distribution whose code computed rows of a set, and the other version or commit of it that is installed.

    name: of the set.
    """

    name: str
    stored: Distribution
    installed: Distribution

    def __str__(self) -> str:
        """Return the change in words."""
        plugins = " and ".join(f"plugin '{plugin}'" for plugin in self.stored.plugins)
        return f"features in {self.name} were computed by {plugins} of {self.stored}, and {self.installed} is installed"

    @property
    def advice(self) -> str:
        """What to type where the features are others now."""
        return (
            "They are read as they are; to compute them again: "
            f"zsarbench features gc {self.name} --unused-days 0 --yes, then extract, or run with --refit"
        )


def makers_in(provenance: Any) -> Makers:
    """Return whose code computed rows, by their provenance; () where that is not recorded, as in older stores."""
    with contextlib.suppress(AttributeError, DoesNotFit):
        return parse(cast(Any, Makers), provenance.get("distributions", []), "distributions")
    return ()


def code_changes(made_by: Iterable[Makers], name: str) -> tuple[CodeChange, ...]:
    """Return what is installed in another version or commit than the one that computed rows of the set of a name."""
    stored = {one for makers in made_by for one in makers}
    installed = {one.name: one for one in distributions_of(plugin for one in stored for plugin in one.plugins)}
    return tuple(
        CodeChange(name, one, installed[one.name])
        for one in sorted(stored, key=str)
        if one.name in installed and one.differs_from(installed[one.name])
    )

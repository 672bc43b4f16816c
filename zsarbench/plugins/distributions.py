"""Which installed distributions bring plugins: name, version, and the commit of their code where it is known."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zsarbench.plugins import loading
from zsarbench.plugins.loading import GROUP, Installed
from zsarbench.utils.checkouts import git_state


@dataclass(frozen=True)
class Distribution:
    """An installed distribution whose plugins brought components.

    name: of the distribution. version: of the distribution. plugins: those of its plugins. commit: that it was
    installed from, or of the checkout in which its code lies; null where neither is known. dirty: whether that checkout
    had changes; null outside one.
    """

    name: str
    version: str
    plugins: tuple[str, ...]
    commit: str | None
    dirty: bool | None

    def __str__(self) -> str:
        """Return it for readers.

        >>> str(Distribution("my-plugin", "1.0", ("mine",), "0123456789abcdef0123456789abcdef01234567", True))
        'my-plugin 1.0 (commit 0123456789ab with changes)'
        """
        commit = f" (commit {self.commit[:12]}{' with changes' if self.dirty else ''})" if self.commit else ""
        return f"{self.name} {self.version}".rstrip() + commit

    def differs_from(self, other: Distribution) -> bool:
        """Return whether two states of a distribution differ in version or commit, as far as both are known.

        Of zsarbench itself the version alone counts: most of its commits touch no encoder.
        """
        pairs = [(self.version, other.version)]
        if self.name != GROUP:
            pairs.append((self.commit or "", other.commit or ""))
        return any(one and another and one != another for one, another in pairs)


def distributions_of(plugins: Iterable[str]) -> tuple[Distribution, ...]:
    """Return the installed distributions that bring these plugins, by name; a plugin of none is left out."""
    points = loading.entry_points()
    by_name: dict[str, tuple[Installed, list[str]]] = {}
    for plugin in sorted(set(plugins)):
        installed = _host(points.values()) if plugin == GROUP else points.get(plugin)
        if isinstance(installed, Installed) and installed.distribution:
            by_name.setdefault(installed.distribution, (installed, []))[1].append(plugin)
    found = []
    for name, (installed, own) in sorted(by_name.items()):
        commit, dirty = (installed.commit, None) if installed.commit else git_state(_folder(installed))
        found.append(Distribution(name, installed.version, tuple(own), commit, dirty))
    return tuple(found)


def _host(loaders: Iterable[object]) -> Installed | None:
    """Return a plugin of zsarbench's own distribution, which registers components outside its plugins too."""
    return next((one for one in loaders if isinstance(one, Installed) and one.distribution == GROUP), None)


def _folder(installed: Installed) -> Path:
    """Return the folder that holds a plugin's package or module; one that does not exist where it cannot be found."""
    try:
        spec = importlib.util.find_spec(installed.point.module.partition(".")[0])
    except (ImportError, ValueError):
        spec = None
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else Path("?")

"""Finds, blocks, checks and loads plugins; each is loaded alone and, when anything fails, removed whole."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pluggy

from zsarbench.errors import ZsarbenchError
from zsarbench.plugins import builtin, hookspecs
from zsarbench.plugins.guarding import checked_columns, checked_texts, in_words
from zsarbench.plugins.patches import replaced_by
from zsarbench.plugins.process import put_back
from zsarbench.plugins.registry import Registry
from zsarbench.utils.time_limit import TimeIsUp, limited

GROUP = "zsarbench"
"""The group of entry points; also the name of the host among plugins, and of its distribution."""
SECONDS = 30.0
"""How long a plugin may take to load; its components are imported when they are used, for as long as they take."""
_COMMIT = re.compile("[0-9a-f]{7,64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that could not be loaded, the reason, and the version of its distribution, "" where it is unknown."""

    plugin: str
    reason: str
    version: str = ""

    def __str__(self) -> str:
        return f"plugin '{self.plugin}' {self.version}".rstrip() + f" is left out: {self.reason}"


@dataclass(frozen=True)
class Installed:
    """The loader of a plugin that an installed distribution brings."""

    point: importlib.metadata.EntryPoint

    def __call__(self) -> Any:
        return self.point.load()

    @property
    def distribution(self) -> str:
        """The name of the distribution; "" where its metadata are damaged."""
        return str(self._about("Name"))

    @property
    def version(self) -> str:
        """The version of the distribution; "" where its metadata are damaged."""
        return str(self._about("Version"))

    @property
    def commit(self) -> str | None:
        """The commit that the distribution was installed from, by PEP 610; None where it came from no repository."""
        try:
            text = (self.point.dist and self.point.dist.read_text("direct_url.json")) or "{}"
            found = str(json.loads(text)["vcs_info"]["commit_id"])
        except Exception:  # whatever a broken installation raises, and most were not made from a repository
            return None
        return found if _COMMIT.fullmatch(found) else None

    def _about(self, key: str) -> str:
        try:
            return (self.point.dist and _metadata_of(self.point.dist)[key]) or ""
        except Exception:  # whatever a broken installation raises
            return ""


@lru_cache(maxsize=16)  # of the last few: every look for plugins finds its own objects
def _metadata_of(distribution: importlib.metadata.Distribution) -> importlib.metadata.PackageMetadata:
    """Return the metadata of a distribution, parsed once for all of its plugins."""
    return distribution.metadata


@dataclass(frozen=True)
class Host:
    """The loaded plugins: their hooks, their registry, those that failed, and what was logged of their hooks."""

    manager: pluggy.PluginManager
    registry: Registry
    failures: tuple[PluginFailure, ...] = field(default=())
    logged: set[str] = field(default_factory=set)

    def call_each(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a hook of each plugin in its own try and return (plugin, value) of those that did not raise.

        What a plugin raises is logged with its name, `SystemExit` too: an observer never stops a run.
        """
        values = []
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                accepted = {name: arguments[name] for name in implementation.argnames}
                values.append((implementation.plugin_name, implementation.function(**accepted)))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._log_failure(implementation.plugin_name, hook, in_words(error))
                _log.debug("its traceback:", exc_info=error)
        return values

    def columns_of(self, result: Any) -> dict[str, Any]:
        """Return the columns that plugins add to a result's row, those of them that a table can hold."""
        hook = "zsarbench_add_columns"
        columns: dict[str, Any] = {}
        for plugin, added in self.call_each(hook, result=result):
            try:
                own, problems = checked_columns(added)
            except Exception as error:  # a mapping of the plugin's own
                own, problems = {}, [in_words(error)]
            columns |= own
            for problem in problems:
                self._log_failure(plugin, hook, problem)
        return columns

    def objections_to(self, spec: Any) -> list[str]:
        """Return why plugins hold that a run must not be ranked, each with the plugin's name."""
        hook = "zsarbench_check_run"
        objections: list[str] = []
        for plugin, texts in self.call_each(hook, spec=spec):
            try:
                own, problems = checked_texts(texts)
            except Exception as error:  # a generator raises when it is read
                own, problems = [], [in_words(error)]
            objections += [f"{plugin}: {text}" for text in own]
            for problem in problems:
                self._log_failure(plugin, hook, problem)
        return objections

    def _log_failure(self, plugin: str, hook: str, problem: str) -> None:
        """Log what is wrong with a hook of a plugin, once: tables call it for every result."""
        message = f"plugin '{plugin}' failed in {hook}: {problem}"
        if message not in self.logged:
            self.logged.add(message)
            _log.error("%s", message)


def make_manager() -> pluggy.PluginManager:
    """Return a new plugin manager that knows the hooks and holds no plugin."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    return manager


def entry_points() -> dict[str, Callable[[], Any]]:
    """Return the loaders of all installed plugins by name, first-party ones first; nothing is imported yet.

    A name that two distributions claim stays with the first; the other is there as "NAME of DISTRIBUTION", and fails.
    """
    found: dict[str, Callable[[], Any]] = {}
    points = [Installed(point) for point in importlib.metadata.entry_points(group=GROUP)]
    for installed in sorted(points, key=lambda one: (one.distribution != GROUP, one.point.name, one.distribution)):
        name = installed.point.name
        if name in found:
            found[f"{name} of {installed.distribution}"] = _claimed(installed)
        else:
            found[name] = installed
    return found


def _claimed(installed: Installed) -> Callable[[], Any]:
    def refuse() -> Any:
        raise ZsarbenchError(f"another distribution has a plugin '{installed.point.name}' too")

    return refuse


def load_plugins(
    blocked: Iterable[str] = (),
    *,
    allowed: Iterable[str] | None = None,
    loaders: dict[str, Callable[[], Any]] | None = None,
    seconds: float = SECONDS,
) -> Host:
    """Load the installed plugins and build the registry.

    Args:
        blocked: plugins that are not imported (`--no-plugin`).
        allowed: if given, the only ones that are; default: `ZSARBENCH_PLUGINS`, comma-separated, where it is set.
        loaders: functions that return a plugin module, by name, in the order in which they may claim names; default:
            the entry points of group `zsarbench`.
        seconds: how long each may take.
    """
    if allowed is None and (listed := os.environ.get("ZSARBENCH_PLUGINS")) is not None:
        allowed = [name.strip() for name in listed.split(",") if name.strip()]
    chosen = entry_points() if loaders is None else loaders
    block, allow = set(blocked), None if allowed is None else set(allowed)
    manager, registry, failures = make_manager(), Registry(), []
    builtin.register(registry.registrar("zsarbench"))
    for name in sorted((block | (allow or set())) - set(chosen)):
        failures.append(PluginFailure(name, "is named in an allow-list or block-list but not installed"))
    for name, loader in chosen.items():
        if name in block or (allow is not None and name not in allow):
            continue
        changed: list[str] = []
        try:
            with put_back(changed), limited(seconds):
                _load_one(manager, registry, name, loader)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            registry.remove_plugin(name)
            if manager.has_plugin(name):
                manager.unregister(name=name)
            reason = str(error) if isinstance(error, ZsarbenchError | TimeIsUp) else in_words(error)
            failures.append(PluginFailure(name, reason, getattr(loader, "version", "")))
        if changed:
            _log.warning("plugin '%s' changed %s when it was loaded, which is put back", name, " and ".join(changed))
    registry.freeze()
    return Host(manager, registry, tuple(failures))


def _load_one(manager: pluggy.PluginManager, registry: Registry, name: str, loader: Callable[[], Any]) -> None:
    plugin = loader()
    _check_interface(plugin)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _check_alone(name, plugin)
        manager.register(plugin, name=name)
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        _log.warning("plugin '%s' uses what the next version of zsarbench removes: %s", name, message)
    register = getattr(plugin, "zsarbench_register", None)
    if register is not None:
        register(registry=registry.registrar(name))
    package = str(getattr(plugin, "__name__", type(plugin).__module__)).partition(".")[0]
    if replaced := replaced_by(package):
        raise ZsarbenchError(
            f"it replaced {', '.join(replaced)} globally, until the process ends. Try: zsarbench --no-plugin {name} …"
        )


def _check_interface(plugin: Any) -> None:
    """Raise where a plugin was written for a version of the hooks that this zsarbench does not have.

    Raises:
        ZsarbenchError: it states another version, or one that is not a whole number.
    """
    version = getattr(plugin, "zsarbench_interface", 1)
    if not isinstance(version, int) or isinstance(version, bool):
        raise ZsarbenchError(f"zsarbench_interface is {version!r:.40}; a whole number is needed")
    oldest, newest = hookspecs.OLDEST_INTERFACE, hookspecs.INTERFACE
    if not oldest <= version <= newest:
        which = "zsarbench" if version > newest else "the plugin"
        raise ZsarbenchError(
            f"it was written for version {version} of the plugin interface; this zsarbench takes {oldest} to {newest}. "
            f"Try: a newer version of {which}"
        )


def _check_alone(name: str, plugin: Any) -> None:
    """Raise where a plugin names a hook that does not exist; a manager of its own shows whose mistake it is."""
    manager = make_manager()
    manager.register(plugin, name=name)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise pluggy.PluginValidationError(plugin, f"plugin '{name}' implements no hook of zsarbench.plugins.hookspecs")

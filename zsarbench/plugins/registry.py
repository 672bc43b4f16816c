"""The registry of names: lazy targets, duplicates are errors, frozen once the plugins are loaded."""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.utils.documents import read_toml

KINDS = ("dataset", "protocol", "visual", "text", "negatives", "loss", "method", "labels", "reporter", "executor")
RESERVED = {"dataset": ("none", "seen")}
"""Words that cannot be names of a kind: values of `--train-on`, and of results, that are not data sets."""

MAX_NAME = 100
"""Characters: names are parts of the names of files."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*")


class MissingPackage(ZsarbenchError):
    """A component whose module imports a package that is not installed; command: what installs it."""

    def __init__(self, message: str, package: str, command: str) -> None:
        super().__init__(message)
        self.package = package
        self.command = command


@dataclass(frozen=True)
class Entry:
    """One row of the registry: what a name stands for, without importing it.

    target: "package.module:Attr", or "package:folder/file.toml" for a protocol, which is a file.
    source: paper, address, licence. extra: the pip extra that an ImportError should name.
    trained_on: label sets seen in training before the run; () means none, **None means unknown** and shows as such. Of
    a data set: the label sets that who learns from its clips has seen, where these are others than its own.
    defaults: for methods, the parts used unless the protocol or the user says otherwise.
    """

    kind: str
    name: str
    target: str
    plugin: str
    summary: str
    source: str = ""
    extra: str | None = None
    trained_on: tuple[str, ...] | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)

    def path(self) -> Path:
        """Return where the file of a protocol's target lies."""
        package, _, inside = self.target.partition(":")
        return Path(str(importlib.resources.files(package))) / inside

    def load(self) -> Any:
        """Import the target and return its attribute.

        Raises:
            MissingPackage: it imports a package that is not installed; the message says what installs it.
            ZsarbenchError: it cannot be imported for another reason.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an import runs the plugin's code, which may raise anything and end anything
            of_import = isinstance(error, ImportError | AttributeError)
            package = _missing_package(error, of=module)
            command = f"pip install 'zsarbench[{self.extra}]'" if self.extra else f"pip install {package}"
            hint = f" Try: {command}" if package or (self.extra and of_import) else ""
            reason = str(error) if of_import else f"{type(error).__name__}: {error}"
            text = f"{self.kind} '{self.name}' of plugin '{self.plugin}' cannot be loaded: {reason}.{hint}"
            raise (MissingPackage(text, package, command) if package else ZsarbenchError(text)) from error


def _missing_package(error: BaseException, *, of: str) -> str:
    """Return the package that is not installed and that the import of a module failed for; "" where it is not that."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not package or package == of.partition(".")[0]:
        return ""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    return package if spec is None or spec.origin is None else ""  # a folder of that name is a package without origin


def _check_types(entry: Entry) -> None:
    """Raise where a field is not of its type, such as a text for a tuple of texts."""
    texts = ("kind", "name", "target", "plugin", "summary", "source")
    wrong = [name for name in texts if not isinstance(getattr(entry, name), str)]
    wrong += ["extra"] if not isinstance(entry.extra, str | None) else []
    if entry.trained_on is not None:
        sound = isinstance(entry.trained_on, tuple | list) and all(isinstance(one, str) for one in entry.trained_on)
        wrong += [] if sound else ["trained_on"]
    wrong += [] if all(isinstance(one, str) for pair in entry.defaults.items() for one in pair) else ["defaults"]
    if wrong:
        raise ZsarbenchError(
            f"{entry.kind} '{entry.name}': {wrong[0]} is {getattr(entry, wrong[0])!r:.60}; "
            "texts are needed, for trained_on a tuple of texts or None, for defaults a mapping of texts"
        )


@dataclass(frozen=True)
class NearEncoder:
    """The text encoder by which the audit of every run finds near class names.

    min_cosine: names at least as near as this, as words in lower case, are called near; of this encoder alone.
    """

    name: str
    plugin: str
    min_cosine: float


class Registry:
    """All entries by kind and name, and what plugins declare about theirs.

    default_protocol: name of the protocol of a run that names none. near_encoder: finds near class names. Both are None
    where no loaded plugin declares one.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self._frozen = False
        self.default_protocol: str | None = None
        self.near_encoder: NearEncoder | None = None

    def registrar(self, plugin: str) -> Registrar:
        """Return the view of the registry that one plugin adds its entries through."""
        return Registrar(self, plugin)

    def _add(self, entry: Entry) -> None:
        if self._frozen:
            raise ZsarbenchError(
                f"the registry is frozen; plugin '{entry.plugin}' is too late to add {entry.kind} '{entry.name}'"
            )
        _check_types(entry)
        if entry.kind not in KINDS:
            raise ZsarbenchError(unknown("kind", entry.kind, KINDS))
        if entry.name in RESERVED.get(entry.kind, ()):
            raise ZsarbenchError(
                f"a {entry.kind} cannot be called '{entry.name}', which --train-on and results use otherwise"
            )
        if not _NAME.fullmatch(entry.name):
            raise ZsarbenchError(f"{entry.kind} name '{entry.name}' is not of the form {_NAME.pattern}")
        if len(entry.name) > MAX_NAME:
            raise ZsarbenchError(f"{entry.kind} name '{entry.name[:20]}…' is longer than {MAX_NAME} characters")
        if ":" not in entry.target:
            raise ZsarbenchError(
                f"target '{entry.target}' of {entry.kind} '{entry.name}' is not of the form package.module:Attr"
            )
        if not entry.summary.strip():
            raise ZsarbenchError(f"{entry.kind} '{entry.name}' has no summary; state in one sentence what it is")
        taken = self._entries.get((entry.kind, entry.name))
        if taken is not None:
            raise ZsarbenchError(
                f"{entry.kind} '{entry.name}' is claimed by two plugins: '{taken.plugin}' and '{entry.plugin}'"
            )
        self._entries[entry.kind, entry.name] = entry

    def own(self, kind: str, name: str, plugin: str) -> Entry:
        """Return the entry of a name that this plugin added itself, about which it alone may declare something.

        Raises:
            ZsarbenchError: another plugin added it, or none did.
        """
        entry = self.get(kind, name)
        if entry.plugin != plugin:
            raise ZsarbenchError(
                f"plugin '{plugin}' declares something about {kind} '{name}', which is of plugin '{entry.plugin}'"
            )
        return entry

    def remove_plugin(self, plugin: str) -> None:
        """Drop every entry that a plugin added, and what it declared about them."""
        if self.default_protocol is not None and self.get("protocol", self.default_protocol).plugin == plugin:
            self.default_protocol = None
        if self.near_encoder is not None and self.near_encoder.plugin == plugin:
            self.near_encoder = None
        self._entries = {key: entry for key, entry in self._entries.items() if entry.plugin != plugin}

    def freeze(self) -> None:
        """Refuse further entries."""
        self._frozen = True

    def get(self, kind: str, name: str) -> Entry:
        """Return the entry of a name.

        Raises:
            UsageError: the name is unknown; the message suggests the nearest.
        """
        try:
            return self._entries[kind, name]
        except KeyError:
            raise UsageError(unknown(kind, name, self.names(kind), f"zsarbench list {kind}")) from None

    def names(self, kind: str) -> list[str]:
        """Return all names of a kind, sorted."""
        return sorted(name for entry_kind, name in self._entries if entry_kind == kind)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over all entries by kind, then name."""
        return iter(sorted(self._entries.values(), key=lambda entry: (KINDS.index(entry.kind), entry.name)))


class Registrar:
    """The registry as a plugin's `zsarbench_register` gets it: adds entries in the plugin's name."""

    def __init__(self, registry: Registry, plugin: str) -> None:
        self._registry = registry
        self._plugin = plugin

    def add(
        self,
        kind: str,
        name: str,
        target: str,
        *,
        summary: str,
        source: str = "",
        extra: str | None = None,
        trained_on: tuple[str, ...] | None = None,
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        """Add one entry; see `Entry` for the fields.

        Raises:
            ZsarbenchError: the kind is unknown, the name is malformed or taken, the summary is missing.
        """
        self._registry._add(
            Entry(kind, name, target, self._plugin, summary, source, extra, trained_on, dict(defaults or {}))
        )

    def add_protocols(self, package: str, folder: str = "protocols") -> None:
        """Add every protocol file (`*.toml`) of a folder inside a package."""
        for path in sorted(Path(str(importlib.resources.files(package))).joinpath(folder).glob("*.toml")):
            state = path.stat()
            name, summary, source = _head_of(path, state.st_mtime_ns, state.st_size)
            self.add("protocol", name, f"{package}:{folder}/{path.name}", summary=summary, source=source)

    def set_default_protocol(self, name: str) -> None:
        """Declare that a protocol which this plugin added is taken where a run names none.

        Raises:
            ZsarbenchError: it is not of this plugin, or there is another default.
        """
        entry = self._registry.own("protocol", name, self._plugin)
        taken = self._registry.default_protocol
        if taken is not None:
            raise ZsarbenchError(f"protocols '{taken}' and '{name}' are both declared the default")
        self._registry.default_protocol = entry.name

    def set_near_encoder(self, name: str, *, min_cosine: float) -> None:
        """Declare that near class names are found by a text encoder which this plugin added; see `NearEncoder`.

        Raises:
            ZsarbenchError: it is not of this plugin, or another encoder is declared.
        """
        entry = self._registry.own("text", name, self._plugin)
        taken = self._registry.near_encoder
        if taken is not None:
            raise ZsarbenchError(f"text encoders '{taken.name}' and '{name}' are both declared to find near names")
        self._registry.near_encoder = NearEncoder(entry.name, entry.plugin, min_cosine)


@lru_cache(maxsize=256)
def _head_of(path: Path, modified: int, size: int) -> tuple[str, str, str]:
    """Return name, summary and source of a protocol file, parsed once in a process while it stays as it is."""
    content = read_toml(path, "protocol file")
    return content["name"], content["summary"], content["source"]

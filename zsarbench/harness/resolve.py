"""From what a user asked to a complete RunSpec; every mistake of a user is found here.

Names are checked before anything heavy is imported; then the chosen components are imported and their options checked
against their constructors. All mistakes of one request are reported at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zsarbench import protocols
from zsarbench.data import class_texts
from zsarbench.errors import NotApplicable, UsageErrors, ZsarbenchError, unknown
from zsarbench.harness.spec import CONTROLS, DENOMINATORS, DTYPES, Control, Denominator, RunRequest, RunSpec, command_of
from zsarbench.plugins import options
from zsarbench.plugins.building import build_dataset
from zsarbench.plugins.parts import PART_KINDS, PartSpec

if TYPE_CHECKING:
    from zsarbench.plugins import Host
    from zsarbench.plugins.registry import Entry, Registry
    from zsarbench.protocols import FileProtocol

_SETTABLE = ("method", "dataset", "train_dataset", *PART_KINDS, "executor")


def resolve(asked: RunRequest, host: Host) -> RunSpec:
    """Return the complete spec of a request.

    Raises:
        UsageErrors: everything that is wrong with it, at once.
        NotApplicable: nothing is wrong but that the protocol offers the method nothing to learn from.
    """
    return Resolver(asked, host.registry).resolve(host)


def resolve_parts(
    registry: Registry,
    named: Mapping[str, str],
    *,
    protocol: FileProtocol | None = None,
    data_root: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> tuple[dict[str, PartSpec], dict[str, str]]:
    """Return the parts that a verb other than `run` names, with all their options, and the user's folders.

    named: names by kind as `--set` calls it (`dataset`, `train_dataset`, `text`). protocol: whose options of them count
    as in a run.

    Raises:
        UsageErrors: everything that is wrong with it, at once.
    """
    train_on = named.get("train_dataset", "seen")
    return Resolver(RunRequest("", train_on=train_on, data_root=data_root, settings=settings), registry).parts(
        named, protocol
    )


class Resolver:
    """Gathers problems while it looks names up; `resolve` raises them together."""

    def __init__(self, asked: RunRequest, registry: Registry) -> None:
        self.asked = asked
        self.registry = registry
        self.problems: list[str] = []
        self.not_applicable: list[str] = []

    def resolve(self, host: Host) -> RunSpec:
        asked = self.asked
        self._check_choices()
        method = self._entry("method", asked.method)
        protocol = self._protocol()
        if protocol is None or method is None:  # the other names are still worth checking
            for kind in PART_KINDS:
                if (name := getattr(asked, kind)) is not None:
                    self._entry(kind, name)
            self._entry("dataset", asked.train_on) if asked.train_on != "seen" else None
        entries: dict[str, Entry | None] = {"method": method, "executor": self._entry("executor", asked.executor)}
        if protocol is not None:
            entries["dataset"] = self._entry("dataset", protocol.dataset)
        if protocol is not None and method is not None:
            entries |= {kind: self._part(kind, method, protocol) for kind in PART_KINDS}
            if asked.train_on != "seen":
                entries["train_dataset"] = self._entry("dataset", asked.train_on)
        settings, roots = self._settings(), self._roots()
        self._check_addressed(settings, entries)
        self._raise()
        assert protocol is not None
        chosen = {kind: entry for kind, entry in entries.items() if entry is not None}
        specs = {kind: self._complete(kind, entry, protocol, settings) for kind, entry in chosen.items()}
        self._raise()
        self._add_text_part(specs, protocol, settings)
        self._check_goes_together(specs, protocol, roots)
        self._raise()
        return self._spec(specs, protocol, roots, host)

    def parts(
        self, named: Mapping[str, str], protocol: FileProtocol | None
    ) -> tuple[dict[str, PartSpec], dict[str, str]]:
        """Return these parts by kind, and the folders by data set; see `resolve_parts`."""
        entries = {kind: self._entry(kind.removeprefix("train_"), name) for kind, name in named.items()}
        settings, roots = self._settings(), self._roots()
        self._check_kinds(settings, named, "this verb")
        self._check_addressed(settings, entries)
        self._raise()
        chosen = {kind: entry for kind, entry in entries.items() if entry is not None}
        specs = {kind: self._complete(kind, entry, protocol, settings) for kind, entry in chosen.items()}
        self._raise()
        return specs, roots

    def _check_kinds(self, settings: Mapping[str, Mapping[str, str]], kinds: Collection[str], who: str) -> None:
        for kind in settings:
            if kind not in kinds:
                self.problems.append(f"{who} has no {kind} part for --set {kind}.{min(settings[kind])}")

    def _raise(self) -> None:
        if self.problems:
            raise UsageErrors(dict.fromkeys([*self.problems, *self.not_applicable]))
        if self.not_applicable:
            raise NotApplicable(self.not_applicable)

    def _try(self, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except ZsarbenchError as error:
            self.problems.append(str(error))
            return None

    def _entry(self, kind: str, name: str) -> Entry | None:
        entry: Entry | None = self._try(self.registry.get, kind, name)
        return entry

    def _protocol(self) -> FileProtocol | None:
        name = self.asked.protocol or self.registry.default_protocol
        if name is None:
            self.problems.append(
                "no protocol is named, and no plugin declares a default. Try: --protocol NAME, one of those that "
                "zsarbench list protocol shows"
            )
            return None
        loaded: FileProtocol | None = self._try(protocols.load, self.registry, name)
        return loaded

    def _check_choices(self) -> None:
        asked = self.asked
        if asked.class_text is not None:
            self._try(class_texts.parse, asked.class_text)
        for what, value, known in (
            ("control", asked.control, CONTROLS),
            ("denominator", asked.denominator, DENOMINATORS),
            ("dtype", asked.dtype, DTYPES),
        ):
            if value not in known:
                self.problems.append(unknown(what, value, known))
        for what, number, least in (
            ("seeds", asked.seeds, 1),
            ("seed", asked.seed, 0),
            ("limit", asked.limit, 1),
            ("threads", asked.threads, 1),
        ):
            if number is not None and number < least:
                self.problems.append(f"--{what} is {number}; it is at least {least}")

    def _part(self, kind: str, method: Entry, protocol: FileProtocol) -> Entry | None:
        """Return the entry for a part: the command line's, else the protocol's, else the method's; None if unused."""
        asked: str | None = getattr(self.asked, kind)
        if kind not in method.defaults:
            if asked is not None and kind != "text":  # a visual part may read through the text part: checked later
                self.problems.append(f"method '{method.name}' has no {kind} part; leave out --{kind} {asked}")
            return None
        return self._entry(kind, asked or protocol.parts.get(kind) or method.defaults[kind])

    def _settings(self) -> dict[str, dict[str, str]]:
        """Return the `--set` options by kind."""
        found: dict[str, dict[str, str]] = {}
        for text in self.asked.settings:
            path, equals, value = text.partition("=")
            kind, dot, option = path.partition(".")
            if not (equals and dot and kind and option):
                self.problems.append(f"--set {text} is not of the form PART.OPTION=VALUE, e.g. --set loss.margin=0.5")
            elif kind not in _SETTABLE:
                self.problems.append(unknown("part in --set", kind, _SETTABLE))
            elif kind == "train_dataset" and self.asked.train_on == "seen":
                self.problems.append(f"--set {text} has no data set to set it of. Try: --train-on DATASET")
            else:
                found.setdefault(kind, {})[option] = value
        return found

    def _roots(self) -> dict[str, str]:
        roots = {}
        for text in self.asked.data_root:
            name, equals, folder = text.partition("=")
            if not equals:
                example = next(iter(self.registry.names("dataset")), "DATASET")
                form = f"DATASET=DIR, e.g. {example}=/data/{example}"
                self.problems.append(f"--data-root {text} is not of the form {form}")
            elif self._entry("dataset", name) is not None:
                if not Path(folder).expanduser().is_dir():
                    self.problems.append(f"--data-root {name}: folder '{folder}' does not exist")
                roots[name] = str(Path(folder).expanduser().absolute())
        return roots

    def _check_addressed(self, settings: Mapping[str, Mapping[str, str]], entries: Mapping[str, Entry | None]) -> None:
        """Check the options a user named against those parts that exist, importing only these."""
        for kind, given in settings.items():
            entry = entries.get(kind)
            if entry is not None:
                target = self._try(entry.load)
                if target is not None:
                    self.problems += options.check(target, f"{kind} {entry.name}", given)[1]
            elif kind in entries and kind != "text" and entries.get("method") is not None:
                self.problems.append(f"method '{self.asked.method}' has no {kind} part for --set {kind}.{min(given)}")

    def _complete(
        self, kind: str, entry: Entry, protocol: FileProtocol | None, settings: Mapping[str, Mapping[str, str]]
    ) -> PartSpec:
        """Return a part with all its options: the command line's over the protocol's over the constructor's."""
        target = self._try(entry.load)
        if target is None:
            return PartSpec(kind, entry.name, entry.target, entry.plugin)
        known = self._try(options.options_of, target) or {}
        defaults = protocol.options.get(entry.kind, {}).get(entry.name, {}) if protocol else {}
        from_protocol, problems = options.check(target, f"{entry.kind} {entry.name}", defaults)
        from_user, _ = options.check(target, f"{entry.kind} {entry.name}", settings.get(kind, {}))
        self.problems += [f"protocol '{protocol.name}': {problem}" for problem in problems if protocol]
        values = {name: option.default for name, option in known.items()} | from_protocol | from_user
        sources = dict.fromkeys(from_protocol, "protocol") | dict.fromkeys(from_user, "command line")
        if self.asked.dtype != "float32" and "compute_dtype" in known and "compute_dtype" not in sources:
            values["compute_dtype"], sources["compute_dtype"] = self.asked.dtype, "command line"
        return PartSpec(entry.kind, entry.name, entry.target, entry.plugin, values, sources)

    def _add_text_part(
        self, specs: dict[str, PartSpec], protocol: FileProtocol | None, settings: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Give a visual part that reads through the text part one, where the method itself has none."""
        if "text" in specs:
            return
        visual = specs.get("visual")
        reads_text = visual is not None and options.takes(
            self.registry.get("visual", visual.name).load(), "text_encoder"
        )
        name = self.asked.text or (protocol.parts.get("text") if protocol else None)
        if reads_text and name is not None and (entry := self._entry("text", name)) is not None:
            specs["text"] = self._complete("text", entry, protocol, settings)
        elif reads_text and visual is not None:
            known = ", ".join(self.registry.names("text"))
            self.problems.append(
                f"visual '{visual.name}' reads through a text part; name one. Try: --text NAME, one of {known}"
            )
        elif self.asked.text is not None or "text" in settings:
            what = f"method '{self.asked.method}'" if self.asked.method else f"visual '{self.asked.visual}'"
            self.problems.append(f"{what} has no text part; leave out --text")

    def _check_goes_together(
        self, specs: Mapping[str, PartSpec], protocol: FileProtocol, roots: Mapping[str, str]
    ) -> None:
        asked = self.asked
        class_text = asked.class_text or protocol.class_text
        if "text" not in specs and class_texts.parse(class_text)[1] is not None:
            self.problems.append(class_texts.without_text_part(class_text))
        learns_from = self.registry.get("method", asked.method).load().learns_from
        if learns_from == "nothing" and asked.train_on != "seen":
            self.problems.append(f"method '{asked.method}' learns nothing; leave out --train-on {asked.train_on}")
        if learns_from == "nothing" and asked.control == "shuffle-labels":
            self.problems.append(
                f"method '{asked.method}' reads no labels: shuffling them shows nothing. Try: shuffle-captions"
            )
        if learns_from != "nothing" and asked.train_on == "seen" and not protocol.learns:
            self.not_applicable.append(
                f"not applicable: method '{asked.method}' learns from {learns_from.replace('-', ' ')}, and protocol "
                f"'{protocol.name}' has no seen classes. Try: a protocol with seen classes (zsarbench list protocol), "
                "or --train-on DATASET"
            )
        other = specs.get("train_dataset")
        if learns_from == "seen-classes" and other and not build_dataset(other, roots, self.registry).classes:
            self.problems.append(
                f"method '{asked.method}' learns from labelled classes, and data set '{asked.train_on}' has none; "
                "leave out --train-on, or name a data set with classes (zsarbench list dataset)"
            )

    def _spec(self, specs: dict[str, PartSpec], protocol: FileProtocol, roots: dict[str, str], host: Host) -> RunSpec:
        asked = self.asked
        dataset = build_dataset(specs["dataset"], roots, self.registry)
        spec = RunSpec(
            method=specs["method"],
            protocol=protocol,
            protocol_hash=protocol.hash(dataset),
            dataset=specs["dataset"],
            train_dataset=specs.get("train_dataset"),
            parts={kind: specs[kind] for kind in PART_KINDS if kind in specs},
            seed=asked.seed,
            seeds=asked.seeds,
            class_text=asked.class_text or protocol.class_text,
            data_roots=roots,
            device=asked.device,
            dtype=asked.dtype,
            threads=asked.threads,
            denominator=cast(Denominator, asked.denominator),  # _check_choices has seen them
            control=cast(Control, asked.control),
            limit=asked.limit,
            executor=specs["executor"],
            out=asked.out,
            strict=asked.strict,
            resume=asked.resume,
            command=command_of(
                replace(asked, protocol=None) if asked.protocol == self.registry.default_protocol else asked
            ),
        )
        objections = host.call_each("zsarbench_check_run", spec=spec)
        return replace(
            spec, objections=tuple(f"{plugin}: {text}" for plugin, texts in objections for text in texts or ())
        )

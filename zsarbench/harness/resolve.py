"""From a request to a complete spec; every mistake of a user is found here.

Names are checked before anything heavy is imported; then the chosen components are imported and their options checked
against their constructors. All mistakes of one request are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zsarbench import protocols
from zsarbench.data import class_texts
from zsarbench.data.captions import Captioned, Captions
from zsarbench.errors import UsageError
from zsarbench.harness.settings import (
    Problems,
    Settings,
    check_types,
    check_values,
    parse_captions,
    parse_data_root,
)
from zsarbench.harness.spec import (
    SEEN,
    DataSets,
    Execution,
    ExtractionRequest,
    ExtractionSpec,
    Measurement,
    RunRequest,
    RunSpec,
    shared_fields,
)
from zsarbench.plugins import options
from zsarbench.plugins.building import build_dataset
from zsarbench.plugins.parts import PART_KINDS, PartSpec

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins import Host
    from zsarbench.plugins.registry import Entry, Registry
    from zsarbench.protocols import Protocol


class DataSetBuilder:
    """Builds data sets, each once however many requests name it with the same options, folder and captions."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built: dict[tuple[str, ...], Dataset] = {}

    def build(self, part: PartSpec, data_root: Mapping[str, str], captions: Mapping[str, Captions]) -> Dataset:
        """Return the data set of a part, with the user's folder and captions where given.

        Raises:
            ZsarbenchError: it cannot be built, or a folder is named for one that reads none.
        """
        own = captions.get(part.name)
        key = (repr(part.identity()), data_root.get(part.name, ""), own.sha256 if own is not None else "")
        if key not in self._built:
            dataset = build_dataset(part, data_root, self._registry)
            self._built[key] = Captioned(dataset, own, part.name) if own is not None else dataset
        return self._built[key]


def resolve_run(request: RunRequest, host: Host, builder: DataSetBuilder | None = None) -> RunSpec:
    """Return the complete spec of a run.

    builder: shared by requests that are resolved together, so that they share their data sets.

    Raises:
        UsageErrors: everything that is wrong with it, at once.
        NotApplicable: nothing is wrong but that the protocol offers the method nothing to learn from.
    """
    registry, problems = host.registry, Problems()
    check_types(request, problems)
    problems.raise_all()
    check_values(request, problems)
    protocol = _protocol(request, registry, problems)
    entries = _entries(request, protocol, registry, problems)
    settings = Settings.parse(request.settings, problems)
    folders = parse_data_root(request.data_root, registry, problems)
    captions = parse_captions(request.captions, registry, problems)
    method = entries["method"]
    if method is not None and protocol is not None:
        _check_addressed(settings, entries, f"method '{method.name}'", problems, later=("text",))
    else:
        _check_addressed(settings, entries, "", problems, later=tuple(settings.by_part))
    problems.raise_all()
    assert method is not None
    assert protocol is not None
    source = _OptionSource(protocol, settings, request.dtype)
    parts = _complete(entries, source, problems)
    problems.raise_all()
    parts |= _text_part(parts, request.text, f"method '{method.name}'", source, registry, problems)
    problems.raise_all()
    builder = builder or DataSetBuilder(registry)
    other = parts.get("train_dataset")
    data = DataSets(
        builder.build(parts["dataset"], folders, captions),
        builder.build(other, folders, captions) if other else None,
    )
    _check_captioned(captions, [part.name for part in (parts["dataset"], other) if part is not None], problems)
    _check_combination(request, protocol, method, "text" in parts, data, problems)
    problems.raise_all()
    what = {
        "method": parts["method"],
        "protocol": protocol,
        "protocol_hash": protocol.hash(data.tested),
        "dataset": parts["dataset"],
        "train_dataset": other,
        "parts": {kind: parts[kind] for kind in PART_KINDS if kind in parts},
        "class_text": request.class_text or protocol.class_text,
        "captions": tuple(f"{name}={own.sha256}" for name, own in sorted(captions.items())),
    }
    is_default = request.protocol == registry.default_protocol
    where = {"data_root": folders, "executor": parts["executor"]}
    spec = RunSpec(
        what=Measurement(**{**shared_fields(request, Measurement), **what}),
        where=Execution(**{**shared_fields(request, Execution), **where}),
        data=data,
        command=(replace(request, protocol=None) if is_default else request).to_command(),
    )
    return replace(spec, objections=tuple(host.objections_to(spec)))


def resolve_extraction(request: ExtractionRequest, registry: Registry) -> ExtractionSpec:
    """Return the complete spec of an extraction.

    A protocol's options of its parts count, as in a run, so that the run finds the features.

    Raises:
        UsageErrors: everything that is wrong with it, at once.
    """
    if bool(request.protocol) == bool(request.dataset):
        raise UsageError("extraction is of a data set or of a protocol. Try: --dataset NAME, or --protocol NAME")
    problems = Problems()
    check_types(request, problems)
    problems.raise_all()
    check_values(request, problems)
    protocol = problems.catch(protocols.load, registry, request.protocol) if request.protocol else None
    dataset = request.dataset if protocol is None else protocol.dataset
    named = {"dataset": dataset, "visual": request.visual, "executor": request.executor, "text": request.text}
    entries = {kind: problems.catch(registry.get, kind, name) for kind, name in named.items() if name is not None}
    settings = Settings.parse(request.settings, problems)
    folders = parse_data_root(request.data_root, registry, problems)
    captions = parse_captions(request.captions, registry, problems)
    _check_captioned(captions, [dataset] if dataset is not None else [], problems)
    _check_addressed(settings, entries, "extraction", problems, later=("text",))
    problems.raise_all()
    entries.pop("text", None)  # added where the visual part reads through it
    source = _OptionSource(protocol, settings, request.dtype)
    parts = _complete(entries, source, problems)
    problems.raise_all()
    parts |= _text_part(parts, request.text, f"visual '{request.visual}'", source, registry, problems)
    problems.raise_all()
    checked = {
        "dataset": parts["dataset"],
        "data": DataSetBuilder(registry).build(parts["dataset"], folders, captions),
        "protocol": protocol,
        "parts": {kind: parts[kind] for kind in PART_KINDS if kind in parts},
        "executor": parts["executor"],
    }
    return ExtractionSpec(**{**shared_fields(request, ExtractionSpec), **checked})


def resolve_parts(
    registry: Registry,
    named: Mapping[str, str],
    *,
    protocol: Protocol | None = None,
    data_root: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> tuple[dict[str, PartSpec], dict[str, str]]:
    """Return the parts that a verb other than `run` names, with all their options, and the user's folders.

    named: names by kind as `--set` calls it (`dataset`, `train_dataset`, `text`). protocol: the one whose options of
    them count as in a run.

    Raises:
        UsageErrors: everything that is wrong with it, at once.
    """
    problems = Problems()
    entries = {kind: problems.catch(registry.get, kind.removeprefix("train_"), name) for kind, name in named.items()}
    parsed = Settings.parse(settings, problems)
    folders = parse_data_root(data_root, registry, problems)
    _check_addressed(parsed, entries, "this verb", problems)
    problems.raise_all()
    parts = _complete(entries, _OptionSource(protocol, parsed), problems)
    problems.raise_all()
    return parts, folders


def _check_captioned(captions: Mapping[str, Captions], used: Sequence[str], problems: Problems) -> None:
    """Note captions of data sets that are not used."""
    for name in sorted(set(captions) - set(used)):
        problems.add(f"--captions {name}: data set '{name}' is not read here, but {' and '.join(used)}")


def _protocol(request: RunRequest, registry: Registry, problems: Problems) -> Protocol | None:
    """Return the protocol that a run names, or the default one."""
    name = request.protocol or registry.default_protocol
    if name is None:
        problems.add(
            "no protocol was given, and no plugin declares a default. Try: --protocol NAME, one of those that "
            "zsarbench list protocol shows"
        )
        return None
    return problems.catch(protocols.load, registry, name)


def _entries(
    request: RunRequest, protocol: Protocol | None, registry: Registry, problems: Problems
) -> dict[str, Entry | None]:
    """Return the entry of each part that a run uses; None stands for a name that does not exist."""

    def entry(kind: str, name: str) -> Entry | None:
        return problems.catch(registry.get, kind, name)

    entries = {"method": entry("method", request.method), "executor": entry("executor", request.executor)}
    if protocol is not None:
        entries["dataset"] = entry("dataset", protocol.dataset)
    if request.train_on != SEEN:
        entries["train_dataset"] = entry("dataset", request.train_on)
    method = entries["method"]
    for kind in PART_KINDS:
        name: str | None = getattr(request, kind)
        if method is None or protocol is None:  # which parts are used is not known; the names are still worth checking
            if name is not None:
                entries[kind] = entry(kind, name)
        elif kind in method.defaults:
            entries[kind] = entry(kind, name or protocol.parts.get(kind) or method.defaults[kind])
        elif name is not None and kind != "text":  # a visual part may read through the text part: see `_text_part`
            problems.add(f"method '{method.name}' has no {kind} part; leave out --{kind} {name}")
    return entries


def _check_addressed(
    settings: Settings, entries: Mapping[str, Entry | None], who: str, problems: Problems, *, later: Iterable[str] = ()
) -> None:
    """Note settings of parts that are not used, but for those checked `later`, and unfit options of those that are."""
    for kind, values in settings.by_part.items():
        entry = entries.get(kind)
        if entry is not None:
            target = problems.catch(entry.load)
            if target is not None:
                problems.add(*options.check(target, f"{kind} {entry.name}", values)[1])
        elif kind not in entries and kind not in later:
            hint = ". Try: --train-on DATASET" if kind == "train_dataset" else ""
            problems.add(f"{who} has no {kind} part for --set {kind}.{min(values)}{hint}")


@dataclass(frozen=True)
class _OptionSource:
    """Where the options of parts come from besides their constructors; dtype: of `--dtype`."""

    protocol: Protocol | None
    settings: Settings
    dtype: str = "float32"


def _complete(entries: Mapping[str, Entry | None], source: _OptionSource, problems: Problems) -> dict[str, PartSpec]:
    """Return the parts of these entries with all their options."""
    chosen = {kind: entry for kind, entry in entries.items() if entry is not None}
    return {kind: _with_options(kind, entry, source, problems) for kind, entry in chosen.items()}


def _with_options(kind: str, entry: Entry, source: _OptionSource, problems: Problems) -> PartSpec:
    """Return a part with all its options: the command line's over the protocol's over the constructor's."""
    target = problems.catch(entry.load)
    if target is None:
        return PartSpec(entry.kind, entry.name, entry.target, entry.plugin)
    known = problems.catch(options.options_of, target) or {}
    protocol, where = source.protocol, f"{entry.kind} {entry.name}"
    defaults = protocol.options.get(entry.kind, {}).get(entry.name, {}) if protocol else {}
    from_protocol, mistakes = options.check(target, where, defaults)
    from_user, _ = options.check(target, where, source.settings.of(kind))  # their mistakes: `_check_addressed`
    problems.add(*(f"protocol '{protocol.name}': {mistake}" for mistake in mistakes if protocol))
    values = {name: option.default for name, option in known.items()} | from_protocol | from_user
    sources = dict.fromkeys(from_protocol, "protocol") | dict.fromkeys(from_user, "command line")
    if source.dtype != "float32" and "compute_dtype" in known and "compute_dtype" not in sources:
        values["compute_dtype"], sources["compute_dtype"] = source.dtype, "command line"
    return PartSpec(entry.kind, entry.name, entry.target, entry.plugin, values, sources)


def _text_part(
    parts: Mapping[str, PartSpec],
    name: str | None,
    who: str,
    source: _OptionSource,
    registry: Registry,
    problems: Problems,
) -> dict[str, PartSpec]:
    """Return the text part, by kind, of a visual part that reads through one and is used without one so far."""
    if "text" in parts:
        return {}
    visual, protocol = parts.get("visual"), source.protocol
    if visual is not None and options.takes(registry.get("visual", visual.name).load(), "text_encoder"):
        name = name or (protocol.parts.get("text") if protocol else None)
        if name is None:
            known = ", ".join(registry.names("text"))
            problems.add(
                f"visual '{visual.name}' reads through a text part; name one. Try: --text NAME, one of {known}"
            )
        elif (entry := problems.catch(registry.get, "text", name)) is not None:
            _check_addressed(Settings({"text": source.settings.of("text")}), {"text": entry}, who, problems)
            return {"text": _with_options("text", entry, source, problems)}
    elif name is not None or source.settings.of("text"):
        problems.add(f"{who} has no text part; leave out --text")
    return {}


def _check_combination(
    request: RunRequest, protocol: Protocol, method: Entry, has_text: bool, data: DataSets, problems: Problems
) -> None:
    """Note what does not go together: the form of class texts, training data, controls."""
    class_text, name = request.class_text or protocol.class_text, method.name
    if not has_text and class_texts.parse(class_text)[1] is not None:
        problems.add(class_texts.without_text_part(class_text))
    learns_from = method.load().learns_from
    if learns_from == "nothing" and data.learnt is not None:
        problems.add(f"method '{name}' learns nothing; leave out --train-on {request.train_on}")
    if learns_from == "nothing" and request.control == "shuffle-labels":
        problems.add(f"method '{name}' reads no labels: shuffling them shows nothing. Try: shuffle-captions")
    if learns_from != "nothing" and data.learnt is None and not protocol.learns:
        problems.not_applicable.append(
            f"not applicable: method '{name}' learns from {learns_from.replace('-', ' ')}, and protocol "
            f"'{protocol.name}' has no seen classes. Try: a protocol with seen classes (zsarbench list protocol), "
            "or --train-on DATASET"
        )
    if learns_from == "seen-classes" and data.learnt is not None and not data.learnt.classes:
        problems.add(
            f"method '{name}' learns from labelled classes, and data set '{request.train_on}' has none; "
            "leave out --train-on, or name a data set with classes (zsarbench list dataset)"
        )

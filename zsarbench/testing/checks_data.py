"""Checks of data sets and protocols: tables that agree with themselves and with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from zsarbench import protocols
from zsarbench.data.manifest import MANIFEST_COLUMNS, checked_manifest
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.harness.spec import CLASS_TEXT_FORMS
from zsarbench.plugins import options
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.protocols import Protocol
from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import Check, ComponentUnderTest, ContractViolation, Unavailable, expect
from zsarbench.utils.class_names import normalise

DATASET = "zsarbench.interfaces.Dataset"
PROTOCOL = "zsarbench.protocols.Protocol"


# --- data sets --------------------------------------------------------------------------------------------------------


def read(subject: ComponentUnderTest, what: str, *arguments: str) -> Any:
    """Return what a method of the data set gives, read once.

    Raises:
        Unavailable: it says that its files are not on this machine.
    """

    def call() -> Any:
        try:
            return getattr(subject.component, what)(*arguments)
        except UsageError as error:
            if what == "class_texts":
                return None  # it has no texts of that form
            raise Unavailable(str(error)) from error
        except ZsarbenchError as error:
            raise Unavailable(str(error)) from error

    return subject.once((what, *arguments), call)


def another(subject: ComponentUnderTest) -> Any:
    """Return a second instance of the data set, built once."""
    return subject.once("another", subject.make)


def classes_are_named(subject: ComponentUnderTest) -> None:
    """Classes are distinct names, and aliases lead to them."""
    classes, aliases = subject.component.classes, subject.component.aliases
    expect(isinstance(classes, tuple), "classes as a tuple of names", f"it is a {type(classes).__name__}")
    twice = sorted({name for name in classes if classes.count(name) > 1})
    expect(not twice, "each class once", f"{twice[:3]} occur twice")
    blank = [name for name in classes if not isinstance(name, str) or name.strip() != name or not name]
    expect(not blank, "class names without blanks around them", f"some are {blank[:3]}")
    expect(isinstance(aliases, Mapping), "aliases as a mapping", f"it is a {type(aliases).__name__}")
    lost = sorted(set(aliases.values()) - set(classes))
    expect(not lost, "aliases of official class names", f"{lost[:3]} are not classes")
    own = {normalise(name): name for name in classes}
    moved = sorted(alias for alias, name in aliases.items() if own.get(normalise(alias), name) != name)
    expect(not moved, "a class's own name to be no alias of another class", f"{moved[:3]} are")


def manifest_is_sound(subject: ComponentUnderTest) -> None:
    """The manifest has its columns, a row per clip sorted by id, known labels, groups and valid spans."""
    manifest = read(subject, "manifest")
    expect(isinstance(manifest, pd.DataFrame), "the manifest as a DataFrame", f"it is a {type(manifest).__name__}")
    missing = [column for column in MANIFEST_COLUMNS if column not in manifest]
    expect(not missing, f"the columns {', '.join(MANIFEST_COLUMNS)}", f"{', '.join(missing)} is missing")
    try:
        checked_manifest(subject.component, subject.name)
    except ZsarbenchError as error:
        raise ContractViolation("a valid manifest", str(error)) from error
    ids = list(manifest["clip_id"])
    expect(all(isinstance(one, str) for one in ids), "clip ids that are text", f"one is {ids[0]!r}")
    expect(ids == sorted(ids), "rows sorted by clip_id", "they are not")
    blank = [one for one in ids if one != one.strip()]
    expect(not blank, "clip ids without blanks around them", f"{len(blank)} have some, e.g. {blank[:1]}")
    paths = [path for path in manifest["path"].dropna() if not Path(str(path)).is_absolute()]
    expect(not paths, "paths of files that are whole", f"{len(paths)} begin at the current folder, e.g. {paths[:1]}")
    lacking = [clip for clip, group in zip(ids, manifest["group"], strict=True) if pd.isna(group)]
    expect(not lacking, "a group, the source video, for every clip", f"'{lacking[:1]}' has none")


def lists_name_clips(subject: ComponentUnderTest) -> None:
    """The ids of official lists and of captions are in the manifest; captions are sentences."""
    ids = set(read(subject, "manifest")["clip_id"])
    for name, listed in read(subject, "splits").items():
        expect(not isinstance(listed, str), f"clip ids as the list '{name}'", f"it is the text {listed!r:.40}")
        _all_in(listed, ids, f"clips of the list '{name}'")
    captions = read(subject, "captions")
    _all_in(captions, ids, "clips with captions")
    for clip_id, sentences in captions.items():
        plain = not isinstance(sentences, str) and all(isinstance(text, str) and text.strip() for text in sentences)
        expect(plain, "captions as several sentences that are not empty", f"'{clip_id}' has {sentences!r}")


def _all_in(listed: Iterable[str], ids: set[str], what: str) -> None:
    strangers = sorted(set(listed) - ids)
    expect(not strangers, f"{what} to be in the manifest", f"{len(strangers)} are not, e.g. {strangers[:1]}")


def texts_describe_classes(subject: ComponentUnderTest) -> None:
    """Each form of class texts that the data set has describes every class, in order, by texts that are not empty."""
    classes = subject.component.classes
    if not classes:
        return
    n_forms = 0
    for form in CLASS_TEXT_FORMS:
        texts = read(subject, "class_texts", form)
        if texts is None:
            continue
        n_forms += 1
        expect(isinstance(texts, Sequence), "class texts as a list or a tuple", f"it is a {type(texts).__name__}")
        names = tuple(text.name for text in texts)
        expect(names == tuple(classes), f"texts of the form '{form}' in the order of `classes`", "they are not")
        for text in texts:
            full = isinstance(text.texts, tuple) and all(one.strip() for one in text.texts) and len(text.texts) > 0
            expect(full, f"a tuple of texts of the form '{form}'", f"class '{text.name}' has {text.texts!r}")
            one = form == "sentences" or len(text.texts) == 1
            expect(one, f"one text of the form '{form}' per class", f"'{text.name}' has {len(text.texts)}")
        alike = len(classes) > 1 and len({text.texts for text in texts}) == 1
        expect(not alike, f"texts of the form '{form}' that tell classes apart", f"all are {texts[0].texts[:1]}")
    expect(n_forms > 0, f"class texts of one of the forms {', '.join(CLASS_TEXT_FORMS)}", "it has none")


def refuses_other_forms(subject: ComponentUnderTest) -> None:
    """A form of class texts that does not exist is an error of zsarbench's."""
    try:
        subject.component.class_texts("no-such-form")
    except ZsarbenchError:
        return
    except Exception as error:
        raise ContractViolation(
            "a ZsarbenchError for a form that does not exist", f"it raised {type(error).__name__}"
        ) from error
    raise ContractViolation("a ZsarbenchError for a form that does not exist", "it returned texts")


def revision_is_stable(subject: ComponentUnderTest) -> None:
    """The revision is a text, the same for two instances and after the data were read."""
    try:
        one, other = subject.component.revision, another(subject).revision
    except ZsarbenchError as error:
        raise Unavailable(str(error)) from error
    text = isinstance(one, str) and one.strip() == one and len(one.splitlines()) == 1
    expect(text, "a revision that is one line of text", f"it is {one!r}")
    expect(one == other, "the same revision for the same options", f"it is '{one}' and '{other}'")
    read(subject, "manifest")
    after = subject.component.revision
    expect(after == one, "the same revision after the manifest was read", f"it is '{after}', not '{one}'")


# --- protocols --------------------------------------------------------------------------------------------------------


def protocol_of(subject: ComponentUnderTest) -> Protocol:
    """Return the protocol of an entry's file, or the one that was passed."""
    target = subject.target
    if isinstance(target, Protocol):
        return target
    try:
        return subject.once("protocol", lambda: protocols.read(Path(target)))  # type: ignore[no-any-return]
    except ZsarbenchError as error:
        raise ContractViolation("a protocol file that can be read", str(error)) from error


def _dataset_of(subject: ComponentUnderTest) -> Any:
    """Return the data set of a protocol, built once, with what was chosen in place of the protocol's options of it.

    Raises:
        Unavailable: no registry was given, or the data set cannot be built here.
    """
    protocol = protocol_of(subject)
    registry = subject.registry
    if registry is None:
        raise Unavailable(f"without a registry its data set '{protocol.dataset}' is not known")
    if protocol.dataset not in registry.names("dataset"):
        raise ContractViolation("a data set that is registered", f"'{protocol.dataset}' is not")
    entry = registry.get("dataset", protocol.dataset)
    chosen = {**protocol.options.get("dataset", {}).get(protocol.dataset, {}), **subject.chosen}

    key = (protocol.dataset, repr(chosen))
    if key not in subject.shared:
        subject.shared[key] = ComponentUnderTest("dataset", protocol.dataset, entry.load, chosen=chosen, entry=entry)
    return subject.shared[key].component


def states_itself(subject: ComponentUnderTest) -> None:
    """A protocol's name is that of its entry; it has a source, rounds, and parts and options that exist."""
    protocol = protocol_of(subject)
    if subject.entry is not None:
        expect(protocol.name == subject.entry.name, f"the name '{subject.entry.name}'", f"it is '{protocol.name}'")
    expect(bool(protocol.source.strip()), "a source: where its lists come from", "it has none")
    expect(len(protocol.rounds) > 0, "at least one round", "it has none")
    registry = subject.registry
    if registry is None:
        return
    for kind, name in protocol.parts.items():
        expect(kind in PART_KINDS, f"parts of the kinds {', '.join(PART_KINDS)}", f"one is of kind '{kind}'")
        expect(name in registry.names(kind), f"a registered {kind}", f"'{name}' is not")
    for kind, components in protocol.options.items():
        for name, chosen in components.items():
            expect(name in registry.names(kind), f"options of a registered {kind}", f"'{name}' is not")
            problems = options.check(registry.get(kind, name).load(), f"{kind} {name}", chosen)[1]
            expect(not problems, f"options that {kind} '{name}' takes", "; ".join(problems))


def rounds_fit_the_classes(subject: ComponentUnderTest) -> None:
    """Every class of every round is the data set's; the rounds fit their setting; the hash is stable."""
    protocol, dataset = protocol_of(subject), _dataset_of(subject)
    rounds = _sound(lambda: protocol.with_official_names(dataset), "rounds that fit the data set")
    expect(len({item.index for item in rounds}) == len(rounds), "rounds with an index of their own", "two share one")
    expect(protocol.hash(dataset) == protocol.hash(dataset), "a stable hash", "it changed")


def rounds_fit_the_clips(subject: ComponentUnderTest) -> None:
    """Every list of clips is in the manifest, every class has clips to test, and their number is the stated one."""
    protocol, dataset = protocol_of(subject), _dataset_of(subject)
    try:
        manifest = dataset.manifest()
        rounds = protocol.on(dataset)
    except ZsarbenchError as error:
        raise Unavailable(str(error)) from error
    for item in rounds:
        _, test = _sound(partial(protocols.round_clips, item, manifest), "clips of every candidate in the manifest")
        stated = protocol.rounds[item.index].n_clips
        expect(stated in (None, len(test)), f"{stated} test clips in round {item.index}", f"there are {len(test)}")


def _sound(call: Callable[[], Any], expected: str) -> Any:
    try:
        return call()
    except ZsarbenchError as error:
        raise ContractViolation(expected, str(error)) from error


def dataset_checks() -> tuple[Check, ...]:
    """Return the checks of data sets."""
    return (
        *checks_constructors.checks("dataset"),
        Check("dataset", "classes-are-named", DATASET, classes_are_named),
        Check("dataset", "manifest-is-sound", f"{DATASET}.manifest", manifest_is_sound),
        Check("dataset", "lists-name-clips", f"{DATASET}.splits", lists_name_clips),
        Check("dataset", "texts-describe-classes", f"{DATASET}.class_texts", texts_describe_classes),
        Check("dataset", "refuses-other-forms", f"{DATASET}.class_texts", refuses_other_forms),
        Check("dataset", "revision-is-stable", DATASET, revision_is_stable),
    )


def labels_are_named(subject: ComponentUnderTest) -> None:
    """Called without arguments, the target returns labels that are texts, each once, and aliases of some of them."""
    labels = subject.target()
    expect(isinstance(labels, LabelSet), "a LabelSet", f"it is a {type(labels).__name__}")
    named = all(isinstance(label, str) and label.strip() for label in labels.labels)
    expect(bool(labels.labels) and named, "labels that are texts", f"some of the {len(labels.labels)} are not")
    expect(len(set(labels.labels)) == len(labels.labels), "each label once", "some occur twice")
    strangers = sorted(set(labels.aliases.values()) - set(labels.labels))
    expect(not strangers, "aliases of labels", f"{len(strangers)} are of no label, e.g. {strangers[:1]}")


def labels_checks() -> tuple[Check, ...]:
    """Return the checks of label sets."""
    return (Check("labels", "labels-are-named", "zsarbench.evaluation.label_sets.LabelSet", labels_are_named),)


def protocol_checks() -> tuple[Check, ...]:
    """Return the checks of protocols."""
    return (
        Check("protocol", "states-itself", PROTOCOL, states_itself),
        Check("protocol", "rounds-fit-the-classes", f"{PROTOCOL}.with_official_names", rounds_fit_the_classes),
        Check("protocol", "rounds-fit-the-clips", f"{PROTOCOL}.on", rounds_fit_the_clips),
    )

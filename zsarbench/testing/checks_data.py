"""Checks of data sets and protocols: tables that agree with themselves and with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
from zsarbench.protocols import FileProtocol
from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import Broken, Check, NotHere, Subject, expect

DATASET = "zsarbench.interfaces.Dataset"
PROTOCOL = "zsarbench.protocols.FileProtocol"


# --- data sets --------------------------------------------------------------------------------------------------------


def read(subject: Subject, what: str, *arguments: str) -> Any:
    """Return what a method of the data set gives, read once.

    Raises:
        NotHere: it says that its files are not on this machine.
    """

    def call() -> Any:
        try:
            return getattr(subject.component, what)(*arguments)
        except UsageError as error:
            if what == "class_texts":
                return None  # it has no texts of that form
            raise NotHere(str(error)) from error
        except ZsarbenchError as error:
            raise NotHere(str(error)) from error

    return subject.once((what, *arguments), call)


def classes_are_named(subject: Subject) -> None:
    """Classes are distinct names, and aliases lead to them."""
    classes, aliases = subject.component.classes, subject.component.aliases
    expect(isinstance(classes, tuple), "classes as a tuple of names", f"a {type(classes).__name__} came")
    twice = sorted({name for name in classes if classes.count(name) > 1})
    expect(not twice, "each class once", f"{twice[:3]} stand twice")
    blank = [name for name in classes if not isinstance(name, str) or name.strip() != name or not name]
    expect(not blank, "class names without blanks around them", f"{blank[:3]} came")
    expect(isinstance(aliases, Mapping), "aliases as a mapping", f"a {type(aliases).__name__} came")
    lost = sorted(set(aliases.values()) - set(classes))
    expect(not lost, "aliases of official class names", f"{lost[:3]} are no classes")


def manifest_is_sound(subject: Subject) -> None:
    """The manifest has its columns, a row per clip sorted by id, known labels, groups and sound spans."""
    manifest = read(subject, "manifest")
    expect(isinstance(manifest, pd.DataFrame), "the manifest as a DataFrame", f"a {type(manifest).__name__} came")
    missing = [column for column in MANIFEST_COLUMNS if column not in manifest]
    expect(not missing, f"the columns {', '.join(MANIFEST_COLUMNS)}", f"{', '.join(missing)} is not there")
    try:
        checked_manifest(subject.component, subject.name)
    except ZsarbenchError as error:
        raise Broken("a sound manifest", str(error)) from error
    ids = list(manifest["clip_id"])
    expect(all(isinstance(one, str) for one in ids), "clip ids that are text", f"one is {ids[0]!r}")
    expect(ids == sorted(ids), "rows sorted by clip_id", "they are not")
    lacking = [clip for clip, group in zip(ids, manifest["group"], strict=True) if pd.isna(group)]
    expect(not lacking, "a group, the source video, for every clip", f"'{lacking[:1]}' has none")
    spans = manifest[manifest["start"].notna() & manifest["end"].notna()]
    wrong = spans[(spans["end"] <= spans["start"]) | (spans["start"] < 0)]
    expect(wrong.empty, "start below end, in seconds", f"{len(wrong)} clips differ, e.g. {list(wrong['clip_id'])[:1]}")


def lists_name_clips(subject: Subject) -> None:
    """The ids of official lists and of captions are in the manifest; captions are sentences."""
    ids = set(read(subject, "manifest")["clip_id"])
    for name, listed in read(subject, "splits").items():
        _all_in(listed, ids, f"clips of the list '{name}'")
    captions = read(subject, "captions")
    _all_in(captions, ids, "clips with captions")
    for clip_id, sentences in captions.items():
        plain = not isinstance(sentences, str) and all(isinstance(text, str) and text.strip() for text in sentences)
        expect(plain, "captions as several sentences that are not empty", f"'{clip_id}' has {sentences!r}")


def _all_in(listed: Iterable[str], ids: set[str], what: str) -> None:
    strangers = sorted(set(listed) - ids)
    expect(not strangers, f"{what} to be in the manifest", f"{len(strangers)} are not, e.g. {strangers[:1]}")


def texts_describe_classes(subject: Subject) -> None:
    """Each form of class texts that the data set has describes every class, in order, by texts that are not empty."""
    classes = subject.component.classes
    if not classes:
        return
    found = 0
    for form in CLASS_TEXT_FORMS:
        texts = read(subject, "class_texts", form)
        if texts is None:
            continue
        found += 1
        names = tuple(text.name for text in texts)
        expect(names == tuple(classes), f"texts of the form '{form}' in the order of `classes`", "they are others")
        for text in texts:
            full = isinstance(text.texts, tuple) and all(one.strip() for one in text.texts) and len(text.texts) > 0
            expect(full, f"a tuple of texts of the form '{form}'", f"class '{text.name}' has {text.texts!r}")
            one = form == "sentences" or len(text.texts) == 1
            expect(one, f"one text of the form '{form}' a class", f"'{text.name}' has {len(text.texts)}")
    expect(found > 0, f"class texts of one of the forms {', '.join(CLASS_TEXT_FORMS)}", "there are none")


def refuses_other_forms(subject: Subject) -> None:
    """A form of class texts that does not exist is an error of zsarbench's."""
    try:
        subject.component.class_texts("no-such-form")
    except ZsarbenchError:
        return
    except Exception as error:
        raise Broken("a ZsarbenchError for a form that does not exist", f"{type(error).__name__} came") from error
    raise Broken("a ZsarbenchError for a form that does not exist", "texts came")


def revision_is_stable(subject: Subject) -> None:
    """The revision is a text, the same for two instances and after the data were read."""
    try:
        one, other = subject.component.revision, subject.make().revision
    except ZsarbenchError as error:
        raise NotHere(str(error)) from error
    expect(isinstance(one, str) and one != "", "a revision that is text", f"it is {one!r}")
    expect(one == other, "the same revision for the same options", f"it is '{one}' and '{other}'")
    read(subject, "manifest")
    after = subject.component.revision
    expect(after == one, "the same revision after the manifest was read", f"it is '{after}', not '{one}'")


# --- protocols --------------------------------------------------------------------------------------------------------


def protocol_of(subject: Subject) -> FileProtocol:
    """Return the protocol of an entry's file, or one that was given."""
    given = subject.target
    if isinstance(given, FileProtocol):
        return given
    try:
        return subject.once("protocol", lambda: protocols.read(Path(given)))  # type: ignore[no-any-return]
    except ZsarbenchError as error:
        raise Broken("a protocol file that can be read", str(error)) from error


def _dataset_of(subject: Subject) -> Any:
    """Return the data set of a protocol, built anew once.

    Raises:
        NotHere: there is no registry, or the data set cannot be built here.
    """
    protocol = protocol_of(subject)
    registry = subject.registry
    if registry is None:
        raise NotHere(f"without a registry its data set '{protocol.dataset}' is not known")
    if protocol.dataset not in registry.names("dataset"):
        raise Broken("a data set that is registered", f"'{protocol.dataset}' is not")
    entry = registry.get("dataset", protocol.dataset)
    chosen = protocol.options.get("dataset", {}).get(protocol.dataset, {})

    key = (protocol.dataset, repr(chosen))
    if key not in subject.shared:
        subject.shared[key] = Subject("dataset", protocol.dataset, entry.load, chosen=chosen, entry=entry)
    return subject.shared[key].component


def states_itself(subject: Subject) -> None:
    """A protocol's name is that of its entry; it has a source, rounds, and parts and options that exist."""
    protocol = protocol_of(subject)
    if subject.entry is not None:
        expect(protocol.name == subject.entry.name, f"the name '{subject.entry.name}'", f"it is '{protocol.name}'")
    expect(bool(protocol.source.strip()), "a source: where its lists come from", "there is none")
    expect(len(protocol.listed_rounds) > 0, "at least one round", "there is none")
    registry = subject.registry
    if registry is None:
        return
    for kind, name in protocol.parts.items():
        expect(kind in PART_KINDS, f"parts of the kinds {', '.join(PART_KINDS)}", f"'{kind}' came")
        expect(name in registry.names(kind), f"a registered {kind}", f"'{name}' is not")
    for kind, components in protocol.options.items():
        for name, given in components.items():
            expect(name in registry.names(kind), f"options of a registered {kind}", f"'{name}' is not")
            problems = options.check(registry.get(kind, name).load(), f"{kind} {name}", given)[1]
            expect(not problems, f"options that {kind} '{name}' takes", "; ".join(problems))


def rounds_fit_the_classes(subject: Subject) -> None:
    """Every class of every round is the data set's; zsl and gzsl rounds are what they say; the hash is stable."""
    protocol, dataset = protocol_of(subject), _dataset_of(subject)
    rounds = _sound(lambda: protocol.named(dataset), "rounds that fit the data set")
    expect(len({item.index for item in rounds}) == len(rounds), "rounds with an index of their own", "two share one")
    expect(protocol.hash(dataset) == protocol.hash(dataset), "a hash that stays", "it changed")


def rounds_fit_the_clips(subject: Subject) -> None:
    """Every list of clips is in the manifest, every class has clips to test, and the count is the stated one."""
    protocol, dataset = protocol_of(subject), _dataset_of(subject)
    try:
        manifest = dataset.manifest()
        rounds = protocol.checked(dataset)
    except ZsarbenchError as error:
        raise NotHere(str(error)) from error
    for item in rounds:
        _, test = _sound(partial(protocols.round_clips, item, manifest), "clips of every candidate in the manifest")
        told = protocol.stated_clips(item.index)
        expect(told in (None, len(test)), f"{told} test clips in round {item.index}", f"there are {len(test)}")


def _sound(call: Callable[[], Any], expected: str) -> Any:
    try:
        return call()
    except ZsarbenchError as error:
        raise Broken(expected, str(error)) from error


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


def labels_are_named(subject: Subject) -> None:
    """Called without arguments, the target returns labels that are texts, each once, and aliases of some of them."""
    found = subject.target()
    expect(isinstance(found, LabelSet), "a LabelSet", f"a {type(found).__name__} came")
    named = all(isinstance(label, str) and label.strip() for label in found.labels)
    expect(bool(found.labels) and named, "labels that are texts", f"{len(found.labels)} came, some of them are none")
    expect(len(set(found.labels)) == len(found.labels), "each label once", "some come twice")
    strangers = sorted(set(found.aliases.values()) - set(found.labels))
    expect(not strangers, "aliases of labels", f"{len(strangers)} are of none, e.g. {strangers[:1]}")


def labels_checks() -> tuple[Check, ...]:
    """Return the checks of label sets."""
    return (Check("labels", "labels-are-named", "zsarbench.evaluation.label_sets.LabelSet", labels_are_named),)


def protocol_checks() -> tuple[Check, ...]:
    """Return the checks of protocols."""
    return (
        Check("protocol", "states-itself", PROTOCOL, states_itself),
        Check("protocol", "rounds-fit-the-classes", f"{PROTOCOL}.named", rounds_fit_the_classes),
        Check("protocol", "rounds-fit-the-clips", f"{PROTOCOL}.checked", rounds_fit_the_clips),
    )

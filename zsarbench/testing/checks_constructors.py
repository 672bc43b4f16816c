"""Checks of every component: its constructor's options, and that its interface is complete."""

from __future__ import annotations

from typing import Any

from zsarbench import interfaces
from zsarbench.errors import UsageError
from zsarbench.plugins import options
from zsarbench.testing.checking import Broken, Check, Subject, expect

INTERFACES = {
    "dataset": interfaces.Dataset,
    "visual": interfaces.VisualEncoder,
    "text": interfaces.TextEncoder,
    "negatives": interfaces.NegativeSampler,
    "loss": interfaces.Loss,
    "method": interfaces.Method,
    "reporter": interfaces.Reporter,
    "executor": interfaces.Executor,
}
ALLOWED = {
    ("visual", "needs"): ("frames", "captions", "features"),
    ("negatives", "when"): ("corpus", "batch"),
    ("method", "learns_from"): ("nothing", "seen-classes", "captions"),
}
CONSTRUCTORS = "zsarbench/interfaces.py, 'constructors take explicit keyword arguments with defaults'"


def options_can_be_set(subject: Subject) -> None:
    """Every option has a default and an annotation that the command line can read its values by."""
    try:
        listed = options.options_of(subject.target)
    except UsageError as error:
        raise Broken("explicit keyword arguments, each with a default", f"{error}") from error
    for option in listed.values():
        said = f"option '{option.name}' is annotated with '{option.type_text}' and its default is {option.default!r}"
        expect(option.annotation is not Any, "an annotation that `--set` can read values by", said)
        try:
            read = options.parse(option.default, option.annotation)
        except (ValueError, TypeError) as error:
            raise Broken("a default that `--set` could have given", f"{said}: {error}") from error
        expect(read == option.default, "a default of the annotated type", said)


def options_are_stored(subject: Subject) -> None:
    """The constructor stores every option unchanged under its name."""
    made = subject.component
    for name, option in options.options_of(subject.target).items():
        given = subject.chosen.get(name, option.default)
        expect(hasattr(made, name), f"option '{name}' as an attribute of that name", "there is none")
        stored = getattr(made, name)
        same = stored is given or (type(stored) is type(given) and bool(stored == given))
        expect(same, f"option '{name}' to be stored unchanged as {given!r}", f"it is {stored!r}")


def interface_is_complete(subject: Subject) -> None:
    """Every member of the interface is there; what is a choice is one of the known values."""
    interface = INTERFACES[subject.kind]
    made = subject.component
    # A class's property is there without being evaluated: a revision may read files that are not.
    missing = [name for name in _members(interface) if not (hasattr(type(made), name) or hasattr(made, name))]
    expect(not missing, f"the members of {interface.__name__}", f"{', '.join(missing)} is not there")
    for (kind, member), allowed in ALLOWED.items():
        if kind == subject.kind:
            value = getattr(made, member)
            expect(value in allowed, f"{member} to be one of {', '.join(allowed)}", f"it is {value!r}")


def _members(interface: type) -> list[str]:
    names = {**getattr(interface, "__annotations__", {}), **vars(interface)}
    return [name for name in names if not name.startswith("_") or name == "__call__"]


def checks(kind: str) -> tuple[Check, ...]:
    """Return the checks that components of this kind share with all others."""
    complete = f"zsarbench.interfaces.{INTERFACES[kind].__name__}"
    rules = () if kind == "reporter" else (
        Check(kind, "options-can-be-set", CONSTRUCTORS, options_can_be_set),
        Check(kind, "options-are-stored", CONSTRUCTORS, options_are_stored),
    )  # fmt: skip
    return (*rules, Check(kind, "interface-is-complete", complete, interface_is_complete))

"""Checks of every component: its constructor's options, and that its interface is complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zsarbench import interfaces
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins import options
from zsarbench.plugins.building import has_member, members
from zsarbench.plugins.guarding import in_words
from zsarbench.testing.checking import Check, ComponentUnderTest, ContractViolation, Unavailable, Unusable, expect


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


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
OPTIONAL: tuple[tuple[type, str, str, Callable[[Any], bool]], ...] = (
    (interfaces.CaptionSteps, "captions_in_steps", "none, one-each or all", ("none", "one-each", "all").__contains__),
    (interfaces.StepBatches, "batch_size", "a whole number above 0", lambda size: isinstance(size, int) and size > 0),
    (interfaces.IndependentSteps, "independent_steps", "True or False", lambda value: isinstance(value, bool)),
    (interfaces.ColourOrdered, "colour_order", "rgb, bgr or None", ("rgb", "bgr", None).__contains__),
    (interfaces.FrameOrdered, "frame_order_matters", "True or False", lambda value: isinstance(value, bool)),
    (interfaces.CaptionsTrained, "captions_trained_on", "a tuple of names", _is_names),
    (interfaces.HasRoot, "root", "a Path or None", lambda root: root is None or isinstance(root, Path)),
    *((protocol, member, "a method", callable) for protocol, member in (
        (interfaces.SamplesTexts, "sample_texts"), (interfaces.Recording, "record"), (interfaces.Embeds, "embed"),
        (interfaces.ChecksParts, "check_parts"), (interfaces.Movable, "to"), (interfaces.HasParameters, "parameters"),
    )),
)  # fmt: skip
"""Each: the protocol of an optional member, the member, what it must be in words, and the rule."""
CONSTRUCTORS = "zsarbench.interfaces.components, 'constructors take explicit keyword arguments with defaults'"


def options_can_be_set(subject: ComponentUnderTest) -> None:
    """The target is a class; every option has a default and an annotation that the command line can read values by."""
    if not isinstance(subject.target, type):
        actual = f"'{subject.name}' leads to a {type(subject.target).__name__}"
        raise Unusable("a class as target", actual, "a factory function or an instance in place of the class")
    try:
        listed = options.options_of(subject.target)
    except UsageError as error:
        raise ContractViolation("explicit keyword arguments, each with a default", f"{error}") from error
    for option in listed.values():
        described = (
            f"option '{option.name}' is annotated with '{option.type_text}' and its default is {option.default!r}"
        )
        expect(option.annotation is not Any, "an annotation that `--set` can read values by", described)
        try:
            read = options.parse(option.default, option.annotation)
        except (ValueError, TypeError) as error:
            raise ContractViolation("a default that `--set` could have given", f"{described}: {error}") from error
        expect(read == option.default, "a default of the annotated type", described)


def options_are_stored(subject: ComponentUnderTest) -> None:
    """The constructor stores every option unchanged under its name."""
    try:
        component = subject.component
    except (ZsarbenchError, ContractViolation, Unavailable):
        raise
    except (Exception, SystemExit) as error:
        cause = "the constructor needs what is given to it by no option"
        raise Unusable("a constructor that builds the component", in_words(error), cause) from error
    for name, option in options.options_of(subject.target).items():
        value = subject.chosen.get(name, option.default)
        expect(hasattr(component, name), f"option '{name}' as an attribute of that name", "it has none")
        stored = getattr(component, name)
        same = stored is value or (type(stored) is type(value) and bool(stored == value))
        expect(same, f"option '{name}' to be stored unchanged as {value!r}", f"it is {stored!r}")


def interface_is_complete(subject: ComponentUnderTest) -> None:
    """The interface is complete, a choice is one of the known values, and optional members are of their types."""
    interface = INTERFACES[subject.kind]
    component = subject.component
    missing = [name for name in members(interface) if not has_member(component, name)]
    if missing:
        absent = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        raise Unusable(f"the members of {interface.__name__}", absent)
    for (kind, member), allowed in ALLOWED.items():
        if kind == subject.kind:
            value = getattr(component, member)
            expect(value in allowed, f"{member} to be one of {', '.join(allowed)}", f"it is {value!r}")
    optional_members_fit(component)


def optional_members_fit(component: Any) -> None:
    """Check the types of what a component offers besides its interface; see `zsarbench.interfaces.optional`."""
    for protocol, member, expected, fits in OPTIONAL:
        if isinstance(component, protocol):
            value = getattr(component, member)
            expect(
                fits(value),
                f"{member} to be {expected}, as zsarbench.interfaces.{protocol.__name__} has it",
                f"it is {value!r}",
            )


def checks(kind: str) -> tuple[Check, ...]:
    """Return the checks that components of this kind share with all others."""
    complete = f"zsarbench.interfaces.{INTERFACES[kind].__name__}"
    rules = () if kind == "reporter" else (
        Check(kind, "options-can-be-set", CONSTRUCTORS, options_can_be_set),
        Check(kind, "options-are-stored", CONSTRUCTORS, options_are_stored),
    )  # fmt: skip
    return (*rules, Check(kind, "interface-is-complete", complete, interface_is_complete))

"""The public conformance kit: one set of checks per kind, which every component of that kind must pass.

From a test of a plugin, after scikit-learn's `parametrize_with_checks`:

    @parametrize(load_plugins().registry, plugin="my-plugin")
    def test_conformance(case):
        case()

or `zsarbench check my-plugin` from a shell, or `run_checks(SoftMargin, "loss")` from Python. Everything is tried on the
toys of `zsarbench.testing.toys`: no data, no network, no weights but the component's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsarbench.errors import UsageError, unknown
from zsarbench.interfaces.lazy import Lazy
from zsarbench.plugins.registry import KINDS, Entry, Registry
from zsarbench.testing import (
    checks_data,
    checks_encoders,
    checks_inputs,
    checks_instances,
    checks_leaks,
    checks_learning,
    checks_loader,
    checks_losses,
    checks_methods,
    checks_output,
    checks_processes,
    checks_texts,
    checks_training,
)
from zsarbench.testing.checking import SECONDS, Check, CheckOutcome, ComponentUnderTest, Problem

if TYPE_CHECKING:
    import pytest
else:
    pytest = Lazy("pytest")

__all__ = [
    "Case",
    "Check",
    "CheckOutcome",
    "ComponentUnderTest",
    "Problem",
    "cases",
    "checks_for",
    "outcomes",
    "parametrize",
    "run_checks",
    "subject_of",
]

Settings = Mapping[tuple[str, str], Mapping[str, Any]]
"""Options by (kind, name) of a component, used in place of its constructor's defaults."""


def checks_for(kind: str) -> tuple[Check, ...]:
    """Return the checks of a kind, in the order of their findings.

    Raises:
        UsageError: the kind is unknown.
    """
    known: dict[str, Callable[[], tuple[Check, ...]]] = {
        "dataset": lambda: (*checks_data.dataset_checks(), *checks_instances.instance_checks("dataset")),
        "protocol": checks_data.protocol_checks,
        "visual": lambda: (
            *checks_encoders.visual_checks(),
            *checks_loader.loader_checks(),
            *checks_instances.instance_checks("visual"),
        ),
        "text": lambda: (*checks_texts.text_checks(), *checks_instances.instance_checks("text")),
        "negatives": checks_training.negatives_checks,
        "loss": checks_losses.loss_checks,
        "method": lambda: (
            *checks_methods.method_checks(),
            *checks_inputs.input_checks(),
            *checks_learning.learning_checks(),
            *checks_leaks.leak_checks(),
        ),
        "labels": checks_data.labels_checks,
        "reporter": checks_output.reporter_checks,
        "executor": checks_output.executor_checks,
    }
    if kind not in known:
        raise UsageError(unknown("kind", kind, KINDS))
    return (*known[kind](), *checks_processes.process_checks(kind))


def subject_of(
    component: Any,
    kind: str | None = None,
    *,
    registry: Registry | None = None,
    chosen: Mapping[str, Any] | None = None,
    shared: dict[Any, Any] | None = None,
    device: str = "cpu",
) -> ComponentUnderTest:
    """Return what checks are run on.

    Args:
        component: an entry of a registry, a class, or for kind "protocol" a path or a `Protocol`.
        kind: of a component that is not an entry.
        registry: where a protocol's data set and parts are found.
        chosen: options in place of the constructor's defaults; for a protocol, of its data set.
        shared: one dictionary for components that share a data set, so that it is built once.
        device: where it computes, as torch names it.

    Raises:
        UsageError: the kind of a component that is not an entry was left out.
    """
    if isinstance(component, Entry):
        load = component.path if component.kind == "protocol" else component.load
        about = (component.kind, component.name, load)
        return ComponentUnderTest(
            *about, chosen=chosen, entry=component, registry=registry, shared=shared, device=device
        )
    if kind is None:
        raise UsageError(f"what kind of component is {component!r}? Give one of: {', '.join(KINDS)}")
    name = getattr(component, "__name__", str(component))
    return ComponentUnderTest(kind, name, lambda: component, chosen=chosen, registry=registry, device=device)


def outcomes(subject: ComponentUnderTest, *, seconds: float = SECONDS) -> Iterator[CheckOutcome]:
    """Run the checks of a component's kind one after the other; none may take longer than `seconds`."""
    for check in checks_for(subject.kind):
        yield check.outcome(subject, seconds)


def run_checks(
    component: Any,
    kind: str | None = None,
    *,
    registry: Registry | None = None,
    chosen: Mapping[str, Any] | None = None,
    device: str = "cpu",
    seconds: float = SECONDS,
) -> list[Problem]:
    """Return the bugs in a component, [] where it has none; see `subject_of` for the arguments."""
    subject = subject_of(component, kind, registry=registry, chosen=chosen, device=device)
    return [outcome.problem for outcome in outcomes(subject, seconds=seconds) if outcome.problem is not None]


@dataclass(frozen=True)
class Case:
    """One check of one component, to be called by a test."""

    check: Check
    subject: ComponentUnderTest

    def __call__(self, seconds: float = SECONDS) -> None:
        """Fail the test where the check finds a problem, skip it where the component cannot be tried here."""
        import pytest

        outcome = self.check.outcome(self.subject, seconds)
        if outcome.skipped is not None:
            pytest.skip(outcome.skipped)
        if outcome.problem is not None:
            pytest.fail(str(outcome.problem), pytrace=False)

    def __str__(self) -> str:
        return f"{self.check.kind}-{self.subject.name}-{self.check.name}"


def cases(
    registry: Registry,
    *,
    plugin: str | None = None,
    kinds: Iterable[str] = KINDS,
    settings: Settings | None = None,
    device: str = "cpu",
) -> list[Case]:
    """Return every check of every component.

    plugin: only what this plugin registered. settings: options in place of defaults, by (kind, name). device: where
    components compute, as torch names it.
    """
    chosen_kinds, options, shared = set(kinds), settings or {}, dict[Any, Any]()
    listed = []
    for entry in registry:
        if plugin in (None, entry.plugin) and entry.kind in chosen_kinds:
            chosen = options.get((entry.kind, entry.name))
            subject = subject_of(entry, registry=registry, chosen=chosen, shared=shared, device=device)
            listed += [Case(check, subject) for check in checks_for(entry.kind)]
    return listed


def parametrize(
    registry: Registry,
    *,
    plugin: str | None = None,
    kinds: Iterable[str] = KINDS,
    settings: Settings | None = None,
    device: str = "cpu",
) -> pytest.MarkDecorator:
    """Return a mark that gives a test's argument `case` each of `cases`."""
    import pytest

    listed = cases(registry, plugin=plugin, kinds=kinds, settings=settings, device=device)
    return pytest.mark.parametrize("case", listed, ids=str)

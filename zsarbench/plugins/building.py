"""Builds the components of a run from its spec: the one place where constructors are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import (
    Dataset,
    Executor,
    Loss,
    Method,
    NegativeSampler,
    Parts,
    TextEncoder,
    VisualEncoder,
)
from zsarbench.plugins import options

if TYPE_CHECKING:
    from zsarbench.plugins.parts import PartSpec
    from zsarbench.plugins.registry import Registry

_INTERFACES = {
    "dataset": Dataset,
    "visual": VisualEncoder,
    "text": TextEncoder,
    "negatives": NegativeSampler,
    "loss": Loss,
    "method": Method,
    "executor": Executor,
}


def build(part: PartSpec, registry: Registry, **filled: Any) -> Any:
    """Construct a component with its options; `filled` are parameters that the harness provides.

    Raises:
        ZsarbenchError: the constructor raises, or the object lacks members of its interface.
    """
    target = registry.get(part.kind, part.name).load()
    return construct(target, part.kind, part.name, {**part.options, **filled})


def construct(target: Any, kind: str, name: str, arguments: Mapping[str, Any]) -> Any:
    """Call a component's constructor and check that its interface is complete."""
    try:
        made = target(**arguments)
    except ZsarbenchError:
        raise
    except Exception as error:
        raise ZsarbenchError(f"{kind} '{name}' cannot be built: {type(error).__name__}: {error}") from error
    interface = _INTERFACES[kind]
    missing = [member for member in _members(interface) if not _has(made, member)]
    if missing:
        raise ZsarbenchError(f"{kind} '{name}' lacks {', '.join(missing)} of zsarbench.interfaces.{interface.__name__}")
    return made


def load_target(target: str) -> Any:
    """Import the attribute of a target "package.module:Attr"; used where only a target travelled, as to a worker."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _has(made: Any, member: str) -> bool:
    """Return whether an object has a member, without evaluating a property (a revision may read files)."""
    return member in vars(made) or hasattr(type(made), member) or hasattr(made, member)


def _members(interface: type) -> list[str]:
    names = set(getattr(interface, "__annotations__", {})) | set(vars(interface))
    return sorted(name for name in names if not name.startswith("_") or name == "__call__")


def build_dataset(part: PartSpec, data_roots: Mapping[str, str], registry: Registry) -> Dataset:
    """Construct a data set, with the user's folder as `root` where it takes one.

    Raises:
        ZsarbenchError: a folder was given for a data set that reads none.
    """
    filled: dict[str, Any] = {}
    if part.name in data_roots:
        if not options.takes(registry.get("dataset", part.name).load(), "root"):
            raise ZsarbenchError(f"dataset '{part.name}' reads no folder; leave out --data-root {part.name}=…")
        filled["root"] = Path(data_roots[part.name])
    dataset: Dataset = build(part, registry, **filled)
    return dataset


def build_parts(parts: Mapping[str, PartSpec], registry: Registry, wrap_text: Any, device: Any) -> Parts:
    """Construct the parts of a run and move those that are modules to the device.

    The loss is left out: it may have weights, so every fit builds one of its own.

    wrap_text: called with the text encoder, returns the one that the run uses (with its cache).
    """
    made: dict[str, Any] = {}
    if "text" in parts:
        made["text"] = wrap_text(moved(build(parts["text"], registry), device))
    for kind in ("visual", "negatives"):
        if kind in parts:
            part = parts[kind]
            reads_text = options.takes(registry.get(kind, part.name).load(), "text_encoder")
            filled = {"text_encoder": made["text"]} if reads_text else {}
            made[kind] = moved(build(part, registry, **filled), device)
    return Parts(**made)


def moved(component: Any, device: Any) -> Any:
    """Return a component after moving it to a device, if it is a module or the like."""
    if hasattr(component, "to"):
        component.to(device)
    return component

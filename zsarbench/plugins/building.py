"""Builds the components of a run from its parts: the one place where constructors are called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import (
    Dataset,
    Executor,
    Loss,
    Method,
    Movable,
    NegativeSampler,
    Parts,
    Sampling,
    TextEncoder,
    VisualEncoder,
)
from zsarbench.plugins import options
from zsarbench.plugins.guarding import in_words

if TYPE_CHECKING:
    import torch

    from zsarbench.plugins.parts import PartSpec
    from zsarbench.plugins.registry import Registry

Component = TypeVar("Component")
_INTERFACES = {
    "dataset": Dataset,
    "visual": VisualEncoder,
    "text": TextEncoder,
    "negatives": NegativeSampler,
    "loss": Loss,
    "method": Method,
    "executor": Executor,
}


@overload
def construct(target: Any, kind: Literal["dataset"], name: str, arguments: Mapping[str, Any]) -> Dataset: ...
@overload
def construct(target: Any, kind: Literal["visual"], name: str, arguments: Mapping[str, Any]) -> VisualEncoder: ...
@overload
def construct(target: Any, kind: Literal["text"], name: str, arguments: Mapping[str, Any]) -> TextEncoder: ...
@overload
def construct(target: Any, kind: Literal["negatives"], name: str, arguments: Mapping[str, Any]) -> NegativeSampler: ...
@overload
def construct(target: Any, kind: Literal["loss"], name: str, arguments: Mapping[str, Any]) -> Loss: ...
@overload
def construct(target: Any, kind: Literal["method"], name: str, arguments: Mapping[str, Any]) -> Method: ...
@overload
def construct(target: Any, kind: Literal["executor"], name: str, arguments: Mapping[str, Any]) -> Executor: ...
def construct(target: Any, kind: str, name: str, arguments: Mapping[str, Any]) -> Any:
    """Call a component's constructor and check that its interface is complete.

    Raises:
        ZsarbenchError: the constructor raises, or the object lacks members of its interface.
    """
    try:
        component = target(**arguments)
    except (ZsarbenchError, KeyboardInterrupt):
        raise
    except BaseException as error:
        whose = str(getattr(target, "__module__", "")).partition(".")[0]
        raise ZsarbenchError(f"{kind} '{name}' of {whose} cannot be built: {in_words(error)}") from error
    interface = _INTERFACES[kind]
    missing = [member for member in members(interface) if not has_member(component, member)]
    if missing:
        raise ZsarbenchError(f"{kind} '{name}' lacks {', '.join(missing)} of zsarbench.interfaces.{interface.__name__}")
    return component


def members(interface: type) -> list[str]:
    """Return the names of what an interface demands, sorted."""
    names = set(getattr(interface, "__annotations__", {})) | set(vars(interface))
    return sorted(name for name in names if not name.startswith("_") or name == "__call__")


def has_member(component: object, name: str) -> bool:
    """Return whether a component has a member, without evaluating a property (a revision may read files)."""
    # Not hasattr(type(component), …): every class can be called, whatever its objects can.
    return any(name in vars(base) for base in type(component).__mro__) or hasattr(component, name)


def load_target(target: str) -> Any:
    """Import the attribute of a target "package.module:Attr"."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _target(part: PartSpec, registry: Registry | None) -> Any:
    return load_target(part.target) if registry is None else registry.get(part.kind, part.name).load()


# In the functions below the registry words the error of a target that cannot be imported; without one, as in a worker
# that only the part travelled to, the target's own ImportError is raised.


def build_dataset(part: PartSpec, data_roots: Mapping[str, str], registry: Registry) -> Dataset:
    """Build a data set, with the user's folder as `root` where it takes one.

    Raises:
        ZsarbenchError: a folder was given for a data set that reads none.
    """
    arguments, target = dict(part.options), _target(part, registry)
    if part.name in data_roots:
        if not options.takes(target, "root"):
            raise ZsarbenchError(f"dataset '{part.name}' reads no folder; leave out --data-root {part.name}=…")
        arguments["root"] = Path(data_roots[part.name])
    return construct(target, "dataset", part.name, arguments)


def build_method(part: PartSpec, registry: Registry) -> Method:
    """Build a method."""
    return construct(_target(part, registry), "method", part.name, part.options)


def build_executor(part: PartSpec, registry: Registry) -> Executor:
    """Build an executor."""
    return construct(_target(part, registry), "executor", part.name, part.options)


def build_loss(part: PartSpec, registry: Registry, device: torch.device | str) -> Loss:
    """Build a loss on a device."""
    return move_to(construct(_target(part, registry), "loss", part.name, part.options), device)


def build_text(part: PartSpec, registry: Registry | None, device: torch.device | str) -> TextEncoder:
    """Build a text encoder on a device."""
    return move_to(construct(_target(part, registry), "text", part.name, part.options), device)


def build_visual(
    part: PartSpec, registry: Registry | None, device: torch.device | str, text: TextEncoder | None
) -> VisualEncoder:
    """Build a visual encoder on a device, with the run's text encoder where it takes one.

    Raises:
        UsageError: its options leave no step of a clip.
    """
    target = _target(part, registry)
    encoder: VisualEncoder = construct(target, "visual", part.name, _with_text(target, part, text))
    if isinstance(encoder.sampling, Sampling) and not encoder.sampling.selects_frames:
        given = ", ".join(f"visual.{name}={value}" for name, value in part.options.items())
        raise UsageError(
            f"visual '{part.name}' takes no step of a clip by {encoder.sampling}: each of its numbers must be above 0. "
            f"Its options are {given}"
        )
    return move_to(encoder, device)


def build_parts(
    parts: Mapping[str, PartSpec],
    registry: Registry,
    wrap_text: Callable[[TextEncoder], TextEncoder],
    device: torch.device | str,
) -> Parts:
    """Build the parts of a run on its device.

    The loss is left out: it may have weights, so every fit builds one of its own.

    wrap_text: called with the text encoder, returns the one that the run uses (with its cache).
    """
    text = wrap_text(build_text(parts["text"], registry, device)) if "text" in parts else None
    visual = build_visual(parts["visual"], registry, device, text) if "visual" in parts else None
    negatives = None
    if (part := parts.get("negatives")) is not None:
        target = _target(part, registry)
        negatives = move_to(construct(target, "negatives", part.name, _with_text(target, part, text)), device)
    return Parts(visual, text, negatives)


def _with_text(target: Any, part: PartSpec, text: TextEncoder | None) -> dict[str, Any]:
    reads_text = text is not None and options.takes(target, "text_encoder")
    return {**part.options, **({"text_encoder": text} if reads_text else {})}


def move_to(component: Component, device: torch.device | str) -> Component:
    """Move a component to a device in place, where it is a module or the like, and return it."""
    if isinstance(component, Movable):
        component.to(device)
    return component

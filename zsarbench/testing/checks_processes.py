"""Checks that compare with another process: no hash of a text, no order of a set and no id of a process enters."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any

import torch

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Steps
from zsarbench.testing import elsewhere, toys
from zsarbench.testing.checking import Check, ComponentUnderTest, Unavailable, expect
from zsarbench.testing.checks_data import DATASET
from zsarbench.testing.checks_encoders import VISUAL, toy_batch
from zsarbench.testing.checks_methods import METHOD, fit, fitted, scored, unseen_clips
from zsarbench.testing.checks_texts import TEXT, TEXTS
from zsarbench.testing.checks_training import SAMPLE, drawn, toy_draw


def another_process_same(subject: ComponentUnderTest) -> None:
    """Another process, in which Python's hashes of texts are others, gives the same, bit for bit."""
    target = subject.target
    module, name = str(target.__module__), str(target.__qualname__)
    if not hasattr(os, "fork") or not _is_found(target, module, name):
        raise Unavailable(f"its class is no name of the module '{module}', where another process could find it")
    if subject.kind == "visual":
        toy_batch(subject)  # says where there is nothing to encode
    parts = None if subject.entry is None else tuple(subject.entry.defaults)
    try:
        own = outcome_of(subject)
    except ZsarbenchError as error:
        if subject.kind != "dataset":
            raise
        raise Unavailable(str(error)) from error
    try:
        other = elsewhere.call(
            f"{__name__}:built_and_tried", kind=subject.kind, module=module, name=name, chosen=subject.chosen,
            file=getattr(sys.modules[module], "__file__", None),
            parts=parts, device=subject.device, compute=(torch.get_num_threads(), torch.get_deterministic_debug_mode()),
        )  # fmt: skip
    except elsewhere.Failed as error:
        expect(False, "the same in another process", f"it fails there: {error}")
    differing = [what for what, value in own.items() if other.get(what) != value]
    expect(not differing, "the same in another process", f"{', '.join(differing)} differ there")


def _is_found(target: Any, module: str, name: str) -> bool:
    found: Any = sys.modules.get(module) if module != "__main__" else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is target


def built_and_tried(
    *,
    kind: str,
    module: str,
    name: str,
    chosen: Mapping[str, Any],
    file: str | None,
    parts: tuple[str, ...] | None,
    device: str,
    compute: tuple[int, int],
) -> Mapping[str, Any]:
    """Return `outcome_of` of a component that is built here.

    file: of the module. parts: of the entry of a method, None without one. compute: torch's number of threads and its
    deterministic mode.
    """
    target: Any = _imported(module, file)
    for part in name.split("."):
        target = getattr(target, part)
    torch.set_num_threads(compute[0])
    torch.set_deterministic_debug_mode(compute[1])
    return outcome_of(ComponentUnderTest(kind, name, lambda: target, chosen=chosen, device=device), parts)


def _imported(name: str, file: str | None) -> Any:
    """Return a module by its name, or by its file where the path does not lead to it, as with modules of tests."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        spec = importlib.util.spec_from_file_location(name, file) if file is not None else None
        if spec is None or spec.loader is None:
            raise
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome_of(subject: ComponentUnderTest, parts: tuple[str, ...] | None = None) -> Mapping[str, Any]:
    """Return what a component gives for the toys, by what it is, in plain values."""
    made = subject.component
    if subject.kind == "dataset":
        return {"its revision": made.revision, "its classes": list(made.classes)}
    if subject.kind == "negatives":
        return {"its draws": drawn(toy_draw(subject), made).tolist()}
    if subject.kind == "method":
        of_entry = {kind: part for kind, part in vars(toys.context().parts).items() if kind in (parts or ())}
        fitted_method = fitted(subject) if parts is None else fit(subject, parts=of_entry)
        scores = scored(fitted_method, unseen_clips(), toys.class_texts(toys.UNSEEN))
        return {"its scores": _bits(scores)}
    encoded: Any = made.encode(toy_batch(subject) if subject.kind == "visual" else list(TEXTS[:6]))
    rows = encoded.values if isinstance(encoded, Steps) else encoded
    return {"its rows": _bits(rows), "its fingerprint": dict(made.fingerprint)}


def _bits(values: torch.Tensor) -> bytes:
    return values.detach().cpu().double().numpy().tobytes()


def process_checks(kind: str) -> tuple[Check, ...]:
    """Return the check of this file, for kinds whose components give what can be compared."""
    contracts = {"dataset": DATASET, "visual": VISUAL, "text": TEXT, "negatives": SAMPLE, "method": METHOD}
    if kind not in contracts:
        return ()
    return (Check(kind, "another-process-same-bits", contracts[kind], another_process_same),)

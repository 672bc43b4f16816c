"""Makes a multiple choice of a protocol: draws the options of every test clip once, and writes protocol and list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from zsarbench.data import class_texts
from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.plugins import building
from zsarbench.predictions.target import Target, target_of
from zsarbench.protocols import choices, read
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.documents import toml_lines
from zsarbench.utils.targets import check_file

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins.registry import Registry

RANDOM: Final = "random"
SIMILAR: Final = "similarity"


@dataclass(frozen=True, kw_only=True)
class ChoiceRequest:
    """The options of `zsarbench protocol choices`, unchecked.

    protocol: in the setting zsl. n_options: of each clip. by: "random" or "similarity", of class texts. text: the
    encoder of these; None: the one by which class names are compared. class_text: their form; None: the protocol's.
    """

    protocol: str
    out: Path
    n_options: int
    by: str = RANDOM
    seed: int = 0
    text: str | None = None
    class_text: str | None = None
    data_root: Sequence[str] = ()
    settings: Sequence[str] = ()


def make(request: ChoiceRequest, registry: Registry) -> tuple[Path, Path]:
    """Write a protocol of multiple choice and its list of options, and return their paths.

    Raises:
        UsageError: a name does not exist, the protocol is of another setting than zsl or of rounds whose candidates
            differ, so many options cannot be drawn, or the file exists.
        ZsarbenchError: the data is malformed, or nothing can be written.
    """
    if request.by not in (RANDOM, SIMILAR):
        raise UsageError(unknown("way to draw options", request.by, (RANDOM, SIMILAR)))
    if request.out.suffix != ".toml" or request.out.exists():
        raise UsageError(
            f"--out {request.out} must be a new file that ends in .toml; a published protocol never changes"
        )
    check_file(request.out, "the protocol")
    target = target_of(registry, request.protocol, data_root=request.data_root, settings=request.settings)
    candidates = _candidates(target)
    similarities, drawn_by = None, "at random"
    if request.by == SIMILAR:
        similarities, drawn_by = _similarities(request, target.dataset, candidates, target, registry)
    drawn = choices.draw(target.labels, candidates, request.n_options, request.seed, similarities)
    listed = request.out.with_name(f"{request.out.stem}-options.txt")
    head = (
        f"# {request.n_options} options of each clip of {target.protocol.name}, drawn {drawn_by}, seed {request.seed}"
    )
    lines = [head, *("\t".join((clip, *options)) for clip, options in sorted(drawn.items()))]
    write_atomic(listed, ("\n".join(lines) + "\n").encode())
    write_atomic(request.out, _toml(_content(request, target, drawn_by), target).encode())
    read(request.out).hash(target.dataset)
    return request.out, listed


def _candidates(target: Target) -> list[str]:
    """Return the candidates of all rounds, in the data set's order.

    Raises:
        UsageError: seen classes compete, or rounds have other candidates than each other.
    """
    protocol = target.protocol
    if protocol.setting != "zsl":
        raise UsageError(f"protocol '{protocol.name}' is {protocol.setting}; a multiple choice needs one that is zsl")
    first = set(target.rounds[0].candidates)
    if any(set(item.candidates) != first for item in target.rounds):
        raise UsageError(
            f"the rounds of protocol '{protocol.name}' have different candidates, and a clip has one list of options. "
            "Try: a protocol of one round"
        )
    return [name for name in target.dataset.classes if name in first]


def _similarities(
    request: ChoiceRequest, dataset: Dataset, candidates: Sequence[str], target: Target, registry: Registry
) -> tuple[NDArray[np.floating[Any]], str]:
    """Return the cosines (C, C) of the candidates' texts, the mean of each class's, and how they were computed."""
    form = request.class_text or target.protocol.class_text
    name = request.text or (registry.near_encoder.name if registry.near_encoder else None)
    if name is None:
        raise ZsarbenchError("no plugin declares an encoder of class names. Try: --text NAME")
    encoder = building.construct(registry.get("text", name).load(), "text", name, {})
    texts = class_texts.load(dataset, form)
    rows = []
    for candidate in candidates:
        vectors = encoder.encode(list(texts[candidate].texts)).float().numpy()
        rows.append((vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).mean(axis=0))
    matrix = np.array(rows)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    return np.round(matrix @ matrix.T, 5), f"as the most similar by {name} of class text {Path(form).name}"


def _content(request: ChoiceRequest, target: Target, drawn_by: str) -> dict[str, Any]:
    """Return the fields of the new protocol's file but for its rounds."""
    protocol = target.protocol
    content: dict[str, Any] = {
        "name": f"{protocol.name}-choice{request.n_options}-{request.by}",
        "version": 1,
        "dataset": protocol.dataset,
        "setting": "multiple-choice",
        "summary": f"{protocol.summary.rstrip('.')}; of each clip {request.n_options} options.",
        "source": protocol.source,
        "notes": f"From {protocol.name} (version {protocol.version}, hash {protocol.hash(target.dataset)[:8]}). The "
        f"other options of a clip were drawn {drawn_by}; seed {request.seed}, also of their order.",
        "class_text": protocol.class_text,
        "clip_list": protocol.clip_list,
        "validation_only": protocol.validation_only,
        "choices": f"@{request.out.stem}-options",
        "n_clips": [len(clips) for clips in target.test],
    }
    return {name: value for name, value in content.items() if value not in ("", False)}


def _toml(content: Mapping[str, Any], target: Target) -> str:
    """Return the text of a protocol file."""
    lines = toml_lines(content)
    protocol = target.protocol
    if protocol.parts:
        lines += ["", "[parts]", *toml_lines(protocol.parts)]
    for kind, of_kind in protocol.options.items():
        for component, values in of_kind.items():
            lines += ["", f"[options.{json.dumps(kind)}.{json.dumps(component)}]", *toml_lines(values)]
    for item, listed in zip(target.rounds, protocol.rounds, strict=True):
        table: dict[str, Any] = {"seed": item.seed, "seen": item.seen, "candidates": item.candidates}
        table |= {"validation": item.validation} if item.validation else {}
        for name in ("train_clips", "test_clips"):
            if (clips := getattr(listed.round, name)) is not None:
                table[name] = clips
        table |= listed.clip_lists
        table |= {} if listed.duplicate_of is None else {"duplicate_of": listed.duplicate_of}
        lines += ["", "[[rounds]]", *toml_lines(table)]
    return "\n".join(lines) + "\n"

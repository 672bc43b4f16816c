"""What predictions are scored against: the clips and classes of a protocol's rounds on its data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zsarbench import protocols
from zsarbench.data.manifest import checked_manifest
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.harness.resolve import resolve_parts
from zsarbench.interfaces import Round
from zsarbench.plugins.building import build_dataset

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.interfaces import Dataset
    from zsarbench.plugins.parts import PartSpec
    from zsarbench.plugins.registry import Registry
    from zsarbench.protocols import Protocol


@dataclass(frozen=True, kw_only=True)
class Target:
    """What predictions are scored against: a protocol on its data set, with the clips of every round.

    test: clip ids of each round. tested: those of any, in the manifest's order. choices: the options of every tested
    clip of a multiple choice, {} where all candidates compete.
    """

    protocol: Protocol
    part: PartSpec
    dataset: Dataset
    manifest: pd.DataFrame
    rounds: tuple[Round, ...]
    test: tuple[tuple[str, ...], ...]
    tested: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]

    @property
    def candidates(self) -> frozenset[int]:
        """The positions of the classes that are a candidate in any round."""
        candidates = {name for item in self.rounds for name in item.candidates}
        return frozenset(number for number, name in enumerate(self.dataset.classes) if name in candidates)

    @property
    def labels(self) -> Mapping[str, str]:
        """The class of every tested clip."""
        of_clip = self.manifest.set_index("clip_id")["label"]
        return {str(clip): str(label) for clip, label in of_clip.loc[list(self.tested)].items()}


def target_of(
    registry: Registry, name: str | None, *, data_root: Sequence[str] = (), settings: Sequence[str] = ()
) -> Target:
    """Return a protocol with what it tests; name: registered, or of a file; None: the default one.

    Raises:
        UsageErrors: a name, an option or a folder does not exist.
        ZsarbenchError: the data is malformed, or the protocol does not hold on it.
    """
    name = name or registry.default_protocol
    if name is None:
        raise UsageError("no protocol was given, and no plugin declares a default. Try: --protocol NAME")
    protocol = protocols.load(registry, name)
    parts, folders = resolve_parts(
        registry, {"dataset": protocol.dataset}, protocol=protocol, data_root=data_root, settings=settings
    )
    dataset = build_dataset(parts["dataset"], folders, registry)
    manifest = checked_manifest(dataset, protocol.dataset)
    rounds, choices = protocol.on(dataset), protocol.choices_on(dataset)
    labels = manifest.set_index("clip_id")["label"].to_dict()
    test = []
    for item in rounds:
        clips = protocols.round_clips(item, manifest)[1]
        if problem := protocols.miscounted(protocol, item.index, len(clips)):
            raise ZsarbenchError(problem)
        if choices:
            protocols.check_choices(choices, clips, item.candidates, labels)
        test.append(tuple(clips))
    used = {clip for clips in test for clip in clips}
    return Target(
        protocol=protocol,
        part=parts["dataset"],
        dataset=dataset,
        manifest=manifest,
        rounds=rounds,
        test=tuple(test),
        tested=tuple(clip for clip in manifest["clip_id"] if clip in used),
        choices=choices,
    )

"""Data sets: `sketch` (drawn, the embedded default), the field's, and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the data sets."""
    _add_drawn_and_own(registry)
    _add_public(registry)


def _add_drawn_and_own(registry: Registrar) -> None:
    registry.add(
        "dataset",
        "sketch",
        "zsarbench_datasets.sketch:Sketch",
        summary="Short drawn clips of a person doing a motion with a prop in a place, made on first use.",
        source="zsarbench; drawn from a seed, no licence attached",
        trained_on=(),
    )
    registry.add(
        "dataset",
        "folder",
        "zsarbench_datasets.folder:Folder",
        summary="Your own videos: a folder per class, or a CSV file of clip, label, start, end.",
        source="the user",
    )


def _add_public(registry: Registrar) -> None:
    registry.add(
        "dataset",
        "ucf101",
        "zsarbench_datasets.ucf101:UCF101",
        summary="UCF-101: 13,320 clips of 101 actions, with three machine captions a clip from the CEZSAR release.",
        source="Soomro et al. 2012, arXiv:1212.0402; lists and captions by `zsarbench data get`",
        trained_on=("ucf101",),
    )
    registry.add(
        "dataset",
        "hmdb51",
        "zsarbench_datasets.hmdb51:HMDB51",
        summary="HMDB-51: 6,766 clips of 51 actions.",
        source="Kuehne et al., ICCV 2011; lists by `zsarbench data get`",
        trained_on=("hmdb51",),
    )
    registry.add(
        "dataset",
        "kinetics400",
        "zsarbench_datasets.kinetics:Kinetics400",
        summary="Kinetics-400: the validation clips of three public lists and few-shot training clips, 400 actions.",
        source="Kay et al. 2017, arXiv:1705.06950; lists by `zsarbench data get`",
        trained_on=("kinetics400",),
    )
    registry.add(
        "dataset",
        "kinetics600",
        "zsarbench_datasets.kinetics:Kinetics600",
        summary="Kinetics-600: the test clips of Elaborative Rehearsal's three zero-shot splits, 620 actions.",
        source="Carreira et al. 2018, arXiv:1808.01340; lists by `zsarbench data get`",
        trained_on=("kinetics400", "kinetics600"),
    )
    registry.add(
        "dataset",
        "activitynet",
        "zsarbench_datasets.activitynet:ActivityNet",
        summary="ActivityNet 1.3: 14,950 untrimmed videos of 200 activities, whole or by the official segments.",
        source="Caba Heilbron et al., CVPR 2015; list by `zsarbench data get`",
        trained_on=("activitynet",),
    )
    registry.add(
        "dataset",
        "activitynet-captions",
        "zsarbench_datasets.activitynet_captions:ActivityNetCaptions",
        summary="ActivityNet Captions: segments of ActivityNet's videos with sentences by people, to learn from.",
        source="Krishna et al., ICCV 2017, arXiv:1705.00754; val_1 and val_2 by `zsarbench data get`",
        trained_on=("activitynet",),  # its videos were chosen for the 200 classes
    )

"""CEZSAR, the reference method: a joint video-sentence embedding with automatically sampled negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    import click

    from zsarbench.plugins.registry import Registrar

SOURCE = "CEZSAR, arXiv:2605.01165; re-implemented after the release valterlej/cezsar (MIT)"


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the method with the parts it is published with, and their alternatives."""
    registry.add(
        "method",
        "cezsar",
        "zsarbench_cezsar.method:Cezsar",
        summary="A joint video-sentence embedding trained contrastively with automatically sampled negatives.",
        source=SOURCE,
        trained_on=(),
        defaults={
            "visual": "bit-m-r152x2",
            "text": "paraphrase-distilroberta",
            "negatives": "cosine-window",
            "loss": "triplet",
        },
    )
    registry.add(
        "method",
        "cezsar-pretrained",
        "zsarbench_cezsar.pretrained:Pretrained",
        summary="CEZSAR with the weights of a checkpoint, ours or converted from the release; learns nothing.",
        source=SOURCE,
        trained_on=None,
        defaults={"visual": "bit-m-r152x2", "text": "paraphrase-distilroberta"},
    )
    for name, attribute, summary in (
        ("cosine-window", "CosineWindow", "Uniform draws among texts at a cosine distance inside a window (stage 4)."),
        ("uniform", "Uniform", "Uniform draws among all texts of other clips."),
        ("hardest", "Hardest", "The nearest texts of other clips in the same batch."),
        (
            "semi-hard",
            "SemiHard",
            "The nearest texts of the same batch that lie farther off than the own one.",
        ),
        ("in-batch", "InBatch", "Uniform draws among the texts of the same batch."),
    ):
        registry.add("negatives", name, f"zsarbench_cezsar.negatives:{attribute}", summary=summary, source=SOURCE)
    for name, attribute, summary, source in (
        ("triplet", "Triplet", "Triplet margin loss, margin 1, p = 2 (stage 6).", SOURCE),
        (
            "info-nce",
            "InfoNCE",
            "Softmax over the positive and its negatives.",
            "van den Oord et al. 2018, arXiv:1807.03748",
        ),
        ("hinge-rank", "HingeRank", "Hinge on cosines, summed over the negatives.", "Frome et al., DeViSE, NIPS 2013"),
        ("sigmoid", "Sigmoid", "Each pair is right or wrong by itself.", "Zhai et al. 2023, arXiv:2303.15343"),
    ):
        registry.add("loss", name, f"zsarbench_cezsar.losses:{attribute}", summary=summary, source=source)


@hookimpl
def zsarbench_add_commands(group: click.Group) -> None:
    """Add the verb of this plugin."""
    from zsarbench_cezsar.commands import command

    group.add_command(command)

"""`zsarbench contamination`: which unseen classes of a protocol a method and its parts were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.request import train_on_option
from zsarbench.cli.toolkit import data_root_option, echo, echo_json, host_of, json_option, settings_option
from zsarbench.errors import UsageError

if TYPE_CHECKING:
    from zsarbench.evaluation.contamination import Contamination
    from zsarbench.plugins.registry import Registry
    from zsarbench.protocols import Protocol


@click.command("contamination", short_help="List the unseen classes that parts were trained on.")
@click.option("--protocol", type=OF_OPTIONS["protocol"], required=True, help="A name or a protocol file.")
@click.option("--method", type=OF_OPTIONS["method"], help="Method, audited with its default parts.")
@click.option("--visual", type=OF_OPTIONS["visual"], help="Visual encoder; in place of the method's own.")
@click.option("--text", type=OF_OPTIONS["text"], help="Text encoder; in place of the method's own.")
@train_on_option
@data_root_option
@settings_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, protocol: str, as_json: bool, train_on: str, **options: Any) -> None:
    """List the unseen classes of a protocol that are in the label sets that parts were trained on.

    An overlap is exact (equal but for case, spaces and punctuation), an alias, or near in text embedding. Parts
    trained on unknown data are listed as such: with them no class is known to be clean.

    \b
    Examples:
      zsarbench contamination --visual torchvision-video \\
          --protocol ucf101/truze-v2
      zsarbench contamination --method cezsar --train-on activitynet-captions \\
          --protocol ucf101/all
      zsarbench contamination --train-on folder --data-root folder=DIR \\
          --protocol ucf101/truze-v2
    """
    from zsarbench import protocols
    from zsarbench.evaluation import contamination
    from zsarbench.evaluation.label_sets import LabelSet
    from zsarbench.harness.resolve import resolve_parts
    from zsarbench.plugins.building import build_dataset
    from zsarbench.utils.schema import plain

    registry = host_of(ctx).registry
    rules = protocols.load(registry, protocol)
    method: str | None = options["method"]
    parts = _parts(registry, rules, method, {"visual": options["visual"], "text": options["text"]})
    other = {"train_dataset": train_on} if train_on != "seen" else {}
    if method is None and not parts and not other:
        raise UsageError("nothing to audit. Try: --visual NAME, --method or --train-on")
    named, roots = resolve_parts(
        registry,
        {"dataset": rules.dataset} | other,
        protocol=rules,
        data_root=options["data_root"],
        settings=options["settings"],
    )
    data = {kind: build_dataset(part, roots, registry) for kind, part in named.items()}
    dataset, training = data["dataset"], data.get("train_dataset")
    unseen = list(dict.fromkeys(name for item in rules.with_official_names(dataset) for name in item.unseen))
    found = contamination.audit(
        contamination.declarations(registry, method, parts, rules.dataset, train_on if other else None),
        unseen,
        registry,
        aliases=dataset.aliases,
        learnt=LabelSet(train_on, training.classes, training.aliases) if training and training.classes else None,
    )
    if as_json:
        content = plain(found, "contamination")
        echo_json({"protocol": rules.name} | {key: content[key] for key in content if key not in _OF_A_RUN})
    else:
        _show(rules.name, found)


_OF_A_RUN = ("accuracy", "n_sentences", "naming", "tested")


def _parts(
    registry: Registry, rules: Protocol, method: str | None, requested: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the parts by kind: those requested, and with a method the others that it would be run with."""
    defaults = dict(registry.get("method", method).defaults) if method is not None else {}
    defaults |= {kind: name for kind, name in rules.parts.items() if kind in defaults}
    return defaults | {kind: name for kind, name in requested.items() if name is not None}


def _show(protocol: str, found: Contamination) -> None:
    n_unseen = found.n_overlapping + found.n_clean
    echo(f"{protocol}: {found.n_overlapping} of {n_unseen} unseen classes overlap", bold=True)
    for name, declared in found.audited.items():
        echo(f"{name}: {', '.join(map(str, declared))}")
    for item in found.overlapping:
        how = item.how if item.similarity is None else f"{item.how} {item.similarity:.2f}"
        echo(f"  {item.candidate:24} {how:10} {item.label}  ({item.label_set})")
    if found.audited and found.near_by is None:
        echo("similar names were not searched for: no label set of actions, or the extra `offline` is not installed")
    for unknown in found.unknown:
        echo(f"unknown: {unknown}")

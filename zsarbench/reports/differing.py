"""What distinguishes results of one method."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

from zsarbench.results import RunResult

Setting: TypeAlias = tuple[str, str]
"""Component and setting, as ("triplet", "loss.margin"): the component keeps options of different parts apart."""


def differing_settings(results: Iterable[RunResult]) -> dict[str, str]:
    """Return, by result id, the settings in which a result differs from others of its method, as `loss.margin=0.5`.

    Options of a part are compared only between results that use the same part.
    """
    by_method = defaultdict(list)
    for result in results:
        by_method[result.method.name].append((result.stem, settings_of(result)))
    texts = {}
    for rows in by_method.values():
        values = defaultdict(set)
        for _, settings in rows:
            for key, value in settings.items():
                values[key].add(value)
        for stem, settings in rows:
            differing = [(key, value) for key, value in settings.items() if len(values[key]) > 1]
            texts[stem] = ", ".join(f"{key[-1]}={value}" for key, value in differing)
    return texts


def settings_of(result: RunResult) -> dict[Setting, str]:
    """Return the values of a result's settings, each as it is typed."""
    flat: dict[Setting, str] = {}
    for kind, part in sorted(result.parts.items()):
        flat["", kind] = part.name
        flat |= {(part.name, f"{kind}.{key}"): _text(value) for key, value in sorted(part.options.items())}
    flat |= {("", f"method.{key}"): _text(value) for key, value in sorted(result.method.options.items())}
    flat["", "dtype"] = result.environment.dtype
    flat["", "seeds"] = ",".join(map(str, result.seeds))
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

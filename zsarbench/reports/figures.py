"""Figures of results: which classes are taken for which, how training went, how far clips lie from class sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import ZsarbenchError
from zsarbench.reports import escaping
from zsarbench.utils import seeding
from zsarbench.utils.targets import OUT, unwritable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from zsarbench.reports.semantic_gap import Gap, Points
    from zsarbench.reports.sensitivity import Sensitivity

DPI = 160  # of the PNG
INCHES_PER_CLASS = 0.17  # of a confusion matrix: names in 7 points, one per line
MAX_CLASSES_WITH_NUMBERS = 40  # classes up to which the cells of a confusion matrix hold their percentages
MAX_NAMED_CLASSES = 12  # up to which the stars of a scatter have names; above, numbers with a list
FEW_CLIPS = 400  # fewer leave room for larger points in a scatter
SIDE_BY_SIDE = 0.5  # of the room between two values that are not numbers, over all lines
LINEAR_RANGE = 8  # of the values of an option, above which its axis is logarithmic
PERPLEXITY = 30.0  # of t-SNE, about how many neighbours of a point count; scikit-learn's default
NAMES_PER_COLUMN = 51  # of the list next to a scatter

Array = NDArray[np.floating[Any]]


def draw_confusion(scores: Array, labels: NDArray[np.int64], names: Sequence[str], title: str) -> Figure:
    """Draw how often clips of each class were taken for each class, in percent of the class's clips.

    scores (N, C), labels (N,), names of the C classes. A clip whose best scores are equal counts in equal parts, as it
    does in the accuracy; one that could not be read is in no column.
    """
    names, title = [escaping.figure(name) for name in names], escaping.figure(title)
    read = ~np.isnan(scores).any(axis=1)
    counts = np.zeros((len(names), len(names)))
    best = scores[read] == scores[read].max(axis=1, keepdims=True)
    np.add.at(counts, labels[read], best / best.sum(axis=1, keepdims=True))
    clips = np.bincount(labels, minlength=len(names))[:, None]
    share = 100 * np.divide(counts, clips, out=np.zeros_like(counts), where=clips > 0)
    side = max(3.5, INCHES_PER_CLASS * len(names))
    figure, axes = _figure(side + 3.2, side + 2.6)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90, fontsize=7)
    axes.set_yticks(places, names, fontsize=7)
    axes.tick_params(length=0)
    axes.set_xlabel("recognised as")
    axes.set_ylabel("class")
    if len(names) <= MAX_CLASSES_WITH_NUMBERS:
        for row, column in zip(*np.nonzero(share.round()), strict=True):
            dark = share[row, column] > 60
            number, colour = f"{share[row, column]:.0f}", "white" if dark else "black"
            axes.text(column, row, number, ha="center", va="center", fontsize=5, color=colour)
    else:  # thin lines guide the eye from a cell to its class names
        axes.set_xticks(np.arange(-0.5, len(names)), minor=True)
        axes.set_yticks(np.arange(-0.5, len(names)), minor=True)
        axes.grid(which="minor", color="0.9", linewidth=0.3)
        axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label("% of the class's clips", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    unread = f", {int((~read).sum())} not read" if not read.all() else ""
    axes.set_title(f"{title}\n{len(labels)} clips{unread}, top-1 per video {_top1(scores, labels):.1f} %", fontsize=9)
    return figure


def draw_training(fits: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw the losses of every fit by epoch; a ring marks the epoch whose weights were kept.

    fits: what the method recorded of each, with `losses`, one mapping from name to loss per epoch.

    Raises:
        ZsarbenchError: no fit recorded losses.
    """
    from matplotlib.ticker import MaxNLocator

    drawn = [fit for fit in fits if fit.get("losses")]
    if not drawn:
        raise ZsarbenchError(
            "the result holds no losses: its method recorded none. Try: a result of a method that trains in epochs"
        )
    names = list(dict.fromkeys(name for fit in drawn for row in fit["losses"] for name in row))
    figure, axes = _figure(7.5, 4.5)
    colours = _colours(len(drawn), "viridis")
    for number, (fit, colour) in enumerate(zip(drawn, colours, strict=True)):
        epochs = range(1, len(fit["losses"]) + 1)
        for name in names:
            label = "training loss" if name == "loss" else escaping.figure(name.replace("_", " "))
            values = [float(row.get(name, math.nan)) for row in fit["losses"]]
            line = "-" if "validation" in name else "--"
            label += f" of fit {number + 1}" if len(drawn) > 1 else ""
            axes.plot(epochs, values, color=colour, linestyle=line, linewidth=1.4, label=label)
        best, decisive = fit.get("best_epoch"), "validation_loss" if "validation_loss" in names else names[0]
        if best:
            kept = float(fit["losses"][best - 1].get(decisive, math.nan))
            axes.plot(best, kept, marker="o", fillstyle="none", color=colour, markersize=8)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="0.92")
    kind = "solid: validation, dashed: training; " if "validation_loss" in names else ""
    axes.set_title(
        f"{escaping.figure(title)}\n{len(drawn)} fit{'s' * (len(drawn) > 1)}; {kind}ring: weights kept", fontsize=9
    )
    if len(drawn) <= 6:
        axes.legend(fontsize=7, frameon=False)
    return figure


def draw_sensitivity(found: Sensitivity) -> Figure:
    """Draw a metric in percent by the values of an option, with 95 % intervals; a dotted line is chance.

    Numbers have their places on an axis and lines between them; other values stand side by side.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(7.0, 4.6)
    n = len(found.lines)
    places = {value: float(value) if found.numeric else float(number) for number, value in enumerate(found.values)}
    marks = zip(_colours(n, "viridis"), itertools.cycle("osD^vP"), strict=False)
    for number, ((label, line), (colour, mark)) in enumerate(zip(found.lines.items(), marks, strict=False)):
        aside = 0.0 if found.numeric else SIDE_BY_SIDE * (number - (n - 1) / 2) / n
        x, y = [places[value] + aside for value in line], [100 * summary.mean for summary in line.values()]
        style = "-" if found.numeric else "none"
        axes.plot(x, y, color=colour, marker=mark, linestyle=style, label=escaping.figure(label) or None)
        for place, summary in zip(x, line.values(), strict=True):
            if summary.ci95 is not None:
                low, high = summary.ci95
                axes.vlines(place, 100 * low, 100 * high, color=colour, linewidth=1.0)
    if found.chance is not None:
        axes.axhline(100 * found.chance, color="0.5", linestyle=":", linewidth=1.2, label="chance")
    if not found.numeric:
        axes.set_xlim(-0.5, len(places) - 0.5)
    elif min(places.values()) > 0 and max(places.values()) / min(places.values()) > LINEAR_RANGE:
        axes.set_xscale("log")
    axes.set_xticks(list(places.values()), [escaping.figure(value) for value in found.values])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.set_xlabel(escaping.figure(found.option))
    axes.set_ylabel(f"{found.metric} in %")
    axes.grid(color="0.92")
    with_intervals = any(summary.ci95 for line in found.lines.values() for summary in line.values())
    bars = "; bars: 95 % intervals" if with_intervals else "; no intervals"
    axes.set_title(escaping.figure(found.protocol) + bars, fontsize=9)
    if axes.get_legend_handles_labels()[1]:
        figure.legend(loc="outside lower center", fontsize=7, frameon=False)
    return figure


def draw_semantic_gap(gap: Gap, title: str) -> Figure:
    """Draw clips and class sentences by t-SNE, before and after the joint space.

    Before the joint space, clips and sentences share a picture only if their encoders share a space; otherwise each
    side has a picture of its own, since distances between the two mean nothing.
    """
    pictures = [*_before(gap), (f"after: joint space ({gap.after.clips.shape[1]})", gap.after)]
    many = len(gap.names) > MAX_NAMED_CLASSES
    columns = math.ceil(len(gap.names) / NAMES_PER_COLUMN) if many else 0
    figure, all_axes = _figures(len(pictures), 6.0 * len(pictures), 6.6)
    colours = _colours(len(gap.names), "hsv")
    for axes, (name, points) in zip(all_axes, pictures, strict=True):
        _scatter(axes, points, gap, colours, many)
        axes.set_title(name, fontsize=9)
    for number, name in enumerate(gap.names if many else ()):
        column, place = divmod(number, math.ceil(len(gap.names) / columns))
        x, y = 1 + 1.9 * column / figure.get_figwidth(), 0.95 - 0.9 * place / NAMES_PER_COLUMN
        figure.text(x, y, f"{number + 1}  {escaping.figure(name)}", fontsize=6.5, color=_darker(colours[number]))
    figure.suptitle(
        f"{escaping.figure(title)}\nt-SNE; points: {len(gap.labels)} clips, stars: class sentences", fontsize=10
    )
    return figure


def write_figure(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a figure as PNG and SVG, the same bytes for the same figure, and return their paths.

    Raises:
        ZsarbenchError: the folder cannot be written to.
    """
    import matplotlib

    paths = folder / f"{name}.png", folder / f"{name}.svg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            for path in paths:
                metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
                figure.savefig(path, dpi=DPI, bbox_inches="tight", metadata=metadata)
    except OSError as error:
        raise unwritable(folder, "figures", error, OUT) from error
    return paths


def _before(gap: Gap) -> list[tuple[str, Points]]:
    """Return the pictures of the encoders' outputs: one where they share a space, else one of each side."""
    points = gap.before
    if gap.shared_before:
        return [(f"before: the encoders' own space ({points.clips.shape[1]})", points)]
    nothing = np.zeros((0, 1))
    clips = replace(points, sentences=nothing, owner=points.owner[:0])
    sentences = replace(points, clips=nothing)
    return [
        (f"before: clips, features of the visual part ({points.clips.shape[1]})", clips),
        (f"before: class sentences, vectors of the text part ({points.sentences.shape[1]})", sentences),
    ]


def _scatter(axes: Axes, points: Points, gap: Gap, colours: Sequence[Any], many: bool) -> None:
    from matplotlib import patheffects

    placed = _tsne([part for part in (points.clips, points.sentences) if len(part)])
    n = len(points.clips)
    if n:
        size = 22 if n < FEW_CLIPS else 9
        axes.scatter(
            placed[:n, 0], placed[:n, 1], c=[colours[label] for label in gap.labels], s=size, linewidths=0, alpha=0.75
        )
    stars = placed[n:]
    named = [*zip(stars, points.owner, strict=True)]
    if named:
        shades, size = [colours[owner] for owner in points.owner], 70 if many else 130
        x, y = stars.T
        axes.scatter(x, y, c=shades, marker="*", s=size, edgecolors="black", linewidths=0.6, zorder=3)
    else:  # there are clips only: the hues of a hundred classes cannot be distinguished without names
        named = [(np.median(placed[gap.labels == label], axis=0), label) for label in np.unique(gap.labels)]
    halo = [patheffects.withStroke(linewidth=1.6, foreground="white")]
    for (x, y), owner in named:
        label = str(owner + 1) if many else escaping.figure(gap.names[owner])
        axes.annotate(label, (x, y), (3, 3), textcoords="offset points", fontsize=7, path_effects=halo, zorder=4)
    axes.set_xticks([])
    axes.set_yticks([])


def _tsne(parts: Sequence[Array]) -> Array:
    """Return the positions (M, 2) of all rows of the parts, by cosine."""
    from sklearn.manifold import TSNE

    rows = np.concatenate(parts).astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    if len(rows) < 4:  # too few for t-SNE to have neighbours
        return np.stack([np.arange(len(rows)), np.zeros(len(rows))], axis=1)
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(rows) - 1) / 3), init="pca", random_state=seeding.derive(0, "t-sne") % 2**32
    )
    placed: Array = tsne.fit_transform(rows)
    return placed


def _top1(scores: Array, labels: NDArray[np.int64]) -> float:
    from zsarbench.evaluation import metrics

    return 100 * float(metrics.topk_expectation(scores, labels, 1).mean())


def _colours(n: int, name: str) -> list[Any]:
    """Return n colours; neighbours differ in lightness too, so that many can be distinguished."""
    from matplotlib import colormaps

    shades = colormaps[name](np.linspace(0, 0.9 if name == "hsv" else 0.8, max(1, n)))
    if name == "hsv":
        shades[:, :3] *= np.array([0.95, 0.6, 0.78])[np.arange(n) % 3, None]
    return list(shades)


def _darker(colour: Any) -> Any:
    return [*(0.75 * np.asarray(colour[:3])), 1.0]


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure, all_axes = _figures(1, width, height)
    return figure, all_axes[0]


def _figures(n: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure of n axes side by side, without pyplot, which would keep the figure and look for a screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, n, squeeze=False)[0])

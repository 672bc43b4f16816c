"""The settings of zero-shot evaluation and their metrics: whatever differs between them is stated here alone.

To add a metric, add it to the `metrics` of a setting; to add a setting, add its name to `Setting` and its rules to
`SETTINGS`. Evaluation, protocols, results, tables and the leaderboard take both from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zsarbench.errors import UsageError, unknown

Setting: TypeAlias = Literal["zsl", "gzsl", "base-to-novel", "multiple-choice"]
Average: TypeAlias = Literal["per_video", "per_class"]


def harmonic_mean(seen: float, unseen: float) -> float:
    """Return 2su / (s + u), which summarises seen and unseen accuracy; 0 where both are 0.

    >>> harmonic_mean(0.6, 0.3)
    0.4
    """
    return 2.0 * seen * unseen / (seen + unseen) if seen + unseen > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Side:
    """The test clips of seen classes, or those of unseen ones, by the word of a setting."""

    name: str
    of_seen: bool


SEEN, UNSEEN = Side(name="seen", of_seen=True), Side(name="unseen", of_seen=False)
BASE, NOVEL = Side(name="base", of_seen=True), Side(name="novel", of_seen=False)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of one round, a fraction in [0, 1].

    kind: "accuracy", top-k accuracy; "harmonic_mean", that of the top-1 accuracies of both sides of a setting; "ausuc",
    the area under the seen-unseen accuracy curve. average: over clips, or over classes first within each. side: whose
    clips it is of; None: of all.
    """

    kind: Literal["accuracy", "harmonic_mean", "ausuc"] = "accuracy"
    k: int = 1
    average: Average
    side: Side | None = None

    @classmethod
    def parse(cls, name: str) -> Metric:
        """Return the metric of a name, as files and command lines hold it.

        Raises:
            UsageError: no setting has a metric of this name; the message gives the nearest.
        """
        if name not in METRICS:
            raise UsageError(unknown("metric", name, METRICS))
        return METRICS[name]

    @property
    def name(self) -> str:
        """The name in results, such as `top1_per_class_unseen`; `harmonic_mean` is the one of per-class accuracies."""
        if self.kind == "ausuc":
            return "ausuc"
        if self.kind == "harmonic_mean":
            return "harmonic_mean" if self.average == "per_class" else f"harmonic_mean_{self.average}"
        return f"top{self.k}_{self.average}" + (f"_{self.side.name}" if self.side else "")

    @property
    def is_accuracy(self) -> bool:
        """Whether it is a mean of correctness over clips or classes."""
        return self.kind == "accuracy"

    @property
    def vague(self) -> str | None:
        """The name of a paper's figure that stands in this metric's column, such as `top1` in that of `top1_per_video`.

        Papers that do not state their average are compared with the mean over clips; None for every other metric.
        """
        if self.average != "per_video":
            return None
        if self.kind == "harmonic_mean":
            return "harmonic_mean"
        return f"top{self.k}" + (f"_{self.side.name}" if self.side else "")

    @property
    def heading(self) -> str:
        """The metric at the head of a column, such as "top-1/video".

        An accuracy of one side is headed by its name, unless its setting shows it in every table.
        """
        unit = "video" if self.average == "per_video" else "class"
        if self.kind == "ausuc":
            return "AUSUC"
        if self.kind == "harmonic_mean":
            return f"H/{unit}"
        if self.side is None:
            return f"top-{self.k}/{unit}"
        if not any(self in rules.shown for rules in SETTINGS.values()):
            return self.name
        return f"{self.side.name}/{unit}" if self.k == 1 else f"{self.side.name} top-{self.k}/{unit}"


@dataclass(frozen=True, kw_only=True)
class SettingRules:
    """What a setting asks of class lists, measures and shows.

    metrics: all of them, in the order of results. shown: those that get a column in tables for people. ranked_by: what
    ranks a table unless another is requested. paired_by: what paired comparisons compare unless another is requested.
    seen_are_candidates: whether every seen class must be a candidate; where not, none may be. sides: the parts of the
    test clips that have accuracies of their own, that of seen classes first; () where there are no such parts.
    own_kind_only: whether the candidates of a clip are the classes of its own side alone. own_options_only: whether
    they are the options that the protocol drew for the clip.
    """

    name: Setting
    metrics: tuple[Metric, ...]
    shown: tuple[Metric, ...]
    ranked_by: Metric
    paired_by: Metric
    seen_are_candidates: bool = False
    sides: tuple[Side, ...] = ()
    own_kind_only: bool = False
    own_options_only: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return tuple(metric.name for metric in self.metrics)

    def parse(self, names: Iterable[str] | None) -> tuple[Metric, ...]:
        """Return the metrics of some names; of None, all metrics of the setting.

        Raises:
            UsageError: the setting has no metric of a name; the message gives the nearest.
        """
        if names is None:
            return self.metrics
        known = dict(zip(self.names, self.metrics, strict=True))
        chosen = []
        for name in names:
            if name not in known:
                raise UsageError(unknown(f"metric of the setting {self.name}", name, known))
            chosen.append(known[name])
        return tuple(chosen)

    def of_sides(self, metric: Metric) -> tuple[Metric, ...]:
        """Return the accuracies, one of each side, that a harmonic mean is of."""
        return tuple(Metric(k=metric.k, average=metric.average, side=side) for side in self.sides)

    def has_interval(self, metric: Metric) -> bool:
        """Return whether a metric gets a bootstrap interval.

        Where there are sides, their accuracies and harmonic means get one, and those over both sides do not. The area
        under the seen-unseen curve is not a sum over clips of a class, which is what the bootstrap resamples.
        """
        if metric.is_accuracy:
            return (metric.side in self.sides) if self.sides else metric.side is None
        return metric.kind == "harmonic_mean"

    def chance(self, metric: Metric, n_classes: int, n_seen: int) -> float:
        """Return what constant scores get in a metric, ties broken uniformly, with C candidates of which S are seen.

        k/C for every accuracy at k, and so for their harmonic mean; 1 / (2 S (C - S)) for the area under the
        seen-unseen curve, a triangle between 1/S and 1/(C - S). Where classes compete within their side alone, C is S
        for seen and C - S for unseen ones, and the harmonic mean is that of both. Of a multiple choice C is the
        number of options.

        >>> zsl, gzsl, base_to_novel, _ = SETTINGS.values()
        >>> zsl.chance(Metric.parse("top5_per_video"), 20, 0), gzsl.chance(Metric.parse("ausuc"), 20, 10)
        (0.25, 0.005)
        >>> [base_to_novel.chance(metric, 5, 1) for metric in base_to_novel.shown]
        [0.4, 1.0, 0.25]
        """
        if metric.kind == "ausuc":
            return 0.5 / (n_seen * (n_classes - n_seen))
        if metric.kind == "harmonic_mean" and self.own_kind_only:
            return harmonic_mean(*(self.chance(part, n_classes, n_seen) for part in self.of_sides(metric)))
        if metric.side is not None and self.own_kind_only:
            n_classes = n_seen if metric.side.of_seen else n_classes - n_seen
        return min(metric.k, n_classes) / n_classes


def _accuracies(*ks: int) -> tuple[Metric, ...]:
    return tuple(Metric(k=k, average=average) for k in ks for average in _AVERAGES)


def _accuracies_of(*sides: Side) -> tuple[Metric, ...]:
    return tuple(Metric(average=average, side=side) for average in _AVERAGES for side in sides)


_AVERAGES: tuple[Average, ...] = ("per_video", "per_class")
TOP1_PER_VIDEO, TOP1_PER_CLASS = _accuracies(1)
_H_PER_CLASS = Metric(kind="harmonic_mean", average="per_class")
_H_PER_VIDEO = Metric(kind="harmonic_mean", average="per_video")
_AUSUC = Metric(kind="ausuc", average="per_class")

SETTINGS: Mapping[str, SettingRules] = {
    "zsl": SettingRules(
        name="zsl",
        metrics=_accuracies(1, 5),
        shown=(TOP1_PER_VIDEO, TOP1_PER_CLASS, Metric(k=5, average="per_video")),
        ranked_by=TOP1_PER_VIDEO,
        paired_by=TOP1_PER_VIDEO,
    ),
    "gzsl": SettingRules(
        name="gzsl",
        metrics=(*_accuracies(1, 5), *_accuracies_of(SEEN, UNSEEN), _H_PER_CLASS, _H_PER_VIDEO, _AUSUC),
        shown=(
            _H_PER_CLASS,
            Metric(average="per_class", side=SEEN),
            Metric(average="per_class", side=UNSEEN),
            _AUSUC,
        ),
        ranked_by=_H_PER_CLASS,
        paired_by=TOP1_PER_VIDEO,
        seen_are_candidates=True,
        sides=(SEEN, UNSEEN),
    ),
    "base-to-novel": SettingRules(
        name="base-to-novel",
        metrics=(*_accuracies_of(BASE, NOVEL), _H_PER_VIDEO),
        shown=(_H_PER_VIDEO, Metric(average="per_video", side=BASE), Metric(average="per_video", side=NOVEL)),
        ranked_by=_H_PER_VIDEO,
        paired_by=Metric(average="per_video", side=NOVEL),
        seen_are_candidates=True,
        sides=(BASE, NOVEL),
        own_kind_only=True,
    ),
    "multiple-choice": SettingRules(
        name="multiple-choice",
        metrics=_accuracies(1),
        shown=(TOP1_PER_VIDEO, TOP1_PER_CLASS),
        ranked_by=TOP1_PER_VIDEO,
        paired_by=TOP1_PER_VIDEO,
        own_options_only=True,
    ),
}

METRICS: Mapping[str, Metric] = {metric.name: metric for rules in SETTINGS.values() for metric in rules.metrics}
"""Every metric of every setting by its name."""

REPORTED_FIGURES: Mapping[str, str] = {
    "top1_per_video": "top-1/video",
    "top1_per_class": "top-1/class",
    "top1": "top-1",
    "top5": "top-5",
    "top1_base": "top-1, base",
    "top1_novel": "top-1, novel",
    "harmonic_mean": "harmonic mean",
    "mean_top1_top5": "mean of top-1 and top-5",
}
"""Headings of what papers report, in the order of their columns; an average that a paper does not name is not named."""


def heading(name: str) -> str:
    """Return the heading of a metric's column; that of a figure which only papers report is its name."""
    return METRICS[name].heading if name in METRICS else name


def reported_heading(name: str) -> str:
    """Return the heading of a figure where only papers report it."""
    return REPORTED_FIGURES.get(name, heading(name))


def vague_name(name: str) -> str:
    """Return the name of the paper's figure that stands in a metric's column, see `Metric.vague`; else the same name.

    >>> vague_name("top1_per_video_novel"), vague_name("top1_per_class")
    ('top1_novel', 'top1_per_class')
    """
    return (METRICS[name].vague if name in METRICS else None) or name

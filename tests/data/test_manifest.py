"""The checks of every manifest, of whatever origin: invalid times, and classes that no list can tell apart."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from zsarbench.data.manifest import checked_manifest
from zsarbench.errors import ZsarbenchError


class ToyDataset:
    """One clip of each class."""

    aliases: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, classes: tuple[str, ...] = ("run", "walk"), start: Any = None, end: Any = None) -> None:
        self.classes = classes
        self.times = start, end

    def manifest(self) -> pd.DataFrame:
        names = [f"clip{number}" for number in range(len(self.classes))]
        frame = pd.DataFrame({"clip_id": names, "label": self.classes, "path": None, "group": names})
        return frame.assign(start=self.times[0], end=self.times[1])


def checked(dataset: ToyDataset) -> pd.DataFrame:
    return checked_manifest(dataset, "made")  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [(None, None), (0, 1), (1.5, None), (None, 0.5), (float("nan"), 2)])
def test_a_clip_is_a_file_or_a_part_of_it(start: Any, end: Any) -> None:
    assert len(checked(ToyDataset(start=start, end=end))) == 2


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 2), (2, 2), (3, 1), (float("inf"), None), (0, float("inf")), (None, 0), (None, -1)]
)
def test_times_that_are_none_are_refused(start: Any, end: Any) -> None:
    with pytest.raises(ZsarbenchError, match=r"'made': 2 clips have invalid times, e\.g\. 'clip0'"):
        checked(ToyDataset(start=start, end=end))


def test_times_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ZsarbenchError, match="start and end are not seconds"):
        checked(ToyDataset(start="soon"))


def test_classes_that_differ_in_spelling_alone_are_named(caplog: pytest.LogCaptureFixture) -> None:
    checked(ToyDataset(("Yo Yo", "archery", "yo_yo")))
    assert "classes 'Yo Yo' and 'yo_yo' differ in spelling alone" in caplog.text


def test_numbers_as_classes_are_remarked(caplog: pytest.LogCaptureFixture) -> None:
    checked(ToyDataset(("run", "2")))
    assert caplog.text == ""
    checked(ToyDataset(("0", "1", "10")))
    assert "its 3 classes are numbers, e.g. '0'; a method knows nothing else" in caplog.text


def test_a_label_that_is_no_class_is_refused_with_the_nearest() -> None:
    dataset = ToyDataset(("run", "walc"))
    rows = dataset.manifest()
    dataset.classes, dataset.manifest = ("run", "walk"), lambda: rows  # type: ignore[method-assign]
    with pytest.raises(ZsarbenchError, match=r"'made'.*: unknown label 'walc'; did you mean 'walk'\?"):
        checked(dataset)


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (("a", None), "has a clip without an id"),
        (("a", ""), "has a clip without an id"),
        (("a", "a"), "lists 1 clip ids twice, e.g. 'a'"),
    ],
)
def test_clips_have_ids_of_their_own(ids: tuple[Any, Any], says: str) -> None:
    dataset = ToyDataset()
    rows = dataset.manifest().assign(clip_id=list(ids))
    dataset.manifest = lambda: rows  # type: ignore[method-assign]
    with pytest.raises(ZsarbenchError, match=says):
        checked(dataset)

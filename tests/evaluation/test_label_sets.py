"""Label sets: found under the names that they are declared by, whatever lists them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import pytest

from records import changeable, positional
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import label_sets
from zsarbench.evaluation.label_sets import LabelSet, find
from zsarbench.plugins.registry import Registry

OBJECTS = LabelSet("things", ("violin", "bow"), {"fiddle": "violin"}, actions=False)


class Known:
    """A data set that knows its classes before it is built."""

    classes: ClassVar[tuple[str, ...]] = ("archery", "golf")
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({"bow shooting": "archery"})


class Unlisted(Known):
    """A data set whose classes nothing is known of."""

    classes: ClassVar[tuple[str, ...]] = ()


class Own:
    """A data set that has its classes from files of a user's."""

    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @property
    def classes(self) -> tuple[str, ...]:
        """Return those of the files."""
        return ("archery",)


def objects() -> LabelSet:
    """Return labels of things."""
    return OBJECTS


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registrar = registry.registrar("other")
    for name, target in (("known-2", Known), ("unlisted", Unlisted), ("own", Own)):
        registrar.add("dataset", name, f"{__name__}:{target.__name__}", summary="s")
    registrar.add("labels", "things", f"{__name__}:objects", summary="s")
    return registry


@pytest.mark.parametrize("name", ["known-2", "Known 2", "known_2"])
def test_the_name_of_a_data_set_means_its_classes_however_it_is_spelt(registry: Registry, name: str) -> None:
    assert find(name, registry) == LabelSet("known-2", Known.classes, Known.aliases)


def test_registered_labels_are_what_their_target_returns(registry: Registry) -> None:
    assert find("Things", registry) is OBJECTS


@pytest.mark.parametrize("name", ["unlisted", "own", "web-images"])
def test_where_no_list_is_known_there_is_none(registry: Registry, name: str) -> None:
    assert find(name, registry) is None


def test_a_file_of_a_package_has_an_action_in_every_line(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "labels_of_others").mkdir()
    (tmp_path / "labels_of_others" / "__init__.py").write_text("")
    (tmp_path / "labels_of_others" / "some.txt").write_text("# two\nride bike\n\ngolf\n")
    (tmp_path / "labels_of_others" / "none.txt").write_text("# none\n")
    found = find("labels_of_others:some.txt", registry)
    assert found == LabelSet("labels_of_others:some.txt", ("ride bike", "golf"))
    assert found is not None
    assert found.actions
    with pytest.raises(ZsarbenchError, match=r"label set 'labels_of_others:none\.txt' is empty"):
        find("labels_of_others:none.txt", registry)
    with pytest.raises(ZsarbenchError, match=r"label set 'no_such_package:some\.txt' cannot be read"):
        find("no_such_package:some.txt", registry)


def test_records_cannot_be_changed() -> None:
    assert (changeable(label_sets), positional(label_sets)) == ([], ["LabelSet"])

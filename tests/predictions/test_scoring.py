"""What `zsarbench score` is asked: what indices stand for, what is claimed, and the command that repeats it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from records import changeable, positional
from zsarbench.errors import UsageError
from zsarbench.predictions import scoring
from zsarbench.predictions.scoring import ScoreRequest, class_order

DATASET: Any = SimpleNamespace(classes=("golf", "Diving", "biking"))


def order_of(folder: Path, text: str) -> tuple[str, ...]:
    """Return the order of a file of this text."""
    path = folder / "order.txt"
    path.write_text(text, encoding="utf-8")
    return class_order(str(path), DATASET)


def test_a_data_set_has_an_order_of_its_own() -> None:
    assert class_order("dataset", DATASET) == ("golf", "Diving", "biking")
    assert class_order("sorted", DATASET) == ("Diving", "biking", "golf")


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("golf\ndiving\n", ("golf", "diving")),
        ("golf\n1 diving\n", ("golf", "1 diving")),  # not all have an index
        ("1 diving\n0 golf\n", ("golf", "diving")),
        ("1, diving\n3; golf\n", ("index 0", "diving", "index 2", "golf")),
        ("name\ngolf\n", ("name", "golf")),
        ("id,name\n1,diving\n0,golf\n", ("golf", "diving")),
        ("More;Name\nx;golf\ny;diving\n", ("golf", "diving")),
        ("id\tname\n0\tgolf\n", ("golf",)),
        ("golf, mini\ndiving\n", ("golf, mini", "diving")),
        ("0 golf\n200 diving\n", ("golf", *(f"index {number}" for number in range(1, 200)), "diving")),
    ],
)
def test_a_file_names_a_class_a_line_or_with_its_index(tmp_path: Path, text: str, order: tuple[str, ...]) -> None:
    assert order_of(tmp_path, text) == order


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "is empty; it needs a name per line, or INDEX NAME"),
        ("0 golf\n0 diving\n", "has an index twice, or one that is far above"),
        ("0 golf\n201 diving\n", "has an index twice, or one that is far above"),
    ],
)
def test_an_order_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        order_of(tmp_path, text)


def request(**fields: Any) -> ScoreRequest:
    """Return a request for a file of a folder of this machine."""
    return ScoreRequest(file=Path("/home/me/my file.json"), name="M", **fields)


def test_the_command_names_no_folder_of_this_machine_and_no_option_that_was_not_given() -> None:
    assert request().to_command() == "zsarbench score 'my file.json' --name M"
    given = request(
        protocol="ucf101/all", class_order="sorted", clip_order=Path("/home/me/clips.txt"), fields=("clip=film",),
        trained_on=("a", "b"), train_on="seen", source="A paper", data_root=("ucf101=/data",),
        settings=("dataset.x=1",), words=True, text="minilm-l6", out="/home/me/out",
    )  # fmt: skip
    assert given.to_command() == (
        "zsarbench score 'my file.json' --name M --protocol ucf101/all --class-order sorted --clip-order clips.txt "
        "--source 'A paper' --text minilm-l6 --field clip=film --trained-on a --trained-on b --set dataset.x=1 "
        "--train-on seen --words"
    )


def test_training_on_nothing_is_known_and_no_statement_is_unknown() -> None:
    assert request().claim.trained_on is None
    assert request(trained_on=("nothing",)).claim.trained_on == ()
    assert request(trained_on=("a", "nothing")).claim.trained_on == ("a",)


def test_requests_cannot_be_changed() -> None:
    assert (changeable(scoring), positional(scoring)) == ([], [])

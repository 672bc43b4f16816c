"""Multiple choice as a protocol: options are drawn once, hashed, and decide who competes, chance and intervals."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor

from listed import NAMES, Place, clips_of
from zsarbench import hookimpl, protocols, results
from zsarbench.errors import ZsarbenchError
from zsarbench.plugins import load_plugins, loading
from zsarbench.predictions.multiple_choice import ChoiceRequest, make

CLIPS = clips_of(5)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path, CLIPS)


def drawn(place: Place, name: str, *words: str, encoders: bool = False) -> dict[str, list[str]]:
    """Make a multiple choice `NAME.toml` of the protocol, and return its options by clip."""
    where = [str(place.path / "mine.toml"), "--out", str(place.path / f"{name}.toml")]
    place.run("protocol", "choices", *where, *words, plugins=() if encoders else ("--no-plugin", "encoders"))
    lines = (place.path / f"{name}-options.txt").read_text().splitlines()
    return {line.split("\t")[0]: line.split("\t")[1:] for line in lines if not line.startswith("#")}


def test_options_are_drawn_once_by_seed_and_hashed_with_their_order(place: Place) -> None:
    options = drawn(place, "four")
    assert set(options) == set(CLIPS)
    assert all(len(set(names)) == 4 and CLIPS[clip] in names for clip, names in options.items())
    assert {names.index(CLIPS[clip]) for clip, names in options.items()} == {0, 1, 2, 3}, "the order is drawn too"
    assert drawn(place, "again") == options
    assert drawn(place, "other", "--seed", "1") != options
    hashes = {
        name: json.loads(place.run("protocol", "show", str(place.path / f"{name}.toml"), "--json"))["hash"]
        for name in ("mine", "four", "again", "other")
    }
    assert hashes["four"] == hashes["again"]
    assert len(set(hashes.values())) == 3
    swapped = (place.path / "again-options.txt").read_text().replace("\t", "\t\t").split("\n")
    first = swapped[1].split("\t\t")
    swapped[1] = "\t\t".join([first[0], *first[:0:-1]])
    (place.path / "again-options.txt").write_text("\n".join(swapped).replace("\t\t", "\t"))
    assert json.loads(place.run("protocol", "show", str(place.path / "again.toml"), "--json"))["hash"] != hashes["four"]
    with pytest.raises(ZsarbenchError, match="must be a new file"):
        drawn(place, "four")
    with pytest.raises(ZsarbenchError, match="13 options of 12 candidates cannot be drawn; 2 to 12 can"):
        drawn(place, "many", "--options", "13")
    assert "holds: 1 round" in place.run("protocol", "check", str(place.path / "four.toml"))


def test_similar_options_are_the_classes_with_the_nearest_texts(place: Place) -> None:
    texts = {"archery": "bow", "golf": "bow ball", "diving": "water", "surfing": "water wave", "kayaking": "wave water"}
    rows = ["class,text", *(f"{name},{texts.get(name, f'w{number}')}" for number, name in enumerate(NAMES))]
    (place.path / "texts.csv").write_text("\n".join(rows))
    words = ("--options", "2", "--by", "similarity", "--text", "hashed-words", "--class-text")
    options = drawn(place, "hard", *words, str(place.path / "texts.csv"), encoders=True)
    other = {CLIPS[clip]: set(names) - {CLIPS[clip]} for clip, names in options.items()}
    assert other["archery"] == {"golf"}
    assert other["surfing"] == {"kayaking"}
    assert other["diving"] <= {"surfing", "kayaking"}


VECTORS = {"bow": (10.0, 0.0), "arrow": (0.0, 1.0), "green": (2.0, 2.0), "board": (3.0, 0.1)}


class Lengths:
    """A text encoder whose vectors have lengths of their own."""

    dim, space, fingerprint = 2, "lengths", MappingProxyType({"weights": "none"})

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors of known texts, and one that points away for others."""
        return torch.tensor([VECTORS.get(text, (-1.0, -1.0)) for text in texts])


class Plugin:
    """Brings the encoder."""

    @hookimpl
    def zsarbench_register(self, registry: Any) -> None:
        """Register it."""
        registry.add("text", "lengths", f"{__name__}:Lengths", summary="Lengths.", trained_on=())


def test_texts_of_a_class_count_alike_whatever_their_lengths(place: Place) -> None:
    texts = {"archery": ["bow", "arrow"], "golf": ["green"], "surfing": ["board"]}
    others = {name: [f"w{number}"] for number, name in enumerate(NAMES) if name not in texts}
    (place.path / "texts.json").write_text(json.dumps(texts | others))
    loaders = {"made": Plugin, "datasets": loading.entry_points()["datasets"]}
    request = ChoiceRequest(
        protocol=str(place.path / "mine.toml"), out=place.path / "hard.toml", n_options=2, by="similarity",
        text="lengths", class_text=str(place.path / "texts.json"), data_root=[f"folder={place.path}"],
        settings=[f"dataset.annotations={place.path / 'clips.csv'}"],
    )  # fmt: skip
    _, listed = make(request, load_plugins(loaders=loaders).registry)
    rows = [line.split("\t") for line in listed.read_text().splitlines()[1:]]
    other = {CLIPS[clip]: set(options) - {CLIPS[clip]} for clip, *options in rows}
    assert other["archery"] == {"golf"}  # half a bow and half an arrow, though the bow's vector is ten times as long


def test_answers_by_letter_are_scored_among_the_options_with_their_chance(place: Place) -> None:
    options = drawn(place, "four", "--options", "4")
    letter = {clip: "ABCD"[names.index(CLIPS[clip])] for clip, names in options.items()}
    wrong = {clip: "ABCD"[(options[clip].index(name) + 1) % 4] for clip, name in CLIPS.items()}
    clips = list(CLIPS)
    answers = [{"clip": clip, "answer": f"({letter[clip]})"} for clip in clips[:40]]
    answers += [{"clip": clip, "answer": wrong[clip]} for clip in clips[40:55]]
    answers += [{"clip": clip, "answer": "I cannot tell."} for clip in clips[55:]]
    rows = place.score(place.write("letters.jsonl", answers), protocol="four")
    row = next(row for row in rows if row.method.options["mapping"] == "choice")
    top1 = row.summary["top1_per_video"]
    assert top1.mean == 40 / 60
    assert top1.chance == 0.25
    assert top1.ci95 is not None
    assert top1.ci95[0] < top1.mean < top1.ci95[1]
    assert set(row.summary) == {"top1_per_video", "top1_per_class"}, "no top-5 accuracy among four options"
    assert row.protocol.setting == "multiple-choice"
    assert row.rounds[0].n_classes == 12


def test_classes_that_are_not_an_option_of_a_clip_do_not_compete_and_scores_keep_that(place: Place) -> None:
    options = drawn(place, "four")
    ranked = {
        clip: [next(other for other in NAMES if other not in options[clip]), name] for clip, name in CLIPS.items()
    }
    file = place.write("lists.json", ranked)
    assert place.score(file)[0].summary["top1_per_video"].mean == 0.0
    [row] = place.score(file, protocol="four")
    assert row.summary["top1_per_video"].mean == 1.0
    [path] = (place.path / "out" / "mine-mine-choice4-random").glob("*.json")
    assert results.recompute(path) == results.read(path)
    assert results.read_scores(path).rounds[0].n_options == 4
    results.compact(path)
    assert results.recompute(path).summary == row.summary


def test_a_run_is_scored_among_the_options_too(place: Place) -> None:
    drawn(place, "four", "--options", "5")
    out = ["--out", str(place.path / "out"), "--json"]
    row = results.from_json(
        json.loads(place.run("run", "--method", "chance", "--protocol", str(place.path / "four.toml"), *out))
    )
    assert row.summary["top1_per_video"].mean == pytest.approx(0.2)
    assert row.summary["top1_per_video"].chance == 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line.rsplit("\t", 1)[0], "must give all clips the same number of options"),
        (lambda line: re.sub(r"\t[^\t]+$", "\tyodelling", line), "unknown class 'yodelling'"),
        (lambda line: "\t".join([*line.split("\t")[:-1], line.split("\t")[1]]), "has an option twice"),
        (lambda line: line.split("\t")[0], "is not a new clip and two options or more"),
        (lambda line: "", "has no options in the protocol's list"),
    ],
)
def test_a_list_of_options_that_does_not_hold_is_refused(place: Place, change, message: str) -> None:  # type: ignore[no-untyped-def]
    drawn(place, "four")
    path = place.path / "four-options.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], change(lines[1]), *lines[2:]]))
    file = place.write("a.json", dict(CLIPS))
    with pytest.raises(ZsarbenchError, match=message):
        place.score(file, protocol="four")


def test_a_setting_without_choices_and_choices_without_the_setting_are_refused(place: Place) -> None:
    place.add_protocol("lone", NAMES, 'choices = "@four-options"')
    with pytest.raises(ZsarbenchError, match="choices are of the setting multiple-choice, and the setting is zsl"):
        protocols.read(place.path / "lone.toml")
    text = (place.path / "mine.toml").read_text().replace('"zsl"', '"multiple-choice"')
    (place.path / "mine.toml").write_text(text)
    with pytest.raises(ZsarbenchError, match="Try: zsarbench protocol choices PROTOCOL"):
        protocols.read(place.path / "mine.toml")

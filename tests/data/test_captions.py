"""The user's own captions: a CSV or JSON for any data set, matched by id or path, and every mistake named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from zsarbench.data.captions import Captioned, Captions
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText, Dataset, HasRoot

IDS = ["clap/c0", "clap/c1", "wave/w0"]
CAPTIONS = {"clap/c0": ("hands meet", "again"), "clap/c1": ("applause",), "wave/w0": ("a hand moves",)}
TABLE = "clip,caption\nclap/c0,hands meet\nclap/c1,applause\nclap/c0,again\nwave/w0,a hand moves\n"


class Toy:
    classes = ("clap", "wave")
    aliases: Mapping[str, str] = {}
    revision = "7"
    root: Path | None = None

    def manifest(self) -> pd.DataFrame:
        return pd.DataFrame({"clip_id": IDS})

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"test": IDS}

    def captions(self) -> Mapping[str, Sequence[str]]:
        return {IDS[0]: ("its own",)}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        return [ClassText(name, (name,)) for name in self.classes]


def written(folder: Path, content: object, name: str = "captions.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_caption_of_two_lines_is_not_two_captions(tmp_path: Path) -> None:
    of_two_lines = Captions(written(tmp_path, 'clip,caption\nclap/c0,"hands\nmeet"\n', "a.csv"))
    two = Captions(written(tmp_path, "clip,caption\nclap/c0,hands\nclap/c0,meet\n", "b.csv"))
    assert of_two_lines.by_name == {"clap/c0": ("hands meet",)}
    assert two.by_name == {"clap/c0": ("hands", "meet")}
    assert of_two_lines.sha256 != two.sha256


FORMS: dict[str, tuple[str, object]] = {
    "table": ("a.csv", TABLE),
    "with tabs": ("a.tsv", TABLE.replace(",", "\t")),
    "object": ("a.json", {name: list(sentences) for name, sentences in CAPTIONS.items()}),
    "object of texts": (
        "a.json",
        {"clap/c0": ["hands meet", "again"], "clap/c1": "applause", "wave/w0": " a hand\nmoves"},
    ),
    "list of captions": (
        "a.json",
        [{"clip": name, "caption": one} for name, texts in CAPTIONS.items() for one in texts],
    ),
    "list of clips": (
        "a.json",
        [{"clip": name, "captions": list(texts)} for name, texts in reversed(CAPTIONS.items())],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same_and_has_the_same_digest(form: str, tmp_path: Path) -> None:
    name, content = FORMS[form]
    captions = Captions(written(tmp_path, content, name))
    assert captions.of(IDS, "toy") == CAPTIONS
    assert captions.sha256 == Captions(written(tmp_path, TABLE, "b.csv")).sha256


def test_a_data_set_with_them_is_the_same_but_for_captions_and_revision(tmp_path: Path) -> None:
    own = Captioned(Toy(), Captions(written(tmp_path, TABLE, "a.csv")), "toy")
    assert isinstance(own, Dataset)
    assert isinstance(own, HasRoot)
    assert own.captions() == CAPTIONS
    assert own.revision.startswith("7+captions-")
    assert (own.splits(), list(own.manifest()["clip_id"])) == ({"test": IDS}, IDS)
    other = Captioned(Toy(), Captions(written(tmp_path, TABLE.replace("again", "twice"), "a.csv")), "toy")
    assert other.revision != own.revision


def test_clips_may_be_called_by_the_path_of_their_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    by_file = {"videos/clap/c0.mp4": "hands meet", "w0.avi": "a hand moves", "elsewhere/x": "nothing"}
    assert Captions(written(tmp_path, by_file)).of(IDS, "toy") == {
        "clap/c0": ("hands meet",),
        "wave/w0": ("a hand moves",),
    }
    assert "1 of 3 belong to no clip of toy, e.g. 'elsewhere/x'" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", "words", "is neither .csv, with the columns clip and caption, nor .json"),
        ("a.json", "{", "is not valid JSON"),
        ("a.json", 3, 'must be {"clip": "caption"'),
        ("a.json", {"clap/c0": 3}, "clip 'clap/c0' has '3', not a sentence"),
        ("a.json", {"clap/c0": ["", "x"]}, "not a sentence or a list of sentences"),
        ("a.json", [{"clip": "clap/c0"}], "item 1 has no clip and caption"),
        ("a.json", {}, "has no caption"),
        ("a.csv", "clip,text\na,b\n", "caption"),
        ("a.csv", "clip,caption\na,\n", "line 2: the caption is missing"),
        ("a.csv", "clip,caption\n,words\n", "line 2: the clip is missing"),
        ("a.csv", "clip,caption\nx,y\n", "name no clip of toy: 'x'; its ids are like 'clap/c0'"),
        ("a.json", {"clap/c0": "x", "c0.mp4": "y"}, "'clap/c0' and 'c0.mp4' are both clip 'clap/c0'"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(name: str, content: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(ZsarbenchError) as error:
        Captions(written(tmp_path, content, name)).of(IDS, "toy")
    assert says in str(error.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    for name in ("gone.csv", "gone.json"):
        with pytest.raises((UsageError, ZsarbenchError), match=name):
            Captions(tmp_path / name)


@pytest.mark.parametrize("item", [{"clip": 3, "caption": "x"}, {"caption": "x"}, {"clip": "clap/c0"}, "x", ["clap/c0"]])
def test_an_item_of_a_list_names_a_clip_and_a_caption(tmp_path: Path, item: object) -> None:
    content = [{"clip": "clap/c0", "captions": ["hands meet"]}, item]
    with pytest.raises(UsageError, match="item 2 has no clip and caption"):
        Captions(written(tmp_path, content))

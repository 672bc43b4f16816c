"""`zsarbench contamination`: what is audited on request, and what is printed of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from listed import NAMES, Place, clips_of
from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.plugins import load_plugins
from zsarbench.plugins.loading import entry_points


def web() -> LabelSet:
    """Two of the classes, one under another name."""
    return LabelSet("web", ("Archery", "riding a bicycle", "walking"), {"biking": "riding a bicycle"})


class Part:
    """Is only named."""

    learns_from = "nothing"


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Register parts that were trained on those labels, on nothing, and on what nobody knows."""
    where = web.__module__
    registry.add("labels", "web", f"{where}:web", summary="Labels.")
    registry.add("visual", "of-web", f"{where}:Part", summary="Trained on them.", trained_on=("web",))
    registry.add("visual", "of-nothing", f"{where}:Part", summary="Not trained.", trained_on=())
    registry.add("text", "of-unknown", f"{where}:Part", summary="Trained on who knows what.")
    defaults = {"visual": "of-nothing", "text": "of-unknown"}
    registry.add("method", "both", f"{where}:Part", summary="A method.", trained_on=(), defaults=defaults)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place.make(tmp_path_factory.mktemp("clips"), clips_of(1))
    for name in ("archery", "walking"):
        (place.path / name).mkdir()
        (place.path / name / "a.mp4").touch()
    place.add_protocol("with-parts", NAMES, '[parts]\nvisual = "of-web"')
    return place


def audit(place: Place, *words: str, protocol: str = "mine") -> Result:
    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    host = load_plugins(loaders={"audited": lambda: plugin, "datasets": entry_points()["datasets"]})
    data = ["--data-root", f"folder={place.path}", "--set", f"dataset.annotations={place.path / 'clips.csv'}"]
    named = ["contamination", "--protocol", str(place.path / f"{protocol}.toml")]
    done = CliRunner().invoke(cli, [*named, *words, *data], obj={"session": Session((), host)}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_overlaps_are_listed_with_how_they_were_found(place: Place) -> None:
    assert audit(place, "--visual", "of-web").stdout.splitlines() == [
        "mine/mine: 2 of 12 unseen classes overlap",
        "web: visual of-web",
        "  archery                  exact      Archery  (web)",
        "  biking                   alias      riding a bicycle  (web)",
        "similar names were not searched for: no label set of actions, or the extra `offline` is not installed",
    ]


def test_unknown_training_data_is_said_and_no_near_name_is_missed_where_nothing_is_audited(place: Place) -> None:
    lines = audit(place, "--text", "of-unknown").stdout.splitlines()
    assert lines == ["mine/mine: 0 of 12 unseen classes overlap", "unknown: text of-unknown"]


def test_a_method_is_audited_with_the_parts_that_it_would_be_run_with(place: Place) -> None:
    assert "overlap\nunknown: text of-unknown\n" in audit(place, "--method", "both").stdout
    assert "web: visual of-web" in audit(place, "--method", "both", protocol="with-parts").stdout
    assert "web: visual of-web" in audit(place, "--method", "both", "--visual", "of-web").stdout
    assert "web" not in audit(place, "--text", "of-unknown", protocol="with-parts").stdout, "no method, no other part"


def test_data_that_are_learnt_from_are_audited_alone_too(place: Place) -> None:
    text = audit(place, "--train-on", "folder").stdout
    assert text.startswith("mine/mine: 1 of 12 unseen classes overlap\nfolder: ")


def test_json_holds_what_a_protocol_and_parts_decide(place: Place) -> None:
    content = json.loads(audit(place, "--visual", "of-web", "--json").stdout)
    assert (content["protocol"], content["n_overlapping"], content["n_clean"]) == ("mine/mine", 2, 10)
    assert [(item["candidate"], item["how"]) for item in content["overlapping"]] == [
        ("archery", "exact"), ("biking", "alias"),
    ]  # fmt: skip
    assert not {"accuracy", "n_sentences", "naming", "tested"} & set(content)


def test_there_must_be_something_to_audit(place: Place) -> None:
    with pytest.raises(UsageError, match=r"nothing to audit\. Try: --visual NAME, --method or --train-on"):
        audit(place)


def test_a_protocol_is_needed() -> None:
    done = CliRunner().invoke(cli, ["contamination", "--visual", "of-web"])
    assert (done.exit_code, "Missing option '--protocol'" in done.stderr) == (2, True)

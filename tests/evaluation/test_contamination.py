"""Which unseen classes were trained on: names matched, unknown never clean, accuracy on both sides, the verb."""

from __future__ import annotations

import dataclasses
import json
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from forked import Forked

from locations import ROOT
from samples import contaminated, sample_result, sample_scores
from zsarbench import protocols, results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation import contamination
from zsarbench.evaluation.caption_names import sentences_naming
from zsarbench.evaluation.contamination import NearNames, Overlap, audit, declarations, overlaps
from zsarbench.evaluation.declared import Declared
from zsarbench.evaluation.label_sets import LabelSet, find
from zsarbench.evaluation.metrics import topk_expectation
from zsarbench.harness import runs
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import request
from zsarbench.plugins import Host, load_plugins
from zsarbench.plugins.registry import Registry
from zsarbench.reports import notes
from zsarbench.reports import table as tables
from zsarbench.reports.layout import lay_out
from zsarbench.reports.notes import note_text
from zsarbench.utils.progress import LogProgress
from zsarbench_datasets.hmdb51 import HMDB51
from zsarbench_datasets.kinetics import Kinetics400
from zsarbench_datasets.ucf101 import UCF101

KINETICS = LabelSet("kinetics400", Kinetics400.classes)
BENCHMARKS = ROOT / "benchmarks"


class Angles:
    """A text encoder of two dimensions: a name is a direction, in degrees."""

    dim, space, fingerprint = 2, None, {}

    def __init__(self, **degrees: float) -> None:
        self.degrees = degrees

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        angles = torch.tensor([self.degrees[text.replace(" ", "_")] for text in texts]).deg2rad()
        return 3 * torch.stack([angles.cos(), angles.sin()], dim=1)  # unit length is not promised


@pytest.fixture(scope="module")
def host() -> Host:
    return load_plugins()


# --- names ------------------------------------------------------------------------------------------------------------


def test_the_counts_of_the_field(host: Host) -> None:
    """22 of UCF-101's and 2 of HMDB-51's names are Kinetics-400's letter by letter; TruZe keeps 31 and 22 as unseen."""
    ucf = overlaps(UCF101.classes, [KINETICS], aliases=UCF101.aliases)
    assert [item.how for item in ucf] == ["exact"] * 22
    assert {item.candidate for item in overlaps(HMDB51.classes, [KINETICS])} == {"pushup", "situp"}
    for name, dataset, n_unseen in (("ucf101/truze-v2", UCF101(), 31), ("hmdb51/truze-v1", HMDB51(), 22)):
        (item,) = protocols.load(host.registry, name).with_official_names(dataset)
        assert len(item.unseen) == n_unseen
        assert overlaps(item.unseen, [KINETICS]) == []  # what is equal in letters TruZe has taken out


def test_the_best_name_of_each_label_set_is_returned() -> None:
    """Exact before alias before near; an alias of either side counts; the nearest is taken, at the threshold itself."""
    labels = LabelSet("web", ("shot put", "riding", "juggling", "walking"), {"horse racing": "riding"})
    candidates = ("ShotPut", "HorseRace", "Circus", "Strolling", "Sleeping")
    encoder = Angles(circus=36, strolling=64, sleeping=200, shot_put=0, riding=10, juggling=30, walking=4)
    near = NearNames("angles", encoder, 0.5)
    found = overlaps(candidates, [labels], near, aliases={"Horse-Racing": "HorseRace", "juggling": "Circus"})
    assert found == [
        Overlap("ShotPut", "web", "shot put", "exact"),
        Overlap("HorseRace", "web", "riding", "alias"),
        Overlap("Circus", "web", "juggling", "alias"),
        Overlap("Strolling", "web", "juggling", "near", pytest.approx(np.cos(np.deg2rad(34)), abs=1e-3)),
    ]
    both = overlaps(("ShotPut",), [labels, LabelSet("more", ("Shotput",))])
    assert [item.label_set for item in both] == ["web", "more"]


def test_objects_are_never_near() -> None:
    """Having seen a violin is not having seen it played; and the threshold was fixed on pairs of actions."""
    near = NearNames("angles", Angles(playing_violin=10, violin=11), 0.67)
    assert not overlaps(["PlayingViolin"], [LabelSet("imagenet", ("violin",), actions=False)], near)
    assert len(overlaps(["PlayingViolin"], [LabelSet("actions", ("violin",))], near)) == 1


def test_label_sets_have_the_names_they_are_declared_under(host: Host) -> None:
    for name, count in (("kinetics-400", 400), ("Kinetics 600", 620), ("activitynet", 200), ("imagenet-1k", 1000)):
        found = find(name, host.registry)
        assert found is not None
        assert len(found.labels) == pytest.approx(count, rel=0.01)  # two of ImageNet's synsets share a first lemma
    from_file = find("zsarbench_datasets:data/ucf101_classes.txt", host.registry)
    assert from_file is not None
    assert from_file.labels == UCF101.classes
    objects = find("imagenet-21k", host.registry)
    assert objects is not None
    assert not objects.actions
    (found,) = overlaps(["GreatWhiteShark", "ManEater"][1:], [objects])
    assert found.how == "alias"
    assert find("laion-400m", host.registry) is None
    assert find("folder", host.registry) is None  # a user's own data set has no classes before it is built


@pytest.mark.parametrize("name", ["zsarbench_datasets:data/nothing.txt", "no_such_package:labels.txt"])
def test_a_missing_label_file_is_reported(host: Host, name: str) -> None:
    with pytest.raises(ZsarbenchError, match=f"label set '{name}'.*(does not exist|cannot be read)"):
        find(name, host.registry)


def test_where_no_plugin_declares_what_finds_near_names_only_spellings_are_compared() -> None:
    registry = load_plugins(["encoders"]).registry
    declared = {Declared("visual", "a"): ("kinetics400", "imagenet-1k")}
    found = audit(declared, ["Archery", "Drumming"], registry)
    assert [(item.candidate, item.how) for item in found.overlapping] == [("Archery", "exact")]
    assert found.near_by is None
    assert found.unknown == (Declared("label set", "imagenet-1k of visual a"),)


# --- what was declared ------------------------------------------------------------------------------------------------


def test_unknown_is_never_clean(host: Host) -> None:
    """Whoever declares nothing, a set nobody lists, a missing file: each is listed as unknown, none fails the audit."""
    declared = {
        Declared("visual", "a"): None,
        Declared("visual", "b"): ("laion-400m", "no_such_package:labels.txt"),
        Declared("method", "c"): (),
        Declared("text", "d"): None,
    }
    found = audit(declared, UCF101.classes, host.registry)
    assert found.audited == {}
    assert tuple(map(str, found.unknown)) == (
        "visual a",
        "text d",
        "label set laion-400m of visual b",
        "label set no_such_package:labels.txt of visual b",
    )
    assert (found.n_overlapping, found.n_clean, found.near_by) == (0, 101, None)


def by_text(declared: Mapping[Declared, tuple[str, ...] | None]) -> dict[str, tuple[str, ...] | None]:
    return {str(component): label_sets for component, label_sets in declared.items()}


def test_everything_of_a_run_declares(host: Host) -> None:
    parts = {"visual": "captions", "text": "minilm-l6", "negatives": "cosine-window", "loss": "triplet"}
    declared = by_text(declarations(host.registry, "cezsar", parts, "sketch", None))
    assert declared == {"method cezsar": (), "visual captions": (), "text minilm-l6": None, "captions of sketch": ()}
    parts = {"visual": "torchvision-video"}
    declared = by_text(declarations(host.registry, "cezsar", parts, "ucf101", "activitynet-captions"))
    assert declared == {
        "method cezsar": (),
        "visual torchvision-video": ("kinetics400",),
        "training data activitynet-captions": ("activitynet",),
        "captions of activitynet-captions": (),
    }
    declared = by_text(declarations(host.registry, None, {}, "ucf101", "folder"))
    assert declared["training data folder"] == ("folder",)


def test_classes_of_the_users_training_data_are_audited(host: Host) -> None:
    learnt = LabelSet("folder", ("archery", "knitting"))
    found = audit({Declared("training data", "folder"): ("folder",)}, ["Archery", "YoYo"], host.registry, learnt=learnt,
                  built={"minilm-l6": Angles(archery=0, knitting=90, yo_yo=180)})  # fmt: skip
    assert found.overlapping == (Overlap("Archery", "folder", "archery", "exact"),)
    assert (found.n_overlapping, found.n_clean, found.near_by) == (1, 1, "minilm-l6")


# --- sentences --------------------------------------------------------------------------------------------------------


def test_sentences_are_counted_once_a_class_word_by_word() -> None:
    sentences = [
        "A man goes skydiving, sky diving is fun.",
        "Two girls are brushing\nteeth; one plays the YO-YO.",
        "He is punching a bag: a puncher.",
        "Salsa spins!",
    ]
    classes = ["SkyDiving", "BrushingTeeth", "YoYo", "Punch", "SalsaSpin", "Archery"]
    found = sentences_naming(classes, sentences, aliases={"Salsa Spins": "SalsaSpin"})
    assert found == {"SkyDiving": 1, "BrushingTeeth": 1, "YoYo": 1, "SalsaSpin": 1}


# --- accuracy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("denominator", ["all", "survivors"])
def test_both_sides_make_up_the_whole(denominator: str) -> None:
    scores = sample_scores(unread=[0, 9])
    whole = sample_result(scores, denominator=denominator).summary
    overlapping = {f"Class{number}" for number in range(5)}
    found = contamination.accuracies(scores, overlapping, denominator)
    n_clips = {"overlapping": 20, "clean": 28}
    if denominator == "survivors":
        n_clips["overlapping"] -= 2  # clips 0 and 9 are of classes 0 and 2
    per_video = sum(found[side]["top1_per_video"] * n for side, n in n_clips.items()) / sum(n_clips.values())
    per_class = (5 * found["overlapping"]["top1_per_class"] + 7 * found["clean"]["top1_per_class"]) / 12
    assert per_video == pytest.approx(whole["top1_per_video"].mean)
    assert per_class == pytest.approx(whole["top1_per_class"].mean)


def test_seen_classes_are_on_neither_side_but_compete() -> None:
    """In `gzsl` the even classes of the sample are seen."""
    scores = sample_scores(setting="gzsl")
    found = contamination.accuracies(scores, {"Class1", "Class2"})
    matrix, labels = scores.round(0)
    correct = topk_expectation(matrix, labels, 1)
    assert found["overlapping"]["top1_per_video"] == pytest.approx(correct[labels == 1].mean())
    assert found["clean"]["top1_per_video"] == pytest.approx(correct[(labels % 2 == 1) & (labels != 1)].mean())


def test_rounds_without_a_side_do_not_count_for_it() -> None:
    scores = sample_scores(n_rounds=3)  # round r holds classes -r to 7 - r: only the first has class 7
    found = contamination.accuracies(scores, {"Class7"})
    matrix, labels = scores.round(0)
    assert found["overlapping"]["top1_per_video"] == topk_expectation(matrix, labels, 1)[labels == 7].mean()
    assert set(contamination.accuracies(scores, ())) == {"clean"}


# --- results and tables -----------------------------------------------------------------------------------------------


def declaring(host: Host, method: str, trained_on: tuple[str, ...] | None) -> Host:
    """The host with another declaration of one method."""
    registry = Registry()
    for entry in host.registry:
        trained = trained_on if (entry.kind, entry.name) == ("method", method) else entry.trained_on
        registry.registrar(entry.plugin).add(
            entry.kind, entry.name, entry.target, summary=entry.summary, trained_on=trained, defaults=entry.defaults
        )
    return dataclasses.replace(host, registry=registry)


@pytest.mark.usefixtures("drawn_sketch")
def test_a_run_says_what_was_trained_on(host: Host, tmp_path: Path) -> None:
    declaring_host = declaring(host, "chance", ("sketch", "laion-400m"))
    small = request(
        "chance", protocol="sketch/compositional", settings=["dataset.clips_per_class=1"], out=str(tmp_path)
    )
    spec = resolve_run(small, declaring_host)
    result, path = runs.run(spec, declaring_host, LogProgress())
    audited = result.contamination
    assert audited is not None
    assert audited.audited == {"sketch": (Declared("method", "chance"),)}
    assert audited.unknown == (Declared("label set", "laion-400m of method chance"),)
    assert audited.n_clean == 0
    assert audited.n_overlapping == len({name for item in spec.what.protocol.rounds for name in item.round.candidates})
    assert audited.accuracy["overlapping"]["top1_per_video"] == pytest.approx(result.summary["top1_per_video"].mean)
    assert audited.n_sentences is None
    assert results.read(path).contamination == audited


def test_overlapping_rows_are_marked() -> None:
    scores = sample_scores(skill=2.0)
    clean = sample_result(scores, "clean")
    marked = contaminated(sample_result(scores, "marked"), scores, ["Class3", "Class5"])
    assert marked.contamination is not None
    accuracy = marked.contamination.accuracy
    shown = lay_out(tables.build([clean, marked]))
    (line,) = (line for line in shown.lines if "contamination" in line)
    assert line == (
        "[a] contamination: 2 of 12 unseen classes were trained on (kinetics400: visual captions); top-1/video "
        f"{100 * accuracy['clean']['top1_per_video']:.1f} on clean, "
        f"{100 * accuracy['overlapping']['top1_per_video']:.1f} on overlapping classes"
    )
    assert sorted(shown.groups[0].cells["method"]) == ["clean", "marked [a]"]


def test_what_is_not_known_is_marked_too() -> None:
    scores = sample_scores()
    result = sample_result(scores)
    assert result.contamination is not None
    unknown = (Declared("text", "minilm-l6"), Declared("visual", "open-clip"))
    hidden = dataclasses.replace(result.contamination, unknown=unknown)
    named = dataclasses.replace(result.contamination, n_sentences=1200, naming={"Class1": 3, "Class2": 4})
    texts = [
        [note_text(note) for note in notes.contamination(dataclasses.replace(result, contamination=audited))]
        for audited in (result.contamination, hidden, named, None)
    ]
    assert texts == [
        [],
        ["contamination: unknown what was trained on: visual open-clip"],
        ["contamination: 7 of 1,200 training sentences name an unseen class"],
        ["contamination: not audited"],
    ]


def test_a_result_that_contradicts_itself_is_refused() -> None:
    scores = sample_scores()
    content = contaminated(sample_result(scores), scores, ["Class1"]).to_json()
    content["contamination"]["n_overlapping"] = 2
    assert results.validate(content) == ["contamination.n_overlapping is 2, but 1 classes are listed"]
    content["contamination"]["accuracy"]["clean"]["top1_per_video"] = 40.1
    assert results.validate(content) == [
        "contamination.accuracy.clean.top1_per_video must be a fraction in [0, 1]; 49.0 % is 0.490, not 40.1"
    ]


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_the_verb_lists_overlapping_classes() -> None:
    arguments = ["contamination", "--visual", "efficientnet-lite0", "--protocol", "ucf101/truze-v2"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert "2 of 31 unseen classes overlap" in done.output
    assert "imagenet-1k: visual efficientnet-lite0" in done.output
    as_json = json.loads(CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert [(item["candidate"], item["how"]) for item in as_json["overlapping"]] == [
        ("BalanceBeam", "exact"),
        ("ParallelBars", "exact"),
    ]
    assert (as_json["protocol"], as_json["n_overlapping"], as_json["n_clean"]) == ("ucf101/truze-v2", 2, 29)


def test_the_verb_names_what_is_unknown() -> None:
    done = CliRunner().invoke(cli, ["contamination", "--visual", "timm", "--protocol", "ucf101/all"])
    assert "0 of 101 unseen classes overlap" in done.output
    assert "unknown: visual timm" in done.output
    with pytest.raises(UsageError, match="nothing to audit"):
        CliRunner().invoke(cli, ["contamination", "--protocol", "ucf101/all"], catch_exceptions=False)


def invoked(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["contamination", *arguments], catch_exceptions=False).stdout


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder of the user's own with two classes, as `--data-root` names it."""
    for name in ("archery", "knitting"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        (tmp_path / "videos" / name / "a.mp4").touch()
    return f"folder={tmp_path / 'videos'}"


def test_the_verb_audits_what_the_user_trains_on(folder: str, tmp_path: Path) -> None:
    arguments = ["--protocol", "ucf101/all", "--train-on", "folder"]
    found = json.loads(invoked(*arguments, "--data-root", folder, "--json"))
    assert found["audited"] == {"folder": ["training data folder"]}
    exact = {(item["candidate"], item["label"]) for item in found["overlapping"] if item["how"] == "exact"}
    assert exact == {("Archery", "archery"), ("Knitting", "knitting")}
    assert found["unknown"] == []
    (tmp_path / "clips.csv").write_text("clip,label\na.mp4,Yo Yo\n")
    given = ["--set", f"train_dataset.annotations={tmp_path / 'clips.csv'}"]
    assert "YoYo                     exact      Yo Yo  (folder)" in invoked(*arguments, *given)
    assert "unknown: label set folder of training data folder" in invoked(*arguments)  # nothing lists its classes


def test_the_verb_reads_a_protocol_over_the_users_own_data(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine/two"\nversion = 1\ndataset = "folder"\nsummary = "Two."\nsource = "made"\nsetting = "zsl"\n'
        '[[rounds]]\ncandidates = ["archery", "knitting"]\n'
    )
    arguments = ["--protocol", str(path), "--method", "cezsar", "--visual", "torchvision-video"]
    found = json.loads(invoked(*arguments, "--train-on", "activitynet-captions", "--data-root", folder, "--json"))
    assert set(found["audited"]) == {"kinetics400", "activitynet"}
    named = {(item["candidate"], item["label_set"]) for item in found["overlapping"] if item["how"] == "exact"}
    assert named == {(name, labels) for name in ("archery", "knitting") for labels in ("kinetics400", "activitynet")}
    with pytest.raises(UsageError, match="this verb has no visual part for --set"):
        invoked(*arguments, "--data-root", folder, "--set", "visual.model=x3d")


# --- the threshold ----------------------------------------------------------------------------------------------------


@pytest.mark.weights
def test_the_threshold_and_its_curve_come_again(host: Host, tmp_path: Path) -> None:
    """The page is what the script prints, and the constant what the page derives."""
    script = BENCHMARKS / "contamination_curve.py"
    process = Forked(tmp_path, runpy.run_path, str(script), None, "__main__")
    assert process.wait() == 0, process.stderr
    assert process.stdout == script.with_suffix(".md").read_text(encoding="utf-8")
    assert host.registry.near_encoder is not None
    assert f"midway lies **{host.registry.near_encoder.min_cosine}**" in process.stdout

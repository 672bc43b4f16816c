"""`sketch`: what is drawn, its captions, and that unseen combinations stay unseen."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from zsarbench import protocols
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Dataset
from zsarbench.plugins import load_plugins
from zsarbench_datasets import sketch_drawing, sketch_plans, sketch_video, sketch_words
from zsarbench_datasets.sketch import Sketch, compositional

# Stems by which a reader recognises a motion or a prop, kept apart from the tables that generate the captions.
MOTION_STEMS = {
    "raise": r"rais|lift|hoist|rise|goes up",
    "lower": r"lower|brings? .* down|bringing|sink|com(es|e|ing) down",
    "wave": r"\bwav|swing|shak|sways|tilts",
    "kick": r"kick|boot|\bfoot\b",
    "push": r"push|shov|press|in front|before two",
    "drag": r"drag|pull|haul|behind|stretched back",
    "carry": r"carr|walks|walking|bear|chest",
    "jump over": r"jump|leap|hop(s|ping)|off the ground|flies across",
    "balance": r"balanc|steady|pois|top of the head",
}
PROP_STEMS = {
    "ball": r"\bball\b",
    "broom": r"\bbroom",
    "suitcase": r"\b(suitcase|travel case)",
    "balloon": r"\bballoon",
    "flag": r"\b(flag|banner)",
    "chair": r"\bchair",
    "hoop": r"\b(hoop|ring)\b",
    "umbrella": r"\b(umbrella|parasol)",
    "bucket": r"\b(bucket|pail)\b",
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Sketch:
    """One clip of each class, drawn once for all tests that only read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSARBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        sketch = Sketch(clips_per_class=1)
        sketch.frame = sketch.manifest()
    return sketch


def named_in(stems: dict[str, str], text: str) -> set[str]:
    return {name for name, stem in stems.items() if re.search(stem, text.lower())}


def pixels(path: str | Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def digest(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_is_a_dataset_with_81_classes_and_one_row_per_clip(drawn: Sketch) -> None:
    assert isinstance(drawn, Dataset)
    assert len(set(drawn.classes)) == 81
    frame = drawn.frame
    assert list(frame.columns) == ["clip_id", "label", "path", "start", "end", "group"]
    assert frame["clip_id"].is_monotonic_increasing
    assert frame["clip_id"].is_unique
    assert set(frame["label"]) == set(drawn.classes)
    assert set(frame["clip_id"]) == set(drawn.captions())


def test_clips_are_h264_that_decodes_to_what_was_drawn(drawn: Sketch) -> None:
    row = drawn.frame.set_index("label").loc["kick umbrella"]
    with av.open(row["path"]) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert float(stream.average_rate) == sketch_drawing.FRAMES_PER_SECOND
    shown = pixels(row["path"])
    meant = np.stack(sketch_video.frames(sketch_plans.plan(0, "kick umbrella", 0)))
    assert shown.shape == meant.shape == (16, 256, 256, 3)
    assert np.abs(shown.astype(int) - meant).mean() < 4


def test_same_seed_same_bytes_and_another_seed_another_picture(drawn: Sketch, tmp_path: Path) -> None:
    again, other = tmp_path / "again.mp4", tmp_path / "other.mp4"
    sketch_video.write(sketch_plans.plan(0, "raise ball", 0), again)
    sketch_video.write(sketch_plans.plan(1, "raise ball", 0), other)
    first = drawn.frame.set_index("label").loc["raise ball", "path"]
    assert digest(again) == digest(first)
    assert np.abs(pixels(other).astype(int) - pixels(first)).mean() > 10


def test_a_larger_set_holds_the_smaller_one_and_draws_only_the_rest(cache: Path) -> None:
    small = Sketch(clips_per_class=1, seed=3)
    before = {path: os.stat(path).st_mtime_ns for path in small.manifest()["path"]}
    large = Sketch(clips_per_class=2, seed=3)
    paths = list(large.manifest()["path"])
    assert len(paths) == 162
    assert set(before) < set(paths)
    assert before == {path: os.stat(path).st_mtime_ns for path in before}
    assert large.revision != small.revision


def test_revision_follows_options_and_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Sketch().revision
    assert first == Sketch().revision
    assert len({first, Sketch(seed=1).revision, Sketch(clips_per_class=6).revision}) == 3
    monkeypatch.setattr(sketch_drawing, "SHIN", 0.25)
    assert Sketch().revision != first


def test_killed_while_drawing_continues_to_the_same_files(cache: Path, drawn: Sketch) -> None:
    line = "from zsarbench_datasets.sketch import Sketch; Sketch(clips_per_class=1).manifest()"
    process = subprocess.Popen([sys.executable, "-c", line])
    folder = Sketch(clips_per_class=1).folder
    while len(list(folder.glob("*/*.mp4"))) < 5 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    rest = Sketch(clips_per_class=1).manifest()
    assert [digest(path) for path in rest["path"]] == [digest(path) for path in drawn.frame["path"]]


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(cache: Path) -> None:
    sketch = Sketch(clips_per_class=1)
    sketch.folder.parent.mkdir(parents=True)
    sketch.folder.write_text("in the way")
    with pytest.raises(ZsarbenchError, match=re.escape(str(sketch.folder))):
        sketch.manifest()


def test_unusable_options_and_forms_are_user_errors() -> None:
    with pytest.raises(UsageError, match="clips_per_class=0"):
        Sketch(clips_per_class=0)
    with pytest.raises(UsageError, match="sentences"):
        Sketch().class_texts("poem")


def test_raise_and_lower_differ_in_order_alone() -> None:
    plan = sketch_plans.plan(0, "raise hoop", 0)
    times = [i / sketch_drawing.FRAMES_PER_SECOND for i in range(sketch_drawing.FRAMES)]
    up = [sketch_drawing.foreground(plan, t) for t in times]
    down = [sketch_drawing.foreground(replace(plan, motion="lower"), t) for t in reversed(times)]
    for one, other in zip(up, down, strict=True):
        for shape, twin in zip(one, other, strict=True):
            np.testing.assert_allclose(shape.points, twin.points, atol=1e-6)
    assert up[0] != up[-1]


def test_clips_of_a_source_share_it_and_differ_otherwise() -> None:
    first, second, third = (sketch_plans.plan(0, "drag flag", take) for take in range(3))
    assert first.group == second.group != third.group
    assert sketch_drawing.background(first)[:2] == sketch_drawing.background(second)[:2]
    assert first.x != second.x
    assert first.scenery_seed != third.scenery_seed


def test_the_person_and_the_prop_stay_in_the_picture() -> None:
    """Within the 224 pixels in the middle, which encoders see, lies nearly all that moves."""
    inside = total = 0
    for name in sketch_plans.CLASSES:
        for t in (0.0, 1.0, 2.0, 3.0):
            for points, _, _ in sketch_drawing.foreground(sketch_plans.plan(0, name, 0), t):
                inside += sum(16 <= x <= 240 and 16 <= y <= 240 for x, y in points)
                total += len(points)
    assert inside / total > 0.97


def test_captions_tell_their_own_motion_and_prop_and_no_other() -> None:
    sketch = Sketch(clips_per_class=6)
    captions = sketch.captions()
    for name, (motion, prop) in sketch_plans.CLASSES.items():
        for take in range(6):
            texts = captions[sketch_plans.plan(0, name, take).clip_id]
            assert len(set(texts)) == 3
            for text in texts:
                assert named_in(PROP_STEMS, text) == {prop}, text
                assert named_in(MOTION_STEMS, text) <= {motion}, text
            assert motion in set().union(*(named_in(MOTION_STEMS, text) for text in texts))
            assert name not in {text.lower().strip(".") for text in texts}


@pytest.mark.parametrize("index", [0, 1, 2])
def test_no_caption_of_a_seen_class_holds_an_unseen_combination(index: int) -> None:
    lists = compositional(index)
    captions = Sketch(clips_per_class=4).captions()
    for name in lists["seen"]:
        for take in range(4):
            for text in captions[sketch_plans.plan(0, name, take).clip_id]:
                combinations = {f"{m} {p}" for m in named_in(MOTION_STEMS, text) for p in named_in(PROP_STEMS, text)}
                assert not combinations & set(lists["unseen"]), text


def test_class_texts_tell_their_class(drawn: Sketch) -> None:
    for form in ("name", "sentence", "sentences"):
        for given, (name, (motion, prop)) in zip(drawn.class_texts(form), sketch_plans.CLASSES.items(), strict=True):
            assert given.name == name
            assert all(named_in(PROP_STEMS, text) == {prop} for text in given.texts)
            assert motion in named_in(MOTION_STEMS, given.texts[0])
    assert len({text.texts for text in drawn.class_texts("sentence")}) == 81
    assert len(drawn.class_texts("sentences")[0].texts) == 9


def test_things_and_places_are_not_props() -> None:
    words = [word for phrases in sketch_words.PLACE_WORDS.values() for word in phrases]
    for text in (*words, *sketch_drawing.THINGS):
        assert not named_in(PROP_STEMS, text), text


def test_split_files_are_what_the_rule_gives() -> None:
    registry = load_plugins(allowed=["benchmarks"]).registry
    tested = protocols.load(registry, "sketch/compositional").on(Sketch())
    chosen = protocols.load(registry, "sketch/validation").on(Sketch())
    assert len(tested) == len(chosen) == 3
    for item, choice in zip(tested, chosen, strict=True):
        meant = compositional(item.index)
        assert (item.seen, item.candidates, item.validation) == (meant["seen"], meant["unseen"], meant["validation"])
        assert (choice.seen, choice.candidates) == (meant["learnt"], meant["validation"])


def test_settings_are_chosen_with_the_options_of_the_protocol_they_are_for() -> None:
    registry = load_plugins(allowed=["benchmarks"]).registry
    tested, chosen = (protocols.load(registry, f"sketch/{name}") for name in ("compositional", "validation"))
    assert (tested.parts, tested.options, tested.class_text) == (chosen.parts, chosen.options, chosen.class_text)


def test_every_motion_and_prop_is_seen_in_every_round_and_no_validation_class_is_ever_unseen() -> None:
    unseen: set[tuple[str, str]] = set()
    for index in range(3):
        lists = {key: [sketch_plans.CLASSES[name] for name in names] for key, names in compositional(index).items()}
        assert len(lists["unseen"]) == 27
        assert set(lists["validation"]) | set(lists["learnt"]) == set(lists["seen"])
        for which in lists.values():
            assert {motion for motion, _ in which} == set(sketch_drawing.MOTIONS)
            assert {prop for _, prop in which} == set(sketch_drawing.PROPS)
        unseen |= set(lists["unseen"])
    assert not unseen & set(lists["validation"])
    assert len(unseen) == 72


def test_many_clips_are_planned_one_at_a_time() -> None:
    planned = sketch_plans.plans(0, 10**9)
    assert next(planned).clip_id == "raise-ball-00000"
    assert next(planned).clip_id == "raise-ball-00001"

"""Pairing and filtering: windows lie in their clips, sentences are those a plain loop picks, a kill costs a part."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from zsarbench.errors import UsageError
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import Context, Steps, TrainSet
from zsarbench.testing import toys
from zsarbench.utils.classifiers import Classifier
from zsarbench_cezsar import pairing, pairing_table
from zsarbench_cezsar.objects import ObjectTexts, mean_steps, top_objects
from zsarbench_cezsar.pairing import Options, add_sentences
from zsarbench_cezsar.pairing_commands import pairs as pairs_command
from zsarbench_cezsar.pairs import make_pairs

LABELS = (
    ("cup, drinking vessel", "a small open container with a handle that is used for drinking"),
    ("door", "a swinging barrier. It closes off the entrance of a room or of a building"),
    ("ball", "round"),
    ("swivel chair", "a chair that swivels on its base so that one can turn"),
    (
        "wheel",
        "a thing that turns about an axle, and carries one thing after another along a road of any kind or length",
    ),
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Sees(toys.ToyVisual):
    """Knows five labels, one for each of the first five features."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = LABELS

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return features[..., : len(LABELS)]


def clips(lengths: list[int], captions: list[tuple[str, ...]] | None = None) -> MemoryClips:
    rng = torch.Generator().manual_seed(0)
    values = [torch.randn(length, toys.DIM, generator=rng) for length in lengths]
    captions = captions or [
        (f"a person is turning wheel {number}", f"caption {number}") for number in range(len(lengths))
    ]
    return MemoryClips([f"clip-{number:02d}" for number in range(len(lengths))], values, captions=captions)


def train_set(features: MemoryClips) -> TrainSet:
    return TrainSet(features, None, tuple(f"source-{clip}" for clip in features.ids), (), (), "toy")


def context(**more: Any) -> Context:
    return toys.context(parts={"visual": Sees(), "text": toys.ToyText()}, **more)


def table_of(folder: Path) -> list[pairing_table.Row]:
    return list(pairing_table.read(folder / pairing_table.TABLE))


# --- what is written about objects ------------------------------------------------------------------------------------


@pytest.mark.weights
def test_the_logits_of_mean_features_are_the_mean_logits() -> None:
    """What lets windows be classified once instead of frame by frame."""
    from zsarbench_encoders.visual import EfficientNetLite0

    encoder = EfficientNetLite0()
    features = torch.randn(10, encoder.dim, generator=torch.Generator().manual_seed(0)).relu()
    torch.testing.assert_close(
        encoder.classify(features.mean(0, keepdim=True))[0], encoder.classify(features).mean(0), atol=1e-4, rtol=0
    )


# --- windows and filtering --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [2.0, 3.0, 50.0])
def test_windows_lie_inside_their_clip_and_are_as_long_as_requested(tmp_path: Path, seconds: float) -> None:
    features = clips([1, 2, 3, 7, 40, 0])
    add_sentences(train_set(features), Options(window_seconds=seconds), context(), tmp_path)
    lengths = dict(zip(features.ids, [1, 2, 3, 7, 40, 0], strict=True))
    seen: dict[str, set[tuple[float, float]]] = {}
    for row in table_of(tmp_path):
        assert 0 <= row.start < row.end <= lengths[row.clip_id]
        assert row.end - row.start == min(seconds, lengths[row.clip_id])
        seen.setdefault(row.clip_id, set()).add((row.start, row.end))
    assert "clip-05" not in seen  # it could not be read
    assert len(seen["clip-00"]) == 1  # it is its only window
    assert len(seen["clip-04"]) == (3 if seconds < 40 else 1)


def test_clips_that_fill_the_stored_steps_are_counted_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Five steps are stored at most here: clips of four are whole, those of five may go on where no window lies."""
    features = clips([4, 5, 1, 5, 5, 0])
    _, record = add_sentences(train_set(features), Options(), context(), tmp_path, clips_per_part=2)
    assert (record["limit_seconds"], record["n_clips_at_the_limit"]) == (5.0, 3)
    (flag,) = pairing.flags(record)
    assert "first 5 s" in flag
    assert "of 3 clips" in flag
    assert f"{flag}. To store more of a segment: --set visual.max_steps=240" in caplog.messages
    stored = {row.clip_id: row.clip_seconds for row in table_of(tmp_path)}
    assert stored == {"clip-00": 4, "clip-01": 5, "clip-02": 1, "clip-03": 5, "clip-04": 5}
    resumed = add_sentences(train_set(features), Options(), context(resume=True), tmp_path, clips_per_part=2)
    assert resumed[1] == record
    assert pairing.flags(add_sentences(train_set(clips([4, 1])), Options(), context(), None)[1]) == []
    assert pairing.flags({}) == []


def test_a_table_of_other_columns_is_written_again(tmp_path: Path) -> None:
    about = (clips([3]), Classifier(LABELS, Sees().classify), Options(), context())
    before = pairing.table_identity(*about, columns=pairing_table.Row._fields[:-1])
    table = pairing_table.PairingTable(tmp_path, before, resume=False)
    (tmp_path / pairing_table.TABLE).write_text("clip_id,start\nold,0\n", encoding="utf-8")
    assert table.path is not None
    add_sentences(train_set(clips([3])), Options(), context(resume=True), tmp_path)
    assert {row.clip_id for row in table_of(tmp_path)} == {"clip-00"}


def test_windows_are_drawn_uniformly(tmp_path: Path) -> None:
    """The start of a window of 2 in a clip of 5 steps is each of four places equally often."""
    features = clips([5] * 1200, captions=[("a person is turning a wheel",)] * 1200)
    options = Options(n_windows=1, window_seconds=2.0, object_sentences=1)
    add_sentences(train_set(features), options, context(), tmp_path)
    starts = {row.clip_id: int(row.start) for row in table_of(tmp_path)}
    assert len(starts) == 1200
    counts = torch.tensor(list(starts.values())).bincount(minlength=4)
    assert counts.shape == (4,)
    expected = 300
    assert float(((counts - expected) ** 2 / expected).sum()) < 16.27  # chi-square of 3 degrees, p = 0.001


def plainly(features: MemoryClips, row: pairing_table.Row, k: int) -> tuple[list[str], list[str]]:
    """Return the objects and kept sentences of a row's window and caption, by plain loops."""
    steps = features.rows([features.ids.index(row.clip_id)]).values[0]
    logits = torch.stack([Sees().classify(steps[t]) for t in range(int(row.start), int(row.end))])
    likely = logits.mean(0).softmax(0)
    objects = sorted(range(len(LABELS)), key=lambda label: -float(likely[label]))[:3]
    texts = ObjectTexts.of(LABELS)
    found = dict.fromkeys(sentence for label in objects for sentence in texts.sentences(label))
    wanted = toys.ToyText().encode([row.caption])
    ranked = sorted(found, key=lambda text: -float(torch.cosine_similarity(toys.ToyText().encode([text]), wanted)))
    return [f"{LABELS[label][0]} {float(likely[label]):.3f}" for label in objects], ranked[:k]


def test_objects_and_sentences_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    features = clips([3, 12, 5, 30, 9])
    options = Options(n_windows=2, window_seconds=4.0, objects_per_window=3)
    add_sentences(train_set(features), options, context(), tmp_path)
    grouped: dict[tuple[str, float, str], list[pairing_table.Row]] = {}
    for row in table_of(tmp_path):
        grouped.setdefault((row.clip_id, row.start, row.caption), []).append(row)
    assert len(grouped) == 16  # four clips of two windows, but one that is its only window
    for rows in grouped.values():
        objects, kept = plainly(features, rows[0], 2)
        assert rows[0].objects.split(" | ") == objects
        assert [row.sentence for row in rows if row.sentence] == kept
        for row in rows:
            if row.sentence:
                cosine = torch.cosine_similarity(*toys.ToyText().encode([row.sentence, row.caption])[:, None])
                assert row.cosine == pytest.approx(float(cosine), abs=1e-5)


def test_object_sentences_are_further_positives_and_never_negatives_of_their_clip() -> None:
    features = clips([4, 6, 8])
    train, record = add_sentences(train_set(features), Options(), context(), None)
    assert train.clips.rows([1]).values.equal(features.rows([1]).values)
    assert train.clips.subset([2]).captions == train.clips.captions[2:]
    pairs = make_pairs(train, "captions", 16)
    for position, captions in enumerate(train.clips.captions):
        assert captions[:2] == features.captions[position]
        assert 0 < len(captions[2:]) <= 3 * 2 * 2
        own = {pairs.texts[int(t)] for t in pairs.text[pairs.clip == position]}
        assert own == set(captions)
        row = int((pairs.clip == position).nonzero()[0])
        allowed = (pairs.pool_groups != pairs.groups[row]).all(1)
        assert not {pairs.texts[int(t)] for t in pairs.pool_text[allowed]} & set(captions)
    assert record["n_clips_with_sentences"] == 3
    assert -1 <= record["mean_cosine_to_caption"] <= 1


def test_objects_that_nothing_is_written_about_leave_the_captions_alone(tmp_path: Path) -> None:
    silent = Sees()
    silent.labels = tuple((f"thing{number}", "short") for number in range(len(LABELS)))
    given = replace(context(), parts=replace(context().parts, visual=silent))
    train, record = add_sentences(train_set(clips([4, 6])), Options(), given, tmp_path)
    assert [len(captions) for captions in train.clips.captions] == [2, 2]
    assert record["n_sentences_kept"] == 0
    assert all(row.sentence == "" for row in table_of(tmp_path))


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_seed_decides_the_table(tmp_path: Path) -> None:
    features, tables = clips([20] * 8), []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        add_sentences(train_set(features), Options(), context(seed=seed), tmp_path / name)
        tables.append((tmp_path / name / pairing_table.TABLE).read_bytes())
    assert tables[0] == tables[1] != tables[2]


class Interrupted(MemoryClips):
    """Clips that note where each read starts, and interrupt the one that starts at a position."""

    def __init__(self, features: MemoryClips, at: int | None = None) -> None:
        steps = features.rows(range(len(features)))
        super().__init__(features.ids, steps.values, steps.mask, captions=features.captions)
        self.at, self.reads = at, list[int]()

    def rows(self, index: Any) -> Steps:
        if int(index[0]) == self.at:
            raise KeyboardInterrupt
        self.reads.append(int(index[0]))
        return super().rows(index)


def test_an_interrupted_pairing_continues(tmp_path: Path) -> None:
    """Existing parts are not computed again, and the table is that of an uninterrupted run, byte for byte."""
    features = clips([15] * 10)
    paired = partial(add_sentences, clips_per_part=4)
    whole, record = paired(train_set(features), Options(), context(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        paired(train_set(Interrupted(features, at=4)), Options(), context(), tmp_path / "cut")
    watched = Interrupted(features)
    resumed, again = paired(train_set(watched), Options(), context(resume=True), tmp_path / "cut")
    assert watched.reads == [4, 8]
    assert (tmp_path / "cut" / "pairs.csv").read_bytes() == (tmp_path / "whole" / "pairs.csv").read_bytes()
    assert (resumed.clips.captions, again) == (whole.clips.captions, record)
    assert [path.name for path in sorted((tmp_path / "cut").iterdir())] == ["pairing.json", "pairs.csv"]
    paired(train_set(watched), Options(), context(resume=True), tmp_path / "cut")
    assert watched.reads == [4, 8]  # the finished table is read
    paired(train_set(watched), Options(n_windows=1), context(resume=True), tmp_path / "cut")
    paired(train_set(watched), Options(n_windows=1), context(), tmp_path / "cut")
    assert watched.reads == [4, 8, 0, 4, 8, 0, 4, 8]  # other options, and without --resume


@pytest.mark.parametrize("damaged", ["pairs.csv", "pairing.json"])
def test_a_damaged_table_of_pairs_is_reported_and_rebuilt(
    tmp_path: Path, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    features = clips([15] * 4)
    whole, record = add_sentences(train_set(features), Options(), context(), tmp_path)
    table = (tmp_path / "pairs.csv").read_bytes()
    content = bytearray((tmp_path / damaged).read_bytes())
    content[len(content) - 3] ^= 1
    (tmp_path / damaged).write_bytes(content)
    resumed, again = add_sentences(train_set(features), Options(), context(resume=True), tmp_path)
    assert f"{damaged} is damaged" in caplog.text or damaged == "pairing.json"
    assert (tmp_path / "pairs.csv").read_bytes() == table
    assert (resumed.clips.captions, again) == (whole.clips.captions, record)


def test_what_cannot_be_paired_is_refused() -> None:
    bare = MemoryClips(["a"], [torch.zeros(1, toys.DIM)])
    with pytest.raises(UsageError, match="no captions"):
        add_sentences(train_set(bare), Options(), context(), None)
    blind = toys.context(parts={"visual": None, "text": toys.ToyText()})
    with pytest.raises(UsageError, match=r"'cezsar' reads object scores .* and the run has no visual part"):
        add_sentences(train_set(clips([3])), Options(), blind, None)


# --- looking at it ----------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    add_sentences(train_set(clips([3, 12, 5])), Options(objects_per_window=2), context(), tmp_path)
    return tmp_path / pairing_table.TABLE


def test_the_verb_shows_windows_objects_and_sentences(table: Path) -> None:
    done = CliRunner().invoke(pairs_command, [str(table), "--clip", "clip-01"])
    assert done.exit_code == 0, done.output
    rows = [row for row in pairing_table.read(table) if row.clip_id == "clip-01"]
    assert "clips: 3" in done.output
    for row in rows:
        assert row.objects in done.output
        assert f"{row.cosine:.3f}  {row.sentence}" in done.output
    assert "clip-02" not in done.output


def test_the_verb_prints_json(table: Path) -> None:
    import json

    done = CliRunner().invoke(pairs_command, [str(table), "--json"])
    content = json.loads(done.output)
    assert content["summary"]["clips"] == len(content["clips"]) == 3
    assert sum(content["sentences"].values()) == content["summary"]["sentences kept"]


def test_what_the_verb_cannot_show_is_named(tmp_path: Path, table: Path) -> None:
    def refused(*arguments: str) -> str:
        error = CliRunner().invoke(pairs_command, list(arguments)).exception
        assert isinstance(error, UsageError)
        return str(error)

    assert "clip 'clip-9' is not in" in refused(str(table), "--clip", "clip-9")
    assert "--set method.object_sentences=2" in refused()
    assert "cannot be read" in refused(str(tmp_path / "gone.csv"))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "is not a table of pairs" in refused(str(tmp_path / "other.csv"))


def test_the_verb_is_part_of_the_command_line() -> None:
    from zsarbench.cli.main import main

    with pytest.raises(SystemExit) as done:
        main(["cezsar", "pairs", "--help"])
    assert done.value.code == 0


def test_the_table_is_plain_csv(table: Path) -> None:
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["clip_id", "clip_seconds", "start", "end", "objects", "caption", "sentence", "cosine"]


def test_means_and_objects_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    steps = clips([3]).rows([0])
    shown = torch.tensor([[[True, False, True], [False, False, False]]])
    means = mean_steps(steps, shown)
    torch.testing.assert_close(means[0, 0], (steps.values[0, 0] + steps.values[0, 2]) / 2)
    assert not means[0, 1].any()
    likely, labels = top_objects(means[0, :1], Classifier(LABELS, Sees().classify), 99)
    assert sorted(labels[0].tolist()) == [0, 1, 2, 3, 4]
    assert float(likely.sum()) == pytest.approx(1)

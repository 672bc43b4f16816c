from __future__ import annotations

import importlib
import logging
import pickle
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prepares import MisbehavingPrepare

from zsarbench.data.video.decoding import DecodePool
from zsarbench.data.video.frames import read_steps
from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureStore
from zsarbench.features.extraction.plan import (
    EncoderPart,
    EncodeTask,
    Extraction,
    LocalExecutor,
    Settings,
    Share,
    compute,
    ensure,
    plan,
)
from zsarbench.features.store.clips import StoredClips
from zsarbench.interfaces import Clips, ClipSource, Executor, Sampling, Shard, ShardReport, Steps
from zsarbench.plugins.parts import PartSpec
from zsarbench.testing.toys import ToyText
from zsarbench.testing.videos import KeepFrame, TinyEncoder, read_number, write_video
from zsarbench.utils.progress import LogProgress

N_CLIPS = 12


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[ClipSource]:
    """Twelve clips of 1 to 5 seconds; clip i starts with the frame that shows 0 and has 10 frames a second."""
    folder = tmp_path_factory.mktemp("videos")
    return [
        ClipSource(f"c{i:02}", str(write_video(folder / f"{i:02}.mp4", 10 + 10 * (i * 7 % 5)))) for i in range(N_CLIPS)
    ]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def part_of(encoder: Any = None, **options: Any) -> EncoderPart:
    """Return a visual encoder as a run has it, by default a `TinyEncoder` with these options."""
    target = "zsarbench.testing.videos:TinyEncoder"
    return EncoderPart(PartSpec("visual", "tiny", target, "test", options), encoder or TinyEncoder(**options))


def extracted(
    root: Path,
    sources: Sequence[ClipSource],
    part: EncoderPart | None = None,
    *,
    executor: Executor | None = None,
    strict: bool = False,
    **settings: Any,
) -> StoredClips:
    settings = {"threads": 1, "clips_per_shard": 4, "decoders": 2, **settings}
    extraction = Extraction(
        dataset="made",
        revision="r1",
        sources=sources,
        encoder=part or part_of(),
        executor=executor or LocalExecutor(),
        settings=Settings(**settings),
        strict=strict,
    )
    return ensure(extraction, FeatureStore(root), LogProgress())


def directly(source: ClipSource, encoder: TinyEncoder) -> torch.Tensor:
    """Return the features (t, D) of one clip, decoded and encoded alone in this process."""
    frames = torch.from_numpy(read_steps(source, encoder.sampling, encoder.prepare).frames)[None]
    return encoder.encode(
        Clips((source.clip_id,), frames, None, torch.ones(frames.shape[:2], dtype=torch.bool))
    ).values[0]


@pytest.mark.parametrize("options", [{}, {"frames_per_second": 5.0, "frames_per_step": 8, "max_steps": 2}])
def test_features_are_those_of_each_clip_alone(
    tmp_path: Path, videos: list[ClipSource], options: dict[str, Any]
) -> None:
    clips = extracted(tmp_path, videos, part_of(**options))
    steps = clips.rows(range(N_CLIPS))
    for i, source in enumerate(videos):
        assert torch.equal(steps.values[i][steps.mask[i]], directly(source, TinyEncoder(**options)))
    assert clips.ids == tuple(source.clip_id for source in videos)
    assert clips.captions is None
    assert clips.captions_in_steps == "none"


def test_features_do_not_depend_on_how_the_work_was_cut(tmp_path: Path, videos: list[ClipSource]) -> None:
    whole = extracted(tmp_path / "whole", videos).rows(range(N_CLIPS))
    for number, (sources, settings) in enumerate(
        [(videos[::-1], {"clips_per_shard": 5, "decoders": 1}), (videos[3:], {"clips_per_shard": 1, "ahead_bytes": 1})]
    ):
        clips = extracted(tmp_path / str(number), sources, **settings)
        order = [clips.ids.index(source.clip_id) for source in videos if source in sources]
        kept = [i for i, source in enumerate(videos) if source in sources]
        assert torch.equal(clips.rows(order).values, whole.values[kept])


def test_only_what_is_missing_is_computed(
    tmp_path: Path, videos: list[ClipSource], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "zsarbench"):
        extracted(tmp_path, videos[:5])
        assert "decoded 5 clips, 0 already stored, 0 failed" in caplog.text
        extracted(tmp_path, videos)
        assert "decoded 7 clips, 5 already stored, 0 failed" in caplog.text
        extracted(tmp_path, videos)
        assert "decoded 0 clips, 12 already stored, 0 failed" in caplog.text
        extracted(tmp_path, videos[2:4], part_of(frames_per_second=2.0))
        assert "decoded 2 clips, 0 already stored, 0 failed" in caplog.text


def bad_sources(folder: Path) -> list[ClipSource]:
    empty, noise = folder / "empty.mp4", folder / "noise.mp4"
    empty.touch()
    noise.write_bytes(bytes(range(256)) * 30)
    paths = {"missing": folder / "none.mp4", "empty": empty, "noise": noise}
    return [*(ClipSource(name, str(path)) for name, path in paths.items()), ClipSource("unnamed")]


def test_clips_that_cannot_be_read_are_listed_and_the_rest_goes_on(
    tmp_path: Path, videos: list[ClipSource], caplog: pytest.LogCaptureFixture
) -> None:
    sources = [*videos[:2], *bad_sources(tmp_path), *videos[2:4]]
    with caplog.at_level(logging.INFO, "zsarbench"):
        clips = extracted(tmp_path / "store", sources)
        assert "decoded 4 clips, 0 already stored, 4 failed" in caplog.text
        again = extracted(tmp_path / "store", sources)
        assert "decoded 0 clips, 4 already stored, 4 failed" in caplog.text
    for found in (clips, again):
        assert set(found.failures) == {"missing", "empty", "noise", "unnamed"}
        assert found.failures["missing"] == "missing file"
        assert found.failures["empty"] == "empty file"
        assert found.failures["noise"].startswith("cannot be decoded: ")
        assert found.rows(range(8)).mask.any(1).tolist() == [True] * 2 + [False] * 4 + [True] * 2


def test_strict_stops_at_the_first_and_at_a_known_one(tmp_path: Path, videos: list[ClipSource]) -> None:
    sources = [*bad_sources(tmp_path)[:1], *videos]
    for _ in range(2):
        with pytest.raises(
            ZsarbenchError, match=r"1 clips cannot be used, e\.g\. 'missing': missing file; without --strict"
        ):
            extracted(tmp_path / "store", sources, strict=True)


def test_a_mended_file_is_read(tmp_path: Path, videos: list[ClipSource]) -> None:
    sources = [videos[0], ClipSource("late", str(tmp_path / "late.mp4"))]
    assert "late" in extracted(tmp_path / "store", sources).failures
    write_video(tmp_path / "late.mp4", 10)
    assert extracted(tmp_path / "store", sources).failures == {}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("hang", "decoding took longer than 2 s"), ("die", "its decoding process died 2 times (exit code 9)"),
     ("raise", "a frame of 64x48 pixels cannot be prepared: RuntimeError: this frame is not liked")],
)  # fmt: skip
def test_what_hangs_dies_or_raises_is_one_failure(
    tmp_path: Path, videos: list[ClipSource], behaviour: Any, reason: str
) -> None:
    encoder = TinyEncoder()
    encoder.prepare = MisbehavingPrepare([40], behaviour)  # only clips of five seconds reach that frame
    long = {source.clip_id for i, source in enumerate(videos) if i * 7 % 5 == 4}
    clips = extracted(tmp_path, videos, part_of(encoder), seconds_per_clip=2.0)
    assert clips.failures == dict.fromkeys(sorted(long), reason)
    for i, source in enumerate(videos):
        if source.clip_id not in long:
            step = clips.rows([i])
            assert torch.equal(step.values[step.mask], directly(source, TinyEncoder()))


def test_a_task_travels_without_its_weights_and_builds_them_where_it_runs(
    tmp_path: Path, videos: list[ClipSource]
) -> None:
    class Elsewhere:
        """Runs shards out of order from a pickled task, as a cluster may."""

        def map(self, task: Any, shards: Sequence[Shard]) -> Iterator[ShardReport]:
            content = pickle.dumps(task)
            assert len(content) < 5000
            for shard in reversed(shards):
                yield from pickle.loads(content).run([shard])

    local = extracted(tmp_path / "a", videos, part_of(max_steps=2)).rows(range(N_CLIPS))
    elsewhere = extracted(tmp_path / "b", videos, part_of(max_steps=2), executor=Elsewhere()).rows(range(N_CLIPS))
    assert torch.equal(local.values, elsewhere.values)


def test_the_plan_cuts_the_whole_list_whatever_is_missing(tmp_path: Path, videos: list[ClipSource]) -> None:
    stored = FeatureStore(tmp_path).open(part_of().key("made", "r1", {}), 8)
    before = plan(videos, stored, 4)
    assert [[clip.clip_id for clip in shard.clips] for shard in before] == [
        ["c00", "c01", "c02", "c03"], ["c04", "c05", "c06", "c07"], ["c08", "c09", "c10", "c11"],
    ]  # fmt: skip
    for report in EncodeTask(part_of(), stored, Settings(threads=1)).run(
        [replace(before[1], clips=before[1].clips[:3])]
    ):
        stored.adopt(str(report.file))
    after = plan(videos, stored, 4)
    assert [shard.index for shard in after] == [0, 1, 2]
    assert [clip.clip_id for clip in after[1].clips] == ["c07"]
    assert (after[0], after[2]) == (before[0], before[2])


def test_two_clips_of_one_name_are_refused(tmp_path: Path, videos: list[ClipSource]) -> None:
    with pytest.raises(ZsarbenchError, match="1 clips of dataset 'made' are listed twice"):
        extracted(tmp_path, [videos[0], videos[0]])


@pytest.mark.parametrize("wrong", ["dim", "steps"])
def test_an_encoder_that_breaks_its_contract_is_named(tmp_path: Path, videos: list[ClipSource], wrong: str) -> None:
    class Wrong(TinyEncoder):
        def encode(self, clips: Clips) -> Steps:
            steps = super().encode(clips)
            return (
                Steps(steps.values[..., :3], steps.mask) if wrong == "dim" else Steps(steps.values[:, :1], steps.mask)
            )

    with pytest.raises(ZsarbenchError, match=r"visual encoder Wrong returned values .*, not \(2, 3, 8\) and \(2, 3\)"):
        extracted(tmp_path, videos[:2], part_of(Wrong()))


def test_values_that_are_not_finite_are_a_failure(tmp_path: Path, videos: list[ClipSource]) -> None:
    class Overflowing(TinyEncoder):
        def encode(self, clips: Clips) -> Steps:
            steps = super().encode(clips)
            steps.values[0, 0, 0] = float("inf")
            return steps

    clips = extracted(tmp_path, videos[:3], part_of(Overflowing()))
    assert clips.failures == {"c00": "the visual encoder returned values that are not finite"}


def test_captions_are_encoded_without_decoding(tmp_path: Path) -> None:
    sources = [ClipSource("a", captions=("lifting cup", "a person")), ClipSource("b"), ClipSource("c", captions=("x",))]
    captions = pytest.importorskip("zsarbench_encoders.captions")
    text = ToyText()
    specs = [
        PartSpec("visual", "captions", "zsarbench_encoders.captions:Captions", "test"),
        PartSpec("text", "toy", "zsarbench.testing.toys:ToyText", "test"),
    ]
    part = EncoderPart(specs[0], captions.Captions(text_encoder=text), specs[1], text)
    assert part.key("made", "r1", {}).text == {**specs[1].identity(), "fingerprint": text.fingerprint}
    clips = extracted(tmp_path, sources, part)
    assert clips.failures == {"b": "the clip has no captions"}
    assert clips.captions == (("lifting cup", "a person"), (), ("x",))
    assert clips.captions_in_steps == "one-each"
    assert torch.equal(clips.rows([0]).values[0], text.encode(["lifting cup", "a person"]))
    assert clips.rows([2]).mask.tolist() == [[True, False]]
    elsewhere = pickle.loads(pickle.dumps(part)).build("cpu").encode(Clips(("c",), captions=(("x",),)))
    assert torch.equal(elsewhere.values[0], text.encode(["x"]))


class FeatureFiles:
    """Reads features that lie in files: an encoder of the third kind."""

    needs = "features"
    dim = 8
    space = None
    sampling = Sampling()

    def __init__(self) -> None:
        self.fingerprint = {"weights_sha256": "none"}

    def encode(self, clips: Clips) -> Steps:
        existing = torch.tensor([clip_id != "absent" for clip_id in clips.ids])
        return Steps(torch.ones(len(clips.ids), 2, 8), existing[:, None].expand(-1, 2))


def test_features_that_lie_in_files_need_no_decoding(tmp_path: Path) -> None:
    clips = extracted(tmp_path, [ClipSource("a"), ClipSource("absent")], part_of(FeatureFiles()))
    assert clips.failures == {"absent": "there are no features of this clip"}
    assert torch.equal(clips.rows([0]).values, torch.ones(1, 2, 8))


def pool(prepare: Any, **settings: Any) -> DecodePool:
    return DecodePool(prepare, Sampling(), **{"workers": 2, "seconds_per_clip": 60.0, "max_ahead": 4, **settings})


def test_clips_come_in_order_and_no_more_than_allowed_are_ahead(videos: list[ClipSource]) -> None:
    consumed: list[str] = []

    def sources() -> Iterator[ClipSource]:
        for source in videos:
            consumed.append(source.clip_id)
            yield source

    with pool(KeepFrame(), max_ahead=3) as decoding:
        for number, decoded in enumerate(decoding.decode(sources())):
            assert decoded.source == videos[number]
            assert decoded.frames is not None
            assert read_number(decoded.frames[-1, 0].transpose(1, 2, 0)) == 10 * (len(decoded.frames) - 1)
            assert len(consumed) <= number + 3
    assert number == N_CLIPS - 1


def test_a_prepare_that_cannot_travel_is_explained(videos: list[ClipSource]) -> None:
    with (
        pytest.raises(
            ZsarbenchError,
            match=r"process cannot start: the work cannot be sent.*`prepare` must be.*top of a module",
        ),
        pool(lambda rgb: rgb) as decoding,
    ):
        next(decoding.decode(videos))


def test_a_prepare_whose_module_does_not_exist_is_explained(
    tmp_path: Path, videos: list[ClipSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def prepare(rgb): return rgb.transpose(2, 0, 1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    with pool(only_here.prepare) as decoding:
        assert len(list(decoding.decode(videos[:1]))) == 1
    (tmp_path / "only_here.py").unlink()
    sys.path.remove(str(tmp_path))
    reason = r"cannot start: importing only_here, the module .*`prepare`, raises ModuleNotFoundError.*top of a module"
    with pool(only_here.prepare) as decoding, pytest.raises(ZsarbenchError, match=reason):
        list(decoding.decode(videos[:1]))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "raise OSError('libGL.so.1 is not here')",
            r"importing badly, the module .* raises OSError: libGL",
        ),
        (
            "import no_such_library",
            r"importing badly, .* raises ModuleNotFoundError: No .*no_such_library'$",
        ),
        ("raise SystemExit(3)", r"importing badly, the module .* raises SystemExit: 3$"),
        ("os._exit(7)", r"it ended with exit code 7 while it imported badly, the module"),
    ],
)
def test_a_module_that_fails_in_a_decoding_process_is_named_with_its_own_error(
    tmp_path: Path, videos: list[ClipSource], monkeypatch: pytest.MonkeyPatch, line: str, reason: str
) -> None:
    module = tmp_path / "badly.py"
    module.write_text("import os\ndef prepare(rgb): return rgb.transpose(2, 0, 1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    badly = importlib.import_module("badly")
    module.write_text(f"import os\n{line}\n")
    with pytest.raises(ZsarbenchError, match=reason) as raised, pool(badly.prepare) as decoding:
        list(decoding.decode(videos[:1]))
    assert "must be" not in str(raised.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("raise RuntimeError('a broken file')", "importing zsarbench raises RuntimeError: a broken file"),
        ("import os; os._exit(5)", "it ended with exit code 5 while it imported zsarbench"),
    ],
)
def test_a_process_that_dies_at_its_own_import_is_not_blamed_on_the_encoder(
    tmp_path: Path, videos: list[ClipSource], monkeypatch: pytest.MonkeyPatch, line: str, reason: str
) -> None:
    (tmp_path / "av.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    expected = pytest.raises(ZsarbenchError, match=f"a decoding process cannot start: {reason}.*doctor")
    with expected as raised, pool(KeepFrame()) as decoding:
        list(decoding.decode(videos[:1]))
    assert "prepare" not in str(raised.value)


def test_decoding_processes_are_light_and_say_when_they_are_not(
    tmp_path: Path, videos: list[ClipSource], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    preparation = pytest.importorskip("zsarbench_encoders.preparation")
    with pool(preparation.ResizeCrop(40, (32, 32), "bicubic")) as decoding:
        (decoded,) = decoding.decode(videos[:1])
    assert decoded.frames is not None
    assert decoded.frames.shape == (len(decoded.frames), 1, 3, 32, 32)
    assert "loads torch" not in caplog.text
    (tmp_path / "heavy.py").write_text("import torch\ndef prepare(rgb): return rgb.transpose(2, 0, 1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import heavy  # type: ignore[import-not-found]

    with pool(heavy.prepare) as decoding:
        list(decoding.decode(videos[:1]))
    assert "each decoding process loads torch" in caplog.text


def test_the_frames_in_flight_are_bounded_by_bytes(tmp_path: Path, videos: list[ClipSource]) -> None:
    largest = []

    class Watching(TinyEncoder):
        def encode(self, clips: Clips) -> Steps:
            assert clips.frames is not None
            largest.append(clips.frames.numel())
            return super().encode(clips)

    clip = 3 * 48 * 64 * 16  # the longest that the sampling allows
    extracted(tmp_path, videos, part_of(Watching()), ahead_bytes=2 * clip)
    assert max(largest) <= 2 * clip
    assert np.sum(largest) > 0


def test_a_replaced_video_is_decoded_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sources = [ClipSource(name, str(write_video(tmp_path / f"{name}.mp4", 30))) for name in ("a", "b")]
    before = extracted(tmp_path / "store", sources).rows(range(2))
    write_video(tmp_path / "b.mp4", 50)
    with caplog.at_level(logging.INFO, "zsarbench"):
        after = extracted(tmp_path / "store", sources).rows(range(2))
    assert "decoded 1 clips, 1 already stored" in caplog.text
    assert after.mask.sum(1).tolist() == [3, 5]
    assert torch.equal(after.values[0, :3], before.values[0])


def test_a_share_computes_its_own_shards_and_counts_what_it_leaves_to_others(tmp_path: Path) -> None:
    class OfCaptions(TinyEncoder):
        needs = "captions"

        def encode(self, clips: Clips) -> Steps:
            values = torch.ones(len(clips.ids), 1, self.dim)
            return Steps(values, torch.ones(len(clips.ids), 1, dtype=torch.bool))

    extraction = Extraction(
        dataset="made",
        revision="r1",
        sources=[ClipSource(f"c{number}", captions=("x",)) for number in range(7)],
        encoder=part_of(OfCaptions()),
        executor=LocalExecutor(),
        settings=Settings(threads=1, clips_per_shard=2),
    )
    done = [compute(extraction, FeatureStore(tmp_path), LogProgress(), Share(number, 2)) for number in (0, 1)]
    assert {(each.n_before, each.n_computed, each.n_left) for each in done} in (
        {(0, 4, 3), (4, 3, 0)},
        {(0, 3, 4), (3, 4, 0)},
    )
    whole = compute(extraction, FeatureStore(tmp_path), LogProgress())
    assert (whole.n_before, whole.n_computed, whole.n_left) == (7, 0, 0)

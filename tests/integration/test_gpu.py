"""What a GPU changes, and what not; skipped where CUDA finds none.

The tests of whole runs ask for no device, so that where there is a GPU they run there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from zsarbench.cli.main import Session, cli
from zsarbench.cli.verbs import doctor
from zsarbench.data.video.decoding import decode_clip
from zsarbench.errors import UsageError
from zsarbench.features.extraction.encoding import Settings, encode_decoded
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.clips import StoredClips
from zsarbench.features.store.store import FeatureStore
from zsarbench.interfaces import Clips, ClipSource, Context, Parts
from zsarbench.testing import conformance, toys
from zsarbench.testing.videos import write_video
from zsarbench.utils.compute import Compute
from zsarbench.utils.progress import LogProgress
from zsarbench.utils.seeding import fork_rng, generator
from zsarbench_cezsar import training
from zsarbench_cezsar.batches import ClipsOnDevice, Corpus
from zsarbench_cezsar.losses import Triplet
from zsarbench_cezsar.model import JointModel
from zsarbench_cezsar.negatives import Uniform
from zsarbench_cezsar.pairs import Pairs
from zsarbench_encoders.recorded import RecordedPass
from zsarbench_encoders.visual import Timm

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that CUDA knows")


class OnTheCpu:
    """A method that keeps what it learnt on the CPU."""

    learns_from = "nothing"
    class_independent = True

    def fit(self, train, context):
        self.centre = torch.zeros(toys.DIM)

    def score(self, clips, classes, context):
        if clips.dim != toys.DIM:
            raise UsageError("other dimensions are not scored")
        steps = clips.rows(range(len(clips)))
        means = steps.values.sum(1).to(context.device) - self.centre
        return means @ context.parts.text.encode([one.name for one in classes]).to(context.device).T


def test_a_method_that_forgets_the_device_is_found() -> None:
    assert conformance.run_checks(OnTheCpu, "method") == []
    found = conformance.run_checks(OnTheCpu, "method", device="cuda")
    assert any("same device" in problem.message for problem in found)


def test_float32_features_of_a_gpu_are_those_of_the_cpu_but_for_rounding() -> None:
    frames = torch.randint(0, 256, (2, 16, 1, 3, 160, 160), dtype=torch.uint8)
    clips = Clips(("a", "b"), frames, None, torch.ones(2, 16, dtype=torch.bool))
    rows = []
    for name in ("cpu", "cuda"):
        machine = Compute.resolve(name, "float32", 2)
        with machine.deterministic():
            rows.append(Timm(model="resnet18", pretrained=False).to(machine.device).encode(clips).values)
    error = (rows[1] - rows[0]).norm() / rows[0].norm()
    assert 0 < float(error) < 1e-5  # with TF32 it is near 1e-3


def test_a_recorded_pass_has_the_bits_of_the_pass_itself() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(9)
    )
    network(torch.zeros(1, 3, 32, 32))
    network.cuda().requires_grad_(False)
    recorded = RecordedPass(network)
    with Compute.resolve("cuda", "float32", 2).deterministic():
        for _ in range(3):
            batch = torch.randn(8, 3, 32, 32, device="cuda")
            assert torch.equal(recorded(batch), network(batch))


def test_a_pass_that_cannot_be_recorded_computes_all_the_same() -> None:
    def forward(batch: torch.Tensor) -> torch.Tensor:
        return batch * float(batch.sum())  # waits for the GPU

    recorded = RecordedPass(forward)
    with Compute.resolve("cuda", "float32", 2).deterministic():
        for _ in range(2):
            batch = torch.randn(4, 3, device="cuda")
            assert torch.equal(recorded(batch), forward(batch))


def test_extraction_gives_the_rows_that_a_clip_has_by_itself(tmp_path: Path) -> None:
    sources = [ClipSource(f"c{i}", str(write_video(tmp_path / f"{i}.mp4", 10 + 10 * (i * 5 % 6)))) for i in range(24)]
    encoder = Timm(model="test_resnet", pretrained=False, batch_size=8, frames_per_second=2.0).to("cuda")
    with Compute.resolve("cuda", "float32", 2).deterministic():
        rows = [
            [each.rows for each in encode_decoded(encoder, sources, Settings(device="cuda", threads=2))]
            for _ in range(2)
        ]
        for source, *read in zip(sources, *rows, strict=True):
            decoded = decode_clip(source, encoder.sampling, encoder.prepare)
            frames = torch.from_numpy(decoded.frames)[None]
            alone = encoder.encode(
                Clips((source.clip_id,), frames, None, torch.ones(frames.shape[:2], dtype=torch.bool))
            )
            assert all(torch.equal(one, alone.values[0]) for one in read)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_rows_that_a_gpu_is_given_are_those_of_the_cpu(tmp_path: Path, dtype: str, share: float) -> None:
    clips = stored_clips(tmp_path, dtype)
    on_gpu = ClipsOnDevice(clips, torch.device("cuda"), share)
    for index in (torch.tensor([3, 4, 9]), torch.tensor([0, 4, 8, 9]), torch.tensor([4])):
        steps, expected = on_gpu.rows(index), clips.rows(index)
        assert steps.values.is_cuda
        assert torch.equal(steps.values.cpu(), expected.values)
        assert torch.equal(steps.mask, expected.mask)


def test_a_fit_on_stored_clips_has_the_same_weights_every_time(tmp_path: Path) -> None:
    clips, device = stored_clips(tmp_path, "bfloat16", n_clips=64), torch.device("cuda")
    numbers = torch.arange(len(clips))
    pairs = Pairs(
        texts=clips.ids, clip=numbers, text=numbers, source=numbers, groups=numbers[:, None], pool_text=numbers,
        pool_groups=numbers[:, None], pool_row=numbers,
    )  # fmt: skip
    corpus = Corpus(clips, pairs, torch.randn(len(clips), 12, generator=generator(0, "texts")))
    context = Context(
        Parts(negatives=Uniform()), device, torch.float32, lambda name: generator(0, name), None, False, LogProgress()
    )
    options = training.Options(batch_size=16, max_epochs=4)
    weights = []
    for _ in range(3):
        with Compute.resolve("cuda", "float32", 2).deterministic(), fork_rng(generator(0, "fit")):
            model = JointModel(8, 12, d_model=16, n_heads=2, feedforward=16, joint_dim=4)
            training.Trainer(model, Triplet(), corpus, options, context, None).run()
        weights.append({name: value.cpu() for name, value in model.state_dict().items()})
    assert all(torch.equal(weights[0][name], other[name]) for other in weights[1:] for name in other)


def stored_clips(folder: Path, dtype: str, n_clips: int = 10) -> StoredClips:
    """Return stored clips of one to three steps of 8 features."""
    stored = FeatureStore(folder).open(FeatureKey("toy", "r1", {"name": "toy"}, {}, dtype=dtype), 8)
    rng = torch.Generator().manual_seed(0)
    rows = {f"c{number}": torch.randn(1 + number % 3, 8, generator=rng) for number in range(n_clips)}
    stored.adopt(stored.write(rows))
    return stored.clips(list(rows))


def test_a_checkpoint_holds_the_random_state_of_the_gpu() -> None:
    from zsarbench_cezsar import checkpoints

    module = torch.nn.Linear(2, 2).cuda()
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    module(torch.ones(1, 2, device="cuda")).sum().backward()
    optimizer.step()
    modules, order = torch.nn.ModuleDict({"model": module}), torch.Generator()
    packed = checkpoints.pack(modules, optimizer, order, torch.device("cuda"))
    kept = {name: value.clone() for name, value in packed.items()}
    drawn = torch.rand(3, device="cuda")
    checkpoints.unpack(kept, modules, optimizer, order, torch.device("cuda"))
    assert torch.equal(torch.rand(3, device="cuda"), drawn)


def test_doctor_names_it() -> None:
    assert doctor._devices()[1] == f"cuda:0 ({torch.cuda.get_device_name(0)})"


def test_the_verb_checks_on_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["check", "triplet", "--device", "cuda"], obj={"session": Session(())})
    assert done.exit_code == 0
    assert "loss triplet: no bug (8 of 8 checks passed)" in done.output

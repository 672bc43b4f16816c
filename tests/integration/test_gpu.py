"""What a GPU changes, and what not; skipped where CUDA finds none.

The tests of whole runs ask for no device, so that where there is a GPU they run there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from zsarbench.cli import doctor
from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError
from zsarbench.interfaces import Clips
from zsarbench.testing import conformance, toys
from zsarbench.utils.compute import Machine
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
        machine = Machine.named(name, "float32", 2)
        with machine.repeatable():
            rows.append(Timm(model="resnet18", pretrained=False).to(machine.device).encode(clips).values)
    error = (rows[1] - rows[0]).norm() / rows[0].norm()
    assert 0 < float(error) < 1e-5  # with TF32 it is near 1e-3


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

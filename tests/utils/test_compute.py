"""Where a run computes: repeatable sums, and memory that is used again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zsarbench.cli import doctor
from zsarbench.errors import UsageError
from zsarbench.utils import compute
from zsarbench.utils.compute import Machine, repeatable
from zsarbench_encoders.visual import Timm

FAULTS = """
import resource, torch
from zsarbench.utils.compute import repeatable

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with repeatable(1):
    print(*(faults() for _ in range(30)))
"""


def test_a_processor_is_named_by_the_instructions_that_kernels_are_chosen_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX7")
    monkeypatch.setattr(platform, "machine", lambda: "z80")
    assert compute.processor(torch.device("cpu")) == "z80, AVX7"
    assert doctor._devices()[0] == "cpu (z80, AVX7)"


def able(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let torch tell that the CPU has these instructions, of those that matter."""
    told = {"avx2": True, **dict.fromkeys(compute.BFLOAT16, False), **dict.fromkeys(names, True)}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)


@pytest.mark.parametrize("name", compute.BFLOAT16)
def test_a_cpu_with_instructions_for_bfloat16_is_not_warned_of(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    able(monkeypatch, name)
    assert Machine.named("cpu", "bfloat16", 1).dtype == torch.bfloat16
    assert caplog.messages == []
    assert doctor._bfloat16() == "the CPU gains by it"


def test_bfloat16_on_a_cpu_without_instructions_for_it_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    able(monkeypatch)
    Machine.named("cpu", "float32", 1)
    assert caplog.messages == []
    Machine.named("cpu", "bfloat16", 1)
    assert caplog.messages == [
        "this CPU has no instructions for bfloat16, which is many times slower here. Try: --dtype float32"
    ]
    assert doctor._bfloat16() == "the CPU has no instructions for it: use --dtype float32 there"


def test_so_is_an_encoder_that_computes_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    able(monkeypatch)
    Timm(model="test_resnet", pretrained=False, compute_dtype="bfloat16").to("cpu")
    assert [line.partition("Try: ")[2] for line in caplog.messages] == ["--set visual.compute_dtype=float32"]
    Timm(model="test_resnet", pretrained=False).to("cpu")
    assert len(caplog.messages) == 1


def test_a_torch_that_tells_nothing_warns_of_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    Machine.named("cpu", "bfloat16", 1)
    assert caplog.messages == []
    assert "does not tell" in doctor._bfloat16()


READS = ("--visual", "feature-files", "--set", "visual.dim=3", "--set", "visual.folder=.")


@pytest.mark.parametrize("words", [("run", "--method", "chance"), ("features", "extract", *READS)])
def test_run_and_extract_warn_of_it(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zsarbench.cli.main import main

    able(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        np.save(f"{name}.npy", np.zeros((2, 3), np.float32))
    Path("clips.csv").write_text("clip,label\na.mp4,lift\nb.mp4,push\n")
    head = 'name = "folder/two"\nversion = 1\ndataset = "folder"\nsetting = "zsl"\nclass_text = "name"\n'
    Path("two.toml").write_text(f'{head}summary = "."\nsource = "."\n[[rounds]]\ncandidates = ["lift", "push"]\n')
    asked = ("--protocol", "two.toml", "--set", "dataset.annotations=clips.csv", "--dtype", "bfloat16")
    with pytest.raises(SystemExit) as done:
        main([*words, *asked, "--device", "cpu"])
    assert done.value.code == 0
    assert "this CPU has no instructions for bfloat16" in capsys.readouterr().err


def test_threads_and_kernels_are_as_before_after_the_block() -> None:
    def state() -> tuple[int, bool, bool, bool]:
        memory: Any = torch.utils.deterministic
        fills: bool = memory.fill_uninitialized_memory
        warns = torch.is_deterministic_algorithms_warn_only_enabled()
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), warns, fills

    before = state()
    with repeatable(before[0] + 1):
        inside = (before[0] + 1, True, True, False)
        assert state() == inside
        with repeatable(1):  # as an extraction within a run
            pass
        assert state() == inside
    assert state() == before


def of_a_gpu() -> list[Any]:
    cuda: Any = torch.backends.cuda
    fused = [cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.cudnn_sdp_enabled()]
    return [*fused, torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()]


def test_what_a_gpu_does_not_repeat_or_rounds_is_off_there_and_stays_as_it_is_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.set_float32_matmul_precision("high")
    try:
        before = of_a_gpu()
        with Machine(torch.device("cpu"), torch.float32, 1).repeatable():
            assert of_a_gpu() == before
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
        for _ in range(2):
            with Machine(torch.device("cuda"), torch.float32, 1).repeatable():
                assert of_a_gpu() == [False, False, False, False, "highest"]
            assert of_a_gpu() == before == [True, True, True, True, "high"]
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="this torch has no settings by operator")
def test_settings_of_single_operators_are_kept() -> None:
    cudnn: Any = torch.backends.cudnn
    before = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = "ieee"  # after which `allow_tf32` cannot be read
    try:
        for _ in range(2):
            with repeatable(1, "cuda"):
                assert (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) == ("ieee", "ieee")
            assert (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) == ("ieee", before)
    finally:
        cudnn.conv.fp32_precision = before


def test_a_device_that_computes_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="device 'meta' is not there"):
        Machine.named("meta", "float32", 1)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what was freed")
def test_a_large_block_is_memory_that_was_freed_before() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    first, *rest = map(int, done.stdout.split())
    assert first > 64  # 64 MiB, in pages of 1 MiB at the most
    # An aligned block does not fit into the hole of the one before, so the first few grow the heap; after that, none.
    assert max(rest[-20:]) < first / 10

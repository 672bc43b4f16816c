"""Where a run computes: deterministic sums, and memory that is used again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zsarbench.cli.main import main
from zsarbench.errors import UsageError
from zsarbench.utils import compute
from zsarbench.utils.compute import Compute, Stopwatch, deterministic
from zsarbench_encoders.visual import Timm

FAULTS = """
import resource, torch
from zsarbench.utils.compute import reuse_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
reuse_freed_memory()
print(*(faults() for _ in range(60)))
"""


def diagnosis(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what `zsarbench doctor` prints."""
    with pytest.raises(SystemExit):
        main(["doctor", "--json"])
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def test_a_processor_is_named_by_the_instructions_that_kernels_are_chosen_by(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX7")
    monkeypatch.setattr(platform, "machine", lambda: "z80")
    assert compute.processor(torch.device("cpu")) == "z80, AVX7"
    assert diagnosis(capsys)["devices"][0] == "cpu (z80, AVX7)"


def set_instructions(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let torch report that the CPU has these instructions for bfloat16 and no others."""
    capabilities = {"avx2": True, **dict.fromkeys(compute.BFLOAT16, False), **dict.fromkeys(names, True)}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


@pytest.mark.parametrize("name", compute.BFLOAT16)
def test_a_cpu_with_instructions_for_bfloat16_is_not_warned_of(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_instructions(monkeypatch, name)
    assert Compute.resolve("cpu", "bfloat16", 1).dtype == torch.bfloat16
    assert caplog.messages == []
    assert diagnosis(capsys)["bfloat16"] == "the CPU is faster with it"


def test_bfloat16_on_a_cpu_without_instructions_for_it_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    set_instructions(monkeypatch)
    Compute.resolve("cpu", "float32", 1)
    assert caplog.messages == []
    Compute.resolve("cpu", "bfloat16", 1)
    assert caplog.messages == [
        "this CPU has no instructions for bfloat16, which is many times slower here. Try: --dtype float32"
    ]
    assert diagnosis(capsys)["bfloat16"] == "the CPU has no instructions for it: use --dtype float32 there"


def test_an_encoder_that_computes_in_bfloat16_warns_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_instructions(monkeypatch)
    Timm(model="test_resnet", pretrained=False, compute_dtype="bfloat16").to("cpu")
    assert [line.partition("Try: ")[2] for line in caplog.messages] == ["--set visual.compute_dtype=float32"]
    Timm(model="test_resnet", pretrained=False).to("cpu")
    assert len(caplog.messages) == 1


def test_a_torch_without_capabilities_gives_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    Compute.resolve("cpu", "bfloat16", 1)
    assert caplog.messages == []
    assert "cannot report" in diagnosis(capsys)["bfloat16"]


READS = ("--visual", "feature-files", "--set", "visual.dim=3", "--set", "visual.folder=.")


@pytest.mark.parametrize("command", [("run", "--method", "chance"), ("features", "extract", *READS)])
def test_run_and_extract_warn_of_it(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_instructions(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        np.save(f"{name}.npy", np.zeros((2, 3), np.float32))
    Path("clips.csv").write_text("clip,label\na.mp4,lift\nb.mp4,push\n")
    head = 'name = "folder/two"\nversion = 1\ndataset = "folder"\nsetting = "zsl"\nclass_text = "name"\n'
    Path("two.toml").write_text(f'{head}summary = "."\nsource = "."\n[[rounds]]\ncandidates = ["lift", "push"]\n')
    arguments = ("--protocol", "two.toml", "--set", "dataset.annotations=clips.csv", "--dtype", "bfloat16")
    with pytest.raises(SystemExit) as done:
        main([*command, *arguments, "--device", "cpu"])
    assert done.value.code == 0
    assert "this CPU has no instructions for bfloat16" in capsys.readouterr().err


def test_threads_and_kernels_are_as_before_after_the_block() -> None:
    def state() -> tuple[int, bool, bool, bool]:
        memory: Any = torch.utils.deterministic
        fills: bool = memory.fill_uninitialized_memory
        warns = torch.is_deterministic_algorithms_warn_only_enabled()
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), warns, fills

    before = state()
    with deterministic(before[0] + 1):
        inside = (before[0] + 1, True, True, False)
        assert state() == inside
        with deterministic(1):  # as an extraction within a run
            pass
        assert state() == inside
    assert state() == before


def of_a_gpu() -> list[Any]:
    cuda: Any = torch.backends.cuda
    fused = [cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.cudnn_sdp_enabled()]
    return [*fused, torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()]


def test_nondeterministic_or_rounding_kernels_are_off_on_a_gpu_and_untouched_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.set_float32_matmul_precision("high")
    try:
        before = of_a_gpu()
        with Compute(torch.device("cpu"), torch.float32, 1).deterministic():
            assert of_a_gpu() == before
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
        for _ in range(2):
            with Compute(torch.device("cuda"), torch.float32, 1).deterministic():
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
            with deterministic(1, "cuda"):
                assert (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) == ("ieee", "ieee")
            assert (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) == ("ieee", before)
    finally:
        cudnn.conv.fp32_precision = before


def test_a_device_that_computes_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="device 'meta' is not available"):
        Compute.resolve("meta", "float32", 1)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can keep freed memory")
def test_a_large_block_is_memory_that_was_freed_before() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    first, *rest = map(int, done.stdout.split())
    assert first > 64  # 64 MiB, in pages of 1 MiB at the most
    # An aligned block does not fit into the hole of the one before, so the first few grow the heap; after that, none.
    assert max(rest[-20:]) < first / 10


def test_auto_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Compute.resolve("auto", "float32", 1).device.type == "cpu"
    chosen = []

    def device(name: str) -> object:
        chosen.append(name)
        raise RuntimeError("no such device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "device", device)
    with pytest.raises(UsageError):
        Compute.resolve("auto", "float32", 1)
    assert chosen == ["cuda"]


def test_a_stopwatch_adds_the_seconds_of_the_blocks_of_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.5, 20.0, 21.0, 30.0, 34.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    watch = Stopwatch()
    with watch("train"):
        pass
    with watch("score"):
        pass
    with pytest.raises(KeyError), watch("train"):
        raise KeyError
    assert watch.seconds == {"train": 6.5, "score": 1.0}

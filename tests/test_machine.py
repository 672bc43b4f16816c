"""Where a run computes: repeatable sums, and memory that is used again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from zsarbench.machine import repeatable

FAULTS = """
import resource, torch
from zsarbench.machine import repeatable

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with repeatable(1):
    print(*(faults() for _ in range(5)))
"""


def test_threads_and_kernels_are_as_before_after_the_block() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with repeatable(before[0] + 1):
        assert torch.get_num_threads() == before[0] + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what was freed")
def test_a_large_block_is_memory_that_was_freed_before() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    first, *_, last = map(int, done.stdout.split())
    assert first > 64  # 64 MiB, in pages of 1 MiB at the most
    assert last < first / 10

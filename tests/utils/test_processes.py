"""Maps by several processes: order, who takes part, and what the function raises."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mapped import doubled, refused, slow_pid

from zsarbench.utils.cores import cores
from zsarbench.utils.processes import Processes

several = pytest.mark.skipif(cores() < 2, reason="one core: no further process is started")


def test_results_have_the_order_of_items() -> None:
    with Processes(many=10) as processes:
        assert list(processes.map(doubled, range(500))) == [2 * number for number in range(500)]
        assert list(processes.map(doubled, range(3))) == [0, 2, 4]


def test_few_items_are_left_to_this_process() -> None:
    with Processes(many=10) as processes:
        assert set(processes.map(slow_pid, range(5))) == {os.getpid()}


@several
def test_this_process_and_others_share_many_items_and_then_few() -> None:
    with Processes(many=10) as processes:
        at_first = set(processes.map(slow_pid, range(100)))
        assert os.getpid() in at_first
        assert 1 < len(at_first) <= cores()
        assert len(set(processes.map(slow_pid, range(8)))) > 1


def test_what_the_function_raises_is_raised() -> None:
    with Processes(many=10) as processes, pytest.raises(ValueError, match="70 is refused"):
        list(processes.map(refused, range(100)))


INTERRUPTED = """
import signal, time
from zsarbench.utils.processes import Processes

def slow(number):
    time.sleep(0.2)
    return number

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a process that was started in the background lacks
    with Processes(many=10) as processes:
        for number in processes.map(slow, range(1000)):
            print(number, flush=True)
"""


@several
def test_ctrl_c_ends_all_of_them_without_a_word_of_the_others(tmp_path: Path) -> None:
    program = tmp_path / "slow.py"
    program.write_text(INTERRUPTED)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen([sys.executable, str(program)], **pipes, text=True, start_new_session=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "0\n"
    os.killpg(running.pid, signal.SIGINT)
    errors = running.communicate(timeout=120)[1]  # which ends when all that have its stderr have ended
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1

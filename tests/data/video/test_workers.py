"""Processes that work ahead: how far, what becomes of an item that hangs, and that all of them can be stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from zsarbench.data.video.workers import Lost, WorkerPool, in_order


def noted(items: list[float], drawn: list[float]) -> Iterator[float]:
    for item in items:
        drawn.append(item)
        yield item


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_no_more_items_are_begun_than_asked_before_an_answer_is_consumed(ahead: int) -> None:
    drawn: list[float] = []
    with ThreadPoolExecutor(1) as threads:
        answers = in_order(threads, lambda item: 2 * item, noted([1, 2, 3, 4], drawn), ahead)
        assert next(answers) == 2
        assert len(drawn) == ahead
        assert list(answers) == [4, 6, 8]


def test_an_item_that_hangs_is_lost_and_the_next_gets_another_process() -> None:
    drawn: list[float] = []
    with WorkerPool(time.sleep, workers=1, what="sleeping", seconds_per_item=0.2, max_ahead=0) as pool:
        answers = pool.in_order(noted([3600.0, 0.0], drawn))
        item, lost = next(answers)
        assert (item, drawn) == (3600.0, [3600.0])
        assert isinstance(lost, Lost)
        assert lost.reason == "sleeping took longer than 0.2 s"
        assert list(answers) == [(0.0, None)]


def test_a_pool_is_closed_whatever_its_processes_are_doing() -> None:
    with WorkerPool(time.sleep, workers=2, what="sleeping", seconds_per_item=3600, max_ahead=2) as pool:
        answers = pool.in_order([0.0, 3600.0])
        assert next(answers) == (0.0, None)
    with pytest.raises(RuntimeError):
        next(pool.in_order([0.0]))

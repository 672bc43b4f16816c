"""A small seed of each campaign; the programs next to this file try many."""

from __future__ import annotations

import ast
from pathlib import Path

import broken_http
import code_changes
import fuzz
import hostile
import pytest
from common import Campaign


def test_every_reader_reads_or_refuses_damaged_files(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch and what stands on it is not installed")
    pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    campaign = fuzz.run(Campaign("fuzz", 1), tmp_path, 170)
    assert sorted(campaign.counts) == sorted(fuzz.KINDS)
    assert campaign.n_failed == 0, campaign.failures[0]


def test_downloads_survive_broken_answers() -> None:
    pytest.importorskip("requests", reason="requests is not installed")
    campaign = broken_http.run(Campaign("http", 1), len(broken_http.BROKEN))
    assert sorted(campaign.counts) == sorted(broken_http.BROKEN)
    assert campaign.n_failed == 0, campaign.failures[0]


def test_the_command_line_survives_hostile_plugins_and_texts(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch and what stands on it is not installed")
    campaign = hostile.run(Campaign("hostile", 1), tmp_path, 8)
    assert sorted(campaign.counts) == sorted(hostile.KINDS)
    assert campaign.n_failed == 0, campaign.failures[0]


def test_a_change_of_the_code_is_one_expression_that_means_something_else() -> None:
    drawn = code_changes.drawn(60, 1, "zsarbench/evaluation")
    assert drawn == code_changes.drawn(60, 1, "zsarbench/evaluation")
    for change in drawn:
        text = (code_changes.ROOT / change.path).read_text(encoding="utf-8")
        changed = code_changes.applied(change, text)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text)), change
        assert len(changed.splitlines()) == len(text.splitlines())
        assert code_changes.tests_of(change.path), change

"""What a name stands for, as a user reads it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from zsarbench.cli.main import cli
from zsarbench.errors import UsageError


def shown(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["show", *arguments], catch_exceptions=False).stdout


def test_only_what_can_be_trained_is_trained_on_unknown_data() -> None:
    pytest.importorskip("timm", reason="torch and what stands on it is not installed")
    for name in ("timm", "minilm-l6"):
        assert "  trained on: unknown\n" in shown(name)
    for name in ("local", "markdown", "cosine-window", "folder", "ucf101/all"):
        assert "unknown" not in shown(name)
    assert "  trained on: activitynet\n" in shown("activitynet-captions")


def test_options_of_an_executor_are_shown() -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    assert "  --set executor.address=auto  (str)\n" in shown("ray")
    (content,) = json.loads(shown("ray", "--json"))
    assert content["options"]["retries"] == {"default": 5, "type": "int"}


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'cezsar'"):
        shown("cezar")

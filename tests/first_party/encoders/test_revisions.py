"""Weights of a hub are fetched by commit, or a warning tells that they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zsarbench.errors import UsageError, ZsarbenchError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_revision_is_a_commit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from zsarbench_encoders.weights import pinned

    assert pinned("text", "owner/model", COMMIT) == COMMIT
    assert pinned("text", str(tmp_path), None) is None
    assert caplog.text == ""
    for moving in ("main", "v1.0", COMMIT[:12]):
        with pytest.raises(UsageError, match=r"is not a commit of 40 hex digits.*--set text\.revision=COMMIT"):
            pinned("text", "owner/model", moving)
    assert pinned("visual", "owner/model", None) is None
    assert "'owner/model' is fetched in the hub's current revision" in caplog.text
    assert "--set visual.revision=COMMIT" in caplog.text


def test_the_commit_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    from zsarbench_encoders.text import SBertDistilRoberta, SentenceTransformers

    requested: list[Any] = []

    def fetch(model: str, **options: Any) -> Any:
        requested.append((model, options["revision"]))
        raise OSError("no network")

    monkeypatch.setattr(library, "SentenceTransformer", fetch)
    for build in (
        SentenceTransformers,
        lambda: SentenceTransformers(model="owner/other", revision=COMMIT),
        lambda: SBertDistilRoberta(revision=COMMIT),
    ):
        with pytest.raises(ZsarbenchError, match="cannot be loaded from https://huggingface"):
            build()
    assert requested == [
        ("sentence-transformers/all-mpnet-base-v2", "9a3225965996d404b775526de6dbfe85d3368642"),
        ("owner/other", COMMIT),
        ("sentence-transformers/paraphrase-distilroberta-base-v2", COMMIT),
    ]

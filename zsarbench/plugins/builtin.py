"""What the host itself brings to the registry: reporters and the local executor."""

from __future__ import annotations

from zsarbench.plugins.registry import Registrar


def register(registry: Registrar) -> None:
    """Add the host's own entries; they exist whatever plugins are allowed."""
    for name, attribute, summary in (
        ("table", "Rich", "Text for a terminal, sized to its width."),
        ("markdown", "Markdown", "GitHub-flavoured Markdown."),
        ("csv", "Csv", "Comma-separated values, every column in raw numbers."),
        ("latex", "Latex", "LaTeX with booktabs rules, for a paper."),
        ("json", "Json", "JSON, every column in raw numbers, with what was left out and why."),
    ):
        registry.add("reporter", name, f"zsarbench.reports.formats:{attribute}", summary=summary)
    registry.add(
        "executor",
        "local",
        "zsarbench.features.extraction.plan:LocalExecutor",
        summary="Extracts in this process, decoding in worker processes ahead of the model.",
    )

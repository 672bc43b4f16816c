"""A protocol's hash is the same on every machine and Python, and changes only when the protocol does."""

from __future__ import annotations

import json

from locations import GOLDEN
from zsarbench import protocols
from zsarbench.plugins import load_plugins

HASHES = GOLDEN / "protocol_hashes.json"


def test_hashes_are_those_that_results_were_published_under() -> None:
    """A deliberate change of a protocol raises its version and is entered here."""
    registry = load_plugins().registry
    found = {}
    for name in registry.names("protocol"):
        protocol = protocols.load(registry, name)
        dataset = registry.get("dataset", protocol.dataset).load()()
        found[f"{name} version {protocol.version}"] = protocol.hash(dataset)
    assert found == json.loads(HASHES.read_text(encoding="utf-8"))

"""Result files, and figures that papers report."""

from zsarbench.results.coverage import Coverage
from zsarbench.results.files import find, read, read_all, read_scores, recompute, write
from zsarbench.results.flags import Flag
from zsarbench.results.record import (
    SCHEMA,
    ClassTextInfo,
    ClipFailure,
    DatasetInfo,
    Environment,
    Json,
    MethodInfo,
    PartInfo,
    Predictions,
    ProtocolInfo,
    RunResult,
    names_sha256,
    spec_id,
    utc_now,
)
from zsarbench.results.validation import UPGRADES, from_json, schema, validate

__all__ = [
    "SCHEMA",
    "UPGRADES",
    "ClassTextInfo",
    "ClipFailure",
    "Coverage",
    "DatasetInfo",
    "Environment",
    "Flag",
    "Json",
    "MethodInfo",
    "PartInfo",
    "Predictions",
    "ProtocolInfo",
    "RunResult",
    "find",
    "from_json",
    "names_sha256",
    "read",
    "read_all",
    "read_scores",
    "recompute",
    "schema",
    "spec_id",
    "utc_now",
    "validate",
    "write",
]

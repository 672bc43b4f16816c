"""Result files, and figures that papers report."""

from zsarbench.results.compaction import compact
from zsarbench.results.coverage import Coverage
from zsarbench.results.files import (
    find,
    has_scores,
    load,
    problems,
    read,
    read_all,
    read_scores,
    rewrite,
    scores_file,
    scores_or_none,
    write,
    write_somewhere,
)
from zsarbench.results.flags import Flag
from zsarbench.results.recomputation import recompute
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
    "compact",
    "find",
    "from_json",
    "has_scores",
    "load",
    "names_sha256",
    "problems",
    "read",
    "read_all",
    "read_scores",
    "recompute",
    "rewrite",
    "schema",
    "scores_file",
    "scores_or_none",
    "spec_id",
    "utc_now",
    "validate",
    "write",
    "write_somewhere",
]

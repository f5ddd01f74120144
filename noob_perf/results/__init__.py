"""The results of a suite: an immutable model with a versioned schema, and its file format."""

from __future__ import annotations

from noob_perf.results.file import from_json, read, to_json
from noob_perf.results.model import (
    SCHEMA_VERSION,
    Machine,
    Outcome,
    Run,
    StockLoad,
    StockPoint,
    SuiteResult,
    WorkloadFacts,
)

__all__ = [
    "SCHEMA_VERSION",
    "Machine",
    "Outcome",
    "Run",
    "StockLoad",
    "StockPoint",
    "SuiteResult",
    "WorkloadFacts",
    "from_json",
    "read",
    "to_json",
]

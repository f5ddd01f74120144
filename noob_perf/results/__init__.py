"""The results of experiments: immutable models with a versioned schema, and their file format."""

from __future__ import annotations

from noob_perf.results.components import (
    LEAST_SIZES,
    ComponentAnswer,
    ComponentsResult,
    Headline,
    Target,
    Timing,
    Verdict,
)
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
from noob_perf.results.parallel import (
    Answer,
    CellResult,
    Figure,
    MemorySample,
    ParallelResult,
    Quantity,
)

__all__ = [
    "LEAST_SIZES",
    "SCHEMA_VERSION",
    "Answer",
    "CellResult",
    "ComponentAnswer",
    "ComponentsResult",
    "Figure",
    "Headline",
    "Machine",
    "MemorySample",
    "Outcome",
    "ParallelResult",
    "Quantity",
    "Run",
    "StockLoad",
    "StockPoint",
    "SuiteResult",
    "Target",
    "Timing",
    "Verdict",
    "WorkloadFacts",
    "from_json",
    "read",
    "to_json",
]

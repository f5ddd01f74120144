"""What a suite found, as immutable values; the attributes' names are the keys of the file.

The model holds what was measured and nothing that can be computed from it (intervals, medians),
apart from the two figures that readers look for first, ``us_per_node`` and ``speedup_vs_sync``.
An outcome is a type, never a missing number: a run that failed is a run with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = 1
"""Raised whenever a reader of the earlier schema would misread a file."""


class Outcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    """Measured, and every result equal to the expected one."""
    TIMEOUT = "timeout"
    """Ended by its time limit."""
    FAILURE = "failure"
    """Raised, crashed, was interrupted, or gave a wrong result."""
    UNSUPPORTED = "unsupported"
    """Not attempted: the runner is not installed or cannot run this graph."""


@dataclass(frozen=True)
class Machine:
    """What a time depends on apart from the code under test; no host name, no paths."""

    system: str
    """Operating system and its release."""
    architecture: str
    """Of the processor, such as x86_64."""
    processor: str
    """The processor's model, or an empty string where the system does not tell."""
    cpus: int
    """Logical processors that this process may use."""
    memory_bytes: int
    """Physical memory."""
    python: str
    """Implementation and version."""
    native_build: str
    """How the native components were built: release, debug, or python where there are none."""
    packages: dict[str, str]
    """Versions by name, of the packages that a time depends on."""
    load_average: float
    """Runnable processes on average over the minute before the start; -1 where it is unknown."""


@dataclass(frozen=True)
class WorkloadFacts:
    """The workload asked for and the structure of its graph."""

    pattern: str
    kernel: str
    nodes: int
    edges: int
    content_hash: str
    """Identifies the dependencies: equal hashes mean the same graph."""
    depth: int
    """Nodes on the longest path."""
    width: int
    """The greatest number of nodes at one distance from the start."""
    work_s: float
    """Seconds that all kernels ask for together; 0 if they ask for none."""
    span_s: float
    """Seconds along the critical path: no runner can be faster, on however many cores."""
    parallelism: float
    """Work over span: no runner can use more cores than this. Without work, every node is equal."""
    critical_path_nodes: int
    """Nodes along the critical path."""
    parameters: dict[str, str | int | float]
    """Every parameter of the workload, enough to make it again."""


@dataclass(frozen=True)
class Run:
    """One runner on one graph, whether it could be measured or not."""

    runner: str
    outcome: Outcome
    reason: str
    """Why the outcome is not success, or what went amiss in spite of it; else empty."""
    nodes: int
    """Of the graph. The tube has more, which run too: a source, folds of the outputs, a return."""
    epochs: int
    """Epochs in a repeat."""
    workers: int
    """Processes or threads that nodes ran in."""
    native: bool
    """Whether native components took part. NOOB's own runners take part of them from IndexedTube:
    the scheduler, in place of NOOB's own."""
    load_s: float | None
    """Seconds to load the tube from its specification; null if it did not come to that."""
    start_s: float | None
    """Seconds of the runner's init; null if it did not come to that."""
    epoch_s: tuple[float, ...]
    """Seconds an epoch, one value a repeat, each of them validated."""
    us_per_node: float | None
    """Microseconds an epoch over `nodes`, of the median; null unless the outcome is success."""
    speedup_vs_sync: float | None
    """Times faster than sync on the same graph: the median of the ratios of each of its repeats to
    each of these; null if either of them was not measured."""
    validated: bool
    """Whether every epoch that counts, and the warm-up, gave the expected result."""
    peak_rss_bytes: int | None
    """Greatest resident memory of the run's process, with that of its children after a repeat."""


@dataclass(frozen=True)
class StockPoint:
    """The load time of stock NOOB at one size."""

    nodes: int
    load_s: tuple[float, ...]
    """Seconds, one value a repeat."""


@dataclass(frozen=True)
class StockLoad:
    """How long NOOB's own ``Tube.from_specification`` takes: measured where it can be."""

    points: tuple[StockPoint, ...]
    """What was measured; every tube ran an epoch with the expected result."""
    exponent: float | None
    """Growth exponent of the points; null with too few of them."""
    exponent_interval: tuple[float, float] | None
    """Of the exponent, at 95 %."""
    asked_nodes: int
    """The size that was asked for."""
    measured_s: float | None
    """Median seconds at that size; null if it is too great to be measured."""
    extrapolated_s: float | None
    """Seconds at that size by the power law; null if it was measured, or with too few points."""
    extrapolated_interval_s: tuple[float, float] | None
    """Prediction interval at 95 %, supposing that the power law goes on."""
    reason: str
    """Why a point is missing; else empty."""


@dataclass(frozen=True)
class SuiteResult:
    """All that one call of the suite found."""

    schema_version: int
    created: str
    """When it began: ISO 8601, UTC."""
    command: str
    """The command that does the same again."""
    interrupted: bool
    """Whether it was stopped before its end."""
    machine: Machine
    workload: WorkloadFacts
    stock_load: StockLoad | None
    """Null if none of NOOB's own runners was asked for, or the suite was stopped before."""
    runs: tuple[Run, ...]

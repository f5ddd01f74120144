"""What the component lab found, as immutable values: timings, targets and claims."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from noob_perf.results.model import (
    Machine,
    Outcome,
)
from noob_perf.results.parallel import Figure, Quantity  # noqa: TC001 - needed when a file is read
from noob_perf.stats import Estimate  # noqa: TC001 - needed when a file is read

LEAST_SIZES = 3
"""Two sizes tell nothing of whether a time grows as a power of them."""


@dataclass(frozen=True)
class Timing:
    """One operation of one implementation on one case, whether it could be measured or not."""

    implementation: str
    operation: str
    """Empty if it did not come to any."""
    case: str
    """What it was measured on, such as a table."""
    size: int
    """Nodes, events, items or bytes."""
    quantity: Quantity
    outcome: Outcome
    reason: str
    """Why the outcome is not success; else empty."""
    values: tuple[float, ...]
    """One a repeat: of the operation on the whole case, each with its result checked."""
    produced_bytes: int | None = None
    """The size of what it makes, for operations that make bytes."""

    @property
    def series(self) -> str:
        """What it is called together with the other sizes, and their growth."""
        return f"{self.implementation}: {self.case}: {self.operation}"

    @property
    def measured(self) -> bool:
        """Whether there are values that count."""
        return self.outcome is Outcome.SUCCESS and bool(self.values)


@dataclass(frozen=True)
class Target:
    """A figure that something was asked of, and what it is to be seen beside."""

    figure: Figure
    reference: str
    """What stands beside it; empty if nothing does."""
    beside: Estimate | None
    """The reference's figure in the same run; null if it was not measured."""


@dataclass(frozen=True)
class ComponentAnswer:
    """What was found of one component."""

    name: str
    question: str
    unit: str
    """What sizes count, such as node."""
    timings: tuple[Timing, ...]
    growths: tuple[Figure, ...]
    """Exponents of the time over the size, where three sizes were measured."""
    targets: tuple[Target, ...]


class Verdict(StrEnum):
    """What came of a claim."""

    REACHED = "reached"
    """By the worse end of its interval."""
    PROJECTED = "projected"
    """Reached, but by a reference that is extrapolated from smaller sizes."""
    NOT_REACHED = "not reached"
    """By the better end of its interval."""
    UNDECIDED = "undecided"
    """The interval holds what was claimed."""
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Headline:
    """A claim, and what this run says to it."""

    component: str
    claim: str
    quantity: Quantity | None
    """Null where the claim is no number."""
    claimed: float | None
    at_most: bool
    """Whether less than was claimed is better."""
    estimate: Estimate | None
    verdict: Verdict
    note: str
    """What was measured, or why nothing was."""


@dataclass(frozen=True)
class ComponentsResult:
    """All that one call of the component lab found."""

    schema_version: int
    created: str
    """When it began: ISO 8601, UTC."""
    command: str
    """The command that does the same again."""
    interrupted: bool
    """Whether it was stopped before its end."""
    machine: Machine
    answers: tuple[ComponentAnswer, ...]
    headlines: tuple[Headline, ...]

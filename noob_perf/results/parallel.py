"""What the parallel experiment found, as immutable values: a question, its figures, its cells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from noob_perf.results.model import Machine, Run  # noqa: TC001 - needed when a file is read
from noob_perf.stats import Estimate  # noqa: TC001 - needed when a file is read


class Quantity(StrEnum):
    """What a figure counts, in its base unit."""

    SECONDS = "seconds"
    TIMES = "times"
    """A ratio of two figures of a kind."""
    SHARE = "share"
    """A part of a whole, from 0 to 1."""
    BYTES = "bytes"
    BYTES_PER_SECOND = "bytes a second"
    PER_SECOND = "a second"
    COUNT = "count"
    """Such as instructions."""
    EXPONENT = "exponent"
    """Of a power law: 1 where a time grows as the size does."""


@dataclass(frozen=True)
class MemorySample:
    """What a cell's processes held after an epoch; see `noob_perf.measure.memory.Memory`."""

    epochs: int
    """How many epochs had run."""
    own_bytes: int
    """Of the process that the runner was made in."""
    children_bytes: int
    """Of its workers and whatever else it has started."""
    shared_bytes: int
    """Of memory files."""

    @property
    def total_bytes(self) -> int:
        """All three."""
        return self.own_bytes + self.children_bytes + self.shared_bytes


@dataclass(frozen=True)
class CellResult:
    """One runner on one workload, with the parameters that make the workload again."""

    label: str
    """What the cell is called among those of its question."""
    parameters: dict[str, str | int | float]
    run: Run
    memory: tuple[MemorySample, ...]
    """One after the warm-up and after each repeat, if it was asked for."""


@dataclass(frozen=True)
class Figure:
    """One number that answers a part of the question, and what it was asked to be."""

    name: str
    quantity: Quantity
    estimate: Estimate | None
    """Null if it could not be measured."""
    reason: str = ""
    """Why there is no estimate; else empty."""
    at_least: float | None = None
    """The least that was asked for, if it was."""
    at_most: float | None = None
    """The most that was asked for, if it was."""

    @property
    def asked(self) -> bool:
        """Whether it was asked to be anything."""
        return self.at_least is not None or self.at_most is not None

    @property
    def met(self) -> bool | None:
        """Whether the whole interval is what was asked for; False if none of it is.

        None where the interval leaves it open, and where nothing was asked or measured.
        """
        if self.estimate is None or not self.asked:
            return None
        return self.estimate.within(self.at_least, self.at_most)


@dataclass(frozen=True)
class Answer:
    """What came of a question."""

    name: str
    question: str
    figures: tuple[Figure, ...]
    """Computed from the cells; empty if the question was interrupted."""
    cells: tuple[CellResult, ...]


@dataclass(frozen=True)
class ParallelResult:
    """All that one call of the experiment found."""

    schema_version: int
    created: str
    """When it began: ISO 8601, UTC."""
    command: str
    """The command that does the same again."""
    interrupted: bool
    """Whether it was stopped before its end."""
    machine: Machine
    answers: tuple[Answer, ...]

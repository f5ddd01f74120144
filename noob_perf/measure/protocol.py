"""What a suite and the process of a cell say to each other: a few values over one pipe.

The suite sends an `Assignment`, then requests, one at a time: of a runner `Load`, `Start`, `Repeat`
and `Weigh`, of a component `Prepare` and `Measure`, of both `Stop`. Each is answered by one reply;
a request that raises, by `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from noob_perf.measure.memory import Memory


class Answerer(Protocol):
    """What a cell's process holds: a runner's harness, or a component's subject."""

    def answer(self, request: Request) -> Reply:
        """Do what is asked; whatever is raised becomes a `Failed`."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a cell's process is to run."""

    target: str
    """Dotted path of an `Answerer`, as ``package.module:Class``."""
    workload: Any
    """What it is made with: of a runner a Workload, of a component a case."""
    workers: int | None


@dataclass(frozen=True, slots=True)
class Load:
    """Load the workload (again, if it was loaded before)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The workload is loaded."""

    load_s: float
    native: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Start the runner."""


@dataclass(frozen=True, slots=True)
class Started:
    """The runner is started."""

    start_s: float
    workers: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run so many epochs."""

    epochs: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """The epochs have run."""

    seconds: float
    """Of all of them together."""
    results: tuple[Any, ...]
    """One an epoch."""
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Weigh:
    """Measure the memory that is held now."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The memory is measured."""

    memory: Memory


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make what the operations work on."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The operations can be measured."""

    operations: dict[str, str]
    """By name, why it cannot be done; empty if it can."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Do an operation, check its result, and say what it took."""

    operation: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The operation was done, a few times if it is short; or it raised, and others go on."""

    value: float
    """Of one time: seconds, or what else the operation measures."""
    produced_bytes: int | None = None
    """The size of what it makes, for operations that make bytes."""
    fault: str = ""
    """Why the value does not count, on one line: it raised, or its result is wrong."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the runner and end the process."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The runner is stopped."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request raised."""

    error: str
    """Type and message of the exception, on one line."""
    details: str
    """Its traceback."""
    unsupported: bool = False
    """Whether what was to be measured is not there."""


Request = Load | Start | Repeat | Weigh | Prepare | Measure | Stop
Reply = Loaded | Started | Repeated | Weighed | Prepared | Measured | Stopped | Failed

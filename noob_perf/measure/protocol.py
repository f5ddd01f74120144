"""What a suite and the process of a cell say to each other: a few values over one pipe.

The suite sends an `Assignment`, then requests (`Load`, `Start`, `Repeat`, `Weigh`, `Stop`), one at
a time; each is answered by one reply. A request that raises is answered by `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noob_perf.measure.memory import Memory
    from noob_workloads import Workload


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a cell's process is to run."""

    target: str
    """Dotted path of the harness, as ``package.module:Class``."""
    workload: Workload
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


Request = Load | Start | Repeat | Weigh | Stop
Reply = Loaded | Started | Repeated | Weighed | Stopped | Failed

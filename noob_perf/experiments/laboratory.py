"""What the questions of one experiment share: cells measured beside each other, and their records.

A question asks for groups of cells as its cells' outcomes suggest; each group is measured in
turns, every cell in a process of its own, and nothing that failed is lost.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from noob_perf import registry
from noob_perf.measure.expected import Expected
from noob_perf.measure.trial import Trial, refused
from noob_perf.measure.turns import take_turns
from noob_perf.results import CellResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noob_perf.measure.turns import Observer
    from noob_perf.registry import RunnerEntry
    from noob_perf.results import Figure
    from noob_workloads import Workload


@dataclass(frozen=True, slots=True)
class Options:
    """How the questions are to be measured."""

    workers: int
    """Worker processes of runners that have a choice, unless the question fixes them."""
    quick: bool = False
    """Whether smaller graphs and few repeats will do: to see that all works, not for figures."""
    timeout_s: float = 600.0
    """For each cell, the time that it waits for its turn not counted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A cell that a question asks for."""

    runner: str | RunnerEntry
    """Its name in the registry, or an entry that only this question knows."""
    workload: Workload
    label: str = ""
    """What it is called; empty for the runner's name."""
    workers: int | None = None
    """None for those of the options."""
    epochs: int = 1
    """In a repeat."""
    repeats: int | None = None
    """None for as many as its time allows, or few if it must be quick."""
    cold: bool = False
    """Whether its warm-up is all that runs, and counts."""
    weighed: bool = False
    """Whether its memory is sampled after every repeat."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and how it is answered."""

    name: str
    """On the command line."""
    text: str
    answer: Callable[[Laboratory], Sequence[Figure]]


class Laboratory:
    """Measures what one question asks for, and keeps it."""

    QUICK_REPEATS = 2

    def __init__(self, options: Options, observer: Observer) -> None:
        """Keep the options; nothing is measured yet."""
        self.options = options
        self.cells: list[CellResult] = []
        self._observer = observer

    @property
    def quick(self) -> bool:
        """Whether smaller graphs will do."""
        return self.options.quick

    def measure(self, *asked: Asked) -> list[CellResult]:
        """Measure cells beside each other; a cell that fails is returned with its reason.

        Raises:
            KeyboardInterrupt: it was interrupted; what was measured until then is in `cells`.
        """
        expected = {cell.workload: Expected(cell.workload) for cell in asked}
        made = [self._make(cell, expected[cell.workload]) for cell in asked]
        trials = [trial for trial in made if isinstance(trial, Trial)]
        try:
            take_turns(trials, self._observer)
        finally:
            results = [
                _record(cell, trial) for cell, trial in zip(asked, made, strict=True)
            ]  # also of a group that was interrupted
            self.cells += results
        return results

    def _make(self, asked: Asked, expected: Expected) -> Trial | CellResult:
        entry = registry.find(asked.runner) if isinstance(asked.runner, str) else asked.runner
        workers = asked.workers or self.options.workers
        nodes = asked.workload.graph().nodes
        if entry.missing:
            reason = registry.missing_reason(entry)
            run = refused(entry, reason, nodes=nodes, epochs=asked.epochs, workers=workers)
            self._observer.ended(entry.name, run.outcome, run.reason)
            return CellResult(asked.label or entry.name, _parameters(asked.workload), run, ())
        return Trial(
            entry,
            asked.workload,
            nodes=nodes,
            expected=expected,
            epochs=asked.epochs,
            workers=workers,
            timeout_s=self.options.timeout_s,
            repeats=asked.repeats or (self.QUICK_REPEATS if self.quick else None),
            cold=asked.cold,
            weighed=asked.weighed,
        )


def _record(asked: Asked, made: Trial | CellResult) -> CellResult:
    if isinstance(made, CellResult):
        return made
    return CellResult(
        label=asked.label or made.runner,
        parameters=_parameters(asked.workload),
        run=made.to_run(None),
        memory=tuple(made.memory),
    )


def _parameters(workload: Workload) -> dict[str, str | int | float]:
    return {name: value for name, value in asdict(workload).items() if value is not None}

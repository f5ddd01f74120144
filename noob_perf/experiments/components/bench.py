"""What the questions about components share: implementations measured beside each other.

Each runs in a process of its own. All are prepared and warmed up; then their operations take turns.
What fails is a row with its reason, and costs the other operations nothing unless the process died.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from noob_perf.measure.cell import Cell, CellError, CellTimeoutError, CellUnsupportedError
from noob_perf.measure.protocol import Measure, Measured, Prepare, Prepared
from noob_perf.measure.schedule import interleave, repeats_for
from noob_perf.registry import missing_reason
from noob_perf.results import Outcome, Quantity, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from noob_perf.experiments.components.scale import Scale
    from noob_perf.measure.subject import Case
    from noob_perf.measure.turns import Observer
    from noob_perf.registry import RunnerEntry
    from noob_perf.results import Target

NATIVE, TWIN = "native", "twin"
"""What ours are called beside their peers."""

_COLD_RUNS = 3
"""Processes that a cold operation is measured in, once each."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the components are to be measured."""

    scale: Scale
    timeout_s: float = 120.0
    """For each implementation on each case, the time that it waits for its turn not counted."""


@dataclass(frozen=True, slots=True)
class Question:
    """A component, and how it is measured."""

    name: str
    """On the command line."""
    text: str
    unit: str
    """What sizes count."""
    measure: Callable[[Bench], None]
    targets: Callable[[Findings], Sequence[Target]]
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    """Of operations that measure something else than their time."""


class Findings:
    """The timings of a component, to be looked up."""

    def __init__(
        self, timings: Sequence[Timing], scale: Scale, quantities: Mapping[str, Quantity]
    ) -> None:
        """Keep them, the sizes that were asked for, and what operations measure beside time."""
        self.timings = tuple(timings)
        self.scale = scale
        self._quantities = quantities

    def find(self, implementation: str, operation: str, case: str, size: int) -> Timing:
        """Return the timing, or one that says why there is none."""
        reason = f"this run has no {case} of {size:,}"
        for timing in self.timings:
            if (timing.implementation, timing.case, timing.size) == (implementation, case, size):
                if timing.operation == operation:
                    return timing
                if not timing.operation:
                    reason = timing.reason
        quantity = self._quantities.get(operation, Quantity.SECONDS)
        return Timing(
            implementation, operation, case, size, quantity, Outcome.UNSUPPORTED, reason, ()
        )

    def sizes(self, implementation: str, operation: str, case: str) -> list[Timing]:
        """Return what was measured of an operation, at all sizes."""
        return [
            timing
            for timing in self.timings
            if timing.measured
            and (timing.implementation, timing.operation, timing.case)
            == (implementation, operation, case)
        ]


class _Row:
    """An operation of an implementation, while it is measured."""

    def __init__(self, trial: _Trial, operation: str) -> None:
        self.trial = trial
        self.operation = operation
        self.repeats = 0
        self.values: list[float] = []
        self.outcome = Outcome.SUCCESS
        self.reason = ""
        self.produced: int | None = None

    @property
    def live(self) -> bool:
        return self.outcome is Outcome.SUCCESS and self.trial.live

    def fail(self, outcome: Outcome, reason: str) -> None:
        if self.outcome is Outcome.SUCCESS:
            self.outcome, self.reason = outcome, reason
            self.values.clear()

    def step(self, *, counts: bool) -> float:
        """Do the operation once; return how long that took, all included."""
        began = monotonic()
        with self.trial.recorded():
            reply = self.trial.cell.ask(Measure(self.operation), Measured)
            if reply.fault:
                self.fail(Outcome.FAILURE, reply.fault)
                self.trial.observer.ended(
                    f"{self.trial.name}, {self.operation}", self.outcome, self.reason
                )
            else:
                self.produced = reply.produced_bytes
                if counts:
                    self.values.append(reply.value)
        return monotonic() - began


class _Trial:
    """One implementation on one case: its process, and its rows."""

    def __init__(
        self, entry: RunnerEntry, case: Case, timeout_s: float, observer: Observer
    ) -> None:
        self.name = entry.name
        self.case = case
        self.observer = observer
        self.cell = Cell(entry, case, None, timeout_s)
        self.live = True
        self.outcome = Outcome.SUCCESS
        self.reason = ""
        self.rows: list[_Row] = []

    def prepare(self) -> None:
        with self.recorded():
            offered = self.cell.ask(Prepare(), Prepared).operations
            self.rows = [_Row(self, name) for name in offered]
            for row in self.rows:
                if reason := offered[row.operation]:
                    row.fail(Outcome.UNSUPPORTED, reason)
                    self.observer.ended(f"{self.name}, {row.operation}", row.outcome, reason)

    def refuse(self, reason: str) -> None:
        self.live, self.outcome, self.reason = False, Outcome.UNSUPPORTED, reason
        self.observer.ended(f"{self.name}, {self.case}", self.outcome, reason)

    def stop(self) -> None:
        self.cell.stop()
        self.live = False

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Turn what goes wrong with the process into the outcome of all that it has not done."""
        try:
            yield
        except CellUnsupportedError as error:
            self.refuse(str(error))
        except CellError as error:
            timeout = isinstance(error, CellTimeoutError)
            self.live = False
            self.outcome = Outcome.TIMEOUT if timeout else Outcome.FAILURE
            self.reason = str(error)
            self.observer.ended(f"{self.name}, {self.case}", self.outcome, self.reason)
            for row in self.rows:
                row.fail(self.outcome, self.reason)

    def timings(self, quantities: Mapping[str, Quantity]) -> list[Timing]:
        name, kind, size = self.name, self.case.kind, self.case.size
        if not self.rows:
            outcome, reason = self.outcome, self.reason
            if outcome is Outcome.SUCCESS:
                outcome, reason = Outcome.FAILURE, "interrupted"
            return [Timing(name, "", kind, size, Quantity.SECONDS, outcome, reason, ())]
        found = []
        for row in self.rows:
            if not row.values:
                row.fail(Outcome.FAILURE, "interrupted")
            quantity = quantities.get(row.operation, Quantity.SECONDS)
            found.append(
                Timing(
                    name, row.operation, kind, size, quantity, row.outcome, row.reason,
                    tuple(row.values), row.produced,
                )
            )  # fmt: skip
        return found


class Bench:
    """Measures what one question asks for, and keeps it."""

    def __init__(
        self, options: Options, observer: Observer, quantities: Mapping[str, Quantity]
    ) -> None:
        """Keep the options; nothing is measured yet."""
        self.scale = options.scale
        self.observer = observer
        self.timings: list[Timing] = []
        self._timeout_s = options.timeout_s
        self._quantities = quantities

    def measure(self, case: Case, entries: Sequence[RunnerEntry]) -> None:
        """Measure implementations on a case, in turns.

        Raises:
            KeyboardInterrupt: it was interrupted; what was measured until then is kept.
        """
        trials = self._trials(case, entries)
        try:
            self._warm_up(trials)
            self._repeat([row for trial in trials for row in trial.rows if row.live])
            for trial in trials:
                trial.stop()
        finally:
            self._keep(trials)

    def measure_cold(self, case: Case, entries: Sequence[RunnerEntry]) -> None:
        """Measure what can be seen only once in a process, in a few processes after each other.

        Raises:
            KeyboardInterrupt: it was interrupted; what was measured until then is kept.
        """
        trials = self._trials(case, entries)
        try:
            for run in range(_COLD_RUNS):
                for trial in trials:
                    self.observer.stage(f"{trial.name}: {case}, process {run + 1} of {_COLD_RUNS}")
                    if trial.live and not run:
                        trial.prepare()
                    elif trial.live:
                        with trial.recorded():
                            trial.cell.ask(Prepare(), Prepared)
                    for row in trial.rows:
                        if row.live:
                            row.step(counts=True)
                    trial.cell.kill()
        finally:
            self._keep(trials)

    def _trials(self, case: Case, entries: Sequence[RunnerEntry]) -> list[_Trial]:
        trials = []
        for entry in entries:
            trial = _Trial(entry, case, self._timeout_s, self.observer)
            trials.append(trial)
            if entry.missing:
                trial.refuse(missing_reason(entry))
            elif entry.max_nodes is not None and case.size > entry.max_nodes:
                trial.refuse(f"{entry.limit_reason}: measured up to {entry.max_nodes:,}")
        return trials

    def _warm_up(self, trials: Sequence[_Trial]) -> None:
        scale = self.scale
        for trial in trials:
            if not trial.live:
                continue
            self.observer.stage(f"{trial.name}: {trial.case}, a warm-up")
            trial.prepare()
            for row in trial.rows:
                if row.live:
                    seconds = row.step(counts=False)
                    if row.live and scale.budget_s / scale.most_repeats < seconds < scale.budget_s:
                        seconds = row.step(counts=False)  # the first also proves types
                    row.repeats = repeats_for(
                        seconds, scale.budget_s, scale.least_repeats, scale.most_repeats
                    )

    def _repeat(self, rows: Sequence[_Row]) -> None:
        by_key = {str(at): row for at, row in enumerate(rows)}
        order = interleave({key: row.repeats for key, row in by_key.items()})
        self.observer.planned(len(order))
        for key in order:
            row = by_key[key]
            if row.live:
                row.step(counts=True)
            self.observer.advance(f"{row.trial.name}, {row.operation}")

    def _keep(self, trials: Sequence[_Trial]) -> None:
        for trial in trials:
            trial.cell.kill()
            self.timings += trial.timings(self._quantities)

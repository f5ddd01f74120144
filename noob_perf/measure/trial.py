"""A trial: one cell from load to outcome, in which no time counts before its result is checked.

Whatever happens in the cell ends as an outcome with a reason; none of it is raised.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

from noob_perf.measure.cell import Cell, CellError, CellTimeoutError
from noob_perf.measure.protocol import (
    Load,
    Loaded,
    Repeat,
    Repeated,
    Start,
    Started,
    Weigh,
    Weighed,
)
from noob_perf.measure.schedule import repeats_for
from noob_perf.results import MemorySample, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from noob_perf.measure.expected import Expected
    from noob_perf.registry import RunnerEntry
    from noob_workloads import Workload


class _WrongResultError(CellError):
    """A runner returned something else than the expected result."""


class Trial:
    """The measurement of one runner on one workload.

    Args:
        entry: the runner.
        workload: what it is to run.
        nodes: the nodes of the workload's graph.
        expected: the results that it must return.
        epochs: how many epochs a repeat has.
        workers: the processes or threads that it may use; None for its own choice.
        timeout_s: the seconds that all of it may take.
        repeats: how many times it repeats; None for as many as suit the time of its warm-up.
        cold: whether its warm-up is all that runs, and counts as its one repeat: for what takes
            minutes.
        weighed: whether its memory is measured after each repeat.
    """

    def __init__(
        self,
        entry: RunnerEntry,
        workload: Workload,
        *,
        nodes: int,
        expected: Expected,
        epochs: int,
        workers: int | None,
        timeout_s: float,
        repeats: int | None = None,
        cold: bool = False,
        weighed: bool = False,
    ) -> None:
        """Keep what is to be measured; nothing is started yet."""
        self.runner = entry.name
        self.workload = workload
        self.nodes = nodes
        self.epochs = epochs
        self.live = True
        self.repeats = 0
        self.epoch_s: list[float] = []
        self.memory: list[MemorySample] = []
        self._asked_repeats = repeats
        self._cold = cold
        self._weighed = weighed
        self._cell = Cell(entry, workload, workers, timeout_s)
        self._expected = expected
        self._outcome = Outcome.SUCCESS
        self._reason = ""
        self._stage = ""
        self._epochs_run = 0
        self._loaded: Loaded | None = None
        self._started: Started | None = None
        self._peak: int | None = None

    @property
    def outcome(self) -> Outcome:
        """How it ended, or that it has gone well so far."""
        return self._outcome

    @property
    def reason(self) -> str:
        """Why it did not go well; else empty."""
        return self._reason

    def warm_up(self) -> None:
        """Load, start, run as many epochs as a repeat has, and fix the number of repeats."""
        with self._recorded():
            self._stage = "loading"
            self._loaded = self._cell.ask(Load(), Loaded)
            self._stage = "starting"
            self._started = self._cell.ask(Start(), Started)
            self._stage = "warming up"
            seconds = self._run()
            if self._cold:
                self.epoch_s.append(seconds / self.epochs)
                return
            self.repeats = self._asked_repeats or repeats_for(seconds)
            self._expected.foresee(self.epochs * (1 + self.repeats))

    def repeat(self) -> None:
        """Run a repeat, and count its time if its results are the expected ones."""
        with self._recorded():
            self._stage = f"repeat {len(self.epoch_s) + 1} of {self.repeats}"
            self.epoch_s.append(self._run() / self.epochs)

    def stop(self) -> None:
        """Stop the runner in good order."""
        problem = self._cell.stop()
        if problem and self.live:
            self._reason = problem
        self.live = False

    def kill(self) -> None:
        """End the cell at once, whatever it is doing; does nothing if it has ended."""
        if self.live and len(self.epoch_s) < max(1, self.repeats):
            self._reason = f"interrupted after {len(self.epoch_s)} repeats"
            if not self.epoch_s:
                self._outcome = Outcome.FAILURE
        self.live = False
        self._cell.kill()

    def to_run(self, speedup: float | None) -> Run:
        """Return what was found, given the speedup over the baseline if there is one."""
        good = self._outcome is Outcome.SUCCESS
        return Run(
            runner=self.runner,
            outcome=self._outcome,
            reason=self._reason,
            nodes=self.nodes,
            epochs=self.epochs,
            workers=self._started.workers if self._started else 1,
            native=self._loaded.native if self._loaded else False,
            load_s=self._loaded.load_s if self._loaded else None,
            start_s=self._started.start_s if self._started else None,
            epoch_s=tuple(self.epoch_s),
            us_per_node=median(self.epoch_s) / self.nodes * 1e6 if good else None,
            speedup_vs_sync=speedup if good else None,
            validated=good,
            peak_rss_bytes=self._peak,
        )

    def _run(self) -> float:
        reply = self._cell.ask(Repeat(self.epochs), Repeated)
        first, self._epochs_run = self._epochs_run, self._epochs_run + self.epochs
        expected = self._expected.between(first, self._epochs_run)
        if len(reply.results) != self.epochs:
            raise _WrongResultError(f"{len(reply.results)} results of {self.epochs} epochs")
        for epoch, (got, wanted) in enumerate(zip(reply.results, expected, strict=True), first):
            if got != wanted:
                raise _WrongResultError(f"wrong result in epoch {epoch}: {got!r}, not {wanted!r}")
        self._peak = max(self._peak or 0, reply.peak_rss_bytes)
        if self._weighed:
            memory = self._cell.ask(Weigh(), Weighed).memory
            self.memory.append(MemorySample(self._epochs_run, **asdict(memory)))
        return reply.seconds

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Turn what goes wrong in the cell into the outcome."""
        try:
            yield
        except CellError as error:
            timeout = isinstance(error, CellTimeoutError)
            self._outcome = Outcome.TIMEOUT if timeout else Outcome.FAILURE
            self._reason = f"{self._stage}: {error}"
            if isinstance(error, _WrongResultError):
                self.epoch_s.clear()
            self._cell.kill()
            self.live = False


def refused(
    entry: RunnerEntry, reason: str, *, nodes: int, epochs: int, workers: int | None
) -> Run:
    """Make the run of a runner that is not even tried, with the reason."""
    return Run(
        runner=entry.name,
        outcome=Outcome.UNSUPPORTED,
        reason=reason,
        nodes=nodes,
        epochs=epochs,
        workers=workers or 1,
        native=False,
        load_s=None,
        start_s=None,
        epoch_s=(),
        us_per_node=None,
        speedup_vs_sync=None,
        validated=False,
        peak_rss_bytes=None,
    )

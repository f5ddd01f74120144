"""The question: how do the runners compare on one graph? Its cells, and how they are measured.

One cell a runner, each in a process of its own: all are loaded, started and warmed up, then repeat
in turns, and every result is checked. A runner that cannot bear the graph gets a row that says so,
and another on a graph that it can bear.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from noob_perf.measure.expected import Expected
from noob_perf.measure.machine import fingerprint
from noob_perf.measure.stock import StockTrial
from noob_perf.measure.trial import Trial, refused
from noob_perf.measure.turns import take_turns
from noob_perf.registry import BASELINE, RunnerEntry, missing_reason
from noob_perf.results import (
    SCHEMA_VERSION,
    Outcome,
    Run,
    SuiteResult,
    WorkloadFacts,
)
from noob_perf.stats import ratio_interval
from noob_workloads import WorkloadError

if TYPE_CHECKING:
    from noob_perf.measure.turns import Observer
    from noob_workloads import Workload


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    entries: tuple[RunnerEntry, ...]
    """The runners, in the order of their rows."""
    workload: Workload
    command: str
    """The command that does the same again."""
    epochs: int = 1
    """Epochs in a repeat."""
    repeats: int | None = None
    """Repeats a cell; None for as many as its time allows."""
    workers: int | None = None
    """Processes or threads for runners that have a choice; None for their own."""
    timeout_s: float = 180.0
    """For each cell, the time that it waits for its turn not counted."""


def measure(plan: Plan, observer: Observer) -> SuiteResult:
    """Measure every runner of the plan; on Ctrl-C, return what was measured until then.

    No process that it started is left when it returns, however it ends.
    """
    return _Measurement(plan, observer).take()


class _Measurement:
    """One suite while it is being measured."""

    def __init__(self, plan: Plan, observer: Observer) -> None:
        self.plan = plan
        self.observer = observer
        self.created = datetime.now(UTC).isoformat(timespec="seconds")
        self.machine = fingerprint()
        observer.stage("building the graph")
        self.facts = _facts(plan.workload)
        self.rows: list[Trial | Run] = []
        self.stock: StockTrial | None = None
        self.interrupted = False
        self.expected = Expected(plan.workload)
        for entry in plan.entries:
            self._add(entry)

    def take(self) -> SuiteResult:
        try:
            take_turns(self._trials, self.observer)
            self._measure_stock()
        except KeyboardInterrupt:
            self.interrupted = True
        return SuiteResult(
            schema_version=SCHEMA_VERSION,
            created=self.created,
            command=self.plan.command,
            interrupted=self.interrupted,
            machine=self.machine,
            workload=self.facts,
            stock_load=self.stock.to_stock_load() if self.stock else None,
            runs=tuple(self._runs()),
        )

    @property
    def _trials(self) -> list[Trial]:
        return [row for row in self.rows if isinstance(row, Trial)]

    def _add(self, entry: RunnerEntry) -> None:
        """Add the entry's row, or the rows that say why there is none."""
        workload, limit = self.plan.workload, entry.max_nodes
        if entry.missing:
            self._refuse(entry, missing_reason(entry))
        elif limit is None or self.facts.nodes <= limit:
            self.rows.append(self._trial(entry, workload, self.facts.nodes, self.expected))
        else:
            self._refuse(entry, f"{entry.limit_reason}: measured up to {limit} nodes")
            small = replace(workload, nodes=limit, width=max(1, min(workload.width, limit // 4)))
            try:
                nodes = small.graph().nodes
            except WorkloadError:  # the pattern has no graph so small
                return
            if nodes <= limit:
                self.rows.append(self._trial(entry, small, nodes, Expected(small)))

    def _trial(
        self, entry: RunnerEntry, workload: Workload, nodes: int, expected: Expected
    ) -> Trial:
        return Trial(
            entry,
            workload,
            nodes=nodes,
            expected=expected,
            epochs=self.plan.epochs,
            workers=self.plan.workers,
            timeout_s=self.plan.timeout_s,
            repeats=self.plan.repeats,
        )

    def _refuse(self, entry: RunnerEntry, reason: str) -> None:
        self.observer.ended(entry.name, Outcome.UNSUPPORTED, reason)
        plan = self.plan
        self.rows.append(
            refused(entry, reason, nodes=self.facts.nodes, epochs=plan.epochs, workers=plan.workers)
        )

    def _measure_stock(self) -> None:
        if any(entry.stock for entry in self.plan.entries):
            self.stock = StockTrial(self.plan.workload, self.plan.timeout_s)
            self.stock.measure(
                lambda size: self.observer.stage(f"stock NOOB: loading {size:,} nodes")
            )

    def _runs(self) -> list[Run]:
        baseline = next(
            (
                trial.epoch_s
                for trial in self._trials
                if trial.runner == BASELINE and trial.outcome is Outcome.SUCCESS
            ),
            None,
        )
        runs = []
        for row in self.rows:
            if isinstance(row, Run):
                runs.append(row)
                continue
            speedup = None
            if baseline and row.epoch_s and row.workload == self.plan.workload:
                speedup = ratio_interval(baseline, row.epoch_s).value
            runs.append(row.to_run(speedup))
        return runs


def _facts(workload: Workload) -> WorkloadFacts:
    structure = workload.graph().structure(workload.durations())
    parameters = {name: value for name, value in asdict(workload).items() if value is not None}
    if workload.source is not None:  # results name no paths of the machine
        parameters["source"] = Path(workload.source).name
    return WorkloadFacts(
        pattern=workload.pattern,
        kernel=workload.kernel,
        nodes=structure.nodes,
        edges=structure.edges,
        content_hash=structure.content_hash,
        depth=structure.depth,
        width=structure.width,
        work_s=float(structure.work),
        span_s=float(structure.span),
        parallelism=float(structure.parallelism),
        critical_path_nodes=len(structure.critical_path),
        parameters=parameters,
    )

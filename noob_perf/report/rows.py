"""The rows of the report, ready to be shown: what the table in the terminal and the page share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from noob_perf.registry import BASELINE
from noob_perf.report import units
from noob_perf.results import Outcome
from noob_perf.stats import Estimate, median_interval, ratio_interval

if TYPE_CHECKING:
    from noob_perf.results import Run, StockLoad, SuiteResult

TRUSTED_SPREAD = 0.25
"""An interval wider than this share of its median is warned of."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run and the figures that are computed from it."""

    run: Run
    epoch: Estimate | None
    """Seconds an epoch; None if the run was not measured."""
    speedup: Estimate | None
    """Over the baseline on the same graph; None if either was not measured."""
    reduced: bool
    """Whether it ran on a smaller graph than the one asked for."""

    @property
    def label(self) -> str:
        """The runner, with its nodes if they are not those asked for."""
        return f"{self.run.runner}, {self.run.nodes:,} nodes" if self.reduced else self.run.runner

    @property
    def measured(self) -> bool:
        """Whether the run succeeded."""
        return self.run.outcome is Outcome.SUCCESS

    @property
    def noisy(self) -> bool:
        """Whether the spread is too wide to trust."""
        return self.epoch is not None and self.epoch.spread > TRUSTED_SPREAD


def make_rows(result: SuiteResult) -> list[Row]:
    """Compute the figures of every run, in the order of the runs."""
    baseline = next(
        (r.epoch_s for r in result.runs if r.runner == BASELINE and r.us_per_node is not None), None
    )
    return [_row(run, baseline, result.workload.nodes) for run in result.runs]


def _row(run: Run, baseline: tuple[float, ...] | None, asked_nodes: int) -> Row:
    reduced = run.nodes != asked_nodes
    if run.outcome is not Outcome.SUCCESS:
        return Row(run, None, None, reduced)
    speedup = None
    if baseline is not None and run.speedup_vs_sync is not None:
        speedup = ratio_interval(baseline, run.epoch_s)
    return Row(run, median_interval(run.epoch_s), speedup, reduced)


def warnings(result: SuiteResult) -> list[str]:
    """Say what speaks against trusting the figures; one sentence each."""
    found = []
    if result.interrupted:
        found.append("The run was interrupted: what was measured until then is shown.")
    if result.machine.native_build == "debug":
        found.append("noob-fast is a debug build: its times say nothing of a release build.")
    twins = [r.runner for r in result.runs if r.runner == "compiled" and not r.native and r.epoch_s]
    if twins:
        found.append(
            "compiled ran on the Python twins: noob-fast is not installed or NOOB_FAST=0 is set."
        )
    for row in make_rows(result):
        if row.epoch is not None and len(row.run.epoch_s) == 1:
            found.append(f"{row.label}: a single repeat tells nothing of the spread.")
        if row.noisy and row.epoch is not None:
            found.append(
                f"{row.label}: the interval of the median spans "
                f"{units.percent(row.epoch.spread)} of it, too much to trust small differences; "
                "quiet the machine or ask for more --repeats."
            )
        if row.measured and row.run.reason:
            found.append(f"{row.label}: {row.run.reason}.")
    return found


def describe_stock_load(stock: StockLoad) -> str:
    """Say in a sentence how long stock NOOB takes to load, and whether that was measured."""
    size = f"{stock.asked_nodes:,} nodes"
    if stock.measured_s is not None:
        return f"Stock NOOB loads {size} in {units.seconds(stock.measured_s)} (measured)."
    if stock.extrapolated_s is None or stock.exponent is None:
        return f"Stock NOOB's load time at {size} is not known: {stock.reason}."
    low, high = stock.extrapolated_interval_s or (stock.extrapolated_s, stock.extrapolated_s)
    text = (
        f"Stock NOOB would load {size} in about {units.seconds(stock.extrapolated_s)} "
        f"({units.seconds_between(low, high)}) if its growth went on: extrapolated, not "
        f"measured, from {stock.points[0].nodes:,} to {stock.points[-1].nodes:,} nodes, where the "
        f"time grows as nodes^{stock.exponent:.2f}"
    )
    if stock.exponent_interval:
        text += f" ({stock.exponent_interval[0]:.2f} to {stock.exponent_interval[1]:.2f})"
    text += ". The intervals are those of the scatter: they cannot know whether the growth steepens"
    return f"{text}; {stock.reason}." if stock.reason else f"{text}."

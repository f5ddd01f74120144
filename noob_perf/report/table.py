"""The table in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from noob_perf import registry
from noob_perf.report import units
from noob_perf.report.rows import describe_stock_load, make_rows
from noob_perf.results import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from noob_perf.report.rows import Row
    from noob_perf.results import SuiteResult
    from noob_perf.stats import Estimate

_STYLES = {
    Outcome.SUCCESS: "green",
    Outcome.UNSUPPORTED: "yellow",
    Outcome.TIMEOUT: "red",
    Outcome.FAILURE: "red",
}


def make_table(result: SuiteResult) -> RenderableType:
    """Lay out a suite's results: the table, the reasons of what is missing, and what to know."""
    table = Table(
        title=_title(result),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    rows = make_rows(result)
    longest = max((len(row.run.runner) for row in rows), default=0)
    table.add_column("runner", style="bold", min_width=longest)
    for name in ("load", "time per epoch", "µs a node", "speedup over sync", "peak memory"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("result", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    notes = [
        Text(f"{row.run.runner}, {row.run.nodes:,} nodes: {row.run.outcome}: {row.run.reason}")
        for row in rows
        if not row.measured
    ]
    if any(row.epoch for row in rows):
        note = (
            "Intervals: 95 %, or what so few repeats can give (5 repeats: 94 % of a median). "
            "µs a node: of the graph's nodes; the tube's source, folds and return run as well."
        )
        stock = {entry.name for entry in registry.entries() if entry.stock}
        shown = dict.fromkeys(row.run.runner for row in rows if row.epoch)
        if names := [name for name in shown if name in stock]:
            note += (
                f" {', '.join(names)}: edges are looked up as NOOB does, but the tube is loaded by "
                "IndexedTube, with its scheduler."
            )
        notes.append(Text(note, style="dim"))
    if result.stock_load:
        notes.append(Text(describe_stock_load(result.stock_load)))
    return Group(table, Text(), *notes)


def _title(result: SuiteResult) -> str:
    workload = result.workload
    return (
        f"{workload.pattern}, {workload.kernel}: {workload.nodes:,} nodes, {workload.edges:,} "
        f"edges, depth {workload.depth:,}, width {workload.width:,}"
    )


def _cells(row: Row) -> list[Text | str]:
    run = row.run
    return [
        row.label.replace(", ", "\n"),
        units.seconds(run.load_s) if run.load_s is not None else "-",
        _with_interval(row.epoch, units.seconds, units.seconds_between),
        units.number(run.us_per_node) if run.us_per_node is not None else "-",
        _with_interval(row.speedup, units.times, units.times_between),
        units.memory(run.peak_rss_bytes) if run.peak_rss_bytes is not None else "-",
        "checked" if run.validated else "-",
        Text(run.outcome, style=_STYLES[run.outcome]),
    ]


def _with_interval(
    estimate: Estimate | None,
    write: Callable[[float], str],
    write_interval: Callable[[float, float], str],
) -> Text | str:
    """Write an estimate, and under it its interval, so that the table fits a terminal."""
    if estimate is None:
        return "-"
    if not estimate.confidence:  # of a single repeat: an interval would look like certainty
        return write(estimate.value)
    interval = (write_interval(estimate.low, estimate.high), "dim")
    return Text.assemble(write(estimate.value), "\n", interval)

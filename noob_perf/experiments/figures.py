"""How cells become figures: with their intervals where all were measured, else with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.results import Figure, Outcome, Quantity
from noob_perf.stats import (
    Estimate,
    difference_interval,
    efficiency,
    fit_line,
    median_interval,
    ratio_interval,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob_perf.results import CellResult

FLAT_SHARE = 0.01
"""Memory is flat if it grows by less than this share of itself over the epochs looked at..."""
FLAT_BYTES = 2**20
"""...or by less than this, if that is more: a page table or an arena comes in one piece."""


def time_per_node(name: str, cell: CellResult, *, at_most: float | None = None) -> Figure:
    """Seconds an epoch over the graph's nodes."""
    return _figure(
        name,
        Quantity.SECONDS,
        lambda: median_interval([seconds / cell.run.nodes for seconds in cell.run.epoch_s]),
        cell,
        at_most=at_most,
    )


def difference_per_node(
    name: str, cell: CellResult, other: CellResult, *, at_most: float | None = None
) -> Figure:
    """By how many seconds a node one cell takes longer than another on a graph of equal size."""
    nodes = cell.run.nodes
    return _figure(
        name,
        Quantity.SECONDS,
        lambda: difference_interval(
            [seconds / nodes for seconds in cell.run.epoch_s],
            [seconds / nodes for seconds in other.run.epoch_s],
        ),
        cell,
        other,
        at_most=at_most,
    )


def ratio(
    name: str,
    cell: CellResult,
    other: CellResult,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    """By what factor the first cell's time exceeds that of the other."""
    return _figure(
        name,
        Quantity.TIMES,
        lambda: ratio_interval(cell.run.epoch_s, other.run.epoch_s),
        cell,
        other,
        at_most=at_most,
        at_least=at_least,
    )


def share_of_ideal(name: str, cell: CellResult, *, at_least: float | None = None) -> Figure:
    """The efficiency: the time that the work alone would take all workers, over that it took."""
    return _figure(
        name,
        Quantity.SHARE,
        lambda: median_interval(efficiencies(cell)),
        cell,
        at_least=at_least,
    )


def efficiencies(cell: CellResult) -> list[float]:
    """The efficiency of each repeat."""
    work_s = cell.run.nodes * float(cell.parameters["duration"])
    return [efficiency(work_s, cell.run.workers, seconds) for seconds in cell.run.epoch_s]


def memory_growth(name: str, cell: CellResult, *, after: int) -> list[Figure]:
    """How much memory a cell gains from an epoch to its last: in all, and an epoch by its parts.

    Args:
        name: of the cell.
        cell: with memory samples.
        after: the epochs before are left out: caches fill in them.
    """
    samples = [sample for sample in cell.memory if sample.epochs >= after]
    if len(samples) < 3:  # noqa: PLR2004 - a line needs three
        reason = cell.run.reason or f"{len(samples)} samples from epoch {after} on are too few"
        return [Figure(f"{name}: growth", Quantity.BYTES, None, reason)]
    epochs = [sample.epochs for sample in samples]
    span = epochs[-1] - epochs[0]
    total = _slope(epochs, [sample.total_bytes for sample in samples])
    level = median_interval([sample.total_bytes for sample in samples])
    parts = (
        ("coordinator", [sample.own_bytes for sample in samples]),
        ("workers", [sample.children_bytes for sample in samples]),
        ("memory files", [sample.shared_bytes for sample in samples]),
    )
    return [
        Figure(f"{name}: memory held, median", Quantity.BYTES, level),
        Figure(
            f"{name}: growth from epoch {epochs[0]:,} to {epochs[-1]:,}",
            Quantity.BYTES,
            Estimate(total.value * span, total.low * span, total.high * span, total.confidence),
            at_most=max(FLAT_BYTES, FLAT_SHARE * level.value),
        ),
        *(
            Figure(f"{name}: growth an epoch, {part}", Quantity.BYTES, _slope(epochs, values))
            for part, values in parts
        ),
    ]


def _slope(epochs: list[int], values: list[int]) -> Estimate:
    return fit_line(epochs, values).slope


def _figure(
    name: str,
    quantity: Quantity,
    compute: Callable[[], Estimate],
    *cells: CellResult,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    """Compute a figure from cells, if all of them were measured."""
    reasons = [why(cell) for cell in cells if not measured(cell)]
    estimate = None if reasons else compute()
    return Figure(name, quantity, estimate, "; ".join(reasons), at_least, at_most)


def measured(cell: CellResult) -> bool:
    """Whether there is a time that counts."""
    return cell.run.outcome is Outcome.SUCCESS and bool(cell.run.epoch_s)


def why(cell: CellResult) -> str:
    """Why there is none."""
    return f"{cell.label}: {cell.run.outcome}: {cell.run.reason}"

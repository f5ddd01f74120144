"""The page's figures as coordinates: a strip of repeats for each runner, and a growth in log-log.

Here numbers become positions; how they look is the template's business. All coordinates are in
the units of the figure's own view box.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, log, log10
from typing import TYPE_CHECKING

from noob_perf.report import units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noob_perf.report.rows import Row
    from noob_perf.results import StockLoad
    from noob_perf.stats import Estimate

_FEW_TICKS = 4
"""An axis with fewer ticks than this at the powers of ten gets those at 2 and 5 as well."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


class LogScale:
    """A logarithmic axis from values to positions.

    Args:
        values: the positive values that it must show, at least one.
        start: the position of the least of them, less a margin.
        end: the position of the greatest of them, with a margin; it may lie below the start.
        write: how a value is written at a tick.
    """

    def __init__(
        self, values: Sequence[float], start: float, end: float, write: Callable[[float], str]
    ) -> None:
        """Fit the axis to the values."""
        low, high = log(min(values)), log(max(values))
        margin = max(0.06 * (high - low), 0.1)
        self._low, self._high = low - margin, high + margin
        self._start, self._end = start, end
        self._write = write

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        share = (log(value) - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self) -> list[Tick]:
        """Return the powers of ten within the axis; with 2 and 5 times them if those are few."""
        decades = range(floor(log10(exp(self._low))), floor(log10(exp(self._high))) + 1)
        for steps in ((1,), (1, 2, 5), tuple(range(1, 10))):
            values = [step * 10.0**decade for decade in decades for step in steps]
            shown = [value for value in values if self._low <= log(value) <= self._high]
            if len(shown) >= _FEW_TICKS:
                break
        return [Tick(self(value), self._write(value)) for value in shown]


@dataclass(frozen=True, slots=True)
class Dot:
    """A measured value."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Strip:
    """All repeats of a runner."""

    name: str
    y: float
    dots: tuple[Dot, ...]
    median: float
    low: float
    high: float
    label: str
    """The median, written."""


@dataclass(frozen=True, slots=True)
class StripChart:
    """Seconds an epoch, a strip a runner, on a common logarithmic axis."""

    width: float
    height: float
    left: float
    right: float
    ticks: list[Tick]
    strips: list[Strip]
    limit: float | None
    """The position of the plain loop's median."""


def strip_chart(rows: Sequence[Row]) -> StripChart | None:
    """Lay out the repeats of all rows that were measured; None if there is none."""
    return strips_of([(row.label, row.run.epoch_s, row.epoch) for row in rows if row.epoch])


def strips_of(
    shown: Sequence[tuple[str, Sequence[float], Estimate]], limit: str = "loop"
) -> StripChart | None:
    """Lay out samples in seconds, each with a name and its median; None if there are none.

    Args:
        shown: what gets a strip.
        limit: the name of the strip whose median the others are seen beside, if it is there.
    """
    if not shown:
        return None
    width, left, right, step, top = 860.0, 170.0, 765.0, 38.0, 14.0
    scale = LogScale([s for _, samples, _ in shown for s in samples], left, right, units.tick)
    strips = []
    for place, (name, samples, median) in enumerate(shown):
        y = top + (place + 0.5) * step
        strips.append(
            Strip(
                name=name,
                y=y,
                dots=tuple(
                    # spread a little, so that equal times do not hide one another
                    Dot(scale(s), round(y + (i % 5 - 2) * 2.4, 1), units.seconds(s))
                    for i, s in enumerate(samples)
                ),
                median=scale(median.value),
                low=scale(median.low),
                high=scale(median.high),
                label=units.seconds(median.value),
            )
        )
    at = next((s.median for s in strips if s.name == limit), None)
    height = top + len(shown) * step + 34
    return StripChart(width, height, left, right, scale.ticks(), strips, at)


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """Load time over nodes, both logarithmic: what was measured, the power law, where it leads."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    measured: list[Dot]
    line: tuple[float, float, float, float]
    ahead: Dot
    ahead_low: float
    ahead_high: float


def growth_chart(stock: StockLoad | None) -> GrowthChart | None:
    """Lay out the growth of stock NOOB's load time; None unless it was extrapolated."""
    if stock is None or stock.extrapolated_s is None or stock.exponent is None:
        return None
    low, high = stock.extrapolated_interval_s or (stock.extrapolated_s, stock.extrapolated_s)
    width, height, left, right, top, bottom = 560.0, 300.0, 70.0, 540.0, 14.0, 256.0
    sizes = [point.nodes for point in stock.points]
    first = stock.extrapolated_s * (sizes[0] / stock.asked_nodes) ** stock.exponent
    values = [s for point in stock.points for s in point.load_s]
    x = LogScale([*sizes, stock.asked_nodes], left, right, "{:,.0f}".format)
    y = LogScale([*values, first, low, high], bottom, top, units.tick)
    return GrowthChart(
        width, height, left, right, top, bottom, x.ticks(), y.ticks(),
        measured=[
            Dot(x(point.nodes), y(s), f"{point.nodes:,} nodes: {units.seconds(s)}, measured")
            for point in stock.points
            for s in point.load_s
        ],
        line=(x(sizes[0]), y(first), x(stock.asked_nodes), y(stock.extrapolated_s)),
        ahead=Dot(
            x(stock.asked_nodes),
            y(stock.extrapolated_s),
            f"{stock.asked_nodes:,} nodes: {units.seconds(stock.extrapolated_s)}, extrapolated",
        ),
        ahead_low=y(low),
        ahead_high=y(high),
    )  # fmt: skip

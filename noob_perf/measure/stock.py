"""The load time of stock NOOB: measured up to a size, and led on from there by its growth.

NOOB's own ``Tube.from_specification`` takes minutes at 10,000 nodes, so the default suite loads
its tubes by IndexedTube and measures NOOB's own loading here, at sizes that take seconds. A size
beyond them is extrapolated, and is never given as if it had been measured.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from noob_perf.measure.cell import Cell, CellError
from noob_perf.measure.expected import Expected
from noob_perf.measure.protocol import Load, Loaded, Repeat, Repeated, Start, Started
from noob_perf.registry import RunnerEntry
from noob_perf.results import StockLoad, StockPoint
from noob_perf.stats import Growth, fit_growth
from noob_workloads import WorkloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from noob_workloads import Workload

SIZES = (500, 1_000, 2_000, 3_000)
"""Nodes of the tubes that are loaded for a size beyond them."""
REPEATS = 3

_STOCK = RunnerEntry("stock", "noob_perf.measure.harness:Stock", "NOOB alone, loading included")


class StockTrial:
    """The measurement of how long NOOB's own Tube takes to load.

    Args:
        workload: up to the greatest of `SIZES` it is loaded itself; beyond, smaller ones like it.
        timeout_s: for each size.
    """

    def __init__(self, workload: Workload, timeout_s: float) -> None:
        """Keep what is to be measured; nothing is started yet."""
        self._workload = workload
        self._timeout_s = timeout_s
        self._asked = workload.graph().nodes
        self._points: list[StockPoint] = []
        self._reason = "interrupted"

    def measure(self, on_size: Callable[[int], None]) -> None:
        """Load at one size after the other; where a size fails, those below it count.

        Args:
            on_size: told the size that is being measured.

        Raises:
            KeyboardInterrupt: it was interrupted; the sizes that were done then count.
        """
        beyond = self._asked > SIZES[-1]
        try:
            for smaller in _smaller(self._workload) if beyond else [self._workload]:
                nodes = smaller.graph().nodes
                on_size(nodes)
                self._points.append(StockPoint(nodes, _load(smaller, self._timeout_s)))
            self._reason = ""
        except (CellError, WorkloadError) as error:
            self._reason = str(error)

    def to_stock_load(self) -> StockLoad:
        """Return the points, their growth, and the time at the workload's own size.

        That is measured or, with the power law that fits the points, extrapolated.
        """
        points, asked = self._points, self._asked
        measured = next((median(p.load_s) for p in points if p.nodes == asked), None)
        growth = _growth(points)
        ahead = growth.predict(asked) if growth and measured is None else None
        return StockLoad(
            points=tuple(points),
            exponent=growth.exponent.value if growth else None,
            exponent_interval=(growth.exponent.low, growth.exponent.high) if growth else None,
            asked_nodes=asked,
            measured_s=measured,
            extrapolated_s=ahead.value if ahead else None,
            extrapolated_interval_s=(ahead.low, ahead.high) if ahead else None,
            reason=self._reason,
        )


def _smaller(workload: Workload) -> Iterator[Workload]:
    """Yield workloads like it that stock NOOB loads in seconds."""
    for size in SIZES:
        smaller = replace(workload, nodes=size)
        if smaller.graph().nodes >= workload.graph().nodes:
            raise CellError(f"pattern {workload.pattern!r} has no smaller graphs")
        yield smaller


def _growth(points: list[StockPoint]) -> Growth | None:
    if len(points) < 2:  # noqa: PLR2004 - one size tells nothing of growth
        return None
    sizes = [point.nodes for point in points for _ in point.load_s]
    return fit_growth(sizes, [seconds for point in points for seconds in point.load_s])


def _load(workload: Workload, timeout_s: float) -> tuple[float, ...]:
    """Load a few times, then run an epoch: a load counts if what it loaded works."""
    cell = Cell(_STOCK, workload, None, timeout_s)
    try:
        seconds = tuple(cell.ask(Load(), Loaded).load_s for _ in range(REPEATS))
        cell.ask(Start(), Started)
        (got,) = cell.ask(Repeat(1), Repeated).results
        (wanted,) = Expected(workload).between(0, 1)
        if got != wanted:
            raise CellError(f"the loaded tube gives a wrong result: {got!r}, not {wanted!r}")
        return seconds
    finally:
        cell.kill()

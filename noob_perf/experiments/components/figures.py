"""How timings become figures: with intervals where all were measured, else with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_perf.results import LEAST_SIZES, Figure, Quantity, Target
from noob_perf.stats import fit_growth, median_interval, ratio_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from noob_perf.results import Timing
    from noob_perf.stats import Estimate, Growth


def median(timing: Timing, per: int = 1) -> Estimate | None:
    """The median of what an operation took, over a number; None if it was not measured."""
    if not timing.measured:
        return None
    return median_interval([value / per for value in timing.values])


def ratio(over: Timing, under: Timing) -> Estimate | None:
    """By what factor the first exceeds the second; None unless both were measured."""
    if not (over.measured and under.measured):
        return None
    return ratio_interval(over.values, under.values)


def reason(*timings: Timing) -> str:
    """Why there is no figure."""
    return "; ".join(
        f"{timing.implementation}: {timing.reason}" for timing in timings if not timing.measured
    )


def absolute(
    name: str,
    timing: Timing,
    *,
    per: int = 1,
    at_most: float | None = None,
    beside: Timing | None = None,
) -> Target:
    """A target that the median itself is judged by, with the same of a reference beside it."""
    figure = Figure(name, timing.quantity, median(timing, per), reason(timing), at_most=at_most)
    if beside is None:
        return Target(figure, "", None)
    return Target(figure, beside.implementation, median(beside, per))


def times(
    name: str, reference: Timing, timing: Timing, *, per: int = 1, at_least: float | None = None
) -> Target:
    """A target that is a ratio: how many times faster than a reference, whose time is beside it."""
    figure = Figure(
        name, Quantity.TIMES, ratio(reference, timing), reason(reference, timing), at_least=at_least
    )
    return Target(figure, reference.implementation, median(reference, per))


def fastest(*timings: Timing) -> Timing:
    """The one of least median; one that was not measured, if there is any: it might be it."""
    for timing in timings:
        if not timing.measured:
            return timing
    return min(timings, key=lambda timing: median_interval(timing.values).value)


def growths(timings: Iterable[Timing]) -> list[Figure]:
    """The exponents of time over size, wherever one implementation has three sizes of a case."""
    series: dict[str, list[Timing]] = {}
    for timing in timings:
        if timing.measured and timing.quantity in (Quantity.SECONDS, Quantity.COUNT):
            series.setdefault(timing.series, []).append(timing)
    return [
        Figure(name, Quantity.EXPONENT, growth(found).exponent)
        for name, found in series.items()
        if len(found) >= LEAST_SIZES
    ]


def growth(timings: Sequence[Timing]) -> Growth:
    """How the time of an operation grows over sizes, from all of its repeats."""
    sizes = [timing.size for timing in timings for _ in timing.values]
    return fit_growth(sizes, [value for timing in timings for value in timing.values])

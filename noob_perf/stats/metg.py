"""METG: how short tasks may be before a system wastes more than a given share of its workers.

The minimum effective task granularity is the least length of a task at which a system still has a
given efficiency (E. Slaughter et al., Task Bench: A Parameterized Benchmark for Evaluating Parallel
Runtime Performance, SC20, 2020). Lengths are here the work in a task, without what the system adds:
at an efficiency of one half, a task then takes twice that of its worker's time.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, log
from typing import TYPE_CHECKING

from noob_perf.stats.intervals import Estimate, median_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def efficiency(work_s: float, workers: int, makespan_s: float) -> float:
    """The share of the workers' time that went into the work: 1 if they did nothing else."""
    return work_s / (workers * makespan_s)


def metg(efficiencies: Mapping[float, float], threshold: float = 0.5) -> float | None:
    """Find the task length below which the efficiency falls under a threshold.

    From the longest tasks down, the first two neighbours with the threshold between them are
    joined by a line, in the logarithm of the length. If the efficiency rises again further down,
    that does not count: it would be noise.

    Args:
        efficiencies: the efficiency by the length of the tasks, a positive number.
        threshold: the efficiency asked for.

    Returns:
        The length, or None if the efficiency does not fall through the threshold in that range.
    """
    lengths = sorted(efficiencies, reverse=True)
    for longer, shorter in pairwise(lengths):
        above, below = efficiencies[longer], efficiencies[shorter]
        if above < threshold:
            return None
        if below < threshold:
            share = (threshold - below) / (above - below)
            return exp(log(shorter) + share * (log(longer) - log(shorter)))
    return None


def metg_interval(
    efficiencies: Mapping[float, Sequence[float]], threshold: float = 0.5, confidence: float = 0.95
) -> Estimate | None:
    """Estimate METG from repeats: that of the medians, and of the ends of the medians' intervals.

    Args:
        efficiencies: the repeats' efficiencies by the length of the tasks.
        threshold: the efficiency asked for.
        confidence: of each median's interval; what was reached at the length with the fewest
            repeats is given. It holds for each length, not for all of them together.

    Returns:
        None if the medians do not cross the threshold. An end of the interval that does not
        cross it either is the end of the range of lengths.
    """
    medians = {
        length: median_interval(repeats, confidence) for length, repeats in efficiencies.items()
    }
    value = metg({length: median.value for length, median in medians.items()}, threshold)
    if value is None:
        return None
    low = metg({length: median.high for length, median in medians.items()}, threshold)
    high = metg({length: median.low for length, median in medians.items()}, threshold)
    return Estimate(
        value,
        min(medians) if low is None else low,
        max(medians) if high is None else high,
        min(median.confidence for median in medians.values()),
    )

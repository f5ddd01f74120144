"""Statistics of repeated timings: intervals, lines, growth and METG; numpy only."""

from __future__ import annotations

from noob_perf.stats.growth import Growth, fit_growth
from noob_perf.stats.intervals import (
    Estimate,
    difference_interval,
    median_interval,
    ratio_interval,
)
from noob_perf.stats.line import Line, fit_line
from noob_perf.stats.metg import efficiency, metg, metg_interval

__all__ = [
    "Estimate",
    "Growth",
    "Line",
    "difference_interval",
    "efficiency",
    "fit_growth",
    "fit_line",
    "median_interval",
    "metg",
    "metg_interval",
    "ratio_interval",
]

"""Statistics of repeated timings: intervals of medians and ratios, and growth; numpy only."""

from __future__ import annotations

from noob_perf.stats.growth import Growth, fit_growth
from noob_perf.stats.intervals import Estimate, median_interval, ratio_interval

__all__ = ["Estimate", "Growth", "fit_growth", "median_interval", "ratio_interval"]

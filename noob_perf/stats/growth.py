"""How a time grows with a size: the exponent of a power law, its interval, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING

from noob_perf.stats.intervals import Estimate
from noob_perf.stats.line import fit_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noob_perf.stats.line import Line


@dataclass(frozen=True, slots=True)
class Growth:
    """A fitted power law: seconds = exp(intercept) * size ** exponent."""

    line: Line
    """Log seconds over log size."""

    @property
    def exponent(self) -> Estimate:
        """The slope in log-log coordinates, with its interval."""
        return self.line.slope

    def predict(self, size: int) -> Estimate:
        """Extrapolate to a size: seconds, with the prediction interval of a new measurement.

        The interval covers the scatter of the measurements, not the error of supposing that the
        power law goes on beyond them: no statistics of the measured sizes can tell that.
        """
        ahead = self.line.predict(log(size))
        return Estimate(exp(ahead.value), exp(ahead.low), exp(ahead.high), ahead.confidence)


def fit_growth(sizes: Sequence[int], seconds: Sequence[float], confidence: float = 0.95) -> Growth:
    """Fit a power law by least squares of log seconds on log size, as `fit_line` does.

    Args:
        sizes: one size a measurement; the same size may come several times.
        seconds: the positive times measured, in the order of the sizes.
        confidence: of the exponent's interval, between 0 and 1.

    Raises:
        ValueError: fewer than 3 measurements or 2 sizes, or a value that is not positive.
    """
    if len(sizes) != len(seconds):
        raise ValueError(f"{len(sizes)} sizes, but {len(seconds)} times")
    if min([*sizes, *seconds], default=1) <= 0:
        raise ValueError("a power law is fitted to positive sizes and times only")
    return Growth(fit_line([log(size) for size in sizes], [log(s) for s in seconds], confidence))

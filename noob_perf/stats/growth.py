"""How a time grows with a size: the exponent of a power law, its interval, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noob_perf.stats.intervals import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_POINTS = 3
"""A line through two points fits exactly and tells nothing of its own error."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A fitted power law: seconds = exp(intercept) * size ** exponent."""

    exponent: Estimate
    """The slope in log-log coordinates, with its interval."""
    intercept: float
    """The logarithm of the seconds at size 1."""
    residual: float
    """Standard error of the residuals, in log seconds."""
    centre: float
    """Mean of the logarithms of the sizes."""
    scatter: float
    """Sum of squares of the logarithms of the sizes about their mean."""
    points: int
    """How many measurements were fitted."""

    def predict(self, size: int) -> Estimate:
        """Extrapolate to a size: seconds, with the prediction interval of a new measurement.

        The interval covers the scatter of the measurements, not the error of supposing that the
        power law goes on beyond them: no statistics of the measured sizes can tell that.
        """
        at = np.log(size)
        centre = self.intercept + self.exponent.value * at
        wide = 1 + 1 / self.points + (at - self.centre) ** 2 / self.scatter
        quantile = _student_quantile(0.5 + self.exponent.confidence / 2, self.points - 2)
        half = quantile * self.residual * np.sqrt(wide)
        low, value, high = np.exp([centre - half, centre, centre + half])
        return Estimate(float(value), float(low), float(high), self.exponent.confidence)


def fit_growth(sizes: Sequence[int], seconds: Sequence[float], confidence: float = 0.95) -> Growth:
    """Fit a power law by least squares of log seconds on log size.

    Slope, its interval and the prediction interval are those of simple linear regression with
    Student's t (N. R. Draper and H. Smith, Applied Regression Analysis, 3rd edition, 1998,
    sections 1.4 and 3.1).

    Args:
        sizes: one size a measurement; the same size may come several times.
        seconds: the positive times measured, in the order of the sizes.
        confidence: of the exponent's interval, between 0 and 1.

    Raises:
        ValueError: fewer than 3 measurements or 2 sizes, or a value that is not positive.
    """
    if len(sizes) != len(seconds):
        raise ValueError(f"{len(sizes)} sizes, but {len(seconds)} times")
    if len(sizes) < _LEAST_POINTS or len(set(sizes)) < 2:  # noqa: PLR2004 - a line needs two
        raise ValueError(f"a growth exponent needs 3 measurements at 2 sizes, got {sizes!r}")
    if min(sizes) <= 0 or min(seconds) <= 0:
        raise ValueError("a power law is fitted to positive sizes and times only")
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(seconds, float))
    centre = float(x.mean())
    scatter = float(((x - centre) ** 2).sum())
    slope = float(((x - centre) * y).sum() / scatter)
    intercept = float(y.mean() - slope * centre)
    residual = float(np.sqrt(((y - intercept - slope * x) ** 2).sum() / (len(x) - 2)))
    half = _student_quantile(0.5 + confidence / 2, len(x) - 2) * residual / scatter**0.5
    exponent = Estimate(slope, slope - half, slope + half, confidence)
    return Growth(exponent, intercept, residual, centre, scatter, len(x))


def _student_quantile(probability: float, freedom: int) -> float:
    """Student's t, inverted: the value that t stays below with a probability of at least 1/2.

    With t = sqrt(freedom) tan(a), the density in the angle a is proportional to
    cos(a) ** (freedom - 1), smooth on a finite range: it is summed up and read backwards.
    """
    angles = np.linspace(0, np.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = np.interp(2 * probability - 1, below / below[-1], angles)
    return float(np.sqrt(freedom) * np.tan(angle))

"""Simple linear regression with Student's t: what growth over time and over size are fitted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noob_perf.stats.intervals import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_POINTS = 3
"""A line through two points fits exactly and tells nothing of its own error."""


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted line: y = intercept + slope * x."""

    slope: Estimate
    """Units of y a unit of x, with its interval."""
    intercept: float
    """The y at x = 0."""
    residual: float
    """Standard error of the residuals, in units of y."""
    centre: float
    """Mean of x."""
    scatter: float
    """Sum of squares of x about its mean."""
    points: int
    """How many points were fitted."""

    def predict(self, x: float) -> Estimate:
        """The y of a new point at that x, with its prediction interval."""
        value = self.intercept + self.slope.value * x
        wide = 1 + 1 / self.points + (x - self.centre) ** 2 / self.scatter
        quantile = student_quantile(0.5 + self.slope.confidence / 2, self.points - 2)
        half = quantile * self.residual * wide**0.5
        return Estimate(value, value - half, value + half, self.slope.confidence)


def fit_line(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Line:
    """Fit a line by least squares.

    Slope, its interval and the prediction interval are those of simple linear regression with
    Student's t (N. R. Draper and H. Smith, Applied Regression Analysis, 3rd edition, 1998,
    sections 1.4 and 3.1). They suppose that the residuals do not depend on each other.

    Args:
        x: one value a point; the same may come several times.
        y: the values at these x, in their order.
        confidence: of the intervals, between 0 and 1.

    Raises:
        ValueError: fewer than 3 points, or all at the same x.
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} x, but {len(y)} y")
    if len(x) < LEAST_POINTS or len(set(x)) < 2:  # noqa: PLR2004 - a line needs two
        raise ValueError(f"a line needs {LEAST_POINTS} points at 2 different x, got {x!r}")
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    centre = float(xs.mean())
    scatter = float(((xs - centre) ** 2).sum())
    slope = float(((xs - centre) * ys).sum() / scatter)
    intercept = float(ys.mean() - slope * centre)
    residual = float(np.sqrt(((ys - intercept - slope * xs) ** 2).sum() / (len(xs) - 2)))
    half = student_quantile(0.5 + confidence / 2, len(xs) - 2) * residual / scatter**0.5
    estimate = Estimate(slope, slope - half, slope + half, confidence)
    return Line(estimate, intercept, residual, centre, scatter, len(xs))


def student_quantile(probability: float, freedom: int) -> float:
    """Student's t, inverted: the value that t stays below with a probability of at least 1/2.

    With t = sqrt(freedom) tan(a), the density in the angle a is proportional to
    cos(a) ** (freedom - 1), smooth on a finite range: it is summed up and read backwards.
    """
    angles = np.linspace(0, np.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = np.interp(2 * probability - 1, below / below[-1], angles)
    return float(np.sqrt(freedom) * np.tan(angle))

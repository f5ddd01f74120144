"""Intervals and growth: against values worked out elsewhere, and against their own definitions."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noob_perf.stats import (
    Estimate,
    difference_interval,
    fit_growth,
    fit_line,
    median_interval,
    ratio_interval,
)
from noob_perf.stats.intervals import _mann_whitney_counts
from noob_perf.stats.line import student_quantile

positive = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("limits", "within"),
    [
        ({"at_least": 2.0}, True),
        ({"at_least": 2.1}, None),
        ({"at_least": 4.0}, None),
        ({"at_least": 4.1}, False),
        ({"at_most": 4.0}, True),
        ({"at_most": 3.9}, None),
        ({"at_most": 2.0}, None),
        ({"at_most": 1.9}, False),
        ({"at_least": 1.0, "at_most": 5.0}, True),
        ({"at_least": 3.0, "at_most": 5.0}, None),
        ({"at_least": 5.0, "at_most": 6.0}, False),
        ({}, True),
    ],
)
def test_within_limits_is_the_whole_interval_or_none_of_it_or_undecided(limits, within):
    assert Estimate(3.0, 2.0, 4.0, 0.95).within(**limits) is within


@pytest.mark.parametrize(
    ("samples", "ends", "confidence"),
    [
        # n: the order statistics of the tables of the sign test
        (3, (1, 3), 0.75),
        (6, (1, 6), 1 - 2 / 64),
        (9, (2, 8), 1 - 2 * 10 / 512),
        (10, (2, 9), 1 - 2 * 11 / 1024),
        (30, (10, 21), 0.9572),
    ],
)
def test_median_interval_is_that_of_the_sign_test(samples, ends, confidence):
    estimate = median_interval(list(range(samples, 0, -1)))
    assert (estimate.low, estimate.high) == ends
    assert estimate.confidence == pytest.approx(confidence, abs=1e-4)
    assert estimate.value == (samples + 1) / 2


def test_median_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    estimates = [median_interval(rng.lognormal(0, 0.5, 12)) for _ in range(3_000)]
    covered = np.mean([e.low <= 1 <= e.high for e in estimates])
    assert covered == pytest.approx(estimates[0].confidence, abs=0.015)


def test_ratio_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    estimates = [
        ratio_interval(rng.lognormal(2, 0.3, 4), rng.lognormal(0, 0.3, 15)) for _ in range(3_000)
    ]
    covered = np.mean([e.low <= np.exp(2) <= e.high for e in estimates])
    assert covered == pytest.approx(estimates[0].confidence, abs=0.015)


def test_three_against_three_reach_ninety_percent():
    estimate = ratio_interval([10.0, 11.0, 12.0], [1.0, 1.1, 1.2])
    assert estimate.confidence == pytest.approx(0.9)
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((10 / 1.2, 10, 12))


def test_many_pairs_are_approximated_as_they_would_be_counted():
    rng = np.random.default_rng(2)
    above, below = rng.lognormal(1, 0.2, 50), rng.lognormal(0, 0.2, 50)
    counted = ratio_interval(above, below)
    approximated = ratio_interval([*above, float(np.median(above))], below)
    assert approximated.low == pytest.approx(counted.low, rel=0.02)
    assert approximated.high == pytest.approx(counted.high, rel=0.02)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (3, 2), (4, 4)])
def test_mann_whitney_counts_are_the_orderings_counted_out(m, n):
    counts = [0] * (m * n + 1)
    for places in combinations(range(m + n), m):
        counts[sum(places) - m * (m - 1) // 2] += 1
    assert _mann_whitney_counts(m, n) == counts
    assert sum(counts) == comb(m + n, m)


@given(st.lists(positive, min_size=1, max_size=20), st.lists(positive, min_size=1, max_size=20))
@settings(deadline=None)
def test_intervals_enclose_their_estimates_and_ratios_invert(above, below):
    median = median_interval(above)
    assert min(above) <= median.low <= median.value <= median.high <= max(above)
    ratio, inverse = ratio_interval(above, below), ratio_interval(below, above)
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.low == pytest.approx(1 / inverse.high)
    assert ratio.confidence == inverse.confidence


@pytest.mark.parametrize("samples", [[], [float("nan")], [1.0, float("inf")]])
def test_intervals_refuse_what_is_no_sample(samples):
    with pytest.raises(ValueError, match="at least one sample, all finite"):
        median_interval(samples)


def test_ratios_refuse_what_is_not_positive():
    with pytest.raises(ValueError, match="positive samples"):
        ratio_interval([1.0, 0.0], [1.0])


@pytest.mark.parametrize("confidence", [0, 1, 2])
def test_intervals_refuse_what_is_no_confidence(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        median_interval([1.0], confidence)


def test_a_difference_is_the_median_of_all_pairs_and_may_be_negative():
    estimate = difference_interval([1.0, 2.0, 3.0], [10.0, 10.5, 11.0])
    assert (estimate.low, estimate.value, estimate.high) == (-10.0, -8.5, -7.0)
    assert estimate.confidence == pytest.approx(0.9)


@given(st.lists(positive, min_size=1, max_size=8), st.lists(positive, min_size=1, max_size=8))
def test_differences_of_logarithms_are_logarithms_of_ratios(above, below):
    # at the median too: of an even number of pairs it is the mean of two, so compare the ends
    ratios = ratio_interval(above, below)
    differences = difference_interval(np.log(above), np.log(below))
    assert np.log([ratios.low, ratios.high]) == pytest.approx(
        [differences.low, differences.high], abs=1e-9
    )
    assert ratios.confidence == differences.confidence


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (10, 2.228), (30, 2.042)]
)
def test_student_quantiles_are_those_of_the_tables(freedom, quantile):
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, abs=5e-4)


@given(st.floats(0.5, 3), st.floats(1e-6, 1e3))
@settings(deadline=None)
def test_an_exact_power_law_is_found_and_led_on(exponent, factor):
    sizes = [100, 300, 1_000]
    growth = fit_growth(sizes, [factor * size**exponent for size in sizes])
    assert growth.exponent.value == pytest.approx(exponent, rel=1e-6)
    assert growth.predict(10_000).value == pytest.approx(factor * 10_000**exponent, rel=1e-6)


def test_growth_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    sizes = [250, 500, 1_000, 2_000] * 3
    exponents, ahead = 0, 0
    for _ in range(1_000):
        noise = rng.lognormal(0, 0.1, len(sizes) + 1)
        seconds = [1e-6 * size**2 * e for size, e in zip(sizes, noise, strict=False)]
        growth = fit_growth(sizes, seconds)
        exponents += growth.exponent.low <= 2 <= growth.exponent.high
        predicted = growth.predict(10_000)
        ahead += predicted.low <= 1e-6 * 10_000**2 * noise[-1] <= predicted.high
    assert exponents / 1_000 == pytest.approx(0.95, abs=0.025)
    assert ahead / 1_000 == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize(
    ("sizes", "seconds", "message"),
    [
        ([1, 2], [1.0, 2.0], "3 points at 2 different"),
        ([5, 5, 5], [1.0, 2.0, 3.0], "3 points at 2 different"),
        ([1, 2, 3], [1.0, 0.0, 3.0], "positive"),
        ([1, 2, 3], [1.0], "3 sizes, but 1 times"),
    ],
)
def test_growth_refuses_what_has_none(sizes, seconds, message):
    with pytest.raises(ValueError, match=message):
        fit_growth(sizes, seconds)


def test_a_line_is_that_of_the_textbook():
    # Draper and Smith's formulas by hand: the slope is 8 / 10, the residuals' sum of squares 3.6
    line = fit_line([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    assert line.slope.value == pytest.approx(0.8)
    assert line.intercept == pytest.approx(0.6)
    assert line.residual == pytest.approx((3.6 / 3) ** 0.5)
    half = 3.182 * (3.6 / 3 / 10) ** 0.5
    assert (line.slope.low, line.slope.high) == pytest.approx((0.8 - half, 0.8 + half), abs=1e-3)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_an_exact_line_is_found_and_led_on(slope, intercept):
    line = fit_line([0, 10, 20, 30], [intercept + slope * x for x in (0, 10, 20, 30)])
    assert line.slope.value == pytest.approx(slope, abs=1e-6)
    assert line.slope.low == pytest.approx(line.slope.high, abs=1e-6)
    assert line.predict(100).value == pytest.approx(intercept + 100 * slope, abs=1e-4)


def test_a_line_needs_as_many_y_as_x():
    with pytest.raises(ValueError, match="3 x, but 1 y"):
        fit_line([1, 2, 3], [1])

"""METG: found where it is known, and its interval."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_perf.stats import efficiency, metg, metg_interval

LENGTHS = [1e-2 / 2**halved for halved in range(11)]


def test_efficiency_is_the_work_over_the_workers_time():
    assert efficiency(2.0, 2, 1.0) == 1
    assert efficiency(2.0, 4, 2.0) == 0.25


def test_the_crossing_lies_between_its_neighbours_in_the_logarithm():
    assert metg({1e-2: 0.9, 1e-3: 0.7, 1e-4: 0.3, 1e-5: 0.1}) == pytest.approx(10**-3.5)
    assert metg({1e-2: 0.9, 1e-4: 0.1}, threshold=0.7) == pytest.approx(10**-2.5)


def test_the_order_of_the_lengths_does_not_matter():
    found = {1e-4: 0.3, 1e-2: 0.9, 1e-3: 0.7}
    assert metg(found) == metg(dict(sorted(found.items())))


def test_a_length_exactly_at_the_threshold_is_efficient_enough():
    assert metg({1e-2: 0.9, 1e-3: 0.5, 1e-4: 0.0}) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "found",
    [
        {},
        {1e-3: 0.9},
        {1e-2: 0.9, 1e-3: 0.8},
        {1e-2: 0.4, 1e-3: 0.2},
        {1e-2: 0.4, 1e-3: 0.8, 1e-4: 0.1},  # what is not efficient at its longest has no METG here
    ],
)
def test_without_a_crossing_there_is_none(found):
    assert metg(found) is None


def test_what_rises_again_further_down_does_not_count():
    assert metg({8e-3: 0.9, 4e-3: 0.4, 2e-3: 0.6, 1e-3: 0.1}) > 4e-3


@given(st.floats(2e-5, 5e-3))
def test_the_overhead_of_a_system_is_its_metg(overhead):
    """With a fixed overhead a task, efficiency is one half where the work equals the overhead."""
    found = metg({length: length / (length + overhead) for length in LENGTHS})
    # a line in place of the logistic curve, over a factor of two
    assert abs(log(found) - log(overhead)) < 0.01


@given(st.floats(2e-5, 5e-3), st.floats(1.0, 1.5))
def test_the_interval_encloses_and_follows_the_noise(overhead, noise):
    found = {
        length: [length / (length + overhead * factor) for factor in (1 / noise, 1, noise)]
        for length in LENGTHS
    }
    estimate = metg_interval(found)
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.confidence == 0.75  # that of the median of three
    assert estimate.low == pytest.approx(overhead / noise, rel=0.02)
    assert estimate.high == pytest.approx(overhead * noise, rel=0.02)


def test_an_end_without_a_crossing_is_the_end_of_the_range():
    estimate = metg_interval({1e-2: [0.4, 0.8, 0.9], 1e-3: [0.2, 0.3, 0.6]})
    assert (estimate.low, estimate.high) == (1e-3, 1e-2)


def test_no_crossing_has_no_interval():
    assert metg_interval({1e-2: [0.1], 1e-3: [0.1]}) is None

"""The order of the repeats: everyone's turns, evenly spread."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_perf.measure.schedule import LEAST_REPEATS, MOST_REPEATS, interleave, repeats_for


@pytest.mark.parametrize(
    ("warm_up_s", "repeats"),
    [
        (0.0, MOST_REPEATS),
        (1e-6, MOST_REPEATS),
        (1.0, 10),
        (10.0, LEAST_REPEATS),
        (1e6, LEAST_REPEATS),
    ],
)
def test_repeats_fit_the_budget_within_limits(warm_up_s, repeats):
    assert repeats_for(warm_up_s) == repeats


def test_equal_cells_take_turns():
    assert interleave({"a": 3, "b": 3}) == ["a", "b"] * 3


def test_no_cells_have_no_turns():
    assert interleave({}) == []


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 30), min_size=1, max_size=6))
def test_each_cell_has_its_repeats_evenly_over_the_run(repeats):
    order = interleave(repeats)
    assert Counter(order) == repeats
    for key, count in repeats.items():
        seen = 0
        for place, turn in enumerate(order, 1):
            seen += turn == key
            # never ahead of or behind its share of the run by more than a turn of each cell
            assert abs(seen - count * place / len(order)) <= 1 + len(repeats) * count / len(order)

"""How many calls go together."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noob_runners.pool.batches import Costs, take_batch

pytestmark = pytest.mark.timeout(60)
MS = 1_000_000


def _calls(steps):
    return deque((ticket, (step,), {}, None) for ticket, step in enumerate(steps))


def _costs(*ns):
    costs = Costs()
    for step, took in enumerate(ns):
        costs.learn((step,), (1, took))
    return costs


@given(st.lists(st.integers(0, 3)), st.integers(1, 100))
def test_batches_keep_the_order_and_lose_nothing(steps, share):
    calls = _calls(steps)
    expected = list(calls)
    costs = _costs(1, 40_000, 3 * MS)
    taken = []
    while calls:
        batch = take_batch(calls, share, costs)
        assert batch
        total = costs.of_all(batch[:-1])
        assert total < 8 * MS
        assert len(batch) <= share or total < 50_000
        taken += batch
    assert taken == expected


@pytest.mark.parametrize(
    ("ns", "queued", "share", "size"),
    [
        (None, 1000, 500, 64),  # unknown
        (None, 1000, 10, 10),
        (4 * MS, 1000, 500, 2),
        (9 * MS, 1000, 500, 1),
        (100_000, 1000, 500, 80),
        (100_000, 1000, 5, 5),
        (1_000, 1000, 5, 50),  # too little to be worth a division
        (1_000, 20, 5, 20),
    ],
)
def test_sizes(ns, queued, share, size):
    costs = Costs() if ns is None else _costs(ns)
    assert len(take_batch(_calls([0] * queued), share, costs)) == size


def test_costs_follow_what_is_measured():
    costs = Costs()
    assert costs.learn((4, 5, 6), (10, 100, 0, 0, 20, 300)) == 400
    call = (0, (4,), {}, None)
    assert costs.of(call) == 100
    costs.learn((4,), (10, 200))
    assert costs.of(call) == 125
    unknown = costs.of((0, (5,), {}, None))
    assert costs.of((0, (4, 5, 6), {}, None)) == 125 + unknown + 300

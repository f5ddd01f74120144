"""How often each cell repeats and in what order, so that all of them see the same machine.

The cells take turns. A cell's repeats are spread evenly over the whole run, however many it has:
when the machine slows down for a while, it slows every runner, not the one whose turn it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_REPEATS = 5
"""Fewer say nothing of the spread."""
MOST_REPEATS = 30
"""More narrow the interval too little to be worth the time."""
CELL_BUDGET_S = 10.0
"""What a cell's repeats should take together, between those two limits."""


def repeats_for(
    warm_up_s: float,
    budget_s: float = CELL_BUDGET_S,
    least: int = LEAST_REPEATS,
    most: int = MOST_REPEATS,
) -> int:
    """Choose the number of repeats from the time of the warm-up, as long as one repeat."""
    affordable = budget_s / max(warm_up_s, budget_s / most)
    return max(least, min(most, int(affordable)))


def interleave(repeats: Mapping[str, int]) -> list[str]:
    """Order the repeats of all cells, each cell's spread evenly over the whole.

    Args:
        repeats: the number of repeats by the cell's key; ties keep the order of the keys.

    Returns:
        The key of the cell whose turn it is, once a repeat.
    """
    turns = [
        ((turn + 0.5) / count, place, key)
        for place, (key, count) in enumerate(repeats.items())
        for turn in range(count)
    ]
    return [key for _, _, key in sorted(turns)]

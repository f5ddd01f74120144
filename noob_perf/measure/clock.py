"""The clock of a cell: garbage is collected before what is timed, and that never counts.

The collector stays on during it, as it is for whoever runs NOOB in earnest.
"""

from __future__ import annotations

import gc
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def timed(call: Callable[[], _T]) -> tuple[float, _T]:
    """Return the seconds that a call takes, and what it returns."""
    gc.collect()
    start = perf_counter()
    value = call()
    return perf_counter() - start, value

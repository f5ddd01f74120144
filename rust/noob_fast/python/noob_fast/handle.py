"""A buffer's name, good in every process that has its pool's file."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Handle"]


class Handle(NamedTuple):
    """What one process sends another for it to find a buffer."""

    offset: int
    """Where it begins in the file, in bytes."""
    nbytes: int
    """Its length in bytes."""
    slot: int
    """Its line in the pool's table."""
    generation: int
    """Which use of that line it is: no two buffers of a pool have the same."""

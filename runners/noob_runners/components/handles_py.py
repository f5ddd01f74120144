"""What the twin's owner and reader of a shared file share: handles, and the file's table."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from noob_runners.components.shared_file import FRONT

__all__ = [
    "DATA",
    "LINE",
    "LINES",
    "MARK",
    "DoubleFreeError",
    "Handle",
    "UseAfterFreeError",
    "as_handle",
    "describe",
]

LINES = 1 << 20
"""How many lines the table can have: buffers in use at a time, and one."""
LINE = 32
"""Bytes of a line: generation (0: free), offset, length, and one word that is not used. The first
line is the table's own: a mark, and how many lines there are."""
DATA = FRONT + LINES * LINE
MARK = int.from_bytes(b"noobbuf1", "little")


class DoubleFreeError(BufferError):
    """A buffer was released that is not in use."""


class UseAfterFreeError(BufferError):
    """A buffer was asked for that has been released."""


class Handle(NamedTuple):
    """A buffer's name, good in every process that has its pool's file."""

    offset: int
    """Where it begins in the file, in bytes."""
    nbytes: int
    """Its length in bytes."""
    slot: int
    """Its line in the pool's table."""
    generation: int
    """Which use of that line it is: no two buffers of a pool have the same."""


def describe(handle: Handle) -> str:
    """A handle as errors name it."""
    return (
        f"handle of {handle.nbytes} bytes at {handle.offset}, slot {handle.slot}, "
        f"generation {handle.generation}"
    )


def as_handle(handle: Any) -> Handle:
    """Any tuple of four numbers: a `Handle` of ours, or one that came from somewhere else.

    Raises:
        ValueError: it is something else.
    """
    try:
        offset, nbytes, slot, generation = map(operator.index, handle)
        valid = isinstance(handle, tuple) and min(offset, nbytes, slot, generation) >= 0
        valid = valid and slot < 1 << 32 and max(offset, nbytes, generation) < 1 << 64
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "a handle is four numbers: offset, nbytes, slot, generation; not " + repr(handle)
        )
    return Handle(offset, nbytes, slot, generation)

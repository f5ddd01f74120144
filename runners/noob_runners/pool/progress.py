"""What a worker is doing just now, in memory that its coordinator can look at.

A worker that is killed cannot say which call did it, and one that hangs cannot say for how long.
"""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

from noob_runners.components.shared_file import FRONT

__all__ = ["RECORD", "Progress", "Running"]

RECORD = struct.Struct("@qqqqq")
"""Begin, ticket, step, outcomes held back, begin again; a reader believes it only if both begins
are equal."""


class Running(NamedTuple):
    """The step in progress."""

    begun: int
    """In nanoseconds of `time.monotonic_ns`, which is one clock for all processes of a machine."""
    ticket: int
    step: int
    held: int
    """How many outcomes of calls before it are not sent yet."""


class Progress:
    """The record at the front of a worker's file."""

    def __init__(self, descriptor: int) -> None:
        """Map it; the file must have a front."""
        self.memory = mmap.mmap(descriptor, FRONT)

    def read(self) -> Running | None:
        """The step in progress; None if there is none, or it is just changing."""
        begun, ticket, step, held, again = RECORD.unpack_from(self.memory)
        return Running(begun, ticket, step, held) if begun and begun == again else None

    def clear(self) -> None:
        """There is none."""
        RECORD.pack_into(self.memory, 0, 0, 0, 0, 0, 0)

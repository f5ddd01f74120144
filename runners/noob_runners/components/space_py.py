"""The twin's ranges of a shared file, and the small buffers that are cells of such a range.

Free ranges keep their memory, as used memory is quick, up to a mark that follows what was in use
lately; they are used again, the one freed last first, by the node whose memory they have.
"""

from __future__ import annotations

import errno
import mmap
import os
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

from noob_runners.components.shared_file import PAGE, give_back, reserve

__all__ = ["SMALL", "Cell", "Range", "Slabs", "Space", "size_class"]

ALIGNMENT = 64
"""Of each buffer, in bytes: a line of the processor's cache."""
SMALL = 32 << 10
"""Bytes of the greatest buffer that shares a slab; greater ones are whole pages."""
_CHUNK = 64 << 20
"""Bytes that the file grows by at least. Only what is written takes memory."""
_LONGEST = 1 << 46
"""Longer than any file can be."""


def size_class(nbytes: int) -> int:
    """The length that a buffer takes: eight classes from one power of two to the next."""
    step = max(ALIGNMENT, 1 << max(0, (max(nbytes, 1) - 1).bit_length() - 4))
    return -(-max(nbytes, 1) // step) * step


def _slab_bytes(size: int) -> int:
    """Of cells of a class: one that is nearly empty wastes little, a full one less than a tenth."""
    return 64 << 10 if size <= 4 << 10 else 256 << 10


def _pages(nbytes: int) -> int:
    return -(-nbytes // PAGE) * PAGE


@dataclass(slots=True, eq=False)
class Range:
    """A part of the file."""

    offset: int
    """Where it begins in the file."""
    chunk: mmap.mmap
    at: int
    """Where it begins in the chunk."""
    size: int
    node: int
    """The node whose memory it has."""
    backed: int = 0
    """Bytes from its beginning that have memory."""
    freed: int = 0
    """When it was freed, in ranges freed before."""


class Space:
    """All ranges of a file.

    Args:
        descriptor: of the file.
        start: where the first range may begin.
        keep_seconds: for how long as much memory is kept as was in use at some time.
        spare_bytes: of free memory that are always kept.
    """

    def __init__(self, descriptor: int, start: int, keep_seconds: float, spare_bytes: int) -> None:
        self._file = descriptor
        self._start = start
        self._keep_seconds = keep_seconds
        self._spare_bytes = spare_bytes
        self._chunk: mmap.mmap | None = None
        self._chunk_start = self._chunk_end = self._end = start
        self._free: dict[tuple[int, int], list[Range]] = {}
        self.live = 0
        """Bytes of memory in ranges that are in use."""
        self.spare = 0
        """Bytes of memory in ranges that are free."""
        self._mark = 0
        """The most bytes that were in use lately."""
        self._marked = monotonic()
        self._freed = 0

    def take(self, nbytes: int, node: int) -> Range:
        """Take a range of at least so many bytes, all of them with memory.

        Raises:
            OSError: there is no room.
        """
        if nbytes > _LONGEST:
            raise OSError(errno.EFBIG, f"no file has room for {nbytes} bytes")
        size, length = _pages(size_class(nbytes)), _pages(max(nbytes, 1))
        shelf = self._free.get((node, size))
        if shelf:
            target = shelf.pop()
            self.spare -= target.backed
        else:
            target = self._carve(size, node)
        more = length - target.backed
        if more > 0:
            try:
                reserve(self._file, target.offset + target.backed, more)
            except OSError as error:
                self._shelve(target)
                raise OSError(error.errno, f"no memory for {nbytes} bytes") from error
            target.backed = length
        self.live += target.backed
        self._mark = max(self._mark, self.live)
        return target

    def give(self, target: Range) -> None:
        """Take one back."""
        self.live -= target.backed
        self._shelve(target)

    def settle(self) -> None:
        """Give memory back if much is free."""
        now = monotonic()
        if now - self._marked >= self._keep_seconds:
            self._mark, self._marked = max(self.live, self._mark // 2), now
        most = max(self._spare_bytes, 2 * self.live, self._mark)
        if self.spare > most:
            self.shrink(most // 2)

    def shrink(self, goal: int) -> None:
        """Give memory back, the longest free first, until no more than so many bytes are free."""
        warm = [target for shelf in self._free.values() for target in shelf if target.backed]
        for target in sorted(warm, key=lambda target: target.freed):
            if self.spare <= goal or not give_back(target.chunk, target.at, target.backed):
                return
            self.spare -= target.backed
            target.backed = 0

    def _shelve(self, target: Range) -> None:
        self._freed += 1
        target.freed = self._freed
        self.spare += target.backed
        self._free.setdefault((target.node, target.size), []).append(target)

    def _carve(self, size: int, node: int) -> Range:
        if self._chunk is None or self._chunk_end - self._end < size:
            # As much again as there is, so that there are few chunks.
            start = self._chunk_end
            length = max(_CHUNK, size, start - self._start)
            os.ftruncate(self._file, start + length)
            self._chunk = mmap.mmap(self._file, length, offset=start)
            self._chunk_start, self._chunk_end, self._end = start, start + length, start
        target = Range(self._end, self._chunk, self._end - self._chunk_start, size, node)
        self._end += size
        return target


@dataclass(slots=True, eq=False)
class _Slab:
    range: Range
    size: int
    free: list[int] = field(default_factory=list)
    fresh: int = 0
    """Cells from this one on were never used."""
    used: int = 0

    @property
    def is_full(self) -> bool:
        return self.used == _slab_bytes(self.size) // self.size


class Cell(NamedTuple):
    """A small buffer's place."""

    slab: _Slab
    number: int

    @property
    def range(self) -> Range:
        """The range that it lies in."""
        return self.slab.range

    @property
    def at(self) -> int:
        """Where it begins in the range."""
        return self.number * self.slab.size


class Slabs:
    """Small buffers: cells of one size, many to a range. A range that has none in use goes back."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._open: dict[tuple[int, int], dict[_Slab, None]] = {}
        """Slabs that have room, by node and size of cells."""

    def take(self, nbytes: int, node: int) -> Cell:
        """Take a cell of at least so many bytes.

        Raises:
            OSError: there is no room.
        """
        size = size_class(nbytes)
        room = self._open.setdefault((node, size), {})
        slab = next(iter(room), None)
        if slab is None:
            slab = _Slab(self._space.take(_slab_bytes(size), node), size)
            room[slab] = None
        if slab.free:
            number = slab.free.pop()
        else:
            number = slab.fresh
            slab.fresh += 1
        slab.used += 1
        if slab.is_full:
            del room[slab]
        return Cell(slab, number)

    def give(self, cell: Cell) -> None:
        """Take one back."""
        slab = cell.slab
        room = self._open[slab.range.node, slab.size]
        slab.used -= 1
        if slab.used:
            slab.free.append(cell.number)
            room[slab] = None
        else:
            room.pop(slab, None)
            self._space.give(slab.range)

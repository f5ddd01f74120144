"""The twin's ranges of a shared file, and the small buffers that are cells of such a range.

Ranges are whole pages, cut from what is free to the length that is asked for. What is free is warm,
if it has memory, or cold. Warm memory is quick, so it is used first, by the node whose it is: of
the pieces that are long enough the shortest, and of those as long the one freed last. As much is
kept as a mark says that follows what was in use lately. Pieces that touch are joined only when none
is long enough, so that what comes back is mostly found as it was.
"""

from __future__ import annotations

import errno
import mmap
import os
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from operator import itemgetter
from time import monotonic
from typing import NamedTuple

from noob_runners.components.shared_file import MEMORY, PAGE, give_back, reserve

__all__ = ["SMALL", "Cell", "Range", "Slabs", "Space", "size_class"]

ALIGNMENT = 64
"""Of each buffer, in bytes: a line of the processor's cache."""
SMALL = 32 << 10
"""Bytes of the greatest buffer that shares a slab; greater ones are whole pages."""
_CHUNK = 64 << 20
"""Bytes that the file grows by at least. Only what is written takes memory."""


def size_class(nbytes: int) -> int:
    """The length that a small buffer takes: eight classes from one power of two to the next."""
    step = max(ALIGNMENT, 1 << max(0, (max(nbytes, 1) - 1).bit_length() - 4))
    return -(-max(nbytes, 1) // step) * step


def _slab_bytes(size: int) -> int:
    """Of cells of a class: one that is nearly empty wastes little, a full one less than a tenth."""
    return 64 << 10 if size <= 4 << 10 else 256 << 10


class Range(NamedTuple):
    """A part of the file that is in use."""

    offset: int
    """Where it begins in the file."""
    length: int
    node: int
    """The node whose memory it has."""
    chunk: mmap.mmap
    at: int
    """Where it begins in the chunk."""


class _Piece(NamedTuple):
    """A part of the file that is free, in the order in which it is used."""

    node: int
    """The node whose memory it has; 0 if it is cold."""
    length: int
    freed: int
    """When it was freed, in ranges freed before, below zero."""
    offset: int


class Space:
    """All ranges of a file.

    Args:
        start: where the first range may begin.
        keep_seconds: for how long as much memory is kept as was in use at some time.
        spare_bytes: of free memory that are always kept.
    """

    def __init__(self, start: int, keep_seconds: float, spare_bytes: int) -> None:
        self._start = self._end = start
        self._keep_seconds = keep_seconds
        self._spare_bytes = spare_bytes
        self._starts: list[int] = []
        """Of the file's parts, each mapped by itself."""
        self._chunks: list[mmap.mmap] = []
        self._warm: list[_Piece] = []
        self._cold: list[_Piece] = []
        self._loose = 0
        """How many ranges were freed since pieces that touch were joined."""
        self.live = 0
        """Bytes of memory in ranges that are in use."""
        self.spare = 0
        """Bytes of memory that are free."""
        self._mark = 0
        """The most bytes that were in use lately."""
        self._marked = monotonic()
        self._freed = 0

    def take(self, nbytes: int, node: int, descriptor: int) -> Range:
        """Take a range of so many bytes, all of them with memory.

        Args:
            nbytes: how many.
            node: whose memory.
            descriptor: of the file.

        Raises:
            OSError: there is no room.
        """
        if nbytes > MEMORY:
            raise OSError(errno.ENOMEM, f"no room for {nbytes} bytes: {MEMORY} are all there are")
        length = -(-max(nbytes, 1) // PAGE) * PAGE
        offset = self._take_warm(length, node)
        if offset is None:
            offset = self._take_cold(length, descriptor)
            try:
                reserve(descriptor, offset, length)
            except OSError as error:
                insort(self._cold, _Piece(0, length, 0, offset))
                raise OSError(error.errno, f"no memory for {nbytes} bytes") from error
        self.live += length
        self._mark = max(self._mark, self.live)
        return Range(offset, length, node, *self._place(offset))

    def give(self, target: Range) -> None:
        """Take one back."""
        self.live -= target.length
        self.spare += target.length
        self._freed += 1
        self._loose += 1
        insort(self._warm, _Piece(target.node, target.length, -self._freed, target.offset))

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
        for piece in sorted(self._warm, key=itemgetter(2), reverse=True):
            chunk, at = self._place(piece.offset)
            if self.spare <= goal or not give_back(chunk, at, piece.length):
                return
            self.spare -= piece.length
            del self._warm[bisect_left(self._warm, piece)]
            insort(self._cold, _Piece(0, piece.length, 0, piece.offset))

    def _place(self, offset: int) -> tuple[mmap.mmap, int]:
        """The chunk that something lies in, and where."""
        number = bisect_right(self._starts, offset) - 1
        return self._chunks[number], offset - self._starts[number]

    def _take_warm(self, length: int, node: int) -> int | None:
        if self.spare < length:
            return None
        found = _cut(self._warm, length, node)
        # (Not each time, as that looks at all of them.)
        if found is None and 4 * self._loose > len(self._warm):
            self._warm, self._loose = self._joined(self._warm), 0
            found = _cut(self._warm, length, node)
        if found is not None:
            self.spare -= length
        return found

    def _take_cold(self, length: int, descriptor: int) -> int:
        found = _cut(self._cold, length, 0)
        if found is None:
            self._cold = self._joined(self._cold)
            found = _cut(self._cold, length, 0)
        if found is not None:
            return found
        # As much again as there is, so that there are few chunks; and all of the file, whose
        # length is where readers take a chunk to end.
        start = self._end
        more = os.fstat(descriptor).st_size - start
        size = max(_CHUNK, length, start - self._start, more)
        os.ftruncate(descriptor, start + size)
        self._chunks.append(mmap.mmap(descriptor, size, offset=start))
        self._starts.append(start)
        self._end += size
        if size > length:
            insort(self._cold, _Piece(0, size - length, 0, start + length))
        return start

    def _joined(self, pieces: list[_Piece]) -> list[_Piece]:
        """The same, but those joined that are of a node, touch and lie in one chunk."""
        joined: list[_Piece] = []
        for piece in sorted(pieces, key=itemgetter(3)):
            last = joined[-1] if joined else None
            if (
                last is not None
                and last.node == piece.node
                and last.offset + last.length == piece.offset
                and piece.offset not in self._starts
            ):
                length, freed = last.length + piece.length, min(last.freed, piece.freed)
                joined[-1] = last._replace(length=length, freed=freed)
            else:
                joined.append(piece)
        return sorted(joined)


def _cut(pieces: list[_Piece], length: int, node: int) -> int | None:
    """Cut a length from the beginning of the shortest piece that has it; tells where that is."""
    number = bisect_left(pieces, (node, length))
    if number == len(pieces) or pieces[number].node != node:
        return None
    found = pieces.pop(number)
    if found.length > length:
        rest = found._replace(length=found.length - length, offset=found.offset + length)
        insort(pieces, rest)
    return found.offset


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

    def take(self, nbytes: int, node: int, descriptor: int) -> Cell:
        """Take a cell of at least so many bytes; the arguments are `Space.take`'s.

        Raises:
            OSError: there is no room.
        """
        size = size_class(nbytes)
        room = self._open.setdefault((node, size), {})
        slab = next(iter(room), None)
        if slab is None:
            slab = _Slab(self._space.take(_slab_bytes(size), node, descriptor), size)
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

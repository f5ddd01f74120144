"""Shared memory: the file that one process writes large values into, and others map.

The file has no name: it is gone as soon as the last process that has it open ends, however that
ends. The writer keeps a shared mapping of it; a reader maps one range at a time, privately, so that
what it changes it changes for itself only.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import weakref
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FRONT", "Arena", "Lease", "Source", "memory_file"]

FRONT = mmap.ALLOCATIONGRANULARITY
"""Bytes at the beginning of the file that are kept for other uses."""
_PAGE = mmap.ALLOCATIONGRANULARITY
_ALIGNMENT = 64
"""Of each buffer, in bytes: a line of the processor's cache."""
_CHUNK = 64 << 20
"""Bytes that the file grows by at least. Only what is written takes memory."""
_SPARE = 32 << 20
"""Bytes of free memory that are always kept, because memory that was used before is quick."""
_KEEP_S = 10.0
"""For how long as much memory is kept as was in use at some time; then for half of it, and so on.
An epoch lets go of all its values before the next one needs as many."""
_MOST_MAPPED = 256
"""How many ranges are mapped at a time, where each mapping costs a file descriptor."""
_TRACKS = sys.version_info < (3, 13)


def memory_file() -> int:
    """Open a new file in memory, or, where there are none, a temporary one without a name.

    Raises:
        OSError: there is no room for it.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("noob", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@dataclass(slots=True, eq=False)
class _Range:
    offset: int
    """Where it begins in the file."""
    chunk: mmap.mmap
    at: int
    """Where it begins in the chunk."""
    size: int
    backed: int = 0
    """Bytes from its beginning that have memory."""


class Lease:
    """As long as it lives its number is in use; then it is appended to a list of ended ones.

    Any thread may end it, so nothing else happens then.
    """

    __slots__ = ("__weakref__", "_ended", "number", "source")

    def __init__(self, number: int, ended: deque[int], source: Source | None = None) -> None:
        self.number = number
        self.source = source
        self._ended = ended

    def __del__(self) -> None:
        self._ended.append(self.number)


class Arena:
    """The writer's side: stores buffers in ranges of its file and hands out a `Lease` of each.

    Ranges are powers of two long, begin at a page, and are used again, the one freed last first. A
    file has holes, so that what is not written costs nothing.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        """The file."""
        self._file = source.descriptor
        self._end = FRONT
        self._chunk: mmap.mmap | None = None
        self._chunk_start = self._chunk_end = FRONT
        self._live: dict[int, _Range] = {}
        self._free: dict[int, list[_Range]] = {}
        self._warm: dict[int, _Range] = {}
        """Free ranges that have memory, by offset, the longest free first."""
        self._warm_bytes = self._live_bytes = 0
        self._mark = 0
        """The most bytes that were in use lately."""
        self._marked = monotonic()
        self._ended: deque[int] = deque()

    @property
    def live(self) -> int:
        """Bytes in ranges that are in use."""
        self.settle()
        return self._live_bytes

    @property
    def spare(self) -> int:
        """Bytes of memory in ranges that are free."""
        self.settle()
        return self._warm_bytes

    def store(self, buffers: Sequence[memoryview]) -> tuple[Lease, int, tuple[int, ...]] | None:
        """Copy buffers, one dimension of bytes each, into a new range.

        Returns:
            A lease whose number is the range's offset in the file, the range's length, and where
            each buffer begins in it; None if there is no room.
        """
        self.settle()
        starts, length = [], 0
        for buffer in buffers:
            starts.append(length)
            length += -(-buffer.nbytes // _ALIGNMENT) * _ALIGNMENT
        try:
            target = self._take(length)
        except (OSError, ValueError, OverflowError):  # what files and mappings raise without room
            return None
        for start, buffer in zip(starts, buffers, strict=True):
            begin = target.at + start
            target.chunk[begin : begin + buffer.nbytes] = buffer
        return Lease(target.offset, self._ended), length, tuple(starts)

    def settle(self) -> None:
        """Take back ranges whose leases have ended, and give memory back if much is free."""
        if not self._ended:
            return
        while self._ended:
            ended = self._live.pop(self._ended.popleft())
            self._live_bytes -= ended.backed
            self._shelve(ended)
        now = monotonic()
        if now - self._marked >= _KEEP_S:
            self._mark, self._marked = max(self._live_bytes, self._mark // 2), now
        most = max(_SPARE, 2 * self._live_bytes, self._mark)
        if self._warm_bytes > most:
            self._shrink(most // 2)

    def _take(self, length: int) -> _Range:
        size = max(_PAGE, 1 << (length - 1).bit_length())
        shelf = self._free.get(size)
        target = shelf.pop() if shelf else self._carve(size)
        if self._warm.pop(target.offset, None) is not None:
            self._warm_bytes -= target.backed
        try:
            self._back(target, length)
        except OSError:
            self._shelve(target)
            raise
        self._live[target.offset] = target
        self._live_bytes += target.backed
        self._mark = max(self._mark, self._live_bytes)
        return target

    def _shelve(self, target: _Range) -> None:
        self._free.setdefault(target.size, []).append(target)
        if target.backed:
            self._warm[target.offset] = target
            self._warm_bytes += target.backed

    def _carve(self, size: int) -> _Range:
        if self._chunk is None or self._chunk_end - self._end < size:
            # As much again as there is, so that there are few chunks.
            length = max(_CHUNK, size, self._chunk_end)
            start = self._chunk_end
            os.ftruncate(self._file, start + length)
            self._chunk = mmap.mmap(self._file, length, offset=start)
            self._chunk_start, self._chunk_end, self._end = start, start + length, start
        target = _Range(self._end, self._chunk, self._end - self._chunk_start, size)
        self._end += size
        return target

    def _back(self, target: _Range, length: int) -> None:
        """Reserve memory, since writing to a mapping without any would kill the process."""
        length = -(-length // _PAGE) * _PAGE
        if length > target.backed:
            if hasattr(os, "posix_fallocate"):
                more = length - target.backed
                os.posix_fallocate(self._file, target.offset + target.backed, more)
            target.backed = length

    def _shrink(self, goal: int) -> None:
        if not hasattr(mmap, "MADV_REMOVE"):
            return
        while self._warm_bytes > goal:
            target = self._warm.pop(next(iter(self._warm)))
            self._warm_bytes -= target.backed
            target.chunk.madvise(mmap.MADV_REMOVE, target.at, target.backed)
            target.backed = 0


class Source:
    """The reader's side of a file: it owns the descriptor, and is closed when nobody has it."""

    _mapped: dict[weakref.ref[mmap.mmap], Lease] = {}  # noqa: RUF012 (one for the whole process)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # modules may be gone
        close(self.descriptor)

    def view(self, lease: Lease, offset: int, length: int) -> mmap.mmap | bytearray:
        """The bytes of a range, to read and, for oneself, to write.

        The lease lives as long as anything that looks at them.

        Raises:
            OSError: they cannot be read.
        """
        if _TRACKS and len(self._mapped) >= _MOST_MAPPED:
            return self._copy(offset, length)
        try:
            if sys.version_info >= (3, 13):
                mapping = mmap.mmap(
                    self.descriptor, length, access=mmap.ACCESS_COPY, offset=offset, trackfd=False
                )
            else:
                mapping = mmap.mmap(self.descriptor, length, access=mmap.ACCESS_COPY, offset=offset)
        except OSError:
            return self._copy(offset, length)
        self._mapped[weakref.ref(mapping, self._mapped.pop)] = lease
        return mapping

    def _copy(self, offset: int, length: int) -> bytearray:
        copy = bytearray(length)
        at = 0
        while at < length:
            piece = os.pread(self.descriptor, length - at, offset + at)
            if not piece:
                raise OSError(f"a shared file ends before byte {offset + length}")
            copy[at : at + len(piece)] = piece
            at += len(piece)
        return copy

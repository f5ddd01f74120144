"""The twin of `noob_fast.BufferPool`: buffers of a shared file, in use and out of it."""

from __future__ import annotations

import ctypes
import errno
import mmap
import operator
import os
import secrets
import threading
import weakref
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noob_runners.components.buffer_reader_py import BufferReader
from noob_runners.components.handles_py import (
    DATA,
    LINE,
    LINES,
    MARK,
    DoubleFreeError,
    Handle,
    UseAfterFreeError,
    as_handle,
    describe,
)
from noob_runners.components.shared_file import (
    FRONT,
    PAGE,
    SharedFile,
    keep_length,
    memory_file,
    reserve,
)
from noob_runners.components.space_py import SMALL, Cell, Range, Slabs, Space
from noob_runners.components.topology_py import Topology

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    import noob_fast
    from noob_runners.components import interfaces

__all__ = [
    "Buffer",
    "BufferPool",
    "BufferReader",
    "DoubleFreeError",
    "Handle",
    "UseAfterFreeError",
]


@dataclass(slots=True, eq=False)
class _Slot:
    """A line of the table, as only the owner sees it."""

    handle: Handle
    place: Range | Cell
    buffer: weakref.ref[Buffer]
    views: weakref.ref[Any] | None = None
    """What views look at, as long as there are any."""
    released: bool = False


class BufferPool:
    """The owner's side: see `noob_runners.components.interfaces.BufferPool`."""

    def __init__(
        self,
        descriptor: int | None = None,
        *,
        keep_seconds: float = 10.0,
        spare_bytes: int = 32 << 20,
        numa: str | os.PathLike[str] | None = None,
    ) -> None:
        if not 0 <= keep_seconds < 1 << 64:
            raise ValueError(f"keep_seconds={keep_seconds} is no duration")
        if operator.index(spare_bytes) < 0:
            raise OverflowError(f"spare_bytes={spare_bytes} is below zero")
        own = memory_file() if descriptor is None else os.dup(descriptor)
        self._file: SharedFile | None = SharedFile(own)
        self._topology = Topology(numa)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._live: set[Handle] = set()
        """Those of buffers in use. Who removes one releases it, whether it has the lock or not: the
        collector may run a destructor that does, anywhere."""
        self._ended: deque[Handle] = deque()
        """Buffers that nobody has any more, or nobody looks at, or that were released. Any thread
        may append."""
        self._slots: dict[int, _Slot] = {}
        self._vacant: list[int] = []
        self._lines = 1
        self._backed = 0
        """Lines that have memory."""
        self._generation = secrets.randbits(62)  # that of no other pool
        keep_length(own)
        length = os.fstat(own).st_size
        if length > FRONT:
            raise ValueError(
                f"the file has a pool already, or something else: {length} bytes, of which only "
                f"the first {FRONT} may be used before"
            )
        os.ftruncate(own, DATA)
        table = mmap.mmap(own, LINES * LINE, offset=FRONT)
        self._table = memoryview(table).cast("Q")
        self._back(own)
        self._table[1] = 1
        self._table[0] = MARK
        self._space = Space(DATA, keep_seconds, spare_bytes)
        self._slabs = Slabs(self._space)

    @property
    def descriptor(self) -> int:
        """The file's number in this process."""
        return self._opened().descriptor

    def acquire(self, nbytes: int) -> Buffer:
        """Bring a buffer into use."""
        nbytes = operator.index(nbytes)
        if nbytes < 0:
            raise OverflowError(f"a buffer of {nbytes} bytes")
        node = self._topology.here()
        file = self._opened()
        with self._owned():
            self._space.settle()
            slot = self._vacant[-1] if self._vacant else self._lines
            if slot >= self._backed:
                self._back(file.descriptor)
            place: Range | Cell
            if nbytes <= SMALL:
                place = self._slabs.take(nbytes, node, file.descriptor)
                home, offset = place.range, place.range.offset + place.at
            else:
                home = place = self._space.take(nbytes, node, file.descriptor)
                offset = place.offset
            if self._vacant:
                self._vacant.pop()
            else:
                self._lines += 1
            self._generation += 1
            handle = Handle(offset, nbytes, slot, self._generation)
            buffer = Buffer(self, handle, home)
            gone = weakref.ref(buffer, _appender(self._ended, handle))
            self._slots[slot] = _Slot(handle, place, gone)
            table, first = self._table, 4 * slot
            table[first + 1], table[first + 2] = offset, nbytes
            table[first] = handle.generation
            table[1] = max(table[1], slot + 1)
            self._live.add(handle)
        return buffer

    def release(self, handle: tuple[int, int, int, int]) -> None:
        """End the use of a buffer."""
        self._opened()
        self._release(as_handle(handle))

    def stats(self) -> dict[str, int]:
        """What it holds, in bytes."""
        self._opened()
        with self._owned():
            self._space.settle()
            live, spare = self._space.live, self._space.spare
            return {
                "buffers": len(self._live),
                "asked": sum(handle.nbytes for handle in self._live.copy()),
                "live": live,
                "spare": spare,
                "reserved": live + spare + FRONT + self._backed * LINE,
            }

    def trim(self) -> None:
        """Give all free memory back."""
        self._opened()
        with self._owned():
            self._space.shrink(0)

    def close(self) -> None:
        """End it; buffers in use stay as they are."""
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _opened(self) -> SharedFile:
        file = self._file
        if file is None:
            raise ValueError("it has been closed")
        return file

    def _check_owner(self) -> None:
        # Before the lock is touched: it may have been held when this process was forked.
        if os.getpid() != self._process:
            raise RuntimeError("the pool is that of the process that this one was forked from")

    @contextmanager
    def _owned(self) -> Iterator[None]:
        """Hold the lock, in the owner's process only; what has ended is taken in first."""
        self._check_owner()
        with self._lock:
            self._take_in()
            yield

    def _release(self, handle: Handle) -> None:
        self._check_owner()
        if not self._end(handle):
            raise DoubleFreeError(f"no buffer of this pool in use has the {describe(handle)}")

    def _back(self, descriptor: int) -> None:
        """Take memory for more lines of the table."""
        if self._backed == LINES:
            raise OSError(errno.ENOMEM, f"a pool has at most {LINES - 1} buffers in use")
        reserve(descriptor, FRONT + self._backed * LINE, PAGE)
        self._backed += PAGE // LINE

    def _end(self, handle: Handle) -> bool:
        """End the use of a buffer; whether it was in use."""
        try:
            self._live.remove(handle)
        except KeyError:
            return False
        slot = self._slots[handle.slot]
        self._table[4 * handle.slot] = 0
        slot.released = True  # from now on, and not before, its line may be another's
        self._ended.append(handle)
        return True

    def _take_in(self) -> None:
        """Take memory back of what has been released and nobody looks at."""
        while self._ended:
            handle = self._ended.popleft()
            slot = self._slots.get(handle.slot)
            if slot is None or slot.handle != handle:
                continue
            if not slot.released:
                if slot.buffer() is None:
                    self._end(handle)
            elif slot.views is None or slot.views() is None:
                del self._slots[handle.slot]
                self._vacant.append(handle.slot)
                if isinstance(slot.place, Cell):
                    self._slabs.give(slot.place)
                else:
                    self._space.give(slot.place)

    def _look(self, buffer: Buffer, handle: Handle, home: Range) -> Any:
        """What a view looks at, which keeps the buffer as long as there is a view."""
        self._check_owner()
        with self._lock:
            if handle not in self._live:
                raise UseAfterFreeError(f"the buffer has been released: {describe(handle)}")
            slot = self._slots[handle.slot]
            views = None if slot.views is None else slot.views()
            if views is None:
                at = home.at + handle.offset - home.offset
                views = (ctypes.c_ubyte * handle.nbytes).from_buffer(home.chunk, at)
                views.__dict__["buffer"] = buffer
                slot.views = weakref.ref(views, _appender(self._ended, handle))
        return views


def _appender(ended: deque[Handle], handle: Handle) -> Any:
    return lambda _: ended.append(handle)


class Buffer:
    """A buffer in use; it is released when it is dropped, and no view looks at it any more."""

    __slots__ = ("__weakref__", "_home", "_pool", "handle", "node")

    def __init__(self, pool: BufferPool, handle: Handle, home: Range) -> None:
        self._pool = pool
        self._home = home
        self.handle = handle
        """Its name, to be sent to other processes."""
        self.node = home.node
        """The node whose memory it is."""

    @property
    def view(self) -> memoryview:
        """Its bytes, to be written."""
        return memoryview(self._pool._look(self, self.handle, self._home)).cast("B")  # noqa: SLF001 (its own)

    def release(self) -> None:
        """End its use now."""
        self._pool._release(self.handle)  # noqa: SLF001 (its own)

    def __len__(self) -> int:
        return self.handle.nbytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.release()
        except (DoubleFreeError, RuntimeError):  # it was released already, or is another process's
            return


if TYPE_CHECKING:  # both are what the interfaces say
    _pools: tuple[type[interfaces.BufferPool], ...] = (BufferPool, noob_fast.BufferPool)
    _buffers: tuple[type[interfaces.Buffer], ...] = (Buffer, noob_fast.Buffer)
    _readers: tuple[type[interfaces.BufferReader], ...] = (BufferReader, noob_fast.BufferReader)

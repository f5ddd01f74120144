"""The twin of `noob_fast.BufferPool` and `BufferReader`: buffers of a shared file, by handle."""

from __future__ import annotations

import ctypes
import errno
import mmap
import operator
import os
import secrets
import sys
import threading
import weakref
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from noob_runners.components.shared_file import FRONT, PAGE, keep_length, memory_file, reserve
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

_LINES = 1 << 20
"""How many lines the table can have: buffers in use at a time, and one."""
_LINE = 32
"""Bytes of a line: generation (0: free), offset, length, and one word that is not used. The first
line is the table's own: a mark, and how many lines there are."""
_DATA = FRONT + _LINES * _LINE
_MARK = int.from_bytes(b"noobbuf1", "little")
_MOST_MAPPED = 256
"""How many private views there are at a time, where each mapping costs a file descriptor."""
_TRACKS = sys.version_info < (3, 13)


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


def _name(handle: Handle) -> str:
    return (
        f"handle of {handle.nbytes} bytes at {handle.offset}, slot {handle.slot}, "
        f"generation {handle.generation}"
    )


def _as_handle(handle: Any) -> Handle:
    try:
        offset, nbytes, slot, generation = map(operator.index, handle)
        valid = min(offset, nbytes, slot, generation) >= 0 and slot < 1 << 32
        valid = valid and max(offset, nbytes, generation) < 1 << 64
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "a handle is four numbers: offset, nbytes, slot, generation; not " + repr(handle)
        )
    return Handle(offset, nbytes, slot, generation)


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
        self._topology = Topology(numa)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._ended: deque[Handle] = deque()
        """Buffers that nobody has any more, or nobody looks at. Any thread may append."""
        self._slots: dict[int, _Slot] = {}
        self._vacant: list[int] = []
        self._lines = 1
        self._backed = 0
        """Lines that have memory."""
        self._generation = secrets.randbits(62)  # that of no other pool
        self._buffers = self._asked = 0
        self._descriptor = memory_file() if descriptor is None else os.dup(descriptor)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        keep_length(self._descriptor)
        length = os.fstat(self._descriptor).st_size
        if length > FRONT:
            raise ValueError(
                f"the file has a pool already, or something else: {length} bytes, of which only "
                f"the first {FRONT} may be used before"
            )
        os.ftruncate(self._descriptor, _DATA)
        table = mmap.mmap(self._descriptor, _LINES * _LINE, offset=FRONT)
        self._table = memoryview(table).cast("Q")
        self._back()
        self._table[1] = 1
        self._table[0] = _MARK
        self._space = Space(self._descriptor, _DATA, keep_seconds, spare_bytes)
        self._slabs = Slabs(self._space)

    @property
    def descriptor(self) -> int:
        """The file's number in this process."""
        self._check()
        return self._descriptor

    def acquire(self, nbytes: int) -> Buffer:
        """Bring a buffer into use."""
        nbytes = operator.index(nbytes)
        if nbytes < 0:
            raise OverflowError(f"a buffer of {nbytes} bytes")
        node = self._topology.here()
        self._check()
        with self._owned():
            self._space.settle()
            slot = self._vacant[-1] if self._vacant else self._lines
            if slot >= self._backed:
                self._back()
            place: Range | Cell
            if nbytes <= SMALL:
                place = self._slabs.take(nbytes, node)
                home, offset = place.range, place.range.offset + place.at
            else:
                home = place = self._space.take(nbytes, node)
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
            self._buffers += 1
            self._asked += nbytes
        return buffer

    def release(self, handle: tuple[int, int, int, int]) -> None:
        """End the use of a buffer."""
        self._check()
        self._release(_as_handle(handle))

    def stats(self) -> dict[str, int]:
        """What it holds, in bytes."""
        self._check()
        with self._owned():
            self._space.settle()
            live, spare = self._space.live, self._space.spare
            return {
                "buffers": self._buffers,
                "asked": self._asked,
                "live": live,
                "spare": spare,
                "reserved": live + spare + FRONT + self._backed * _LINE,
            }

    def trim(self) -> None:
        """Give all free memory back."""
        self._check()
        with self._owned():
            self._space.shrink(0)

    def close(self) -> None:
        """End it; buffers in use stay as they are."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _check(self) -> None:
        if not self._close.alive:
            raise ValueError("it has been closed")

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
        with self._owned():
            slot = self._slots.get(handle.slot)
            if slot is None or slot.released or slot.handle != handle:
                raise DoubleFreeError(f"no buffer of this pool in use has the {_name(handle)}")
            self._end(slot)

    def _back(self) -> None:
        """Take memory for more lines of the table."""
        if self._backed == _LINES:
            raise OSError(errno.ENOMEM, f"a pool has at most {_LINES - 1} buffers in use")
        reserve(self._descriptor, FRONT + self._backed * _LINE, PAGE)
        self._backed += PAGE // _LINE

    def _take_in(self) -> None:
        while self._ended:
            handle = self._ended.popleft()
            slot = self._slots.get(handle.slot)
            if slot is None or slot.handle != handle:
                continue
            if slot.buffer() is None and not slot.released:
                self._end(slot)
            else:
                self._recycle(slot)

    def _end(self, slot: _Slot) -> None:
        slot.released = True
        self._buffers -= 1
        self._asked -= slot.handle.nbytes
        self._table[4 * slot.handle.slot] = 0
        self._recycle(slot)

    def _recycle(self, slot: _Slot) -> None:
        """Take its memory back, if it has been released and nobody looks at it."""
        if not slot.released or (slot.views is not None and slot.views() is not None):
            return
        del self._slots[slot.handle.slot]
        self._vacant.append(slot.handle.slot)
        if isinstance(slot.place, Cell):
            self._slabs.give(slot.place)
        else:
            self._space.give(slot.place)

    def _look(self, buffer: Buffer, handle: Handle, home: Range) -> Any:
        """What a view looks at, which keeps the buffer as long as there is a view."""
        self._check_owner()
        with self._lock:
            slot = self._slots.get(handle.slot)
            if slot is None or slot.released or slot.handle != handle:
                raise UseAfterFreeError(f"the buffer has been released: {_name(handle)}")
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


class BufferReader:
    """A reader's side: see `noob_runners.components.interfaces.BufferReader`."""

    _mapped: dict[weakref.ref[mmap.mmap], Any] = {}  # noqa: RUF012 (one for the whole process)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()
        self._table: memoryview | None = None
        self._parts: list[tuple[int, int, mmap.mmap]] = []
        """Parts of the file, one after the other: where each begins and ends."""

    @property
    def descriptor(self) -> int:
        """The file's number in this process."""
        self._check()
        return self._descriptor

    def open(
        self, handle: tuple[int, int, int, int], *, private: bool = False, keep: object = None
    ) -> memoryview:
        """The bytes of a buffer in use."""
        wanted = _as_handle(handle)
        begin, part = self._locate(wanted)
        if not private and keep is None:
            return memoryview(part)[begin : begin + wanted.nbytes]
        if not private:
            return self._map(wanted, mmap.ACCESS_READ, keep)
        if not _TRACKS or len(self._mapped) < _MOST_MAPPED:
            with suppress(OSError):  # too many are mapped
                return self._map(wanted, mmap.ACCESS_COPY, keep)
        return self._copy(wanted)

    def check(self, handle: tuple[int, int, int, int]) -> None:
        """Whether the buffer is in use still."""
        self._locate(_as_handle(handle))

    def close(self) -> None:
        """End it; views stay as they are."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _check(self) -> None:
        if not self._close.alive:
            raise ValueError("it has been closed")

    def _locate(self, handle: Handle) -> tuple[int, mmap.mmap]:
        self._check()
        until = handle.offset + max(handle.nbytes, 1)
        with self._lock:
            end = self._parts[-1][1] if self._parts else _DATA
            if handle.offset < _DATA or until > end:
                length = os.fstat(self._descriptor).st_size
                if handle.offset < _DATA or until > length:
                    raise ValueError(f"{_name(handle)} is outside of the file, of {length} bytes")
                part = mmap.mmap(
                    self._descriptor, length - end, access=mmap.ACCESS_READ, offset=end
                )
                self._parts.append((end, length, part))
            if self._table is None:
                self._table = self._open_table()
        table, first = self._table, 4 * handle.slot
        known = 0 < handle.slot < min(table[1], _LINES) and handle.generation > 0
        if not known or (handle.generation, handle.offset, handle.nbytes) != (
            table[first],
            table[first + 1],
            table[first + 2],
        ):
            raise UseAfterFreeError(f"the buffer has been released: {_name(handle)}")
        for start, end, part in self._parts:
            if start <= handle.offset and until <= end:
                return handle.offset - start, part
        raise ValueError(f"the table is not a pool's: it has the {_name(handle)}")

    def _open_table(self) -> memoryview:
        size = _LINES * _LINE
        table = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ, offset=FRONT)
        words = memoryview(table).cast("Q")
        if words[0] != _MARK:
            raise ValueError("no pool has the file")
        return words

    def _map(self, handle: Handle, access: int, keep: object) -> memoryview:
        start = handle.offset // PAGE * PAGE
        at = handle.offset - start
        length = max(1, at + handle.nbytes)
        more: dict[str, Any] = {} if _TRACKS else {"trackfd": False}
        mapping = mmap.mmap(self._descriptor, length, access=access, offset=start, **more)
        self._mapped[weakref.ref(mapping, self._mapped.pop)] = keep
        return memoryview(mapping)[at : at + handle.nbytes]

    def _copy(self, handle: Handle) -> memoryview:
        copy = bytearray(handle.nbytes)
        at = 0
        while at < handle.nbytes:
            piece = os.pread(self._descriptor, handle.nbytes - at, handle.offset + at)
            if not piece:
                raise OSError(f"a shared file ends within the {_name(handle)}")
            copy[at : at + len(piece)] = piece
            at += len(piece)
        return memoryview(copy)


if TYPE_CHECKING:  # both are what the interfaces say
    _pools: tuple[type[interfaces.BufferPool], ...] = (BufferPool, noob_fast.BufferPool)
    _buffers: tuple[type[interfaces.Buffer], ...] = (Buffer, noob_fast.Buffer)
    _readers: tuple[type[interfaces.BufferReader], ...] = (BufferReader, noob_fast.BufferReader)

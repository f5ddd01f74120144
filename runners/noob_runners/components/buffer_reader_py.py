"""The twin of `noob_fast.BufferReader`: handles of a shared file's buffers become memory."""

from __future__ import annotations

import mmap
import os
import sys
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from noob_runners.components.handles_py import (
    DATA,
    LINE,
    LINES,
    MARK,
    Handle,
    UseAfterFreeError,
    as_handle,
    describe,
)
from noob_runners.components.shared_file import FRONT, PAGE

if TYPE_CHECKING:
    from typing import Self

__all__ = ["BufferReader"]

_MOST_MAPPED = 256
"""How many private views there are at a time, where each mapping costs a file descriptor."""
_TRACKS = sys.version_info < (3, 13)


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
        wanted = as_handle(handle)
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
        self._locate(as_handle(handle))

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
            end = self._parts[-1][1] if self._parts else DATA
            if handle.offset < DATA or until > end:
                length = os.fstat(self._descriptor).st_size
                if handle.offset < DATA or until > length:
                    raise ValueError(
                        f"{describe(handle)} is outside of the file, of {length} bytes"
                    )
                part = mmap.mmap(
                    self._descriptor, length - end, access=mmap.ACCESS_READ, offset=end
                )
                self._parts.append((end, length, part))
            if self._table is None:
                self._table = self._open_table()
        table, first = self._table, 4 * handle.slot
        known = 0 < handle.slot < min(table[1], LINES) and handle.generation > 0
        if not known or (handle.generation, handle.offset, handle.nbytes) != (
            table[first],
            table[first + 1],
            table[first + 2],
        ):
            raise UseAfterFreeError(f"the buffer has been released: {describe(handle)}")
        for start, end, part in self._parts:
            if start <= handle.offset and until <= end:
                return handle.offset - start, part
        raise ValueError(f"the table is not a pool's: it has the {describe(handle)}")

    def _open_table(self) -> memoryview:
        size = LINES * LINE
        table = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ, offset=FRONT)
        words = memoryview(table).cast("Q")
        if words[0] != MARK:
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
                raise OSError(f"a shared file ends within the {describe(handle)}")
            copy[at : at + len(piece)] = piece
            at += len(piece)
        return memoryview(copy)

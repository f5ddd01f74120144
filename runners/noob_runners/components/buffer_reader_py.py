"""The twin of `noob_fast.BufferReader`: handles of a shared file's buffers become memory."""

from __future__ import annotations

import mmap
import os
import sys
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
from noob_runners.components.shared_file import FRONT, PAGE, SharedFile, keep_length

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
        self._file: SharedFile | None = SharedFile(os.dup(descriptor))
        keep_length(self._file.descriptor)
        # (There is no lock: a forked process reads too, and it might have been held at the fork.)
        self._table: memoryview | None = None
        self._parts: tuple[tuple[int, int, mmap.mmap], ...] = ()
        """Parts of the file, one after the other: where each begins and ends."""

    @property
    def descriptor(self) -> int:
        """The file's number in this process."""
        return self._opened().descriptor

    def open(
        self, handle: tuple[int, int, int, int], *, private: bool = False, keep: object = None
    ) -> memoryview:
        """The bytes of a buffer in use."""
        wanted, file = as_handle(handle), self._opened()
        begin, part = self._locate(wanted, file.descriptor)
        if not private and keep is None:
            return memoryview(part)[begin : begin + wanted.nbytes]
        if not private:
            return self._map(wanted, file.descriptor, mmap.ACCESS_READ, keep)
        if not _TRACKS or len(self._mapped) < _MOST_MAPPED:
            with suppress(OSError):  # too many are mapped
                return self._map(wanted, file.descriptor, mmap.ACCESS_COPY, keep)
        return self._copy(wanted, file.descriptor)

    def check(self, handle: tuple[int, int, int, int]) -> None:
        """Whether the buffer is in use still."""
        wanted, file = as_handle(handle), self._opened()
        self._locate(wanted, file.descriptor)

    def close(self) -> None:
        """End it; views stay as they are."""
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

    def _locate(self, handle: Handle, descriptor: int) -> tuple[int, mmap.mmap]:
        until = handle.offset + max(handle.nbytes, 1)
        parts = self._parts
        end = parts[-1][1] if parts else DATA
        if handle.offset < DATA or until > end:
            length = os.fstat(descriptor).st_size
            if handle.offset < DATA or until > length:
                raise ValueError(f"{describe(handle)} is outside of the file, of {length} bytes")
            part = mmap.mmap(descriptor, length - end, access=mmap.ACCESS_READ, offset=end)
            parts = self._parts = (*parts, (end, length, part))
        table, first = self._table, 4 * handle.slot
        if table is None:
            table = self._table = _open_table(descriptor)
        known = 0 < handle.slot < min(table[1], LINES) and handle.generation > 0
        if not known or (handle.generation, handle.offset, handle.nbytes) != (
            table[first],
            table[first + 1],
            table[first + 2],
        ):
            raise UseAfterFreeError(f"the buffer has been released: {describe(handle)}")
        for start, end, part in parts:
            if start <= handle.offset and until <= end:
                return handle.offset - start, part
        raise ValueError(f"the table is not a pool's: it has the {describe(handle)}")

    def _map(self, handle: Handle, descriptor: int, access: int, keep: object) -> memoryview:
        start = handle.offset // PAGE * PAGE
        at = handle.offset - start
        length = max(1, at + handle.nbytes)
        more: dict[str, Any] = {} if _TRACKS else {"trackfd": False}
        mapping = mmap.mmap(descriptor, length, access=access, offset=start, **more)
        self._mapped[weakref.ref(mapping, self._mapped.pop)] = keep
        return memoryview(mapping)[at : at + handle.nbytes]

    def _copy(self, handle: Handle, descriptor: int) -> memoryview:
        copy = bytearray(handle.nbytes)
        at = 0
        while at < handle.nbytes:
            piece = os.pread(descriptor, handle.nbytes - at, handle.offset + at)
            if not piece:
                raise OSError(f"a shared file ends within the {describe(handle)}")
            copy[at : at + len(piece)] = piece
            at += len(piece)
        return memoryview(copy)


def _open_table(descriptor: int) -> memoryview:
    table = mmap.mmap(descriptor, LINES * LINE, access=mmap.ACCESS_READ, offset=FRONT)
    words = memoryview(table).cast("Q")
    if words[0] != MARK:
        raise ValueError("no pool has the file")
    return words

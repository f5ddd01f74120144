"""What a pool of buffers and their readers do, whichever implementation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Buffer", "BufferPool", "BufferReader", "HandleFields"]

HandleFields = tuple[int, int, int, int]
"""Of a buffer: its offset in the file and its length, in bytes; its line in the pool's table; and
which use of that line it is. A `Handle` is such a tuple, with names."""


class Buffer(Protocol):
    """Shared memory in use, until it is released or dropped; a context manager releases it too.

    Its memory is used again as soon as it is released and no view looks at it, so a view never sees
    another buffer's bytes.
    """

    @property
    def view(self) -> memoryview:
        """All its bytes, one dimension, writable; they begin at a multiple of 64.

        They are not set to zero: they are what they happened to be. A view keeps the buffer in
        use, as long as it is not released.

        Raises:
            UseAfterFreeError: it has been released.
            RuntimeError: this process was forked from the pool's.
        """

    @property
    def handle(self) -> HandleFields:
        """Its name, a named tuple to be pickled, good in every process that has the file."""

    @property
    def node(self) -> int:
        """The number of the NUMA node whose memory it is; 0 where there is only one."""

    def release(self) -> None:
        """End its use now, rather than when it is dropped.

        Raises:
            DoubleFreeError: that was done already.
            RuntimeError: this process was forked from the pool's.
        """

    def __len__(self) -> int:
        """Its length in bytes."""


class BufferPool(Protocol):
    """Hands out buffers of one file in shared memory, from any thread of the process that made it.

    The file has no name: it is gone when the last process that has it open ends, however it ends. A
    process forked from the pool's can read, and nothing else; dropping its copies changes nothing.
    (What it writes to views that it has from before the fork, though, everybody sees.)

    Buffers above 32 KiB take their length up to a whole page, of free memory of whatever length.
    Smaller ones are cells of slabs (of 64 KiB; cells above 4 KiB, of 256 KiB) in classes: multiples
    of 64 bytes up to 512, then eight from one power of two to the next. They take up to an eighth
    more than their length (below 512 bytes up to 63 bytes), a tenth at the end of a slab, and the
    slab's cells that are not in use. The table takes 32 bytes a buffer, and the file's front a
    page.

    Memory of released buffers is kept, since it is quick: at least ``spare_bytes``, twice what is
    in use, and as much as was in use in the last ``keep_seconds`` (then half of it, and so on).
    What is above that is given back when a buffer is acquired or the pool is asked for its state,
    those ranges first that were not used for longest.

    On a machine with several NUMA nodes a buffer's memory is that of the node that the acquiring
    thread runs on: the pool takes it from the system there, by the system's default of giving
    memory near the processor that first asks for it, and uses it again for threads of that node
    only. That this is quicker has not been measured: no such machine was at hand.

    It is made with ``(descriptor=None, *, keep_seconds=10.0, spare_bytes=32 << 20, numa=None)``: of
    the descriptor of a memory file it keeps a duplicate, and begins where the file's first page
    ends; without one it makes a file. ``numa`` is a tree like ``/sys/devices/system/node``, which
    it is by default. Raises ValueError if the file has a pool already or, on Linux, can become
    shorter (whoever has it mapped would die of that); OSError without room.
    """

    @property
    def descriptor(self) -> int:
        """The number of its own open file, to be passed to other processes.

        Raises:
            ValueError: it has been closed.
        """

    def acquire(self, nbytes: int) -> Buffer:
        """Bring a buffer of so many bytes into use. All its memory is reserved.

        Raises:
            OSError: there is no room, in memory or among the million lines of the table; more than
                the machine's memory is not even tried.
            OverflowError: a negative length.
            RuntimeError: this process was forked from the pool's.
            ValueError: it has been closed.
        """

    def release(self, handle: HandleFields) -> None:
        """End the use of a buffer.

        Raises:
            DoubleFreeError: no buffer in use has this handle; it was released before, is another
                pool's, or made up.
            RuntimeError: this process was forked from the pool's.
            ValueError: that is no handle, or the pool has been closed.
        """

    def stats(self) -> dict[str, int]:
        """What it holds, after giving back what need not be kept.

        Returns:
            ``buffers``: how many are in use. In bytes ``asked``: how long they are together;
            ``live``: the memory of ranges in use; ``spare``: that of free ones; ``reserved``: all
            memory, with the table. The overhead of what is in use is ``live / asked - 1``.

        Raises:
            RuntimeError: this process was forked from the pool's.
            ValueError: it has been closed.
        """

    def trim(self) -> None:
        """Give the memory of all free ranges back.

        Raises:
            RuntimeError: this process was forked from the pool's.
            ValueError: it has been closed.
        """

    def close(self) -> None:
        """Hand out no more. Buffers in use, and views, stay as they are until they are dropped."""

    def __enter__(self) -> Self:
        """Itself, closed at the end."""

    def __exit__(self, *_error: object) -> None:
        """Close it."""


class BufferReader(Protocol):
    """Looks at the buffers of a pool's file, in any process and from any thread.

    It is made with ``(descriptor)``, of which it keeps a duplicate. The pool may begin later.
    Raises ValueError if, on Linux, the file can become shorter.
    """

    @property
    def descriptor(self) -> int:
        """The number of its own open file.

        Raises:
            ValueError: it has been closed.
        """

    def open(
        self, handle: HandleFields, *, private: bool = False, keep: object = None
    ) -> memoryview:
        """The bytes of a buffer in use, one dimension.

        That it is in use is known now, not for how long. It is the owner's business to release it
        after all have read; a reader that cannot rely on that calls `check` when it has read.

        Args:
            handle: of the buffer.
            private: False for the bytes that all see, to be read only: a mapping that is kept, no
                call of the system when it is warm. True for bytes that can be written, which nobody
                else sees (copy on write): a mapping of their own, made now. (The twin copies them
                where it has too many mappings.)
            keep: an object that is to live as long as anything looks at these bytes.

        Raises:
            UseAfterFreeError: the buffer has been released, or never was.
            ValueError: that is no handle, or one of a place outside of the file; or no pool has the
                file; or this has been closed.
            OSError: it cannot be mapped.
        """

    def check(self, handle: HandleFields) -> None:
        """Make sure that a buffer is still in use, and so what was read of it before is good.

        Raises:
            UseAfterFreeError: it is not.
            ValueError: as `open`'s.
        """

    def close(self) -> None:
        """Open no more. Views stay as they are until they are dropped."""

"""A file that is memory. It has no name, so it is gone with the last process that has it."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import weakref
from contextlib import suppress

__all__ = [
    "FRONT",
    "MEMORY",
    "PAGE",
    "SharedFile",
    "give_back",
    "keep_length",
    "memory_file",
    "reserve",
]

PAGE = mmap.ALLOCATIONGRANULARITY
"""Bytes of a page of memory."""
MEMORY = os.sysconf("SC_PHYS_PAGES") * PAGE if hasattr(os, "memfd_create") else 1 << 46
"""Bytes of memory that the machine has, or, where files are not in memory, more than one can have.
(The system would try to find more, and kill processes for it.)"""
FRONT = PAGE
"""Bytes at the beginning of a file of buffers that are kept for other uses."""


class SharedFile:
    """An open file, taken over: it is closed when nobody has this, as a call may still need it."""

    __slots__ = ("__weakref__", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)


def memory_file() -> int:
    """Open a new file in memory, or, where there are none, a temporary one without a name.

    Raises:
        OSError: there is no room for it.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("noob", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def keep_length(descriptor: int) -> None:
    """Have the system promise that it never becomes shorter, where it has such files.

    Whoever has it mapped would die of looking beyond its end.

    Raises:
        ValueError: it is no file of which the system promises that.
    """
    if not hasattr(os, "memfd_create"):
        return
    import fcntl  # noqa: PLC0415 (not every system has it)

    with suppress(OSError):  # who may not write to it cannot say so, but may have been preceded
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    try:
        kept = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK
    except OSError:
        kept = 0
    if not kept:
        raise ValueError(
            f"file {descriptor}: it is no file in memory that can be kept from becoming shorter"
        )


def reserve(descriptor: int, offset: int, nbytes: int) -> None:
    """Reserve memory, where the system can, near the processor that this thread runs on.

    Writing to a mapping without any would kill the process.

    Raises:
        OSError: there is none.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, offset, nbytes)


def give_back(mapping: mmap.mmap, at: int, nbytes: int) -> bool:
    """Give memory of a shared mapping back; whether the system can. The bytes are zero then."""
    if not hasattr(mmap, "MADV_REMOVE"):
        return False
    try:
        mapping.madvise(mmap.MADV_REMOVE, at, nbytes)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        return False
    return True

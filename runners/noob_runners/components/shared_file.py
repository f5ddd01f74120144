"""A file that is memory. It has no name, so it is gone with the last process that has it."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from contextlib import suppress

__all__ = ["FRONT", "PAGE", "give_back", "keep_length", "memory_file", "reserve"]

PAGE = mmap.ALLOCATIONGRANULARITY
"""Bytes of a page of memory."""
FRONT = PAGE
"""Bytes at the beginning of a file of buffers that are kept for other uses."""


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
    """Never let it become shorter, where the system can promise that.

    Whoever has it mapped would die of looking beyond its end.
    """
    with suppress(ImportError, AttributeError, OSError):  # another system, or not made for that
        import fcntl  # noqa: PLC0415 (not every system has it)

        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)


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

"""Both implementations of BufferPool, for tests of it."""

from __future__ import annotations

import importlib
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from noob_runners.components import buffers_py

LINUX = hasattr(mmap, "MADV_REMOVE")


def native() -> Any:
    """noob_fast, or the reason why it is not tested."""
    try:
        return importlib.import_module("noob_fast")
    except ImportError as error:
        return pytest.param(None, id="native", marks=pytest.mark.skip(reason=str(error)))


_native = native()
IMPLEMENTATIONS = [
    pytest.param(buffers_py, id="python"),
    _native if hasattr(_native, "marks") else pytest.param(_native, id="native"),
]


def taken(pool: Any) -> int:
    """Bytes of memory that its file takes, as the system counts."""
    return os.fstat(pool.descriptor).st_blocks * 512


def names_of(status: os.stat_result) -> list[str]:
    """By which names a file can be found in shared memory."""
    folder = Path("/dev/shm")
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # another's, and gone meanwhile
            other = path.stat()
            if (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino):
                found.append(path.name)
    return found

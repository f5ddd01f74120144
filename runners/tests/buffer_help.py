"""Both implementations of BufferPool, for tests of it."""

from __future__ import annotations

import importlib
import mmap
import os
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

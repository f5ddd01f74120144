"""The memory of a cell: the greatest resident size of its process, with its children."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")


def peak_rss_bytes() -> int:
    """Measure this process's greatest resident size so far and its children's sizes now, in bytes.

    Linux's ``ru_maxrss`` would not do for the process itself: it is carried over from the parent
    on exec, so that a small process of a big parent would look big. VmHWM starts afresh.
    """
    return _own_peak() + sum(
        _resident(child) for child in psutil.Process().children(recursive=True)
    )


def _own_peak() -> int:
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it ended meanwhile
        return 0

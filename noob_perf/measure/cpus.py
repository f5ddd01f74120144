"""How many processors this process may use, which need not be all that the machine has."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """Count the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

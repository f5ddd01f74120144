"""The memory of a cell: the greatest that it has held, and what its processes hold now."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import stat_result

_PROC = Path("/proc")
_BLOCK_BYTES = 512
"""The unit of ``st_blocks``, whatever the file system's own."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process and those that it started hold at one moment, in bytes."""

    own_bytes: int
    """Anonymous memory of the process itself: its heap and its stacks."""
    children_bytes: int
    """That of the processes that it started. A page that several share after a fork counts once."""
    shared_bytes: int
    """Memory files (of memfd_create, and those in /dev/shm) that any of them has open or mapped."""


def memory_now() -> Memory:
    """Measure what this process and its descendants hold.

    Program code and other mapped files are left out: they are shared with whoever else runs the
    same. Only Linux tells all of this; elsewhere it is the resident size, and no shared memory.
    """
    own, *others = processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    files = {
        (status.st_dev, status.st_ino): status.st_blocks * _BLOCK_BYTES
        for process in processes
        for status in _memory_files(process.pid)
    }
    return Memory(_anonymous(own), sum(map(_anonymous, others)), sum(files.values()))


def peak_rss_bytes() -> int:
    """Measure this process's greatest resident size so far and its children's sizes now, in bytes.

    Linux's ``ru_maxrss`` would not do for the process itself: it is carried over from the parent
    on exec, so that a small process of a big parent would look big. VmHWM starts afresh.
    """
    return _own_peak() + sum(
        _resident(child) for child in psutil.Process().children(recursive=True)
    )


def anonymous_bytes() -> int:
    """Measure this process's anonymous memory; pages that a fork shares count whole.

    So a fork does not change it, as it does `memory_now`. Elsewhere than on Linux: all resident.
    """
    found = _kilobytes(_PROC / "self" / "status", "RssAnon:")
    return _resident(psutil.Process()) if found is None else found


def _own_peak() -> int:
    peak = _kilobytes(_PROC / "self" / "status", "VmHWM:")
    if peak is not None:
        return peak
    greatest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return greatest if sys.platform == "darwin" else greatest * 1024


def _anonymous(process: psutil.Process) -> int:
    found = _kilobytes(_PROC / str(process.pid) / "smaps_rollup", "Pss_Anon:")
    return _resident(process) if found is None else found


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it ended meanwhile
        return 0


def _kilobytes(file: Path, name: str) -> int | None:
    """Read a line of /proc, such as ``VmHWM:  1024 kB``, as bytes; None where there is none."""
    try:
        for line in file.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except OSError:  # another system, or the process ended meanwhile
        pass
    return None


def _memory_files(pid: int) -> Iterator[stat_result]:
    """Yield the status of each memory file that a process has open or mapped; some twice."""
    for folder in ("fd", "map_files"):
        try:
            links = list((_PROC / str(pid) / folder).iterdir())
        except OSError:  # another system, not allowed, or the process ended meanwhile
            continue
        for link in links:
            try:
                if str(link.readlink()).startswith(("/memfd:", "/dev/shm/")):  # noqa: S108 - Linux's name
                    yield link.stat()
            except OSError:  # closed or unmapped meanwhile
                continue
